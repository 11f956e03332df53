# SPDX-License-Identifier: Apache-2.0
"""Counting: hours that pass, days of a zone, months, closed days; and how a duty stands."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from dateutil.relativedelta import relativedelta
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.publish.clocks.arithmetic import alerts, due, end_of, state
from hikeshi.publish.clocks.closed import openness
from hikeshi.publish.clocks.rule import Closed, Period

TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")
#: zones with clocks put forward at midnight, with halves of hours, with a day that never was
ZONES = [
    ZoneInfo(name)
    for name in ("Asia/Tokyo", "Europe/Berlin", "America/Havana", "Atlantic/Azores", "Australia/Lord_Howe", "UTC")
]
JAPAN = Closed(weekdays=("sat", "sun"), holidays="JP", days=("12-29", "12-30", "12-31", "01-01", "01-02", "01-03"))
OPEN_IN_JAPAN = openness(JAPAN)
DISCOVERED = datetime.fromisoformat("2020-05-12T11:16:07+09:00")

moments = st.datetimes(datetime(2016, 1, 1), datetime(2034, 12, 31), timezones=st.just(UTC))  # noqa: DTZ001 - the strategy adds it
zones = st.sampled_from(ZONES)


def days(length, first_day="included", **more):
    return Period(length, "calendar_days", first_day, **more)


def hours(length):
    return Period(length, "hours")


@pytest.mark.parametrize(
    ("period", "last"),
    [
        (days(3), "2020-05-14T23:59:59+09:00"),
        (days(5), "2020-05-16T23:59:59+09:00"),
        (days(30), "2020-06-10T23:59:59+09:00"),
        (days(60), "2020-07-10T23:59:59+09:00"),
        (days(30, "excluded"), "2020-06-11T23:59:59+09:00"),
        (hours(24), "2020-05-13T11:16:07+09:00"),
        (hours(72), "2020-05-15T11:16:07+09:00"),
        (Period(1, "months", "excluded"), "2020-06-12T23:59:59+09:00"),
        (Period(1, "months", "included"), "2020-06-11T23:59:59+09:00"),
    ],
)
def test_the_founding_case_is_due_as_the_law_of_today_would_have_it(period, last):
    assert due(DISCOVERED, period, TOKYO).at == datetime.fromisoformat(last)


def test_a_band_has_its_near_end():
    found = due(DISCOVERED, days(5, early=3), TOKYO)
    assert (found.early, found.last_day) == (datetime.fromisoformat("2020-05-14T23:59:59+09:00"), date(2020, 5, 16))


def test_the_date_is_taken_after_the_time_was_brought_into_the_zone():
    """16:00 in UTC is the next day in Japan, and that is day 1."""
    start = datetime.fromisoformat("2026-03-02T16:00:00+00:00")
    assert due(start, days(3), TOKYO).last_day == date(2026, 3, 5)
    assert due(start, days(3), ZoneInfo("UTC")).last_day == date(2026, 3, 4)


@pytest.mark.parametrize(
    ("start", "counted", "last"),
    [
        ("2026-09-02", "2026-10-31", "2026-11-02"),  # a Saturday; Tuesday the 3rd is Culture Day
        ("2026-09-05", "2026-11-03", "2026-11-04"),  # Culture Day itself
        ("2026-11-02", "2026-12-31", "2027-01-04"),  # closed till 3 January, a Sunday
        ("2026-10-30", "2026-12-28", "2026-12-28"),  # the last open day of the year
        ("2026-10-31", "2026-12-29", "2027-01-04"),
        ("2020-05-12", "2020-07-10", "2020-07-10"),
        ("2019-03-01", "2019-04-29", "2019-05-07"),  # the ten days off of 2019
    ],
)
def test_a_sixtieth_day_that_is_closed_moves_to_the_next_open_day(start, counted, last):
    found = due(datetime.fromisoformat(f"{start}T10:00:00+09:00"), days(60, roll="next_open_day"), TOKYO, OPEN_IN_JAPAN)
    assert (found.counted, found.last_day) == (date.fromisoformat(counted), date.fromisoformat(last))
    assert found.at == datetime.fromisoformat(f"{last}T23:59:59+09:00")


@pytest.mark.parametrize(
    ("start", "end"),
    [
        ("2026-03-27T12:00:00+01:00", "2026-03-30T13:00:00+02:00"),
        ("2026-10-23T12:00:00+02:00", "2026-10-26T11:00:00+01:00"),
    ],
)
def test_72_hours_pass_whatever_the_clocks_are_put_to(start, end):
    found = due(datetime.fromisoformat(start), hours(72), BERLIN).at
    assert found.isoformat() == end


@pytest.mark.parametrize(
    ("day", "offset"), [(date(2026, 3, 28), "+01:00"), (date(2026, 3, 29), "+02:00"), (date(2026, 10, 25), "+01:00")]
)
def test_a_day_ends_by_the_clocks_of_that_day(day, offset):
    assert end_of(day, BERLIN).isoformat() == f"{day}T23:59:59{offset}"


@pytest.mark.parametrize(
    ("start", "months", "first_day", "last"),
    [
        ("2026-01-31", 1, "excluded", "2026-02-28"),
        ("2024-01-31", 1, "excluded", "2024-02-29"),
        ("2024-02-29", 12, "excluded", "2025-02-28"),
        ("2026-12-15", 1, "excluded", "2027-01-15"),
        ("2026-03-31", 1, "included", "2026-04-30"),
        ("2026-03-01", 1, "included", "2026-03-31"),
        ("2024-01-30", 1, "included", "2024-02-29"),
        ("2024-01-29", 1, "included", "2024-02-28"),
    ],
)
def test_months_end_on_the_same_number_or_on_the_last_day(start, months, first_day, last):
    start = datetime.fromisoformat(f"{start}T08:00:00+09:00")
    assert due(start, Period(months, "months", first_day), TOKYO).last_day == date.fromisoformat(last)


def test_business_days_leave_out_weekends_and_holidays():
    """Golden Week of 2026: 29 April and 3 to 6 May are holidays."""
    start = datetime.fromisoformat("2026-04-28T15:00:00+09:00")
    period = Period(3, "business_days", "excluded")
    assert due(start, period, TOKYO, OPEN_IN_JAPAN).last_day == date(2026, 5, 7)
    assert due(start, Period(1, "business_days", "included"), TOKYO, OPEN_IN_JAPAN).last_day == date(2026, 4, 28)


def test_the_holidays_of_a_part_of_a_country_are_its_own():
    """Corpus Christi, 4 June 2026, is one in Bavaria and none in Berlin."""
    day = date(2026, 6, 4)
    assert not openness(Closed(holidays="DE-BY"))(day)
    assert openness(Closed(holidays="DE-BE"))(day)


@given(moments, st.integers(1, 500), zones)
def test_hours_are_that_many_hours(start, length, zone):
    assert due(start, hours(length), zone).at.astimezone(UTC) - start == timedelta(hours=length)


@given(moments, st.integers(1, 400), st.sampled_from(["included", "excluded"]), zones)
def test_days_end_with_the_last_second_of_the_right_day(start, length, first_day, zone):
    found = due(start, days(length, first_day), zone)
    expected = start.astimezone(zone).date() + timedelta(days=length - (first_day == "included"))
    assert found.last_day == found.counted == found.at.date() == expected
    after = (found.at.astimezone(UTC) + timedelta(seconds=1)).astimezone(zone)
    assert after.date() == expected + timedelta(days=1)


@given(moments, st.integers(1, 36), zones)
def test_months_are_those_of_another_hand(start, length, zone):
    found = due(start, Period(length, "months", "excluded"), zone).last_day
    assert found == start.astimezone(zone).date() + relativedelta(months=length)


@given(moments, st.integers(1, 90))
def test_moving_never_ends_early_on_a_closed_day_or_past_an_open_one(start, length):
    plain = due(start, days(length), TOKYO)
    moved = due(start, days(length, roll="next_open_day"), TOKYO, OPEN_IN_JAPAN)
    assert OPEN_IN_JAPAN(moved.last_day)
    assert moved.at >= plain.at
    between = (moved.last_day - plain.last_day).days
    assert not any(OPEN_IN_JAPAN(plain.last_day + timedelta(days=number)) for number in range(between))


@given(moments, st.integers(1, 60), st.sampled_from(["included", "excluded"]))
def test_so_many_business_days_lie_in_the_period(start, length, first_day):
    found = due(start, Period(length, "business_days", first_day), TOKYO, OPEN_IN_JAPAN)
    first = start.astimezone(TOKYO).date() + timedelta(days=first_day == "excluded")
    span = (found.last_day - first).days
    assert sum(OPEN_IN_JAPAN(first + timedelta(days=number)) for number in range(span + 1)) == length
    assert OPEN_IN_JAPAN(found.last_day)


@given(
    moments,
    st.timedeltas(timedelta(0), timedelta(days=40)),
    st.sampled_from([hours(72), days(30, roll="next_open_day"), Period(1, "months", "excluded"), days(5)]),
)
def test_who_starts_later_is_never_due_earlier(start, later, period):
    is_open = OPEN_IN_JAPAN
    assert due(start, period, TOKYO, is_open).at <= due(start + later, period, TOKYO, is_open).at


@given(moments, st.lists(st.timedeltas(timedelta(0), timedelta(days=10)), min_size=2, max_size=8))
def test_a_duty_that_nobody_meets_only_ever_gets_nearer(start, passed):
    ends = due(start, days(5, early=3), TOKYO)
    turns = ["running", "due soon", "overdue"]
    seen = [turns.index(state(start, ends, start + one)) for one in sorted(passed)]
    assert seen == sorted(seen)


@pytest.mark.parametrize(
    ("now", "stands"),
    [
        ("2020-05-14T23:59:58+09:00", "running"),
        ("2020-05-14T23:59:59+09:00", "due soon"),
        ("2020-05-16T23:59:59+09:00", "due soon"),
        ("2020-05-17T00:00:00+09:00", "overdue"),
    ],
)
def test_it_is_due_soon_from_the_near_end_and_overdue_after_the_last_second(now, stands):
    assert state(DISCOVERED, due(DISCOVERED, days(5, early=3), TOKYO), datetime.fromisoformat(now)) == stands


def test_it_is_due_soon_when_four_fifths_are_over():
    ends = due(DISCOVERED, hours(100), TOKYO)
    assert state(DISCOVERED, ends, DISCOVERED + timedelta(hours=79)) == "running"
    assert state(DISCOVERED, ends, DISCOVERED + timedelta(hours=80)) == "due soon"
    assert alerts(DISCOVERED, ends) == [DISCOVERED + timedelta(hours=50), DISCOVERED + timedelta(hours=80)]


def test_what_was_handed_in_is_met_from_then_on_also_late():
    ends = due(DISCOVERED, hours(24), TOKYO)
    handed_in = DISCOVERED + timedelta(hours=30)
    assert state(DISCOVERED, ends, DISCOVERED + timedelta(hours=29), handed_in) == "overdue"
    assert state(DISCOVERED, ends, handed_in, handed_in) == "met"


def test_a_start_without_a_zone_is_refused():
    with pytest.raises(ValueError, match="zone"):
        due(datetime(2026, 1, 1), hours(1), TOKYO)  # noqa: DTZ001 - that is the test


def test_a_country_that_is_closed_for_ever_is_an_error_not_a_hang():
    with pytest.raises(ValueError, match="closed"):
        due(DISCOVERED, Period(1, "business_days", "included"), TOKYO, lambda _: False)
