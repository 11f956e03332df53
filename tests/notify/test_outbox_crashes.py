# SPDX-License-Identifier: Apache-2.0
"""Exactly once across crashes: whenever it happens, nobody is missed, nobody gets two, and the ledger is what the relay took."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import threading
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from outboxes import approved, hold_exactly_once, sending
from relays import Relay as Sink

from hikeshi.cases.store import Store, StoreError, open_store
from hikeshi.evidence.coverage import Coverage
from hikeshi.notify.outbox import holder, maillog
from hikeshi.notify.outbox.book import counts
from hikeshi.notify.outbox.maillog import MailLog
from hikeshi.notify.outbox.relay import Relay, RelayError
from hikeshi.notify.outbox.run import Logs, run

#: how often a sender is killed; the figure of the aims is 200
KILLS = int(os.environ.get("HIKESHI_KILLS", "25"))


class Life:
    """One life of a sender: it may write so often, and dies before or after the last of it, for good."""

    def __init__(self, monkeypatch, number, writes, after):
        self.name, self.left, self.after = f"life {number}", writes, after
        self.whole, self.lock = Store.append_from, threading.Lock()
        monkeypatch.setattr(Store, "append_from", lambda store, make: self.write(store, make))  # noqa: PLW0108 - bound to a store
        monkeypatch.setattr("hikeshi.notify.outbox.send.myself", lambda: self.name)
        monkeypatch.setattr("hikeshi.notify.outbox.turns.dead", lambda other: other != self.name)

    def write(self, store, make):
        with self.lock:
            self.left -= 1
            if self.left == 0 and self.after:
                self.whole(store, make)
            if self.left <= 0:
                raise StoreError("the power is gone")
            return self.whole(store, make)


BEHAVIOURS = ["take"] * 6 + ["later", "later-data", "reset-taken", "reset-lost", "reset-early", "close"]


@given(
    deaths=st.lists(st.tuples(st.integers(1, 14), st.booleans()), max_size=6),
    behaviours=st.lists(st.sampled_from(BEHAVIOURS), max_size=40),
    connections=st.integers(1, 4),
)
@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_wherever_it_dies_and_whatever_the_relay_does_each_letter_arrives_once(
    tmp_path_factory, deaths, behaviours, connections
):
    """A death is before or after a durable step; after it nothing is written any more, as when the power is gone."""
    folder = tmp_path_factory.mktemp("crash")
    waiting = list(behaviours)

    def behaves(_, __):
        return waiting.pop() if waiting else "take"

    with open_store(folder / "case") as store, Sink(folder, behaves) as sink:
        letters = approved(store, 9)

        def told(*_, **__):
            now = datetime.now(UTC)
            whole = Coverage("postfix", "mx", now - timedelta(days=1), now + timedelta(days=1), 1, ())
            return MailLog(frozenset(got["message_id"] for got in sink.taken), {}, (whole,))

        for number in range(len(deaths) + 60):
            with pytest.MonkeyPatch.context() as monkeypatch:
                monkeypatch.setattr(maillog, "read", told)
                life = Life(monkeypatch, number, *(deaths[number] if number < len(deaths) else (10**9, False)))
                with contextlib.suppress(StoreError, RelayError):
                    run(
                        store,
                        Relay("127.0.0.1", sink.port, timeout=10, patience=10),
                        sending(connections=connections),
                        logs=Logs([], grace=0.0),
                    )
            del life
            if number >= len(deaths) and counts(store) == {"accepted": 9}:
                break
        hold_exactly_once(store, letters, sink)


class Killer:
    """Kills the sender of the moment: at a moment of a message that the relay sees, or after some time."""

    def __init__(self, seed):
        self.random, self.pid, self.lock = random.Random(seed), None, threading.Lock()
        self.moment, self.left = None, 0

    def aim(self, pid):
        with self.lock:
            self.pid = pid
            self.moment = self.random.choice(["data", "end", "taken", "said", None])
            self.left = self.random.randrange(1, 8)
        if self.moment is None:
            threading.Timer(self.random.uniform(0.0, 0.8), self.shoot, [pid]).start()

    def at(self, moment):
        with self.lock:
            if self.pid is None or moment != self.moment:
                return
            self.left -= 1
            if self.left:
                return
            pid = self.pid
        self.shoot(pid)

    def shoot(self, pid):
        with self.lock:
            if self.pid == pid:
                os.kill(pid, signal.SIGKILL)
                self.pid = None

    def spare(self):
        with self.lock:
            self.pid = None


@pytest.fixture
def nursery():
    program = Path(__file__).with_name("outbox_killed.py")
    command = [sys.executable, "-W", "error", program]
    with subprocess.Popen(command, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        yield process
        process.stdin.close()
        process.wait(30)


def test_a_sender_that_is_killed_again_and_again_misses_nobody_and_tells_nobody_twice(tmp_path, nursery):
    """Real processes and kill -9; settled from the relay's log, read as evidence is."""
    killer, case = Killer(KILLS), tmp_path / "case"
    with open_store(case) as store, Sink(tmp_path, at=killer.at, durable=True) as sink:
        letters = approved(store, 20 + 8 * KILLS)
        kills = runs = 0
        while kills < KILLS or counts(store) != {"accepted": len(letters)}:
            runs += 1
            nursery.stdin.write(f"{case} {sink.port} {sink.mail_log}\n")
            nursery.stdin.flush()
            pid = int(nursery.stdout.readline())
            if kills < KILLS:
                killer.aim(pid)
            ended = nursery.stdout.readline().strip()
            killer.spare()
            kills += ended == f"ended {int(signal.SIGKILL)}"
            assert runs < 20 + 3 * KILLS, counts(store)
        hold_exactly_once(store, letters, sink)
    assert kills == KILLS


def test_a_sender_that_is_asked_to_stop_lets_arrive_what_is_on_the_wire_and_goes_on_later(tmp_path, nursery):
    """Ctrl-C: no letter is left open or in hand."""
    case, pids = tmp_path / "case", []

    def at(moment):
        if moment == "data" and pids:
            os.kill(pids.pop(), signal.SIGINT)

    with open_store(case) as store, Sink(tmp_path, at=at) as sink:
        letters = approved(store, 40)
        for stopped in (True, False):
            with sink.lock:  # no mail is taken before we know who hands it in
                nursery.stdin.write(f"{case} {sink.port} {sink.mail_log}\n")
                nursery.stdin.flush()
                pids[:] = [int(nursery.stdout.readline())] if stopped else []
                if not stopped:
                    nursery.stdout.readline()
            assert nursery.stdout.readline().strip() == "whole"
            if stopped:
                assert set(counts(store)) == {"accepted", "approved"}
                assert counts(store)["accepted"] == len(sink.taken) <= 12
        hold_exactly_once(store, letters, sink)


def test_a_process_that_lives_is_not_taken_for_dead_and_one_that_has_ended_is():
    process = subprocess.Popen(
        [sys.executable, "-c", "from hikeshi.notify.outbox.holder import *; print(myself(), flush=True); input()"],
        stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    with process:
        name = process.stdout.readline().strip()
        assert not holder.dead(name)
        assert not holder.dead(holder.myself())
        process.kill()
        process.wait(10)
        assert holder.dead(name)
    place, pid, started = name.rsplit("/", 2)
    assert not holder.dead(f"elsewhere/{name.split('/', 1)[1]}")
    assert not holder.dead(f"{place}/{pid}/?")
    assert not holder.dead("somebody")
    assert holder.dead(f"{place}/{os.getpid()}/{started}0")
