# SPDX-License-Identifier: Apache-2.0
"""The case in ten lines: what a person reads at 2 a.m."""

from pathlib import Path

import pytest

from hikeshi.cases.summary import summary

INCIDENT = {
    "account": "buyer@hinode.example",
    "verdict": "takeover",
    "first_message_at": "2020-05-08T17:05:54+09:00",
    "last_message_at": "2020-05-08T19:34:53+09:00",
    "alarmed_at": "2020-05-08T17:06:09+09:00",
    "messages": 1220,
    "messages_before_alarm": 3,
    "addresses": 1219,
    "domains": 299,
    "internal": 4,
    "outside": 1215,
    "delivered": 1127,
    "bounced": 78,
    "deferred": 14,
    "expired": 0,
    "held": 0,
    "unknown": 0,
    "client_ips": ["203.0.113.77"],
    "weights": [{"name": "new place", "nats": 3.71}, {"name": "pace", "nats": 0.0}, {"name": "bounces", "nats": -0.25}],
    "hands": [{"kind": "new place", "nats": 3.7}, {"kind": "password guessed", "nats": 3.0}],
    "threshold": 13.5,
    "origin": [],
    "bounds": {},
}
NORM = {"mails": 12_345, "accounts": 300, "days": 44.6, "threshold": 13.5}
PAGE = Path("case/report.html")


def told(*incidents, findings=(), inputs=({"records": 5_000_000},)):
    document = {"incidents": list(incidents), "findings": list(findings), "inputs": list(inputs), "norm": NORM}
    return summary(document, PAGE).splitlines()


def row(lines, name):
    (found,) = [line.removeprefix(name).strip() for line in lines if line.startswith(name)]
    return found


def test_the_numbers_of_an_incident():
    """Each count under its name, fates that are none left out, weights signed and without those that say nothing."""
    lines = told(INCIDENT)
    assert row(lines, "takeover") == "buyer@hinode.example"
    assert row(lines, "mails") == "1,220 from 2020-05-08T17:05:54+09:00 to 2020-05-08T19:34:53+09:00"
    assert row(lines, "reached") == "1,219 addresses in 299 domains (4 internal, 1,215 outside)"
    assert row(lines, "fates") == "1,127 delivered, 78 bounced, 14 deferred"
    assert row(lines, "alarm") == "after 3 mails, at 2020-05-08T17:06:09+09:00"
    assert row(lines, "weights in nats") == "+3.7 new place, -0.2 bounces (threshold 13.5)"
    assert row(lines, "another hand") == "new place, password guessed"
    assert row(lines, "report") == str(PAGE)
    assert len(lines) <= 10


def test_what_the_log_does_not_show_is_said():
    """No fate, no other hand, and counts that are not certain."""
    bounds = {"messages": [1220, None, "a hole"], "addresses": [1219, 1300, "unseen"]}
    silent = dict.fromkeys(("delivered", "bounced", "deferred"), 0)
    lines = told(INCIDENT | silent | {"hands": [], "verdict": "unusual-bulk", "bounds": bounds})
    assert row(lines, "fates") == "none shown by the log"
    assert row(lines, "another hand") == "none: it may have been the owner"
    assert row(lines, "messages bounds") == "at least 1,220, at most unknown: a hole"
    assert row(lines, "addresses bounds") == "at least 1,219, at most 1,300: unseen"


def test_only_the_best_origin_is_told():
    """The rest is in the report."""
    origin = [{"says": {"en": f"store {number}"}} for number in range(2)]
    assert row(told(INCIDENT | {"origin": origin}), "addresses from") == "store 0"


@pytest.mark.parametrize(("count", "more"), [(6, False), (7, True)])
def test_many_places_are_cut(count, more):
    """Six addresses, and a sign that there are more."""
    addresses = [f"203.0.113.{number}" for number in range(count)]
    line = row(told(INCIDENT | {"client_ips": addresses}), "from")
    assert line == ", ".join(addresses[:6]) + (" …" if more else "")


def test_two_incidents_are_two_blocks():
    """One after another."""
    lines = told(INCIDENT, INCIDENT | {"account": "other@hinode.example"})
    assert [line.split()[1] for line in lines if line.startswith("takeover")] == [
        "buyer@hinode.example",
        "other@hinode.example",
    ]


def test_calm_is_said_with_its_reasons():
    """How much was looked at, over all inputs, and the threshold; a silent run is not an answer."""
    lines = told(inputs=[{"records": 5_000_000}, {"records": 4}])
    assert lines[0] == (
        "no incident: 12,345 mails of 300 accounts in 45 days (5,000,004 records) stayed below the threshold of 13.5 nats"
    )
    assert len(lines) == 2


def test_findings_are_counted_without_the_incidents_themselves():
    """As many as there are to look at."""
    findings = [
        {"kind": "takeover", "count": 1220},
        {"kind": "new-place", "count": 1},
        {"kind": "bulk-read", "count": 2},
    ]
    assert row(told(findings=findings), "also to look at") == "3 findings in findings.csv"
    assert not [line for line in told(findings=findings[:1]) if line.startswith("also")]
