# SPDX-License-Identifier: Apache-2.0
"""Structured logs on stderr: one JSON object a line, or readable text at a terminal.

Only the fields named here get into it, whatever anybody adds: no content of a mail and no address of a recipient.
"""

import json
import logging
import os
import sys
import traceback
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final, TextIO

#: fields that a line may have besides its time, level, part, event and words; given by `extra`
FIELDS: Final = (
    "account",
    "action",
    "attempt",
    "channel",
    "held",
    "host",
    "path",
    "place",
    "queue_id",
    "reason",
    "score",
    "session",
    "threshold",
    "would",
)

#: what journald takes for a priority at the beginning of a line (sd-daemon(3))
_PRIORITIES: Final = ((logging.CRITICAL, 2), (logging.ERROR, 3), (logging.WARNING, 4), (logging.INFO, 6))
#: libraries that would log addresses and what they carry
_TALKATIVE: Final = ("aiosmtplib", "asyncio", "httpcore", "httpx")


def start(stream: TextIO | None = None, level: int = logging.INFO) -> None:
    """Send all logs to `stream`, or to stderr: JSON unless it is a terminal, with priorities where journald reads it."""
    stream = stream or sys.stderr
    handler = logging.StreamHandler(stream)
    handler.setFormatter(Readable() if stream.isatty() else Json(priorities="JOURNAL_STREAM" in os.environ))
    logging.basicConfig(handlers=[handler], level=level, force=True)
    for name in _TALKATIVE:
        logging.getLogger(name).setLevel(logging.WARNING)


class Json(logging.Formatter):
    """Writes a record as a JSON object on one line.

    `event` is the record's text before values are put in, or what `extra` names so: it stays the same from release
    to release, so that alerts may ask for it. Of an exception it tells its kind and place; its words may quote a mail.
    """

    def __init__(self, *, priorities: bool = False) -> None:
        super().__init__()
        self._priorities = priorities

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        line = {
            "time": datetime.fromtimestamp(record.created, UTC).isoformat(timespec="milliseconds"),
            "level": record.levelname.lower(),
            "part": record.name.removeprefix("hikeshi."),
            "event": getattr(record, "event", record.msg),
            "message": record.getMessage(),
            **fields(record),
        }
        if record.exc_info and record.exc_info[1] is not None:
            line["exception"] = placed(record.exc_info[1])
        text = json.dumps(line, ensure_ascii=True, default=str)
        return f"<{_priority(record.levelno)}>{text}" if self._priorities else text


class Readable(logging.Formatter):
    """Writes a record for people at a terminal; what would move their cursor is shown as an escape."""

    def format(self, record: logging.LogRecord) -> str:
        """Give the line."""
        time = datetime.fromtimestamp(record.created, UTC).astimezone()
        told = " ".join(f"{name}={value}" for name, value in fields(record).items())
        words = f"{time:%H:%M:%S} {record.levelname.lower():<7} {record.getMessage()}"
        if record.exc_info and record.exc_info[1] is not None:
            words += f" ({placed(record.exc_info[1])})"
        line = f"{words}  {told}" if told else words
        return "".join(one if one.isprintable() else one.encode("unicode_escape").decode() for one in line)


def fields(record: logging.LogRecord) -> dict[str, Any]:
    """Give those of a record's fields that may be logged and are known."""
    return {name: value for name in FIELDS if (value := getattr(record, name, None)) is not None}


def placed(error: BaseException) -> str:
    """Give the kind of an exception and where it was raised, without its words."""
    frames = traceback.extract_tb(error.__traceback__)
    where = f" in {Path(frames[-1].filename).name}:{frames[-1].lineno}" if frames else ""
    return f"{type(error).__name__}{where}"


def _priority(level: int) -> int:
    return next((priority for at_least, priority in _PRIORITIES if level >= at_least), 7)
