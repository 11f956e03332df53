# SPDX-License-Identifier: Apache-2.0
"""From blocks of lines to rows of columns, every record counted exactly once: taken, skipped or set aside (law 1).

Each block is split into columns once, by the engine; each kind of line then runs its short patterns over its own
lines only. Python sees whole columns, and single lines only where they are set aside.
"""

import re
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
from hikeshi.evidence.stamps import Clock, Format, likeliest, new_years
from hikeshi.evidence.tables import CHANGES, PIECES, READS, RECORD_BITS, SIGNINS, Table

#: what line sources may fill; rows wait in `staged_…` until the lake takes them
STAGED = (PIECES, SIGNINS, CHANGES, READS)
_BATCH = 8192

_SKIPPED, _NO_HEAD = 0, -1

#: what is staged of every record: pieces of messages, and of other lines their text
_STAGED_COLUMNS = {column: kind for column, (kind, _) in PIECES.columns.items()} | {
    "line": "SMALLINT",
    "rest": "VARCHAR",
    "unknown_program": "VARCHAR",
}

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
    staged = ", ".join(f"{column} {kind}" for column, kind in _STAGED_COLUMNS.items())
    lake.sql.execute(f"CREATE TABLE staged_pieces ({staged})")
    for table in STAGED[1:]:
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
        self._zone = clock.zone_name

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
        if not lines.num_rows:
            return []
        sql = self.lake.sql
        self._unreadable: list[tuple[int, str]] = []
        sql.register("lines", lines)
        source, base = "lines", self.number << RECORD_BITS
        first, last = base + lines["record"][0].as_py(), base + lines["record"][-1].as_py()
        self._here = f"abs(place) BETWEEN {first} AND {last}"
        for one in formats:
            self._know_hours(one, source)
            self._know_programs(one, source)
            sql.execute(f"INSERT INTO staged_pieces {self._taken(one, source)}")
            headless = sql.execute(
                f"SELECT place - {base} FROM staged_pieces WHERE line = {_NO_HEAD} AND {self._here}"
            ).fetchall()
            if not headless:
                break
            sql.execute(f"DELETE FROM staged_pieces WHERE line = {_NO_HEAD} AND {self._here}")
            sql.execute(
                f"CREATE OR REPLACE TEMP TABLE headless_{one.name} AS SELECT record, line FROM {source} SEMI JOIN "
                "(SELECT unnest(?) AS record) USING (record)",
                [[row[0] for row in headless]],
            )
            source = f"headless_{one.name}"
        self._settle()
        return sorted(int(row[0]) for row in headless)

    def _named(self, one: Format, source: str) -> str:
        """Give the query that splits lines into front, tag, process, word and text."""
        return f"""
            -- A program that writes its own file names itself where syslog would name the host.
            SELECT record, line, {one.front} AS front, ends_with(head.front, ':') AS own,
                if(own, 'dovecot', head.tag) AS tag, if(own, '', head.word) AS word, head.pid AS pid,
                if(own, {one.bare}, {one.text}) AS text
            FROM (
                SELECT record, line, regexp_extract(line, {literal(one.head)}, ['front', 'tag', 'pid', 'word']) AS head
                FROM {source}
            )"""

    def _know_hours(self, one: Format, source: str) -> None:
        """Work out what the hours that these lines write are in UTC, in the order in which they come."""
        found = self.lake.sql.execute(
            f"SELECT hour FROM (SELECT record, {one.line_hour} AS hour FROM {source}) GROUP BY hour ORDER BY min(record)"
        ).fetchall()
        self.lake.sql.execute("CREATE OR REPLACE TEMP TABLE hours (hour VARCHAR, micros BIGINT)")
        rows = [(str(row[0]), self.clock.hour(str(row[0]))[0]) for row in found]
        known = ", ".join(f"({literal(hour)}, {micros})" for hour, micros in rows if micros is not None)
        if known:
            self.lake.sql.execute(f"INSERT INTO hours VALUES {known}")

    def _know_programs(self, one: Format, source: str) -> None:
        """Give a number to the programs that a sample of these lines names; `_settle` does so for the few that it misses."""
        self.lake.sql.execute(f"""
            INSERT INTO known_programs
            SELECT (SELECT count(*) FROM known_programs) + row_number() OVER (), host, tag
            FROM (
                SELECT if(own, '', {one.host}) AS host, tag
                FROM ({self._named(one, f"(FROM {source} WHERE record % 101 = 0)")}) WHERE front <> '' GROUP BY ALL
            ) ANTI JOIN known_programs USING (host, tag)""")

    def _taken(self, one: Format, source: str) -> str:
        """Give the query that makes one row of every line: its kind, and what its patterns take.

        `line` > 0 numbers our kinds of line, 0 is known and says nothing to us, -1 does not begin in this format. A
        negative place marks what is ours by its literals and cannot be read. Lines that tell of other things than
        messages keep their text in `rest` for `_take_others`. One pass over the lines, each meeting one kind's patterns.
        """
        cases, extracts, understood = [], [], []
        told: dict[str, list[str]] = {}
        for program in self.sources:
            whens = []
            for number, (owner, lines) in enumerate(self.kinds, start=1):
                if owner is not program:
                    continue
                whens.append(f"WHEN {lines.ours()} THEN {number}")
                if not lines.common:
                    continue
                extracts += [
                    f"CASE WHEN kind = {number} THEN {extract} END AS k{number}_take{turn}"
                    for turn, extract in enumerate(lines.extracts())
                ]
                fields = {
                    name: re.sub(r"\b(take[0-9])", rf"k{number}_\1", text) for name, text in lines.fields().items()
                }
                fields.setdefault("queue_id", "if(word = 'NOQUEUE', '', word)")
                if "account" in fields:
                    fields["account"] = f"lower({fields['account']})"
                if lines.must:
                    understood.append(f"WHEN {number} THEN {fields[lines.must]} IS NOT NULL")
                for column, text in fields.items():
                    told.setdefault(column, []).append(f"WHEN {number} THEN {text}")
            cases.append(f"WHEN {program.gate} THEN CASE {' '.join(whens)} ELSE {_SKIPPED} END")
        others = ", ".join(str(number) for number, (_, lines) in enumerate(self.kinds, start=1) if not lines.common)
        known = {column: f"CASE kind {' '.join(texts)} END" for column, texts in told.items()} | {
            "time": "time",
            "program": "CASE WHEN kind > 0 THEN program END",
            "pid": "CASE WHEN kind > 0 THEN pid END",
            "place": f"if(kind <= 0 OR (time IS NOT NULL AND CASE kind WHEN 0 THEN true {' '.join(understood)} ELSE true END), 1, -1)"
            f" * ({self.number << RECORD_BITS} + record)",
            "line": "kind",
            "rest": f"CASE WHEN kind IN ({others}) THEN text END",
            "queue_id": f"CASE WHEN kind IN ({others}) THEN if(word = 'NOQUEUE', '', word) ELSE CASE kind "
            f"{' '.join(told.get('queue_id', ['WHEN 0 THEN NULL']))} END END",
            "unknown_program": "CASE WHEN kind > 0 AND program IS NULL THEN host || chr(9) || tag END",
        }
        columns = ", ".join(
            f"try_cast({known.get(column, 'NULL')} AS {type_}) AS {column}" for column, type_ in _STAGED_COLUMNS.items()
        )
        return f"""
            WITH named AS ({self._named(one, source)}), told AS (
                SELECT *, CASE WHEN front = '' THEN {_NO_HEAD} {" ".join(cases)} ELSE {_SKIPPED} END AS kind FROM named
            ), dated AS (
                SELECT *, CASE WHEN kind > 0 THEN {one.hour} END AS hour,
                    CASE WHEN kind > 0 THEN if(own, '', {one.host}) END AS host,
                    CASE WHEN kind > 0 THEN coalesce(
                        epoch_us(try_cast(substr(front, {one.minute - 3}, 8) AS TIME)) % 3600000000,
                        -- a leap second, which no clock of the engine knows
                        if(substr(front, {one.minute}, 5) = '59:60', 3600000000, NULL)) END AS second,
                    CASE WHEN kind > 0 AND substr(front, {one.minute + 5}, 1) IN ('.', ',')
                        THEN rpad(left(regexp_extract(substr(front, {one.minute + 6}, 10), '^[0-9]+'), 6), 6, '0')::BIGINT
                        ELSE 0 END AS micro
                FROM told
            ), took AS (
                SELECT record, kind, tag, host, word, pid, text, hour, second, micro, {", ".join(extracts)} FROM dated
            ), placed AS (
                SELECT took.*, make_timestamp(hours.micros + second + micro) AS time, known_programs.program
                FROM took LEFT JOIN hours USING (hour)
                LEFT JOIN known_programs ON known_programs.host = took.host AND known_programs.tag = took.tag
            )
            SELECT {columns} FROM placed"""

    def _settle(self) -> None:
        """Give numbers to programs that the sample missed, take the lines that tell of other things, count every record."""
        sql = self.lake.sql
        unknown = sql.execute(
            f"SELECT DISTINCT unknown_program FROM staged_pieces WHERE unknown_program IS NOT NULL AND {self._here}"
        ).fetchall()
        for (name,) in unknown:
            sql.execute(
                "INSERT INTO known_programs SELECT count(*) + 1, ?, ? FROM known_programs", str(name).split("\t", 1)
            )
        if unknown:
            sql.execute(f"""
                UPDATE staged_pieces SET program = known_programs.program, unknown_program = NULL FROM known_programs
                WHERE unknown_program = known_programs.host || chr(9) || known_programs.tag AND {self._here}""")
        kinds = dict(
            sql.execute(f"SELECT line, count(*) FROM staged_pieces WHERE {self._here} GROUP BY line").fetchall()
        )
        self.counts.skipped += kinds.pop(_SKIPPED, 0)
        kinds.pop(_NO_HEAD, None)
        sql.execute("INSERT OR REPLACE INTO zones VALUES (?, ?)", [self.number, self._zone])
        kinds.pop(None, None)
        for table in STAGED:
            mine = [
                kind for kind in kinds if self.kinds[kind - 1][1].fills is table and not self.kinds[kind - 1][1].common
            ]
            if mine:
                sql.execute(f"INSERT INTO staged_{table.name} {' UNION ALL '.join(map(self._other_rows, mine))}")
        self.counts.taken += sum(kinds.values()) - self._take_back()
        self._activity(kinds)

    def _other_rows(self, kind: int) -> str:
        """Give the query that takes the lines of a kind that is not common out of their text."""
        lines = self.kinds[kind - 1][1]
        fields = lines.fields()
        read = f"time IS NOT NULL AND {fields[lines.must]} IS NOT NULL" if lines.must else "time IS NOT NULL"
        record = f"place - {self.number << RECORD_BITS}"
        known = (
            {"queue_id": "queue_id"}
            | fields
            | {
                "time": "time",
                "zone": literal(self._zone),
                "input": str(self.number),
                "record": f"if({read}, {record}, -({record}))",
                "place": f"if({read}, place, -place)",
                "program": "program",
                "pid": "pid",
            }
        )
        if "account" in fields:
            known["account"] = f"lower({fields['account']})"
        wanted = _STAGED_COLUMNS if lines.fills is PIECES else {c: kind for c, (kind, _) in lines.fills.columns.items()}
        columns = ", ".join(
            f"try_cast({known.get(column, 'NULL')} AS {type_}) AS {column}" for column, type_ in wanted.items()
        )
        takes = "".join(f", {extract} AS take{turn}" for turn, extract in enumerate(lines.extracts()))
        return f"""
            SELECT {columns} FROM (
                SELECT abs(place) AS place, time, program, pid, queue_id, rest AS text{takes} FROM staged_pieces
                WHERE line = {kind} AND {self._here}
            )"""

    def _take_back(self) -> int:
        """Take rows that are ours by their literals and could not be read out again, to be set aside; say how many."""
        base = self.number << RECORD_BITS
        queries = [f"SELECT -place - {base} AS record FROM staged_pieces WHERE place < 0 AND {self._here}"]
        queries += [
            f"SELECT -record FROM staged_{table.name} WHERE record < 0 AND input = {self.number}"
            for table in STAGED[1:]
        ]
        missing = self.lake.sql.execute(f"""
            SELECT record, line, time IS NULL FROM (SELECT DISTINCT record FROM ({" UNION ALL ".join(queries)}))
            JOIN (
                SELECT abs(place) - {base} AS record, line, time FROM staged_pieces WHERE line > 0 AND {self._here}
            ) USING (record)
        """).fetchall()
        for record, kind, timeless in missing:
            reason = NO_SUCH_TIME if timeless else UNREADABLE.format(name=self.kinds[kind - 1][1].name)
            self._unreadable.append((int(record), reason))
        if missing:
            self.lake.sql.execute("DELETE FROM staged_pieces WHERE place < 0")
            for table in STAGED[1:]:
                self.lake.sql.execute(f"DELETE FROM staged_{table.name} WHERE record < 0")
        return len(missing)

    def _activity(self, kinds: dict[int, int]) -> None:
        if not kinds:
            return
        names = " ".join(f"WHEN line = {kind} THEN {literal(self.kinds[kind - 1][0].name)}" for kind in kinds)
        self.lake.sql.execute(f"""
            INSERT INTO staged_activity
            SELECT CASE {names} END AS source, host, date_trunc('hour', first) AS hour, sum(records), min(first), max(last),
                {self.number}
            FROM (
                SELECT line, program, epoch_us(time) // 3600000000 AS hour_number, count(*) AS records, min(time) AS first,
                    max(time) AS last
                FROM staged_pieces WHERE line > 0 AND time IS NOT NULL AND {self._here} GROUP BY ALL
            ) JOIN known_programs USING (program) GROUP BY ALL""")
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
    """Say how many records wait for assembly."""
    return int(str(lake.one("SELECT count(*) FROM staged_pieces")[0]))


def flush(lake: Lake, *, overlapping: bool) -> None:
    """Move staged rows that need no assembly into the lake; where inputs overlap, what stands in two of them once."""
    for table in (SIGNINS, CHANGES, READS, ACTIVITY):
        rows = f"SELECT * FROM staged_{table.name}"
        if overlapping and table is not ACTIVITY:
            lake.show(table)
            rows = _once(table)
        lake.add(table, rows)
        lake.show(table)
        lake.sql.execute(f"TRUNCATE staged_{table.name}")


def _once(table: Table) -> str:
    """Give the staged rows that neither the lake nor an earlier input has: the nth of equal rows is the nth elsewhere."""
    content = ", ".join(column for column in table.columns if column not in {"zone", "input", "record"})
    span = f"SELECT min(time) FROM staged_{table.name}"
    return f"""
        WITH every AS (
            SELECT *, true AS fresh FROM staged_{table.name}
            UNION ALL BY NAME SELECT *, false AS fresh FROM {table.name} WHERE time >= ({span})
        ), counted AS (
            SELECT *, row_number() OVER (PARTITION BY {content}, input ORDER BY record) AS nth FROM every
        )
        SELECT * FROM counted
        QUALIFY fresh AND row_number() OVER (PARTITION BY {content}, nth ORDER BY fresh, input, record) = 1"""
