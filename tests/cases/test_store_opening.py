# SPDX-License-Identifier: Apache-2.0
"""Opening a case's store: private, where it was put, brought up to date by whoever comes first, and clear about what is wrong."""

import os
import pwd
import re
import shutil
import sqlite3
import stat
import subprocess
import sys
import threading
from contextlib import closing

import pytest
import sqlalchemy
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from databases import OUTBOX, TABLES, File, free_port, writer

from hikeshi.basics.errors import CaseError, UsageError
from hikeshi.cases.store import Draft, StoreError, database, open_store, place, schema, upgrade
from hikeshi.cases.store.verify import verify

SECRET = "hi-no-yojin"  # noqa: S105 - of a server that lives as long as the test
ELSE = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(autouse=True)
def _no_settings_of_the_machine(monkeypatch):
    for name in [name for name in os.environ if name.startswith("PG")]:
        monkeypatch.delenv(name)


def mode(path):
    return stat.S_IMODE(path.stat().st_mode)


def test_all_files_of_a_case_are_private(tmp_path):
    """Whatever the umask says; those that SQLite keeps beside it while it is open, too."""
    before = os.umask(0)
    try:
        with open_store(tmp_path / "case") as store:
            store.append(Draft("run", {}))
            found = {path.name: mode(path) for path in (tmp_path / "case").iterdir()}
    finally:
        os.umask(before)
    assert found == dict.fromkeys(("case.db", "case.db-wal", "case.db-shm"), 0o600)
    assert mode(tmp_path / "case") == 0o700
    assert [path.name for path in (tmp_path / "case").iterdir()] == ["case.db"]


def test_what_root_makes_belongs_to_whom_the_folder_belongs(tmp_path, postgresql):
    """The guard writes there under its own user, and root investigates."""
    nobody = pwd.getpwnam("nobody")
    for name in ("file", "shared"):
        case = tmp_path / name
        case.mkdir(mode=0o700)
        os.chown(case, nobody.pw_uid, nobody.pw_gid)
        if name == "shared":
            place(case, postgresql.local(postgresql.shared))
        with open_store(case) as store:
            store.append(Draft("run", {}))
            made = [path for path in case.iterdir() if path.name != ".lock"]
            assert {path.stat().st_uid for path in made} == {nobody.pw_uid}
            assert {path.stat().st_gid for path in made} == {nobody.pw_gid}
            assert {mode(path) for path in made} == {0o600}


def test_a_case_is_the_same_case_when_it_is_opened_again(kept):
    """With its entries and its identity."""
    with open_store(kept.case) as store:
        written, case_id = store.append(Draft("run", {})), store.case_id
    with open_store(kept.case) as store:
        assert (store.entries(), store.case_id) == (written, case_id)


def test_two_cases_share_a_database_and_nothing_else(tmp_path, postgresql):
    """Neither sees, verifies or counts what is the other's."""
    name = postgresql.database()
    cases = [tmp_path / "one", tmp_path / "two"]
    for case in cases:
        place(case, postgresql.url(name))
    with open_store(cases[0]) as one, open_store(cases[1]) as two:
        assert one.case_id != two.case_id
        one.append(Draft("run", {"n": 1}), Draft("run", {"n": 2}))
        two.append(Draft("run", {"n": 3}))
        assert [entry.body["n"] for entry in one.entries()] == [1, 2]
        assert [entry.seq for entry in two.entries()] == [1]
        assert verify(one).deviations == verify(two).deviations == []


def test_many_open_a_new_case_at_once(tmp_path):
    """In threads and in processes: one makes it, all have it."""
    kept = File(tmp_path / "case")
    writers = [writer("add", kept.case, 1) for _ in range(4)]
    found, barrier = [], threading.Barrier(6)

    def come():
        barrier.wait()
        with open_store(kept.case) as store:
            store.append(Draft("run", {}))
            found.append(store.case_id)

    threads = [threading.Thread(target=come) for _ in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    for one in writers:
        one.communicate()
    assert [one.returncode for one in writers] == [0] * 4
    assert len(found) == 6
    assert len(set(found)) == 1
    with open_store(kept.case) as store:
        assert len(store.entries()) == 6 + 4 * 2
        assert verify(store).deviations == []
    assert [path.name for path in kept.case.iterdir()] == ["case.db"]


def test_many_make_the_schema_of_a_server_at_once(tmp_path, postgresql):
    """The first cases of a new database, all on the same day."""
    name, wrong = postgresql.database(), []

    def come(number):
        try:
            place(tmp_path / str(number), postgresql.url(name))
        except StoreError as error:
            wrong.append(error)

    threads = [threading.Thread(target=come, args=[number]) for number in range(6)]
    for one in threads:
        one.start()
    for one in threads:
        one.join()
    assert wrong == []
    for number in range(6):
        with open_store(tmp_path / str(number)) as store:
            assert len(store.append(Draft("run", {}))) == 1


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_the_steps_make_the_schema_that_the_code_has(kind, tmp_path, request):
    """Table by table, column by column, index by index; the last step is the number that is compared at opening."""
    if kind == "sqlite":
        with open_store(tmp_path):
            engine = database.sqlite(tmp_path / "case.db")
    else:
        server = request.getfixturevalue("postgresql")
        name = server.database()
        place(tmp_path, server.url(name))
        engine = database.postgresql(server.url(name))
    with database.reading(engine) as connection:
        context = MigrationContext.configure(connection, opts={"version_table": schema.VERSION_TABLE})
        assert compare_metadata(context, schema.METADATA) == []
        assert set(sqlalchemy.inspect(connection).get_table_names()) == {*TABLES, *OUTBOX, schema.VERSION_TABLE}
    engine.dispose()
    assert ScriptDirectory.from_config(upgrade.configuration()).get_current_head() == schema.VERSION


def test_bringing_up_to_date_what_is_up_to_date_changes_nothing(kept):
    """Even without the look at its number that usually spares it."""
    with open_store(kept.case) as store:
        written = store.append(Draft("run", {}))
        for _ in range(2):
            with database.writing(store._engine) as connection:
                upgrade.to_latest(connection)
        assert store.entries() == written
        assert verify(store).deviations == []


def test_opening_a_case_does_not_load_what_brings_it_up_to_date(tmp_path):
    """It would take longer than the opening."""
    with open_store(tmp_path):
        pass
    code = (
        "import sys, pathlib; from hikeshi.cases.store import open_store\n"
        "with open_store(pathlib.Path(sys.argv[1])): sys.exit('alembic' in sys.modules or 'psycopg' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code, tmp_path], check=False).returncode == 0


def test_a_schema_of_tomorrow_is_not_touched(kept):
    """The newer hikeshi knows what it means."""
    with open_store(kept.case):
        pass
    with kept.guarded() as execute:
        execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '0999'")
    try:
        with (
            pytest.raises(StoreError, match=rf"number 0999 .* up to {schema.VERSION}; use the newer"),
            open_store(kept.case),
        ):
            pass
    finally:
        with kept.guarded() as execute:
            execute(f"UPDATE {schema.VERSION_TABLE} SET version_num = '{schema.VERSION}'")


@pytest.mark.parametrize("kind", ["sqlite", "postgresql"])
def test_an_upgrade_that_fails_leaves_nothing_half(kind, tmp_path, request, monkeypatch):
    """All steps or none, in SQLite too; whoever comes next makes them."""
    if kind == "sqlite":

        def come():
            with open_store(tmp_path / "case"):
                pass

        engine = database.sqlite(tmp_path / "case" / "case.db")
    else:
        server = request.getfixturevalue("postgresql")
        url = server.url(server.database())

        def come():
            place(tmp_path / "case", url)

        engine = database.postgresql(url)

    whole = upgrade.to_latest

    def breaks(connection):
        whole(connection)
        raise StoreError("the power is gone")

    monkeypatch.setattr(upgrade, "to_latest", breaks)
    with pytest.raises(StoreError, match="the power is gone"):
        come()
    with database.reading(engine) as connection:
        assert sqlalchemy.inspect(connection).get_table_names() == []
    monkeypatch.setattr(upgrade, "to_latest", whole)
    come()
    with database.reading(engine) as connection:
        assert set(sqlalchemy.inspect(connection).get_table_names()) == {*TABLES, *OUTBOX, schema.VERSION_TABLE}
    engine.dispose()


@pytest.mark.parametrize("content", [b"x" * 5000, b"-----BEGIN", b"SQLite format 3\0" + b"\1" * 5000])
def test_a_file_that_is_no_database_is_left_alone(tmp_path, content):
    """It may be somebody's."""
    (tmp_path / "case.db").write_bytes(content)
    with pytest.raises(StoreError, match=r"case\.db: that is no case of hikeshi"), open_store(tmp_path):
        pass
    assert (tmp_path / "case.db").read_bytes() == content


@pytest.mark.parametrize("tables", ["accounts", "accounts, ledger"])
def test_another_programs_database_is_left_alone(tmp_path, tables):
    """Whether it has tables of our names or not."""
    with closing(sqlite3.connect(tmp_path / "case.db")) as connection:
        for table in tables.split(", "):
            connection.execute(f"CREATE TABLE {table} (a)")
    with pytest.raises(StoreError, match=r"move it away|not hikeshi's"), open_store(tmp_path):
        pass


def test_tables_of_our_names_that_are_not_ours_are_left_alone(tmp_path, postgresql):
    """A server has other programs' databases; our tables may stand beside theirs, not in their place."""
    name = postgresql.database()
    with postgresql.connection(name) as connection:
        connection.execute("CREATE TABLE accounts (a int)")
        connection.execute("CREATE TABLE facts (a int)")
        with pytest.raises(StoreError, match="not hikeshi's: facts; give another database"):
            place(tmp_path, postgresql.url(name))
        connection.execute("DROP TABLE facts")
    place(tmp_path, postgresql.url(name))


def test_a_link_in_the_place_of_the_file_is_not_followed(tmp_path):
    """Root would write where the folder's owner may not."""
    (tmp_path / "case.db").symlink_to(tmp_path / "elsewhere")
    with pytest.raises(StoreError, match="no ordinary file"), open_store(tmp_path):
        pass
    assert not (tmp_path / "elsewhere").exists()


def test_a_folder_that_cannot_be_is_said(tmp_path):
    """As every command says it."""
    (tmp_path / "case").touch()
    with pytest.raises(CaseError, match="give a folder"), open_store(tmp_path / "case"):
        pass


@pytest.mark.parametrize(
    "url",
    [
        f"postgresql://kai:{SECRET}@db.example.test/hikeshi",
        f"postgres://kai:{SECRET}@db.example.test/hikeshi",
        f"postgresql://kai%3A{SECRET}@db.example.test/hikeshi",
        f"postgresql://:{SECRET}@/hikeshi",
        f"postgresql://db.example.test/hikeshi?user=kai&password={SECRET}",
        f"postgresql://db.example.test/hikeshi?PASSWORD={SECRET}",
        f"postgresql://db.example.test/hikeshi?sslpassword={SECRET}",
        f"postgresql://db.example.test/hikeshi?pass%77ord={SECRET}",
    ],
)
def test_an_address_with_a_password_in_it_is_refused(tmp_path, url):
    """Wherever in it the password stands; the message says where it belongs, and does not repeat it."""
    with pytest.raises(UsageError, match="PGPASSFILE") as refused:
        place(tmp_path, url)
    assert SECRET not in str(refused.value)
    assert not (tmp_path / "store").exists()


@pytest.mark.parametrize(
    "url",
    [
        "",
        "hikeshi",
        "mysql://db.example.test/a",
        "sqlite:///a.db",
        "postgresql://[::1/a",
        "postgresql://a/b c",
        "postgresql://a/\0",
    ],
)
def test_what_is_no_address_of_postgresql_is_refused(tmp_path, url):
    """With the form that one has."""
    with pytest.raises(UsageError, match="postgresql://USER@HOST:PORT/DATABASE"):
        place(tmp_path, url)


def test_a_case_is_placed_once(tmp_path, postgresql):
    """The same place again is no other; another would leave the entries behind."""
    case, url = tmp_path / "case", postgresql.url(postgresql.database())
    place(case, url)
    before = (case / "store").read_text()
    assert re.fullmatch(rf"{re.escape(url)}\n[0-9a-f-]{{36}}\n", before)
    assert mode(case / "store") == 0o600
    with open_store(case) as store:
        store.append(Draft("run", {}))
    place(case, url)
    with pytest.raises(StoreError, match="already"):
        place(case, postgresql.url(postgresql.shared))
    assert (case / "store").read_text() == before
    with open_store(case) as store:
        assert len(store.entries()) == 1


def test_a_case_with_entries_in_its_file_stays_there(tmp_path, postgresql):
    """An empty one may still go."""
    with open_store(tmp_path / "full") as store:
        store.append(Draft("run", {}))
        with pytest.raises(StoreError, match="has entries"):
            place(tmp_path / "full", postgresql.url(postgresql.shared))
    with open_store(tmp_path / "empty"):
        pass
    place(tmp_path / "empty", postgresql.url(postgresql.shared))
    (tmp_path / "strange").mkdir()
    (tmp_path / "strange" / "case.db").write_bytes(b"x" * 5000)
    with pytest.raises(StoreError, match="has entries"):
        place(tmp_path / "strange", postgresql.url(postgresql.shared))


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("", "two lines"),
        ("postgresql:///hikeshi\n", "two lines"),
        (f"postgresql:///hikeshi\n{ELSE[:-1]}\n", "two lines"),
        (f"postgresql:///hikeshi\n{ELSE}\nmore\n", "two lines"),
        (f"postgresql://kai:{SECRET}@/hikeshi\n{ELSE}\n", "PGPASSWORD"),
        (f"mysql://db.example.test/a\n{ELSE}\n", "no address"),
    ],
)
def test_a_store_file_that_is_not_as_it_was_written_is_refused(tmp_path, text, says):
    """Its case would be another, or its password read by others."""
    (tmp_path / "store").write_text(text)
    (tmp_path / "store").chmod(0o600)
    with pytest.raises((StoreError, UsageError), match=says) as refused, open_store(tmp_path):
        pass
    assert SECRET not in str(refused.value)


def test_a_store_file_that_others_may_write_is_refused(kept):
    """They could send the case elsewhere."""
    path = kept.case / "store"
    if kept.name == "sqlite":
        kept.case.mkdir()
        path.write_text(f"postgresql:///hikeshi\n{ELSE}\n")
    path.chmod(0o620)
    with pytest.raises(StoreError, match="chmod 600"), open_store(kept.case):
        pass


def test_a_case_that_its_database_does_not_know_is_said(tmp_path, postgresql):
    """For example after the database was made anew."""
    place(tmp_path, postgresql.url(postgresql.shared))
    lines = (tmp_path / "store").read_text().split()
    (tmp_path / "store").write_text(f"{lines[0]}\n{ELSE}\n")
    with pytest.raises(StoreError, match="does not know this case"), open_store(tmp_path):
        pass


def test_a_server_that_does_not_answer_is_said(tmp_path):
    """With its address, and without a traceback."""
    url = f"postgresql://127.0.0.1:{free_port()}/hikeshi"
    with pytest.raises(StoreError, match="the server cannot be reached") as refused:
        place(tmp_path, url)
    assert url in str(refused.value)
    assert list(tmp_path.iterdir()) == [tmp_path / ".lock"]


def test_a_password_comes_by_libpqs_own_ways_and_shows_nowhere(tmp_path, postgresql, monkeypatch):
    """In the environment, in a password file, in a service file; wrong or right, no message and no file has it."""
    name = postgresql.database()
    url = postgresql.url(name, user="locked")
    with pytest.raises(StoreError) as refused:
        place(tmp_path / "none", url)
    monkeypatch.setenv("PGPASSWORD", f"not-{SECRET}")
    with pytest.raises(StoreError, match="does not let us in") as wrong:
        place(tmp_path / "wrong", url)
    monkeypatch.setenv("PGPASSWORD", SECRET)
    place(tmp_path / "environment", url)
    monkeypatch.delenv("PGPASSWORD")
    passwords = tmp_path / "passwords"
    passwords.write_text(f"127.0.0.1:{postgresql.port}:*:locked:{SECRET}\n")
    passwords.chmod(0o600)
    monkeypatch.setenv("PGPASSFILE", str(passwords))
    place(tmp_path / "passfile", url)
    monkeypatch.delenv("PGPASSFILE")
    services = tmp_path / "services"
    services.write_text(
        f"[case]\nhost=127.0.0.1\nport={postgresql.port}\ndbname={name}\nuser=locked\npassword={SECRET}\n"
    )
    monkeypatch.setenv("PGSERVICEFILE", str(services))
    place(tmp_path / "service", "postgresql:///?service=case")
    with open_store(tmp_path / "service") as store:
        assert len(store.append(Draft("run", {}))) == 1
        assert SECRET not in repr(vars(store))
    assert SECRET not in f"{refused.value}{wrong.value!r}{wrong.value.__cause__!r}"
    assert not any(SECRET in path.read_text() for path in tmp_path.glob("*/store"))


@pytest.mark.parametrize(
    ("ask", "says"),
    [
        (lambda server: server.url("nowhere"), "createdb"),
        (lambda server: server.url("postgres", user="guest"), "make it the owner of the database"),
    ],
)
def test_what_is_wrong_with_a_server_is_said_with_what_to_do(tmp_path, postgresql, ask, says):
    """Somebody at two in the morning reads it."""
    with postgresql.connection("postgres") as connection:
        connection.execute("DROP ROLE IF EXISTS guest")
        connection.execute("CREATE ROLE guest LOGIN")
    with pytest.raises(StoreError, match=says):
        place(tmp_path, ask(postgresql))


def test_a_connection_that_has_gone_is_made_anew(tmp_path, postgresql):
    """A server is restarted now and then; what was being written then is said to be uncertain."""
    name = postgresql.database()
    place(tmp_path, postgresql.url(name))
    away = "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s"
    with open_store(tmp_path) as store, postgresql.connection("postgres") as connection:
        store.append(Draft("run", {"n": 1}))
        connection.execute(away, (name,))
        store.append(Draft("run", {"n": 2}))

        def cut_off(_):
            connection.execute(away, (name,))
            return [Draft("run", {"n": 3})]

        with pytest.raises(StoreError, match="cannot be reached; if something was just being written"):
            store.append_from(cut_off)
        assert [entry.body["n"] for entry in store.entries()] == [1, 2]


def test_whoever_holds_a_case_for_very_long_is_waited_for_and_then_told_of(kept, monkeypatch):
    """Nothing is written, and nothing is broken: when they are gone, it goes on."""
    monkeypatch.setattr(database, "PATIENCE", 0.1)
    with open_store(kept.case) as store:
        store.append(Draft("run", {}))
        with kept.guarded() as execute:
            execute("BEGIN IMMEDIATE" if kept.name == "sqlite" else "BEGIN")
            execute("UPDATE cases SET seq = seq")
            with pytest.raises(StoreError, match="somebody else has been writing"):
                store.append(Draft("run", {}))
            assert len(store.entries()) == 1  # reading goes on
            execute("ROLLBACK")
        store.append(Draft("run", {}))
        assert verify(store).deviations == []


@pytest.mark.parametrize(
    ("pragma", "says"), [("max_page_count = 1", "the disk is full"), ("query_only = ON", "may not be written to")]
)
def test_a_full_or_read_only_disk_is_said_and_leaves_the_case_whole(tmp_path, pragma, says):
    """SQLite's own words for it, brought about by its own limits."""
    with open_store(tmp_path) as store:
        store.append(Draft("run", {}))
        with store.reading() as connection:
            connection.exec_driver_sql(f"PRAGMA {pragma}")
        with pytest.raises(StoreError, match=says):
            store.append(Draft("run", {"text": "x" * 1_000_000}))
    with open_store(tmp_path) as store:
        assert verify(store).deviations == []
        store.append(Draft("run", {}))


def test_a_server_that_only_reads_is_said(tmp_path, postgresql):
    """A standby, for example."""
    name = postgresql.database()
    place(tmp_path, postgresql.url(name))
    with postgresql.connection(name) as connection:
        connection.execute(f"ALTER DATABASE {name} SET default_transaction_read_only = on")
    with open_store(tmp_path) as store, pytest.raises(StoreError, match="name the one that may be written to"):
        store.append(Draft("run", {}))


def test_what_is_said_to_be_written_is_on_disk(tmp_path, postgresql):
    """Whatever the machine's owner thinks of speed."""
    name = postgresql.database()
    place(tmp_path / "shared", postgresql.url(name))
    with postgresql.connection(name) as connection:
        connection.execute(f"ALTER DATABASE {name} SET synchronous_commit = off")
    found = []

    def look(connection):
        sql = "PRAGMA synchronous" if connection.dialect.name == "sqlite" else "SHOW synchronous_commit"
        found.append(connection.exec_driver_sql(sql).scalar_one())
        return []

    for case in (tmp_path / "shared", tmp_path / "file"):
        with open_store(case) as store:
            store.append_from(look)
    assert found == ["on", 2]  # 2 is FULL


def test_without_the_library_of_postgresql_it_is_said_which_extra_has_it(tmp_path, monkeypatch):
    """A case in a file needs none."""
    monkeypatch.setitem(sys.modules, "psycopg", None)
    with pytest.raises(StoreError, match=r"pip install 'hikeshi\[postgresql\]'"):
        place(tmp_path, "postgresql:///hikeshi")
    with open_store(tmp_path):
        pass


def test_a_case_can_be_copied_when_nobody_is_at_it(tmp_path):
    """One file, whole; a copy of the folder is a backup."""
    with open_store(tmp_path / "case") as store:
        store.append(Draft("run", {}))
    shutil.copytree(tmp_path / "case", tmp_path / "backup")
    with open_store(tmp_path / "backup") as store:
        assert len(store.entries()) == 1
        assert verify(store).deviations == []
