# SPDX-License-Identifier: Apache-2.0
"""From what a user points at to sealed tables: finds inputs, reads them in the order of time, assembles, seals.

Inputs may come in any order and from several servers. They are read side by side in time, so that a message that
goes from one server to the next is joined, and what lies before the slowest of them is settled.
"""

import queue
import re
import threading
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

from hikeshi.basics.errors import UsageError
from hikeshi.basics.zones import machine_zone, zone
from hikeshi.evidence import seal, setaside
from hikeshi.evidence.assembly import Assembly
from hikeshi.evidence.intake import Intake, Ready, flush, prepare, ready_to_take, staged
from hikeshi.evidence.lake import ACTIVITY, Lake
from hikeshi.evidence.reading import Input, Stream, Unreadable, blocks, find, peek
from hikeshi.evidence.seal import Manifest, Sealed
from hikeshi.evidence.setaside import SetAside
from hikeshi.evidence.source import Source
from hikeshi.evidence.sources import all_sources
from hikeshi.evidence.stamps import BSD, FORMATS, Clock, Format, evidence_of_clock, guess_year, offset_zone

#: pieces of messages that are assembled together; more is faster and needs more memory
FOLD = 700_000
_START = datetime(1970, 1, 1)  # noqa: DTZ001 - the lake's times are UTC without saying so


@dataclass(frozen=True, slots=True)
class Reading:
    """How to read: which source (None: look), which zone and year for stamps that have none (None: infer)."""

    tz: str | None = None
    year: int | None = None
    source: str | None = None


@dataclass(slots=True)
class Progress:
    """What a watcher is told after every block: bytes of unpacked content and records so far, and the input's path."""

    path: str = ""
    read: int = 0
    records: int = 0


Watch = Callable[[Progress], None]


def collect(lake: Lake, manifest: Manifest, asked: Sequence[str], reading: Reading, aside: Path, watch: Watch) -> None:
    """Read `asked` into `lake` and put what was read into `manifest`; the caller saves it.

    Raises:
        ConservationError: records went missing; nothing has been sealed.
        UsageError: there is no such zone or source.

    """
    manifest.unreadable = []
    setaside.tidy(aside, {one.number: one.set_aside_bytes for one in manifest.inputs})
    sources = _sources(reading)
    prepare(lake, {one.number: one.zone for one in manifest.inputs})
    looked = [_look(one, manifest, reading) for one in _without_twins(_unfold(asked, manifest))]
    # Numbered in the order of time, so that records of one second stand in the order in which they were written.
    fresh = sorted(filter(None, looked), key=lambda look: look.time)
    runs = [_start(look, manifest, lake, sources, aside) for look in fresh]
    try:
        _read(runs, lake, manifest, watch)
    finally:
        for run in runs:
            run.aside.leave()


def _read(runs: "list[_Run]", lake: Lake, manifest: Manifest, watch: Watch) -> None:
    """Read what has been opened, assemble it, and put counts, digests and files into the manifest."""
    assembly = Assembly(lake)
    _read_side_by_side(runs, lake, assembly, Progress(), watch)
    settled = max([run.time for run in runs] + [_parsed(manifest.settled)])
    overlapping = _overlapping(lake)
    flush(lake, overlapping=overlapping)
    assembly.finish(settled, overlapping=overlapping)
    for run in runs:
        run.first, run.last = _span(lake, run.sealed.number)
        run.finish()
    manifest.settled = settled.isoformat()
    manifest.files = {name: list(files) for name, files in lake.files.items()}


def _sources(reading: Reading) -> Sequence[Source]:
    """Give the sources that may read; only the one that the user names, if one is named."""
    known = all_sources()
    if reading.source is None:
        return known
    chosen = [one for one in known if one.name == reading.source]
    if not chosen:
        names = ", ".join(one.name for one in known)
        raise UsageError(f"--as {reading.source}: no such source; give one of {names}")
    return chosen


def _parsed(stamp: str | None) -> datetime:
    return datetime.fromisoformat(stamp) if stamp else _START


def _unfold(asked: Sequence[str], manifest: Manifest) -> Iterator[Input]:
    seen: set[str] = set()
    for one in find(asked):
        if isinstance(one, Unreadable):
            manifest.unreadable.append({"path": one.path, "reason": one.reason})
        elif one.path not in seen:
            seen.add(one.path)
            yield one


@dataclass(slots=True)
class _Run:
    """One input being read. `time` is how far it has come, naive UTC."""

    stream: Stream
    intake: Intake
    sealed: Sealed
    aside: SetAside
    blocks: Iterator[Ready]
    time: datetime = _START
    done: bool = False
    whole: bool = True
    base: tuple[int, int, int, int] = field(default=(0, 0, 0, 0))
    first: str | None = None
    last: str | None = None

    def finish(self) -> None:
        """Put counts and digests where the manifest has them.

        Raises:
            ConservationError: by `Counts.check`.

        """
        counts, sealed = self.intake.counts, self.sealed
        counts.check(sealed.path)
        self.aside.close()
        sealed.set_aside_bytes = self.aside.bytes or sealed.set_aside_bytes
        sealed.sha256 = self.stream.sha256
        sealed.content_sha256 = str(self.stream.content.hexdigest())
        sealed.content_bytes = self.stream.size
        sealed.whole_last_line = self.whole
        sealed.problems = list(self.stream.problems)
        sealed.records, sealed.taken, sealed.skipped, sealed.set_aside = (
            before + now
            for before, now in zip(
                self.base, (counts.records, counts.taken, counts.skipped, counts.set_aside), strict=True
            )
        )
        sealed.first = min(filter(None, (sealed.first, self.first)), default=None)
        sealed.last = max(filter(None, (sealed.last, self.last)), default=None)
        names = {*filter(None, sealed.source.split("+")), *counts.by_source}
        sealed.source = "+".join(sorted(names, key=lambda name: -counts.by_source.get(name, 0)))


def _without_twins(found: Iterable[Input]) -> Iterator[Input]:
    """Leave out inputs with the content of one before: a log and its packed copy, one file under two names."""
    twins: dict[bytes, dict[str, Input]] = {}
    for one in found:
        same_head = twins.setdefault(_head(one), {})
        if len(same_head) == 1 and "" in same_head:
            first = same_head.pop("")
            same_head[_digest(first)] = first
        name = _digest(one) if same_head else ""
        if name not in same_head or not _head(one):
            same_head[name] = one
            yield one


def _digest(one: Input) -> str:
    stream = one.open()
    for _ in stream:
        pass
    return str(stream.content.hexdigest())


@dataclass(slots=True)
class _Look:
    """An input that is to be read, and what a look at it has told. `known` is what is sealed of it already."""

    one: Input
    head: bytes
    clock: Clock
    known: Sealed | None
    time: datetime


def _look(one: Input, manifest: Manifest, reading: Reading) -> _Look | None:
    """Look at an input; None where its content is known."""
    head = _head(one)
    known, grown = _known(one, head, manifest)
    if known is not None:
        known.path = one.path
        if not grown:
            return None
    lines = peek(one)
    clock = _clock(one, lines, reading)
    time = _first_time(lines, clock)
    if known is not None and known.last:
        last = datetime.fromisoformat(known.last)
        clock.resume(last)
        time = max(time, last.astimezone(UTC).replace(tzinfo=None))
    return _Look(one, head, clock, known, time)


def _start(look: _Look, manifest: Manifest, lake: Lake, sources: Sequence[Source], aside: Path) -> _Run:
    """Open an input; a log that has grown goes on where it was."""
    one, clock, sealed = look.one, look.clock, look.known
    if sealed is None:
        sealed = Sealed(manifest.next_number(), one.path)
        sealed.head_bytes, sealed.head_sha256 = len(look.head), seal.beginning([look.head], len(look.head))[0]
        manifest.inputs.append(sealed)
    sealed.zone, sealed.zone_basis, sealed.year_basis = clock.zone_name, clock.zone_basis, clock.year_basis
    kept = SetAside(aside, sealed.number, one.path)
    intake = Intake(lake, sources, clock, sealed.number, kept)
    stream = one.open()
    content = _after(iter(stream), sealed.content_bytes)
    run = _Run(stream, intake, sealed, kept, _ahead(map(ready_to_take, blocks(content, sealed.records + 1))), look.time)
    run.base = (sealed.records, sealed.taken, sealed.skipped, sealed.set_aside)
    return run


def _after(content: Iterator[bytes], skip: int) -> Iterator[bytes]:
    """Leave out the first `skip` bytes, which are known already; they still pass through the digests."""
    for block in content:
        if skip >= len(block):
            skip -= len(block)
            continue
        yield block[skip:] if skip else block
        skip = 0


def _head(one: Input) -> bytes:
    found = b""
    for block in one.open():
        found += block
        if len(found) >= seal.HEAD:
            break
    return found[: seal.HEAD]


def _known(one: Input, head: bytes, manifest: Manifest) -> tuple[Sealed | None, bool]:
    """Find the longest sealed input whose whole content this one begins with, and say whether this one has more."""
    for sealed in sorted(manifest.inputs, key=lambda sealed: -sealed.content_bytes):
        if not sealed.content_bytes and sealed.path == one.path:
            return sealed, bool(head)
        if not sealed.content_bytes or seal.beginning([head], sealed.head_bytes)[0] != sealed.head_sha256:
            continue
        digest, more = seal.beginning(one.open(), sealed.content_bytes)
        if digest == sealed.content_sha256 and (not more or sealed.whole_last_line):
            return sealed, more
    return None, False


def _first_time(lines: Sequence[str], clock: Clock) -> datetime:
    """Give the time of the first line that has one, to the hour, without moving the clock."""
    trial = replace(clock)
    for line in lines:
        for one in FORMATS:
            if one.matcher().match(line):
                micros, _ = trial.hour(_hour_of(line, one))
                if micros is not None:
                    return _START + timedelta(microseconds=micros)
    return _START


def _hour_of(line: str, one: Format) -> str:
    stamp = re.sub(r"^<\d+>(?:1 )?", "", line)
    if one is BSD:
        return stamp[:9]
    zone_part = re.match(r"[0-9-]+[T ][0-9:.,]+(Z|[+-][0-9:]+)?", stamp)
    return stamp[:13] + ((zone_part and zone_part[1]) or "")


def _ahead(given: Iterator[Ready]) -> Iterator[Ready]:
    """Read one block ahead in a thread: unpacking and digests cost time that the engine can use."""
    waiting: queue.Queue[Ready | BaseException | None] = queue.Queue(maxsize=1)

    def work() -> None:
        try:
            for block in given:
                waiting.put(block)
            waiting.put(None)
        except BaseException as error:  # noqa: BLE001 - handed to the reader, who raises it
            waiting.put(error)

    threading.Thread(target=work, daemon=True).start()
    while (block := waiting.get()) is not None:
        if isinstance(block, BaseException):
            raise block
        yield block


def _read_side_by_side(runs: list[_Run], lake: Lake, assembly: Assembly, progress: Progress, watch: Watch) -> None:
    """Take block after block, always from the input that lags behind; fold whenever enough is staged."""
    waiting = sorted(runs, key=lambda run: run.time)
    while waiting:
        run = min(waiting, key=lambda one: one.time)
        block = next(run.blocks, None)
        if block is None:
            waiting.remove(run)
            continue
        run.intake.take(block)
        run.whole = block.data.endswith(b"\n")
        run.time = max(run.time, _reached(lake, run.sealed.number))
        progress.path = run.sealed.path
        progress.read += len(block.data)
        progress.records = sum(one.intake.counts.records for one in runs)
        watch(progress)
        if staged(lake) >= FOLD:
            overlapping = _overlapping(lake)
            flush(lake, overlapping=overlapping)
            assembly.fold(min(one.time for one in waiting), overlapping=overlapping)


def _reached(lake: Lake, number: int) -> datetime:
    """Give how far an input has come by what is staged of it; long ago where nothing is."""
    found = lake.one(f"SELECT coalesce(max(last), TIMESTAMP '1970-01-01') FROM staged_activity WHERE input = {number}")[
        0
    ]
    assert isinstance(found, datetime)  # noqa: S101 - the engine's own type
    return found


def _span(lake: Lake, number: int) -> tuple[str | None, str | None]:
    """Give the times of the first and the last record that was taken of an input, ISO 8601 with offset."""
    found = lake.one(f"SELECT min(first), max(last) FROM activity WHERE input = {number}")
    first, last = (one.replace(tzinfo=UTC).isoformat() if isinstance(one, datetime) else None for one in found)
    return first, last


def _overlapping(lake: Lake) -> bool:
    """Say whether an hour that is staged was also written by another input: then records may stand twice.

    A log and the one rotated before it share an hour too, but one ends where the other begins.
    """
    lake.show(ACTIVITY)
    return bool(
        lake.one("""
            WITH hours AS (
                SELECT source, host, hour, input, min(first) AS first, max(last) AS last
                FROM (FROM activity UNION ALL FROM staged_activity) GROUP BY ALL
            )
            SELECT count(*) > 0 FROM hours AS fresh JOIN hours AS other USING (source, host, hour)
            WHERE fresh.input <> other.input AND fresh.first < other.last AND other.first < fresh.last
                OR fresh.input < other.input AND fresh.first = other.first AND fresh.last = other.last
            """)[0]
    )


def _clock(one: Input, lines: Sequence[str], reading: Reading) -> Clock:
    """Decide year and zone for stamps that state none: what the user says, what the log proves, what is likely."""
    proof = evidence_of_clock(lines)
    name, here = machine_zone()
    basis = "assumed"
    if reading.tz is not None:
        name, here, basis = reading.tz, zone(reading.tz), "given"
    elif proof is not None:
        name, here, basis = offset_zone(proof[1], name, here, proof[0])
    first = next((line for line in lines if BSD.matcher().match(line)), "")
    latest = min(one.modified, datetime.now(UTC))
    if reading.year is not None:
        year, year_basis = reading.year, "given"
    elif proof is not None:
        year, year_basis = proof[0], "inferred"
    else:
        year, year_basis = guess_year(first, latest, here), "assumed"
    stated = not first and "" not in map(_stated_zone, lines)
    if stated:
        name = next(filter(None, map(_stated_zone, lines)), name)
    return Clock(year, here, name, "stated" if stated else basis, year_basis if first else "stated")


def _stated_zone(line: str) -> str | None:
    """Give the zone that a stamp with a year states, '' if it states none; None where there is no such stamp."""
    stamp = re.match(r"(?:<\d+>(?:1 )?)?\d{4}-\d\d-\d\d[T ][0-9:.,]+(\S*)", line)
    return stamp[1].replace("Z", "+00:00") if stamp else None
