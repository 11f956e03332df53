# SPDX-License-Identifier: Apache-2.0
"""Decisions: who, what, why, when and from where; and the table of what was done, filled from the same entries."""

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.basics.who import login
from hikeshi.cases.store import Draft, open_store
from hikeshi.cases.store.canonical import DraftError
from hikeshi.cases.store.decisions import decide, decisions
from hikeshi.cases.store.projections import row_of

ACTION = {
    "action": "dovecot/kick/kai@hinode.example/-",
    "plan": "5e1f",
    "state": "begun",
    "attempt": 1,
    "connector": "dovecot",
    "operation": "kick",
    "phase": 20,
    "account": "kai@hinode.example",
    "object": None,
    "says": "2 connections kicked",
}
RECEIPT = {
    "action": ACTION["action"],
    "plan": "5e1f",
    "verb": "verify",
    "target": "kai@hinode.example",
    "before": {"sessions": 2},
    "request_sha256": "ab" * 32,
    "answer": "done",
    "after": {"sessions": 0},
    "reached": True,
    "undo": {"en": "cannot be undone", "ja": "元に戻せません"},
    "began": "2026-11-25T08:00:00.000000Z",
    "ended": "2026-11-25T08:00:01.000000Z",
}


@pytest.fixture
def store(kept):
    with open_store(kept.case) as store:
        yield store


def test_decisions_are_given_in_the_order_they_were_taken(store):
    """All, or those on one subject; a later one does not take the place of an earlier one."""
    first = decide(store, "plan/1", "approve", who=" Sato Kai ", why="seen with Ito")
    decide(store, "incident/1", "confirm", who="Ito", why="asked her")
    decide(store, "plan/1", "refuse", who="Ito", why="wrong account")
    assert [(one.subject, one.choice, one.who, one.why) for one in decisions(store)] == [
        ("plan/1", "approve", "Sato Kai", "seen with Ito"),
        ("incident/1", "confirm", "Ito", "asked her"),
        ("plan/1", "refuse", "Ito", "wrong account"),
    ]
    told = decisions(store, "plan/1")
    assert [one.seq for one in told] == [1, 3]
    assert (told[0].time, told[0].login) == (first.time, login())
    assert decisions(store, "plan/2") == []


@pytest.mark.parametrize("blank", ["subject", "choice", "who", "why"])
def test_a_decision_needs_name_and_reason(store, blank):
    """Blanks are neither."""
    said = {"subject": "plan/1", "choice": "approve", "who": "Kai", "why": "seen"} | {blank: "\t"}
    with pytest.raises(UsageError, match="a name and a reason"):
        decide(store, **said)
    assert store.entries() == []


def test_an_action_has_one_row_in_its_latest_state(store, kept):
    """One for each plan that it is part of."""
    store.append(Draft("action", ACTION), Draft("action", {**ACTION, "plan": "77aa"}))
    store.append(Draft("action", {**ACTION, "state": "verified", "attempt": 2}))
    with kept.raw() as execute:
        rows = execute("SELECT plan, seq, state, attempt, phase, object, says FROM actions ORDER BY plan").fetchall()
    assert rows == [
        ("5e1f", 3, "verified", 2, 20, None, "2 connections kicked"),
        ("77aa", 2, "begun", 1, 20, None, "2 connections kicked"),
    ]


def test_every_receipt_has_its_row(store, kept):
    """What is JSON in it is JSON there; what nobody knows is null."""
    store.append(
        Draft("receipt", RECEIPT), Draft("receipt", {**RECEIPT, "reached": None, "undo": None, "answer": None})
    )
    with kept.raw() as execute:
        sql = "SELECT seq, verb, target, before, after, reached, undo, answer, ended FROM receipts ORDER BY seq"
        first, second = execute(sql).fetchall()
    assert first[:6] == (1, "verify", "kai@hinode.example", '{"sessions":2}', '{"sessions":0}', True)
    assert first[6:] == ('{"en":"cannot be undone","ja":"元に戻せません"}', "done", RECEIPT["ended"])
    assert second[5:8] == (None, "null", None)


@pytest.mark.parametrize(
    ("kind", "body"),
    [
        ("action", {key: value for key, value in ACTION.items() if key != "state"}),
        ("action", {**ACTION, "attempt": "first"}),
        ("action", {**ACTION, "attempt": 2**31}),
        ("receipt", {**RECEIPT, "plan": None}),
        ("receipt", {**RECEIPT, "reached": "yes"}),
        ("decision", {"subject": "plan/1", "choice": "approve"}),
        ("fact", {"key": "incident/1"}),
    ],
)
def test_a_body_that_no_row_can_be_made_of_is_refused(store, kind, body):
    """The ledger and its tables say the same, or nothing is written."""
    with pytest.raises(DraftError):
        store.append(Draft("run", {}), Draft(kind, body))
    assert store.entries() == []


def test_a_kind_without_a_table_has_no_row(store):
    """It is in the ledger, and nowhere else."""
    (entry,) = store.append(Draft("alarm", {"account": "kai@hinode.example"}))
    assert row_of(entry) is None
