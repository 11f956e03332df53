# SPDX-License-Identifier: Apache-2.0
"""From blocks of lines to rows of columns, every record counted exactly once: taken, skipped or set aside (law 1).

Each block is split into columns once, by the engine; each kind of line then runs its short patterns over its own
lines only. Python sees whole columns, and single lines only where they are set aside.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from itertools import pairwise

import numpy as np
import pyarrow as pa

from hikeshi.basics.errors import ConservationError
from hikeshi.basics.sql import literal
from hikeshi.evidence.lake import ACTIVITY, Lake
from hikeshi.evidence.reading import LONGEST_LINE, Block
from hikeshi.evidence.redact import redact
from hikeshi.evidence.setaside import SetAside
from hikeshi.evidence.source import Lines, Source
from hikeshi.evidence.stamps import Clock, Format, hours_table, likeliest, new_years
from hikeshi.evidence.tables import CHANGES, PIECES, READS, RECORD_BITS, SIGNINS, Table

#: what line sources may fill; rows wait in `staged_…` until the lake takes them
STAGED = (PIECES, SIGNINS, CHANGES, READS)
_BATCH = 8192

_SKIPPED, _NO_HEAD = 0, -1

TOO_LONG = f"longer than {LONGEST_LINE} bytes, which no mail server writes"
NO_HEAD = "does not begin like a log line: no stamp, host and program"
UNREADABLE = "looks like {name} but cannot be read as it"
NO_SUCH_TIME = "its stamp is no date that exists"


@dataclass(slots=True)
class Counts:
    """What became of the records of an input, and by which source the taken ones were taken."""

    records: int = 0
    taken: int = 0
    skipped: int = 0
    set_aside: int = 0
    by_source: dict[str, int] = field(default_factory=dict)

    def check(self, path: str) -> None:
        """Hold law 1.

        Raises:
            ConservationError: a record is missing or was counted twice.

        """
        if self.records != self.taken + self.skipped + self.set_aside:
            raise ConservationError(
                f"{path}: {self.records} records but {self.taken} taken + {self.skipped} skipped + "
                f"{self.set_aside} set aside; this is a defect of hikeshi, please report it with this line"
            )


def prepare(lake: Lake, zones: Mapping[int, str]) -> None:
    """Make the empty tables in which rows wait for the lake; `zones` are those of inputs read before, by number."""
    for table in STAGED:
        lake.sql.execute(table.ddl(f"staged_{table.name}"))
    lake.sql.execute(ACTIVITY.ddl("staged_activity"))
    lake.sql.execute("CREATE TEMP TABLE known_programs AS SELECT * FROM programs")
    lake.sql.execute("CREATE TEMP TABLE zones (input UINTEGER PRIMARY KEY, zone VARCHAR)")
    for number, zone in zones.items():
        lake.sql.execute("INSERT INTO zones VALUES (?, ?)", [number, zone])


@dataclass(frozen=True, slots=True)
class Ready:
    """A block with its secrets taken out and its lines as a column; made ahead, while the engine is at work."""

    first: int
    data: bytes
    overlong: bool
    lines: pa.Table
    starts: "np.ndarray[tuple[int], np.dtype[np.int32]]"


def ready_to_take(block: Block) -> Ready:
    """Take the secrets out of a block and view it as a column of lines."""
    data = redact(block.data)
    lines, starts = (None, np.empty(0, np.int32)) if block.overlong else _lines(data, block.first)
    return Ready(block.first, data, block.overlong, lines, starts)


class Intake:
    """Takes the blocks of one input into the staged tables. One call of `take` a block, in order."""

    def __init__(self, lake: Lake, sources: Sequence[Source], clock: Clock, number: int, aside: SetAside) -> None:
        self.lake, self.sources, self.clock, self.number, self.aside = lake, sources, clock, number, aside
        self.kinds: list[tuple[Source, Lines]] = [(source, lines) for source in sources for lines in source.lines]
        self.counts = Counts()
        self._overlong = 0
        lake.sql.execute("INSERT OR REPLACE INTO zones VALUES (?, ?)", [number, clock.zone_name])

    def take(self, block: Block | Ready) -> None:
        """Take one block: count its records, stage what is ours, set aside what cannot be read."""
        ready = ready_to_take(block) if isinstance(block, Block) else block
        if ready.overlong:
            self._take_overlong(ready)
            return
        data, starts = ready.data, ready.starts
        self.counts.records += len(starts) - 1
        keep = _short_enough(starts)
        if keep is not None:
            for index in np.flatnonzero(~keep):
                self._set_aside(ready, int(index) + ready.first, TOO_LONG)
        formats = likeliest(data[: 64 << 10].decode("utf-8", "backslashreplace").splitlines()[:50])
        for begin, end in pairwise((0, *new_years(data, starts), len(starts) - 1)):
            part = ready.lines.slice(begin, end - begin)
            remaining = self._take_lines(part if keep is None else part.filter(pa.array(keep[begin:end])), formats)
            for record in remaining:
                self._set_aside(ready, record, NO_HEAD)
            for record, reason in self._unreadable:
                self._set_aside(ready, record, reason)

    def _take_overlong(self, ready: Ready) -> None:
        first = ready.first != self._overlong
        self._overlong = ready.first
        self.counts.records += first
        self.counts.set_aside += first
        self.aside.add(ready.first, ready.data, TOO_LONG)

    def _set_aside(self, ready: Ready, record: int, reason: str) -> None:
        place = record - ready.first
        self.counts.set_aside += 1
        self.aside.add(record, ready.data[ready.starts[place] : ready.starts[place + 1]], reason)

    def _take_lines(self, lines: pa.Table, formats: Sequence[Format]) -> list[int]:
        """Take what begins in one of `formats`, the likeliest first; give the records that begin in none."""
        sql = self.lake.sql
        self._unreadable: list[tuple[int, str]] = []
        sql.register("lines", lines)
        source = "lines"
        for one in formats:
            sql.execute(f"CREATE OR REPLACE TEMP TABLE heads AS {self._heads(one, source)}")
            kinds = dict(sql.execute("SELECT kind, count(*) FROM heads GROUP BY kind").fetchall())
            self.counts.skipped += kinds.get(_SKIPPED, 0)
            self._take_kinds({kind: count for kind, count in kinds.items() if kind > 0})
            if not kinds.get(_NO_HEAD):
                return []
            sql.execute("CREATE OR REPLACE TEMP TABLE headless AS SELECT record, line FROM heads WHERE kind = -1")
            source = "headless"
        return [int(row[0]) for row in sql.execute("SELECT record FROM headless ORDER BY record").fetchall()]

    def _heads(self, one: Format, source: str) -> str:
        """Give the query that splits lines into columns and says of each what kind it is.

        kind > 0 numbers our kinds of line, 0 is known and says nothing to us, -1 does not begin in this format.
        """
        cases = []
        for program in self.sources:
            whens = " ".join(
                f"WHEN {lines.ours()} THEN {number}"
                for number, (owner, lines) in enumerate(self.kinds, start=1)
                if owner is program
            )
            cases.append(f"WHEN {program.gate} THEN CASE {whens} ELSE {_SKIPPED} END")
        return f"""
            WITH split AS (
                SELECT record, line, regexp_extract(line, {literal(one.head)}, ['front', 'tag', 'pid', 'word']) AS head
                FROM {source}
            ), named AS (
                -- A program that writes its own file names itself where syslog would name the host.
                SELECT record, line, {one.front} AS front, ends_with(head.front, ':') AS own,
                    if(own, 'dovecot', head.tag) AS tag, if(own, '', head.word) AS word, head.pid AS pid,
                    if(own, {one.bare}, {one.text}) AS text
                FROM split
            ), told AS (
                SELECT *, CASE WHEN front = '' THEN {_NO_HEAD} {" ".join(cases)} ELSE {_SKIPPED} END AS kind FROM named
            )
            SELECT record, kind, if(kind = {_NO_HEAD}, line, NULL) AS line,
                if(kind > 0, tag, NULL) AS tag, if(kind > 0, pid, NULL) AS pid, if(kind > 0, word, NULL) AS word,
                if(kind > 0, text, NULL) AS text,
                CASE WHEN kind > 0 THEN {one.hour} END AS hour,
                CASE WHEN kind > 0 THEN if(own, '', {one.host}) END AS host,
                CASE WHEN kind > 0 AND substr(front, {one.minute}, 2) < '60' AND substr(front, {one.minute + 3}, 2) <= '60'
                    THEN try_cast(substr(front, {one.minute}, 2) AS BIGINT) * 60
                    + try_cast(substr(front, {one.minute + 3}, 2) AS BIGINT) END AS second,
                CASE WHEN kind > 0 AND substr(front, {one.minute + 5}, 1) IN ('.', ',')
                    THEN rpad(left(regexp_extract(substr(front, {one.minute + 6}, 10), '^[0-9]+'), 6), 6, '0')::BIGINT
                    ELSE 0 END AS micro
            FROM told"""

    def _take_kinds(self, kinds: dict[int, int]) -> None:
        """Stage the rows of every kind found, table by table, and check that none went missing."""
        if not kinds:
            return
        sql = self.lake.sql
        found = sql.execute("SELECT hour FROM heads WHERE kind > 0 GROUP BY hour ORDER BY min(record)").fetchall()
        hours = hours_table([row[0] for row in found], self.clock)
        sql.execute(f"CREATE OR REPLACE TEMP TABLE hours AS SELECT * FROM (VALUES {hours}) AS t (hour, micros, zone)")
        sql.execute("""
            INSERT INTO known_programs
            SELECT (SELECT count(*) FROM known_programs) + row_number() OVER (), host, tag
            FROM (SELECT host, tag FROM heads WHERE kind > 0 GROUP BY ALL) ANTI JOIN known_programs USING (host, tag)""")
        for table in STAGED:
            mine = [kind for kind in kinds if self.kinds[kind - 1][1].fills is table]
            if not mine:
                continue
            rows = " UNION ALL ".join(self._rows(kind) for kind in mine)
            self.lake.sql.execute(f"INSERT INTO staged_{table.name} {rows}")
            unread = self._take_back(table)
            self.counts.taken += sum(kinds[kind] for kind in mine) - unread
        self._activity(kinds)

    def _rows(self, kind: int) -> str:
        lines = self.kinds[kind - 1][1]
        fields = lines.fields()
        # Told by a sign, not by a filter: the engine would run the patterns again for that.
        read = f"time IS NOT NULL AND {fields[lines.must]} IS NOT NULL" if lines.must else "time IS NOT NULL"
        known = fields | {
            "time": "time",
            "host": "host",
            "zone": "zone",
            "input": str(self.number),
            "record": f"if({read}, record, -record)",
            "place": f"if({read}, 1, -1) * ({self.number << RECORD_BITS} + record)",
            "program": "program",
            "pid": "pid",
        }
        known.setdefault("queue_id", "if(word = 'NOQUEUE', '', word)")
        if "account" in fields:
            known["account"] = f"lower({fields['account']})"
        columns = ", ".join(
            f"try_cast({known.get(column, 'NULL')} AS {type_}) AS {column}"
            for column, (type_, _) in lines.fills.columns.items()
        )
        named = " JOIN known_programs USING (host, tag)" if lines.fills is PIECES else ""
        program = "program, " if named else ""
        return f"""
            SELECT {columns} FROM (
                SELECT record, {program}pid, word, text, host, zone,
                    make_timestamp(micros + second * 1000000 + micro) AS time{lines.extracts()}
                FROM heads JOIN hours USING (hour){named} WHERE kind = {kind}
            )"""

    def _take_back(self, table: Table) -> int:
        """Take rows that are ours by their literals and could not be read out again, to be set aside; say how many."""
        sign = "record" if "record" in table.columns else "place"
        place = "-staged.record" if sign == "record" else f"-staged.place - {self.number << RECORD_BITS}"
        missing = self.lake.sql.execute(
            f"""SELECT heads.record, heads.kind, staged.time IS NULL FROM staged_{table.name} AS staged
            JOIN heads ON heads.record = {place} WHERE staged.{sign} < 0"""
        ).fetchall()
        for record, kind, timeless in missing:
            reason = NO_SUCH_TIME if timeless else UNREADABLE.format(name=self.kinds[kind - 1][1].name)
            self._unreadable.append((int(record), reason))
        if missing:
            self.lake.sql.execute(f"DELETE FROM staged_{table.name} WHERE {sign} < 0")
        return len(missing)

    def _activity(self, kinds: dict[int, int]) -> None:
        names = " ".join(f"WHEN kind = {kind} THEN {literal(self.kinds[kind - 1][0].name)}" for kind in kinds)
        self.lake.sql.execute(f"""
            INSERT INTO staged_activity
            SELECT CASE {names} END AS source, host, make_timestamp(micros) AS hour, count(*),
                min(make_timestamp(micros + second * 1000000)), max(make_timestamp(micros + second * 1000000)),
                {self.number}
            FROM heads JOIN hours USING (hour) WHERE kind > 0 AND micros IS NOT NULL AND second IS NOT NULL GROUP BY ALL""")
        for kind, count in kinds.items():
            name = self.kinds[kind - 1][0].name
            self.counts.by_source[name] = self.counts.by_source.get(name, 0) + count


def _lines(data: bytes, first: int) -> tuple[pa.Table, "np.ndarray[tuple[int], np.dtype[np.int32]]"]:
    """View a block as a column of lines without copying; also give where each line starts, and the end.

    What an engine on text cannot hold (NUL bytes, bytes that are no UTF-8) is changed in a copy that is only parsed.
    """
    text = data.replace(b"\0", b"") if b"\0" in data else data
    text = text.replace(b"\r\n", b"\n") if b"\r\n" in text else text
    if not _is_utf8(text):
        text = text.decode("utf-8", "backslashreplace").encode()
    starts = _starts(data)
    offsets = starts if text is data else _starts(text)
    count = len(starts) - 1
    column = pa.StringArray.from_buffers(count, pa.py_buffer(offsets), pa.py_buffer(text))
    numbers = pa.array(np.arange(first, first + count, dtype=np.int64))
    return pa.Table.from_batches(pa.table({"record": numbers, "line": column}).to_batches(_BATCH)), starts


def _starts(data: bytes) -> "np.ndarray[tuple[int], np.dtype[np.int32]]":
    ends = np.flatnonzero(np.frombuffer(data, np.uint8) == 10) + 1
    if not len(ends) or ends[-1] != len(data):
        ends = np.append(ends, len(data))
    return np.concatenate(([0], ends)).astype(np.int32)


def _is_utf8(data: bytes) -> bool:
    if data.isascii():
        return True
    whole = pa.StringArray.from_buffers(1, pa.py_buffer(np.array([0, len(data)], np.int32)), pa.py_buffer(data))
    try:
        whole.validate(full=True)
    except pa.ArrowInvalid:
        return False
    return True


def _short_enough(
    starts: "np.ndarray[tuple[int], np.dtype[np.int32]]",
) -> "np.ndarray[tuple[int], np.dtype[np.bool_]] | None":
    fits = np.diff(starts) <= LONGEST_LINE
    return None if fits.all() else fits


def staged(lake: Lake) -> int:
    """Say how many pieces of messages wait for assembly."""
    return int(lake.one("SELECT count(*) FROM staged_pieces")[0])  # type: ignore[call-overload]


def flush(lake: Lake) -> None:
    """Move staged rows that need no assembly into the lake."""
    for table in (SIGNINS, CHANGES, READS, ACTIVITY):
        lake.add(table, f"SELECT * FROM staged_{table.name}")
        lake.show(table)
        lake.sql.execute(f"TRUNCATE staged_{table.name}")
