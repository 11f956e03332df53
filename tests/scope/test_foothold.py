# SPDX-License-Identifier: Apache-2.0
"""What an intruder had and left: since when, from where else, which forwards, which copies."""

from datetime import UTC, datetime, timedelta

import pytest

from hikeshi.cases.entries import Foothold, Incident, Reach
from hikeshi.evidence.lake import Lake
from hikeshi.evidence.tables import CHANGES, DELIVERIES, MESSAGES, SIGNINS
from hikeshi.scope.domains import own_domains
from hikeshi.scope.foothold import footholds

NOON = datetime(2026, 3, 2, 12, tzinfo=UTC)
KAI, RIN, MEI = "kai@hinode.example", "rin@hinode.example", "mei@hinode.example"
INTRUDER, OFFICE = "203.0.113.7", "192.0.2.5"


@pytest.fixture
def lake(tmp_path):
    lake = Lake(tmp_path, {})
    for table in (MESSAGES, DELIVERIES, SIGNINS, CHANGES):
        lake.sql.execute(f"DROP VIEW {table.name}")
        lake.sql.execute(table.ddl())
    own_domains(lake, ["hinode.example"])
    lake.sql.execute("CREATE TEMP TABLE incident_messages (incident INTEGER, account VARCHAR, message_key VARCHAR)")
    yield lake
    lake.close()


def put(lake, table, **row):
    names = ", ".join(row)
    lake.sql.execute(f"INSERT INTO {table} ({names}) VALUES ({', '.join('?' * len(row))})", list(row.values()))


def at(**delta):
    return (NOON + timedelta(**delta)).replace(tzinfo=None)


def signed_in(lake, account, ip, moment, outcome="success"):
    put(lake, "signins", time=moment, account=account, ip=ip, outcome=outcome, protocol="imap")


def redirected(lake, account, to, moment):
    put(lake, "changes", time=moment, account=account, operation="rule.redirect", after=to)


def sent(lake, key, message_id, *to, status="delivered"):
    put(lake, "incident_messages", incident=1, account=KAI, message_key=key)
    put(lake, "messages", message_key=key, message_id=message_id)
    for address in to:
        put(lake, "deliveries", message_key=key, address=address, status=status)


def incident(verdict="takeover", account=KAI):
    return Incident(account, verdict, NOON, NOON, NOON, 1, (), (), (), (), 8.0, 9.0, None)


def reached(*ips):
    return Reach(1, *([0] * 13), people=0, client_ips=ips, sessions=(), subjects=())


def foothold(lake, *ips, verdict="takeover"):
    return footholds(lake, [incident(verdict)], [reached(*(ips or (INTRUDER,)))])[0]


def test_the_window_opens_when_the_intruder_first_got_in(lake):
    signed_in(lake, KAI, INTRUDER, at(hours=-30), outcome="failure")
    signed_in(lake, KAI, INTRUDER, at(hours=-20))
    signed_in(lake, KAI, OFFICE, at(days=-9))
    assert foothold(lake).since == NOON - timedelta(hours=20)


def test_without_a_sign_in_it_opens_with_the_first_mail(lake):
    assert foothold(lake).since == NOON


def test_an_address_that_the_owner_has_used_for_long_opens_no_window(lake):
    """As of an intruder who came through the owner's own machine: the days before it were the owner's."""
    signed_in(lake, KAI, OFFICE, at(days=-40))
    signed_in(lake, KAI, OFFICE, at(hours=-1))
    assert foothold(lake, OFFICE).since == NOON


def test_other_accounts_entered_from_there_are_named_unless_the_address_is_theirs_of_old(lake):
    signed_in(lake, KAI, INTRUDER, at(hours=-20))
    signed_in(lake, RIN, INTRUDER, at(hours=-2))
    signed_in(lake, MEI, INTRUDER, at(days=-40))
    signed_in(lake, MEI, INTRUDER, at(hours=-2))
    signed_in(lake, "jun@hinode.example", INTRUDER, at(hours=-2), outcome="failure")
    signed_in(lake, "aoi@hinode.example", OFFICE, at(hours=-2))
    assert foothold(lake).also == (RIN,)


def test_nobody_is_named_for_an_address_that_the_owner_uses_too(lake):
    """A colleague who is new in the office is no victim because the intruder came through the office."""
    signed_in(lake, KAI, OFFICE, at(days=-40))
    signed_in(lake, RIN, OFFICE, at(hours=-2))
    assert foothold(lake, OFFICE).also == ()


def test_forwards_count_from_the_window_on_and_only_if_they_are_new(lake):
    signed_in(lake, KAI, INTRUDER, at(hours=-20))
    redirected(lake, KAI, "drop@far.example", at(hours=-3))
    redirected(lake, KAI, "home@owner.example", at(days=-5))
    redirected(lake, KAI, "home@owner.example", at(hours=-3))
    redirected(lake, RIN, "other@far.example", at(hours=-3))
    assert foothold(lake).forwards == ("drop@far.example",)


def test_copies_are_what_was_delivered_to_mailboxes_of_ours_by_message_id(lake):
    sent(lake, "1", "b@hinode.example", RIN, "guest@far.example")
    sent(lake, "2", "a@hinode.example", RIN, MEI)
    sent(lake, "3", "c@hinode.example", MEI, status="bounced")
    sent(lake, "4", None, MEI)
    found = foothold(lake)
    assert found.unnamed == 1
    assert found.copies == {
        MEI: ("a@hinode.example",),
        RIN: ("a@hinode.example", "b@hinode.example"),
    }


def test_unusual_bulk_has_no_intruder_but_copies(lake):
    signed_in(lake, KAI, INTRUDER, at(hours=-20))
    signed_in(lake, RIN, INTRUDER, at(hours=-2))
    redirected(lake, KAI, "drop@far.example", at(hours=1))
    sent(lake, "1", "b@hinode.example", RIN)
    found = foothold(lake, verdict="unusual-bulk")
    assert found == Foothold(NOON, copies={RIN: ("b@hinode.example",)})
