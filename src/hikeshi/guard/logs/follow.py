# SPDX-License-Identifier: Apache-2.0
"""Follows a log that is being written, through every kind of rotation; whole lines only, each once and in order.

A file is known by device and inode and by a digest of its beginning. When a new file stands in its place, the old one
is read to its end first, then what was rotated in between, then the new one. Only what a writer adds between the copy
and the cut of logrotate's `copytruncate` is in neither file. What cannot be found again is told in `lost`.
"""

import glob
import hashlib
import os
import re
import stat
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final, Protocol, Self

from hikeshi.basics.errors import UsageError
from hikeshi.evidence.reading import Block

#: bytes that are read at once; a line without an end that is longer comes in overlong parts
MOST: Final = 4 << 20
#: bytes at the beginning by which a file is known again
_HEAD: Final = 256
#: how rotated logs are called behind the name of the log; packed ones are not followed
_ROTATED = re.compile(r"[.-](?:[0-9][0-9T:_.-]*|old)")


@dataclass(frozen=True, slots=True)
class Chunk:
    """New whole lines, and the position in front of them as JSON can hold it."""

    block: Block
    before: dict[str, Any]


class Log(Protocol):
    """A log that is followed. `read` gives the next lines or None where there are none yet."""

    name: str
    lost: list[str]

    def read(self) -> Chunk | None:
        """Give the next whole lines, at most about `MOST` bytes of them; None where there is nothing new."""

    def position(self) -> dict[str, Any]:
        """Give the place behind the last line that was read, for `FileLog` or `Journal` to go on from."""

    def close(self) -> None:
        """Let go of it."""


@dataclass(frozen=True, slots=True)
class Head:
    """The beginning of a file: how many bytes, and their digest. Of no bytes, it is no file's."""

    bytes: int = 0
    digest: str = ""

    @classmethod
    def of(cls, file: int, size: int = _HEAD) -> Self:
        """Look at the first `size` bytes of an open file."""
        found = os.pread(file, size, 0)
        return cls(len(found), hashlib.sha256(found).hexdigest())

    def begins(self, file: int) -> bool:
        """Say whether the open file begins so."""
        return self.bytes > 0 and Head.of(file, self.bytes) == self


class FileLog:
    """One log file by its path. `kept` is a position from before.

    Without one, reading starts at the beginning of the file that is there now; what was rotated before is not read.
    """

    def __init__(self, path: Path, kept: dict[str, Any] | None = None) -> None:
        self.path, self.name = path, str(path)
        self.lost: list[str] = []
        self._file: int | None = None
        self._turned = False
        at = kept or {}
        self._device, self._inode = int(at.get("device", 0)), int(at.get("inode", 0))
        self._head = Head(**at.get("head", {}))
        self._offset, self._record = int(at.get("offset", 0)), int(at.get("record", 0))
        self._overlong = bool(at.get("overlong"))
        self._beside = tuple(Head(**one) for one in at.get("beside", ())) if kept else self._heads()

    def position(self) -> dict[str, Any]:
        """Give the place behind the last line that was read."""
        return {
            "device": self._device,
            "inode": self._inode,
            "head": {"bytes": self._head.bytes, "digest": self._head.digest},
            "offset": self._offset,
            "record": self._record,
            "overlong": self._overlong,
            "beside": [{"bytes": one.bytes, "digest": one.digest} for one in self._beside],
        }

    def close(self) -> None:
        """Let go of the file."""
        if self._file is not None:
            os.close(self._file)
            self._file = None

    def read(self) -> Chunk | None:
        """Give the next whole lines; None where there is nothing new.

        Raises:
            UsageError: the log may not be read, or is no file.

        """
        while self._file is not None or self._open():
            before = self.position()
            block = self._take()
            if block is not None:
                return Chunk(block, before)
            if not self._move_on():
                return None
        return None

    def _take(self) -> Block | None:
        """Take whole lines from the open file; a half-written one waits, unless nobody will write its end any more."""
        assert self._file is not None  # noqa: S101 - only called with an open file
        data = os.pread(self._file, MOST, self._offset)
        # Looked at after reading: if it is the same file still, so was it when it was read.
        if self._cut() or self._behind(data):
            return None
        end = data.rfind(b"\n") + 1
        first, overlong = self._record + 1, self._overlong
        if overlong:
            end = data.find(b"\n") + 1
            self._overlong, self._record = not end, self._record + bool(end)
        elif not end and len(data) == MOST:
            self._overlong = overlong = True
        elif not end and not self._turned:
            return None
        data = data[:end] if end else data
        if not data:
            return None
        self._offset += len(data)
        if not overlong:
            self._record += data.count(b"\n") + (not end)
        if self._head.bytes < _HEAD:
            self._head = Head.of(self._file, min(self._offset, _HEAD))
        return Block(first, data, overlong)

    def _cut(self) -> bool:
        """Say whether the open file has been cut, and perhaps been written anew since."""
        assert self._file is not None  # noqa: S101 - as above
        size = os.fstat(self._file).st_size
        return size < self._offset or (self._head.bytes > 0 and not self._head.begins(self._file))

    def _behind(self, data: bytes) -> bool:
        """Say whether something was copied away and cut before a line of it was read: the copy comes first then.

        A copy that begins like `data` has only been made, and the file not been cut yet.
        """
        if self._offset or not self._stands():
            return False
        begins = Head(min(len(data), _HEAD), hashlib.sha256(data[:_HEAD]).hexdigest())
        for path in self._unseen():
            with _opened(path) as copy:
                if copy is not None and not begins.begins(copy):
                    self._turned = True
                    return True
        return False

    def _stands(self) -> bool:
        """Say whether the open file is the log itself and not a rotated one."""
        try:
            there = self.path.stat()
        except OSError:
            return False
        return (there.st_dev, there.st_ino) == (self._device, self._inode)

    def _move_on(self) -> bool:
        """Say whether there is more to read: the rest of a file that was rotated, or the next file."""
        assert self._file is not None  # noqa: S101 - as above
        cut = self._cut()
        if not cut and not self._turned:
            # The writer may go on in the old file until it has begun the new one; then the old one is read once more.
            self._turned = self._replaced()
            return self._turned
        if not cut:
            self._beside += (self._head,)
            self._head = Head()
        self.close()
        return True

    def _replaced(self) -> bool:
        """Say whether the writer has begun another file since."""
        if self._stands():
            return False
        try:
            return self.path.stat().st_size > 0 or self._passed_over()
        except OSError:
            return self._passed_over()

    def _open(self) -> bool:
        """Open where to go on: the file of the position, else the oldest that was rotated unread, else the log itself."""
        self._turned = False
        if self._head.bytes:
            if self._reopen():
                return True
            self.lost.append(
                f"{self.path}: what was written behind byte {self._offset} of the file before was rotated away and cannot "
                "be found; run `hikeshi investigate` on the rotated logs"
            )
            self._head = Head()
        self._offset, self._overlong = 0, False
        rotated = next(self._unseen(), None)
        if rotated is not None:
            return self._use(rotated)
        if not self._use(self.path):
            return False
        if self._passed_over():
            self.close()  # rotated at this very moment
            return True
        self._beside = self._heads()
        return True

    def _reopen(self) -> bool:
        """Find the file that the position is in: the log itself, or what it was renamed or copied to."""
        found: list[tuple[bool, Path]] = []
        for path in (self.path, *self._rotated()):
            with _opened(path) as file:
                if file is not None and self._head.begins(file) and os.fstat(file).st_size >= self._offset:
                    same = os.fstat(file)
                    found.append(((same.st_dev, same.st_ino) != (self._device, self._inode), path))
        if not found:
            return False
        path = min(found, key=lambda one: one[0])[1]
        if not self._use(path):
            return False
        assert self._file is not None  # noqa: S101 - just opened
        if not self._head.begins(self._file):
            self.close()
            return self._reopen()
        return True

    def _use(self, path: Path) -> bool:
        try:
            self._file = os.open(path, os.O_RDONLY | os.O_NONBLOCK)  # a pipe would let us wait for its writer
        except FileNotFoundError:
            return False
        except OSError as error:
            raise UsageError(
                f"{path}: {error.strerror}; a log file is read as the user of this command (on Debian: group adm)"
            ) from error
        there = os.fstat(self._file)
        if not stat.S_ISREG(there.st_mode):
            self.close()
            raise UsageError(f"{path}: no file that can be followed; give a log file, such as /var/log/mail.log")
        self._device, self._inode = there.st_dev, there.st_ino
        return True

    def _rotated(self) -> list[Path]:
        """Give the rotated files that are not packed, oldest first."""
        found = []
        for path in self.path.parent.glob(f"{glob.escape(self.path.name)}[.-]*"):
            if _ROTATED.fullmatch(path.name[len(self.path.name) :]):
                try:
                    found.append((path.stat().st_mtime_ns, _age(path.name), path))
                except OSError:
                    continue
        return [path for _, _, path in sorted(found)]

    def _heads(self) -> tuple[Head, ...]:
        heads = []
        for path in self._rotated():
            with _opened(path) as file:
                if file is not None:
                    heads.append(Head.of(file))
        return tuple(one for one in heads if one.bytes)

    def _passed_over(self) -> bool:
        """Say whether a rotated file has something in it that has not been read."""
        return next(self._unseen(), None) is not None

    def _unseen(self) -> Iterator[Path]:
        """Give the rotated files that have not been read and are not the open one, oldest first."""
        for path in self._rotated():
            with _opened(path) as file:
                if file is None or not os.fstat(file).st_size or any(one.begins(file) for one in self._beside):
                    continue
                there = os.fstat(file)
                if self._file is None or (there.st_dev, there.st_ino) != (self._device, self._inode):
                    yield path


@contextmanager
def _opened(path: Path) -> Iterator[int | None]:
    """Open a file to look at it; None where it has just gone."""
    try:
        file = os.open(path, os.O_RDONLY)
    except OSError:
        yield None
        return
    try:
        yield file
    finally:
        os.close(file)


def _age(name: str) -> tuple[int, str]:
    """Order names of rotated files, oldest first: .2 before .1, but -20260101 before -20260201."""
    number = re.search(r"\.([0-9]{1,3})$", name)
    return (-int(number[1]), "") if number else (0, name)
