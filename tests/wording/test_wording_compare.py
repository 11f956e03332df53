# SPDX-License-Identifier: Apache-2.0
"""A report says no less than the one before it, or explains why (L13)."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as some
from sound import FACTS, sound

from hikeshi.wording.compare import GRAVE, compare
from hikeshi.wording.facts import Said
from hikeshi.wording.lint import lint
from hikeshi.wording.sections import PARTS, said


def grave(before, after):
    return [(one.id, one.what) for one in compare(before, after) if one.grave]


def without(document, heading):
    """Leave out a section of a bulletin: its heading and what stands under it."""
    parts = document.text.split("\n■")
    kept = [one for one in parts if not one.startswith(heading)]
    assert len(kept) == len(parts) - 1
    return replace(document, text="\n■".join(kept))


def test_a_report_does_not_differ_from_itself():
    for language in ("ja", "en"):
        assert compare(sound("bulletin", language), sound("bulletin", language)) == []


def test_the_same_report_in_another_language_drops_nothing():
    assert grave(sound("bulletin", "ja"), sound("bulletin", "en")) == []
    assert grave(sound("bulletin", "en"), sound("bulletin", "ja")) == []


@pytest.mark.parametrize(
    ("heading", "id_"),
    [
        ("二次被害", "section/S09.secondary"), ("漏えいの可能性", "section/S08.data"), ("関係機関", "section/S11.authorities"),
        ("再発防止", "section/S12.prevention"), ("今後の予定", "section/S13.next"), ("該当するメール", "section/S04.window"),
    ],
)  # fmt: skip
def test_a_dropped_section_is_an_error_until_a_correction_explains_it(heading, id_):
    before = sound("bulletin", "ja")
    after = replace(without(before, heading), before=before)
    found = [id_ for id_, what in grave(before, after) if what == "dropped section"]
    assert id_ in found
    assert {one.where for one in lint(after) if one.rule == "L13"} == set(found)
    assert not [one for one in lint(replace(after, corrections=found)) if one.rule == "L13"]


def test_what_was_unknown_and_is_said_again_to_be_unknown_is_not_dropped():
    before = sound("bulletin", "ja")
    assert grave(before, replace(before, text=before.text.replace("2026年3月10日(火)の予定です", "未定です"))) == []


@given(some.integers(0, 10**6), some.integers(0, 10**6), some.sampled_from(["mails", "addresses", "people"]))
def test_a_count_may_rise_and_not_fall(before, after, unit):
    past, now = (sound("bulletin", "ja", facts_used=[Said("x", value, unit)]) for value in (before, after))
    expected = [("count/x", "lowered count")] if after < before else []
    assert grave(past, now) == expected


def test_a_count_that_becomes_unknown_has_fallen():
    past, now = (sound("bulletin", "ja", facts_used=[Said("x", value, "mails")]) for value in (5, None))
    assert grave(past, now) == [("count/x", "lowered count")]


def test_the_number_of_the_report_and_times_are_no_counts():
    past, now = (sound("bulletin", "ja", facts_used=[Said("report.number", value, "report")]) for value in (2, 1))
    assert grave(past, now) == []


@pytest.mark.parametrize(
    ("ask", "strong", "weak"),
    [
        ("ASK1", "直ちに削除してください", "ご注意ください"),
        ("ASK4", "多要素認証を有効にし、", ""),
        ("ASK5", "該当するメールに返信や転送をしないでください。", ""),
        ("ASK6", "当社がパスワードや暗証番号をお尋ねすることはありません。", ""),
    ],
)
def test_a_weakened_ask_is_an_error_until_a_correction_explains_it(ask, strong, weak):
    before = sound("bulletin", "ja")
    assert strong in before.text
    after = replace(before, text=before.text.replace(strong, weak), before=before)
    assert (f"ask/{ask}", "weakened ask") in grave(before, after)
    assert f"ask/{ask}" in {one.where for one in lint(after) if one.rule == "L13"}
    assert "L13" not in {one.rule for one in lint(replace(after, corrections=[f"ask/{ask}"]))}


def test_an_ask_that_moves_among_the_actions_is_weakened():
    before = sound("bulletin", "ja")
    line = next(one for one in before.text.splitlines() if one.startswith("当社がパスワードや"))
    moved = before.text.replace(f"{line}\n", "").replace("■対応状況\n", f"■対応状況\n{line}\n")
    assert grave(before, replace(before, text=moved)) == [("ask/ASK6", "weakened ask")]


def test_facts_that_are_new_changed_or_gone_are_told_and_need_no_explanation():
    before = sound(
        "bulletin",
        "ja",
        facts_used=[Said("a", "x"), Said("b", "y"), Said("c", 1, "mails"), Said("d", "z", None, "suspected")],
    )
    after = sound(
        "bulletin",
        "ja",
        facts_used=[Said("a", "x"), Said("b", "Y"), Said("d", "z", None, "confirmed"), Said("e", 2, "mails")],
    )
    assert [(one.id, one.what, one.before, one.after) for one in compare(before, after)] == [
        ("fact/b", "changed fact", "y", "Y"),
        ("fact/c", "gone fact", 1, None),
        ("fact/d", "changed fact", "z", "z"),
        ("fact/e", "new fact", None, 2),
    ]  # fmt: skip


def test_the_grave_come_first():
    before = sound("bulletin", "ja")
    after = replace(without(before, "二次被害"), facts_used=[*FACTS.all.values(), Said("aa", "new")])
    order = [one.what in GRAVE for one in compare(before, after)]
    assert order == sorted(order, reverse=True)
    assert True in order
    assert False in order


def test_every_part_of_every_section_is_said_by_a_sound_report_in_both_languages():
    of_later_reports = {"S15.changes"}
    for language in ("ja", "en"):
        assert {part.id for part in PARTS} - said(sound("bulletin", language)) == of_later_reports


@pytest.mark.parametrize(
    ("stage", "rule", "severity"),
    [("first", None, None), ("second", "S15", "error"), ("final", "S15", "error")],
)
def test_later_reports_need_more(stage, rule, severity):
    found = [(one.rule, one.severity) for one in lint(sound("bulletin", "ja", stage=stage))]
    assert found == ([] if rule is None else [(rule, severity)])


def test_a_first_report_need_not_know_the_scope_yet():
    bare = without(without(sound("bulletin", "ja"), "影響の範囲"), "原因")
    wanted = {
        rule: {one.severity for one in lint(replace(bare, stage=rule)) if one.rule in ("S06", "S07")}
        for rule in ("first", "second")
    }
    assert wanted == {"first": set(), "second": {"error", "warning"}}
