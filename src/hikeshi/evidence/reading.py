# SPDX-License-Identifier: Apache-2.0
"""Open, unpack, number, count: from the paths a user gives to numbered blocks of whole lines.

Whatever the packing (gz, bz2, xz, zst, tar, zip, in one another), an input becomes a stream of bytes and its
digests. A file is read as far as it went when it was opened. What cannot be unpacked to the end gives what it has
and says so.
"""

import bz2
import hashlib
import io
import lzma
import os
import tarfile
import tempfile
import zipfile
import zlib
from calendar import timegm
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any

import zstandard

_READ = 1 << 20
#: Lines of a block are handed to the engine together; the engine works in parallel on pieces of 122,880 rows, so a
#: block should hold several of them.
BLOCK = 48 << 20
#: No mail server writes a line of this length; syslog cuts at 1 to 8 KiB.
LONGEST_LINE = 64 << 10

_MAGIC: tuple[tuple[bytes, str], ...] = (
    (b"\x1f\x8b", "gz"),
    (b"BZh", "bz2"),
    (b"\xfd7zXZ\x00", "xz"),
    (b"\x28\xb5\x2f\xfd", "zst"),
    (b"PK\x03\x04", "zip"),
)
#: what of an input is looked at to tell how it is packed
_LOOK = 512


class _Engine:
    """One decompressor with one manner: `decompress` gives the output in parts of bounded size."""

    def __init__(self, engine: Any) -> None:
        self.engine = engine

    @property
    def eof(self) -> bool:
        return bool(self.engine.eof)

    @property
    def unused_data(self) -> bytes:
        return bytes(self.engine.unused_data)

    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Decompress with bz2 and lzma, which keep what they have not got out yet."""
        rest = data
        while True:
            out = self.engine.decompress(rest, _READ)
            rest = b""
            if out:
                yield out
            if self.engine.eof or self.engine.needs_input:
                return


class _Zlib(_Engine):
    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Decompress with zlib, which hands back what it has not looked at yet."""
        rest = data
        while True:
            out = self.engine.decompress(rest, _READ)
            rest = self.engine.unconsumed_tail
            if out:
                yield out
            if self.engine.eof or not (rest or len(out) == _READ):
                return


class _Zstd(_Engine):
    def decompress(self, data: bytes) -> Iterator[bytes]:
        """Decompress with zstandard, which cannot be held back: fed little by little. A block of it is 128 KiB."""
        self.left = b""
        for place in range(0, len(data), 512):
            if out := self.engine.decompress(data[place : place + 512]):
                yield out
            if self.engine.eof:
                self.left = self.engine.unused_data + data[place + 512 :]
                return

    @property
    def unused_data(self) -> bytes:
        return self.left


_INFLATERS: dict[str, Callable[[], _Engine]] = {
    "gz": lambda: _Zlib(zlib.decompressobj(31)),
    "bz2": lambda: _Engine(bz2.BZ2Decompressor()),
    "xz": lambda: _Engine(lzma.LZMADecompressor()),
    "zst": lambda: _Zstd(zstandard.ZstdDecompressor().decompressobj()),
}


@dataclass(slots=True)
class _Notes:
    """What is found out while bytes are read: what goes wrong, and the digest of them as they lie on disk if wanted."""

    problems: list[str] = field(default_factory=list)
    sealed: Any = None

    def seal(self, block: bytes) -> bytes:
        """Pass `block` on, and through the digest."""
        if self.sealed:
            self.sealed.update(block)
        return block


#: reads the bytes of an input from their beginning
_Raw = Callable[[_Notes], Iterator[bytes]]


@dataclass(slots=True)
class Stream:
    """The bytes of one input, unpacked. `problems` grows while it is read.

    `content` is the running digest of the unpacked bytes and `size` their number; `sealed` that of the file as it
    lies on disk, the same one where nothing was packed.
    """

    blocks: Iterator[bytes]
    problems: list[str] = field(default_factory=list)
    sealed: Any = None
    content: Any = field(default_factory=hashlib.sha256)
    size: int = 0

    def __iter__(self) -> Iterator[bytes]:
        for block in self.blocks:
            self.content.update(block)
            self.size += len(block)
            yield block

    @property
    def sha256(self) -> str:
        """Give the digest of the file as far as it has been read, in hexadecimal."""
        return str((self.sealed or self.content).hexdigest())


@dataclass(frozen=True, slots=True)
class Input:
    """One thing to read: a file, or a member of an archive. `open` may be called again and again."""

    path: str
    modified: datetime
    open: Callable[[], Stream]


@dataclass(frozen=True, slots=True)
class Unreadable:
    """What was asked for and cannot be read, with the reason and what to do."""

    path: str
    reason: str


def find(asked: Iterable[str]) -> Iterator[Input | Unreadable]:
    """Give every input behind what the user asked for: files, folders, globs, `-`, and what is packed in them."""
    for name in asked:
        if name == "-":
            yield from _standard_input()
            continue
        path = Path(name)
        found = sorted(Path().glob(name)) if not path.exists() and _is_glob(name) and not path.is_absolute() else [path]
        if not path.exists() and _is_glob(name) and path.is_absolute():
            found = sorted(Path(path.anchor).glob(str(path.relative_to(path.anchor))))
        if not found:
            yield Unreadable(name, "no file matches this pattern; check the path")
        for one in found:
            yield from _walk(one)


def _is_glob(name: str) -> bool:
    return any(sign in name for sign in "*?[")


def _walk(path: Path) -> Iterator[Input | Unreadable]:
    if path.is_dir():
        files = sorted(one for one in path.rglob("*") if one.is_file())
        if not files:
            yield Unreadable(str(path), "this folder holds no files; give the folder that the logs lie in")
        for one in files:
            yield from _file(one)
    else:
        yield from _file(path)


def _file(path: Path) -> Iterator[Input | Unreadable]:
    try:
        stat = path.stat()
        with path.open("rb") as file:
            head = file.read(512)
    except OSError as error:
        yield Unreadable(str(path), f"{error.strerror}; check the path and that you may read it")
        return
    modified = datetime.fromtimestamp(stat.st_mtime, UTC)
    size = stat.st_size
    yield from _unpacked(str(path), modified, head, partial(_raw, path, size))


def _raw(path: Path, size: int, notes: _Notes) -> Iterator[bytes]:
    """Read `path` as far as it went when it was found: a log that grows meanwhile is cut at a known place."""
    left = size
    try:
        with path.open("rb") as file:
            while left and (block := file.read(min(_READ, left))):
                left -= len(block)
                yield notes.seal(block)
    except OSError as error:
        notes.problems.append(f"cannot be read on: {error.strerror}; what came before that was read")
        return
    if left:
        notes.problems.append(f"became shorter by {left} bytes while it was read; give it again")


def _standard_input() -> Iterator[Input | Unreadable]:
    """Keep standard input in a private unnamed file, since it is looked at first and read afterwards."""
    with open(0, "rb", closefd=False) as stdin:
        spool = _Spool(iter(partial(stdin.read, _READ), b""))
    size = os.fstat(spool.fileno()).st_size
    yield from _unpacked("-", datetime.now(UTC), *_slice(spool, 0, size))


def _packing(head: bytes) -> str:
    if head[257:262] == b"ustar":
        return "tar"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def _unpacked(path: str, modified: datetime, head: bytes, raw: _Raw, depth: int = 0) -> Iterator[Input | Unreadable]:
    """Unfold `raw` until it is lines: one input for a plain or compressed file, one a member for an archive."""
    packing = _packing(head)
    if depth > 4:
        yield Unreadable(path, "packed more than four times over; unpack it first")
    elif packing in _INFLATERS:
        unpacked = partial(_unpack, raw, packing)
        inner = _peek(unpacked(_Notes()))
        if _packing(inner):
            yield from _unpacked(path, modified, inner, unpacked, depth + 1)
        else:
            yield Input(path, modified, partial(_stream, raw, packing))
    elif packing:
        yield from (_tar if packing == "tar" else _zip)(path, raw, depth)
    else:
        yield Input(path, modified, partial(_stream, raw, ""))


def _peek(blocks: Iterator[bytes]) -> bytes:
    found = b""
    for block in blocks:
        found += block
        if len(found) >= _LOOK:
            break
    return found[:_LOOK]


def _stream(raw: _Raw, packing: str) -> Stream:
    if not packing:
        notes = _Notes()
        return Stream(raw(notes), notes.problems)
    notes = _Notes(sealed=hashlib.sha256())
    return Stream(_unpack(raw, packing, notes), notes.problems, notes.sealed)


def _unpack(raw: _Raw, packing: str, notes: _Notes) -> Iterator[bytes]:
    return _inflate(raw(notes), packing, notes.problems)


def _inflate(raw: Iterator[bytes], packing: str, problems: list[str]) -> Iterator[bytes]:
    """Decompress, members one after another; a truncated or damaged end gives what came before it."""
    make = _INFLATERS[packing]
    engine, begun = make(), False
    for data in raw:
        rest = data
        while rest:
            begun = True
            try:
                yield from engine.decompress(rest)
            except (zlib.error, OSError, lzma.LZMAError, EOFError, zstandard.ZstdError) as error:
                problems.append(f"damaged {packing}: {error}; what could be unpacked before that was read")
                for _ in raw:
                    pass  # for the digest of the whole file
                return
            rest = b""
            if engine.eof:
                rest = engine.unused_data.lstrip(b"\0")
                engine, begun = make(), bool(rest)
    if begun:
        problems.append(f"truncated {packing}: its end is missing; what is there was read")


class _Spool(io.FileIO):
    """A private unnamed file that an archive is unpacked into; it goes with the last input that reads from it."""

    def __init__(self, blocks: Iterable[bytes]) -> None:
        with tempfile.TemporaryFile() as file:
            super().__init__(os.dup(file.fileno()), "rb+")
        self.writelines(blocks)
        self.seek(0)

    def __del__(self) -> None:
        self.close()


def _tar(path: str, raw: _Raw, depth: int) -> Iterator[Input | Unreadable]:
    notes = _Notes()
    spool = _Spool(raw(notes))
    try:
        with tarfile.open(fileobj=spool, mode="r:") as archive:
            for member in archive:
                if member.isfile():
                    part = _slice(spool, member.offset_data, member.size)
                    yield from _unpacked(f"{path}!{member.name}", _moment(member.mtime), *part, depth + 1)
    except (tarfile.TarError, OSError) as error:
        notes.problems.append(f"damaged tar: {error}; what came before that was read")
    for problem in notes.problems:
        yield Unreadable(path, problem)


def _moment(seconds: float) -> datetime:
    try:
        return datetime.fromtimestamp(seconds, UTC)
    except (ValueError, OverflowError, OSError):
        return datetime.now(UTC)


def _slice(spool: _Spool, place: int, size: int) -> tuple[bytes, _Raw]:
    """Give the head and the reader of a part of `spool`; several threads may read several parts."""

    def read(notes: _Notes) -> Iterator[bytes]:
        done = 0
        while done < size and (block := os.pread(spool.fileno(), min(_READ, size - done), place + done)):
            done += len(block)
            yield notes.seal(block)
        if done < size:
            notes.problems.append("truncated tar: the end of this member is missing; what is there was read")

    return _peek(read(_Notes())), read


def _zip(path: str, raw: _Raw, depth: int) -> Iterator[Input | Unreadable]:
    notes = _Notes()
    try:
        archive = zipfile.ZipFile(_Spool(raw(notes)))
    except (zipfile.BadZipFile, ValueError, OSError) as error:
        notes.problems.append(f"damaged zip: {error}; unpack by hand what can be saved and give the folder")
    else:
        for member in archive.infolist():
            if member.flag_bits & 1:
                yield Unreadable(f"{path}!{member.filename}", "locked with a password; unpack it and give the folder")
            elif not member.is_dir():
                read = partial(_zip_member, archive, member)
                year, month, day, hour, minute, second = member.date_time
                when = _moment(timegm((year, max(month, 1), max(day, 1), hour, minute, second)))
                yield from _unpacked(f"{path}!{member.filename}", when, _peek(read(_Notes())), read, depth + 1)
    for problem in notes.problems:
        yield Unreadable(path, problem)


def _zip_member(archive: zipfile.ZipFile, member: zipfile.ZipInfo, notes: _Notes) -> Iterator[bytes]:
    try:
        with archive.open(member) as file:
            while block := file.read(_READ):
                yield notes.seal(block)
    except (zipfile.BadZipFile, zlib.error, lzma.LZMAError, OSError, EOFError, NotImplementedError) as error:
        notes.problems.append(f"damaged zip: {error}; what could be unpacked before that was read")


@dataclass(frozen=True, slots=True)
class Block:
    """Whole lines, `first` being the record number of the first of them, and how many there are.

    `overlong` means: part of a line too long to be held; only the first part of it counts as a record.
    """

    first: int
    data: bytes
    overlong: bool = False


def blocks(stream: Iterable[bytes], first: int = 1, size: int = BLOCK) -> Iterator[Block]:
    """Cut `stream` into blocks of whole lines of about `size` bytes; a last line without an end is a line too.

    `first` is the number of the first record. Bounded memory: a line beyond `size` comes in overlong parts.
    """
    held: list[bytes] = []
    have, record, spilling = 0, first, False
    for part in stream:
        data = part
        if spilling:
            end = data.find(b"\n") + 1
            yield Block(record, data[:end] if end else data, overlong=True)
            if not end:
                continue
            record, spilling, data = record + 1, False, data[end:]
        held.append(data)
        have += len(data)
        if have < size:
            continue
        cut = data.rfind(b"\n") + 1
        if cut or any(b"\n" in one for one in held):
            whole, rest = _cut(held, cut)
            yield Block(record, whole)
            record += whole.count(b"\n")
            held, have = [rest], len(rest)
        else:
            yield Block(record, b"".join(held), overlong=True)
            held, have, spilling = [], 0, True
    if rest := b"".join(held):
        yield Block(record, rest)


def _cut(held: list[bytes], cut: int) -> tuple[bytes, bytes]:
    """Join what is held up to its last line end; `cut` is that place in the last part, 0 where it has none."""
    if cut:
        last = held[-1]
        return b"".join([*held[:-1], last[:cut]]), last[cut:]
    whole = b"".join(held)
    place = whole.rfind(b"\n") + 1
    return whole[:place], whole[place:]


def peek(one: Input, size: int = 256 << 10) -> list[str]:
    """Give the first lines of an input as text, for looking at only."""
    found = b""
    with closing(iter(one.open())) as stream:  # type: ignore[type-var]
        for block in stream:
            found += block
            if len(found) >= size:
                break
    lines = found[:size].replace(b"\0", b"").decode("utf-8", "backslashreplace").splitlines()
    return lines if len(found) < size else lines[:-1]
