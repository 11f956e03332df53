# SPDX-License-Identifier: Apache-2.0
"""What tests of evidence stand on: a case folder to read logs into, and a bench that takes single lines."""

import csv
import shutil
from collections.abc import Iterable
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hikeshi.evidence import seal
from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.intake import STAGED, Counts, Intake, prepare
from hikeshi.evidence.lake import Lake, opened
from hikeshi.evidence.reading import blocks
from hikeshi.evidence.seal import Manifest, Sealed
from hikeshi.evidence.setaside import SetAside
from hikeshi.evidence.sources import SOURCES
from hikeshi.evidence.stamps import Clock
from hikeshi.evidence.tables import RECORD_BITS

#: what a test does not speak of: which file, and what of the run shows in the row
WHENCE = ("input", "record", "zone")


@dataclass
class Case:
    """One case folder. Every `read` is a run of its own, over the manifest that the run before saved."""

    folder: Path
    stack: ExitStack
    tz: str | None = "UTC"
    year: int | None = 2026
    manifest: Manifest = field(default_factory=Manifest)
    lake: Lake = None  # type: ignore[assignment]

    @property
    def evidence(self) -> Path:
        return self.folder / "evidence"

    @property
    def aside(self) -> Path:
        return self.folder / "set-aside"

    def read(self, *asked: Path | str, source: str | None = None) -> "Case":
        """Collect `asked` as the playbook does: load, read, seal, tidy."""
        self.stack.close()
        self.manifest = seal.load(self.evidence)
        self.lake = self.stack.enter_context(opened(self.evidence, self.manifest.files))
        reading = Reading(self.tz, self.year, source)
        collect(self.lake, self.manifest, [str(one) for one in asked], reading, self.aside, lambda _: None)
        seal.save(self.manifest, self.evidence)
        self.lake.tidy()
        doubled = "SELECT message_key FROM messages GROUP BY message_key HAVING count(*) > 1"
        assert self.lake.sql.execute(doubled).fetchall() == [], "a message_key is one message"
        return self

    def lines(self, *lines: str | bytes, name: str = "mail.log", end: bytes = b"\n") -> "Case":
        """Write `lines` to a file and read it."""
        return self.read(self.write(lines, name, end))

    def write(self, lines: Iterable[str | bytes], name: str = "mail.log", end: bytes = b"\n") -> Path:
        """Write `lines` to a file in the test's own folder."""
        path = self.folder / "logs" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        octets = (line.encode() if isinstance(line, str) else line for line in lines)
        path.write_bytes(b"".join(line + end for line in octets))
        return path

    def rows(self, table: str, *columns: str) -> list[Any]:
        """Give the rows of a table in a fixed order; single values where one column is asked for."""
        found = self.lake.sql.execute(f"SELECT {', '.join(columns) or '*'} FROM {table} ORDER BY ALL").fetchall()
        return [row[0] for row in found] if len(columns) == 1 else found

    def row(self, table: str) -> dict[str, Any]:
        """Give the only row of a table, by column, without what is empty."""
        asked = self.lake.sql.execute(f"SELECT * FROM {table}")
        names = [column[0] for column in asked.description]
        (row,) = asked.fetchall()
        return {name: value for name, value in zip(names, row, strict=True) if value is not None}

    def story(self, table: str) -> list[Any]:
        """Give the rows of a table without where they come from, for comparing two cases."""
        return self.rows(table, f"* EXCLUDE ({', '.join(WHENCE)})")

    @property
    def sealed(self) -> Sealed:
        """The only input."""
        (one,) = self.manifest.inputs
        return one

    def counts(self) -> tuple[int, int, int, int]:
        """Records, taken, skipped, set aside of the only input."""
        one = self.sealed
        return one.records, one.taken, one.skipped, one.set_aside

    def aside_bytes(self) -> bytes:
        """Give everything that was set aside, file after file."""
        return b"".join(path.read_bytes() for path in sorted(self.aside.glob("[0-9]*")))


def utc(text: str) -> datetime:
    """Read a time as the lake keeps it: UTC, naive."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment


class Bench:
    """Takes lines without a case: what each kind of line says, before anything is assembled."""

    def __init__(self, folder: Path) -> None:
        self.lake = Lake(folder / "bench", {})
        prepare(self.lake, {})
        self.folder = folder

    def take(self, *lines: str | bytes, clock: Clock | None = None, size: int = 1 << 24) -> Counts:
        """Take `lines` as one input, in blocks of about `size` bytes."""
        return self.stream(
            b"".join((one if isinstance(one, bytes) else one.encode()) + b"\n" for one in lines), clock, size
        )

    def stream(self, octets: bytes, clock: Clock | None = None, size: int = 1 << 24) -> Counts:
        """Take `octets` as one input, in blocks of about `size` bytes, into emptied tables."""
        for name in (*(table.name for table in STAGED), "activity"):
            self.lake.sql.execute(f"TRUNCATE staged_{name}")
        self.aside = SetAside(self.folder / "aside", 1, "mail.log")
        shutil.rmtree(self.folder / "aside", ignore_errors=True)
        intake = Intake(self.lake, SOURCES, clock or Clock(2026, UTC, "UTC", "given", "given"), 1, self.aside)
        parts = [octets[at : at + size] for at in range(0, len(octets), size)]
        for block in blocks(parts, size=size):
            intake.take(block)
        self.aside.close()
        intake.counts.check("bench")
        return intake.counts

    def aside_rows(self) -> list[dict[str, str]]:
        """Give the index of what was set aside."""
        index = self.folder / "aside" / "index.csv"
        return list(csv.DictReader(index.read_text("utf-8").splitlines())) if index.exists() else []

    def rows(self, table: str) -> list[dict[str, Any]]:
        """Give what is staged, row by row, without what is empty."""
        source = f"staged_{table}"
        if table == "pieces":
            source = f"""(
                SELECT staged.* EXCLUDE (program, place, line, rest, unknown_program), host, tag, zone, place >> {RECORD_BITS} AS input,
                    place & {(1 << RECORD_BITS) - 1} AS record
                FROM staged_pieces AS staged JOIN known_programs USING (program) JOIN zones ON input = place >> {RECORD_BITS}
                WHERE kind IS NOT NULL
            )"""
        asked = self.lake.sql.execute(f"SELECT * FROM {source} ORDER BY record")
        names = [column[0] for column in asked.description]
        return [
            {name: value for name, value in zip(names, row, strict=True) if value is not None}
            for row in asked.fetchall()
        ]
