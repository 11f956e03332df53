# SPDX-License-Identifier: Apache-2.0
"""Databases for the tests of the store: a file, and a real PostgreSQL server on loopback and a socket of its own.

Run as a program it is a writer of its own, to be raced with or killed: `add CASE TIMES` appends so many entries, and
`burst CASE` appends as fast as it can; both print the number of each entry once it is written.
"""

import os
import shutil
import signal
import socket
import sqlite3
import subprocess
import sys
import tempfile
import time
from contextlib import closing, contextmanager
from pathlib import Path

import psycopg

from hikeshi.cases.store import Draft, open_store, place

TABLES = ("cases", "ledger", "facts", "decisions", "actions", "receipts")
#: the tables of letters, which point at entries by no key of the database
OUTBOX = ("letters", "returns")
_USER = "postgres"
#: who may come in with which proof; the first line is for the tests of passwords
_ACCESS = """
host all locked 127.0.0.1/32 scram-sha-256
host all all 127.0.0.1/32 trust
local all all trust
"""


def programs():
    """Give the folder of the newest PostgreSQL here: Debian keeps them beside each other, others in the path."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin/initdb"), key=lambda path: int(path.parts[-3]))
    return found[-1].parent if found else Path(shutil.which("initdb") or "initdb").parent


def free_port():
    with closing(socket.socket()) as one:
        one.bind(("127.0.0.1", 0))
        return one.getsockname()[1]


class Server:
    """A PostgreSQL server of our own, in a folder that goes with it."""

    def __init__(self):
        # Not below pytest's folder, which is private to root: the server refuses to run as root.
        self.folder = Path(tempfile.mkdtemp(prefix="hikeshi-pg-", dir="/tmp"))
        self.port = free_port()
        self._as_user = []
        if os.geteuid() == 0:
            shutil.chown(self.folder, _USER, _USER)
            self._as_user = [
                "setpriv",
                f"--reuid={_USER}",
                f"--regid={_USER}",
                "--init-groups",
                "--pdeathsig=INT",
                "--",
            ]
        self._run("initdb", "-D", "data", "-U", "hikeshi", "-A", "trust", "--no-sync", "-E", "UTF8", "--locale=C")
        (self.folder / "data" / "pg_hba.conf").write_text(_ACCESS)
        settings = {
            "listen_addresses": "127.0.0.1",
            "port": self.port,
            "unix_socket_directories": self.folder,
            "fsync": os.environ.get("HIKESHI_FSYNC", "off"),
            "shared_buffers": "32MB",
        }
        with (self.folder / "log").open("wb") as log:
            self._server = subprocess.Popen(
                self._command("postgres", "-D", "data", *(f"--{key}={value}" for key, value in settings.items())),
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        self._wait()
        with self.connection("postgres") as connection:
            connection.execute("CREATE ROLE locked LOGIN SUPERUSER PASSWORD 'hi-no-yojin'")
        self.made = 0
        self.shared = self.database()

    def url(self, name, user="hikeshi"):
        return f"postgresql://{user}@127.0.0.1:{self.port}/{name}"

    def local(self, name):
        """Give the address by way of the socket."""
        return f"postgresql:///{name}?host={self.folder}&port={self.port}&user=hikeshi"

    def database(self):
        """Make a database that nobody has used."""
        self.made += 1
        name = f"case_{self.made}"
        with self.connection("postgres") as connection:
            connection.execute(f"CREATE DATABASE {name}")
        return name

    @contextmanager
    def connection(self, name):
        with closing(psycopg.connect(self.url(name), autocommit=True)) as connection:
            yield connection

    def stop(self):
        self._server.send_signal(signal.SIGQUIT)  # an immediate shutdown: nothing of it is kept
        self._server.wait(30)
        shutil.rmtree(self.folder)

    def _command(self, program, *arguments):
        return [*self._as_user, str(programs() / program), *arguments]

    def _run(self, *command):
        subprocess.run(self._command(*command), cwd=self.folder, check=True, capture_output=True)

    def _wait(self):
        deadline = time.monotonic() + 60
        while True:
            try:
                with self.connection("postgres"):
                    return
            except psycopg.OperationalError:
                if time.monotonic() > deadline or self._server.poll() is not None:
                    raise
                time.sleep(0.05)


class File:
    """A case in a file, as a person gets it who asks for nothing."""

    name = "sqlite"
    errors = sqlite3.Error

    def __init__(self, case):
        self.case = case

    @contextmanager
    def raw(self):
        """Go past hikeshi, as a forger would: no trigger and no key stands in the way, and bytes may be no text."""
        with closing(sqlite3.connect(self.case / "case.db", isolation_level=None)) as connection:
            connection.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
            triggers = connection.execute("SELECT name, sql FROM sqlite_master WHERE type = 'trigger'").fetchall()
            for name, _ in triggers:
                connection.execute(f"DROP TRIGGER {name}")
            try:
                yield lambda sql, values=(): connection.execute(sql.replace("%s", "?"), values)
            finally:
                for _, sql in triggers:
                    connection.execute(sql)

    @contextmanager
    def guarded(self):
        """Go past hikeshi, but not past the database's own guards."""
        with closing(sqlite3.connect(self.case / "case.db", isolation_level=None)) as connection:
            yield lambda sql, values=(): connection.execute(sql.replace("%s", "?"), values)


class Shared:
    """A case in a database on a server, `database` or one that cases of other tests were in before."""

    name = "postgresql"
    errors = psycopg.Error

    def __init__(self, case, server, database=None):
        self.case, self.server, self.database = case, server, database or server.shared
        place(case, server.local(self.database))
        if database is None:
            with self.raw() as execute:
                execute(f"TRUNCATE {', '.join(TABLES + OUTBOX)}")
            (case / "store").unlink()
            place(case, server.local(self.database))

    @contextmanager
    def raw(self):
        """See File."""
        with self.guarded() as execute:
            execute("SET session_replication_role = replica")
            yield execute

    @contextmanager
    def guarded(self):
        """See File."""
        with self.server.connection(self.database) as connection:
            yield connection.execute


def writer(*arguments):
    """Start a writer of its own."""
    return subprocess.Popen(
        [sys.executable, "-W", "error", __file__, *map(str, arguments)], stdout=subprocess.PIPE, text=True
    )


def _main(verb, case, times="0"):
    with open_store(Path(case)) as store:
        left = int(times)
        while verb == "burst" or left:
            entry, _ = store.append(
                Draft("run", {"process": os.getpid(), "left": left}),
                Draft("action", {"plan": "p", "action": f"a{left % 3}", "state": "begun", "attempt": left}),
            )
            sys.stdout.write(f"{entry.seq}\n")
            sys.stdout.flush()
            left -= 1


if __name__ == "__main__":
    _main(*sys.argv[1:])
