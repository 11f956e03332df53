# SPDX-License-Identifier: Apache-2.0
"""The founding case as a golden test: both reports of May 2020 out of their facts, and the nine traps of retelling them."""

import re
from datetime import date, datetime, timedelta

import founding
import pytest

from hikeshi.cases.store.facts import standing
from hikeshi.publish.bulletin.blocks import blocks
from hikeshi.publish.bulletin.check import check, errors_of
from hikeshi.publish.bulletin.released import bulletins
from hikeshi.publish.private import private
from hikeshi.wording.facts import Facts

OCCURRED_JA, OCCURRED_EN = (
    "2020年5月8日(金)17時05分54秒(日本時間、UTC+09:00)",
    "Friday, 8 May 2020, 17:05:54 (JST, UTC+09:00)",
)
DISCOVERED_JA = "2020年5月12日(火)11時16分07秒(日本時間、UTC+09:00)"
DISCOVERED_EN = "Tuesday, 12 May 2020, 11:16:07 (JST, UTC+09:00)"


@pytest.fixture
def reports(store):
    return founding.released(store)


def pairs(report, section, language="ja"):
    return dict(pair for block in blocks(report.texts[language].sections[section]) for pair in block.pairs)


def whole(report, language="ja"):
    return report.texts[language].plain(language)


def test_every_gold_fact_is_in_the_second_report_as_given(reports):
    _, second = reports
    timeline, scope = pairs(second, "timeline"), pairs(second, "scope")
    assert timeline["発生"] == OCCURRED_JA
    assert timeline["発覚"] == DISCOVERED_JA
    assert timeline["発覚の経緯"] == "受信者からの通報"
    assert scope["不正に使用されたアカウント"] == "1アカウント(購買部部員)"
    assert scope["送信された不審なメール"] == "1,220通"
    assert scope["宛先の種別"].startswith("法人のお客様・お取引先様(2020年5月15日(金)")
    assert "IDとパスワードを盗取" in second.texts["ja"].sections["cause"]
    assert "標的型攻撃メール(フィッシングメール)" in second.texts["ja"].title
    assert "(第2報)" in second.texts["ja"].title
    assert pairs(second, "desk") == {
        "窓口": "お客様相談窓口",
        "電話": founding.PHONE,
        "受付時間": "24時間365日",
    }
    done = second.texts["ja"].sections["actions"].splitlines()
    assert len(done) == 3
    assert "パスワードを変更" in done[0]
    english = pairs(second, "timeline", "en")
    assert (english["Occurred"], english["Discovered"]) == (OCCURRED_EN, DISCOVERED_EN)


def test_the_derived_spans_are_those_of_the_facts(store, reports):
    facts = {key: one.fact.value for key, one in standing(store).items()}
    occurred, discovered = (datetime.fromisoformat(facts[key]) for key in ("occurred_at", "discovered_at"))
    assert discovered - occurred == timedelta(days=3, hours=18, minutes=10, seconds=13) == timedelta(seconds=324_613)
    first, second = (one.as_of.date() for one in reports)
    assert [(day - discovered.date()).days for day in (first, second)] == [1, 3]
    assert first - occurred.date() == date(2020, 5, 13) - date(2020, 5, 8)


def test_what_nobody_knows_stays_unknown(store, reports):
    stands = standing(store)
    assert [key for key in founding.NEVER_KNOWN if key in stands] == []
    assert [key for key in stands if key.startswith("incident/")] == [f"{founding.INCIDENT}/messages"]
    _, second = reports
    assert pairs(second, "recognise")["件名"] == "調査中"
    assert pairs(second, "recognise")["送信された時間帯"] == "調査中"
    assert pairs(second, "recognise")["誘導先"] == "調査中"
    assert pairs(second, "scope")["宛先のメールアドレス(重複を除く)"] == "調査中"
    assert pairs(second, "scope")["宛先の会社・団体の数"] == "調査中"
    assert pairs(second, "scope")["情報が漏えいした可能性のあるご本人の数"] == "調査中"
    assert pairs(second, "timeline")["不正な使用の遮断"] == "日時は確認中"


def test_both_reports_pass_every_rule_that_blocks(store, case, reports):
    facts = Facts.of(store)
    secret = private(store, case, facts)
    first, second = reports
    assert errors_of(check(first, None, facts, secret)) == []
    assert errors_of(check(second, first, facts, secret)) == []


@pytest.mark.parametrize("language", ["ja", "en"])
def test_t1_the_first_report_knows_no_discovery_and_no_report_takes_it_for_a_sending(reports, language):
    first, second = reports
    assert not re.search(r"5月12日|12 May|11時16分|11:16", whole(first, language))
    label = {"ja": "発覚", "en": "Discovered"}[language]
    assert pairs(first, "timeline", language)[label] in ("確認中", "being checked")
    telling = [line for line in whole(second, language).splitlines() if re.search(r"11時16分|11:16", line)]
    assert telling
    assert all(re.search(r"発覚|Discovered|discovery", line) for line in telling)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_t2_corporate_is_as_far_as_known_and_rules_out_no_person(reports, language):
    _, second = reports
    label = {"ja": "宛先の種別", "en": "Who the recipients are"}[language]
    said = pairs(second, "scope", language)[label]
    assert re.search(r"判明している範囲|as far as known", said)
    assert not re.search(
        r"個人(?:の方|情報)?は(?:含まれ|あり)ません|no (?:individuals|personal data)", whole(second, language)
    )


@pytest.mark.parametrize("language", ["ja", "en"])
def test_t3_1220_counts_mails_and_nothing_else(reports, language):
    _, second = reports
    unit = {"ja": "通", "en": " emails"}[language]
    found = re.findall(r"1,?220( ?\w*)", whole(second, language))
    assert found
    assert all(one.startswith(unit) for one in found)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_t4_nobody_says_what_the_time_of_occurrence_is_of(store, reports, language):
    assert standing(store)["occurred_at.meaning"].fact.value == "unspecified"
    for report in reports:
        text = report.texts[language].sections["timeline"]
        assert re.search(r"いずれを指すかは、確認中|We are still checking whether the time", text)
        telling = [line for line in whole(report, language).splitlines() if re.search(r"17時05分|17:05", line)]
        assert all(re.match(r"・発生:|- Occurred:", line) for line in telling)


def test_t5_the_password_was_changed_and_no_report_says_that_the_id_was(reports):
    _, second = reports
    assert not re.search(r"ID[^。\n]{0,8}変更", second.texts["ja"].sections["actions"])
    assert "changed the password" in second.texts["en"].sections["actions"]
    assert not re.search(r"changed[^.\n]{0,10}\bID\b", second.texts["en"].sections["actions"])


def test_t6_reports_stand_in_the_order_of_their_days(store, reports):
    assert [one.at.date() for one in bulletins(store).released] == [date(2020, 5, 13), date(2020, 5, 15)]
    assert [one.number for one in reports] == [1, 2]
    history = reports[1].tracking["revision_history"]
    assert [one["date"][:10] for one in history] == ["2020-05-13", "2020-05-15"]


def test_t7_unauthorised_forwarding_is_told_as_it_was_said_and_becomes_no_rule(store, reports):
    first, _ = reports
    assert "新たな不正転送が生じないよう対処" in first.texts["ja"].sections["actions"]
    assert not any("rule" in key or "forward" in key for key in standing(store))
    assert not re.search(r"転送(?:ルール|設定)を(?:削除|解除)", whole(first))


@pytest.mark.parametrize("language", ["ja", "en"])
def test_t8_that_there_was_no_secondary_damage_on_the_13th_is_not_carried_to_the_15th(reports, language):
    first, second = (one.texts[language].sections["secondary"] for one in reports)
    assert re.search(r"現時点\(2020年5月13日.*確認されていません。|As of Wednesday, 13 May 2020", first)
    assert not re.search(r"5月15日|15 May|現時点", second)
    assert re.search(r"5月13日|13 May", second)
    assert re.search(r"その後の状況は、確認中|What has happened since is being checked", second)


@pytest.mark.parametrize("language", ["ja", "en"])
def test_t9_titles_say_no_more_than_the_facts(store, reports, language):
    assert standing(store)["exposed.items"].fact.status == "suspected"
    for report in reports:
        title = report.texts[language].title
        assert re.search(r"可能性|possible", title)
        assert "流出" not in title


def test_no_report_names_the_clerk_or_the_account(reports):
    for report in reports:
        for language in ("ja", "en"):
            assert founding.ACCOUNT not in whole(report, language)
            assert founding.ACCOUNT.partition("@")[0] not in whole(report, language).replace(
                "purchasing department", ""
            )


def test_the_zone_is_an_assumption_that_stands_as_one(store, reports):
    assert len(reports) == 2
    assert standing(store)["org.zone"].fact.status == "suspected"
