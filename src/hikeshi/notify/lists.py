# SPDX-License-Identifier: Apache-2.0
"""Lists that people bring in: whose data may be exposed, and how people are reached. They are copied into the case.

What a list says has its digest in the ledger, so that a letter leads back to the line that it was written from (law 2).
"""

import csv
import hashlib
import io
import os
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Final, Literal, get_args

from hikeshi.basics.errors import CaseError, UsageError
from hikeshi.cases.entries import Status
from hikeshi.cases.folder import CaseFolder, defused
from hikeshi.cases.store import Draft, Store
from hikeshi.notify.addresses import AddressError, mailbox, mixed_scripts, person_of, shown

Language = Literal["en", "ja"]
#: which lists there are, with the columns that each must have, and those that it may have
LISTS: Final[Mapping[str, tuple[frozenset[str], frozenset[str]]]] = {
    "exposed": (frozenset({"address", "name", "items", "status"}), frozenset()),
    "contacts": (frozenset({"address"}), frozenset({"name", "language", "phone", "post"})),
}
#: where they are kept in the case folder, and what the ledger calls their coming
FOLDER: Final = "audience"
KIND: Final = "list"
_LARGEST: Final = 200_000_000


@dataclass(frozen=True, slots=True)
class Exposed:
    """What of a person's data may be exposed: kinds of data in words, and how sure that is (law 5)."""

    items: tuple[str, ...]
    status: Status


@dataclass(frozen=True, slots=True)
class Named:
    """A line of the list of exposed persons. `address` is empty where nobody knows one; `line` counts from 1."""

    line: int
    address: str
    name: str | None
    exposed: Exposed


@dataclass(frozen=True, slots=True)
class Contact:
    """How a person, or everybody of a domain (`@example.com`), is reached; None where the list says nothing."""

    name: str | None = None
    language: Language | None = None
    phone: str | None = None
    post: str | None = None


def bring_in(store: Store, case: Path, name: str, file: Path, *, who: str, why: str) -> int:
    """Copy a list into the case, in the place of the last one of that name, and give how many lines it has.

    Raises:
        UsageError: it cannot be read or is not such a list; the message names file and line.

    """
    if not who.strip() or not why.strip():
        raise UsageError("a list needs who brings it in, and why")
    try:
        if file.stat().st_size > _LARGEST:
            raise UsageError(f"{file}: is larger than {_LARGEST // 1_000_000} MB, so no list of people")
        data = file.read_bytes()
    except OSError as error:
        raise UsageError(f"{file}: {error.strerror}; give a CSV file") from error
    count = sum(1 for _ in (exposed(data, str(file)) if name == "exposed" else contacts(data, str(file)).items()))
    digest = hashlib.sha256(data).hexdigest()
    folder = CaseFolder(case / FOLDER)
    # A name of its own for each content: until the ledger names it, the last one stands.
    _write(folder.path / _file(name, digest), data)
    store.append(Draft(KIND, {"list": name, "sha256": digest, "lines": count, "why": why.strip()}, who.strip()))
    return count


def list_of(store: Store, case: Path, name: str) -> tuple[bytes, datetime] | None:
    """Give the list of that name which was brought in last, and when (aware, UTC); None where there is none.

    Raises:
        CaseError: it is not what was brought in.

    """
    last = next((one for one in reversed(store.entries(KIND)) if one.body["list"] == name), None)
    if last is None:
        return None
    path = case / FOLDER / _file(name, last.body["sha256"])
    data = path.read_bytes() if path.exists() else b""
    if hashlib.sha256(data).hexdigest() != last.body["sha256"]:
        raise CaseError(f"{path}: is not the list that was brought in; bring it in again: hikeshi notify people")
    return data, last.time


def exposed(data: bytes, where: str) -> Iterator[Named]:
    """Give the lines of a list of exposed persons: address, name, items (split at ;), status of law 5.

    An address that cannot be written to is given as it is: the person is not lost, but goes to the worklist.

    Raises:
        UsageError: it is no such list.

    """
    for line, row in _rows(data, where, "exposed"):
        status, items = row["status"] or "suspected", tuple(filter(None, map(str.strip, row["items"].split(";"))))
        if status not in get_args(Status):
            raise UsageError(f"{where}, line {line}: {shown(status)!r} is no status; there are {get_args(Status)}")
        if not items:
            raise UsageError(f"{where}, line {line}: says nothing of which data; fill items, split by ;")
        if not row["address"] and not row["name"]:
            raise UsageError(f"{where}, line {line}: has neither address nor name, so it is nobody")
        yield Named(line, row["address"], row["name"] or None, Exposed(items, status))  # type: ignore[arg-type] # checked above


def contacts(data: bytes, where: str) -> dict[str, Contact]:
    """Give a table of contacts by person, and by @domain for everybody there.

    Raises:
        UsageError: it is no such table; here an address must be right, since it only says how somebody is reached.

    """
    found: dict[str, Contact] = {}
    for line, row in _rows(data, where, "contacts"):
        address, language = row["address"], row.get("language", "").lower()
        try:
            mailbox(f"all{address}" if address.startswith("@") else address)
        except AddressError as error:
            raise UsageError(f"{where}, line {line}: {error}") from error
        if language not in ("", "en", "ja"):
            raise UsageError(f"{where}, line {line}: letters are written in en and ja, not in {shown(language)!r}")
        said = {key: row.get(key) or None for key in ("name", "phone", "post")}
        found[key_of(address)] = Contact(language=language or None, **said)  # type: ignore[arg-type] # checked above
    return found


def key_of(address: str) -> str:
    """Give what a table of contacts knows an address, or a domain beginning with @, by."""
    return person_of(f"all{address}").removeprefix("all") if address.startswith("@") else person_of(address)


def fit_name(name: str | None) -> str | None:
    """Give a name as a letter may greet with it, None for one that could be no name or another's in disguise."""
    if name is None or not name.strip() or not name.isprintable() or mixed_scripts(name) or len(name) > 80:
        return None
    return name.strip()


def _rows(data: bytes, where: str, name: str) -> Iterator[tuple[int, dict[str, str]]]:
    """Give the rows of a CSV, in UTF-8 or as Japanese spreadsheets save it, with the line that each begins in."""
    must, may = LISTS[name]
    rows = csv.DictReader(io.StringIO(_text(data, where), newline=""), strict=True)
    try:
        header = [one.strip().lower() for one in rows.fieldnames or ()]
        if not must <= set(header) or not set(header) <= must | may or len(set(header)) < len(header):
            wanted = ", ".join([*sorted(must), *(f"[{one}]" for one in sorted(may))])
            raise UsageError(f"{where}: the first line of this list has the columns {wanted}")
        rows.fieldnames = header
        for row in rows:
            if None in row or None in row.values():
                raise UsageError(f"{where}, line {rows.line_num}: has another number of cells than the first line")
            cells: dict[str, Any] = {key: undefused(cell.strip(" ")) for key, cell in row.items()}
            if any(cells.values()):
                yield rows.line_num, cells
    except csv.Error as error:
        raise UsageError(f"{where}, line {rows.line_num}: {error}") from error


def undefused(cell: str) -> str:
    """Give a cell of our own tables as it was before an apostrophe kept spreadsheets from running it."""
    return cell[1:] if cell[:1] == "'" and defused(cell[1:]) == cell else cell


def _text(data: bytes, where: str) -> str:
    for encoding in ("utf-8-sig", "cp932"):
        try:
            return data.decode(encoding)
        except UnicodeDecodeError:
            continue
    raise UsageError(f"{where}: is neither UTF-8 nor Shift_JIS; save it as CSV in UTF-8")


def _file(name: str, digest: str) -> str:
    return f"{name}-{digest[:16]}.csv"


def _write(path: Path, data: bytes) -> None:
    fresh = path.with_suffix(".new")
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "wb") as file:  # noqa: PTH123 - private from birth
        file.write(data)
        os.fsync(file.fileno())
    fresh.replace(path)
