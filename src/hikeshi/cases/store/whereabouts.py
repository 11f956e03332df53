# SPDX-License-Identifier: Apache-2.0
"""Where a case is kept: in `case.db` of its folder, or in the PostgreSQL database that its file `store` names.

`store` is two lines, the address and the case's identity there, since several cases share a database. The address has
no password: libpq finds it by itself in PGPASSWORD, in PGPASSFILE or ~/.pgpass, or in a service file.
"""

import os
import re
import sqlite3
import stat
import uuid
from contextlib import closing, suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Final
from urllib.parse import parse_qs, unquote, urlsplit

from hikeshi.basics.errors import UsageError
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import database
from hikeshi.cases.store.database import StoreError

FILE: Final = "store"
DATABASE: Final = "case.db"
_FORM: Final = "postgresql://USER@HOST:PORT/DATABASE"
_UUID: Final = re.compile(r"[0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12}")


@dataclass(frozen=True, slots=True)
class Place:
    """Where the case in the folder `case` is kept: in PostgreSQL at `url` as `case_id`, or in SQLite where they are None."""

    case: Path
    url: str | None = None
    case_id: str | None = None


def whereabouts(case: Path) -> Place:
    """Say where the case in the folder `case` is kept.

    Raises:
        StoreError: the file `store` is not as `place` writes it, or others may read or write it.

    """
    path = case / FILE
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            mode = stat.S_IMODE(os.fstat(file.fileno()).st_mode)
            lines = file.read(10_000).split()
    except FileNotFoundError:
        return Place(case)
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; it must be readable for whoever works on the case") from error
    if mode & 0o077:
        raise StoreError(f"{path}: others may read or write it; make it private: chmod 600 {path}")
    if len(lines) != 2 or not _UUID.fullmatch(lines[1]):
        raise StoreError(f"{path}: it is not as `hikeshi case place` writes it, two lines: {_FORM} and an identity")
    return Place(case, checked(lines[0]), lines[1])


def place(case: Path, url: str) -> None:
    """Keep the new case in the folder `case` at the PostgreSQL `url`: make the schema there, and write `store`.

    Raises:
        UsageError: the url is none, or holds a password.
        StoreError: the case is kept somewhere already, or the database cannot be used.

    """
    url = checked(url)
    folder = CaseFolder(case)
    with folder.locked():
        known = whereabouts(case)
        if known.url == url:
            return
        if known.url is not None:
            raise StoreError(f"{case / FILE}: the case is kept in {known.url} already; give a new case another folder")
        if _has_entries(case / DATABASE):
            raise StoreError(f"{case / DATABASE}: the case has entries there, and they stay there; place a new case")
        # The database first: a `store` that names a case which nobody knows would be worse than a case without entries.
        case_id = str(uuid.uuid4())
        database.make(url, case_id, case)
        with folder.writing(FILE) as file:
            file.write(f"{url}\n{case_id}\n")
        _own(case / FILE, case)


def file_of(case: Path) -> Path:
    """Give the path of `case.db`, made private from birth, and its folder's owner's where root makes it.

    The guard writes into a case under its own user, and root investigates it.

    Raises:
        StoreError: it cannot be made there, or is no ordinary file.

    """
    path = case / DATABASE
    try:
        if not os.path.lexists(path):
            _make(path, case)
        if not stat.S_ISREG(path.lstat().st_mode):
            raise StoreError(f"{path}: that is no ordinary file; move it away")
    except OSError as error:
        raise StoreError(f"{path}: {error.strerror}; it must be a file that you may read and write") from error
    return path


def checked(url: str) -> str:
    """Give `url` if it is an address of PostgreSQL without a password.

    Raises:
        UsageError: it is not; the message does not repeat it.

    """
    try:
        parts = urlsplit(url)
        asked = parse_qs(parts.query, keep_blank_values=True)
    except ValueError:
        raise UsageError(f"that is no address of a PostgreSQL database; write {_FORM}") from None
    if parts.scheme not in {"postgresql", "postgres"} or any(one.isspace() for one in url) or not url.isprintable():
        raise UsageError(f"that is no address of a PostgreSQL database; write {_FORM}")
    # libpq takes everything before the @ for user and password, whatever signs stand in it.
    user = unquote(parts.netloc.rpartition("@")[0])
    if ":" in user or any(re.search("password|secret", key, re.IGNORECASE) for key in asked):
        raise UsageError(
            "an address with a password in it would be read by others; leave it out, and put the password into "
            "PGPASSWORD, PGPASSFILE (~/.pgpass) or a service file (?service=NAME)"
        )
    return url


def _has_entries(path: Path) -> bool:
    if not path.exists() or path.stat().st_size == 0:
        return False
    try:
        with closing(sqlite3.connect(f"{path.absolute().as_uri()}?mode=ro", uri=True)) as connection:
            return connection.execute("SELECT 1 FROM ledger LIMIT 1").fetchone() is not None
    except sqlite3.DatabaseError as error:
        return "no such table" not in str(error)


def _make(path: Path, case: Path) -> None:
    """Make an empty file, unless somebody else has just done so.

    Under another name first: SQLite's locks on a file end when any descriptor of it is closed.
    """
    fresh = path.with_name(f".{path.name}.{uuid.uuid4()}")
    descriptor = os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600)
    try:
        _give(descriptor, case)
        with suppress(FileExistsError):
            path.hardlink_to(fresh)
    finally:
        os.close(descriptor)
        fresh.unlink()


def _own(path: Path, case: Path) -> None:
    descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_CLOEXEC)
    try:
        _give(descriptor, case)
    finally:
        os.close(descriptor)


def _give(descriptor: int, case: Path) -> None:
    """Give a file to its folder's owner, where root has made it."""
    owner = case.stat()
    if os.geteuid() == 0 and owner.st_uid != 0:
        os.fchown(descriptor, owner.st_uid, owner.st_gid)
