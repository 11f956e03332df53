# SPDX-License-Identifier: Apache-2.0
"""The state in Valkey or Redis (6.2 or later, not a cluster): for several guards, on one host or many.

A change is one round trip to read and one to write: a script writes the account, its recipients and the
organisation's sums together, and only where nobody wrote that account in between; otherwise the change is made again
on what the other left. An account's recipients are one sorted set, hash → last time, because then asking for many is
one command and so is forgetting what is two years old; a key for every recipient would take several times the memory.
How much a crash of the server loses is the server's `appendonly` and `save`.
"""

import asyncio
import json
import random
import secrets
import time
import weakref
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Final

import redis
from redis.asyncio import BlockingConnectionPool, Redis
from redis.asyncio.connection import Connection, SSLConnection, UnixDomainSocketConnection
from redis.asyncio.retry import Retry
from redis.backoff import NoBackoff

from hikeshi.guard.state import stateurl
from hikeshi.guard.state.store import (
    KEPT,
    VERSION,
    Hold,
    Order,
    Settled,
    StateAwayError,
    StateError,
    T,
    differences,
    hash_of,
    plain,
    written,
)

if TYPE_CHECKING:
    from hikeshi.guard.weighing.score import Account

_ACCOUNT, _WROTE = "hikeshi:account:", "hikeshi:wrote:"
_STATE, _ORGANISATION, _NORM = "hikeshi:state", "hikeshi:organisation", "hikeshi:norm"
_HOLDS, _SETTLED, _ORDERS = "hikeshi:holds", "hikeshi:settled", "hikeshi:orders"

#: seconds until the server counts as away; the mail at hand waits as long, and the next ones then not at all for a while
_PATIENCE: Final = 1.0
_REST: Final = 1.0
#: a change that others overtook so often is given up; the pause before a new try grows up to so many seconds
_TRIES: Final = 100
_PAUSE: Final = 0.02
_CONNECTIONS: Final = 32
_KINDS: Final = {
    "redis": (redis.Connection, Connection),
    "rediss": (redis.SSLConnection, SSLConnection),
    "unix": (redis.UnixDomainSocketConnection, UnixDomainSocketConnection),
}

#: a change counts where the account still bears the mark that was read. It bears the new mark where this very call was
#: carried out and the answer got lost on the way: then it is not carried out again. Another salt: the server was emptied.
_CHANGE: Final = f"""
    if redis.call('HGET', KEYS[4], 'salt') ~= ARGV[1] then return -1 end
    local mark = redis.call('HGET', KEYS[1], 'mark') or ''
    if mark == ARGV[3] then return 1 end
    if mark ~= ARGV[2] then return 0 end
    redis.call('HSET', KEYS[1], 'mark', ARGV[3], 'state', ARGV[4])
    local at = 6
    for _ = 1, tonumber(ARGV[5]) do
        redis.call('ZADD', KEYS[2], ARGV[at], ARGV[at + 1])
        at = at + 2
    end
    if at > 6 then
        local newest = redis.call('ZRANGE', KEYS[2], -1, -1, 'WITHSCORES')[2]
        redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', newest - {KEPT:.0f})
    end
    while ARGV[at] do
        redis.call('HINCRBYFLOAT', KEYS[3], ARGV[at], ARGV[at + 1])
        at = at + 2
    end
    return 1
"""

_SETTLE: Final = f"""
    if redis.call('HDEL', KEYS[1], ARGV[1]) == 0 then return 0 end
    redis.call('ZADD', KEYS[2], ARGV[2], ARGV[3])
    redis.call('ZREMRANGEBYSCORE', KEYS[2], '-inf', ARGV[2] - {KEPT:.0f})
    return 1
"""


class Shared:
    """The state at the address `text`, which the server there keeps for all guards that name it.

    Raises:
        StateError: no such address, or the server refuses us or holds another layout.
        StateAwayError: no server answers there.

    """

    def __init__(self, text: str, kind: "type[Account]") -> None:
        self._kind, self._where = kind, f"--state {text}"
        self._resting_until = float("-inf")
        where = stateurl.settings(text)
        where |= {"socket_timeout": _PATIENCE, "socket_connect_timeout": _PATIENCE}
        now, later = _KINDS[text.partition(":")[0].lower()]
        # the first words are said at once, so that a wrong address shows when the guard starts
        pool = redis.ConnectionPool(connection_class=now, **where)
        try:
            with self._reaching():
                self._salt = self._met(_meeting(redis.Redis(connection_pool=pool).pipeline()).execute())
        finally:
            pool.disconnect()
        # a connection that was cut while nobody used it shows only when it is used
        retry = Retry(NoBackoff(), 1, supported_errors=(redis.ConnectionError,))
        # the library's types do not know that answers are bytes
        self._server: Any = Redis.from_pool(
            BlockingConnectionPool(_CONNECTIONS, _PATIENCE, connection_class=later, retry=retry, **where)
        )
        self._change = self._server.register_script(_CHANGE)
        self._settle = self._server.register_script(_SETTLE)
        self._locks: weakref.WeakValueDictionary[str, asyncio.Lock] = weakref.WeakValueDictionary()

    async def change(self, account: str, addresses: Sequence[str], do: "Callable[[Account, dict[str, float]], T]") -> T:
        """See State."""
        account = plain(account)
        async with self._locks.setdefault(account, asyncio.Lock()):  # our own tasks need not overtake each other
            for number in range(_TRIES):
                mark, made, before = await self._known(account, addresses)
                taught, known = made.taught, dict(before)
                result = do(made, known)
                moved = {address: time for address, time in known.items() if before.get(address) != time}
                kept = await self._keep(account, mark, made.to_bytes(), moved, differences(taught, made.taught))
                if kept > 0:
                    return result
                if kept < 0:
                    with self._reaching():
                        self._salt = self._met(await _meeting(self._server.pipeline()).execute())
                await asyncio.sleep(random.uniform(0, min(_PAUSE, 0.001 * 2**number)))  # noqa: S311 - jitter
        raise StateError(f"{self._where}: {_TRIES} times another guard was faster; is one account a whole system's?")

    async def organisation(self) -> dict[str, tuple[float, float]]:
        """See State."""
        with self._reaching():
            found = await self._server.hgetall(_ORGANISATION)
        sums = {field.decode(): float(value) for field, value in found.items()}
        names = {field.rpartition("/")[0] for field in sums}
        return {name: (sums.get(f"{name}/times", 0.0), sums.get(f"{name}/chances", 0.0)) for name in names}

    async def norm(self) -> dict[str, float]:
        """See State."""
        with self._reaching():
            return {name.decode(): float(value) for name, value in (await self._server.hgetall(_NORM)).items()}

    async def set_norm(self, norm: Mapping[str, float]) -> None:
        """See State."""
        if norm:
            with self._reaching():
                await self._server.hset(_NORM, mapping={name: repr(float(value)) for name, value in norm.items()})

    async def hold(self, hold: Hold) -> None:
        """See State."""
        with self._reaching():
            await self._server.hsetnx(_HOLDS, hold.identity, written(hold))

    async def holds(self, account: str | None = None) -> list[Hold]:
        """See State."""
        with self._reaching():
            texts = await self._server.hvals(_HOLDS)
        found = sorted((Hold(**json.loads(text)) for text in texts), key=lambda hold: (hold.time, hold.identity))
        return [hold for hold in found if account in {None, hold.account}]

    async def settle(self, hold: Hold, outcome: str, who: str, why: str) -> bool:
        """See State."""
        now = time.time()
        text = json.dumps([written(hold), outcome, plain(who), plain(why), now])
        with self._reaching():
            return bool(await self._settle(keys=[_HOLDS, _SETTLED], args=[hold.identity, repr(now), text]))

    async def settled(self, account: str | None = None) -> list[Settled]:
        """See State."""
        with self._reaching():
            texts = await self._server.zrange(_SETTLED, 0, -1)
        found = [Settled(Hold(**json.loads(hold)), *rest) for hold, *rest in map(json.loads, texts)]
        return [one for one in found if account in {None, one.hold.account}]

    async def order(self, order: Order) -> None:
        """See State."""
        with self._reaching():
            await self._server.rpush(_ORDERS, written(order))

    async def orders(self) -> list[Order]:
        """See State."""
        with self._reaching():
            return [Order(**json.loads(text)) for text in await self._server.lrange(_ORDERS, 0, -1)]

    async def done(self, order: Order) -> None:
        """See State."""
        with self._reaching():
            await self._server.lrem(_ORDERS, 0, written(order))

    async def flush(self) -> None:
        """See State: here all is written that was kept."""

    async def close(self) -> None:
        """See State."""
        await self._server.aclose(close_connection_pool=True)

    async def _known(self, account: str, addresses: Sequence[str]) -> "tuple[bytes, Account, dict[str, float]]":
        """Give the account's mark, the account, and when it last wrote to those of the addresses it ever wrote to."""
        ask = self._server.pipeline(transaction=False)
        ask.hmget(_ACCOUNT + account, "mark", "state")
        if addresses:
            ask.zmscore(_WROTE + account, [str(hash_of(address, self._salt)) for address in addresses])
        with self._reaching():
            (mark, data), *times = await ask.execute()
        made = self._kind() if data is None else self._kind.from_bytes(data)
        last = zip(addresses, times[0], strict=True) if addresses else ()
        return mark or b"", made, {address.lower(): time for address, time in last if time is not None}

    async def _keep(
        self,
        account: str,
        mark: bytes,
        data: bytes,
        moved: Mapping[str, float],
        taught: Mapping[str, tuple[float, float]],
    ) -> int:
        args: list[str | bytes] = [self._salt, mark, secrets.token_bytes(12), data, str(len(moved))]
        for address, last in moved.items():
            args += (repr(float(last)), str(hash_of(address, self._salt)))
        for name, (times, chances) in taught.items():
            args += (f"{name}/times", repr(times), f"{name}/chances", repr(chances))
        keys = [_ACCOUNT + account, _WROTE + account, _ORGANISATION, _STATE]
        with self._reaching():
            return int(await self._change(keys=keys, args=args))

    def _met(self, answers: list[Any]) -> bytes:
        """Give the salt out of the answers to `_meeting`."""
        salt, version = answers[-1]
        if int(version) != VERSION:
            raise StateError(
                f"{self._where}: its layout is number {int(version)} and this hikeshi reads number {VERSION}; "
                "use the hikeshi that made it, or another database number"
            )
        return bytes(salt)

    @contextmanager
    def _reaching(self) -> Iterator[None]:
        """Tell the library's errors in our words; a server that hangs is left alone for a while."""
        if time.monotonic() < self._resting_until:
            raise StateAwayError(f"{self._where}: the server did not answer a moment ago")
        try:
            yield
        except (redis.AuthenticationError, redis.exceptions.NoPermissionError) as error:
            raise StateError(f"{self._where}: {error}; put the password into {stateurl.PASSWORD}") from error
        except redis.TimeoutError as error:
            self._resting_until = time.monotonic() + _REST
            raise StateAwayError(f"{self._where}: no answer within {_PATIENCE:.0f} s; is the server well?") from error
        except (redis.ConnectionError, OSError) as error:
            raise StateAwayError(f"{self._where}: {error}; is the server up and the address right?") from error
        except redis.RedisError as error:
            raise StateError(f"{self._where}: the server says: {error}") from error


def _meeting(ask: Any) -> Any:
    """Have a pipeline, of either kind, make the state where there is none, and ask for its salt and layout."""
    ask.hsetnx(_STATE, "salt", secrets.token_bytes(16))
    ask.hsetnx(_STATE, "version", VERSION)
    return ask.hmget(_STATE, "salt", "version")
