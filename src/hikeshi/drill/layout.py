# SPDX-License-Identifier: Apache-2.0
"""Lines to files: the stamps of syslog in a zone's wall clock, and logs rotated each week as logrotate leaves them."""

import gzip
import os
from collections.abc import Iterable
from datetime import datetime, timedelta
from pathlib import Path
from typing import BinaryIO
from zoneinfo import ZoneInfo

from hikeshi.drill.hosts import Line
from hikeshi.drill.style import LogStyle

_MILLION = 1_000_000
_MONTHS = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
_ROTATION_HOUR = 6  # Sunday morning, when cron.weekly runs


class Stamper:
    """Puts the stamp before each line; a second is formatted once, an hour's date once."""

    def __init__(self, style: LogStyle) -> None:
        self._kind = style.stamps
        self._zone = ZoneInfo(style.zone)
        self._hour = -1
        self._date = self._tail = ""
        self._minute = 0

    def stamp(self, lines: list[Line]) -> list[str]:
        """Put the stamps before these lines."""
        if self._kind == "rfc3164":
            return self._old(lines)
        return self._new(lines)

    def _old(self, lines: list[Line]) -> list[str]:
        last, head, out = -1, "", []
        for time, text in lines:
            second = time // _MILLION
            if second != last:
                last, head = second, f"{self._clock(second)} "
            out.append(head + text)
        return out

    def _new(self, lines: list[Line]) -> list[str]:
        last, head, out = -1, "", []
        for time, text in lines:
            second, rest = divmod(time, _MILLION)
            if second != last:
                last, head = second, self._clock(second)
            out.append(f"{head}.{rest:06d}{self._tail} {text}")
        return out

    def _clock(self, second: int) -> str:
        # quarter hours, since some zones are shifted by such
        quarter = second // 900
        if quarter != self._hour:
            self._hour = quarter
            self._new_quarter(quarter * 900)
        minutes, seconds = divmod(second - quarter * 900, 60)
        return f"{self._date}{self._minute + minutes:02d}:{seconds:02d}"

    def _new_quarter(self, second: int) -> None:
        local = datetime.fromtimestamp(second, self._zone)
        self._minute = local.minute
        self._tail = local.isoformat()[19:]
        if self._kind == "rfc3164":
            self._date = f"{_MONTHS[local.month - 1]} {local.day:2d} {local.hour:02d}:"
        else:
            self._date = f"{'<22>1 ' if self._kind == 'rfc5424' else ''}{local:%Y-%m-%dT%H:}"


def rotations(begin: int, end: int, style: LogStyle) -> list[int]:
    """List the moments within the log at which a new file starts."""
    if style.files == "single":
        return []
    zone = ZoneInfo(style.zone)
    day = datetime.fromtimestamp(begin // _MILLION, zone).replace(
        hour=_ROTATION_HOUR, minute=25, second=2, microsecond=0
    )
    moments = []
    while (time := int(day.timestamp()) * _MILLION) < end:
        if time > begin and day.weekday() == 6:
            moments.append(time)
        day += timedelta(days=1)
    return moments


class LogFiles:
    """The files of one host; lines come in the order of time."""

    def __init__(self, folder: Path, begin: int, end: int, style: LogStyle) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        self._folder = folder
        self._stamper = Stamper(style)
        self._left = rotations(begin, end, style)
        self._last = begin
        self._open_next()

    def write(self, lines: list[Line]) -> None:
        """Append lines, and start new files where the log was rotated."""
        while self._left and lines and lines[-1][0] >= self._left[0]:
            cut = next(number for number, line in enumerate(lines) if line[0] >= self._left[0])
            self._write(lines[:cut])
            lines = lines[cut:]
            self._close()
            del self._left[0]
            self._open_next()
        self._write(lines)

    def close(self) -> None:
        """Close the last file; a week without lines leaves an empty one."""
        while self._left:
            self._close()
            del self._left[0]
            self._open_next()
        self._close()

    def _write(self, lines: list[Line]) -> None:
        if lines:
            self._last = lines[-1][0]
            self._out.write(("\n".join(self._stamper.stamp(lines)) + "\n").encode())

    def _open_next(self) -> None:
        age = len(self._left)
        name = "mail.log" + (f".{age}" if age else "") + (".gz" if age > 1 else "")
        self._path = self._folder / name
        self._raw = self._path.open("wb")
        self._out: BinaryIO | gzip.GzipFile = self._raw
        if age > 1:
            self._out = gzip.GzipFile("", "wb", 1, self._raw, mtime=0)

    def _close(self) -> None:
        self._out.close()
        self._raw.close()
        moment = self._last / _MILLION
        os.utime(self._path, (moment, moment))


def write(chunks: Iterable[list[list[Line]]], folders: list[Path], begin: int, end: int, style: LogStyle) -> None:
    """Each host's lines into its folder."""
    files = [LogFiles(folder, begin, end, style) for folder in folders]
    for chunk in chunks:
        for file, lines in zip(files, chunk, strict=True):
            file.write(lines)
    for file in files:
        file.close()
