# SPDX-License-Identifier: Apache-2.0
"""The outbox of a case in PostgreSQL: the same letters, the same law."""

import importlib.util
from pathlib import Path

import pytest
from outboxes import approved, hold_exactly_once, sending
from relays import Relay as Sink

from hikeshi.cases.store import open_store
from hikeshi.notify.outbox.book import Put, cancel, counts, put
from hikeshi.notify.outbox.relay import Relay
from hikeshi.notify.outbox.run import Logs, run


@pytest.fixture(scope="module")
def databases():
    """The databases that the store's own tests start."""
    path = Path(__file__).parents[1] / "cases" / "databases.py"
    found = importlib.util.spec_from_file_location("databases_of_the_store", path)
    module = importlib.util.module_from_spec(found)
    found.loader.exec_module(module)
    return module


@pytest.fixture(scope="module")
def server(databases):
    started = databases.Server()
    yield started
    started.stop()


def test_letters_leave_once_and_what_the_relay_resets_is_settled(tmp_path, databases, server):
    case = databases.Shared(tmp_path / "case", server).case
    again = {"reset-taken": "person1@", "reset-lost": "person2@", "later": "person3@"}

    def behaves(to, tries):
        return next((name for name, begin in again.items() if tries == 1 and to.startswith(begin)), "take")

    with open_store(case) as store, Sink(tmp_path, behaves) as sink:
        letters = approved(store, 25)
        assert put(store, letters) == Put(same=25)
        assert cancel(store, [letters[7].id], who="Sato", why="told by phone") == 1
        relay = Relay("127.0.0.1", sink.port)
        logs = Logs([str(sink.mail_log)], grace=0.2)
        while "approved" in run(store, relay, sending(), logs=logs).states:
            pass
        assert counts(store) == {"accepted": 24, "cancelled": 1}
        hold_exactly_once(store, [one for one in letters if one != letters[7]], sink)


def test_two_cases_of_one_database_do_not_see_each_others_letters(tmp_path, databases, server):
    name = server.database()
    first = databases.Shared(tmp_path / "one", server, name).case
    second = databases.Shared(tmp_path / "two", server, name).case
    with open_store(first) as one, open_store(second) as two, Sink(tmp_path) as sink:
        letters = approved(one, 5)
        assert counts(two) == {}
        approved(two, 3)
        run(one, Relay("127.0.0.1", sink.port), sending())
        hold_exactly_once(one, letters, sink)
        assert counts(two) == {"approved": 3}
