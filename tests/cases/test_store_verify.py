# SPDX-License-Identifier: Apache-2.0
"""Verify: whatever anybody changes, takes out or puts in behind our back, it is seen, and what is whole is called whole."""

from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import pytest
from databases import TABLES, File, Shared
from hypothesis import HealthCheck, assume, given, reject, settings
from hypothesis import strategies as st

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Draft, Store, StoreError, open_store
from hikeshi.cases.store.decisions import decide
from hikeshi.cases.store.facts import Fact, correct, record
from hikeshi.cases.store.verify import verify

KEYS = {
    "cases": ("case_id",),
    "actions": ("case_id", "plan", "action"),
    **dict.fromkeys(("ledger", "facts", "decisions", "receipts"), ("case_id", "seq")),
}


def fill(case):
    """Make a case with something in every table and column."""
    with open_store(case) as store:
        record(
            store, [Fact("incident/1/addresses", 1220, "addresses", "suspected", datetime(2026, 11, 20, tzinfo=UTC))]
        )
        record(
            store, [Fact("incident/1/addresses", 1221, "addresses", "suspected", None, evidence=[{"file": "a.csv"}])]
        )
        correct(store, "incident/1/addresses", 1219, who="Sato Kai", why="one is ours")
        decide(store, "plan/5e1f", "approve", who="Ito", why="seen")
        step = {"action": "dovecot/kick/a/-", "plan": "5e1f"}
        done = {"connector": "dovecot", "operation": "kick", "phase": 20, "account": "a", "object": "b", "says": "c"}
        for number, state in enumerate(("begun", "verified")):
            store.append(
                Draft("action", {**step, **done, "state": state, "attempt": number}),
                Draft(
                    "receipt",
                    {
                        **step,
                        "verb": "verify",
                        "target": "a",
                        "before": {"sessions": 2},
                        "request_sha256": "ab" * 32,
                        "answer": "火",
                        "after": None,
                        "reached": (True, None)[number],
                        "undo": None,
                        "began": "2026-11-25T08:00:00.000000Z",
                        "ended": None,
                    },
                ),
            )
        store.append(Draft("run", {"arguments": ["case", "verify"]}))


@dataclass
class Case:
    """A case that is tampered with and set right again."""

    kept: Any
    store: Store
    rows: dict[str, list[tuple[Any, ...]]]
    columns: dict[str, list[str]]

    def put_back(self, execute):
        for table in reversed(TABLES):
            execute(f"DELETE FROM {table}")
        for table in TABLES:
            for row in self.rows[table]:
                execute(f"INSERT INTO {table} VALUES ({', '.join(['%s'] * len(row))})", row)


@pytest.fixture(scope="module", params=["sqlite", "postgresql"])
def case(request, tmp_path_factory):
    folder = tmp_path_factory.mktemp("tampered") / "case"
    if request.param == "sqlite":
        kept = File(folder)
    else:
        server = request.getfixturevalue("postgresql")
        kept = Shared(folder, server, server.database())
    fill(folder)
    rows, columns = {}, {}
    with kept.raw() as execute:
        for table in TABLES:
            found = execute(f"SELECT * FROM {table} ORDER BY {', '.join(KEYS[table])}")
            rows[table], columns[table] = found.fetchall(), [one[0] for one in found.description]
    with open_store(folder) as store:
        yield Case(kept, store, rows, columns)


def seen(case):
    """Say whether a change is seen, by whoever had the store open and by whoever opens it now."""
    mine = bool(verify(case.store).deviations)
    try:
        with open_store(case.kept.case) as store:
            return mine and bool(verify(store).deviations)
    except StoreError:
        return mine


def test_what_is_whole_is_called_whole(case):
    """With its head, which somebody can note down."""
    found = verify(case.store)
    assert found.deviations == []
    assert found.entries == len(case.rows["ledger"]) == 9
    assert found.head == "{}:{}".format(*case.store.head())
    assert verify(case.store, found.head).deviations == []
    assert verify(case.store, f" {found.head.upper()}\n").deviations == []


def test_an_empty_case_is_whole(kept):
    """Nothing has been written, nothing is missing."""
    with open_store(kept.case) as store:
        assert verify(store, "0:" + "0" * 64) == verify(store)
        assert (verify(store).entries, verify(store).deviations) == (0, [])


@given(data=st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=100)
def test_any_change_of_any_column_of_any_row_is_seen(case, data):
    """One character, one number, one null at a time; in SQLite bytes that are no text at all, too."""
    table = data.draw(st.sampled_from(TABLES), "table")
    row = data.draw(st.sampled_from(case.rows[table]), "row")
    place = data.draw(st.integers(0, len(row) - 1), "column")
    column, value = case.columns[table][place], row[place]
    other = data.draw(_others(value, binary=case.kept.name == "sqlite"), "other")
    where = " AND ".join(f"{key} = %s" for key in KEYS[table])
    key = [row[case.columns[table].index(name)] for name in KEYS[table]]
    with case.kept.raw() as execute:
        try:
            new = "CAST(%s AS TEXT)" if isinstance(other, bytes) else "%s"
            execute(f"UPDATE {table} SET {column} = {new} WHERE {where}", (other, *key))
        except case.kept.errors:
            reject()  # no such value fits there: a forger has to think of another
        changed = execute(f"SELECT * FROM {table} ORDER BY {', '.join(KEYS[table])}")
        try:
            assume(changed.fetchall() != case.rows[table])
            assert seen(case)
        finally:
            case.put_back(execute)
    assert verify(case.store).deviations == []


@st.composite
def _others(draw, value, *, binary):
    """Draw what else could stand there: bytes are put there as if they were a text."""
    if isinstance(value, str):
        place = draw(st.integers(0, len(value)))
        sign = draw(st.characters(exclude_characters="\0", exclude_categories=("Cs",)))
        strange = draw(st.binary(min_size=1, max_size=2))
        others = [
            value[:place] + sign + value[place + 1 :],
            value[:place] + sign + value[place:],
            value[:place] + value[place + 1 :],
            value.swapcase(),
            None,
        ]
        blobs = [value[:place].encode() + strange + value[place:].encode(), memoryview(value.encode())]
        return draw(st.sampled_from(others + blobs if binary else others))
    if value is None:
        return draw(st.sampled_from(["", "x", "null", 0, 1] if binary else ["", "x", "null", "0", "1"]))
    if isinstance(value, bool):
        return draw(st.sampled_from([not value, None]))
    numbers = st.one_of(st.integers(-3, 12), st.integers(-(2**31), 2**31 - 1), st.none())
    return draw(st.one_of(numbers, st.sampled_from(["x", "", 1.5])) if binary else numbers)


@pytest.mark.parametrize("table", TABLES)
def test_a_row_that_is_taken_out_is_missed(case, table):
    """Any of them."""
    for row in case.rows[table]:
        where = " AND ".join(f"{key} = %s" for key in KEYS[table])
        key = [row[case.columns[table].index(name)] for name in KEYS[table]]
        with case.kept.raw() as execute:
            execute(f"DELETE FROM {table} WHERE {where}", key)
            try:
                assert seen(case), row
            finally:
                case.put_back(execute)


@pytest.mark.parametrize("table", [table for table in TABLES if table != "cases"])
@pytest.mark.parametrize("seq", [-1, 0, 3, 10, 2**31 - 1])
def test_a_row_that_is_put_in_is_found(case, table, seq):
    """Before the first, in between, after the last."""
    taken = {one[case.columns[table].index("seq")] for one in case.rows[table]}
    row = dict(zip(case.columns[table], case.rows[table][0], strict=True)) | {"seq": seq + 20 if seq in taken else seq}
    row |= {"action": "another"} if table == "actions" else {}
    with case.kept.raw() as execute:
        execute(f"INSERT INTO {table} ({', '.join(row)}) VALUES ({', '.join(['%s'] * len(row))})", tuple(row.values()))
        try:
            assert seen(case)
        finally:
            case.put_back(execute)


@pytest.mark.parametrize("deed", ["DELETE FROM cases", "UPDATE cases SET case_id = %s, seq = 0, digest = %s"])
def test_a_case_that_is_no_longer_named_does_not_become_a_new_one(tmp_path, deed):
    """A file whose entries belong to nobody is not an empty file."""
    kept = File(tmp_path / "case")
    fill(kept.case)
    with kept.raw() as execute:
        execute(deed, ("00000000-0000-4000-8000-000000000000", "0" * 64) if "%s" in deed else ())
    with pytest.raises(StoreError, match="another case"), open_store(kept.case):
        pass


def test_every_deviation_says_which_entry_and_what(case):
    """So that a person knows what to look at."""
    with case.kept.raw() as execute:
        execute("UPDATE ledger SET body = replace(body, '1221', '1222') WHERE seq = 2")
        execute("UPDATE facts SET value = '1', status = 'unknown' WHERE seq = 3")
        execute("DELETE FROM decisions")
        execute("UPDATE actions SET state = 'undone'")
        try:
            told = [(one.seq, one.says) for one in verify(case.store).deviations]
        finally:
            case.put_back(execute)
    assert told == [
        (2, "entry 2 is not as it was written"),
        (3, "table facts, entry 3: status, value not as the entry says"),
        (4, "table decisions lacks the row of entry 4"),
        (7, "table actions, entry 7: state not as the entry says"),
    ]


def cut_off(execute, left):
    """Take out all after entry `left`, and set the head and the latest states as if it had never been."""
    for table in ("facts", "decisions", "receipts", "actions", "ledger"):
        execute(f"DELETE FROM {table} WHERE seq > {left}")
    execute(f"UPDATE cases SET seq = {left}, digest = (SELECT digest FROM ledger WHERE seq = {left})")


def test_an_end_that_was_cut_off_with_its_head_is_seen_by_a_head_noted_elsewhere(case):
    """And by nothing else: that is why it is printed."""
    noted = "{}:{}".format(*case.store.head())
    with case.kept.raw() as execute:
        cut_off(execute, 4)
        try:
            assert verify(case.store).deviations == []
            (told,) = verify(case.store, noted).deviations
        finally:
            case.put_back(execute)
    assert told.says == "the ledger ends at 4, before the entry 9 that was noted"


def test_a_chain_that_was_written_anew_is_seen_by_a_head_noted_elsewhere(kept):
    """Entries that came after it are no reason to worry."""
    with open_store(kept.case) as store:
        store.append(Draft("run", {"n": 1}), Draft("run", {"n": 2}))
        noted = "{}:{}".format(*store.head())
        store.append(Draft("run", {"n": 3}))
        assert verify(store, noted).deviations == []
        with kept.raw() as execute:
            execute("DELETE FROM ledger")
            execute("UPDATE cases SET seq = 0, digest = %s", ("0" * 64,))
        store.append(Draft("run", {"n": 1}), Draft("run", {"n": 4}), Draft("run", {"n": 3}))
        assert verify(store).deviations == []
        assert [one.says for one in verify(store, noted).deviations] == [
            "entry 2 is another than the one that was noted"
        ]


def test_a_ledger_longer_than_one_look_is_read_to_its_end(kept, monkeypatch):
    """Memory is bounded; nothing falls between two looks."""
    monkeypatch.setattr("hikeshi.cases.store.verify._CHUNK", 3)
    fill(kept.case)
    with open_store(kept.case) as store:
        store.append(*(Draft("decision", {"subject": "s", "choice": "c", "why": "w"}) for _ in range(10)))
        assert verify(store).deviations == []
        with kept.raw() as execute:
            execute("DELETE FROM decisions WHERE seq IN (4, 12, 19)")
        assert [one.seq for one in verify(store).deviations] == [4, 12, 19]


@pytest.mark.parametrize("head", ["", "9", "9:", "9:abc", "-1:" + "0" * 64, "x:" + "0" * 64, "9:" + "g" * 64])
def test_what_is_no_head_is_refused(case, head):
    """A slip of the hand must not look like a forgery."""
    with pytest.raises(UsageError, match="a number, a colon and 64"):
        verify(case.store, head)
