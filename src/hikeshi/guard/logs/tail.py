# SPDX-License-Identifier: Apache-2.0
"""From new lines of followed logs to events of accounts, by the same evidence code that reads a finished log.

Nothing is written: the tables live in memory and hold what is open and what was finished a few minutes ago. A mail is
told when all its recipients have a first fate, or a few seconds after it was last heard of: as early as its recipients
are known.
"""

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta, tzinfo
from typing import Any, Final

from hikeshi.basics.sql import queries
from hikeshi.evidence.assembly import Assembly
from hikeshi.evidence.intake import Intake, prepare
from hikeshi.evidence.lake import Lake
from hikeshi.evidence.reading import Block
from hikeshi.evidence.setaside import SetAside
from hikeshi.evidence.sources import all_sources
from hikeshi.evidence.stamps import Clock, guess_year
from hikeshi.guard.logs.follow import Chunk, Log
from hikeshi.guard.weighing.learn import Event, event

_SQL: Final = queries("hikeshi.guard.logs", "tail.sql")
#: seconds that a mail waits for the first fate of its recipients, by our clock or by that of its log, which runs faster
#: where a long log is caught up
PATIENCE: Final = 5.0
#: what is finished leaves the tables so long after its last record; assembly itself waits ten minutes
_STAYS: Final = timedelta(minutes=2)
_ASSEMBLY: Final = timedelta(minutes=10)
#: no mail comes through a connection that is older
_CONNECTED: Final = timedelta(days=1)
_START: Final = datetime(1970, 1, 2)  # noqa: DTZ001 - the lake's times are UTC without saying so
#: bytes of all logs that are taken in one turn: bounds memory and the time until the next turn
TURN: Final = 4 << 20


class _Unkept(SetAside):
    """Counts what cannot be read and keeps none of it: the log itself is still there."""

    def __init__(self) -> None:
        self.bytes, self.count = None, 0

    def add(self, record: int, data: bytes, reason: str) -> None:
        """Count it."""
        del record, data, reason
        self.count += 1


@dataclass(slots=True)
class _Followed:
    """One log: its lines are numbered anew from each start. `before` are the positions in front of recent chunks."""

    log: Log
    intake: Intake
    lines: int = 0
    before: list[tuple[int, dict[str, Any]]] = field(default_factory=list)


@dataclass(slots=True)
class Tail:
    """The logs that are followed. `zone` is that of stamps that state none; `taken` counts lines."""

    lake: Lake
    logs: list[Log]
    zone: tzinfo
    zone_name: str
    taken: int = 0
    _followed: list[_Followed] = field(default_factory=list)
    _assembly: Assembly | None = None
    _heard: dict[str, float] = field(default_factory=dict)
    _waiting: dict[str, tuple[Any, ...]] = field(default_factory=dict)
    #: what was told, and of mails that did not wait for all their recipients, which they were
    _told: dict[str, frozenset[str] | None] = field(default_factory=dict)
    _latest: dict[int, datetime] = field(default_factory=dict)

    def __post_init__(self) -> None:
        prepare(self.lake, {})
        self._assembly = Assembly(self.lake)
        for number, log in enumerate(self.logs, start=1):
            clock = Clock(datetime.now(UTC).year, self.zone, self.zone_name, "given", "assumed")
            self._followed.append(_Followed(log, Intake(self.lake, all_sources(), clock, number, _Unkept())))

    def turn(self) -> list[tuple[str | None, Event]]:
        """Read what is new and give what accounts did, in the order of time, each with a key that knows it again.

        Blocks while it works. Sign-ins have no key: to be told twice changes nothing.
        """
        fresh = sum(self._take(one) for one in self._followed)
        self.taken += fresh
        if not fresh and not self._heard:
            return []
        return list(self._events())

    def positions(self) -> Mapping[str, dict[str, Any]]:
        """Give by name where each log must be read from after a start, so that no mail that is not told yet is missed."""
        open_ones = self.lake.sql.execute(_SQL["open"]).fetchall() if self.taken else []
        open_ones += [(number, record, key) for key, (number, record, *_) in self._waiting.items()]
        first: dict[int, int] = {}
        for number, record, key in open_ones:
            if key not in self._told:
                first[int(number)] = min(first.get(int(number), int(record)), int(record))
        found = {}
        for number, one in enumerate(self._followed, start=1):
            needed = first.get(number, one.lines + 1)
            while len(one.before) > 1 and one.before[1][0] < needed:
                one.before.pop(0)
            found[one.log.name] = one.before[0][1] if one.before and needed <= one.lines else one.log.position()
        return found

    def _take(self, one: _Followed) -> int:
        began, size = one.lines, 0
        chunks: list[Chunk] = []
        # All is read before the engine takes any of it: meanwhile more is written, and a turn would have no end.
        while size < TURN and (chunk := one.log.read()) is not None:
            size += len(chunk.block.data)
            chunks.append(chunk)
        for chunk in chunks:
            self._take_chunk(one, chunk)
        return one.lines - began

    def _take_chunk(self, one: _Followed, chunk: Chunk) -> None:
        data = chunk.block.data
        if not one.lines:
            now = datetime.now(UTC)
            one.intake.clock.year = guess_year(data[:64].decode("latin-1"), now, self.zone)
        one.before.append((one.lines, chunk.before))
        one.intake.take(Block(one.lines + 1, data, chunk.block.overlong))
        one.lines += max(1, data.count(b"\n"))

    def _events(self) -> Iterator[tuple[str | None, Event]]:
        """Assemble, and tell what has not been told: sign-ins at once, mails when ready, bounces when they come."""
        sql = self.lake.sql
        assert self._assembly is not None  # noqa: S101 - made at the beginning
        for number, latest in sql.execute(_SQL["latest"]).fetchall():
            self._latest[number] = max(self._latest.get(number, latest), latest)
        latest = max(self._latest.values(), default=_START)
        self._assembly.live(latest + _ASSEMBLY - _STAYS)
        sql.execute(_SQL["stale"], {"before": latest - _CONNECTED})
        for table in ("reads", "changes", "activity"):
            sql.execute(f"TRUNCATE staged_{table}")
        rows = sql.execute(_SQL["live"]).fetchall()
        sql.execute("TRUNCATE staged_signins")
        present = {str(row[0]) for row in rows if row[0] is not None}
        # What is finished leaves the tables, also where it still waits behind another.
        rows = [(key, True, *row) for key, row in self._waiting.items() if key not in present] + rows
        now = time.monotonic()
        names: set[str] = set()
        heard: dict[str, float] = {}
        self._waiting = {}
        for key, complete, number, record, ended, *told in sorted(rows, key=_when):
            name = str(told[1])
            if key is not None and key in self._told:
                yield from self._late(key, told)
                continue
            if key is not None:
                since = self._heard.get(key, now)
                ready = (
                    complete or now - since >= PATIENCE or self._latest[number] - ended >= timedelta(seconds=PATIENCE)
                )
                # Mails of one account and their bounces are told in order: one that waits makes the later ones wait.
                if name in names or not ready:
                    names.add(name)
                    heard[key] = since
                    self._waiting[key] = (number, record, ended, *told)
                    continue
                self._told[key] = None if complete else frozenset((*(told[-2] or ()), *(told[-1] or ())))
            yield key, event(*told)
        self._heard = heard
        self._forget(present)

    def _late(self, key: str, told: list[Any]) -> Iterator[tuple[str | None, Event]]:
        """Tell to whom a mail was that did not wait for all its recipients: they are written to, though not weighed.

        It has no key: to be told twice changes nothing.
        """
        before, now = self._told[key], frozenset((*(told[-2] or ()), *(told[-1] or ())))
        if before is not None and now - before:
            self._told[key] = before | now
            fresh = sorted(now - before)
            yield None, Event("late", str(told[1]), float(told[2]), "", written=tuple(fresh))

    def _forget(self, present: set[str]) -> None:
        """Forget what was told of mails that have left the tables."""
        if len(self._told) > 2 * len(present) + 1000:
            self._told = {key: addresses for key, addresses in self._told.items() if key in present}


def _when(row: tuple[Any, ...]) -> float:
    """Give the time of a row of query `live`."""
    return float(row[7])
