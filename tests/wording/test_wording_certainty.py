# SPDX-License-Identifier: Apache-2.0
"""How sure a text may be (L10), in many words for the same."""

from datetime import UTC, datetime

import pytest

from hikeshi.wording.certainty import too_sure
from hikeshi.wording.facts import Said
from hikeshi.wording.lint import Document

AS_OF = datetime(2026, 3, 3, tzinfo=UTC)


def errors(text, language, leak="suspected", damage="not_confirmed", subject=""):
    facts = [Said("exposed.items", None, None, leak, AS_OF), Said("secondary_damage", None, None, damage, AS_OF)]
    document = Document("letter", language, subject, text, facts_used=facts)
    return [one.rule for one in too_sure(document) if one.severity == "error"]


DENIALS = [
    ("ja", "情報の漏えいはありません。"), ("ja", "個人情報の流出はございません。"), ("ja", "情報漏えいはありませんでした。"),
    ("ja", "情報漏洩は一切ございません。"), ("ja", "流出の事実はありません。"), ("ja", "お客様の情報は漏えいしていません。"),
    ("ja", "情報が外部に漏れた事実はございません。"), ("ja", "漏えいは発生しておりません。"), ("ja", "漏えいはなかったことをお知らせします。"),
    ("en", "There was no leak."), ("en", "No leak has occurred."), ("en", "No personal data was exposed."),
    ("en", "There has been no data breach."), ("en", "No information has been accessed."), ("en", "Your data is safe."),
    ("en", "A breach did not occur."),
]  # fmt: skip


@pytest.mark.parametrize(("language", "text"), DENIALS)
def test_that_there_was_no_leak_is_said_only_where_it_is_ruled_out(language, text):
    for status in ("confirmed", "suspected", "not_confirmed", "unknown"):
        assert errors(text, language, leak=status) == ["L10"], status
    assert errors(text, language, leak="ruled_out") == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "二次被害はありません。"),
        ("ja", "二次的な被害は生じていません。"),
        ("en", "There is no secondary damage."),
    ],
)
def test_that_there_is_no_secondary_damage_is_said_only_where_it_is_ruled_out(language, text):
    assert errors(text, language, damage="not_confirmed", leak="ruled_out") == ["L10"]
    assert errors(text, language, damage="ruled_out") == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "お客様の情報が漏えいしました。"), ("ja", "個人情報が流出いたしました。"), ("ja", "情報の漏えいが発生しました。"), ("ja", "情報の流出を確認しました。"),
        ("en", "Your data were leaked."), ("en", "Names have been exposed."), ("en", "A leak has occurred."), ("en", "We have confirmed a breach."),
    ],
)  # fmt: skip
def test_that_there_was_a_leak_is_said_only_where_it_is_confirmed(language, text):
    assert errors(text, language) == ["L10"]
    assert errors(text, language, leak="confirmed") == []


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "情報が漏えいした可能性があります。"), ("ja", "情報の流出のおそれがあります。"), ("ja", "漏えいの可能性を否定できません。"),
        ("ja", "漏えいの有無を調査しています。"), ("ja", "情報が流出したかどうかは、現時点では判明していません。"),
        ("ja", "二次被害は、2026年3月3日9時現在、確認されていません。"), ("ja", "二次被害が発生した場合は、窓口へご連絡ください。"),
        ("en", "Your data may have been leaked."), ("en", "We cannot rule out a leak."), ("en", "It is not known yet whether there was a leak."),
        ("en", "As of 3 March 2026, 09:00 (JST), no leak has been confirmed."), ("en", "We do not know if data were leaked."),
    ],
)  # fmt: skip
def test_what_leaves_it_open_is_fine_for_what_is_open(language, text):
    for status in ("suspected", "not_confirmed", "unknown"):
        assert errors(text, language, leak=status) == [], status


@pytest.mark.parametrize(
    ("language", "text"),
    [("ja", "二次被害は確認されていません。"), ("ja", "現時点で二次被害は確認されておりません。"), ("ja", "被害の申告は受けておりません。"), ("en", "So far no misuse has been confirmed."), ("en", "Secondary damage has not been confirmed.")],
)  # fmt: skip
def test_what_is_not_confirmed_is_not_confirmed_as_of_some_day(language, text):
    assert errors(text, language) == ["L10"]


@pytest.mark.parametrize(
    ("language", "subject", "expected"),
    [
        ("ja", "個人情報流出に関するお詫び", ["L10"]), ("ja", "個人情報流出の可能性に関するお詫び", []), ("ja", "情報漏えいのおそれについて", []), ("ja", "メール不正利用のお知らせ", []),
        ("en", "Notice of data breach", ["L10"]), ("en", "Notice of a possible data breach", []), ("en", "Notice of mailbox misuse", []),
    ],
)  # fmt: skip
def test_a_title_is_as_sure_as_its_facts(language, subject, expected):
    assert errors("", language, subject=subject) == expected
    assert errors("", language, subject=subject, leak="confirmed") == []


def test_what_is_known_and_what_may_be_are_parted():
    mixed = Document("letter", "ja", "", "不正なアクセスを確認しましたが、情報が漏えいした可能性があります。")
    parted = Document("letter", "ja", "", "不正なアクセスを確認しました。情報が漏えいした可能性があります。")
    assert [one.severity for one in too_sure(mixed)] == ["warning"]
    assert list(too_sure(parted)) == []
