# SPDX-License-Identifier: Apache-2.0
"""What templates can print: never a bare value, whatever the facts are; and what they printed is written down."""

import re
from datetime import UTC, date, datetime, timedelta, timezone

import jinja2
import pytest
from hypothesis import given
from hypothesis import strategies as some

from hikeshi.wording import words
from hikeshi.wording.facts import FactError, Facts, MissingFactError, Said
from hikeshi.wording.text import defang, environment, said, write

AS_OF = datetime(2026, 3, 3, 1, tzinfo=UTC)
STATUSES = ["confirmed", "suspected", "not_confirmed", "ruled_out", "unknown"]
LANGUAGES = ["ja", "en"]


def printed(template, language="ja", html=False, facts=(), **context):
    case = Facts.made({one.key: one for one in facts})
    wording = environment(language, case, jinja2.DictLoader({"one": template}), html=html)
    return write(wording, "one", **context)


@pytest.mark.parametrize(
    ("fact", "ja", "en"),
    [
        (said("x", 1220, "mails"), "1,220通", "1,220 emails"),
        (said("x", 1, "mails"), "1通", "1 email"),
        (said("x", 0, "addresses"), "0宛先", "0 email addresses"),
        (said("x", 3, "organisations"), "3社", "3 organisations"),
        (said("x", 3, "people"), "3名", "3 people"),
        (said("x", 2, "report"), "第2報", "Report 2"),
        (said("x", 5, "mails", status="suspected"), "5通(現時点の調査結果)", "5 emails (as found so far)"),
        (said("x", 5, "mails", status="not_confirmed"), "5通(未確認)", "5 emails (not confirmed)"),
        (said("x", 5, "mails", status="unknown"), "不明", "not known"),
        (said("x", None, "mails"), "不明", "not known"),
        (said("x", 0, "people", status="ruled_out"), "該当なし(確認済み)", "none (ruled out)"),
        (said("x", 9, "mails", bounds=(5, None, "why")), "少なくとも5通", "at least 5 emails"),
        (said("x", 9, "mails", bounds=(5, 9, "why")), "5通以上9通以下", "between 5 and 9 emails"),
        (said("x", 9, "mails", bounds=(9, 9, "why")), "9通", "9 emails"),
        (said("x", 9, "mails", bounds=(5, 9, "why"), corrected=True), "9通", "9 emails"),
    ],
)  # fmt: skip
def test_a_number_has_its_unit_its_bounds_and_its_status(fact, ja, en):
    assert printed("{{ f|n }}", "ja", f=fact).text == printed("{{ f }}", "ja", f=fact).text == ja
    assert printed("{{ f|n }}", "en", f=fact).text == en


@pytest.mark.parametrize(
    ("value", "ja", "en"),
    [
        ("2020-05-08T17:05:54+09:00", "2020年5月8日(金)17時05分54秒(日本時間、UTC+09:00)", "Friday, 8 May 2020, 17:05:54 (JST, UTC+09:00)"),
        ("2020-05-08T08:05:54Z", "2020年5月8日(金)17時05分54秒(日本時間、UTC+09:00)", "Friday, 8 May 2020, 17:05:54 (JST, UTC+09:00)"),
        ("2020-05-08T17:05+09:00", "2020年5月8日(金)17時05分(日本時間、UTC+09:00)", "Friday, 8 May 2020, 17:05 (JST, UTC+09:00)"),
        ("2020-05-08 17:05:54.5+09:00", "2020年5月8日(金)17時05分54秒(日本時間、UTC+09:00)", "Friday, 8 May 2020, 17:05:54 (JST, UTC+09:00)"),
        ("2020-05-13", "2020年5月13日(水)", "Wednesday, 13 May 2020"),
    ],
)  # fmt: skip
def test_a_time_has_its_zone_and_is_as_precise_as_it_is_known(value, ja, en):
    facts = [said("org.zone", "Asia/Tokyo"), said("occurred_at", value, "time")]
    assert printed("{{ facts['occurred_at'] }}", "ja", facts=facts).text == ja
    assert printed("{{ facts['occurred_at']|time }}", "en", facts=facts).text == en


def test_other_zones_are_named():
    facts = [said("org.zone", "Europe/Berlin"), said("occurred_at", "2020-05-08T17:05:54+09:00", "time")]
    assert (
        printed("{{ facts['occurred_at'] }}", "en", facts=facts).text
        == "Friday, 8 May 2020, 10:05:54 (CEST, UTC+02:00)"
    )
    assert printed("{{ f }}", "en", f=said("x", "2020-05-08T17:05Z", "time")).text == "Friday, 8 May 2020, 17:05 (UTC)"


@pytest.mark.parametrize(
    ("status", "ja", "en"),
    [
        ("confirmed", "漏えいを確認しました", "We have confirmed a leak"),
        ("suspected", "漏えいの可能性を否定できません", "We cannot rule out a leak"),
        ("not_confirmed", "現時点(2026年3月3日(火)01時00分(UTC)現在)で、漏えいは確認されていません", "As of Tuesday, 3 March 2026, 01:00 (UTC), a leak has not been confirmed"),
        ("ruled_out", "漏えいがなかったことを確認しました", "We have ruled out a leak"),
        ("unknown", "漏えいの有無は、現時点では判明していません", "It is not known yet whether there was a leak"),
    ],
)  # fmt: skip
def test_how_sure_it_is_follows_the_status(status, ja, en):
    fact = said("exposed.items", None, status=status, as_of=AS_OF)
    assert printed("{{ f|sure('漏えい') }}", "ja", f=fact).text == ja
    assert printed("{{ f|sure('a leak') }}", "en", f=fact).text == en


def test_what_is_not_confirmed_needs_to_say_as_of_when():
    with pytest.raises(FactError, match="nobody knows as of when"):
        printed("{{ f|sure('漏えい') }}", f=said("exposed.items", None, status="not_confirmed"))


def test_lists_and_texts():
    items = said("exposed.items", ["氏名", "住所", "電話番号"], status="suspected")
    assert (
        printed("{{ f|listed }}", f=items).text
        == printed("{{ f }}", f=items).text
        == "氏名、住所、電話番号(現時点の調査結果)"
    )
    assert printed("{{ f|listed }}", "en", f=said("x", ["a", "b", "c"])).text == "a, b and c"
    assert printed("{{ ['a', 'b']|listed }}", "en").text == "a and b"
    assert printed("{{ ['a', f]|listed }}", "en", f=said("x", 2, "mails")).text == "a and 2 emails"


@pytest.mark.parametrize(
    ("plain", "safe"),
    [
        ("https://login.example.net/a.html?x", "hxxps://login[.]example[.]net/a.html?x"),
        ("HTTP://EXAMPLE.NET", "hxxp://EXAMPLE[.]NET"),
        ("write to taro@mail.example.net today", "write to taro@mail[.]example[.]net today"),
        ("http://192.0.2.7/x", "hxxp://192[.]0[.]2[.]7/x"),
        ("例え.テスト", "例え[.]テスト"),
        ("Fine. Really.", "Fine. Really."),
        ("1.5 and 2020.05.13", "1.5 and 2020.05.13"),
    ],
)
def test_defanged_addresses_are_no_links(plain, safe):
    assert defang(plain) == safe
    assert printed("{{ f|defang }}", f=said("lure.url", [plain])).text == safe


@pytest.mark.parametrize(
    "template",
    ["{{ 5 }}", "{{ 5.5 }}", "{{ true }}", "{{ none }}", "{{ [1]|length }}", "{{ day }}", "{{ [1]|listed }}", "{{ 5|defang }}",
     "{{ 5|n }}", "{{ '2020-05-13'|time }}", "{{ 'x'|sure('y') }}", "{{ f ~ 'x' }}", "{{ f|string }}", "{{ [f]|join }}", "{{ '%s'|format(f) }}"],
)  # fmt: skip
def test_nothing_is_printed_bare_or_past_its_words(template):
    with pytest.raises(FactError):
        printed(template, f=said("x", 5, "mails"), day=date(2026, 3, 1))


def test_a_number_without_a_unit_cannot_be_said():
    with pytest.raises(FactError, match="which no text can say"):
        printed("{{ f }}", f=said("x", 5))
    with pytest.raises(FactError, match="is no number"):
        printed("{{ f|n }}", f=said("x", "five", "mails"))


def test_a_template_that_asks_for_what_the_case_has_not_says_which_and_how_to_enter_it():
    with pytest.raises(MissingFactError, match=r"desk\.phone.*hikeshi case correct"):
        printed("{{ facts['desk.phone'] }}")
    with pytest.raises(MissingFactError, match=r"incident/a@example\.test/1/messages"):
        printed("{{ facts.incidents()[0].messages }}", facts=[said("incident/a@example.test/1/verdict", "takeover")])
    with pytest.raises(jinja2.UndefinedError):
        printed("{{ nothing }}")


def test_what_is_printed_is_written_down_once_and_in_order_and_what_is_only_asked_about_is_not():
    facts = [said("b", 1, "mails"), said("a", "x"), said("c", "y")]
    written = printed(
        "{% if facts.known('c') %}{{ facts['b'] }}{{ facts['a'] }}{{ facts['b']|n }}{% endif %}", facts=facts
    )
    assert [one.key for one in written.used] == ["b", "a"]
    assert printed("nothing").used == ()


def test_html_is_escaped_and_plain_text_is_not():
    fact = said("org.name", "A&B <Co>")
    assert printed("{{ f }}", html=True, f=fact).text == "A&amp;B &lt;Co&gt;"
    assert printed("{{ f }}", f=fact).text == "A&B <Co>"


TIMES = some.datetimes(
    datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=some.just(UTC) | some.just(timezone(timedelta(hours=9)))  # noqa: DTZ001 - hypothesis adds the zone
).map(lambda moment: moment.isoformat())  # fmt: skip
FACTS = some.builds(
    Said,
    some.just("x"),
    some.one_of(some.none(), some.integers(0, 10**9)),
    some.sampled_from(sorted(words.UNITS)),
    some.sampled_from(STATUSES),
    some.just(AS_OF),
    bounds=some.none() | some.tuples(some.integers(0, 99), some.none() | some.integers(100, 999), some.just("why")),
)
MOMENTS = some.builds(Said, some.just("x"), TIMES, some.just("time"), some.sampled_from(STATUSES), some.just(AS_OF))
QUALIFIED = {
    "suspected": {"ja": "現時点の調査結果", "en": "as found so far"},
    "not_confirmed": {"ja": "未確認", "en": "not confirmed"},
}


@given(FACTS, some.sampled_from(LANGUAGES))
def test_every_number_has_a_unit_and_words_for_its_status(fact, language):
    text = printed("{{ f }}", language, f=fact).text
    if not fact.known:
        assert text == words.UNKNOWN[language]
    elif fact.status == "ruled_out":
        assert not re.search(r"\d", text)
    else:
        units = words.UNITS[fact.unit]
        for number in re.finditer(r"[\d,]*\d", text):
            after = text[number.end() :]
            assert after.startswith(units[0] if language == "ja" else (f" {units[1]}", f" {units[2]}", " and"))
        assert ("(" in text) == (fact.status in QUALIFIED)
        assert QUALIFIED.get(fact.status, {}).get(language, "") in text


@given(MOMENTS, some.sampled_from(LANGUAGES))
def test_every_time_has_a_zone_and_words_for_its_status(fact, language):
    text = printed("{{ f }}", language, f=fact).text
    if not fact.known:
        assert text == words.UNKNOWN[language]
    elif fact.status == "ruled_out":
        assert not re.search(r"\d", text)
    else:
        assert "UTC" in text
        assert QUALIFIED.get(fact.status, {}).get(language, "") in text


@given(some.sampled_from(STATUSES), some.sampled_from(LANGUAGES))
def test_that_something_did_not_happen_is_said_of_what_is_ruled_out_alone(status, language):
    text = printed("{{ f|sure('WHAT') }}", language, f=said("x", None, status=status, as_of=AS_OF)).text
    denies = {"ja": r"なかった|ありません|ございません", "en": r"ruled out"}[language]
    assert bool(re.search(denies, text)) == (status == "ruled_out")
    asserts = {"ja": "WHATを確認しました", "en": "have confirmed WHAT"}[language]
    assert (asserts in text) == (status == "confirmed")
    assert ("2026" in text) == (status == "not_confirmed")
