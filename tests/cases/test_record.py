# SPDX-License-Identifier: Apache-2.0
"""What an investigation leaves in the case's store, and what of it a later one changes."""

import json
from datetime import datetime, timedelta

import pytest

from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.record import FACTS, correct_document, name_incidents, record_investigation, take_up
from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import correct, standing

NOON = datetime.fromisoformat("2026-03-02T12:00:00+09:00")
KAI, RIN = "kai@hinode.example", "rin@hinode.example"


@pytest.fixture
def folder(tmp_path):
    folder = CaseFolder(tmp_path / "case")
    folder.evidence.mkdir()
    (folder.evidence / "manifest.json").write_text("{}")
    return folder


@pytest.fixture
def store(folder):
    with open_store(folder.path) as store:
        yield store


def incident(account=KAI, messages=12, begin=0, end=2, **more):
    times = {
        "first_message_at": (NOON + timedelta(hours=begin)).isoformat(),
        "last_message_at": (NOON + timedelta(hours=end)).isoformat(),
        "alarmed_at": (NOON + timedelta(hours=begin)).isoformat(),
    }
    counts = {key: 0 for key, unit in FACTS.items() if unit not in (None, "time")}
    return {
        "account": account, "verdict": "takeover", **counts, **times, "messages": messages,
        "client_ips": ["203.0.113.7"], "bounds": {}, "foothold": {}, **more,
    }  # fmt: skip


def investigated(store, folder, *incidents):
    for one, name in zip(incidents, name_incidents(store, incidents), strict=True):
        one["id"] = name
    document = {
        "inputs": [],
        "coverage": [{"last": (NOON + timedelta(days=1)).isoformat()}],
        "org_domains": ["hinode.example"],
        "incidents": list(incidents),
        "findings": [{"kind": "new-place"}] * 1001,
    }
    return record_investigation(store, folder, document)


def names(store, *incidents):
    return name_incidents(store, incidents)


def test_every_count_is_a_fact_with_its_unit_status_time_and_evidence(store, folder):
    assert investigated(store, folder, incident(bounds={"messages": [12, None, "the log ends"]})) == []
    found = standing(store)
    assert set(found) == {f"incident/{KAI}/1/{key}" for key in FACTS}
    fact = found[f"incident/{KAI}/1/messages"].fact
    assert (fact.value, fact.unit, fact.status, fact.provenance) == (12, "mails", "suspected", "computed")
    assert fact.as_of == NOON + timedelta(days=1)
    assert fact.evidence[0]["file"] == "timeline.jsonl"
    assert fact.evidence[0]["bounds"] == [12, None, "the log ends"]


def test_findings_are_written_down_and_of_very_many_how_many_there_are(store, folder):
    investigated(store, folder, incident())
    body = store.entries("investigation")[0].body
    assert (len(body["findings"]), body["findings_in_all"]) == (1000, 1001)


def test_more_evidence_shows_which_facts_it_has_changed(store, folder):
    investigated(store, folder, incident())
    changes = investigated(store, folder, incident(messages=20, end=3))
    told = {one.key: (one.before, one.after) for one in changes}
    assert told.pop(f"incident/{KAI}/1/messages") == (12, 20)
    assert set(told) == {f"incident/{KAI}/1/last_message_at"}


def test_the_same_evidence_again_changes_nothing(store, folder):
    investigated(store, folder, incident())
    assert investigated(store, folder, incident()) == []


def test_what_a_person_corrected_stays_through_more_evidence(store, folder):
    investigated(store, folder, incident())
    key = f"incident/{KAI}/1/messages"
    correct(store, key, 11, who="Aoi", why="one was the owner's", status="confirmed")
    investigated(store, folder, incident(messages=20))
    assert standing(store)[key].fact.value == 11
    assert standing(store)[key].computed.value == 20


def test_an_incident_keeps_its_name_when_it_grows_or_an_earlier_one_appears(store, folder):
    investigated(store, folder, incident(begin=0, end=2), incident(RIN))
    assert names(store, incident(begin=-100, end=-99), incident(begin=1, end=9), incident(RIN)) == [
        f"{KAI}/2", f"{KAI}/1", f"{RIN}/1",
    ]  # fmt: skip


def test_two_incidents_that_overlap_one_of_old_do_not_share_its_name(store, folder):
    investigated(store, folder, incident(begin=0, end=9))
    assert names(store, incident(begin=0, end=2), incident(begin=7, end=9)) == [f"{KAI}/1", f"{KAI}/2"]


def test_a_name_is_never_given_to_another_incident(store, folder):
    investigated(store, folder, incident())
    investigated(store, folder)
    assert names(store, incident(begin=200, end=201)) == [f"{KAI}/2"]
    assert names(store, incident()) == [f"{KAI}/1"]


def test_alarms_and_receipts_of_the_guard_come_into_the_ledger_once(store, folder):
    (folder.path / "receipts").mkdir()
    alarms = folder.path / "alarms.jsonl"
    alarms.write_text(json.dumps({"schema": "hikeshi.alarm/1", "account": KAI}) + "\n" + '{"schema": "hikesh')
    receipt = folder.path / "receipts" / "1-release-7.json"
    receipt.write_text(json.dumps({"verb": "release", "who": "Aoi", "ended": None}))
    assert take_up(store, folder.path) == 2
    assert take_up(store, folder.path) == 0
    receipt.write_text(json.dumps({"verb": "release", "who": "Aoi", "ended": "2026-03-02T12:00:00+09:00"}))
    assert take_up(store, folder.path) == 1
    found = store.entries("alarm", "hold")
    assert [(one.kind, one.body.get("account")) for one in found] == [("alarm", KAI), ("hold", None), ("hold", None)]
    assert found[1].who == "Aoi"


def test_a_case_without_a_guard_has_nothing_to_take_up(store, folder):
    assert take_up(store, folder.path) == 0


def test_the_document_says_what_people_have_said(store, folder):
    """Their verdict and status stand in the incident; a corrected count stands beside the computed one."""
    one, other = incident(), incident(RIN, verdict="unusual-bulk")
    investigated(store, folder, one, other)
    correct(store, f"incident/{RIN}/1/verdict", "takeover", who="Aoi", why="asked her", status="confirmed")
    correct(store, f"incident/{KAI}/1/messages", 11, who="Aoi", why="one was his")
    document = {"incidents": [one | {"status": "suspected"}, other | {"status": "suspected"}]}
    correct_document(store, document)
    assert [(one["verdict"], one["status"]) for one in document["incidents"]] == [
        ("takeover", "suspected"), ("takeover", "confirmed"),
    ]  # fmt: skip
    assert [(one["key"], one["value"], one["computed"], one["who"]) for one in document["corrections"]] == [
        (f"incident/{KAI}/1/messages", 11, 12, "Aoi"),
        (f"incident/{RIN}/1/verdict", "takeover", "unusual-bulk", "Aoi"),
    ]
