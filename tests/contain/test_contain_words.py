# SPDX-License-Identifier: Apache-2.0
"""What people read of a plan and its outcome, and what programs do."""

import json
from dataclasses import replace

import pytest
from farside import CLOSED, GONE, KAI, MEI, OPEN, START, FarSide, Thing, shown, target

from hikeshi.contain.approval import approve
from hikeshi.contain.contract import Phase
from hikeshi.contain.journal import Progress, State, progress_of
from hikeshi.contain.limits import Limits
from hikeshi.contain.plan import make_plan
from hikeshi.contain.run import run
from hikeshi.contain.words import outcome_text, plain, plan_document, plan_text

THINGS = [
    Thing(KAI, None, OPEN, CLOSED, Phase.STOP),
    Thing(KAI, "session", OPEN, GONE, Phase.CLOSE, undo=False),
    Thing(MEI, "lure", "INBOX", "quarantine", Phase.PURGE),
]
EVIL = "\x1b[2J\u202erule\r\n"


@pytest.fixture
def far():
    far = FarSide(THINGS)
    far.shown = (shown(EVIL),)
    far.gaps = ({"en": "Kerberos tickets last up to 10 hours", "ja": "Kerberos チケットは最長 10 時間有効"},)
    return far


@pytest.fixture
def plan(far):
    return make_plan([target(KAI), target(MEI)], [far], Limits(), START)


def test_the_first_lines_say_what_is_touched_what_is_not_and_what_cannot_be_seen(plan):
    first = plan_text(plan).split("\n\n")[0]
    assert first.splitlines() == [
        f"Plan {plan.id}, made 2026-03-04 09:00:00Z",
        "WILL BE TOUCHED: 1 accounts and 1 mailboxes, in 3 steps",
        f"  {KAI}",
        "FOUND AND NOT TOUCHED: 1",
        "CANNOT BE SEEN: 1",
    ]


def test_each_step_says_whom_what_why_and_how_it_is_undone(plan):
    text = plan_text(plan)
    assert f"  1  far close: {KAI}\n     asks   PATCH /things/-\n     why    it is open\n" in text
    assert "     undo   it is opened again\n" in text
    assert f"  2  far close: {KAI}: session\n" in text
    assert text.count("CANNOT BE UNDONE") == 1
    assert "left   old" in text
    assert "?  far: Kerberos tickets last up to 10 hours" in text


def test_it_is_there_in_japanese_too(plan):
    text = plan_text(plan, "ja")
    assert "操作の対象: アカウント 1 件、メールボックス 1 件、手順 3 件" in text
    assert "元に戻せません" in text
    assert "Kerberos チケットは最長 10 時間有効" in text


def test_an_empty_plan_says_that_nothing_is_touched():
    empty = make_plan([target(KAI)], [FarSide([])], Limits(), START)
    assert "NOTHING WILL BE TOUCHED" in plan_text(empty)
    assert "操作の対象はありません" in plan_text(empty, "ja")


def test_no_name_of_an_intruder_moves_the_cursor_or_hides(plan):
    assert plain(EVIL) == "\\u{1b}[2J\\u{202e}rule\\r\\n"
    assert plain("メール転送") == "メール転送"
    for text in (plan_text(plan), plan_text(plan, "ja")):
        assert "\\u{1b}[2J\\u{202e}rule\\r\\n" in text
        assert all(one.isprintable() for line in text.split("\n") for one in line)
    json.dumps(plan_document(plan), ensure_ascii=False).encode()


def test_names_that_are_no_utf_8_can_be_printed(plan):
    odd = replace(plan, shown=(shown("\udcff odd"),))
    plan_text(odd).encode()
    assert json.dumps(plan_document(odd), ensure_ascii=False).encode()


def test_the_outcome_lists_every_object_with_before_and_after(far, plan, store, case, patience):
    approve(store, plan, who="Aoi", why="the owner did not send these")
    outcome = run(store, plan, [far], case=case, patience=patience())
    text = outcome_text(plan, outcome.progress)
    assert text.startswith("3 of 3 steps stand by a reading; 0 do not\n")
    assert f"  3  VERIFIED: far close: {MEI}: lure\n     before it is INBOX\n     now    it is quarantine\n" in text
    assert "next reading 2026-03-04 09:15:" in text
    document = plan_document(plan, outcome.progress)
    assert document["id"] == plan.id
    assert [one["state"] for one in document["steps"]] == ["verified"] * 3
    assert [(one["before"]["state"]["value"], one["after"]["state"]["value"]) for one in document["steps"]] == [
        (OPEN, CLOSED),
        (OPEN, GONE),
        ("INBOX", "quarantine"),
    ]
    assert document["steps"][1]["undo"] is None
    assert document["steps"][0]["phase"] == "stop"
    assert json.loads(json.dumps(document)) == document
    assert "3 件中 3 件が確認済み" in outcome_text(plan, progress_of(store, plan), "ja")


@pytest.mark.parametrize("state", State)
def test_every_state_has_words(plan, state):
    progress = {step.key: Progress(state, "because") for step in plan.steps}
    for language in ("en", "ja"):
        assert "because" in outcome_text(plan, progress, language)
    assert plan_document(plan, progress)["steps"][0]["state"] == state.value
