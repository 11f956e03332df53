# SPDX-License-Identifier: Apache-2.0
import os
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from stage import utc

from hikeshi.evidence.stamps import Clock, decode_queue_id, evidence_of_clock, guess_year, offset_zone

TEXT = "postfix/smtpd[3733]: E229775C: client=pc.example.test[192.0.2.7]"
TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")


def clock(year=2026, zone=UTC, name="UTC"):
    return Clock(year, zone, name, "given", "given")


def times(bench, *lines, clock=None):
    counts = bench.take(*lines, clock=clock)
    assert counts.set_aside == 0, bench.aside_rows()
    return [row["time"] for row in bench.rows("pieces")]


NINE = {
    f"Nov 24 12:09:24 mx {TEXT}": "2026-11-24T12:09:24+09:00",
    f"<22>Nov 24 12:09:24 mx {TEXT}": "2026-11-24T12:09:24+09:00",
    f"Nov 24 12:09:24.123456 mx {TEXT}": "2026-11-24T12:09:24.123456+09:00",
    f"Nov  4 02:09:24 mx {TEXT}": "2026-11-04T02:09:24+09:00",
    f"2026-11-24T12:09:24 mx {TEXT}": "2026-11-24T12:09:24+09:00",
    f"2026-11-24 12:09:24 mx {TEXT}": "2026-11-24T12:09:24+09:00",
    f"2026-11-24T12:09:24Z mx {TEXT}": "2026-11-24T12:09:24Z",
    f"2026-11-24T12:09:24.5Z mx {TEXT}": "2026-11-24T12:09:24.5Z",
    f"2026-11-24T12:09:24.123456+09:00 mx {TEXT}": "2026-11-24T12:09:24.123456+09:00",
    f"2026-11-24T12:09:24.123456789+05:45 mx {TEXT}": "2026-11-24T12:09:24.123456+05:45",
    f"2026-11-24 12:09:24,123 mx {TEXT}": "2026-11-24T12:09:24.123+09:00",
    f"2026-11-24T12:09:24+0900 mx {TEXT}": "2026-11-24T12:09:24+09:00",
    f"2026-11-24T12:09:24-03:30 mx {TEXT}": "2026-11-24T12:09:24-03:30",
    f"<22>2026-11-24T12:09:24.000001-08:00 mx {TEXT}": "2026-11-24T12:09:24.000001-08:00",
}
RFC5424 = {
    "": "2026-11-24T03:09:24.123456Z",
    "one element": "2026-11-24T12:09:24.123456+09:00",
}
BODY = "E229775C: client=pc.example.test[192.0.2.7]"
DATA = [
    "-",
    '[origin ip="192.0.2.1"]',
    '[a@1 x="1"][b@2 y="2"]',
    r'[a@1 x="a \"quoted\" [bracket\] word"]',
    '[a@1 x="open ] and [ closed"][b@2]',
]


@pytest.mark.parametrize("line", NINE)
def test_every_way_to_write_a_time(bench, line):
    """Microseconds stay, the stated zone counts, and the given one (Tokyo) where none is stated."""
    assert times(bench, line, clock=clock(2026, TOKYO, "Asia/Tokyo")) == [utc(NINE[line])]
    (row,) = bench.rows("pieces")
    assert (row["host"], row["tag"], row["pid"], row["queue_id"]) == ("mx", "postfix/smtpd", 3733, "E229775C")
    assert row["client_ip"] == "192.0.2.7"


@pytest.mark.parametrize("bom", ["", "\ufeff"])
@pytest.mark.parametrize("data", DATA)
def test_rfc5424(bench, data, bom):
    line = f"<22>1 2026-11-24T12:09:24.123456+09:00 mx postfix/smtpd 3733 ID47 {data} {bom}{BODY}"
    assert times(bench, line) == [utc("2026-11-24T03:09:24.123456")]
    (row,) = bench.rows("pieces")
    assert (row["host"], row["tag"], row["pid"], row["queue_id"]) == ("mx", "postfix/smtpd", 3733, "E229775C")
    assert row["client_ip"] == "192.0.2.7"


def test_rfc5424_without_a_process(bench):
    assert times(bench, f"<22>1 2026-11-24T12:09:24Z mx postfix/smtpd - - - {BODY}") == [utc("2026-11-24T12:09:24")]
    assert "pid" not in bench.rows("pieces")[0]


def test_all_formats_in_one_file(bench):
    lines = [*NINE, f"<22>1 2026-11-24T12:09:24Z mx postfix/smtpd 1 - - {BODY}"]
    expected = [*map(utc, NINE.values()), utc("2026-11-24T12:09:24")]
    assert times(bench, *lines, clock=clock(2026, TOKYO, "Asia/Tokyo")) == expected
    assert [row["record"] for row in bench.rows("pieces")] == list(range(1, len(lines) + 1))


def bsd(*stamps):
    return [f"{stamp} mx {TEXT}" for stamp in stamps]


def test_the_year_walks_over_new_year(bench):
    lines = bsd("Dec 31 23:59:59", "Jan  1 00:00:00", "Feb 28 10:00:00", "Dec 30 23:59:59", "Jan  2 00:00:01")
    assert [time.isoformat() for time in times(bench, *lines, clock=clock(2024))] == [
        "2024-12-31T23:59:59",
        "2025-01-01T00:00:00",
        "2025-02-28T10:00:00",
        "2025-12-30T23:59:59",
        "2026-01-02T00:00:01",
    ]


def test_lines_that_are_no_log_lines_do_not_move_the_year(bench):
    good = bsd("Nov 24 12:00:00", "Nov 24 13:00:00")
    counts = bench.take(good[0], "Jan  1 is when it began", "Jan was cold", "Jan", good[1], clock=clock(2024))
    assert (counts.taken, counts.set_aside) == (2, 3)
    assert [row["time"].year for row in bench.rows("pieces")] == [2024, 2024]


def test_a_straggler_of_december_stays_in_its_year(bench):
    lines = bsd("Dec 31 23:59:59", "Jan  1 00:00:00", "Dec 31 23:59:59", "Jan  1 00:00:01", "Dec 31 22:00:00")
    years = [time.year for time in times(bench, *lines, clock=clock(2024))]
    assert years == [2024, 2025, 2024, 2025, 2024]


@pytest.mark.parametrize("size", [200, 1000, 1 << 20])
def test_a_log_of_three_years_in_one_file(bench, size):
    """The same stamp comes back every year and means another time."""
    months = ("Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec")
    lines = bsd(*(f"{month}  5 09:00:00" for _ in range(3) for month in months))
    counts = bench.take(*lines, clock=clock(2023), size=size)
    assert counts.taken == len(lines)
    found = [row["time"].strftime("%Y %b") for row in bench.rows("pieces")]
    assert found == [f"{year} {month}" for year in (2023, 2024, 2025) for month in months]


def test_29_february(bench):
    assert times(bench, *bsd("Feb 29 12:00:00"), clock=clock(2024)) == [utc("2024-02-29T12:00:00")]


NO_DATES = [
    "Feb 30 12:00:00 mx",
    "Feb 29 12:00:00 mx",  # 2026 has none
    "Nov 31 12:00:00 mx",
    "Nov  0 12:00:00 mx",
    "Xyz 24 12:00:00 mx",
    "Nov 24 24:00:00 mx",
    "Nov 24 12:60:00 mx",
    "Nov 24 12:00:61 mx",
    "2026-13-01T12:00:00Z mx",
    "2026-02-29T12:00:00Z mx",
    "2026-11-24T25:00:00Z mx",
    "2026-11-24T12:99:00Z mx",
    "2026-11-24T12:00:00+99:99 mx",
    "0000-11-24T12:00:00Z mx",
]


@pytest.mark.parametrize("front", NO_DATES)
def test_a_stamp_that_is_no_date_is_set_aside(bench, front):
    good = f"Nov 24 12:00:00 mx {TEXT}"
    counts = bench.take(good, f"{front} {TEXT}", good)
    assert (counts.taken, counts.set_aside) == (2, 1)
    (row,) = bench.aside_rows()
    assert (row["first_record"], row["reason"]) == ("2", "its stamp is no date that exists")


def test_a_leap_second_is_a_time(bench):
    assert times(bench, *bsd("Dec 31 23:59:60"), clock=clock(2016)) == [utc("2017-01-01T00:00:00")]


def test_summer_and_winter_time(bench):
    lines = bsd("Mar 29 01:59:59", "Mar 29 03:00:00", "Oct 25 01:59:59", "Oct 25 02:30:00", "Oct 25 03:00:00")
    assert [time.isoformat() for time in times(bench, *lines, clock=clock(2026, BERLIN, "Europe/Berlin"))] == [
        "2026-03-29T00:59:59",
        "2026-03-29T01:00:00",
        "2026-10-24T23:59:59",
        "2026-10-25T00:30:00",  # the hour comes twice; the first pass is meant
        "2026-10-25T02:00:00",
    ]


def test_the_year_that_a_file_date_allows():
    latest = datetime(2026, 1, 3, 6, 25, tzinfo=UTC)
    assert guess_year("Jan  2 00:00:00 mx", latest, UTC) == 2026
    assert guess_year("Jan  4 00:00:00 mx", latest, UTC) == 2026  # a day's grace
    assert guess_year("Jan  5 00:00:00 mx", latest, UTC) == 2025
    assert guess_year("Dec 31 00:00:00 mx", latest, UTC) == 2025
    assert guess_year("Feb 29 00:00:00 mx", latest, UTC) == 2024
    assert guess_year("", latest, UTC) == 2026


def test_a_long_queue_id_tells_when_it_was_made():
    assert decode_queue_id("3Pt2mN2VXxznjll") == datetime(2011, 3, 20, 14, 31, 48, 353025, tzinfo=UTC)
    with pytest.raises(ValueError, match="not a long queue id"):
        decode_queue_id("E229775C")


def long_id(moment):
    """Make a long queue id as Postfix does."""
    digits = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"

    def base52(number, width):
        found = ""
        while number or len(found) < width:
            number, rest = divmod(number, 52)
            found = digits[rest] + found
        return found

    return f"{base52(int(moment.timestamp()), 6)}{base52(moment.microsecond, 4)}z1bcd"


def born(moment, zone):
    local = moment.astimezone(zone)
    return f"{local:%b} {local.day:2d} {local:%H:%M:%S} mx postfix/smtpd[1]: {long_id(moment)}: client=pc[192.0.2.7]"


def named(moment, zone):
    local = moment.astimezone(zone)
    stamp = f"{local:%b} {local.day:2d} {local:%H:%M:%S}"
    return f"{stamp} mx postfix/cleanup[1]: E229775C: message-id=<{moment:%Y%m%d%H%M%S}.E229775C@mx.example.test>"


@pytest.mark.parametrize("write", [born, named])
@pytest.mark.parametrize("zone", ["Asia/Tokyo", "America/St_Johns", "UTC", "Pacific/Kiritimati", "Asia/Kathmandu"])
def test_year_and_offset_from_what_the_log_says(write, zone):
    moment = datetime(2023, 7, 20, 14, 31, 48, 353025, tzinfo=UTC)
    offset = moment.astimezone(ZoneInfo(zone)).utcoffset()
    assert evidence_of_clock([write(moment, ZoneInfo(zone))]) == (2023, offset)


def test_no_evidence_in_ordinary_lines():
    assert evidence_of_clock(bsd("Nov 24 12:09:24")) is None


def test_the_year_is_that_of_the_first_stamp_even_if_most_come_after_new_year():
    eve = datetime(2025, 12, 31, 22, 0, tzinfo=UTC)
    lines = [born(eve + timedelta(minutes=10 * n), UTC) for n in range(60)]
    assert evidence_of_clock(lines) == (2025, timedelta())
    assert evidence_of_clock([*bsd("Dec 30 10:00:00"), *lines[20:]]) == (2025, timedelta())


def test_an_offset_is_this_machines_zone_where_that_fits():
    assert offset_zone(timedelta(hours=9), "Asia/Tokyo", TOKYO, 2026) == ("Asia/Tokyo", TOKYO, "inferred")
    for summer in (1, 2):
        assert offset_zone(timedelta(hours=summer), "Europe/Berlin", BERLIN, 2026)[0] == "Europe/Berlin"
    name, zone, basis = offset_zone(timedelta(hours=-3, minutes=-30), "Europe/Berlin", BERLIN, 2026)
    assert (name, basis) == ("-03:30", "inferred")
    assert datetime(2026, 1, 1, tzinfo=zone).utcoffset() == timedelta(hours=-3, minutes=-30)


def first_message(case, path):
    return case.read(path).rows("messages", "time")[0]


def test_the_file_date_gives_the_year(new_case):
    for year in (2019, 2024):
        case = new_case(year=None, tz="UTC")
        path = case.write(bsd("Nov 24 12:09:24"))
        os.utime(path, (datetime(year + 1, 2, 1, tzinfo=UTC).timestamp(),) * 2)
        assert first_message(case, path) == utc(f"{year}-11-24T12:09:24")
        assert (case.sealed.year_basis, case.sealed.zone_basis) == ("assumed", "given")


def test_long_queue_ids_give_year_and_zone(new_case):
    moment = datetime(2021, 11, 24, 3, 9, 24, 500000, tzinfo=UTC)
    case = new_case(year=None, tz=None)
    assert first_message(case, case.write([born(moment, TOKYO)])) == utc("2021-11-24T03:09:24")
    assert (case.sealed.zone, case.sealed.zone_basis, case.sealed.year_basis) == ("+09:00", "inferred", "inferred")


def test_what_the_user_says_comes_first(new_case):
    moment = datetime(2021, 11, 24, 3, 9, 24, tzinfo=UTC)
    case = new_case(year=2020, tz="Europe/Berlin")
    assert first_message(case, case.write([born(moment, TOKYO)])) == utc("2020-11-24T11:09:24")
    assert (case.sealed.zone, case.sealed.zone_basis, case.sealed.year_basis) == ("Europe/Berlin", "given", "given")


def test_a_zone_that_every_stamp_states_is_stated(new_case):
    case = new_case(year=None, tz=None)
    case.lines(f"2026-11-24T12:09:24+09:00 mx {TEXT}", f"<22>1 2026-11-24T12:09:24Z mx postfix/qmgr 1 - - {BODY}")
    assert (case.sealed.zone, case.sealed.zone_basis, case.sealed.year_basis) == ("+09:00", "stated", "stated")
    assert set(case.rows("messages", "zone")) == {"+09:00"}


def test_a_stamp_with_a_year_and_no_zone_is_assumed_to_be_here(new_case):
    case = new_case(year=None, tz=None)
    case.lines(f"2026-11-24T12:09:24 mx {TEXT}")
    assert (case.sealed.zone, case.sealed.zone_basis, case.sealed.year_basis) == ("UTC", "assumed", "stated")


def test_a_log_that_grows_over_new_year(new_case):
    case = new_case(year=None, tz="UTC")
    old, new = bsd("Dec 30 12:00:00", "Dec 31 23:00:00"), bsd("Jan  2 10:00:00")
    path = case.write(old)
    os.utime(path, (datetime(2024, 1, 1, tzinfo=UTC).timestamp(),) * 2)
    case.read(path)
    path = case.write([*old, *new])
    os.utime(path, (datetime(2024, 1, 3, tzinfo=UTC).timestamp(),) * 2)
    case.read(path)
    assert case.sealed.first == "2023-12-30T12:00:00+00:00"
    assert case.sealed.last == "2024-01-02T10:00:00+00:00"
    assert utc("2024-01-02T10:00:00") in case.rows("messages", "time")


def test_lines_of_next_year_know_the_year_from_the_line_before_them(new_case):
    """A log that was read in June and goes on in the next June."""
    case = new_case(year=2023, tz="UTC")
    old, new = bsd("Dec 30 12:00:00"), bsd("Jan  2 10:00:00", "Jun  5 10:00:00")
    case.read(case.write(old))
    case.read(case.write([*old, *new]))
    assert case.sealed.last == "2024-06-05T10:00:00+00:00"
