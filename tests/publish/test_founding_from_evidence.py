# SPDX-License-Identifier: Apache-2.0
"""The founding drill's logs plus what people entered in May 2020: the same two reports, with the counts that evidence gives."""

import founding
import pytest

from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import standing
from hikeshi.drill.rehearsal import rehearse
from hikeshi.playbook import investigate
from hikeshi.publish.bulletin.blocks import blocks
from hikeshi.publish.bulletin.bulletin import body_of
from hikeshi.publish.bulletin.check import check, errors_of
from hikeshi.publish.bulletin.compose import compose
from hikeshi.publish.bulletin.released import approve, bulletins, keep, release
from hikeshi.publish.private import private
from hikeshi.publish.site.build import build
from hikeshi.wording.facts import Facts


@pytest.fixture(scope="module")
def evidence(tmp_path_factory):
    """Give the case with the drill's evidence, both reports released; the folder and what was found wrong with each."""
    folder = tmp_path_factory.mktemp("founding")
    drill = rehearse("founding", folder / "drill")
    investigate(drill.question(folder / "case"), lambda _: None)
    problems = []
    with open_store(folder / "case") as store:
        founding.enter_first(store)
        for stage, at in (("first", founding.FIRST), ("second", founding.SECOND)):
            if stage == "second":
                founding.enter_second(store)
            facts, past = Facts.of(store), bulletins(store)
            one = compose(store, facts, past, stage=stage, as_of=at)
            problems.append(errors_of(check(one, past.before, facts, private(store, folder / "case", facts))))
            keep(store, one)
            approve(store, one, who="Rin Mori", why="read it")
            release(store, who="Rin Mori", at=at)
        yield store, folder / "case", [one.bulletin for one in bulletins(store).released], problems


def pairs(report, section):
    return [pair for block in blocks(report.texts["ja"].sections[section]) for pair in block.pairs]


def test_both_reports_pass_every_rule_that_blocks(evidence):
    *_, problems = evidence
    assert problems == [[], []]


def test_the_counts_are_those_of_the_evidence_each_of_its_own_kind(evidence):
    _, _, (_, second), _ = evidence
    scope = dict(pairs(second, "scope"))
    assert scope["送信された不審なメール"] == "1,220通(現時点の調査結果)"
    assert scope["宛先のメールアドレス(重複を除く)"] == "1,220宛先(現時点の調査結果)"
    assert scope["うち、相手のサーバーが受け取ったもの"] == "1,128宛先(現時点の調査結果)"
    assert scope["情報が漏えいした可能性のあるご本人の数"] == "調査中"
    assert scope["宛先の会社・団体の数"] == "調査中"


def test_the_entered_facts_are_told_as_without_evidence(evidence, tmp_path):
    """What people entered reads the same whether there are logs or not."""
    (tmp_path / "bare").mkdir()
    with open_store(tmp_path / "bare") as store:
        bare = founding.released(store)[1]
    _, _, (_, second), _ = evidence
    for section in ("asks", "cause", "information", "secondary", "actions", "desk", "plain"):
        assert second.texts["ja"].sections[section] == bare.texts["ja"].sections[section], section
    timeline, bare_timeline = dict(pairs(second, "timeline")), dict(pairs(bare, "timeline"))
    assert {key: timeline[key] for key in bare_timeline} == bare_timeline
    assert {*timeline} - {*bare_timeline} == {"不審なメールの送信開始", "不審なメールの送信終了"}


def test_the_discovery_comes_from_people_and_never_from_the_alarm(evidence):
    store, _, (first, second), _ = evidence
    alarmed = next(one.fact.value for key, one in standing(store).items() if key.endswith("/alarmed_at"))
    assert alarmed[:10] == "2020-05-08"
    assert dict(pairs(first, "timeline"))["発覚"] == "確認中"
    assert dict(pairs(second, "timeline"))["発覚"].startswith("2020年5月12日(火)11時16分07秒")


def test_what_no_evidence_gives_stays_null(evidence):
    store, *_ = evidence
    assert [key for key in founding.NEVER_KNOWN if key in standing(store)] == []


def test_every_number_leads_back_to_its_entry(evidence):
    store, _, reports, _ = evidence
    written = {entry.seq: entry.body for entry in store.entries("fact")}
    for report in reports:
        for fact in body_of(report)["facts"]:
            if fact["seq"] is not None:
                assert (written[fact["seq"]]["key"], written[fact["seq"]]["value"]) == (fact["key"], fact["value"])


def test_no_page_shows_a_recipient_the_clerk_or_where_the_intruder_came_from(evidence, tmp_path):
    store, case, _, _ = evidence
    facts = Facts.of(store)
    secret = private(store, case, facts)
    assert len(secret.addresses) > 1000
    build(store, facts, bulletins(store), secret, tmp_path / "site", pdfs=False)
    for page in (tmp_path / "site").iterdir():
        text = page.read_text("utf-8").lower()
        assert "rin.norwood" not in text
        assert "norwood" not in text
        assert "203.0.113.77" not in text
        assert not any(address.lower() in text for address in secret.addresses)
