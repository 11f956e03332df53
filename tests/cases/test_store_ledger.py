# SPDX-License-Identifier: Apache-2.0
"""The ledger: what was written is there, in order, whole, whoever writes beside us and whoever is killed."""

import json
import random
import threading
import time
from datetime import UTC, datetime, timedelta
from hashlib import sha256

import pytest
from databases import writer
from hypothesis import HealthCheck, given, reject, settings
from hypothesis import strategies as st

from hikeshi.basics.who import login, whoever_types
from hikeshi.cases.store import Draft, StoreError, open_store
from hikeshi.cases.store.canonical import DraftError, canonical
from hikeshi.cases.store.verify import verify

#: the fixture is a case that examples may go on writing to
ON_AND_ON = settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=40)
#: every sign there is, lone surrogates and NUL too: file names, headers and subjects have them
TEXTS = st.text(st.characters(exclude_categories=()), max_size=12)
NUMBERS = st.one_of(st.integers(), st.floats(allow_nan=False, allow_infinity=False))
JSON = st.recursive(
    st.one_of(st.none(), st.booleans(), NUMBERS, TEXTS),
    lambda inner: st.one_of(st.lists(inner, max_size=4), st.dictionaries(TEXTS, inner, max_size=4)),
    max_leaves=12,
)


def joined(value):
    """Give `value` as any reader of JSON has it: two halves of a sign that stand side by side are that sign."""
    return json.loads(json.dumps(value))


@given(bodies=st.lists(st.dictionaries(TEXTS, JSON, max_size=3), max_size=3))
@ON_AND_ON
def test_what_is_written_is_what_is_read(kept, bodies):
    """Whatever plain JSON it is, in both databases, now and after they are opened again."""
    try:
        with open_store(kept.case) as store:
            seq, digest = store.head()
            written = store.append(*(Draft("run", body) for body in bodies))
            assert store.head() == ((written[-1].seq, written[-1].digest) if written else (seq, digest))
    except DraftError:
        reject()  # an invented key that sounds like a secret's
    assert [one.body for one in written] == [joined(body) for body in bodies]
    assert [one.seq for one in written] == list(range(seq + 1, seq + 1 + len(bodies)))
    assert [one.previous for one in written] == [digest, *(one.digest for one in written[:-1])][: len(bodies)]
    with open_store(kept.case) as store:
        assert store.entries(after=seq) == written
        assert verify(store).deviations == []


def test_an_entry_says_when_and_who_and_from_where(kept):
    """The time is ours, in UTC with microseconds; nobody needs to say who types."""
    before = datetime.now(UTC)
    with open_store(kept.case) as store:
        mine, yours = store.append(Draft("run", {}), Draft("run", {}, who="Sato\0 Kai"))
    assert before <= mine.time <= yours.time <= datetime.now(UTC)
    assert mine.time.utcoffset() == timedelta(0)
    assert (mine.who, mine.login) == (whoever_types(), login())
    assert (yours.who, yours.login) == ("Sato\ufffd Kai", login())


def test_anybody_can_compute_a_digest(kept):
    """From the row as it lies in the database, with no more than JSON and SHA-256."""
    with open_store(kept.case) as store:
        (entry,) = store.append(Draft("run", {"b": [1.0, "火消し"], "a": None}, who="Kai"))
        case = store.case_id
    with kept.raw() as execute:
        row = execute("SELECT time, body FROM ledger").fetchone()
    assert row[1] == '{"a":null,"b":[1.0,"火消し"]}'
    text = (
        f'{{"body":{json.dumps(row[1], ensure_ascii=False)},"case_id":"{case}","kind":"run","login":"{login()}",'
        f'"previous":"{"0" * 64}","seq":1,"time":"{row[0]}","who":"Kai"}}'
    )
    assert entry.digest == sha256(text.encode()).hexdigest()


def test_entries_are_given_by_kind_and_from_a_number_on(kept):
    """In their order."""
    with open_store(kept.case) as store:
        store.append(*(Draft(kind, {}) for kind in ("run", "alarm", "run", "plan", "alarm")))
        assert [one.seq for one in store.entries()] == [1, 2, 3, 4, 5]
        assert [one.seq for one in store.entries("alarm")] == [2, 5]
        assert [one.seq for one in store.entries("alarm", "plan", after=2)] == [4, 5]
        assert store.entries("nothing") == []


def test_nothing_to_add_adds_nothing(kept):
    """A case without an entry has a head all the same."""
    with open_store(kept.case) as store:
        assert store.append() == []
        assert store.append_from(lambda _: []) == []
        assert store.head() == (0, "0" * 64)


@pytest.mark.parametrize(
    ("body", "says"),
    [
        ({"a": float("nan")}, "body.a is nan"),
        ({"a": [1, float("inf")]}, "body.a[1] is inf"),
        ({"a": {1: 2}}, "body.a has a key that is a int"),
        ({"a": b"bytes"}, "body.a is a bytes"),
        ({"a": datetime(2026, 1, 1, tzinfo=UTC)}, "body.a is a datetime"),
        ({"a": {1, 2}}, "body.a is a set"),
    ],
)
def test_what_is_no_plain_json_is_refused(kept, body, says):
    """All drafts or none: the good one before it is not there either."""
    with open_store(kept.case) as store:
        with pytest.raises(DraftError) as refused:
            store.append(Draft("run", {}), Draft("run", body))
        assert says in str(refused.value)
        assert store.entries() == []


@pytest.mark.parametrize(
    "key",
    "password Password new_password userPassword secret client_secret clientSecret token access_token refresh-token "
    "Authorization private_key api_key apiKey passphrase cookie Set-Cookie unicodePwd credentials".split(),
)
def test_no_secret_is_ever_written_down(kept, key):
    """The last net: it is the writer's defect, and the message does not tell the secret."""
    with open_store(kept.case) as store:
        with pytest.raises(DraftError) as refused:
            store.append(Draft("receipt", {"before": [{key: "hi-no-yojin"}]}))
        assert key in str(refused.value)
        assert "yojin" not in str(refused.value)
        assert store.entries() == []


@pytest.mark.parametrize(
    "body",
    [
        {"password": "<secret>"},
        {"password": None, "token": ""},
        {"changePasswordAtNextLogin": True, "lastPasswordChangeDateTime": "2026-11-25T08:00:00Z"},
        {"tokens": [{"clientId": "a.example", "scopes": ["mail"]}]},
        {"operation": "password", "secrets": 3},
    ],
)
def test_what_only_sounds_like_a_secret_is_written(kept, body):
    """Connectors tell of passwords that were changed, and never of the passwords."""
    with open_store(kept.case) as store:
        store.append(Draft("receipt", {"plan": "p", "action": "a", "verb": "do", "before": body}))
        assert store.entries()[0].body["before"] == body


def test_equal_bodies_are_one_text():
    """Whatever order and kind of container they come in."""
    assert canonical({"b": (1, 2), "a": {"d": 1, "c": 2}}) == canonical({"a": {"c": 2, "d": 1}, "b": [1, 2]})
    assert len({canonical(one) for one in (1, 1.0, True, "1")}) == 4


@pytest.mark.parametrize(
    "deed",
    [
        "UPDATE ledger SET kind = 'x' WHERE seq = 1",
        "DELETE FROM ledger",
        "INSERT OR REPLACE INTO ledger SELECT * FROM ledger",
        "TRUNCATE ledger CASCADE",
    ],
)
def test_the_database_itself_refuses_to_change_the_ledger(kept, deed):
    """Against whoever comes with a client and means well."""
    if (kept.name == "sqlite") == deed.startswith("TRUNCATE") or (kept.name != "sqlite" and "REPLACE" in deed):
        deed = "DELETE FROM ledger WHERE seq = 2"  # what the other database has no word for
    with open_store(kept.case) as store:
        before = store.append(Draft("run", {}), Draft("alarm", {}))
        with kept.guarded() as execute, pytest.raises(Exception, match="the ledger is only added to"):
            execute(deed)
        assert store.entries() == before


@pytest.mark.parametrize(
    "deed",
    [
        "DELETE FROM ledger WHERE seq = 3",
        "UPDATE ledger SET digest = previous WHERE seq = 3",
        "UPDATE cases SET seq = 2",
        "UPDATE cases SET digest = case_id",
        "DELETE FROM cases",
    ],
)
def test_nothing_is_added_to_a_chain_that_was_cut_or_forged(kept, deed):
    """It would make the gap look like ours."""
    with open_store(kept.case) as store:
        store.append(*(Draft("run", {}) for _ in range(3)))
        with kept.raw() as execute:
            execute(deed)
        with pytest.raises(StoreError, match="hikeshi case verify"):
            store.append(Draft("run", {}))
        assert store.append() == []
        assert verify(store).deviations


def test_what_cannot_be_read_is_said(kept):
    """Not a traceback about JSON."""
    with open_store(kept.case) as store:
        store.append(Draft("run", {}))
        with kept.raw() as execute:
            execute("UPDATE ledger SET body = 'x'")
        with pytest.raises(StoreError, match="hikeshi case verify"):
            store.entries()


def test_what_is_made_out_of_a_reading_is_never_raced(kept):
    """Each counts on from what it has read; were anybody to write in between, two would have the same number."""

    def count(store):
        for _ in range(10):
            store.append_from(lambda connection: [Draft("run", {"n": _entries(connection, store)})])

    with open_store(kept.case) as store:
        threads = [threading.Thread(target=count, args=[store]) for _ in range(4)]
        for one in threads:
            one.start()
        for one in threads:
            one.join()
        assert [one.body["n"] for one in store.entries()] == list(range(40))


def _entries(connection, store):
    sql = f"SELECT count(*) FROM ledger WHERE case_id = '{store.case_id}'"
    return connection.exec_driver_sql(sql).scalar_one()


def test_many_processes_never_fork_the_chain(kept):
    """Four who write fifty times each, two entries at a time, into a case that none of them has seen before."""
    writers = [writer("add", kept.case, 50) for _ in range(4)]
    said = [int(line) for one in writers for line in one.communicate()[0].split()]
    assert [one.returncode for one in writers] == [0] * 4
    with open_store(kept.case) as store:
        entries = store.entries()
        assert verify(store).deviations == []
    assert [one.seq for one in entries] == list(range(1, 401))
    assert sorted(said) == [one.seq for one in entries if one.kind == "run"]


def test_who_is_killed_loses_nothing_that_was_said_to_be_written(kept):
    """At any moment, with kill -9, while somebody else writes as well."""
    dice, said = random.Random(5), []
    for _ in range(5):
        doomed, other = writer("burst", kept.case), writer("add", kept.case, 5)
        said.append(int(doomed.stdout.readline()))
        time.sleep(dice.uniform(0, 0.05))
        doomed.kill()
        for one in (doomed, other):
            said += [int(line) for line in one.communicate()[0].split("\n")[:-1]]
        assert other.returncode == 0
    with open_store(kept.case) as store:
        entries = store.entries()
        assert verify(store).deviations == []
    assert [one.seq for one in entries] == list(range(1, len(entries) + 1))
    assert {one.seq for one in entries if one.kind == "run"} >= set(said)
    # Two entries that were added together are both there or neither is.
    assert [one.kind for one in entries] == ["run", "action"] * (len(entries) // 2)
