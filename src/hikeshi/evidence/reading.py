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
import tarfile
import tempfile
import zipfile
import zlib
from collections.abc import Callable, Iterable, Iterator
from contextlib import closing
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, BinaryIO

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
_INFLATERS: dict[str, Callable[[], Any]] = {
    "gz": lambda: zlib.decompressobj(31),
    "bz2": bz2.BZ2Decompressor,
    "xz": lzma.LZMADecompressor,
    "zst": lambda: zstandard.ZstdDecompressor().decompressobj(),
}


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
            yield _standard_input()
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
    yield from _unpacked(str(path), modified, head, lambda: _raw(path, size))


def _raw(path: Path, size: int) -> Iterator[bytes]:
    """Read `path` as far as it went when it was found: a log that grows meanwhile is cut at a known place."""
    left = size
    with path.open("rb") as file:
        while left and (block := file.read(min(_READ, left))):
            left -= len(block)
            yield block


def _standard_input() -> Input:
    """Keep standard input in a private unnamed file, since it is looked at first and read afterwards."""
    spool: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - lives as long as the input
    with open(0, "rb", closefd=False) as stdin:  # noqa: PTH123 - a descriptor, not a path
        while block := stdin.read(_READ):
            spool.write(block)

    def raw() -> Iterator[bytes]:
        spool.seek(0)
        while block := spool.read(_READ):
            yield block

    spool.seek(0)
    head = spool.read(512)
    now = datetime.now(UTC)
    packed = list(_unpacked("-", now, head, raw))
    return packed[0] if packed and isinstance(packed[0], Input) else Input("-", now, lambda: Stream(raw()))


def _packing(head: bytes) -> str:
    if head[257:262] == b"ustar":
        return "tar"
    return next((name for magic, name in _MAGIC if head.startswith(magic)), "")


def _unpacked(
    path: str, modified: datetime, head: bytes, raw: Callable[[], Iterator[bytes]], depth: int = 0
) -> Iterator[Input | Unreadable]:
    """Unfold `raw` until it is lines: one input for a plain or compressed file, one a member for an archive."""
    packing = _packing(head)
    if depth > 4:
        yield Unreadable(path, "packed more than four times over; unpack it first")
    elif packing in _INFLATERS:
        inner = _peek(_inflate(raw(), packing, []))
        if _packing(inner) and inner:
            yield from _unpacked(path, modified, inner, lambda: _inflate(raw(), packing, []), depth + 1)
        else:
            yield Input(path, modified, lambda: _stream(raw, packing))
    elif packing in ("tar", "zip"):
        yield from (_tar if packing == "tar" else _zip)(path, raw, depth)
    else:
        yield Input(path, modified, lambda: Stream(raw()))


def _peek(blocks: Iterator[bytes]) -> bytes:
    try:
        return next(blocks, b"")[:512]
    finally:
        if hasattr(blocks, "close"):
            blocks.close()


def _stream(raw: Callable[[], Iterator[bytes]], packing: str) -> Stream:
    problems: list[str] = []
    sealed = hashlib.sha256()
    return Stream(_inflate(_hashed(raw(), sealed), packing, problems), problems, sealed)


def _hashed(raw: Iterator[bytes], digest: Any) -> Iterator[bytes]:
    for block in raw:
        digest.update(block)
        yield block


def _inflate(raw: Iterator[bytes], packing: str, problems: list[str]) -> Iterator[bytes]:
    """Decompress, members one after another; a truncated or damaged end gives what came before it."""
    make = _INFLATERS[packing]
    engine, rest, begun = make(), b"", False
    for block in raw:
        data = rest + block
        while data:
            begun = True
            try:
                out = engine.decompress(data)
            except (zlib.error, OSError, lzma.LZMAError, EOFError, zstandard.ZstdError) as error:
                problems.append(f"damaged {packing}: {error}; what could be unpacked before that was read")
                return
            if out:
                yield out
            data = engine.unused_data if engine.eof else b""
            if engine.eof:
                data = data.lstrip(b"\0")
                engine, begun = make(), bool(data)
        rest = b""
    if begun:
        problems.append(f"truncated {packing}: its end is missing; what is there was read")


def _spool(raw: Callable[[], Iterator[bytes]]) -> BinaryIO:
    spool: BinaryIO = tempfile.TemporaryFile()  # noqa: SIM115 - closed by who asked
    for block in raw():
        spool.write(block)
    spool.seek(0)
    return spool


def _tar(path: str, raw: Callable[[], Iterator[bytes]], depth: int) -> Iterator[Input | Unreadable]:
    spool = _spool(raw)
    try:
        with tarfile.open(fileobj=spool, mode="r:") as archive:
            for member in archive.getmembers():
                if member.isfile():
                    place, size = member.offset_data, member.size
                    read = _slice(spool, place, size)
                    when = datetime.fromtimestamp(member.mtime, UTC)
                    yield from _unpacked(f"{path}!{member.name}", when, _peek(read()), read, depth + 1)
    except tarfile.TarError as error:
        yield Unreadable(path, f"damaged tar: {error}; unpack by hand what can be saved")


def _slice(spool: BinaryIO, place: int, size: int) -> Callable[[], Iterator[bytes]]:
    def read() -> Iterator[bytes]:
        done = 0
        while done < size:
            spool.seek(place + done)
            block = spool.read(min(_READ, size - done))
            if not block:
                return
            done += len(block)
            yield block

    return read


def _zip(path: str, raw: Callable[[], Iterator[bytes]], depth: int) -> Iterator[Input | Unreadable]:
    spool = _spool(raw)
    try:
        archive = zipfile.ZipFile(spool)
        for member in archive.infolist():
            if not member.is_dir():
                when = datetime(*member.date_time, tzinfo=UTC)
                read = _zip_member(archive, member.filename)
                yield from _unpacked(f"{path}!{member.filename}", when, _peek(read()), read, depth + 1)
    except (zipfile.BadZipFile, RuntimeError, ValueError) as error:
        yield Unreadable(path, f"damaged or locked zip: {error}; unpack it by hand and give the folder")


def _zip_member(archive: zipfile.ZipFile, name: str) -> Callable[[], Iterator[bytes]]:
    def read() -> Iterator[bytes]:
        with archive.open(name) as file:
            while block := file.read(_READ):
                yield block

    return read


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
    held = io.BytesIO()
    record, spilling = first, False
    for part in stream:
        data = part
        if spilling:
            end = data.find(b"\n") + 1
            yield Block(record, data[:end] if end else data, overlong=True)
            if not end:
                continue
            record, spilling, data = record + 1, False, data[end:]
        held.write(data)
        if held.tell() < size:
            continue
        whole = held.getvalue()
        cut = whole.rfind(b"\n") + 1
        held = io.BytesIO()
        if cut:
            yield Block(record, whole[:cut])
            record += whole.count(b"\n", 0, cut)
            held.write(whole[cut:])
        else:
            yield Block(record, whole, overlong=True)
            spilling = True
    if rest := held.getvalue():
        yield Block(record, rest)


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
