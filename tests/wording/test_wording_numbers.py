# SPDX-License-Identifier: Apache-2.0
"""Numbers and times lead to facts (L11, L12): what templates print passes, and whatever is not so does not."""

from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import jinja2
import pytest
from hypothesis import assume, given
from hypothesis import strategies as some

from hikeshi.wording import words
from hikeshi.wording.facts import Facts, Said
from hikeshi.wording.lint import Document
from hikeshi.wording.numbers import unfounded
from hikeshi.wording.text import environment, write

LANGUAGES = ["ja", "en"]
ZONES = ["Asia/Tokyo", "Europe/Berlin", "UTC", "America/New_York", "Asia/Kolkata"]
COUNTED = sorted(set(words.UNITS) - {"years", "days", "hours", "minutes", "times"})
AS_OF = datetime(2026, 3, 3, 1, tzinfo=UTC)
STATUSES = ["confirmed", "suspected", "not_confirmed"]

NUMBERS = some.builds(
    Said, some.just("x"), some.integers(0, 10**7), some.sampled_from(sorted(words.UNITS)), some.sampled_from(STATUSES), some.just(AS_OF),
    bounds=some.none() | some.tuples(some.integers(0, 99), some.none() | some.integers(100, 99999), some.just("why")),
)  # fmt: skip
MOMENTS = some.datetimes(datetime(2000, 1, 1), datetime(2099, 1, 1), timezones=some.just(UTC))  # noqa: DTZ001 - hypothesis adds the zone
TIMES = some.builds(
    Said, some.just("t"), MOMENTS.map(lambda one: one.replace(microsecond=0).isoformat()) | MOMENTS.map(lambda one: one.date().isoformat()),
    some.just("time"), some.sampled_from(STATUSES), some.just(AS_OF),
)  # fmt: skip
TEMPLATE = "{{ f }}\n{{ t }}\n{{ f }} - {{ t|time }}\n{{ s|sure('X') }}\n"


def checked(text, language, *facts, subject="", zone=None):
    return [
        (one.rule, one.says["en"])
        for one in unfounded(Document("letter", language, subject, text, facts_used=facts, zone=zone))
    ]


@given(NUMBERS, TIMES, some.sampled_from(LANGUAGES), some.sampled_from(ZONES))
def test_whatever_a_template_prints_passes(number, time, language, zone):
    wording = environment(language, Facts({}, ZoneInfo(zone)), jinja2.DictLoader({"one": TEMPLATE}))
    unsure = Said("s", None, None, "not_confirmed", AS_OF)
    written = write(wording, "one", f=number, t=time, s=unsure)
    assert checked(written.text, language, *written.used, zone=ZoneInfo(zone)) == []


@given(some.integers(0, 10**7), some.integers(0, 10**7), some.sampled_from(COUNTED), some.sampled_from(LANGUAGES))
def test_a_number_that_no_fact_has_is_found(told, true, unit, language):
    assume(told != true)
    text = words.quantity(told, unit, language)
    assert checked(text, language, Said("x", true, unit)) == [("L11", "a number that no fact used here has")]


@given(some.integers(2, 10**7), some.sampled_from(COUNTED), some.sampled_from(COUNTED), some.sampled_from(LANGUAGES))
def test_one_count_never_stands_for_another(value, told, true, language):
    assume(told != true)
    ((rule, says),) = checked(words.quantity(value, told, language), language, Said("x", value, true))
    assert rule == "L11"
    assert says.endswith("one count does not stand for another")


@given(some.integers(0, 10**7), some.sampled_from(LANGUAGES))
def test_a_bare_number_is_found(value, language):
    text = f"数は {value} です。" if language == "ja" else f"The number is {value}."
    assert checked(text, language, Said("x", value, "mails")) == [("L11", "a number that does not say what it counts")]


@given(MOMENTS, some.integers(1, 40 * 86400), some.sampled_from(LANGUAGES))
def test_a_time_that_no_fact_has_is_found(moment, off, language):
    true = moment.replace(microsecond=0)
    text = words.moment(true + timedelta(seconds=off), UTC, language)
    assert checked(text, language, Said("x", true.isoformat(), "time")) == [
        ("L11", "a day or time that no fact used here has")
    ]


@given(MOMENTS, some.sampled_from(LANGUAGES), some.booleans())
def test_a_time_without_its_zone_is_found(moment, language, seconds):
    true = moment.replace(microsecond=0)
    text = words.moment(true, UTC, language, seconds=seconds).replace("(UTC)", "")
    assert checked(text, language, Said("x", true.isoformat(), "time")) == [("L12", "a time without its zone")]


@pytest.mark.parametrize(
    ("language", "says"), [("ja", "本文の時刻はすべて日本時間です。"), ("en", "All times are in Japan time (JST).")]
)
def test_one_sentence_may_name_the_zone_of_all_times(language, says):
    text = f"2026-03-01 17:05\n{says}"
    fact = Said("x", "2026-03-01T17:05:00+09:00", "time")
    assert checked(text, language, fact) == []
    assert checked("2026-03-01 17:05", language, fact) == [("L12", "a time without its zone")]


@pytest.mark.parametrize(
    ("language", "text"),
    [
        ("ja", "2026年3月1日17時5分00秒(日本時間)"), ("ja", "３月１日（日本時間17:05）"), ("ja", "2026.03.01"), ("ja", "2026/3/1 17:05 JST"),
        ("en", "1 March 2026 at 17:05 JST"), ("en", "March 1st, 2026, 5:05 pm (JST)"), ("en", "on 1 March"), ("en", "2026-03-01T17:05:00+09:00"),
        ("en", "2026-03-01 08:05 UTC"),
    ],
)  # fmt: skip
def test_a_time_may_be_written_in_many_ways(language, text):
    assert checked(text, language, Said("x", "2026-03-01T17:05:00+09:00", "time")) == []


@pytest.mark.parametrize(
    ("language", "text", "facts"),
    [
        ("ja", "1,220件の同様のメール", [Said("x", 1220, "mails")]),
        ("ja", "送信されたメールの件数 1,220件", [Said("x", 1220, "mails")]),
        ("ja", "59,770件のメールアドレス", [Said("x", 59770, "addresses")]),
        ("ja", "１，２２０通", [Said("x", 1220, "mails")]),
        ("ja", "二名の方", [Said("x", 2, "people")]),
        ("ja", "三百五十通", [Said("x", 350, "mails")]),
        ("ja", "一万二千通", [Said("x", 12000, "mails")]),
        ("ja", "お問い合わせは 0120-000-000 へ", [Said("desk.phone", "0120-000-000")]),
        ("ja", "件名「2026年3月分 請求書 No.12」", [Said("lure.subject", ["2026年3月分 請求書 No.12"])]),
        ("ja", "第1報に続く第2報です。", [Said("report.number", 2, "report")]),
        ("ja", "1. はじめに\n(2) つぎに\n③ さいごに", []),
        ("ja", "TLS1.3 と SHA256 を使います。", []),
        ("en", "1,553 messages to 59,770 email addresses", [Said("x", 1553, "mails"), Said("y", 59770, "addresses")]),
        ("en", "Call 0120-000-000 (09:00 to 17:00, Mon to Fri)", [Said("desk.phone", "0120-000-000"), Said("desk.hours", "09:00 to 17:00, Mon to Fri")]),
        ("en", "Report 2 follows Report 1.", [Said("report.number", 2, "report")]),
        ("en", "1) first\n2) second", []),
        ("en", "hxxps://login7[.]example[.]net/9", [Said("lure.url", ["https://login7.example.net/9"])]),
    ],
)  # fmt: skip
def test_numbers_that_are_in_order(language, text, facts):
    assert checked(text, language, *facts) == []


@pytest.mark.parametrize(
    ("language", "text", "facts"),
    [
        ("ja", "メールアドレス1,220件が流出", [Said("x", 1220, "mails")]),
        ("ja", "1,220件", [Said("x", 1220, "mails")]),
        ("ja", "1,553名に送信", [Said("x", 1553, "mails"), Said("y", 59770, "addresses")]),
        ("ja", "第3報です。", [Said("report.number", 2, "report")]),
        ("ja", "1,220通", []),
        ("ja", "12,20通", [Said("x", 1220, "mails")]),
        ("en", "59,770 messages", [Said("x", 1553, "mails"), Said("y", 59770, "addresses")]),
        ("en", "1,220", [Said("x", 1220, "mails")]),
        ("en", "1220.5 emails", [Said("x", 1220, "mails")]),
    ],
)
def test_numbers_that_are_not(language, text, facts):
    found = checked(text, language, *facts)
    assert found
    assert {rule for rule, _ in found} == {"L11"}


def test_a_number_in_the_subject_is_a_number():
    assert checked("", "en", Said("x", 5, "mails"), subject="6 emails") == [
        ("L11", "a number that no fact used here has")
    ]


@given(some.text(max_size=200), some.sampled_from(LANGUAGES))
def test_no_text_is_too_odd_to_be_checked(text, language):
    checked(text, language, Said("x", "2026-03-01T17:05:00+09:00", "time"), Said("y", 5, "mails"))
