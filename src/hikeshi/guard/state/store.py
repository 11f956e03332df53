# SPDX-License-Identifier: Apache-2.0
"""What the guard keeps, and what whoever keeps it must offer; `state.open_state` finds the keeper.

Times are seconds since 1970, UTC. An address is kept only as a keyed hash, whose key stays with the state: it can be
recognised and not be read back.
"""

import hashlib
import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Final, Protocol, TypeVar

from hikeshi.basics.errors import HikeshiError

if TYPE_CHECKING:
    from hikeshi.guard.weighing.score import Account

T = TypeVar("T")

#: the layout of both keepers; a state of another number is refused
VERSION: Final = 1
#: who was not written to for so long is new again; settled holds are forgotten after as long
KEPT: Final = 2 * 365 * 86400.0


class StateError(HikeshiError):
    """The state cannot be used."""


class StateAwayError(StateError):
    """The shared state cannot be reached just now; the mail at hand goes on unweighed."""


@dataclass(frozen=True, slots=True)
class Hold:
    """One mail that the guard put on hold. `recipients` is how many; `score` is in nats."""

    queue_id: str
    account: str
    sender: str
    time: float
    place: str
    session: str
    recipients: int
    subject: str | None
    reason: str
    score: float

    @property
    def identity(self) -> str:
        """Give what tells this hold from every other: queue ids are reused, and several hosts give them out."""
        return json.dumps([self.queue_id, self.account, self.time])


@dataclass(frozen=True, slots=True)
class Settled:
    """What became of a hold: "released", "dropped" or another outcome in a word, by whom, why, and when."""

    hold: Hold
    outcome: str
    who: str
    why: str
    time: float


@dataclass(frozen=True, slots=True)
class Order:
    """What a person decided about an account, for the running guard to take over: `verb` is "release" or "drop"."""

    account: str
    verb: str
    who: str
    why: str
    time: float


class State(Protocol):
    """A keeper of the guard's state. Everything may raise StateError, of which StateAwayError passes by itself."""

    async def change(self, account: str, addresses: Sequence[str], do: Callable[["Account", dict[str, float]], T]) -> T:
        """Call `do` with all that is known of `account` and keep what it makes of it; give its result.

        The second argument tells by address, in lower case, when the account last wrote to it, of `addresses` those
        it ever wrote to; `do` adds to it and moves times. Whole or not at all: nothing is kept where `do` raises.
        `do` may be called again on fresh knowledge, where another process was faster, so it must do nothing else.
        """
        ...

    async def organisation(self) -> dict[str, tuple[float, float]]:
        """Give the sums of what all accounts have taught: name → (times, chances)."""
        ...

    async def norm(self) -> dict[str, float]:
        """Give the named numbers that were set."""
        ...

    async def set_norm(self, norm: Mapping[str, float]) -> None:
        """Set the named numbers; those not named stay."""
        ...

    async def hold(self, hold: Hold) -> None:
        """Write down a held mail; the same one twice is one."""
        ...

    async def holds(self, account: str | None = None) -> list[Hold]:
        """Give what waits on hold, of all or of one account, by time."""
        ...

    async def settle(self, hold: Hold, outcome: str, who: str, why: str) -> bool:
        """Write down what became of a hold; False where it did not wait (any more), and then nothing changes."""
        ...

    async def settled(self, account: str | None = None) -> list[Settled]:
        """Give the holds that wait no more, of all or of one account, by the time they were settled."""
        ...

    async def order(self, order: Order) -> None:
        """Leave an order to the running guard."""
        ...

    async def orders(self) -> list[Order]:
        """Give the orders that are not done, in the order they came."""
        ...

    async def done(self, order: Order) -> None:
        """Strike an order off."""
        ...

    async def flush(self) -> None:
        """Return when everything is written that was kept before."""
        ...

    async def close(self) -> None:
        """Write what is not written and let go; the state cannot be used any more."""
        ...


def plain(text: str) -> str:
    """Give `text` as every store can write it: bytes that were no UTF-8 become visible escapes."""
    return text.encode("utf-8", "backslashreplace").decode()


def hash_of(address: str, salt: bytes) -> int:
    """Give the signed 64-bit hash of an address without regard to case."""
    digest = hashlib.blake2b(address.lower().encode("utf-8", "backslashreplace"), key=salt, digest_size=8).digest()
    return int.from_bytes(digest, "big", signed=True)


def differences(
    before: Mapping[str, tuple[float, float]], after: Mapping[str, tuple[float, float]]
) -> dict[str, tuple[float, float]]:
    """Give what an account adds to the organisation's sums when what it taught goes from `before` to `after`."""
    none = (0.0, 0.0)
    return {
        name: (
            after.get(name, none)[0] - before.get(name, none)[0],
            after.get(name, none)[1] - before.get(name, none)[1],
        )
        for name in before.keys() | after.keys()
        if before.get(name, none) != after.get(name, none)
    }


def written(one: Hold | Order) -> str:
    """Give a hold or an order as JSON, always the same text for the same."""
    return json.dumps(asdict(one), sort_keys=True)
