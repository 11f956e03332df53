# SPDX-License-Identifier: Apache-2.0
"""What a case tells: one calm and one attacked company, every file held against the lake that it was made from."""

import csv
import json
from datetime import datetime, timedelta, timezone
from zoneinfo import ZoneInfo

import pytest

from hikeshi.cases.told import iso, places, shown_in
from hikeshi.drill.attacks import attack
from hikeshi.drill.scenarios import Scenario, write
from hikeshi.drill.style import LogStyle
from hikeshi.evidence import seal
from hikeshi.evidence.collect import Reading
from hikeshi.evidence.lake import opened
from hikeshi.evidence.seal import Manifest
from hikeshi.playbook import Question, investigate


class Input:
    """What a zone is chosen by."""

    def __init__(self, zone, taken=1, number=1, path="mail.log"):
        self.zone, self.taken, self.number, self.path = zone, taken, number, path


def manifest(*inputs):
    made = Manifest()
    made.inputs.extend(inputs)
    return made


NOON = datetime.fromisoformat("2026-01-05T12:00:00")


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("Asia/Tokyo", "2026-01-05T21:00:00+09:00"),
        ("+09:00", "2026-01-05T21:00:00+09:00"),
        ("-03:30", "2026-01-05T08:30:00-03:30"),
        ("UTC", "2026-01-05T12:00:00+00:00"),
        ("nobody knows", "2026-01-05T12:00:00+00:00"),
        ("", "2026-01-05T12:00:00+00:00"),
    ],
)
def test_times_are_shown_in_the_zone_of_the_evidence(name, told):
    """Named or as an offset; UTC where nobody can say. Naive times of the lake are UTC, aware ones are what they are."""
    zone = shown_in(manifest(Input(name)))
    assert iso(NOON, zone) == told
    assert iso(NOON.replace(tzinfo=timezone(timedelta(hours=0))), zone) == told


def test_the_zone_is_that_of_most_records():
    """Not of most files, and UTC without any."""
    found = shown_in(manifest(Input("Asia/Tokyo", 10), Input("UTC", 6), Input("UTC", 6), Input("Europe/Berlin", 11)))
    assert iso(NOON, found).endswith("+00:00")
    assert str(shown_in(manifest())) == "UTC"


def test_places_lead_back_to_records():
    """As path#record; a number that no input has is said to be unknown."""
    made = manifest(Input("UTC", number=1, path="a.log"), Input("UTC", number=2, path="b.log"))
    assert places(made, [(2, 7), (1, 1), (9, 3)]) == ["b.log#7", "a.log#1", "?#3"]


@pytest.fixture(scope="module")
def case(tmp_path_factory):
    """One attacked company in Berlin with subjects in its log."""
    folder = tmp_path_factory.mktemp("told")
    style = LogStyle(stamps="iso", subjects=True, zone="Europe/Berlin")
    write(Scenario("told", 20, 20, 9301, attacks=(attack("password_guessed", day=16, mails=60),), style=style), folder)
    question = Question([str(folder / "logs")], folder / "case", reading=Reading(), directory=folder / "directory.csv")
    return folder / "case", investigate(question, lambda _: None).document


def rows(case, name):
    with (case / name).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def times(document):
    if isinstance(document, dict):
        for key, value in document.items():
            if key in ("first", "last", "time") or key.endswith("_at"):
                yield value
            else:
                yield from times(value)
    elif isinstance(document, list):
        for one in document:
            yield from times(one)


def test_every_time_of_the_document_is_in_the_zone(case):
    """With the offset that Berlin has at that moment."""
    told = [datetime.fromisoformat(one) for one in times(case[1]) if one]
    assert len(told) > 5
    assert all(one.utcoffset() == one.astimezone(ZoneInfo("Europe/Berlin")).utcoffset() for one in told)


def test_recipients_are_the_incidents_addresses(case):
    """Row by row: as many as the incident has, each in a fate that adds up, in the order of sending."""
    folder, document = case
    (incident,) = document["incidents"]
    told = rows(folder, "recipients.csv")
    assert len(told) == incident["addresses"]
    for fate in ("delivered", "bounced", "deferred", "expired", "held", "unknown"):
        assert sum(row["status"] == fate for row in told) == incident[fate]
    assert len({row["domain"] for row in told}) == incident["domains"]
    assert [row["first_time"] for row in told] == sorted(row["first_time"] for row in told)
    assert all(incident["first_message_at"] <= row["first_time"] <= row["last_time"] for row in told)


def test_findings_are_told_twice_alike(case):
    """The table and the document hold the same findings in the same order; the incident is one of them."""
    folder, document = case
    told = [
        (row["kind"], row["account"], row["count"], row["reason"], row["reason_ja"])
        for row in rows(folder, "findings.csv")
    ]
    assert told == [
        (one["kind"], one["account"] or "", str(one["count"]), one["says"]["en"], one["says"]["ja"])
        for one in document["findings"]
    ]
    assert {"takeover", "guessed-password"} <= {one["kind"] for one in document["findings"]}


def test_the_timeline_keeps_its_provenance(case):
    """Every mail and sign-in leads to a record of an input; the alarm stands once an incident."""
    folder, document = case
    told = [json.loads(line) for line in (folder / "timeline.jsonl").read_text("utf-8").splitlines()]
    assert [row["timestamp_desc"] for row in told].count("Alarm") == len(document["incidents"]) == 1
    paths = {one["path"]: one["records"] for one in document["inputs"]}
    for row in told:
        if row["timestamp_desc"] != "Alarm":
            path, _, record = row["provenance"].rpartition("#")
            assert 1 <= int(record) <= paths[path]
    assert {row["outcome"] for row in told if row["timestamp_desc"] == "Sign-in"} == {"success", "failure"}


def test_the_document_agrees_with_the_lake(case):
    """Law 2: counts can be asked again from the sealed tables, where what is still open waits as pieces."""
    folder, document = case
    (incident,) = document["incidents"]
    sealed = seal.load(folder / "evidence")
    with opened(folder / "evidence", sealed.files) as lake:
        (whole,) = lake.one(
            "SELECT count(*) FROM messages WHERE direction = 'submitted' AND accepted AND account <> ''"
        )
        (waiting,) = lake.one("SELECT count(DISTINCT queue_id) FROM pieces WHERE kind = 'client' AND account <> ''")
        ips = [incident["account"], incident["client_ips"]]
        (from_there,) = lake.one("SELECT count(*) FROM messages WHERE account = ? AND list_contains(?, client_ip)", ips)
        (still_there,) = lake.one(
            "SELECT count(DISTINCT queue_id) FROM pieces WHERE account = ? AND list_contains(?, client_ip)", ips
        )
    assert document["norm"]["mails"] == whole + waiting
    assert incident["messages"] == from_there + still_there == 60
