# SPDX-License-Identifier: Apache-2.0
"""Signs of another hand, each by the rows that speak for it and by those that do not."""

from datetime import datetime, timedelta

import pytest

from hikeshi.detect.hands import hands_of
from hikeshi.evidence.lake import opened
from hikeshi.evidence.tables import CHANGES, SIGNINS
from hikeshi.scope.domains import own_domains

ME, OTHER = "kai@hinode.example", "mai@hinode.example"
HOME, AWAY = "192.0.2.10", "203.0.113.77"
NOON = datetime.fromisoformat("2026-03-20T12:00:00")


class Stand:
    """A lake with the tables that signs are read from."""

    def __init__(self, lake):
        self.lake, self.sql = lake, lake.sql
        self.sql.execute("DROP VIEW signins")
        self.sql.execute(SIGNINS.ddl())
        self.sql.execute(
            "CREATE TABLE sent (account VARCHAR, place VARCHAR, client_ip VARCHAR, time TIMESTAMP, message_id VARCHAR)"
        )
        self.sql.execute("DROP VIEW changes")
        self.sql.execute(CHANGES.ddl())
        own_domains(self.lake, ["hinode.example"])
        self.sql.execute("CREATE TABLE places (account VARCHAR, place VARCHAR, first_seen TIMESTAMP)")

    def sent(self, place, *, account=ME, hours=0.0, message_id=None, times=1):
        time = NOON + timedelta(hours=hours)
        for number in range(times):
            told = message_id and message_id.format(number)
            self.sql.execute("INSERT INTO sent VALUES (?, ?, ?, ?, ?)", [account, place, place, time, told])

    def place(self, place, *, account=ME, hours=0.0):
        self.sql.execute("INSERT INTO places VALUES (?, ?, ?)", [account, place, NOON + timedelta(hours=hours)])

    def signin(self, place, *, account=ME, hours=0.0, outcome="success", tries=1, protocol="imap"):
        self.sql.execute(
            "INSERT INTO signins (time, account, ip, protocol, outcome, tries) VALUES (?, ?, ?, ?, ?, ?)",
            [NOON + timedelta(hours=hours), account, place, protocol, outcome, tries],
        )

    def redirected(self, to, *, account=ME, hours=0.0, operation="rule.redirect"):
        self.sql.execute(
            "INSERT INTO changes (time, account, operation, after) VALUES (?, ?, ?, ?)",
            [NOON + timedelta(hours=hours), account, operation, to],
        )

    def hands(self, *, alone=False, nats=3.5):
        return {one.kind: one for one in hands_of(self.lake, ME, [(AWAY, nats)], alone=alone)}


@pytest.fixture
def stand(tmp_path):
    """The intruder's place was first seen at noon; the owner's twenty days before."""
    with opened(tmp_path, {}) as lake:
        made = Stand(lake)
        made.place(AWAY)
        made.place(HOME, hours=-480)
        made.sent(AWAY)
        yield made


def test_without_a_place_there_is_no_other_hand(stand):
    """Everything else is a sign only together with it."""
    assert hands_of(stand.lake, ME, [], alone=True) == []


def test_several_places_are_one_sign(stand):
    """The strongest counts; of many, five are named."""
    places = [(f"203.0.113.{number}", number / 2) for number in range(7)]
    first = hands_of(stand.lake, ME, places, alone=False)[0]
    assert (first.kind, first.nats) == ("new place", 3.0)
    assert first.says["en"].startswith("sent from 203.0.113.0, 203.0.113.1, 203.0.113.2, 203.0.113.3, 203.0.113.4 …,")
    assert "203.0.113.4 …" in first.says["ja"]


def test_nothing_else_from_there(stand):
    """Said where the caller says so."""
    assert set(stand.hands(alone=True)) - set(stand.hands()) == {"nothing else from there"}


@pytest.mark.parametrize("name", [ME, "kai"])
def test_a_guessed_password(name, stand):
    """Five tries in the two days before, under the address or the bare name, from wherever."""
    stand.signin("198.51.100.1", account=name, hours=-47, outcome="failure", tries=3)
    stand.signin("198.51.100.2", account=name, hours=-1, outcome="failure", tries=2)
    told = stand.hands()["password guessed"]
    assert told.nats > 0
    assert told.says["en"].startswith("5 failed sign-ins")


@pytest.mark.parametrize(
    "more",
    [{"tries": 4}, {"hours": -49}, {"hours": 1}, {"account": OTHER}, {"outcome": "success"}],
    ids="few long-before after another-account successes".split(),
)
def test_no_guessed_password(more, stand):
    """Too few, too early, behind the first mail, against somebody else, or no failures at all."""
    stand.signin("198.51.100.1", **({"hours": -1, "outcome": "failure", "tries": 50} | more))
    assert "password guessed" not in stand.hands()


@pytest.mark.parametrize("hours", [-71, 1, 71])
def test_a_new_redirect(hours, stand):
    """Within three days of the mails, out of the organisation, and nothing of it before."""
    stand.sent(HOME, hours=-480)
    stand.redirected("collect@far.example", hours=hours)
    told = stand.hands()["new redirect"]
    assert told.nats > 0
    assert "collect@far.example" in told.says["en"]


@pytest.mark.parametrize("case", "of-old before after inside another-account discard short-log".split())
def test_no_new_redirect(case, stand):
    """Seen before those days or long after, to a colleague, of somebody else, thrown away, or in a log of hours."""
    if case != "short-log":
        stand.sent(HOME, hours=-480)
    if case == "of-old":
        stand.redirected("collect@far.example", hours=-200)
    elsewhere = OTHER if case == "inside" else "collect@far.example"
    stand.redirected(
        elsewhere,
        account=OTHER if case == "another-account" else ME,
        hours={"before": -73, "after": 73}.get(case, 1),
        operation="rule.discard" if case == "discard" else "rule.redirect",
    )
    assert "new redirect" not in stand.hands()


def test_two_places_at_once(stand):
    """The owner goes on at the long-known place within an hour of the mails."""
    stand.sent(HOME, hours=0.9)
    told = stand.hands()["two places at once"]
    assert told.nats > 0
    assert HOME in told.says["en"]


@pytest.mark.parametrize("case", ["hours-later", "young-place", "somebody-else"])
def test_not_two_places_at_once(case, stand):
    """Outside the hour, from a place that is new itself, or another account's mail."""
    if case == "hours-later":
        stand.sent(HOME, hours=1.1)
    elif case == "young-place":
        stand.place("198.51.100.9", hours=-47)
        stand.sent("198.51.100.9")
    else:
        stand.place("192.0.2.99", account=OTHER, hours=-480)
        stand.sent("192.0.2.99", account=OTHER)
    assert "two places at once" not in stand.hands()


def known_programs(stand, count=100):
    stand.sent(HOME, hours=-100, message_id="{}abc.def@hinode.example", times=count)


def test_another_program(stand):
    """Message-IDs of a shape that nobody else's have."""
    known_programs(stand)
    stand.sent(AWAY, message_id="{}-7f-9c$tool@localhost.localdomain", times=3)
    told = stand.hands()["another program"]
    assert told.nats > 0
    assert "localhost.localdomain" in told.says["en"]


@pytest.mark.parametrize("case", ["used-here", "few-mails", "little-known"])
def test_not_another_program(case, stand):
    """A colleague's program, two mails only, and a log that knows too few mails to say so."""
    known_programs(stand, 99 if case == "little-known" else 120)
    stand.sent(AWAY, message_id="{}-7f-9c$tool@localhost.localdomain", times=2 if case == "few-mails" else 3)
    if case == "used-here":
        stand.sent("192.0.2.99", account=OTHER, message_id="{}-11-22$x@localhost.localdomain")
    assert "another program" not in stand.hands()


def readers(stand, count=9):
    for number in range(count):
        account = f"p{number}@hinode.example"
        stand.sent(f"192.0.2.{100 + number}", account=account)
        stand.signin(f"192.0.2.{100 + number}", account=account)


def test_never_read_there(stand):
    """Where everybody reads at the place they send from, not reading is a sign, the stronger the more do."""
    readers(stand, 4)
    weak = stand.hands()["never read there"].nats
    readers(stand, 30)
    assert stand.hands()["never read there"].nats > weak > 0


@pytest.mark.parametrize("protocol", ["imap", "pop3"])
def test_somebody_read_there(protocol, stand):
    """One successful sign-in to the mailbox from there is enough."""
    readers(stand)
    stand.signin(AWAY, hours=-1, protocol=protocol)
    assert "never read there" not in stand.hands()


def test_reading_is_no_sign_where_nobody_reads(stand):
    """A log without the mailbox server cannot say it; failures and submissions are no reading."""
    assert "never read there" not in stand.hands()
    stand.sent("192.0.2.100", account=OTHER)
    stand.signin("192.0.2.100", account=OTHER, outcome="failure")
    stand.signin("192.0.2.100", account=OTHER, protocol="smtp")
    assert "never read there" not in stand.hands()


def test_every_sign_is_told_in_both_languages(stand):
    """With the place or the number in it."""
    readers(stand)
    known_programs(stand)
    stand.sent(AWAY, message_id="{}-7f-9c$tool@localhost.localdomain", times=3)
    stand.sent(HOME)
    stand.signin("198.51.100.1", hours=-1, outcome="failure", tries=8)
    told = stand.hands(alone=True)
    assert len(told) == 6
    assert all(set(one.says) == {"en", "ja"} and all(one.says.values()) for one in told.values())
