# SPDX-License-Identifier: Apache-2.0
"""Facts as texts take them from a case: what stands, what is missing and how to enter it, incidents by name."""

from datetime import UTC, date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import Fact, correct, record
from hikeshi.wording.facts import FactError, Facts, MissingFactError, Said, when

AS_OF = datetime(2026, 3, 3, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir(mode=0o700)
    with open_store(folder) as store:
        yield store


def enter(store, key, value, **more):
    correct(store, key, value, who="Rin", why="telephone note", **more)


def test_a_fact_comes_with_its_unit_its_status_its_time_and_its_entry(store):
    behind = [{"file": "timeline.jsonl", "bounds": [1220, None, "the log begins late"]}]
    key = "incident/taro@example.test/1/messages"
    record(store, [Fact(key, 1220, "mails", "suspected", AS_OF, evidence=behind)])
    assert Facts.of(store)[key] == Said(
        key, 1220, "mails", "suspected", AS_OF, bounds=(1220, None, "the log begins late"), seq=1
    )


def test_a_correction_stands_and_the_computed_value_is_beside_it(store):
    record(store, [Fact("incident/a@example.test/1/messages", 9, "mails", "suspected", AS_OF)])
    enter(store, "incident/a@example.test/1/messages", 10)
    said = Facts.of(store)["incident/a@example.test/1/messages"]
    assert (said.value, said.unit, said.status, said.corrected, said.computed) == (10, "mails", "confirmed", True, 9)


def test_what_people_enter_without_a_unit_has_the_one_of_its_key(store):
    enter(store, "account.count", 1)
    enter(store, "occurred_at", "2026-03-01T17:05:54+09:00")
    facts = Facts.of(store)
    assert (facts["account.count"].unit, facts["occurred_at"].unit) == ("accounts", "time")


def test_a_missing_fact_names_its_key_and_the_command_that_enters_it(store):
    with pytest.raises(
        MissingFactError, match=r"desk\.phone: .*hikeshi case correct desk\.phone VALUE --who NAME"
    ) as found:
        Facts.of(store)["desk.phone"]
    assert found.value.key == "desk.phone"
    assert Facts.of(store).get("desk.phone") is None
    assert "desk.phone" not in Facts.of(store)


def test_unknown_is_not_known_and_stays_null(store):
    enter(store, "cause", None)
    enter(store, "publication", "no", status="unknown")
    facts = Facts.of(store)
    assert facts["cause"].value is None
    assert not facts.known("cause")
    assert not facts.known("publication")
    assert not facts.known("never heard of")


@pytest.mark.parametrize("value", [0, False, "x", 0.0])
def test_nought_and_no_are_known(value):
    assert Said("x", value).known


def test_incidents_are_grouped_by_account_and_number():
    keys = [
        "incident/b/c@example.test/2/messages",
        "incident/b/c@example.test/2/verdict",
        "incident/a@example.test/1/messages",
    ]
    facts = Facts.made({key: Said(key, 1, "mails") for key in [*keys, "incident/none", "other"]})
    first, second = facts.incidents()
    assert (first.name, first.account, second.name, second.account) == (
        "a@example.test/1", "a@example.test", "b/c@example.test/2", "b/c@example.test",
    )  # fmt: skip
    assert set(second.facts) == {"messages", "verdict"}
    assert first["messages"].key == "incident/a@example.test/1/messages"
    assert first.get("verdict") is None
    with pytest.raises(MissingFactError, match=r"incident/a@example\.test/1/verdict"):
        first["verdict"]


def test_a_language_has_its_own_word_where_people_entered_one():
    facts = Facts.made({one.key: one for one in (Said("desk.name", "窓口"), Said("desk.name.en", "the desk"))})
    assert facts["desk.name"].value == "窓口"
    assert facts.spoken("en")["desk.name"].value == "the desk"
    assert facts.spoken("ja")["desk.name"].value == "窓口"


def test_times_are_told_in_the_zone_entered_else_at_the_offset_of_the_case():
    told = Said("occurred_at", "2026-03-01T17:05:54+09:00", "time")
    utc = Said("a", "2026-03-01T08:05:54Z", "time")
    assert Facts.made({"org.zone": Said("org.zone", "Asia/Tokyo")}).zone == ZoneInfo("Asia/Tokyo")
    assert Facts.made({"a": utc, "b": told}).zone.utcoffset(None) == timedelta(hours=9)
    assert Facts.made({"a": utc}).zone is UTC
    assert Facts.made({}).zone is UTC


def test_a_zone_that_is_none_is_a_clear_error():
    with pytest.raises(UsageError, match="no such time zone"):
        Facts.made({"org.zone": Said("org.zone", "Nowhere/Else")})


def test_a_time_is_a_day_or_a_moment_with_its_zone():
    assert when(Said("x", "2026-03-01")) == date(2026, 3, 1)
    assert when(Said("x", "2026-03-01T17:05+09:00")) == datetime(2026, 3, 1, 8, 5, tzinfo=UTC)


@pytest.mark.parametrize(
    ("value", "says"),
    [("2026-03-01T17:05", "has no zone"), ("yesterday", "is no time"), (5, "is no time"), ("17:05", "is no time")],
)
def test_a_time_that_is_none_says_what_to_enter(value, says):
    with pytest.raises(FactError, match=rf"occurred_at: .*{says}; .*hikeshi case correct occurred_at TIME"):
        when(Said("occurred_at", value))
