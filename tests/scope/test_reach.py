# SPDX-License-Identifier: Apache-2.0
"""Whom incidents reached: laws over random deliveries, and the reasons why a count may be too small."""

import re
from collections import Counter
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from hikeshi.cases.entries import Bounds, Incident
from hikeshi.evidence.coverage import Gap
from hikeshi.evidence.lake import Lake
from hikeshi.evidence.tables import DELIVERIES, MESSAGES
from hikeshi.scope.domains import own_domains
from hikeshi.scope.reach import reach

NOON = datetime.fromisoformat("2026-03-02T12:00:00+00:00")
BEST_FIRST = ("delivered", "deferred", "held", "unknown", "expired", "bounced")
OWN = "hinode.example"
ADDRESSES = (
    "a@hinode.example",
    "a+x@hinode.example",
    "b@far.example",
    "B@far.example",
    "b+1@far.example",
    "b+2+3@far.example",
    "c@gmail.com",
    "c@else.example",
    "no-domain",
)


@pytest.fixture(scope="module")
def shared(tmp_path_factory):
    lake = Lake(tmp_path_factory.mktemp("lake"), {})
    for table in (MESSAGES, DELIVERIES):
        lake.sql.execute(f"DROP VIEW {table.name}")
        lake.sql.execute(table.ddl())
    own_domains(lake, [OWN])
    lake.sql.execute("CREATE TABLE sent (account VARCHAR, message_key VARCHAR)")
    yield lake
    lake.close()


@pytest.fixture
def lake(shared):
    return emptied(shared)


def emptied(lake):
    for name in ("messages", "deliveries", "sent"):
        lake.sql.execute(f"TRUNCATE {name}")
    return lake


def mail(
    lake, key, to, *, account="a@hinode.example", minute=0, nrcpt=None, ip="203.0.113.7", session=None, subject=None
):
    """Put one mail and its deliveries, `to` giving address and status, into the lake."""
    time = (NOON + timedelta(minutes=minute)).replace(tzinfo=None)
    lake.sql.execute(
        "INSERT INTO messages (time, message_key, account, client_ip, session, subject, nrcpt, input, record) "
        "VALUES (?, ?, ?, ?, ?, ?, ?, 1, ?)",
        [time, key, account, ip, session, subject, len(to) if nrcpt is None else nrcpt, minute],
    )
    lake.sql.execute("INSERT INTO sent VALUES (?, ?)", [account, key])
    for number, (address, status) in enumerate(to):
        lake.sql.execute(
            "INSERT INTO deliveries (message_key, address, status, time, input, record) VALUES (?, ?, ?, ?, 1, ?)",
            [key, address, status, time, 100 * minute + number],
        )


def incident(*keys, account="a@hinode.example"):
    return Incident(account, "takeover", NOON, NOON, NOON, 1, keys, (), (), (), 13.0, 20.0, None)


def rows(lake, columns, where="true"):
    return lake.sql.execute(f"SELECT {columns} FROM incident_recipients WHERE {where} ORDER BY ALL").fetchall()


@settings(max_examples=25, deadline=None)
@given(
    st.lists(
        st.tuples(
            st.integers(0, 2),
            st.lists(st.tuples(st.sampled_from(ADDRESSES), st.sampled_from(BEST_FIRST)), max_size=5),
        ),
        max_size=7,
    )
)
def test_fates_partition_the_addresses(shared, mails):
    """For any incidents: every address has one fate, the best of its copies, and every way of counting agrees."""
    lake = emptied(shared)
    for number, (_, to) in enumerate(mails):
        mail(lake, f"m{number}", list(dict(to).items()), minute=number)
    owners = [[f"m{number}" for number, (owner, _) in enumerate(mails) if owner == each] for each in range(3)]
    found = [incident(*keys) for keys in owners if keys]
    told = reach(lake, found, [], None)
    for one, keys in zip(told, filter(None, owners), strict=True):
        best = {}
        for key in keys:
            for address, status in dict(mails[int(key[1:])][1]).items():
                best[address] = min(best.get(address, "bounced"), status, key=BEST_FIRST.index)
        assert one.messages == len(keys)
        assert one.addresses == len(best)
        assert {fate: getattr(one, fate) for fate in BEST_FIRST} == {
            fate: Counter(best.values())[fate] for fate in BEST_FIRST
        }
        domains = {address.rpartition("@")[2] for address in best}
        assert one.domains == len(domains)
        assert one.people == len({re.sub(r"[+][^@]*@", "@", address).lower() for address in best})
        assert one.internal == sum(address.endswith(f"@{OWN}") for address in best)
        assert one.internal + one.outside == one.addresses
        assert one.freemail == sum(address.endswith("@gmail.com") for address in best)
        assert one.company_domains == len(domains - {OWN, "gmail.com"})
        assert one.bounds == {}


def test_an_address_is_led_back_to_its_best_fate(lake):
    """Messages, first and last time, and the record of the copy that was delivered."""
    mail(lake, "m1", [("b@far.example", "bounced")], minute=1)
    mail(lake, "m2", [("c@far.example", "delivered"), ("b@far.example", "delivered")], minute=2)
    mail(lake, "m3", [("b@far.example", "deferred")], minute=3)
    reach(lake, [incident("m1", "m2", "m3")], [], None)
    ((address, messages, status, record, first, last),) = rows(
        lake, "address, messages, status, record, first_time, last_time", "address = 'b@far.example'"
    )
    assert (address, messages, status, record) == ("b@far.example", 3, "delivered", 201)
    assert (first.minute, last.minute) == (1, 3)


def test_whom_the_owner_wrote_to_as_well(lake):
    """Known are those whom this account wrote to in other mails, however spelled; others' mail says nothing."""
    mail(lake, "own", [("B@far.example", "delivered")], minute=1)
    mail(lake, "other", [("c@far.example", "delivered")], minute=1, account="z@hinode.example")
    mail(lake, "m", [("b@far.example", "delivered"), ("c@far.example", "delivered")], minute=2)
    (told,) = reach(lake, [incident("m")], [], None)
    assert told.known_before == 1


def test_incidents_are_counted_apart(lake):
    """Two accounts' incidents share no number."""
    mail(lake, "m1", [("b@far.example", "delivered")], ip="203.0.113.9", session="s2", subject="Hello")
    mail(lake, "m2", [("b@far.example", "bounced"), ("c@gmail.com", "held")], account="z@hinode.example", ip=None)
    one, two = reach(lake, [incident("m1"), incident("m2", account="z@hinode.example")], [], None)
    assert (one.messages, one.addresses, one.delivered, one.bounced) == (1, 1, 1, 0)
    assert (one.client_ips, one.sessions, one.subjects) == (("203.0.113.9",), ("s2",), ("Hello",))
    assert (two.messages, two.addresses, two.bounced, two.held) == (1, 2, 1, 1)
    assert (two.client_ips, two.sessions, two.subjects) == ((), (), ())


def test_no_incident_reached_nobody(lake):
    """No incident gives no reach, and an incident whose recipients the log has not shown gives zeros."""
    assert reach(lake, [], [], None) == []
    mail(lake, "m", [], nrcpt=3)
    (told,) = reach(lake, [incident("m")], [], None)
    assert (told.messages, told.addresses, told.people) == (1, 0, 0)
    assert told.bounds["addresses"] == Bounds(
        0, 3, "3 recipients that the queue manager counted have no delivery line in the log"
    )


def test_a_hole_makes_counts_at_least(lake):
    """A hole within an hour of the incident touches its counts; one that lies further away does not."""
    mail(lake, "m", [("b@far.example", "delivered")], nrcpt=4)
    for minutes, touched in ((59, True), (61, False)):
        hole = Gap(NOON + timedelta(minutes=minutes), NOON + timedelta(hours=9), "silence")
        (told,) = reach(lake, [incident("m")], [hole], None)
        before = Gap(NOON - timedelta(hours=9), NOON - timedelta(minutes=minutes), "silence")
        (mirrored,) = reach(lake, [incident("m")], [before], None)
        for one in (told, mirrored):
            assert ("messages" in one.bounds) == touched
        if touched:
            assert (told.bounds["messages"].at_least, told.bounds["messages"].at_most) == (1, None)
            assert (told.bounds["addresses"].at_least, told.bounds["addresses"].at_most) == (1, None)
            assert "silence" in told.bounds["messages"].why
            assert hole.first.isoformat() in told.bounds["messages"].why


def test_a_log_that_ends_in_the_middle_says_so(lake):
    """Half an hour of log behind the last mail is needed to call a burst over."""
    mail(lake, "m", [("b@far.example", "delivered")])
    for minutes, cut in ((0, True), (29, True), (30, False), (600, False)):
        (told,) = reach(lake, [incident("m")], [], (NOON + timedelta(minutes=minutes)).astimezone(UTC))
        assert ("messages" in told.bounds) == cut, minutes
