# SPDX-License-Identifier: Apache-2.0
"""Follows the systemd journal as if it were a log file: what mail programs say, as lines with a full stamp.

`journalctl` reads it, so neither a binding nor the binary format is needed. What counts as mail is the syslog facility,
which Postfix and Dovecot set however their units are called.
"""

import json
import os
import re
import subprocess
import time
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hikeshi.basics.errors import HikeshiError, UsageError
from hikeshi.evidence.reading import Block
from hikeshi.guard.logs.follow import MOST, Chunk

#: what a user writes in the place of a file
JOURNAL: Final = "journal:"

_COMMAND = ("journalctl", "--follow", "--no-tail", "--quiet", "--output=json", "--all")
_FIELDS = "MESSAGE,SYSLOG_IDENTIFIER,SYSLOG_PID,_PID,_HOSTNAME,_SOURCE_REALTIME_TIMESTAMP"
_MAIL = "SYSLOG_FACILITY=2"
#: seconds before a journalctl that has ended is started again
_AGAIN = 5.0


class JournalError(HikeshiError):
    """The journal cannot be read."""


class Journal:
    """The journal behind the cursor of `kept`; without one, from `since` on (seconds since 1970)."""

    def __init__(self, kept: dict[str, Any] | None = None, since: float | None = None) -> None:
        self.name = JOURNAL
        self.lost: list[str] = []
        self._cursor, self._record = str((kept or {}).get("cursor", "")), int((kept or {}).get("record", 0))
        self._since = time.time() if since is None else since
        self._process: subprocess.Popen[bytes] | None = None
        self._rest = b""
        self._started = float("-inf")
        self._complained = False

    def position(self) -> dict[str, Any]:
        """Give the place behind the last entry that was read."""
        return {"cursor": self._cursor, "record": self._record}

    def close(self) -> None:
        """End journalctl."""
        self._end()

    def _end(self) -> int:
        """End journalctl where it has not ended by itself; give its exit code."""
        process, self._process = self._process, None
        if process is None:
            return 0
        process.terminate()
        process.communicate()
        return process.returncode

    def read(self) -> Chunk | None:
        """Give the next entries as lines; None where there is nothing new.

        Raises:
            UsageError: there is no journalctl here.

        """
        entries = self._entries()
        if not entries:
            return None
        before = self.position()
        lines = b"".join(_line(entry) for entry in entries)
        block = Block(self._record + 1, lines)
        self._cursor, self._record = str(entries[-1]["__CURSOR"]), self._record + len(entries)
        return Chunk(block, before)

    def _entries(self) -> list[dict[str, Any]]:
        """Read what journalctl has written; entries that are not whole yet wait."""
        if self._process is None and not self._start():
            return []
        assert self._process is not None and self._process.stdout is not None  # noqa: S101, PT018 - just started
        parts, have = [self._rest], 0
        while have < MOST:
            try:
                part = os.read(self._process.stdout.fileno(), 1 << 16)
            except BlockingIOError:
                break
            if not part:  # it has ended; the next one goes on behind the cursor
                self._complain(self._end())
                break
            parts.append(part)
            have += len(part)
        *whole, self._rest = b"".join(parts).split(b"\n")
        if self._process is None:
            self._rest = b""
        self._complained = self._complained and not whole
        return [json.loads(one) for one in whole]

    def _complain(self, code: int) -> None:
        """Say that journalctl cannot read on, once until it can."""
        if code > 0 and not self._complained:
            self.lost.append(
                f"{_ended(code)}; it is tried again. For what is missed meanwhile run `hikeshi investigate`"
            )
            self._complained = True

    def _start(self) -> bool:
        if time.monotonic() - self._started < _AGAIN:
            return False
        self._started = time.monotonic()
        where = f"--after-cursor={self._cursor}" if self._cursor else f"--since=@{self._since:.0f}"
        try:
            self._process = subprocess.Popen(  # noqa: S603 - our own words only
                [*_COMMAND, f"--output-fields={_FIELDS}", where, _MAIL], stdout=subprocess.PIPE
            )
        except FileNotFoundError as error:
            raise UsageError(f"{JOURNAL} there is no journalctl here; name the log files instead") from error
        assert self._process.stdout is not None  # noqa: S101 - a pipe was asked for
        os.set_blocking(self._process.stdout.fileno(), False)
        return True


def export(path: Path, days: int) -> None:
    """Write the mail lines of the journal of the last `days` to `path`, as `Journal` gives them.

    Raises:
        UsageError: there is no journalctl here.
        JournalError: it cannot read the journal to its end.

    """
    since = time.time() - 86400 * days
    command = ["journalctl", "--quiet", "--output=json", "--all", f"--output-fields={_FIELDS}", f"--since=@{since:.0f}"]
    try:
        with (
            path.open("wb") as out,
            subprocess.Popen([*command, _MAIL], stdout=subprocess.PIPE) as process,  # noqa: S603 - our own words only
        ):
            assert process.stdout is not None  # noqa: S101 - a pipe was asked for
            out.writelines(_line(json.loads(entry)) for entry in process.stdout)
    except FileNotFoundError as error:
        raise UsageError(f"{JOURNAL} there is no journalctl here; name the log files instead") from error
    if process.returncode:
        raise JournalError(_ended(process.returncode))


def _ended(code: int) -> str:
    return f"{JOURNAL} journalctl ended with {code}, and its own words stand above; try `journalctl --verify`"


def _line(entry: dict[str, Any]) -> bytes:
    """Write an entry as one line of a log: stamp, host, program, process, text."""
    micros = int(entry.get("_SOURCE_REALTIME_TIMESTAMP") or entry["__REALTIME_TIMESTAMP"])
    stamp = datetime.fromtimestamp(micros // 1_000_000, UTC).replace(microsecond=micros % 1_000_000)
    text = _text(entry.get("MESSAGE")).replace("\n", " ")
    host, tag = (re.sub(r"[\s\[:]", "_", _text(entry.get(name))) or "-" for name in ("_HOSTNAME", "SYSLOG_IDENTIFIER"))
    process = _text(entry.get("SYSLOG_PID") or entry.get("_PID"))
    pid = f"[{process}]" if process.isdigit() else ""
    return f"{stamp.isoformat(timespec='microseconds')} {host} {tag}{pid}: {text}\n".encode("utf-8", "replace")


def _text(value: object) -> str:
    """Give a field as text: bytes that are no UTF-8 come as a list of numbers, a repeated field as a list of texts."""
    if isinstance(value, list):
        if all(isinstance(one, int) for one in value):
            return bytes(value).decode("utf-8", "backslashreplace")
        return _text(value[0])
    return str(value or "")
