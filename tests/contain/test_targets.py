# SPDX-License-Identifier: Apache-2.0
"""Which accounts are closed: derived from what the case found, as people have corrected it."""

from datetime import UTC, datetime, timedelta

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Draft, open_store
from hikeshi.cases.store.facts import Fact, correct, record
from hikeshi.contain.contract import Copies
from hikeshi.contain.targets import targets

NOW = datetime(2026, 3, 4, 9, tzinfo=UTC)
FIRST = NOW - timedelta(hours=20)
KAI, RIN, MEI = "kai@hinode.example", "rin@hinode.example", "mei@hinode.example"


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "case") as store:
        yield store


def incident(number=1, account=KAI, verdict="takeover", since=FIRST, also=(), forwards=(), copies=None):
    return {
        "id": f"{account}/{number}",
        "account": account,
        "verdict": verdict,
        "first_message_at": FIRST.isoformat(),
        "last_message_at": FIRST.isoformat(),
        "client_ips": ["203.0.113.7"],
        "foothold": {
            "since": since.isoformat(),
            "also": list(also),
            "forwards": list(forwards),
            "copies": copies or {},
            "unnamed": 2,
        },
    }


def investigated(store, *incidents):
    store.append(Draft("investigation", {"org_domains": ["hinode.example"], "incidents": list(incidents)}))
    verdicts = [
        Fact(f"incident/{one['id']}/verdict", one["verdict"], None, "suspected", NOW, evidence=[]) for one in incidents
    ]
    record(store, verdicts)


def test_a_takeover_is_closed_from_its_first_sign_on_with_all_that_it_left(store):
    copies = {MEI: ["a@x.example"], RIN: ["a@x.example", "b@x.example"]}
    since = FIRST - timedelta(hours=3)
    investigated(store, incident(since=since, forwards=["drop@far.example"], copies=copies))
    (target,) = targets(store, [], NOW)
    assert (target.account, target.since, target.until) == (KAI, since, NOW)
    assert target.own_domains == ("hinode.example",)
    assert target.places == ("203.0.113.7",)
    assert target.forwards == ("drop@far.example",)
    assert target.copies == (Copies(MEI, ("a@x.example",)), Copies(RIN, ("a@x.example", "b@x.example")))
    assert target.unnamed == 2


def test_accounts_entered_from_the_same_places_are_closed_too_without_the_others_rules(store):
    investigated(store, incident(also=[RIN], forwards=["drop@far.example"], copies={MEI: ["a@x.example"]}))
    first, second = targets(store, [], NOW)
    assert (first.account, second.account) == (KAI, RIN)
    assert (second.since, second.forwards, second.copies, second.unnamed) == (first.since, (), (), 0)


def test_unusual_bulk_is_left_alone_unless_it_is_named(store):
    investigated(store, incident(verdict="unusual-bulk", copies={MEI: ["a@x.example"]}))
    with pytest.raises(UsageError, match="knows no takeover"):
        targets(store, [], NOW)
    (target,) = targets(store, [KAI.upper()], NOW)
    assert target.account == KAI
    assert target.copies == (Copies(MEI, ("a@x.example",)),)


def test_a_person_who_calls_it_a_takeover_makes_it_one(store):
    investigated(store, incident(verdict="unusual-bulk"))
    correct(
        store, f"incident/{KAI}/1/verdict", "takeover", who="Aoi", why="the owner did not send it", status="confirmed"
    )
    assert [one.account for one in targets(store, [], NOW)] == [KAI]


def test_what_a_person_has_ruled_out_is_not_closed(store):
    investigated(store, incident(), incident(account=RIN))
    correct(
        store, f"incident/{KAI}/1/verdict", "takeover", who="Aoi", why="it was the owner, abroad", status="ruled_out"
    )
    assert [one.account for one in targets(store, [], NOW)] == [RIN]


def test_two_incidents_of_an_account_are_one_target(store):
    earlier = incident(1, since=FIRST - timedelta(days=9), forwards=["a@far.example"], copies={MEI: ["a@x.example"]})
    later = incident(2, forwards=["b@far.example"], copies={MEI: ["b@x.example"]})
    investigated(store, earlier, later)
    (target,) = targets(store, [], NOW)
    assert target.since == FIRST - timedelta(days=9)
    assert target.forwards == ("a@far.example", "b@far.example")
    assert target.copies == (Copies(MEI, ("a@x.example", "b@x.example")),)


def test_only_the_named_are_closed_and_a_name_that_the_case_does_not_know_too(store):
    """A reader of the report may know more than the log does; it is closed as of the first incident."""
    investigated(store, incident(), incident(account=RIN))
    found = targets(store, [RIN, "jun@hinode.example"], NOW)
    assert [(one.account, one.since) for one in found] == [(RIN, FIRST), ("jun@hinode.example", FIRST)]


def test_without_any_investigation_a_named_account_is_closed_as_of_now(store):
    (target,) = targets(store, [KAI], NOW)
    assert (target.account, target.since) == (KAI, NOW)


def test_the_last_investigation_counts(store):
    investigated(store, incident(account=RIN))
    investigated(store, incident())
    assert [one.account for one in targets(store, [], NOW)] == [KAI]
