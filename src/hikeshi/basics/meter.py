# SPDX-License-Identifier: Apache-2.0
"""Progress with rate and remaining time on stderr; silent where nobody looks (no terminal)."""

import sys
from collections.abc import Sequence
from pathlib import Path
from types import TracebackType
from typing import Protocol, Self

from rich.console import Console
from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn, TimeRemainingColumn, TransferSpeedColumn

#: files that hold more than their size says
_PACKED = (".gz", ".bz2", ".xz", ".zst", ".zip", ".tgz")


class Read(Protocol):
    """How far a reader has come."""

    path: str
    read: int
    records: int


class Meter:
    """A progress bar over the bytes of `paths`; without an end where the total cannot be known beforehand."""

    def __init__(self, paths: Sequence[str]) -> None:
        self._bar = Progress(
            TextColumn("{task.description}"),
            BarColumn(),
            DownloadColumn(),
            TransferSpeedColumn(),
            TextColumn("{task.fields[records]:,} records"),
            TimeRemainingColumn(),
            console=Console(file=sys.stderr),
            transient=True,
            disable=not sys.stderr.isatty(),
        )
        self._task = self._bar.add_task("reading", total=_total(paths), records=0)

    def watch(self, progress: Read) -> None:
        """Show how far the reader has come."""
        self._bar.update(
            self._task, completed=progress.read, records=progress.records, description=Path(progress.path).name
        )

    def __enter__(self) -> Self:
        self._bar.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._bar.stop()


def _total(paths: Sequence[str]) -> int | None:
    files = [
        file
        for path in paths
        for file in ([Path(path)] if Path(path).is_file() else Path(path).rglob("*"))
        if path != "-"
    ]
    if not files or any(file.suffix in _PACKED for file in files):
        return None
    return sum(file.stat().st_size for file in files if file.is_file())
