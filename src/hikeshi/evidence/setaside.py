# SPDX-License-Identifier: Apache-2.0
"""What could not be read, byte for byte save for secrets, with its place and the reason.

One file of bytes an input, and `index.csv` over all of them: runs of neighbours with one reason are one row.
"""

import csv
import os
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

_INDEX = ("file", "offset", "bytes", "input", "first_record", "last_record", "reason")


class SetAside:
    """The set-aside bytes of one input. Makes no file while there is nothing to set aside."""

    def __init__(self, folder: Path, number: int, path: str) -> None:
        self.folder, self.number, self.path = folder, number, path
        safe = "".join(sign if sign.isalnum() or sign in "._-" else "_" for sign in Path(path).name)
        kept = next(folder.glob(f"{number:04d}-*"), None)  # a log that went on under another name
        self.name = kept.name if kept else f"{number:04d}-{safe[-80:]}"
        self._file: BinaryIO | None = None
        self._rows: list[list[object]] = []
        self._offset = 0
        self.bytes: int | None = None

    def add(self, record: int, data: bytes, reason: str) -> None:
        """Keep `data`, the bytes of `record` or the next part of them."""
        if self._file is None:
            self.folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            self._file = _private(self.folder / self.name)
            self._offset = self._file.tell()
        self._file.write(data)
        last = self._rows[-1] if self._rows else None
        if last and last[6] == reason and record in (last[5], int(str(last[5])) + 1):
            last[2], last[5] = int(str(last[2])) + len(data), record
        else:
            self._rows.append([self.name, self._offset, len(data), self.path, record, record, reason])
        self._offset += len(data)

    def leave(self) -> None:
        """Let go of the file of a run that failed; the next run takes back what it has written."""
        if self._file is not None:
            self._file.close()

    def close(self) -> None:
        """End the file and write its rows into the index; nothing where nothing was set aside."""
        if self._file is None:
            return
        self._file.close()
        self._file = None
        self.bytes = self._offset
        index = self.folder / "index.csv"
        _write(index, self._rows if index.exists() else [_INDEX, *self._rows])


def tidy(folder: Path, sealed: Mapping[int, int]) -> None:
    """Take back what a run that died has left: `sealed` says how many bytes of which input count."""
    if not folder.is_dir():
        return
    for path in folder.glob("[0-9][0-9][0-9][0-9]*-*"):
        number = int(path.name.partition("-")[0])
        if not sealed.get(number):
            path.unlink()
        elif path.stat().st_size > sealed[number]:
            os.truncate(path, sealed[number])
    index = folder / "index.csv"
    if index.exists():
        with index.open(newline="", encoding="utf-8") as file:
            head, *rows = csv.reader(file)
        good = [row for row in rows if int(row[1]) + int(row[2]) <= sealed.get(int(row[0].partition("-")[0]), 0)]
        if good != rows:
            index.unlink()
            _write(index, [head, *good])


def _write(index: Path, rows: Iterable[Sequence[object]]) -> None:
    descriptor = os.open(index, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "a", newline="", encoding="utf-8") as file:  # noqa: PTH123 - private from birth
        csv.writer(file).writerows(rows)


def _private(path: Path) -> BinaryIO:
    return open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600), "ab")  # noqa: PTH123 - private from birth
