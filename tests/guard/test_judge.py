# SPDX-License-Identifier: Apache-2.0
"""What an alarm suspects and what it leaves alone: an owner at a desk, with a phone, and an intruder's burst."""

from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi import model
from hikeshi.guard.mail import Action, Mail
from hikeshi.guard.weighing.account import Account
from hikeshi.guard.weighing.judge import drop, judge, release
from hikeshi.guard.weighing.score import submitted

_DAY = 86400
_BEGIN = 1_700_000_000.0
_H = 13.0
_DESK, _PHONE, _ELSEWHERE = "192.0.2.10", "192.0.2.77", "203.0.113.66"
_ORGANISATION = model.organisation({})


class Mailbox:
    """One account that has lived for forty days: ten mails a day to old friends, from the desk and from a phone."""

    def __init__(self, mode="hold", refuse_after=0):
        self.account, self.known, self.mode, self.refuse_after = Account(), {}, mode, refuse_after
        self.now = _BEGIN
        for day in range(40):
            for number in range(10):
                self.now = _BEGIN + day * _DAY + number * 2500
                answer = self.owner(place=_PHONE if number % 4 == 3 else _DESK)
                assert answer.action is Action.GO

    def send(self, place, to, seconds=30.0, **changes):
        self.now += seconds
        mail = Mail(
            account="owner@example.test",
            time=self.now,
            place=place,
            client_ip=place,
            session=f"mx/1/{self.now}",
            sender="owner@example.test",
            recipients=to,
            **changes,
        )
        scored = submitted(self.account, mail, self.known, _ORGANISATION)
        return judge(self.account, mail, scored, _H, self.mode, self.refuse_after)

    def owner(self, place=_DESK, seconds=900.0):
        """An ordinary mail: to one of twenty friends, of its own size and subject."""
        number = self.account.number
        friend = (f"friend{number % 20}@example.org",)
        return self.send(place, friend, seconds, size=2000 + 977 * (number % 89), subject=f"Talk {number}")

    def burst(self, mails, place=_ELSEWHERE, seconds=20.0, subject="Your document", first=0):
        """The same lure to strangers, one after another."""
        return [
            self.send(place, (f"stranger{number}@example.net",), seconds, size=14_000 + number % 60, subject=subject)
            for number in range(first, first + mails)
        ]


def counts(answers):
    return Counter(answer.action for answer in answers)


def before_hold(answers):
    return next(number for number, answer in enumerate(answers) if answer.action is not Action.GO)


def test_an_intruder_elsewhere_is_held_and_the_owner_goes_on():
    """A handful leaves, all others lie on hold, and nothing of the owner does, from either place, for days."""
    box = Mailbox()
    answers, owners = [], []
    for turn in range(100):
        answers += box.burst(1, first=turn)
        if turn % 5 == 4:
            owners.append(box.owner(_DESK if turn % 3 else _PHONE, seconds=5))
    assert before_hold(answers) <= 5
    assert counts(answers[before_hold(answers) :]) == {Action.HOLD: 100 - before_hold(answers)}
    owners += [box.owner(seconds=3600) for _ in range(100)]
    assert counts(owners) == {Action.GO: 120}
    assert "a new place" in answers[-1].reason


def test_the_alarm_is_told_once_and_in_a_line():
    box = Mailbox()
    answers = box.burst(50)
    alarms = [answer for answer in answers if answer.alarmed]
    assert alarms == [answers[before_hold(answers)]]
    assert alarms[0].score > alarms[0].threshold == _H
    for answer in answers:
        assert answer.reason.isascii()
        assert len(answer.reason) <= 200
        assert "\n" not in answer.reason
        assert "stranger" not in answer.reason
    assert "owner@example.test" in alarms[0].reason
    assert _ELSEWHERE in alarms[0].reason


def test_another_text_from_the_intruders_place_is_held_too():
    box = Mailbox()
    box.burst(10)
    box.now += 2 * _DAY
    assert box.send(_ELSEWHERE, ("friend1@example.org",), size=700, subject="Hi").action is Action.HOLD


def test_the_same_text_from_a_second_new_place_is_held_at_once():
    """Where the owner on the move, with mail of another kind, is not."""
    box = Mailbox()
    box.burst(10)
    hotel = box.send("198.51.100.3", ("friend3@example.org",), 4000, size=5123, subject="Late today")
    assert hotel.action is Action.GO
    assert counts(box.burst(5, place="198.51.100.200", first=10)) == {Action.HOLD: 5}


def test_at_the_owners_place_only_the_run_is_held():
    """An intruder on the owner's own machine: the lure lies on hold, the owner's own mail goes on."""
    box = Mailbox()
    answers, owners = [], []
    for turn in range(60):
        answers += box.burst(1, place=_DESK, first=turn)
        if turn % 5 == 4:
            owners.append(box.owner(seconds=300))
    assert before_hold(answers) <= 15
    assert counts(answers[before_hold(answers) :]) == {Action.HOLD: 60 - before_hold(answers)}
    assert counts(owners) == {Action.GO: 12}
    assert "the owner's place" in answers[-1].reason


def test_without_subjects_the_size_tells_the_run_at_the_owners_place():
    box = Mailbox()
    answers = [box.send(_DESK, (f"s{n}@example.net",), 20, size=14_000 + n % 60) for n in range(40)]
    assert counts(answers[before_hold(answers) :]) == {Action.HOLD: 40 - before_hold(answers)}
    assert box.owner(seconds=120).action is Action.GO


def test_observing_lets_all_go_and_says_what_it_would_have_done():
    box, holding = Mailbox("observe"), Mailbox()
    watched, held = box.burst(60), holding.burst(60)
    assert counts(watched) == {Action.GO: 60}
    assert [answer.would for answer in watched[:20]] == [answer.would for answer in held[:20]]
    assert sum(answer.alarmed for answer in watched) >= 1


@pytest.mark.parametrize("place", [_DESK, _ELSEWHERE])
def test_holding_begins_with_what_was_observed_only_where_a_person_has_confirmed_it(place):
    for confirmed in (False, True):
        box = Mailbox("observe")
        assert any(answer.would is Action.HOLD for answer in box.burst(40, place=place))
        if confirmed:
            drop(box.account, box.now, "phishing")
        box.mode = "hold"
        (answer,) = box.burst(1, place=place)
        assert answer.action is (Action.HOLD if confirmed else Action.GO)


def test_refusing_begins_after_the_first_held_ones():
    box = Mailbox("refuse", refuse_after=7)
    answers = box.burst(50)
    left = before_hold(answers)
    assert [answer.action for answer in answers[left:]] == [Action.HOLD] * 7 + [Action.REFUSE] * (43 - left)
    assert box.owner().action is Action.GO


def test_what_is_released_is_learnt_as_honest():
    """Scores begin anew, the rest of the run goes, and so does the place a month later."""
    box = Mailbox()
    box.burst(60)
    release(box.account, box.now)
    assert box.account.suspicion is None
    assert box.account.score == 0
    rest = box.burst(300, first=60)
    assert counts(rest) == {Action.GO: 300}
    box.now += 30 * _DAY
    assert counts(box.burst(100, first=1000, subject="Our news")) == {Action.GO: 100}


def test_what_is_dropped_has_taught_nothing_and_stays_suspected():
    """Neither what is normal, nor that its recipients are known to the owner."""
    box = Mailbox()
    answers = box.burst(200)
    left = before_hold(answers)
    drop(box.account, box.now, "phishing")
    assert sum(address.startswith("stranger") for address in box.known) == left
    assert box.burst(1, first=500)[0].action is Action.HOLD
    box.now += 3 * _DAY
    box.owner()
    assert box.account.past[-1] == 20 + left
    assert box.account.suspicion.dropped == "phishing"


def test_a_suspicion_ends_after_a_quiet_week():
    """And not before: from the intruder's place a mail is held on the sixth day, and goes after eight quiet ones."""
    box = Mailbox()
    box.burst(20)
    box.now += 6 * _DAY
    assert box.send(_ELSEWHERE, ("friend1@example.org",), size=700, subject="Hi").action is Action.HOLD
    box.now += 8 * _DAY
    assert box.send(_ELSEWHERE, ("friend1@example.org",), size=700, subject="Hi").action is Action.GO
    assert box.account.suspicion is None


def test_a_second_burst_after_the_end_of_the_first_alarms_again():
    box = Mailbox()
    box.burst(20)
    box.now += 9 * _DAY
    box.owner()
    again = box.burst(40, place="198.51.100.99", subject="Another document", first=900)
    assert before_hold(again) <= 5
    assert sum(answer.alarmed for answer in again) == 1


def test_a_newcomers_only_place_is_not_called_an_intruders():
    """Who is there for a day has no place but new ones: what alarms is held by its content, not by its place."""
    box = Mailbox.__new__(Mailbox)
    box.account, box.known, box.mode, box.refuse_after, box.now = Account(), {}, "hold", 0, _BEGIN
    for _ in range(6):
        box.owner()
    box.burst(60, place=_DESK)
    assert box.account.suspicion is None or not box.account.suspicion.places
    assert box.owner(seconds=60).action is Action.GO


@pytest.mark.parametrize("verb", [release, lambda account, now: drop(account, now, "x")])
def test_settling_where_nothing_is_suspected_changes_nothing(verb):
    box = Mailbox()
    before = box.account.to_bytes()
    verb(box.account, box.now)
    assert box.account.to_bytes() == before


@given(st.lists(st.sampled_from(["owner", "here", "there", "release", "drop", "week", "store"]), max_size=60))
def test_whatever_happens_only_the_suspected_is_held(story):
    """A suspicion is there whenever something is held, stays bounded, and survives being stored."""
    box = Mailbox.__new__(Mailbox)
    box.account, box.known, box.mode, box.refuse_after, box.now = Account(), {}, "hold", 0, _BEGIN
    for number, what in enumerate(story * 3):
        answers = []
        if what == "owner":
            answers = [box.owner()]
        elif what in {"here", "there"}:
            answers = box.burst(4, place=_DESK if what == "here" else f"203.0.113.{number % 90}", first=4 * number)
        elif what == "release":
            release(box.account, box.now)
            assert box.account.suspicion is None
        elif what == "drop":
            drop(box.account, box.now, "because")
        elif what == "week":
            box.now += 8 * _DAY
        else:
            box.account = Account.from_bytes(box.account.to_bytes())
        for answer in answers:
            assert answer.action is answer.would
            assert not answer.alarmed or answer.action is Action.HOLD
        suspicion = box.account.suspicion
        assert suspicion is not None or all(answer.action is Action.GO for answer in answers)
        if suspicion is not None:
            assert max(map(len, (suspicion.places, suspicion.watched, suspicion.subjects, suspicion.sizes))) <= 64
