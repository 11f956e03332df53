# SPDX-License-Identifier: Apache-2.0
"""Draft, approval, release: exactly what was approved, only while it is still true, and never changed afterwards."""

from datetime import timedelta

import founding
import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store.facts import Fact, correct, record
from hikeshi.cases.store.verify import verify
from hikeshi.publish.bulletin import released
from hikeshi.publish.bulletin.bulletin import body_of, bulletin_of
from hikeshi.publish.bulletin.check import check, errors_of
from hikeshi.publish.bulletin.compose import compose
from hikeshi.publish.bulletin.released import (
    NotReleasedError,
    approve,
    bulletins,
    explain,
    keep,
    refuse,
    release,
)
from hikeshi.publish.private import private
from hikeshi.wording.facts import Facts, MissingFactError


@pytest.fixture
def draft(store):
    founding.enter_first(store)
    one = drawn(store)
    keep(store, one)
    return one


def drawn(store, stage="first", at=founding.FIRST):
    return compose(store, Facts.of(store), bulletins(store), stage=stage, as_of=at)


def problems(store, case, one):
    facts = Facts.of(store)
    return errors_of(check(one, bulletins(store).before, facts, private(store, case, facts)))


def test_the_same_facts_draw_the_same_draft_and_it_is_kept_once(store, draft):
    assert drawn(store).digest == draft.digest
    keep(store, drawn(store))
    assert [entry.body["event"] for entry in store.entries("bulletin")] == ["draft"]


def test_a_bulletin_comes_back_from_the_ledger_as_it_went_in(store, draft):
    assert bulletin_of(body_of(draft)) == bulletins(store).draft == draft


def test_nothing_is_released_that_nobody_approved(store, draft):
    with pytest.raises(NotReleasedError, match=f"draft {draft.id} is approved by nobody"):
        release(store, who="Rin", at=founding.FIRST)
    assert bulletins(store).released == ()


def test_an_approval_without_name_or_reason_is_none(store, draft):
    with pytest.raises(UsageError):
        approve(store, draft, who=" ", why="read it")
    with pytest.raises(UsageError):
        approve(store, draft, who="Rin", why="")
    with pytest.raises(NotReleasedError):
        release(store, who="Rin", at=founding.FIRST)


def test_a_refusal_takes_back_the_approvals_before_it(store, draft):
    approve(store, draft, who="Rin", why="read it")
    refuse(store, draft, who="Kai", why="the phone number is wrong")
    with pytest.raises(NotReleasedError):
        release(store, who="Rin", at=founding.FIRST)


def test_an_approval_is_of_exactly_what_was_read(store, draft):
    approve(store, draft, who="Rin", why="read it")
    correct(store, "desk.phone", "0120-000-111", who="Rin", why="new line")
    fresh = drawn(store)
    assert fresh.id != draft.id
    keep(store, fresh)
    with pytest.raises(NotReleasedError, match="nobody"):
        release(store, who="Rin", at=founding.FIRST)


def test_a_draft_whose_facts_have_changed_is_not_released(store, draft):
    approve(store, draft, who="Rin", why="read it")
    correct(store, "desk.phone", "0120-000-111", who="Rin", why="new line")
    with pytest.raises(NotReleasedError, match=r"has changed since draft .*desk\.phone"):
        release(store, who="Rin", at=founding.FIRST)


def test_two_people_are_asked_for_where_the_case_says_so_and_one_login_is_one_person(store, draft, monkeypatch):
    correct(store, released.PERSONS, 2, who="Rin", why="our rule")
    approve(store, draft, who="Rin", why="read it")
    approve(store, draft, who="Kai", why="read it, too")
    with pytest.raises(NotReleasedError, match="needs 2"):
        release(store, who="Rin", at=founding.FIRST)
    monkeypatch.setattr("hikeshi.cases.store.ledger.login", lambda: "kai@elsewhere")
    approve(store, draft, who="Kai", why="read it, from my own login")
    assert release(store, who="Rin", at=founding.FIRST).bulletin.number == 1


def test_what_was_released_never_changes_whatever_facts_do(store, draft):
    approve(store, draft, who="Rin", why="read it")
    release(store, who="Rin", at=founding.FIRST)
    correct(store, "desk.phone", "0120-000-111", who="Rin", why="new line")
    (one,) = bulletins(store).released
    assert one.bulletin.digest == draft.digest
    assert founding.PHONE in one.bulletin.texts["ja"].sections["desk"]
    assert not verify(store, None).deviations


def test_the_tracking_block_counts_the_reports_of_one_document(store):
    first, second = founding.released(store)
    assert first.tracking["id"] == second.tracking["id"]
    assert [one.tracking["version"] for one in (first, second)] == ["1", "2"]
    assert second.tracking["initial_release_date"] == founding.FIRST.isoformat()
    assert second.tracking["current_release_date"] == founding.SECOND.isoformat()
    assert second.tracking["status"] == "interim"
    assert store.case_id not in str(second.tracking)


def test_no_report_is_drawn_or_released_before_the_one_before_it(store):
    founding.released(store)
    with pytest.raises(UsageError, match="before the report before"):
        drawn(store, "second", founding.FIRST)
    late = drawn(store, "final", founding.SECOND + timedelta(days=1))
    keep(store, late)
    approve(store, late, who="Rin", why="read it")
    with pytest.raises(UsageError, match="before the report before"):
        release(store, who="Rin", at=founding.FIRST)


def test_without_a_desk_there_is_no_report_and_the_error_says_what_to_enter(store):
    with pytest.raises(MissingFactError, match=r"hikeshi case correct desk\.name"):
        drawn(store)


def test_a_lowered_count_blocks_until_a_correction_explains_it(store, case):
    founding.released(store)
    correct(store, f"{founding.INCIDENT}/messages", 1200, who="Rin", why="20 were counted twice")
    later = founding.SECOND + timedelta(days=1)
    assert {one.rule for one in problems(store, case, drawn(store, "second", later))} == {"L13"}
    explain(
        store,
        "scope",
        {"ja": "送信数に重複がありましたので、訂正します。", "en": "Some emails had been counted twice."},
        who="Rin",
        why="duplicates",
    )
    one = drawn(store, "second", later)
    assert problems(store, case, one) == []
    assert "訂正 | 送信数に重複がありました" in one.texts["ja"].sections["changes"]
    assert "前報: 1,220通 → 今回: 1,200通" in one.texts["ja"].sections["changes"]
    assert "before: 1,220 emails → now: 1,200 emails" in one.texts["en"].sections["changes"]


def test_a_correction_of_another_section_explains_nothing(store, case):
    founding.released(store)
    correct(store, f"{founding.INCIDENT}/messages", 1200, who="Rin", why="20 were counted twice")
    explain(store, "desk", {"ja": "窓口を変更します。", "en": "The desk has moved."}, who="Rin", why="moved")
    one = drawn(store, "second", founding.SECOND + timedelta(days=1))
    assert "L13" in {each.rule for each in problems(store, case, one)}


def test_a_correction_needs_both_languages_and_a_section(store):
    with pytest.raises(UsageError, match="both languages"):
        explain(store, "scope", {"ja": "訂正します。", "en": " "}, who="Rin", why="why")
    with pytest.raises(UsageError, match="no such section"):
        explain(store, "weather", {"ja": "あ", "en": "a"}, who="Rin", why="why")


def test_corrections_are_used_up_by_the_report_that_tells_them(store):
    founding.enter_first(store)
    explain(store, "scope", {"ja": "訂正します。", "en": "Corrected."}, who="Rin", why="why")
    assert len(bulletins(store).corrections) == 1
    one = drawn(store)
    keep(store, one)
    approve(store, one, who="Rin", why="read it")
    release(store, who="Rin", at=founding.FIRST)
    assert bulletins(store).corrections == ()


def test_the_status_decides_how_sure_the_words_are(store):
    founding.enter_first(store)
    said = {}
    for status in ("suspected", "confirmed", "ruled_out", "unknown"):
        value = ["メールアドレス"]
        record(store, [Fact("exposed.items", value, None, status, as_of=founding.FIRST, provenance="external")])
        one = drawn(store)
        said[status] = (one.texts["ja"].title, one.texts["ja"].sections["information"])
    assert "可能性" in said["suspected"][0]
    assert "情報の漏えい" in said["confirmed"][0]
    assert "可能性" not in said["confirmed"][0]
    assert "漏えい" not in said["ruled_out"][0] + said["unknown"][0]
    assert "可能性を否定できません" in said["suspected"][1]
    assert "確認しました" in said["confirmed"][1]
    assert "なかったことを確認しました" in said["ruled_out"][1]
    assert "調査中" in said["unknown"][1]


def test_what_people_enter_cannot_make_another_block_of_the_text(store):
    founding.enter_first(store)
    correct(store, "discovery.channel", "電話\n- 偽の項目\n発覚 | 昨日", who="Rin", why="odd text")
    lines = drawn(store).texts["ja"].sections["timeline"].splitlines()
    assert "発覚の経緯 | 電話 - 偽の項目 発覚 / 昨日" in lines
    assert sum(line.startswith("発覚 |") for line in lines) == 1


def test_a_burst_that_may_be_the_owners_own_is_told_to_nobody(store):
    founding.enter_first(store)
    record(
        store,
        [
            Fact("incident/news@maker.example/1/verdict", "unusual-bulk", None, "suspected"),
            Fact("incident/news@maker.example/1/messages", 4711, "mails", "suspected"),
        ],
    )
    one = drawn(store)
    assert "4,711" not in one.texts["ja"].plain("ja") + one.texts["en"].plain("en")
