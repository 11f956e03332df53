# SPDX-License-Identifier: Apache-2.0
"""The case folder: private to its owner, each file written whole or not at all, cells that no spreadsheet runs."""

import csv
import fcntl
import json
import os
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any, TextIO

from hikeshi.basics.errors import CaseError

#: a cell that begins so is a formula to a spreadsheet
_FORMULA = ("=", "+", "-", "@", "\t", "\r")


class CaseFolder:
    """A case folder at `path`, made if it is not there.

    Raises:
        CaseError: it is no folder, or cannot be made or written to.

    """

    def __init__(self, path: Path) -> None:
        self.path = path
        try:
            path.mkdir(mode=0o700, parents=True, exist_ok=True)
        except OSError as error:
            raise CaseError(f"--case {path}: {error.strerror}; give a folder that can be made or written to") from error
        if not os.access(path, os.W_OK | os.X_OK):
            raise CaseError(f"--case {path}: you may not write there; give another folder")

    @property
    def evidence(self) -> Path:
        """Give the folder of the lake and its manifest."""
        return self.path / "evidence"

    @property
    def aside(self) -> Path:
        """Give the folder of what could not be read."""
        return self.path / "set-aside"

    @contextmanager
    def locked(self) -> Iterator[None]:
        """Hold the case for one run.

        Raises:
            CaseError: another run holds it.

        """
        with open(os.open(self.path / ".lock", os.O_WRONLY | os.O_CREAT, 0o600), "w") as file:  # noqa: PTH123 - private from birth
            try:
                fcntl.flock(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except OSError as error:
                raise CaseError(
                    f"--case {self.path}: another hikeshi is at work in it; wait for it or use another"
                ) from error
            yield

    @contextmanager
    def writing(self, name: str) -> Iterator[TextIO]:
        """Write the file `name`; it takes the place of the old one only when the block ends well."""
        fresh = self.path / f".{name}.new"
        descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600)
        with open(descriptor, "w", encoding="utf-8", newline="") as file:  # noqa: PTH123 - private from birth
            yield file
        fresh.replace(self.path / name)

    def write_json(self, name: str, document: object) -> None:
        """Write `document` as JSON."""
        with self.writing(name) as file:
            json.dump(document, file, ensure_ascii=False, indent=1)
            file.write("\n")

    def write_lines(self, name: str, rows: Iterable[dict[str, Any]]) -> None:
        """Write one JSON object a line."""
        with self.writing(name) as file:
            for row in rows:
                file.write(json.dumps(row, ensure_ascii=False) + "\n")

    def write_csv(self, name: str, header: Sequence[str], rows: Iterable[Sequence[object]]) -> None:
        """Write a table; cells that a spreadsheet would run are defused with an apostrophe."""
        with self.writing(name) as file:
            writer = csv.writer(file)
            writer.writerow(header)
            for row in rows:
                writer.writerow([defused(cell) for cell in row])


def defused(cell: object) -> object:
    """Give `cell` so that no spreadsheet takes it for a formula; what is not text stays."""
    if isinstance(cell, str) and cell.startswith(_FORMULA):
        return "'" + cell
    return "" if cell is None else cell
