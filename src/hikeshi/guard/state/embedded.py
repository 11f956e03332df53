# SPDX-License-Identifier: Apache-2.0
"""The state in one SQLite file: for one guard on one host.

Accounts that are at work live in memory; what they became is written a tenth of a second later, all in one
transaction, by a thread of its own. So no mail waits for the disk but the first of an account that was long quiet,
and a guard that is killed forgets that tenth of a second and no more. Holds and orders are on disk before their call
returns.
"""

import asyncio
import logging
import sqlite3
from collections import OrderedDict
from collections.abc import Callable, Iterable, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

from hikeshi.guard.state import statefile
from hikeshi.guard.state.store import KEPT, Hold, Order, Settled, StateError, T, differences, hash_of, plain

if TYPE_CHECKING:
    from hikeshi.guard.weighing.score import Account

#: bytes of accounts and recipients at work, as `_Hot.weight` counts them; as objects they take about four times as much
HOT: Final = 32 * 2**20
#: what an account and a recipient take beside the account's bytes
_ACCOUNT, _RECIPIENT = 512, 32
#: seconds from a change until it is written, and after a write that failed
BEHIND: Final = 0.1
_AGAIN: Final = 1.0
#: so many accounts are turned into bytes before other tasks have their turn
_SLICE: Final = 8

_log = logging.getLogger(__name__)


@dataclass(slots=True)
class _Hot:
    """An account at work: its bytes as last written and what they taught, and its recipients by hash."""

    account: "Account"
    data: bytes | None
    taught: dict[str, tuple[float, float]]
    recipients: dict[int, float]
    unwritten: dict[int, float] = field(default_factory=dict)

    @property
    def weight(self) -> int:
        return len(self.data or b"") + _ACCOUNT + _RECIPIENT * len(self.recipients)


class Embedded:
    """The state in the file at `path`. `beside` a running guard accounts cannot be changed; all else can.

    Raises:
        StateError: it cannot be opened, is no state of ours, or another guard has it.

    """

    def __init__(self, path: Path, kind: "type[Account]", *, beside: bool = False) -> None:
        self._kind, self._path = kind, path
        self._lock = None if beside else statefile.locked(path)
        try:
            self._to = statefile.opened(path, new=not beside)
            self._from = statefile.opened(path, new=False)
        except BaseException:
            statefile.unlocked(self._lock)
            raise
        self._salt = statefile.salt(self._from)
        self._sums = statefile.organisation(self._from)
        self._writer, self._reader = ThreadPoolExecutor(1, "state-writer"), ThreadPoolExecutor(1, "state-reader")
        self._hot: OrderedDict[str, _Hot] = OrderedDict()
        self._weight = 0
        self._loading: dict[str, asyncio.Task[None]] = {}
        self._dirty: set[str] = set()
        self._leaving: set[str] = set()
        self._turn = asyncio.Lock()
        self._behind: asyncio.Task[None] | None = None

    async def change(self, account: str, addresses: Sequence[str], do: "Callable[[Account, dict[str, float]], T]") -> T:
        """See State. A `do` that raises sets the account back to what was last written."""
        if self._lock is None:
            raise StateError(f"--state {self._path}: here accounts change only through the guard; leave it an order")
        account = plain(account)
        hot = await self._at_work(account)
        hashes = {address.lower(): hash_of(address, self._salt) for address in addresses}
        before = {address: hot.recipients[key] for address, key in hashes.items() if key in hot.recipients}
        known = dict(before)
        try:
            result = do(hot.account, known)
        except BaseException:
            hot.account = self._made(hot.data)
            raise
        self._weight -= hot.weight
        for address, time in known.items():
            if before.get(address) != time:
                key = hash_of(address, self._salt)
                hot.recipients[key] = hot.unwritten[key] = time
        self._weight += hot.weight
        self._dirty.add(account)
        if self._behind is None or self._behind.done():
            self._behind = asyncio.create_task(self._write_behind())
        if self._weight > HOT:
            await self._make_room()
        return result

    async def organisation(self) -> dict[str, tuple[float, float]]:
        """See State."""
        if self._lock is None:
            return await self._read(statefile.organisation)
        sums = dict(self._sums)
        for account in self._dirty:
            hot = self._hot[account]
            _add(sums, differences(hot.taught, hot.account.taught))
        return sums

    async def norm(self) -> dict[str, float]:
        """See State."""
        return await self._read(statefile.norm)

    async def set_norm(self, norm: Mapping[str, float]) -> None:
        """See State."""
        await self._write(statefile.set_norm, dict(norm))

    async def hold(self, hold: Hold) -> None:
        """See State."""
        await self._write(statefile.hold, hold)

    async def holds(self, account: str | None = None) -> list[Hold]:
        """See State."""
        return await self._read(statefile.holds, account)

    async def settle(self, hold: Hold, outcome: str, who: str, why: str) -> bool:
        """See State."""
        return await self._write(statefile.settle, hold, outcome, who, why)

    async def settled(self, account: str | None = None) -> list[Settled]:
        """See State."""
        return await self._read(statefile.settled, account)

    async def order(self, order: Order) -> None:
        """See State."""
        await self._write(statefile.order, order)

    async def orders(self) -> list[Order]:
        """See State."""
        return await self._read(statefile.orders)

    async def done(self, order: Order) -> None:
        """See State."""
        await self._write(statefile.done, order)

    async def flush(self) -> None:
        """See State."""
        await asyncio.shield(asyncio.ensure_future(self._write_dirty()))

    async def close(self) -> None:
        """See State."""
        try:
            await self.flush()
        finally:
            if self._behind is not None:
                self._behind.cancel()
                await asyncio.gather(self._behind, return_exceptions=True)
            for thread, connection in ((self._reader, self._from), (self._writer, self._to)):
                thread.shutdown()
                connection.close()
            statefile.unlocked(self._lock)

    async def _at_work(self, account: str) -> _Hot:
        while (hot := self._hot.get(account)) is None:
            if account not in self._loading:
                self._loading[account] = asyncio.create_task(self._load(account))
            await asyncio.shield(self._loading[account])
        self._hot.move_to_end(account)
        return hot

    async def _load(self, account: str) -> None:
        try:
            data, recipients = await self._read(statefile.account, account)
            long_ago = max(recipients.values(), default=0.0) - KEPT
            if min(recipients.values(), default=0.0) < long_ago:
                await self._write(statefile.forget, account, long_ago)
                recipients = {key: time for key, time in recipients.items() if time >= long_ago}
            made = self._made(data)
            hot = self._hot[account] = _Hot(made, data, made.taught, recipients)
            self._weight += hot.weight
        finally:
            del self._loading[account]

    def _made(self, data: bytes | None) -> "Account":
        return self._kind() if data is None else self._kind.from_bytes(data)

    async def _make_room(self) -> None:
        """Let the accounts go that were quiet longest; what is not written yet stays until it is."""
        if self._weight > 2 * HOT:
            await self.flush()
        quiet: list[str] = []
        weight = self._weight
        for account, hot in self._hot.items():
            if weight <= HOT:
                break
            if account not in self._dirty and account not in self._leaving:
                quiet.append(account)
                weight -= hot.weight
        for account in quiet:
            del self._hot[account]
        self._weight = weight

    async def _write_behind(self) -> None:
        wait = BEHIND
        while self._dirty:
            await asyncio.sleep(wait)
            try:
                await asyncio.shield(asyncio.ensure_future(self._write_dirty()))
                wait = BEHIND
            except StateError as error:
                wait = _AGAIN
                _log.error("%s; the guard goes on in memory and tries again", error)

    async def _write_dirty(self) -> None:
        async with self._turn:
            rows: list[statefile.Row] = []
            for account in list(self._dirty):
                rows.append(self._row(account))
                if len(rows) % _SLICE == 0:
                    await asyncio.sleep(0)
            try:
                if rows:
                    await self._write(statefile.write, rows, dict(self._sums))
            except BaseException:
                self._take_back(rows)
                raise
            finally:
                self._leaving.clear()

    def _row(self, account: str) -> statefile.Row:
        """Give what is to be written of an account, and count in the sums what it teaches now."""
        hot = self._hot[account]
        self._weight -= hot.weight
        hot.data = hot.account.to_bytes()
        self._weight += hot.weight
        taught = hot.account.taught
        _add(self._sums, differences(hot.taught, taught))
        hot.taught = taught
        unwritten, hot.unwritten = hot.unwritten, {}
        self._dirty.discard(account)
        self._leaving.add(account)
        return account, hot.data, unwritten

    def _take_back(self, rows: Iterable[statefile.Row]) -> None:
        for account, _data, unwritten in rows:
            hot = self._hot[account]
            hot.unwritten = {**unwritten, **hot.unwritten}
            self._dirty.add(account)

    async def _read(self, ask: "Callable[..., T]", *more: Any) -> T:
        return await self._in(self._reader, self._from, ask, *more)

    async def _write(self, ask: "Callable[..., T]", *more: Any) -> T:
        return await self._in(self._writer, self._to, ask, *more)

    async def _in(
        self, thread: ThreadPoolExecutor, connection: sqlite3.Connection, ask: "Callable[..., T]", *more: Any
    ) -> T:
        try:
            return await asyncio.get_running_loop().run_in_executor(thread, ask, connection, *more)
        except sqlite3.Error as error:
            raise StateError(f"--state {self._path}: {error}; look at the disk and the rights of that file") from error


def _add(sums: dict[str, tuple[float, float]], more: Mapping[str, tuple[float, float]]) -> None:
    for name, (times, chances) in more.items():
        old = sums.get(name, (0.0, 0.0))
        sums[name] = (old[0] + times, old[1] + chances)
