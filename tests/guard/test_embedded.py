# SPDX-License-Identifier: Apache-2.0
"""The state in a file: private, one guard's, whole after a kill, and never larger in memory than it may be."""

import asyncio
import sqlite3
import subprocess
import sys
import threading
from pathlib import Path

import keepers
import pytest
from keepers import ME, File, Tally, add, held, look, play, until

from hikeshi.guard.state import Order, StateError, embedded, open_state, statefile
from hikeshi.guard.state.store import KEPT

#: seconds of work that a killed guard may forget on the slowest machine; on an idle one it is a tenth
FORGETS = 2.0


@pytest.fixture
def file(tmp_path):
    return File(tmp_path)


async def counts(state, accounts):
    return [(await state.change(account, [], look))[0] for account in accounts]


def test_a_killed_guard_goes_on_where_it_was(file):
    """SIGKILL in the middle of a burst; the sums of the organisation are of the same moment as the account."""
    command = [sys.executable, keepers.__file__, "burst", file.where]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as guard:
        said = []
        for line in guard.stdout:
            count, time = line.split()
            said.append((int(count), float(time)))
            if said[-1][1] - said[0][1] > FORGETS + 0.5:
                guard.kill()
                break
        said += [(int(count), float(time)) for count, time in (line.split() for line in guard.stdout if " " in line)]
    long_ago = max(count for count, time in said if time < said[-1][1] - FORGETS)

    async def story(state):
        (count, _), sums = await state.change(ME, [], look), await state.organisation()
        return count, sums["count"], await state.change(ME, [], add())

    count, taught, before = play(file, story)
    assert long_ago <= count <= said[-1][0] + 1
    assert taught == (count, 2 * count)
    assert before == count


def test_what_is_held_is_on_disk_when_the_call_returns(file):
    """And so are orders, and numbers: another process sees them at once."""

    async def story(state):
        await state.hold(held())
        await state.order(Order(ME, "drop", "root", "lure", 1.0))
        await state.set_norm({"h": 2.0})
        desk = file.open(beside=True)
        try:
            return await desk.holds(), await desk.orders(), await desk.norm()
        finally:
            await desk.close()

    assert play(file, story) == ([held()], [Order(ME, "drop", "root", "lure", 1.0)], {"h": 2.0})


def test_a_desk_beside_the_guard_settles_and_orders_but_changes_no_account(file):
    async def story(state):
        await state.change(ME, [], add(3))
        await state.hold(held())
        await state.flush()
        desk = file.open(beside=True)
        try:
            assert await desk.organisation() == {"count": (3.0, 6.0)}
            with pytest.raises(StateError, match=r"accounts change only through the guard; leave it an order"):
                await desk.change(ME, [], add())
            await desk.settle(held(), "released", "root", "honest")
            await desk.order(Order(ME, "release", "root", "honest", 1.0))
        finally:
            await desk.close()
        return await state.holds(), await state.orders(), await state.change(ME, [], look)

    assert play(file, story) == ([], [Order(ME, "release", "root", "honest", 1.0)], (3, {}))


def test_a_desk_needs_no_guard_that_runs(file):
    play(file, lambda state: state.hold(held()))
    assert play(file, lambda desk: desk.holds(), beside=True) == [held()]


def test_a_desk_makes_no_state(file):
    with pytest.raises(StateError, match=r"there is no state yet; hikeshi guard makes it"):
        file.open(beside=True)
    assert not Path(file.where).exists()


def test_a_second_guard_is_told_so(file):
    async def story(_state):
        with pytest.raises(StateError, match=r"another hikeshi guard is at work in it; stop it, or .* redis://"):
            file.open()

    play(file, story)
    play(file, lambda state: state.norm())


def test_all_files_are_their_owners_alone(file):
    async def story(state):
        await state.change(ME, [], add())
        await state.flush()
        return {path.name: path.stat().st_mode & 0o777 for path in Path(file.where).parent.iterdir()}

    names = ["state.db", "state.db-shm", "state.db-wal", "state.db.lock"]
    assert play(file, story) == dict.fromkeys(names, 0o600)


def test_no_address_stands_in_the_file(file):
    play(file, lambda state: state.change(ME, [], add(1, 1.0, "anna@example.org")))
    content = b"".join(path.read_bytes() for path in Path(file.where).parent.iterdir())
    assert ME.encode() in content
    assert b"anna" not in content


def test_hashes_of_one_state_say_nothing_about_another(tmp_path):
    """The key is random: the same address is another number in another file."""
    hashes = []
    for name in "ab":
        (tmp_path / name).mkdir()
        file = File(tmp_path / name)
        play(file, lambda state: state.change(ME, [], add(1, 1.0, "anna@example.org")))
        connection = sqlite3.connect(file.where)
        hashes += connection.execute("SELECT hash FROM recipients").fetchone()
        connection.close()
    assert hashes[0] != hashes[1]


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda _: None, "its folder is not there; make it: mkdir -p -m 700"),
        (lambda path: path.mkdir(parents=True), r"that is a folder; give a file in it, such as .*/state\.db"),
        (lambda path: (path.parent.mkdir(), path.write_text("Nov 24 mail" * 99)), r"no state of hikeshi can be read there"),
        (lambda path: (path.parent.mkdir(), sqlite3.connect(path).execute("CREATE TABLE t (x)").connection.close()),
         "that is no state of hikeshi; give another file"),
    ],
    ids=["no folder", "a folder", "a log", "another program's"],
)  # fmt: skip
@pytest.mark.parametrize("beside", [False, True])
def test_what_cannot_be_a_state_is_said_and_left_alone(tmp_path, make, says, beside):
    path = tmp_path / "there" / "state"
    make(path)
    before = path.read_bytes() if path.is_file() else None
    with pytest.raises(StateError, match=says) as caught:
        open_state(str(path), beside=beside)
    assert str(path) in str(caught.value)
    assert before == (path.read_bytes() if path.is_file() else None)


def test_where_nobody_may_write_is_said():
    with pytest.raises(StateError, match=r"--state /proc/state\.db: .*; give a file where you may"):
        open_state("/proc/state.db")


def test_an_empty_file_becomes_a_state(file):
    Path(file.where).touch()
    play(file, lambda state: state.change(ME, [], add(4)))
    assert play(file, lambda state: state.change(ME, [], look)) == (4, {})


def test_quiet_accounts_leave_the_memory_and_come_back_whole(file, monkeypatch):
    monkeypatch.setattr(embedded, "HOT", 100_000)
    accounts = [f"a{number}@hinode.example" for number in range(2000)]

    async def story(state):
        for number, account in enumerate(accounts):
            await state.change(account, [], add(number, 1.0, "anna@example.org"))
            assert state._weight <= 3 * embedded.HOT
        await state.flush()
        await state.change(ME, [], add())
        assert len(state._hot) < 200
        assert state._weight == sum(hot.weight for hot in state._hot.values()) <= embedded.HOT
        for number, account in enumerate(accounts):
            assert await state.change(account, ["anna@example.org"], look) == (number, {"anna@example.org": 1.0})
        return await state.organisation()

    total = float(sum(range(2000)) + 1)
    assert play(file, story) == {"count": (total, 2 * total)}


def test_an_account_is_read_once_however_many_wait_for_it(file, monkeypatch):
    play(file, lambda state: state.change(ME, [], add(5)))
    read = []
    monkeypatch.setattr(statefile, "account", lambda *of, real=statefile.account: (read.append(of[1]), real(*of))[1])

    async def story(state):
        tasks = [asyncio.create_task(state.change(ME, [], add())) for _ in range(10)]
        await asyncio.sleep(0)
        tasks[0].cancel()
        return await asyncio.gather(*tasks, return_exceptions=True)

    cancelled, *counts = play(file, story)
    assert isinstance(cancelled, asyncio.CancelledError)
    assert counts == list(range(5, 14))
    assert read == [ME]


def test_a_disk_that_fails_for_a_while_loses_nothing(file, monkeypatch, caplog):
    """The guard goes on in memory, says so, and writes when it can, what changed meanwhile with it."""
    failing, changed, write = threading.Event(), threading.Event(), statefile.write

    def fails(*of):
        if changed.is_set():
            return write(*of)
        failing.set()
        changed.wait()
        raise sqlite3.OperationalError("database or disk is full")

    monkeypatch.setattr(statefile, "write", fails)
    monkeypatch.setattr(embedded, "_AGAIN", 0.01)

    async def story(state):
        await state.change(ME, [], add(3, 1.0, "anna@example.org"))
        await state.change(ME, [], add(2, 1.0, "bert@example.org"))
        await until(failing.is_set, 0.01)
        await state.change(ME, [], add(1, 2.0, "bert@example.org"))
        changed.set()
        await until(lambda: "the guard goes on in memory and tries again" in caplog.text, 0.01)

    play(file, story)
    assert "database or disk is full" in caplog.text
    seen = play(file, lambda state: state.change(ME, ["anna@example.org", "bert@example.org"], look))
    assert seen == (6, {"anna@example.org": 1.0, "bert@example.org": 2.0})
    assert play(file, lambda state: state.organisation()) == {"count": (6.0, 12.0)}


def test_an_account_that_is_being_written_stays_in_memory(file, monkeypatch):
    """Or it would be read again as it was before."""
    writing, go_on, write = threading.Event(), threading.Event(), statefile.write

    def waits(*of):
        writing.set()
        go_on.wait()
        write(*of)

    monkeypatch.setattr(statefile, "write", waits)
    monkeypatch.setattr(embedded, "HOT", 800)

    async def story(state):
        await state.change(ME, [], add())
        await until(writing.is_set, 0.01)
        await state.change("other", [], add())
        seen = await state.change(ME, [], look)
        go_on.set()
        return seen

    assert play(file, story) == (1, {})


def test_who_was_quiet_longest_leaves_first(file, monkeypatch):
    monkeypatch.setattr(embedded, "HOT", 2000)

    async def story(state):
        for account in "abcabd":
            await state.change(account, [], add())
            await state.flush()
        return list(state._hot)

    assert play(file, story) == ["a", "b", "d"]


def test_who_is_new_again_is_forgotten_on_disk_too(file):
    for time in (1.0, 2.0 + KEPT):
        play(file, lambda state, time=time: state.change(ME, [], add(1, time, f"{time}@example.org")))
    play(file, lambda state: state.change(ME, [], add()))
    connection = sqlite3.connect(file.where)
    assert connection.execute("SELECT time FROM recipients").fetchall() == [(2.0 + KEPT,)]
    connection.close()


def test_closing_says_what_could_not_be_written(file, monkeypatch):
    def full(*_):
        raise sqlite3.OperationalError("database or disk is full")

    async def story():
        state = file.open()
        await state.change(ME, [], add())
        monkeypatch.setattr(statefile, "write", full)
        with pytest.raises(StateError, match=r"database or disk is full; look at the disk"):
            await state.close()

    asyncio.run(story())
    play(file, lambda state: state.norm())


def test_changes_are_written_without_being_asked_to(file):
    async def story(state):
        await state.change(ME, [], add(3))
        desk = file.open(beside=True)
        try:
            async with asyncio.timeout(20):
                while await desk.organisation() != {"count": (3.0, 6.0)}:  # noqa: ASYNC110 - another process tells no event
                    await asyncio.sleep(0.01)
        finally:
            await desk.close()

    play(file, story)


def test_what_changes_while_it_is_being_written_is_written_next(file, monkeypatch):
    """Many accounts are turned into bytes in slices, between which mails are weighed."""

    class Slow(Tally):
        def to_bytes(self):
            calls.append(self.count)
            return super().to_bytes()

    calls = []
    monkeypatch.setattr(keepers, "Tally", Slow)
    accounts = [f"a{number}" for number in range(100)]

    async def story(state):
        for account in accounts:
            await state.change(account, [], add())
        writing = asyncio.create_task(state.flush())
        await until(lambda: len(calls) >= 20)
        assert len(calls) < 100
        for account in accounts:
            await state.change(account, [], add())
        await writing
        return await state.organisation()

    assert play(file, story) == {"count": (200.0, 400.0)}
    assert play(file, lambda state: state.organisation()) == {"count": (200.0, 400.0)}
    assert play(file, lambda state: counts(state, accounts)) == [2] * 100
