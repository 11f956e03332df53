# SPDX-License-Identifier: Apache-2.0
"""Asking: once when a suspicion begins, then rarely, never through the mailbox in question, never in the way of a mail."""

import asyncio
import time
from collections import Counter
from dataclasses import dataclass, field, replace

import pytest
from listeners import Tally, hook, inbox, until
from notices import ALICE, NOON, WEIGHTS, suspected
from posts import hold

from hikeshi.guard.mail import Action
from hikeshi.guard.people import ask
from hikeshi.guard.people.ask import Asking, mailbox
from hikeshi.guard.people.channelfile import Channels
from hikeshi.guard.people.channels import ChannelError, Mail, Webhook

BOB = "bob@example.test"
ADMIN = Mail("hikeshi@example.com", ("admin@example.com",))


@dataclass
class Way:
    """A channel that keeps what it is told. `errors` are raised in turn; with `shut` it takes nothing and hangs."""

    name: str = "webhook"
    notices: list = field(default_factory=list)
    errors: list = field(default_factory=list)
    shut: bool = False

    async def send(self, notice):
        if self.shut:
            await asyncio.Event().wait()
        if self.errors:
            raise self.errors.pop(0)
        self.notices.append(notice)


def asking(way, meter=None, **how):
    return Asking(Channels(webhook=way), meter or Tally(), **{"first": 0.0, "every": 3600.0} | how)


def run(story):
    asyncio.run(story())


def test_a_burst_is_one_notice_that_says_how_many():
    async def story():
        way = Way()
        async with asking(way, first=0.05) as people:
            for number in range(1215):
                people.stopped(*suspected(number, place="203.0.113.9" if number % 2 else "203.0.113.10"))
            await until(lambda: way.notices, "somebody is told")
        (told,) = way.notices
        assert (told.account, told.held, told.again) == (ALICE, 1215, False)
        assert (told.since, told.latest) == (NOON, NOON + 1214)
        assert told.subjects == tuple(f"Invoice {number}" for number in range(5))
        assert told.places == ("203.0.113.10", "203.0.113.9")
        assert (told.weights, told.score, told.threshold) == (WEIGHTS, 31.5, 18.2)

    run(story)


def test_while_it_goes_on_people_are_told_again_with_the_new_count_and_no_sooner():
    async def story():
        way = Way()
        async with asking(way, every=0.3) as people:
            began = time.monotonic()
            people.stopped(*suspected(0))
            await until(lambda: len(way.notices) == 1, "somebody is told")
            for number in range(1, 40):
                people.stopped(*suspected(number))
            await asyncio.sleep(0)
            assert len(way.notices) == 1
            await until(lambda: len(way.notices) == 2, "somebody is told again")
            assert time.monotonic() - began >= 0.3
            await asyncio.sleep(0.4)
        assert [(one.held, one.again) for one in way.notices] == [(1, False), (40, True)]

    run(story)


def test_every_account_is_told_of_by_itself():
    async def story():
        way = Way()
        async with asking(way) as people:
            people.stopped(*suspected(0))
            people.stopped(*suspected(1, account=BOB))
            await until(lambda: len(way.notices) == 2, "somebody is told")
            assert len(people) == 2
        assert {one.account for one in way.notices} == {ALICE, BOB}

    run(story)


def test_what_was_refused_and_what_went_is_counted_apart():
    async def story():
        way = Way()
        async with asking(way, first=0.05) as people:
            for number, action in enumerate([Action.HOLD, Action.REFUSE, Action.REFUSE, Action.GO]):
                people.stopped(*suspected(number, action=action))
            people.noticed(ALICE, NOON + 9, "203.0.113.99", WEIGHTS, 20.0, 18.2, "a log")
        (told,) = way.notices
        assert (told.held, told.refused, told.went, told.latest) == (1, 2, 2, NOON + 9)
        assert told.places[-1] == "203.0.113.99"

    run(story)


def test_how_many_had_left_before_is_said_where_it_is_known():
    async def story():
        way = Way()
        async with asking(way, first=0.05) as people:
            people.stopped(*suspected(0), before=4)
            people.stopped(*suspected(1))
            people.stopped(*suspected(2, account=BOB))
        assert {one.account: one.before for one in way.notices} == {ALICE: 4, BOB: None}

    run(story)


def test_the_weights_are_those_of_the_alarm():
    async def story():
        way = Way()
        async with asking(way, first=0.05) as people:
            people.stopped(*suspected(0, score=5.0, reason="before"))
            people.stopped(*suspected(1, score=20.0, reason="the alarm", alarmed=True))
            people.stopped(*suspected(2, score=99.0, reason="after"))
        assert (way.notices[0].score, way.notices[0].reason) == (20.0, "the alarm")

    run(story)


def test_after_a_decision_the_account_may_be_suspected_anew():
    async def story():
        way = Way()
        async with asking(way) as people:
            people.stopped(*suspected(0))
            await until(lambda: len(way.notices) == 1, "somebody is told")
            people.settled(ALICE)
            people.settled("nobody@example.test")
            people.stopped(*suspected(1))
            await until(lambda: len(way.notices) == 2, "somebody is told")
        assert [(one.held, one.again) for one in way.notices] == [(1, False), (1, False)]

    run(story)


def test_a_decision_within_the_first_seconds_leaves_nothing_to_tell():
    async def story():
        way = Way()
        async with asking(way, first=0.05) as people:
            people.stopped(*suspected(0))
            people.settled(ALICE)
        assert way.notices == []

    run(story)


def test_a_suspicion_that_has_been_quiet_for_long_is_a_new_one_and_takes_no_room():
    async def story():
        way = Way()
        async with asking(way) as people:
            people.stopped(*suspected(0, account=BOB))
            people.stopped(*suspected(0))
            await until(lambda: len(way.notices) == 2, "somebody is told")
            people.stopped(*suspected(int(ask.QUIET) + 1))
            assert len(people) == 1
        assert [one.again for one in way.notices] == [False, False, False]

    run(story)


def test_what_waits_is_told_when_the_guard_ends():
    async def story():
        way = Way()
        async with asking(way, first=3600.0) as people:
            people.stopped(*suspected(0))
        assert len(way.notices) == 1

    run(story)


def test_what_was_told_of_before_a_start_is_not_told_again():
    async def story():
        way = Way()
        async with asking(way, every=0.2) as people:
            people.resume([hold("A1B2C4"), hold("A1B2C3", subject=None)])
            assert len(people) == 1
            await asyncio.sleep(0.05)
            assert way.notices == []
            people.stopped(*suspected(0, time=hold("A1B2C3").time + 60))
            await until(lambda: way.notices, "somebody is told")
        assert [(one.held, one.again, one.weights) for one in way.notices] == [(3, True, WEIGHTS)]

    run(story)


def test_what_began_just_before_a_start_may_not_have_been_told_and_is():
    async def story():
        way = Way()
        async with asking(way) as people:
            people.resume([hold("A1B2C3", time=time.time() - 1)])
            await until(lambda: way.notices, "somebody is told")

    run(story)


def test_a_channel_that_fails_is_tried_again_and_the_mails_go_on(monkeypatch, caplog):
    monkeypatch.setattr(ask, "PAUSE", 0.01)

    async def story():
        way, meter = Way(errors=[ChannelError("busy"), ChannelError("busy")]), Tally()
        async with asking(way, meter) as people:
            people.stopped(*suspected(0))
            await until(lambda: way.notices, "it is taken at last")
        assert meter.counts == Counter({("failed", "webhook"): 2, ("told", "webhook"): 1})

    run(story)
    assert [one.levelname for one in caplog.records] == ["WARNING", "WARNING"]


@pytest.mark.parametrize("error", [ChannelError("never", lasting=True), ValueError("a defect: Invoice 4711")])
def test_a_channel_that_will_never_take_it_is_given_up_and_the_others_are_told(error, caplog):
    async def story():
        way, meter = Way(errors=[error]), Tally()
        other = Way("syslog")
        async with Asking(Channels(webhook=way, syslog=other), meter, first=0.0) as people:
            people.stopped(*suspected(0))
            await until(lambda: meter.counts["lost", "webhook"] and other.notices, "it is given up")
        assert meter.counts["told", "syslog"] == 1
        assert meter.counts["failed", "webhook"] == 1

    run(story)
    assert caplog.records[-1].levelname == "ERROR"
    assert caplog.records[-1].event == "notice lost"
    assert "Invoice" not in caplog.text


def test_patience_ends(monkeypatch):
    monkeypatch.setattr(ask, "PAUSE", 0.01)
    monkeypatch.setattr(ask, "PATIENCE", 0.1)

    async def story():
        way, meter = Way(errors=[ChannelError("busy")] * 1000), Tally()
        async with asking(way, meter) as people:
            people.stopped(*suspected(0))
            await until(lambda: meter.counts["lost", "webhook"], "it is given up")
        assert 2 <= meter.counts["failed", "webhook"] < 20

    run(story)


def test_when_too_much_waits_the_oldest_is_given_up_and_counted(monkeypatch):
    monkeypatch.setattr(ask, "_LAST", 0.05)

    async def story():
        way, meter = Way(shut=True), Tally()
        async with asking(way, meter) as people:
            for number in range(ask.WAITING + 7):
                people.stopped(*suspected(0, account=f"account{number}@example.test"))
            await until(lambda: meter.counts["lost", "webhook"] >= 7, "the oldest are given up")
        assert meter.counts == Counter({("lost", "webhook"): 7})

    run(story)


def test_a_hanging_channel_is_in_the_way_of_nothing(monkeypatch):
    monkeypatch.setattr(ask, "_LAST", 0.05)

    async def story():
        way, other = Way(shut=True), Way("syslog")
        async with Asking(Channels(webhook=way, syslog=other), Tally(), first=0.0) as people:
            for number in range(50):
                people.stopped(*suspected(number, account=f"account{number}@example.test"))
            await until(lambda: len(other.notices) == 50, "the other channel is told of all")

    run(story)


def told_addresses(mail, owners, *stopped):
    """Give (owner or not, addresses) of all the mails that are sent."""

    async def main():
        async with inbox() as server:
            channels = Channels(mail=replace(mail, port=server.port), owners=owners)
            async with Asking(channels, Tally(), first=0.05) as people:
                for mail_and_answer in stopped:
                    people.stopped(*mail_and_answer)
            return sorted(("Did you send these mails?" in letter.get_content(), *to) for _, to, letter in server.mails)

    return asyncio.run(main())


def test_administrators_and_the_owner_are_told_apart():
    found = told_addresses(ADMIN, {ALICE: "alice@home.example"}, suspected(0))
    assert found == [(False, "admin@example.com"), (True, "alice@home.example")]


def test_an_owner_is_found_whatever_the_case_of_the_account():
    assert (True, "alice@home.example") in told_addresses(
        ADMIN, {ALICE: "alice@home.example"}, suspected(0, account="Alice@example.test")
    )


@pytest.mark.parametrize("address", [ALICE, "ALICE@Example.test", "alice+alarm@example.test"])
def test_nobody_is_told_through_the_mailbox_that_is_suspected(address, caplog):
    found = told_addresses(replace(ADMIN, to=("admin@example.com", address)), {ALICE: address}, suspected(0))
    assert found == [(False, "admin@example.com")]
    assert len(caplog.records) == 2
    assert address not in "".join(record.getMessage() for record in caplog.records)


def test_nor_through_another_that_is_suspected():
    found = told_addresses(ADMIN, {ALICE: BOB, BOB: "bob@home.example"}, suspected(0), suspected(0, account=BOB))
    assert found == [(False, "admin@example.com"), (False, "admin@example.com"), (True, "bob@home.example")]


def test_an_account_without_a_domain_is_known_by_what_it_sends_as():
    owners = {"alice": "alice@example.test", "bob": "alice@home.example"}
    found = told_addresses(
        ADMIN, owners, suspected(0, account="alice"), suspected(0, account="bob", sender="bob@example.test")
    )
    assert found == [(False, "admin@example.com"), (False, "admin@example.com"), (True, "alice@home.example")]


def test_no_intruder_can_silence_an_owner_by_sending_as_the_other_address():
    found = told_addresses(ADMIN, {ALICE: "kai@home.example"}, suspected(0, sender="kai@home.example"))
    assert (True, "kai@home.example") in found


def test_where_all_administrators_are_suspected_nobody_gets_a_mail_and_the_rest_do(caplog):
    assert told_addresses(replace(ADMIN, to=(ALICE,)), None, suspected(0)) == []
    assert "is itself under suspicion" in caplog.text


def test_all_channels_together_on_real_sockets():
    async def story():
        async with inbox() as server, hook() as there:
            channels = Channels(mail=replace(ADMIN, port=server.port), webhook=Webhook(there.url, "an invented one"))
            meter = Tally()
            async with Asking(channels, meter, first=0.0) as people:
                people.stopped(*suspected(0))
                await until(lambda: server.mails and there.asked, "both are told")
            assert meter.counts == Counter({("told", "mail"): 1, ("told", "webhook"): 1})

    run(story)


@pytest.mark.parametrize(
    ("address", "reaches"),
    [("Alice+a+b@Example.test", ALICE), ("alice", "alice"), ("alice+x", "alice"), (ALICE, ALICE)],
)
def test_a_detail_reaches_the_same_mailbox(address, reaches):
    assert mailbox(address) == reaches
