# SPDX-License-Identifier: Apache-2.0
"""Watches logs that are being written, where no milter may be put: the guard's model, without its hold.

What was counted stands in the state, and what was read in `watch.json` of the case, which is written after the state
is: after a crash some lines are read again, and what they tell is known by the marks that accounts keep.
"""

import asyncio
import contextlib
import json
import logging
import signal
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import tzinfo
from hashlib import blake2b
from pathlib import Path
from typing import Any, Final, TypeVar

from hikeshi.basics.zones import machine_zone, zone
from hikeshi.cases.folder import CaseFolder
from hikeshi.evidence import lake as lakes
from hikeshi.guard.alarm import write_alarm
from hikeshi.guard.health import metrics
from hikeshi.guard.health.metrics import Metrics
from hikeshi.guard.logs.follow import FileLog, Log
from hikeshi.guard.logs.journal import JOURNAL, Journal
from hikeshi.guard.logs.tail import Tail
from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.norm import Norm
from hikeshi.guard.orders import take_orders
from hikeshi.guard.people import channelfile
from hikeshi.guard.people.ask import Asking
from hikeshi.guard.people.channelfile import Channels
from hikeshi.guard.state import State, StateError, open_state
from hikeshi.guard.weighing import judge
from hikeshi.guard.weighing.account import Account
from hikeshi.guard.weighing.learn import Event

#: seconds between two looks at logs that have little new, and after a state that was away. A look costs the engine a
#: tenth of a second however few the lines are, so a log that trickles is not looked at for every line.
LOOK, AGAIN = 1.0, 5.0
#: lines of one look from which on a log is behind, and is looked at again at once
BEHIND: Final = 5_000
#: how many events of a watched log an account knows again
MARKS: Final = 1024
_POSITIONS: Final = "watch.json"
_SCHEMA: Final = "hikeshi.watch/1"

T = TypeVar("T")

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Watching:
    """What to watch. `logs` are paths, or `journal:`; `tz` is the zone of stamps that state none, None this machine's."""

    logs: Sequence[str]
    state: str
    case: Path
    rate: tuple[float, float]
    tz: str | None = None
    channels: Path | None = None
    metrics: str | None = None


async def watch(how: Watching, on_suspect: Callable[[Mail, Answer], None], stop: asyncio.Event | None = None) -> None:
    """Watch until `stop` is set, or SIGTERM or SIGINT comes. `on_suspect` is called for every mail that is suspected, and returns at once.

    Raises:
        HikeshiError: it cannot begin; the message says why and what to do.

    """
    stop = stop or asyncio.Event()
    folder, count = CaseFolder(how.case), Metrics()
    name, here = (how.tz, zone(how.tz)) if how.tz else machine_zone()
    kept = _positions(how.case)
    async with contextlib.AsyncExitStack() as stack:
        state = open_state(how.state)
        stack.push_async_callback(state.close)
        channels = channelfile.read(how.channels) if how.channels else Channels()
        asking = await stack.enter_async_context(Asking(channels, count))
        if how.metrics:
            stack.enter_context(metrics.serving(count, how.metrics, asyncio.get_running_loop()))
        with contextlib.suppress(ValueError, RuntimeError):
            for number in (signal.SIGTERM, signal.SIGINT):
                asyncio.get_running_loop().add_signal_handler(number, stop.set)
        logs = [_opened(one, kept) for one in how.logs]
        for one in logs:
            stack.callback(one.close)
        tail = stack.enter_context(_tail(logs, here, name))
        watcher = _Watcher(folder, state, tail, Norm(state, how.rate), asking, count, on_suspect)
        orders = asyncio.create_task(take_orders(state, asking, count))
        stack.callback(orders.cancel)
        await watcher.run(stop)


@dataclass(slots=True)
class _Watcher:
    folder: CaseFolder
    state: State
    tail: Tail
    norm: Norm
    asking: Asking
    count: Metrics
    on_suspect: Callable[[Mail, Answer], None]

    async def run(self, stop: asyncio.Event) -> None:
        """Look, count, write down, until told to stop; what was read is counted before we go."""
        untold: list[tuple[str | None, Event]] = []
        _log.info("watching", extra={"event": "watching", "path": ", ".join(one.name for one in self.tail.logs)})
        while True:
            before = self.tail.taken
            try:
                untold = untold or await _in_thread(self.tail.turn)
                self.count.lines(self.tail.taken - before)
                told = len(untold)
                while untold:
                    await self._tell(*untold[0])
                    del untold[0]
                if told or self.tail.taken != before:
                    await self._write_down()
            except StateError as error:
                self.count.state_failed()
                _log.error("%s; it is tried again", error)
                await _pause(stop, AGAIN)
            self._complain()
            if stop.is_set():
                return
            if self.tail.taken - before < BEHIND:
                await _pause(stop, LOOK)

    async def _tell(self, key: str | None, event: Event) -> None:
        """Let the account live through an event, once."""
        await self.norm.fresh(event.time)
        if event.time <= self.norm.learnt_until:
            return
        h = self.norm.threshold(event.time)
        mark = None if key is None else int.from_bytes(blake2b(key.encode(), digest_size=7).digest(), "big")

        def live(account: Account, known: dict[str, float]) -> Answer | None:
            if mark is not None:
                if mark in account.marks:
                    return None
                account.marks.append(mark)
                del account.marks[:-MARKS]
            scored = event.tell(account, known, self.norm.organisation)
            if scored is None or event.mail is None:
                return None
            return judge.judge(account, event.mail, scored, h, "observe", 1)

        answer = await self.state.change(event.account, event.addresses, live)
        if answer is None or event.mail is None:
            return
        self.count.judged(answer.action)
        if answer.would is not Action.GO:
            self.asking.stopped(event.mail, answer)
            if answer.alarmed:
                write_alarm(self.folder.path, event.mail, answer)
            self.on_suspect(event.mail, answer)

    async def _write_down(self) -> None:
        await self.state.flush()
        self.folder.write_json(_POSITIONS, {"schema": _SCHEMA, "logs": self.tail.positions()})

    def _complain(self) -> None:
        self.count.suspicions.set(len(self.asking))
        for one in self.tail.logs:
            for words in one.lost:
                _log.warning("%s", words, extra={"event": "lost", "path": one.name})
            one.lost.clear()


async def _in_thread(work: Callable[[], T]) -> T:
    """Let a thread do it, and do not go before it is done, even when cancelled: it has the tables in hand."""
    task = asyncio.ensure_future(asyncio.to_thread(work))
    try:
        return await asyncio.shield(task)
    except asyncio.CancelledError:
        await asyncio.wait([task])
        raise


@contextlib.contextmanager
def _tail(logs: list[Log], here: tzinfo, name: str) -> Iterator[Tail]:
    with tempfile.TemporaryDirectory(prefix="hikeshi-watch-") as folder, lakes.opened(Path(folder), {}) as lake:
        yield Tail(lake, logs, here, name)


def _opened(name: str, kept: Mapping[str, dict[str, Any]]) -> Log:
    if name == JOURNAL:
        return Journal(kept.get(JOURNAL), since=time.time())
    path = Path(name).absolute()
    return FileLog(path, kept.get(str(path)))


def _positions(case: Path) -> dict[str, dict[str, Any]]:
    """Give the positions that were written down; none where the file is not there or cannot be read."""
    path = case / _POSITIONS
    try:
        told = json.loads(path.read_text("utf-8"))
        return dict(told["logs"]) if told["schema"] == _SCHEMA else {}
    except FileNotFoundError:
        return {}
    except (OSError, ValueError, KeyError, TypeError):
        _log.warning("cannot be read; the logs are read from their beginning", extra={"path": str(path)})
        return {}


async def _pause(stop: asyncio.Event, seconds: float) -> None:
    with contextlib.suppress(TimeoutError):
        await asyncio.wait_for(stop.wait(), seconds)
