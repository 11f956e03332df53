# SPDX-License-Identifier: Apache-2.0
"""The SQLite file of a state: how it is opened, and every statement that touches it.

Private to its owner, in WAL mode so that the desk reads while the guard writes. `synchronous=NORMAL`: a process that
dies loses nothing that was committed, a machine that loses its power perhaps the last commits.
"""

import fcntl
import json
import os
import secrets
import sqlite3
import time
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from hikeshi.guard.state.store import KEPT, VERSION, Hold, Order, Settled, StateError, plain, written

#: an account, its bytes, and the times of its recipients by hash
Row = tuple[str, bytes, Mapping[int, float]]

#: "hkst", which makes a SQLite file one of ours
_OURS: Final = 0x686B7374
#: seconds to wait for another process that writes
_PATIENCE: Final = 5.0

_LAYOUT: Final = f"""
    CREATE TABLE salt (salt BLOB NOT NULL);
    CREATE TABLE accounts (number INTEGER PRIMARY KEY, account TEXT NOT NULL UNIQUE, state BLOB NOT NULL);
    CREATE TABLE recipients (
        account INTEGER NOT NULL, hash INTEGER NOT NULL, time REAL NOT NULL, PRIMARY KEY (account, hash)
    ) WITHOUT ROWID;
    CREATE TABLE organisation (name TEXT PRIMARY KEY, times REAL NOT NULL, chances REAL NOT NULL);
    CREATE TABLE norm (name TEXT PRIMARY KEY, value REAL NOT NULL);
    CREATE TABLE holds (
        identity TEXT PRIMARY KEY, account TEXT NOT NULL, time REAL NOT NULL, hold TEXT NOT NULL,
        outcome TEXT, who TEXT, why TEXT, settled REAL
    );
    CREATE TABLE orders (number INTEGER PRIMARY KEY, written TEXT NOT NULL);
    PRAGMA application_id = {_OURS};
    PRAGMA user_version = {VERSION};
"""


def locked(path: Path) -> int:
    """Take the state at `path` for one guard; give what `unlocked` wants.

    A file of its own is locked, for SQLite's own locks on the state end when any descriptor of it is closed.

    Raises:
        StateError: another guard has it, or it cannot be made there.

    """
    _be_there(path)
    lock = path.with_name(path.name + ".lock")
    try:
        descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise StateError(f"--state {path}: {error.strerror}; give a file where you may write") from error
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        os.close(descriptor)
        raise StateError(
            f"--state {path}: another hikeshi guard is at work in it; stop it, or let several share a redis:// state"
        ) from error
    return descriptor


def unlocked(lock: int | None) -> None:
    """Let go of what `locked` took."""
    if lock is not None:
        os.close(lock)


def opened(path: Path, *, new: bool) -> sqlite3.Connection:
    """Open the state at `path`; made and laid out if it is not there and may be `new`.

    Raises:
        StateError: it is not there, no state of ours, of another version, or cannot be used.

    """
    _be_there(path)
    try:
        os.close(os.open(path, os.O_RDWR | os.O_CLOEXEC | (os.O_CREAT if new else 0), 0o600))  # private from birth
        connection = sqlite3.connect(path, timeout=_PATIENCE, isolation_level=None, check_same_thread=False)
    except FileNotFoundError as error:
        raise StateError(f"--state {path}: there is no state yet; hikeshi guard makes it") from error
    except (OSError, sqlite3.Error) as error:
        raise StateError(f"--state {path}: {error}; give a file where you may read and write") from error
    try:
        _be_ours(connection, path, new=new)
        connection.execute("PRAGMA journal_mode = WAL")
        connection.execute("PRAGMA synchronous = NORMAL")
    except sqlite3.DatabaseError as error:
        connection.close()
        raise StateError(
            f"--state {path}: no state of hikeshi can be read there ({error}); give another file"
        ) from error
    except BaseException:
        connection.close()
        raise
    return connection


def _be_there(path: Path) -> None:
    if not path.parent.is_dir():
        raise StateError(f"--state {path}: its folder is not there; make it: mkdir -p -m 700 {path.parent}")
    if path.is_dir():
        raise StateError(f"--state {path}: that is a folder; give a file in it, such as {path / 'state.db'}")


def _be_ours(connection: sqlite3.Connection, path: Path, *, new: bool) -> None:
    (ours,) = connection.execute("PRAGMA application_id").fetchone()
    (version,) = connection.execute("PRAGMA user_version").fetchone()
    (tables,) = connection.execute("SELECT count(*) FROM sqlite_master").fetchone()
    if new and (ours, version, tables) == (0, 0, 0):
        with _all_or_nothing(connection):
            for statement in _LAYOUT.split(";"):
                connection.execute(statement)
            connection.execute("INSERT INTO salt VALUES (?)", (secrets.token_bytes(16),))
    elif ours != _OURS:
        raise StateError(f"--state {path}: that is no state of hikeshi; give another file")
    elif version != VERSION:
        raise StateError(
            f"--state {path}: its layout is number {version} and this hikeshi reads number {VERSION}; "
            "use the hikeshi that made it, or learn into a new file"
        )


@contextmanager
def _all_or_nothing(connection: sqlite3.Connection) -> Iterator[None]:
    connection.execute("BEGIN IMMEDIATE")
    try:
        yield
        connection.execute("COMMIT")
    except BaseException:
        if connection.in_transaction:
            connection.execute("ROLLBACK")
        raise


def salt(connection: sqlite3.Connection) -> bytes:
    """Give the key of the hashes of addresses."""
    (found,) = connection.execute("SELECT salt FROM salt").fetchone()
    return bytes(found)


def account(connection: sqlite3.Connection, name: str) -> tuple[bytes | None, dict[int, float]]:
    """Give the bytes of an account, None where it is unknown, and the times of its recipients by hash."""
    found = connection.execute("SELECT number, state FROM accounts WHERE account = ?", (name,)).fetchone()
    if found is None:
        return None, {}
    number, state = found
    rows = connection.execute("SELECT hash, time FROM recipients WHERE account = ?", (number,)).fetchall()
    return bytes(state), dict(rows)


def forget(connection: sqlite3.Connection, name: str, before: float) -> None:
    """Forget the recipients that an account last wrote to before a time."""
    connection.execute(
        "DELETE FROM recipients WHERE account = (SELECT number FROM accounts WHERE account = ?) AND time < ?",
        (name, before),
    )


def write(connection: sqlite3.Connection, rows: Iterable[Row], sums: Mapping[str, tuple[float, float]]) -> None:
    """Write accounts, recipients and the organisation's sums, all or nothing."""
    with _all_or_nothing(connection):
        for name, state, recipients in rows:
            connection.execute(
                "INSERT INTO accounts (account, state) VALUES (?, ?)"
                " ON CONFLICT (account) DO UPDATE SET state = excluded.state",
                (name, state),
            )
            if recipients:
                (number,) = connection.execute("SELECT number FROM accounts WHERE account = ?", (name,)).fetchone()
                connection.executemany(
                    "INSERT OR REPLACE INTO recipients VALUES (?, ?, ?)",
                    ((number, key, last) for key, last in recipients.items()),
                )
        connection.executemany(
            "INSERT OR REPLACE INTO organisation VALUES (?, ?, ?)",
            ((name, times, chances) for name, (times, chances) in sums.items()),
        )


def organisation(connection: sqlite3.Connection) -> dict[str, tuple[float, float]]:
    """Give the organisation's sums."""
    rows = connection.execute("SELECT name, times, chances FROM organisation").fetchall()
    return {name: (times, chances) for name, times, chances in rows}


def norm(connection: sqlite3.Connection) -> dict[str, float]:
    """Give the named numbers."""
    return dict(connection.execute("SELECT name, value FROM norm").fetchall())


def set_norm(connection: sqlite3.Connection, numbers: Mapping[str, float]) -> None:
    """Set named numbers, all or none."""
    with _all_or_nothing(connection):
        connection.executemany("INSERT OR REPLACE INTO norm VALUES (?, ?)", numbers.items())


def hold(connection: sqlite3.Connection, one: Hold) -> None:
    """Write down a hold, once."""
    connection.execute(
        "INSERT OR IGNORE INTO holds (identity, account, time, hold) VALUES (?, ?, ?, ?)",
        (one.identity, plain(one.account), one.time, written(one)),
    )


def holds(connection: sqlite3.Connection, name: str | None) -> list[Hold]:
    """Give the holds that wait, of all accounts or of one, by time."""
    rows = connection.execute(
        "SELECT hold FROM holds WHERE outcome IS NULL AND account = coalesce(?, account) ORDER BY time, identity",
        (name if name is None else plain(name),),
    ).fetchall()
    return [Hold(**json.loads(text)) for (text,) in rows]


def settle(connection: sqlite3.Connection, one: Hold, outcome: str, who: str, why: str) -> bool:
    """Settle a hold that waits, and forget those settled long ago; say whether it waited."""
    now = time.time()
    with _all_or_nothing(connection):
        connection.execute("DELETE FROM holds WHERE settled < ?", (now - KEPT,))
        return (
            connection.execute(
                "UPDATE holds SET outcome = ?, who = ?, why = ?, settled = ? WHERE identity = ? AND outcome IS NULL",
                (outcome, plain(who), plain(why), now, one.identity),
            ).rowcount
            == 1
        )


def settled(connection: sqlite3.Connection, name: str | None) -> list[Settled]:
    """Give the holds that wait no more, of all accounts or of one, by the time they were settled."""
    rows = connection.execute(
        "SELECT hold, outcome, who, why, settled FROM holds WHERE outcome IS NOT NULL AND account = coalesce(?, account)"
        " ORDER BY settled, identity",
        (name if name is None else plain(name),),
    ).fetchall()
    return [Settled(Hold(**json.loads(text)), *rest) for text, *rest in rows]


def order(connection: sqlite3.Connection, one: Order) -> None:
    """Write an order down."""
    connection.execute("INSERT INTO orders (written) VALUES (?)", (written(one),))


def orders(connection: sqlite3.Connection) -> list[Order]:
    """Give the orders, first come first."""
    rows = connection.execute("SELECT written FROM orders ORDER BY number").fetchall()
    return [Order(**json.loads(text)) for (text,) in rows]


def done(connection: sqlite3.Connection, one: Order) -> None:
    """Strike an order off."""
    connection.execute("DELETE FROM orders WHERE written = ?", (written(one),))
