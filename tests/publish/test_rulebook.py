# SPDX-License-Identifier: Apache-2.0
"""The rules as shipped, and what a user's own must not be."""

from datetime import date
from textwrap import dedent

import pytest
from insurer import OWN

from hikeshi.basics.errors import UsageError
from hikeshi.publish.clocks.rulebook import RuleError, in_force, known, order, rulebook, versions


@pytest.fixture
def own(tmp_path):
    """Write a folder of rules of one's own, with `old` replaced by `new`."""

    def write(old="", new="", text=OWN):
        assert old in text
        (tmp_path / "own.toml").write_text(dedent(text.replace(old, new)), "utf-8")
        return tmp_path

    return write


def all_of(book):
    return [(regime, rule) for regime in book for rule in regime.rules]


def test_every_regime_of_the_paper_is_there(book):
    assert {one.regime for one in book} == {
        "appi", "california", "gdpr", "japan-voluntary", "nis2", "privacy-mark", "uk-gdpr",
    }  # fmt: skip


def test_every_text_for_people_is_in_both_languages(book):
    """The Japanese one holds Japanese signs, but for names."""
    for regime, rule in all_of(book):
        texts = [regime.title, rule.stage, rule.reporter, *regime.questions.values(), *regime.form(rule)]
        texts += [one for one in (rule.note, rule.source.unsure) if one is not None]
        for one in texts:
            assert any("\u3040" <= sign <= "\u9fff" for sign in one.ja), one
            assert one.en.isascii() or "…" in one.en, one


def test_every_period_in_days_says_in_which_zone_or_that_it_is_the_organisations_own(book):
    zones = {rule.id: rule.zone for _, rule in all_of(book) if rule.period and rule.period.unit != "hours"}
    assert {zones[name] for name in zones if name.startswith(("appi", "privacy-mark"))} == {"Asia/Tokyo"}


def test_japan_had_no_statutory_duty_in_2020(book):
    force = {
        rule.id: rule.force
        for regime, rule in all_of(book)
        if regime.regime == "appi" and in_force(rule, date(2020, 5, 12))
    }
    assert force == {"appi-endeavour": "endeavour"}


@pytest.mark.parametrize(
    ("day", "there"),
    [("2022-03-31", False), ("2022-04-01", True), ("2024-03-31", True), ("2026-11-25", True)],
)
def test_the_duty_begins_in_april_2022(book, day, there):
    ((_, rule),) = versions(book, "appi-final-60")
    assert in_force(rule, date.fromisoformat(day)) == there


@pytest.mark.parametrize(("day", "asked"), [("2024-03-31", "malice"), ("2024-04-01", "malice-2024")])
def test_the_question_on_case_3_is_wider_since_april_2024(book, day, asked):
    ((regime, rule),) = versions(book, "appi-final-60")
    asks = regime.asks(rule, date.fromisoformat(day))
    assert {name for name in asks if name.startswith("malice")} == {asked}


def test_a_thousand_exactly_is_not_over_a_thousand(book):
    """The tool asks and does not conclude, so the edge stands in the question."""
    question = next(one for one in book if one.regime == "appi").questions["thousand"]
    assert "1,000 exactly is not more than 1,000" in question.en
    assert "ちょうど1,000人は「超える」に当たりません" in question.ja


def test_what_is_only_proposed_is_never_in_force(book):
    proposed = [rule for _, rule in all_of(book) if rule.status == "proposed"]
    assert [rule.id for rule in proposed] == ["gdpr-omnibus"]
    assert not in_force(proposed[0], date(2030, 1, 1))


def test_california_has_a_number_of_days_since_2026(book):
    old, new = (rule for _, rule in versions(book, "california-residents"))
    assert (old.period, in_force(old, date(2025, 12, 31)), in_force(old, date(2026, 1, 1))) == (None, True, False)
    assert (new.period.length, in_force(new, date(2026, 1, 1))) == (30, True)


def test_a_rule_stands_behind_the_one_that_starts_it(book):
    turn = order(book)
    assert turn.index("nis2-notification") < turn.index("nis2-final")


def test_rules_of_ones_own_stand_beside_ours(own):
    ((regime, rule),) = versions(rulebook(own()), "insurer-notice")
    assert (regime.regime, rule.starts) == ("insurer", ("confirmed",))


@pytest.mark.parametrize(
    ("old", "new", "says"),
    [
        ("[rules.source]", "[rules.sauce]", "sauce"),
        ('law = "policy"\n', "", "law"),
        ('url = "https://insurer.example/policy"', 'url = "somewhere"', r"\$\.rules\[0\]\.source\.url"),
        ("length = 2", "length = 0", "length"),
        ('unit = "business_days"', 'unit = "weeks"', "weeks"),
        ('first_day = "excluded"', "early = 1", "first_day"),
        ("length = 2,", "length = 2, early = 2,", "early 2 must be less"),
        ('zone = "Asia/Tokyo"', 'zone = "Asia/Edo"', "Asia/Edo"),
        ('holidays = "JP"', 'holidays = "ATLANTIS"', "ATLANTIS is no country"),
        ('holidays = "JP"', 'days = ["02-30"]', "02-30 is no day"),
        ('["sat", "sun"]', '["mon", "tue", "wed", "thu", "fri", "sat", "sun"]', "all seven"),
        ('starts = ["confirmed"]\n', "", "what starts it"),
        ('starts = ["confirmed"]', 'after = "insurer-notice"', "circle"),
        ('starts = ["confirmed"]', 'after = "nothing"', "nothing: no such rule"),
        ('starts = ["confirmed"]', 'starts = ["confirmed"]\nform = "nine"', "form nine is not in the file"),
        ('starts = ["confirmed"]', 'starts = ["confirmed"]\nasks = ["why"]', "asks why"),
        ("valid_from = 2026-01-01", "valid_from = 2026-01-01\nvalid_to = 2025-01-01", "lies before"),
        ("valid_from = 2026-01-01", "valid_from = 2026-01-32", "no TOML"),
        ('id = "insurer-notice"', 'id = "gdpr-authority"', "gdpr-authority"),
        ('regime = "insurer"', 'regime = "gdpr"', "both are the regime gdpr"),
        ('force = "contract"', 'force = "contract"\nobligatory = true', "obligatory"),
    ],
)
def test_a_rule_that_cannot_be_counted_by_is_refused_with_its_place(own, old, new, says):
    with pytest.raises(RuleError, match=says) as told:
        rulebook(own(old, new))
    assert "own.toml" in str(told.value) or "rule" in str(told.value)


def test_a_rule_in_business_days_says_which_days_are_closed(own):
    without = OWN[: OWN.index("[rules.closed]")] + OWN[OWN.index("[rules.source]") :]
    with pytest.raises(RuleError, match="which days are closed"):
        rulebook(own(text=without))


def test_two_versions_may_not_hold_on_the_same_day(own):
    second = OWN[OWN.index("[[rules]]") :].replace("policy 2026", "policy 2027").replace("2026-01-01", "2027-01-01")
    with pytest.raises(RuleError, match="policy 2026 and policy 2027"):
        rulebook(own(text=OWN + second))


def test_a_file_that_is_not_utf8_is_refused(tmp_path):
    (tmp_path / "own.toml").write_bytes("regime = '保険'".encode("cp932"))
    with pytest.raises(RuleError, match="UTF-8"):
        rulebook(tmp_path)


@pytest.mark.parametrize("name", ["", "missing"])
def test_a_folder_without_rules_is_a_mistake(tmp_path, name):
    with pytest.raises(UsageError, match="one file a regime"):
        rulebook(tmp_path / name)


def test_a_strange_regime_or_rule_is_told_with_those_that_there_are(book):
    with pytest.raises(UsageError, match="uk-gdpr"):
        known(book, ["hipaa"])
    with pytest.raises(UsageError, match="nis2-warning"):
        versions(book, "nis3")
