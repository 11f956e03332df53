# SPDX-License-Identifier: Apache-2.0
"""The calendar: RFC 5545 as another reader reads it, stable UIDs, reminders before it is due, nothing of the incident."""

from datetime import UTC, datetime, timedelta

import pytest
from icalendar import Calendar
from insurer import OWN

from hikeshi.cases.store.decisions import decide
from hikeshi.cases.store.facts import Fact, record
from hikeshi.publish.clocks.clock import clocks, subject_of_need
from hikeshi.publish.clocks.ics import calendar
from hikeshi.publish.clocks.rulebook import rulebook

NOW = datetime.fromisoformat("2026-03-03T09:00:00+09:00")


@pytest.fixture
def export(store, book, knew):
    knew("reported", "2026-03-02T11:16:07+09:00")

    def give(book=book, lang="en", now=NOW):
        return calendar(clocks(store, book, now=now, zone=NOW.tzinfo), store, lang)

    return give


def events(data):
    return {str(one["description"]).split()[0]: one for one in Calendar.from_ical(data).walk("VEVENT")}


def test_an_event_is_due_in_utc_with_reminders_at_half_four_fifths_and_the_end(export):
    one = events(export())["gdpr-authority"]
    assert one["dtstart"].to_ical() == b"20260305T021607Z"
    triggers = [alarm["trigger"].dt for alarm in one.walk("VALARM")]
    assert triggers == [timedelta(hours=-36), timedelta(hours=-14, minutes=-24), timedelta(0)]


def test_a_line_is_at_most_75_octets_ends_with_crlf_and_no_sign_is_cut(export):
    data = export(lang="ja")
    lines = data.split(b"\r\n")
    assert lines[-1] == b""
    assert b"\n" not in data.replace(b"\r\n", b"")
    assert max(map(len, lines)) <= 75
    for line in lines:
        line.decode()


def test_an_event_keeps_its_uid_and_its_sequence_grows_with_the_case(store, export):
    before = events(export())
    decide(store, "clock/gdpr-authority/start", "2026-03-01T09:00:00+09:00", who="Rin", why="the shop knew")
    after = events(export())
    assert {name: one["uid"] for name, one in after.items()} == {name: one["uid"] for name, one in before.items()}
    assert len({str(one["uid"]) for one in after.values()}) == len(after)
    assert after["gdpr-authority"]["dtstart"].dt == datetime(2026, 3, 4, 0, 0, tzinfo=UTC)
    assert after["gdpr-authority"]["sequence"] > before["gdpr-authority"]["sequence"]


def test_the_same_moment_gives_the_same_bytes(export):
    assert export() == export()


def test_what_is_not_needed_comes_as_cancelled_and_without_reminders(store, export):
    decide(store, subject_of_need("nis2-warning"), "not-needed", who="Rin", why="no such entity")
    one = events(export())["nis2-warning"]
    assert (one["status"], one.walk("VALARM")) == ("CANCELLED", [])


def test_a_duty_without_a_number_of_days_is_no_event(export):
    assert "gdpr-persons" not in events(export())


def test_signs_of_the_format_in_a_rule_stay_a_text(export, tmp_path):
    name = "a; b, c\\\\nd: END:VEVENT"
    (tmp_path / "own.toml").write_text(
        OWN.replace("notice of loss", name).replace('starts = ["confirmed"]', 'starts = ["knowledge"]'), "utf-8"
    )
    one = events(export(rulebook(tmp_path)))["insurer-notice"]
    assert str(one["summary"]).startswith("a; b, c\\nd: END:VEVENT →")


def test_nothing_of_the_incident_is_in_a_calendar(store, export):
    record(
        store,
        [Fact("incident/kai@hinode.example/1/first_message_at", "2026-02-27T17:05:54+09:00", "time", "suspected")],
    )
    decide(store, subject_of_need("gdpr-authority"), "needed", who="Rin", why="kai@hinode.example was taken over")
    data = export().replace(b"\r\n ", b"")
    assert not [word for word in (b"kai", b"hinode.example", b"Rin", b"taken over") if word in data]
