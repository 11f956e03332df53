# SPDX-License-Identifier: Apache-2.0
"""Learning from logs: what accounts did before the guard was there, taken as if it had been there.

One account after another, in its own order of time, so that memory is bounded by what is in hand. What is not later
than what an account already has is passed over: learning twice, or a log that overlaps, changes nothing.
"""

import itertools
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final, Protocol, TypeVar

from hikeshi.basics.sql import queries
from hikeshi.evidence.lake import Lake
from hikeshi.guard.mail import Mail
from hikeshi.guard.weighing import score
from hikeshi.guard.weighing.account import Account
from hikeshi.model import Organisation

_SQL: Final = queries("hikeshi.guard.weighing", "learn.sql")
#: events that the engine hands over at once, and events that become one change of the state
_FETCH: Final = 5_000
_CHANGE: Final = 500

T = TypeVar("T")


class Store(Protocol):
    """What learning needs of `guard.state.State`."""

    async def change(self, account: str, addresses: Any, do: Callable[[Account, dict[str, float]], T]) -> T:
        """Load, change and keep one account."""

    async def norm(self) -> dict[str, float]:
        """Give what is normal here."""

    async def set_norm(self, norm: dict[str, float]) -> None:
        """Keep what is normal here."""


@dataclass(frozen=True, slots=True)
class Event:
    """One thing an account did: `kind` is mail, signin, bounce or late.

    `written` are addresses before alias expansion; of kind late, those of a mail told before that were known too late.
    """

    kind: str
    account: str
    time: float
    place: str
    mail: Mail | None = None
    written: tuple[str, ...] = ()

    def tell(self, account: Account, known: dict[str, float], organisation: Organisation) -> "score.Scored | None":
        """Let the account live through it."""
        if self.kind == "signin":
            score.signed_in(account, self.time, self.place)
        elif self.kind == "bounce":
            score.bounced(account, self.time)
        elif self.kind == "late":
            known.update((address.lower(), max(known.get(address.lower(), 0.0), self.time)) for address in self.written)
        elif self.mail is not None:
            scored = score.submitted(account, self.mail, known, organisation)
            known.update((address.lower(), account.sent / 1e6) for address in self.written)
            return scored
        return None

    @property
    def addresses(self) -> tuple[str, ...]:
        """Give the addresses whose last times it asks for."""
        return (*(self.mail.recipients if self.mail is not None else ()), *self.written)


@dataclass(slots=True)
class Learnt:
    """What was learnt: accounts, and events by what became of them."""

    accounts: int = 0
    events: int = 0
    passed_over: int = 0


async def learn(
    lake: Lake, state: Store, organisation: Organisation, norm: Mapping[str, float], org: Sequence[str] = ()
) -> Learnt:
    """Let `state` live through the events of `lake`.

    `organisation` is what the same log says of everybody. `norm` is what the caller knows of it (`h` in nats, `mails`,
    `account_days`); it is kept in the state with `first_time` and `learnt_until`, both in seconds since 1970, UTC.
    Where `org` names domains, accounts of other domains are left out; names without a domain are not.
    """
    learnt = Learnt()
    domains = {domain.lower() for domain in org}
    for name, history in itertools.groupby(events(lake), key=lambda event: event.account):
        if domains and "@" in name and name.rpartition("@")[2] not in domains:
            continue
        learnt.accounts += 1
        since = await state.change(name, (), lambda account, _: account.last)
        for part in _parts(history):
            fresh = [event for event in part if round(event.time * 1e6) > since]
            learnt.events += len(fresh)
            learnt.passed_over += len(part) - len(fresh)
            if fresh:
                addresses = tuple({address.lower(): None for event in fresh for address in event.addresses})
                await state.change(name, addresses, _living(fresh, organisation))
    first, last = lake.one(_SQL["begin"])
    if isinstance(first, float) and isinstance(last, float):
        before = await state.norm()
        begun = min(before.get("first_time") or first, first)
        until = max(before.get("learnt_until", last), last)
        await state.set_norm({**before, **norm, "first_time": begun, "learnt_until": until})
    return learnt


def _living(part: list[Event], organisation: Organisation) -> Callable[[Account, dict[str, float]], None]:
    def live(account: Account, known: dict[str, float]) -> None:
        for event in part:
            event.tell(account, known, organisation)

    return live


def _parts(history: Iterator[Event]) -> Iterator[list[Event]]:
    """Cut an account's history into parts, never between two events of one moment: a part is kept whole or not at all."""
    part: list[Event] = []
    for event in history:
        if len(part) >= _CHANGE and event.time != part[-1].time:
            yield part
            part = []
        part.append(event)
    if part:
        yield part


def events(lake: Lake) -> Iterator[Event]:
    """Give the events of every account, account by account, each in the order of time."""
    found = lake.sql.execute(_SQL["events"])
    while rows := found.fetchmany(_FETCH):
        yield from itertools.starmap(event, rows)


def event(kind: str, account: str, seconds: float, ip: str | None, *told: Any) -> Event:
    """Give one row of query `events` as an event."""
    place = score.place_of(ip or "")
    if kind != "mail":
        return Event(kind, account, seconds, place)
    session, sender, size, subject, fingerprint, message_id, queue_id, addresses, written = told
    mail = Mail(
        account=account,
        time=seconds,
        place=place,
        client_ip=ip or "",
        session=session or "",
        sender=sender or "",
        recipients=tuple(addresses or ()),
        size=size,
        subject=subject,
        fingerprint=fingerprint,
        message_id=message_id,
        queue_id=queue_id,
    )
    return Event(kind, account, seconds, place, mail, tuple(written or ()))
