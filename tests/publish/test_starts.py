# SPDX-License-Identifier: Apache-2.0
"""From when a clock may run: what shows that somebody knew, the earliest of it, and what a person chooses instead."""

from datetime import datetime

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Draft
from hikeshi.cases.store.decisions import decide
from hikeshi.cases.store.facts import Fact, correct, record
from hikeshi.publish.clocks.starts import candidates, subject_of_start

REPORTED, TRIAGED = "2026-03-02T11:16:07+09:00", "2026-03-02T15:00:00+09:00"
SENT, WEIGHED = "2026-02-27T17:05:54+09:00", "2026-02-27T17:06:30+09:00"
INCIDENT = "incident/kai@hinode.example/1"


def incident(store):
    record(
        store,
        [
            Fact(f"{INCIDENT}/first_message_at", SENT, "time", "suspected"),
            Fact(f"{INCIDENT}/alarmed_at", WEIGHED, "time", "suspected"),
            Fact("incident/rin@hinode.example/1/first_message_at", "2026-02-28T09:00:00+09:00", "time", "suspected"),
        ],
    )


def test_that_a_mail_went_out_is_shown_and_starts_nothing(store, told):
    """Nobody need have known then; what is weighed afterwards tells nobody at the time."""
    incident(store)
    shown = {one.name: (one.time.isoformat(), one.knowledge) for one in candidates(store)}
    assert shown == {"first-message": (SENT, False), "weighed": (WEIGHED, False)}
    assert {one.state for one in told().values()} == {"not started"}


def test_the_earliest_that_shows_knowledge_starts_every_clock(store, knew, told):
    incident(store)
    knew("triaged", TRIAGED)
    knew("reported", REPORTED)
    found = told()
    assert {one.start.name for one in found.values() if one.rule.after is None} == {"reported"}
    assert found["gdpr-authority"].due.at == datetime.fromisoformat("2026-03-05T11:16:07+09:00")


def test_what_the_ledger_saw_is_knowledge_at_the_latest(store):
    store.append(Draft("investigation", {"incidents": []}))
    store.append(Draft("alarm", {"time": "2026-02-27T17:06:00+09:00", "account": "kai@hinode.example"}))
    store.append(Draft("alarm", {"time": "2026-02-27T17:05:59+09:00", "account": "kai@hinode.example"}))
    store.append(Draft("alarm", {"time": "soon"}))
    (seen,) = store.append(Draft("investigation", {"incidents": [{"id": "kai@hinode.example/1"}]}))
    correct(store, f"{INCIDENT}/verdict", "takeover", who="Rin", why="called the owner")
    found = {one.name: one for one in candidates(store)}
    assert found["alarm"].time.isoformat() == "2026-02-27T17:05:59+09:00"
    assert (found["investigated"].time, found["investigated"].source) == (seen.time, f"entry {seen.seq}")
    assert found["handled"].time > seen.time
    assert all(one.knowledge for one in found.values())


def test_what_people_say_of_the_clocks_themselves_starts_none(store, knew):
    knew("contract", REPORTED)
    decide(store, "clock/gdpr-authority/needed", "needed", who="Rin", why="customers in Lyon")
    assert [(one.name, one.knowledge) for one in candidates(store)] == [("contract", False)]


def test_the_time_of_discovery_counts_under_its_own_name(store, told):
    correct(store, "discovered_at", REPORTED, who="Rin", why="desk")
    assert told()["nis2-warning"].start.name == "discovered"


def test_a_time_that_is_taken_back_starts_nothing(knew, told):
    knew("reported", REPORTED)
    knew("reported", None)
    assert told()["gdpr-authority"].state == "not started"


@pytest.mark.parametrize("value", ["yesterday", "2026-03-02T11:16:07", 1772417767, ["2026-03-02"]])
def test_a_time_that_is_none_or_has_no_zone_is_an_error_and_not_left_out(knew, told, value):
    knew("reported", value)
    with pytest.raises(UsageError, match="clock/start/reported"):
        told()


def test_a_person_may_choose_another_candidate_for_one_rule(store, knew, told):
    knew("reported", REPORTED)
    knew("significant", TRIAGED)
    decide(store, subject_of_start("nis2-warning"), "significant", who="Rin", why="not significant before")
    found = told()
    start = found["nis2-warning"].start
    assert (start.name, start.decided.who, start.decided.why) == ("significant", "Rin", "not significant before")
    assert found["nis2-warning"].due.at == datetime.fromisoformat("2026-03-03T15:00:00+09:00")
    assert found["nis2-notification"].start.name == "reported"


def test_a_person_may_choose_any_time_and_go_back(store, knew, told):
    knew("reported", REPORTED)
    subject = subject_of_start("gdpr-authority")
    decide(store, subject, "2026-03-01T08:00:00+09:00", who="Rin", why="the shop knew on Sunday")
    assert told()["gdpr-authority"].due.at == datetime.fromisoformat("2026-03-04T08:00:00+09:00")
    decide(store, subject, "earliest", who="Rin", why="a mistake of mine")
    assert told()["gdpr-authority"].start.name == "reported"


def test_a_choice_that_the_case_no_longer_has_falls_back_to_the_earliest(store, knew, told):
    knew("reported", REPORTED)
    knew("triaged", TRIAGED)
    decide(store, subject_of_start("gdpr-authority"), "triaged", who="Rin", why="certain only then")
    knew("triaged", None)
    start = told()["gdpr-authority"].start
    assert (start.name, start.decided) == ("reported", None)
