# SPDX-License-Identifier: Apache-2.0
"""Sending to a relay that takes, refuses, puts off, resets and is not there: what it has taken is what the ledger says."""

from collections import Counter
from datetime import UTC, datetime, timedelta
from email import message_from_bytes
from email.policy import SMTP
from itertools import pairwise

import pytest
from outboxes import approved, drafted, hold_exactly_once, hold_whole, one, sending
from relays import Relay as Sink

from hikeshi.basics.errors import UsageError
from hikeshi.basics.secrets import Secret
from hikeshi.cases.store import StoreError, open_store
from hikeshi.notify.outbox.approval import approve, batch
from hikeshi.notify.outbox.book import again, counts, pause, put, resolve, resume, standings
from hikeshi.notify.outbox.pace import Pace
from hikeshi.notify.outbox.relay import Relay, RelayError
from hikeshi.notify.outbox.run import Logs, run
from hikeshi.notify.outbox.turns import Backoff


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "case") as opened:
        yield opened
        hold_whole(opened)


def go(store, sink, logs=None, **settings):
    return run(store, Relay("127.0.0.1", sink.port, timeout=10, patience=10), sending(**settings), logs=logs)


def test_each_letter_leaves_once_and_a_second_run_sends_nothing(store, tmp_path):
    letters = approved(store, 60)
    seen = []
    with Sink(tmp_path) as sink:
        ran = run(store, Relay("127.0.0.1", sink.port), sending(), watch=lambda progress: seen.append(progress.letters))
        assert ran.outcomes == {"accepted": 60}
        assert ran.states == {"accepted": 60}
        assert go(store, sink).outcomes == {}
        hold_exactly_once(store, letters, sink)
    assert seen == list(range(1, 61))


def test_drafts_do_not_leave(store, tmp_path):
    drafted(store, 3)
    with Sink(tmp_path) as sink:
        assert go(store, sink).states == {"drafted": 3}
        assert sink.taken == []


def test_no_byte_of_another_recipient_is_in_any_letter(store, tmp_path):
    letters = approved(store, 40)
    with Sink(tmp_path) as sink:
        go(store, sink)
        for got in sink.taken:
            message = message_from_bytes(got["content"].encode(), policy=SMTP)
            whole = got["content"] + message.get_content() + str(message["Subject"]) + got["sender"]
            assert whole.count(got["recipient"]) >= 2
            assert not [other for other in letters if other.address != got["recipient"] and other.address in whole]
            assert not [other for other in letters if other.address != got["recipient"] and other.id in whole]


def test_what_is_refused_is_kept_with_its_reason_and_goes_again_only_when_a_person_says_so(store, tmp_path):
    approved(store, 4)
    refused = {"person1@company1.example": "refuse", "person2@company2.example": "refuse-data"}
    with Sink(tmp_path, lambda to, _: refused.get(to, "take")) as sink:
        assert go(store, sink).outcomes == {"accepted": 2, "refused": 2}
        assert go(store, sink).outcomes == {}
        found = {one.letter.address: one.says for one in standings(store, states=("refused",))}
        assert found == {
            "person1@company1.example": "550 5.1.1 No such user",
            "person2@company2.example": "554 5.7.1 Not this content",
        }
        refused.clear()
        ids = [one.letter.id for one in standings(store, states=("refused",))]
        assert again(store, ids, who="Sato", why="the relay's map was wrong") == 2
        assert go(store, sink).outcomes == {"accepted": 2}


def test_what_is_put_off_goes_later_and_is_given_up_at_last(store, tmp_path):
    approved(store, 2)
    clock = [datetime(2026, 11, 25, 9, 0, tzinfo=UTC)]
    backoff = Backoff(first=300, longest=1000, tries=4)
    behaviours = {"person0@company0.example": "later", "person1@company1.example": "later-data"}
    with Sink(tmp_path, lambda to, tries: behaviours[to] if tries < 3 or to.startswith("person0") else "take") as sink:

        def at(minutes):
            clock[0] = datetime(2026, 11, 25, 9, 0, tzinfo=UTC) + timedelta(minutes=minutes)
            relay = Relay("127.0.0.1", sink.port)
            return run(store, relay, sending(backoff=backoff), now=lambda: clock[0])

        assert at(0).outcomes == {"later": 2}
        assert at(4).outcomes == {}
        assert at(4).due == "2026-11-25T09:05:00.000000Z"
        assert at(5).outcomes == {"later": 2}
        assert at(15).outcomes == {"later": 1, "accepted": 1}
        assert at(31).outcomes == {}
        assert at(32).outcomes == {"later": 1}
        assert at(10_000).outcomes == {}
        (given_up,) = standings(store, states=("given_up",))
        assert given_up.says == "450 4.2.0 Greylisted"
        assert given_up.attempts == 4


@pytest.mark.parametrize("behaviour", ["reset-early", "close"])
def test_a_connection_lost_before_the_message_costs_nothing(store, tmp_path, behaviour):
    letters = approved(store, 12)
    with Sink(tmp_path, lambda _, tries: behaviour if tries < 3 else "take") as sink:
        assert go(store, sink).outcomes == {"accepted": 12}
        hold_exactly_once(store, letters, sink)


@pytest.mark.parametrize("behaviour", ["reset-taken", "reset-lost"])
def test_a_relay_that_resets_leaves_it_open_and_without_its_log_nothing_is_sent_again(store, tmp_path, behaviour):
    letters = approved(store, 6)
    with Sink(tmp_path, lambda to, _: behaviour if to.startswith("person1@") else "take") as sink:
        ran = go(store, sink)
        assert ran.outcomes == {"accepted": 5, "open": 1}
        assert ran.open == 1
        assert go(store, sink).outcomes == {}
        (found,) = standings(store, states=("attempted",))
        assert "while the message was on its way" in found.says
        sink.behaves = lambda *_: "take"
        resolve(store, found.letter.id, accepted=behaviour == "reset-taken", who="Sato", why="asked the postmaster")
        go(store, sink)
        hold_exactly_once(store, letters, sink)


@pytest.mark.parametrize("behaviour", ["reset-taken", "reset-lost"])
def test_a_relay_that_resets_is_settled_from_its_log_in_the_same_run(store, tmp_path, behaviour):
    letters = approved(store, 6)
    with Sink(tmp_path, lambda to, tries: behaviour if to.startswith("person1@") and tries == 1 else "take") as sink:
        ran = go(store, sink, Logs([str(sink.mail_log)], grace=0.3))
        assert ran.states == {"accepted": 6}
        hold_exactly_once(store, letters, sink)


def test_a_paused_outbox_stops_before_the_next_letter_and_goes_on_when_resumed(store, tmp_path):
    letters = approved(store, 30)
    stopped = []

    def at(moment):
        if moment == "data" and not stopped:
            stopped.append(moment)
            pause(store, who="Ito", why="a number is wrong")

    with Sink(tmp_path, at=at) as sink:
        ran = go(store, sink, connections=2)
        assert ran.paused
        assert 1 <= len(sink.taken) <= 4
        assert counts(store) == {"accepted": len(sink.taken), "approved": 30 - len(sink.taken)}
        resume(store, who="Ito", why="it was right")
        go(store, sink)
        hold_exactly_once(store, letters, sink)


def test_a_relay_that_is_not_there_is_said_and_nothing_is_lost(store, tmp_path):
    approved(store, 3)
    with Sink(tmp_path) as sink:
        port = sink.port
    with pytest.raises(RelayError, match=rf"127\.0\.0\.1:{port}: cannot be reached"):
        run(store, Relay("127.0.0.1", port), sending())
    assert counts(store) == {"approved": 3}


def test_a_relay_that_does_not_take_our_sender_refuses_nobodys_letter(store, tmp_path):
    approved(store, 20)
    with Sink(tmp_path) as sink:
        sink.senders_refused = True
        with pytest.raises(RelayError, match="set a bounce address"):
            go(store, sink)
        assert counts(store) == {"approved": 20}
        sink.senders_refused = False
        assert go(store, sink).states == {"accepted": 20}


def test_a_disk_that_is_full_lets_nothing_leave_that_is_not_written(store, tmp_path, monkeypatch):
    letters = approved(store, 40)
    whole, calls = type(store).append_from, []

    def full(self, make):
        calls.append(1)
        if len(calls) > 6:
            raise StoreError("the disk is full")
        return whole(self, make)

    with Sink(tmp_path) as sink:
        monkeypatch.setattr(type(store), "append_from", full)
        with pytest.raises(StoreError, match="full"):
            go(store, sink)
        monkeypatch.setattr(type(store), "append_from", whole)
        monkeypatch.setattr("hikeshi.notify.outbox.turns.dead", lambda _: True)
        assert go(store, sink, Logs([str(sink.mail_log)], grace=0.3)).states == {"accepted": 40}
        hold_exactly_once(store, letters, sink)


def test_a_domain_gets_no_more_letters_a_minute_than_is_asked_and_the_others_do_not_wait_for_it():
    pace, now, left = Pace(domain=30), 100.0, Counter()
    assert pace.free_at("slow.example") <= now
    while now < 160:
        for domain in ("slow.example", "other.example"):
            if pace.free_at(domain) <= now:
                pace.take(domain, now)
                left[domain] += 1
        now += 0.5
    assert left == {"slow.example": 30, "other.example": 30}
    both = Pace(overall=60, domain=30)
    both.take("slow.example", 0.0)
    assert both.free_at("other.example") == 1.0
    assert both.free_at("slow.example") == 2.0


def test_limits_hold_while_letters_leave(store, tmp_path, monkeypatch):
    put(store, [one(store, f"p{number}@slow.example") for number in range(4)])
    put(store, [one(store, f"p{number}@other{number}.example") for number in range(20)])
    approve(store, batch(store, 1), who="Sato", why="read")
    whole, left = Pace.take, []
    monkeypatch.setattr(Pace, "take", lambda pace, domain, now: left.append((domain, now)) or whole(pace, domain, now))
    with Sink(tmp_path) as sink:
        assert go(store, sink, domain_minute=300).states == {"accepted": 24}
    slow = [moment for domain, moment in left if domain == "slow.example"]
    assert len(left) == 24
    assert all(later - before >= 0.2 for before, later in pairwise(slow))


@pytest.mark.parametrize(
    ("settings", "says"),
    [({"bounces": "nobody"}, "no mail address"), ({"connections": 0}, "one at least"), ({"minute": 0}, "pause them")],
)
def test_settings_that_make_no_sense_are_refused(settings, says):
    with pytest.raises(Exception, match=says):
        sending(**settings)


def test_a_password_does_not_go_anywhere_without_tls_and_stands_in_no_text():
    with pytest.raises(UsageError, match="without TLS"):
        Relay("relay.example", tls="none", user="hikeshi", password=Secret("hush"))
    with pytest.raises(UsageError, match="a user needs a password"):
        Relay("relay.example", user="hikeshi")
    relay = Relay("relay.example", 587, user="hikeshi", password=Secret("hush"))
    assert "hush" not in repr(relay)
    assert relay.client()._start_tls_on_connect is True
    assert relay.client().validate_certs is True
