# SPDX-License-Identifier: Apache-2.0
"""All of it in order: what a crash left open is settled, then what is approved is sent, as often as there is something to do.

Whoever is broken off and runs again goes on where it was: the table of letters is the only memory there is.
"""

import asyncio
import signal
from collections import Counter
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Final

from hikeshi.cases.store import Store
from hikeshi.notify.outbox.book import counts, paused
from hikeshi.notify.outbox.relay import Line, Relay
from hikeshi.notify.outbox.send import Sending, Watch, send
from hikeshi.notify.outbox.settle import settle
from hikeshi.notify.outbox.turns import due_next, take_back

#: how often a relay that resets is settled and tried again in one run
_ROUNDS: Final = 3
#: how often a log is looked into that does not go on far enough yet
_LOOKS: Final = 4


@dataclass(frozen=True, slots=True)
class Logs:
    """The relay's own logs, which settle what is open: paths, and zone and year of stamps without. `grace` is in seconds."""

    paths: Sequence[str]
    tz: str | None = None
    year: int | None = None
    grace: float = 10.0


@dataclass(frozen=True, slots=True)
class Ran:
    """What a run has done: outcomes of attempts, and how the letters of the case stand after it.

    `open` letters may have left, and are not sent again before a log or a person has said. `due` is when the next one that
    was put off may be tried, ISO 8601 in UTC.
    """

    outcomes: Counter[str] = field(default_factory=Counter)
    states: dict[str, int] = field(default_factory=dict)
    due: str | None = None
    paused: bool = False
    stopped: bool = False

    @property
    def open(self) -> int:
        """Give how many letters may have left or not."""
        return self.states.get("attempted", 0)


def run(
    store: Store,
    relay: Relay,
    sending: Sending,
    *,
    logs: Logs | None = None,
    watch: Watch = lambda _: None,
    now: Callable[[], datetime] = lambda: datetime.now(UTC),
) -> Ran:
    """Send what is approved, after settling what is open. Ctrl-C or SIGTERM lets what is on the wire arrive, and ends it.

    Raises:
        RelayError: the relay cannot be used; what has not left is approved as before.
        UsageError: a log cannot be read.
        StoreError: the case cannot be written to; nothing leaves without its step written.

    """
    return asyncio.run(_run(store, relay, sending, logs, watch, now))


async def _run(
    store: Store, relay: Relay, sending: Sending, logs: Logs | None, watch: Watch, now: Callable[[], datetime]
) -> Ran:
    stop = asyncio.Event()
    outcomes: Counter[str] = Counter()
    with _signals(stop):
        for _ in range(_ROUNDS):
            await asyncio.to_thread(take_back, store, now())
            if logs is not None and counts(store).get("attempted"):
                await _settled(store, relay, logs, stop)
            if stop.is_set():
                break
            progress = await send(store, relay, sending, stop=stop, watch=watch, now=now)
            outcomes += progress.outcomes
            if logs is None or not progress.outcomes["open"]:
                break
    with store.reading() as connection:
        halted = paused(connection, store.case_id)
    return Ran(outcomes, counts(store), due_next(store), halted, stop.is_set())


async def _settled(store: Store, relay: Relay, logs: Logs, stop: asyncio.Event) -> None:
    """Settle from the log, which goes on for as long as somebody connects: so we do, where it is too short."""
    for look in range(_LOOKS):
        found = await asyncio.to_thread(settle, store, logs.paths, tz=logs.tz, year=logs.year, grace=logs.grace)
        if not found.open or found.missing or look == _LOOKS - 1:
            return
        try:
            async with asyncio.timeout(logs.grace + 1):
                await stop.wait()
                return
        except TimeoutError:
            line = Line(relay)
            await line.open()
            await line.close()
            await asyncio.sleep(min(1, logs.grace))


@contextmanager
def _signals(stop: asyncio.Event) -> Iterator[None]:
    """Let the first Ctrl-C or SIGTERM ask for a stop; the second breaks off as usual."""
    loop = asyncio.get_running_loop()
    ours: list[signal.Signals] = []

    def asked() -> None:
        stop.set()
        for one in ours:
            loop.remove_signal_handler(one)

    try:
        for one in (signal.SIGINT, signal.SIGTERM):
            loop.add_signal_handler(one, asked)
            ours.append(one)
    except (RuntimeError, ValueError, NotImplementedError):
        pass  # not the main thread: whoever started it stops it
    try:
        yield
    finally:
        for one in ours:
            loop.remove_signal_handler(one)
