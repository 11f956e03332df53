# SPDX-License-Identifier: Apache-2.0
"""A case folder to read logs into: `case` for one, `new_case` for as many as a test compares."""

from collections.abc import Callable, Iterable, Iterator
from contextlib import ExitStack
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from hikeshi.evidence import seal
from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.lake import Lake, opened
from hikeshi.evidence.seal import Manifest, Sealed

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


@pytest.fixture(autouse=True)
def machine_in_utc(monkeypatch):
    """Where a test names no zone, the machine's own must not matter."""
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def new_case(tmp_path) -> Iterator[Callable[..., Case]]:
    made: list[Case] = []

    def make(**settings: Any) -> Case:
        made.append(Case(tmp_path / f"case{len(made)}", ExitStack(), **settings))
        return made[-1]

    yield make
    for one in made:
        one.stack.close()


@pytest.fixture
def case(new_case) -> Case:
    return new_case()


def utc(text: str) -> datetime:
    """Read a time as the lake keeps it: UTC, naive."""
    moment = datetime.fromisoformat(text)
    return moment.astimezone(UTC).replace(tzinfo=None) if moment.tzinfo else moment
