# SPDX-License-Identifier: Apache-2.0
"""The lake: Parquet files on one machine, asked in DuckDB SQL.

A file counts only once the manifest names it, so a run that dies leaves nothing half there. Files are private.
"""

import os
import shutil
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path

import duckdb

from hikeshi.basics.sql import literal
from hikeshi.evidence.tables import PASSED, PIECES, PROGRAMS, TABLES, Table

#: what the engine may hold in memory; beyond that it spills into the case folder. The process itself needs about
#: 250 MB more for libraries and the blocks being read.
MEMORY = "450MB"

#: when a source wrote how much, by hour: what coverage and its holes are computed from
ACTIVITY = Table(
    "activity",
    "one hour of one source on one host",
    {
        "source": ("VARCHAR", "which source"),
        "host": ("VARCHAR", "which server"),
        "hour": ("TIMESTAMP", "beginning of the hour, UTC"),
        "records": ("BIGINT", "records taken in it"),
        "first": ("TIMESTAMP", "first of them"),
        "last": ("TIMESTAMP", "last of them"),
        "input": ("UINTEGER", "number of the input"),
    },
)

STORED = (*TABLES, ACTIVITY, PASSED, PIECES, PROGRAMS)


class Lake:
    """A connection over the tables of one evidence folder. `files` names those that count, by table."""

    def __init__(self, folder: Path, files: dict[str, list[str]]) -> None:
        self.folder = folder
        self.files = {table.name: list(files.get(table.name, ())) for table in STORED}
        self._spill = folder / ".spill"
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
        self._spill.mkdir(mode=0o700, exist_ok=True)
        self.sql = duckdb.connect(
            ":memory:",
            config={
                "memory_limit": MEMORY,
                "temp_directory": str(self._spill),
                "preserve_insertion_order": "false",
                "autoinstall_known_extensions": "false",
                "autoload_known_extensions": "false",
                "threads": str(min(8, os.cpu_count() or 1)),
            },
        )
        self.sql.execute("SET TimeZone = 'UTC'")
        for table in STORED:
            self.show(table)

    def show(self, table: Table, also: str = "") -> None:
        """Make the view of `table` over the files that count, and over the rows of the table `also` if named."""
        paths = ", ".join(literal(str(self.folder / name)) for name in self.files[table.name])
        empty = ", ".join(f"NULL::{kind} AS {column}" for column, (kind, _) in table.columns.items())
        parts = [f"SELECT * FROM read_parquet([{paths}])" if paths else f"SELECT {empty} WHERE false"]
        parts += [f"SELECT * FROM {also}"] if also else []
        self.sql.execute(f"CREATE OR REPLACE TEMP VIEW {table.name} AS {' UNION ALL BY NAME '.join(parts)}")

    def add(self, table: Table, query: str) -> int:
        """Write the rows of `query` to a new file of `table` and say how many they were; none makes no file."""
        name = f"{table.name}/{self._next(table):06d}.parquet"
        path = self.folder / name
        path.parent.mkdir(mode=0o700, exist_ok=True)
        columns = ", ".join(table.columns)
        count = int(
            str(
                self.one(
                    f"COPY (SELECT {columns} FROM ({query})) TO {literal(str(path))} (FORMAT parquet, COMPRESSION snappy)"
                )[0]
            )
        )
        if count:
            path.chmod(0o600)
            self.files[table.name].append(name)
        else:
            path.unlink()
        return count

    def replace(self, table: Table, query: str) -> None:
        """Write the rows of `query` in the place of all that `table` had; the old files go with `tidy`."""
        self.files[table.name] = []
        self.add(table, query)

    def _next(self, table: Table) -> int:
        taken = [int(path.stem) for path in (self.folder / table.name).glob("*.parquet")]
        return max(taken, default=0) + 1

    def tidy(self) -> None:
        """Remove files that no longer count, or never did because a run died before it sealed them."""
        for table in STORED:
            for path in (self.folder / table.name).glob("*.parquet"):
                if f"{table.name}/{path.name}" not in self.files[table.name]:
                    path.unlink()

    def one(self, query: str, parameters: Sequence[object] | dict[str, object] = ()) -> tuple[object, ...]:
        """Give the only row of `query`."""
        (row,) = self.sql.execute(query, parameters).fetchall()
        return tuple(row)

    def close(self) -> None:
        """Close the connection and remove what it spilled."""
        self.sql.close()
        shutil.rmtree(self._spill, ignore_errors=True)


@contextmanager
def opened(folder: Path, files: dict[str, list[str]]) -> Iterator[Lake]:
    """Open a lake for the time of a with block."""
    lake = Lake(folder, files)
    try:
        yield lake
    finally:
        lake.close()
