# SPDX-License-Identifier: Apache-2.0
"""The two databases: how they are opened and brought up to date, and what their errors mean to a person."""

import re
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any, Final

import sqlalchemy
from sqlalchemy import Connection, Engine, event, insert, or_, select
from sqlalchemy.exc import DBAPIError, SQLAlchemyError
from sqlalchemy.pool import ConnectionPoolEntry

from hikeshi.basics.errors import HikeshiError
from hikeshi.cases.store import schema

if TYPE_CHECKING:
    import sqlite3

    import psycopg

#: seconds to wait for somebody else who writes
PATIENCE: Final = 30.0
#: "hkcs", which makes a SQLite file a case of ours
_OURS: Final = 0x686B6373
#: the number of a lock in PostgreSQL that openers take before they look whether the schema is to be brought up to date
_UPGRADING: Final = 0x686B6373
#: what stands before the first entry, where an entry has the digest of the one before it
NOTHING: Final = "0" * 64


class StoreError(HikeshiError):
    """The case's store cannot be used."""


#: what goes wrong with a file, by the beginning of SQLite's own name for it
_SQLITE: Final = {
    "SQLITE_BUSY": "somebody else has been writing to it for very long; end what holds it and try again",
    "SQLITE_LOCKED": "somebody else has been writing to it for very long; end what holds it and try again",
    "SQLITE_FULL": "the disk is full; nothing was written, make room and do it again",
    "SQLITE_READONLY": "it may not be written to; give yourself the right to, or mount its disk for writing",
    "SQLITE_CANTOPEN": "it cannot be opened; you must be allowed to read and write it and to make files beside it",
    "SQLITE_NOTADB": "that is no case of hikeshi; move it away or give another folder",
    "SQLITE_CORRUPT": "the file is damaged; keep a copy of it as it is and go on from a backup",
    "SQLITE_IOERR": "the disk does not read or write as it should; see the system's log",
}
#: what goes wrong with a server, by the beginning of its SQLSTATE (PostgreSQL's manual, appendix A)
_POSTGRESQL: Final = {
    "55P03": "somebody else has been writing to the case for very long; end what holds it and try again",
    "53100": "the server's disk is full; nothing was written, make room and do it again",
    "53": "the server has run out of something; nothing was written",
    "25006": "the server only reads; name the one that may be written to",
    "42501": "its user may not do that; make it the owner of the database",
    "42P01": "its tables are not there any more; see who has taken them away",
}


@contextmanager
def errors(where: str) -> Iterator[None]:
    """Tell what a database says as a StoreError: what, at `where`, and what to do."""
    try:
        yield
    except DBAPIError as error:
        raise StoreError(f"{where}: {_told(error.orig)}") from error
    except SQLAlchemyError as error:
        raise StoreError(f"{where}: {error}; see hikeshi case verify") from error


def _told(error: Any) -> str:
    if name := getattr(error, "sqlite_errorname", None):
        advice = next((text for begin, text in _SQLITE.items() if name.startswith(begin)), None)
        return advice or f"{error} ({name})"
    state = getattr(error, "sqlstate", None)
    says = getattr(getattr(error, "diag", None), "message_primary", None) or " ".join(str(error).split())
    advice = next((text for begin, text in _POSTGRESQL.items() if (state or "").startswith(begin)), None)
    # libpq tells what went wrong while connecting by words alone.
    if state is None and re.search("FATAL|password", says):
        advice = (
            "the server does not let us in: user and database must be there (createdb NAME), and the password in "
            "PGPASSWORD, PGPASSFILE or a service file"
        )
    elif advice is None and (state is None or state.startswith(("08", "57P"))):
        advice = (
            "the server cannot be reached; if something was just being written, see hikeshi case log before going on"
        )
    return f"{says}; {advice}" if advice else f"{says} (SQLSTATE {state})"


def sqlite(path: Path) -> Engine:
    """Give the SQLite file at `path`, made by now and perhaps empty."""
    engine = sqlalchemy.create_engine(
        sqlalchemy.URL.create("sqlite", database=str(path)), connect_args={"timeout": PATIENCE}, hide_parameters=True
    )
    event.listen(engine, "connect", _set_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _set_sqlite(connection: "sqlite3.Connection", _entry: ConnectionPoolEntry) -> None:
    # We begin transactions ourselves: the module would do so too late, and never before a SELECT.
    connection.isolation_level = None
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")
    _turn_on_wal(connection)


def _turn_on_wal(connection: "sqlite3.Connection") -> None:
    """Turn the write-ahead log on, which is kept in the file; the one thing that SQLite does not wait for by itself."""
    deadline = time.monotonic() + PATIENCE
    while connection.execute("PRAGMA journal_mode").fetchone() != ("wal",):
        try:
            connection.execute("PRAGMA journal_mode = WAL")
        except connection.OperationalError:
            if time.monotonic() > deadline:
                raise
            time.sleep(0.01)


def _begin_sqlite(connection: Connection) -> None:
    writing = connection.get_execution_options().get("writing", False)
    connection.exec_driver_sql("BEGIN IMMEDIATE" if writing else "BEGIN")


def postgresql(url: str) -> Engine:
    """Give the PostgreSQL database at `url`, which libpq reads, so that all of its own ways to a password work.

    Raises:
        StoreError: the library is not there.

    """
    try:
        import psycopg  # noqa: PLC0415 - an extra, and slow to come
    except ImportError as error:
        raise StoreError(
            f"a case in PostgreSQL needs its library: pip install 'hikeshi[postgresql]' ({error})"
        ) from error

    def connect() -> "psycopg.Connection[Any]":
        # A server that is gone without a word is noticed within half a minute; the address may say otherwise.
        given = psycopg.conninfo.conninfo_to_dict(url)
        ours = {"connect_timeout": "10", "tcp_user_timeout": "30000", "application_name": "hikeshi"}
        missing = {name: value for name, value in ours.items() if name not in given}
        return psycopg.connect(psycopg.conninfo.make_conninfo(url, **missing))

    return sqlalchemy.create_engine(
        "postgresql+psycopg://", creator=connect, pool_pre_ping=True, hide_parameters=True, pool_recycle=1800
    )


@contextmanager
def writing(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that writes; what it has written is on disk when the block has ended."""
    with engine.connect().execution_options(writing=True) as connection, connection.begin():
        if engine.dialect.name == "postgresql":
            connection.exec_driver_sql(
                f"SELECT set_config('lock_timeout', '{PATIENCE}s', true), set_config('synchronous_commit',"
                " CASE current_setting('synchronous_commit') WHEN 'off' THEN 'on'"
                " ELSE current_setting('synchronous_commit') END, true)"
            )
        yield connection


@contextmanager
def reading(engine: Engine) -> Iterator[Connection]:
    """Begin a transaction that only reads, and sees one moment however long it takes."""
    level = {"isolation_level": "REPEATABLE READ"} if engine.dialect.name == "postgresql" else {}
    with engine.connect().execution_options(**level) as connection, connection.begin():
        yield connection


def brought_up_to_date(engine: Engine, where: str) -> None:
    """Make or upgrade the schema, where it is older than this hikeshi's.

    Raises:
        StoreError: it is newer, or is no case of hikeshi's.

    """
    with reading(engine) as connection:
        if _version(connection, where) == schema.VERSION:
            return
    with writing(engine) as connection:
        postgres = engine.dialect.name == "postgresql"
        if postgres:
            connection.exec_driver_sql(f"SELECT pg_advisory_xact_lock({_UPGRADING})")
        # Somebody else may have done it while we waited.
        if _version(connection, where) == schema.VERSION:
            return
        from hikeshi.cases.store import upgrade  # noqa: PLC0415 - Alembic takes 0.2 s to come and is seldom needed

        upgrade.to_latest(connection)
        if not postgres:
            connection.exec_driver_sql(f"PRAGMA application_id = {_OURS}")


def _version(connection: Connection, where: str) -> str | None:
    """Give the schema's version, None where there is none yet."""
    inspector = sqlalchemy.inspect(connection)
    if inspector.has_table(schema.VERSION_TABLE):
        found = connection.exec_driver_sql(f"SELECT version_num FROM {schema.VERSION_TABLE}").scalars().all()
        version = str(found[0]) if found else None
        if version is not None and (not version.isdecimal() or int(version) > int(schema.VERSION)):
            raise StoreError(
                f"{where}: its schema is number {version} and this hikeshi knows up to {schema.VERSION}; "
                "use the newer hikeshi that wrote it: pip install --upgrade hikeshi"
            )
        return version
    if strange := sorted({*inspector.get_table_names()} & {*schema.METADATA.tables}):
        raise StoreError(
            f"{where}: it has tables of these names that are not hikeshi's: {', '.join(strange)}; give another database"
        )
    if connection.dialect.name == "sqlite" and inspector.get_table_names():
        raise StoreError(f"{where}: that is no case of hikeshi; move it away or give another folder")
    return None


def make(url: str, case_id: str, case: Path) -> None:
    """Make the case `case_id` in the PostgreSQL database at `url`, and its schema where it is not there.

    Raises:
        StoreError: the database cannot be used.

    """
    where = f"--case {case}, kept in {url}"
    engine = postgresql(url)
    try:
        with errors(where):
            brought_up_to_date(engine, where)
            with writing(engine) as connection:
                enter(connection, case_id)
    finally:
        engine.dispose()


def enter(connection: Connection, case_id: str) -> None:
    """Write down that there is the case `case_id`, without an entry yet."""
    connection.execute(insert(schema.cases).values(case_id=case_id, seq=0, digest=NOTHING))


def known(connection: Connection) -> list[str]:
    """Give the identities of the cases there."""
    return list(connection.execute(select(schema.cases.c.case_id)).scalars())


def has_others(connection: Connection, case_id: str) -> bool:
    """Say whether there are entries of other cases."""
    other = or_(schema.ledger.c.case_id < case_id, schema.ledger.c.case_id > case_id)  # which an index can tell
    return connection.execute(select(schema.ledger.c.seq).where(other).limit(1)).first() is not None
