# SPDX-License-Identifier: Apache-2.0
"""Sends what is approved: several connections, one recipient a message, no faster than asked, each step written before it is taken."""

import asyncio
import time
from collections import Counter
from collections.abc import Callable
from contextlib import suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Store
from hikeshi.notify.addresses import mailbox
from hikeshi.notify.outbox.dkim import Dkim
from hikeshi.notify.outbox.holder import myself
from hikeshi.notify.outbox.journal import Journal
from hikeshi.notify.outbox.letter import Letter, encoded, envelope_sender
from hikeshi.notify.outbox.pace import Pace
from hikeshi.notify.outbox.relay import Line, Relay, RelayError
from hikeshi.notify.outbox.turns import Backoff, Outcome, lease, take_back

#: letters that are in hand at a time: what memory is bounded by
_HAND: Final = 200
#: connections that may be lost in a row before one letter is put off
_LOST: Final = 3


@dataclass(frozen=True, slots=True)
class Sending:
    """How letters leave. `bounces` is the address whose +tags come back to us; `minute` and `domain_minute` are letters a minute.

    `lease` is seconds that an attempt may take at the longest, after which another process may settle it.
    """

    bounces: str
    connections: int = 8
    minute: float | None = None
    domain_minute: float | None = None
    lease: float = 900.0
    backoff: Backoff = field(default_factory=Backoff)
    dkim: Dkim | None = None

    def __post_init__(self) -> None:
        envelope_sender(self.bounces, "0" * 32)
        if self.connections < 1:
            raise UsageError(f"{self.connections} connections: it takes one at least")
        for name, limit in (("minute", self.minute), ("domain_minute", self.domain_minute)):
            if limit is not None and limit <= 0:
                raise UsageError(f"{name} {limit}: to stop letters, pause them; a limit is letters a minute")


@dataclass(slots=True)
class Progress:
    """What a watcher is told after every letter: how many had which outcome so far."""

    outcomes: Counter[str] = field(default_factory=Counter)

    @property
    def letters(self) -> int:
        """Give how many letters have been tried."""
        return self.outcomes.total()


Watch = Callable[[Progress], None]


def _now() -> datetime:
    return datetime.now(UTC)


@dataclass(slots=True)
class _Hand:
    """The letters in hand, given out as their domains allow."""

    store: Store
    holder: str
    sending: Sending
    pace: Pace
    stop: asyncio.Event
    now: Callable[[], datetime]
    letters: list[Letter] = field(default_factory=list)
    empty: bool = False
    turn: asyncio.Lock = field(default_factory=asyncio.Lock)

    async def next(self) -> Letter | None:
        """Give the next letter that may leave, when it may; None where there is none or we are to stop."""
        async with self.turn:
            while not self.stop.is_set():
                if not self.letters:
                    if self.empty:
                        return None
                    self.letters = await asyncio.to_thread(
                        lease, self.store, self.holder, self.now(), self.sending.lease, _HAND
                    )
                    self.empty = not self.letters
                    continue
                if self.pace.overall is self.pace.domain is None:
                    return self.letters.pop()
                now = time.monotonic()
                wait, place = min(
                    (self.pace.free_at(_domain(one)) - now, place) for place, one in enumerate(self.letters)
                )
                if wait <= 0:
                    found = self.letters.pop(place)
                    self.pace.take(_domain(found), now)
                    return found
                with suppress(TimeoutError):
                    await asyncio.wait_for(self.stop.wait(), wait)
        return None


def _domain(one: Letter) -> str:
    return one.address.rpartition("@")[2].lower()


async def send(
    store: Store,
    relay: Relay,
    sending: Sending,
    *,
    stop: asyncio.Event,
    watch: Watch = lambda _: None,
    now: Callable[[], datetime] = _now,
) -> Progress:
    """Send what is approved and due until nothing is left, or `stop` is set: then what is on the wire arrives, and no more leaves.

    Raises:
        RelayError: the relay cannot be used; what has not left is approved as before.
        StoreError: the case cannot be written to; nothing leaves without its step written.

    """
    holder, progress = myself(), Progress()
    pace = Pace(sending.minute, sending.domain_minute)
    hand = _Hand(store, holder, sending, pace, stop, now)
    journal = Journal(store, holder, sending.lease, sending.backoff, now)
    writer = asyncio.create_task(journal.run())
    errors: list[RelayError] = []

    async def work() -> None:
        line = Line(relay)
        try:
            while not stop.is_set():
                await line.open()
                if (one := await hand.next()) is None:
                    return
                if await journal.attempt(one.id):
                    outcome = await _tried(line, one, sending, journal, now())
                    progress.outcomes[outcome.kind] += 1
                    watch(progress)
        except RelayError as error:
            # The relay may allow fewer connections than we would like; the others go on.
            errors.append(error)
        finally:
            await line.close()

    workers = [asyncio.create_task(work()) for _ in range(sending.connections)]
    try:
        await asyncio.gather(*workers)
    finally:
        for task in workers:
            task.cancel()
        await asyncio.gather(*workers, return_exceptions=True)
        journal.close()
        await writer
        await asyncio.to_thread(take_back, store, now(), mine=holder)
    if len(errors) == len(workers):
        raise errors[0]
    return progress


async def _tried(line: Line, one: Letter, sending: Sending, journal: Journal, time: datetime) -> Outcome:
    """Hand in one letter whose attempt is written, and note what became of it."""
    outcome = Outcome("later", "the relay cannot be used")
    try:
        message = encoded(one, time)
        if sending.dkim is not None:
            message = sending.dkim.signed(message)
        for _ in range(_LOST):
            await line.open()
            outcome = Outcome("open", "broken off while the message was on its way")
            outcome = await line.hand_over(envelope_sender(sending.bounces, one.id), mailbox(one.address), message)
            if outcome.kind != "lost":
                break
    except RelayError as error:
        outcome = Outcome("later", str(error))
        raise
    finally:
        # Also when we are broken off: then it is open, and so it stays until a log has told.
        journal.outcome(one.id, outcome)
    return outcome
