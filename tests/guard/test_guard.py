# SPDX-License-Identifier: Apache-2.0
"""The guard as a whole, without a port: what it decides, writes down, and takes over from people."""

import asyncio
import json
import stat
import time
from contextlib import asynccontextmanager, suppress

import pytest

from hikeshi.guard.guard import Guard
from hikeshi.guard.health.metrics import Metrics
from hikeshi.guard.mail import Action, Mail
from hikeshi.guard.norm import Norm
from hikeshi.guard.orders import take_orders
from hikeshi.guard.people.ask import Asking
from hikeshi.guard.people.channelfile import Channels
from hikeshi.guard.state import Order, StateAwayError, open_state

CLERK, DESK, ELSEWHERE = "clerk@example.test", "192.0.2.10", "203.0.113.77"
FRIENDS = [f"friend{number}@partner.example" for number in range(12)]
DAY = 86400.0


def mail(when, number, *, place=DESK, to=None, subject=None, size=None):
    return Mail(
        account=CLERK,
        time=when,
        place=place,
        client_ip=place,
        session=f"{place}/{int(when)}",
        sender=CLERK,
        recipients=(to or FRIENDS[number % len(FRIENDS)],),
        size=size or 2000 + 137 * (number % 53),
        subject=subject or f"Order {number}",
        queue_id=f"Q{number:05d}",
    )


def lure(when, number):
    return mail(when, number, place=ELSEWHERE, to=f"stranger{number}@customer.example", subject="Invoice", size=4321)


@asynccontextmanager
async def on_duty(tmp_path, mode="hold"):
    """A guard that knows the clerk for thirty days."""
    state, count = open_state(str(tmp_path / "state")), Metrics()
    async with Asking(Channels(), count) as asking:
        guard = Guard(state, Norm(state, (1, 100_000)), tmp_path / "case", mode, 1000, asking, count)
        now = time.time()
        await state.set_norm({"first_time": now - 31 * DAY, "mails": 120.0, "account_days": 30.0})
        for number in range(120):
            answer = await guard.decide(mail(now - 30 * DAY + number * DAY / 4, number))
            assert answer.action is Action.GO
        try:
            yield guard, now
        finally:
            await state.close()


async def burst(guard, now, count=40):
    return [await guard.decide(lure(now + 2 * number, number)) for number in range(count)]


async def none_left(state):
    """Look often, until every order has been taken over."""
    while await state.orders():  # noqa: ASYNC110 - another process would leave them, which no event tells
        await asyncio.sleep(0.01)


def test_a_burst_from_elsewhere_is_held_after_a_few_and_the_owner_goes_on(tmp_path):
    async def play():
        async with on_duty(tmp_path) as (guard, now):
            answers = await burst(guard, now)
            own = [await guard.decide(mail(now + 100 + 60 * number, number)) for number in range(10)]
            return answers, own, await guard.state.holds(), len(guard.asking)

    answers, own, holds, suspicions = asyncio.run(play())
    actions = [answer.action for answer in answers]
    first = actions.index(Action.HOLD)
    assert first <= 5
    assert set(actions[first:]) == {Action.HOLD}
    assert [answer.alarmed for answer in answers].count(True) == 1
    assert answers[first].alarmed
    assert {answer.action for answer in own} == {Action.GO}
    assert [hold.queue_id for hold in holds] == [f"Q{number:05d}" for number in range(first, 40)]
    assert suspicions == 1


def test_every_alarm_is_a_line_in_the_case_that_only_its_owner_can_read(tmp_path):
    async def play():
        async with on_duty(tmp_path) as (guard, now):
            await burst(guard, now)

    asyncio.run(play())
    path = tmp_path / "case" / "alarms.jsonl"
    (line,) = map(json.loads, path.read_text("utf-8").splitlines())
    assert (line["schema"], line["account"], line["place"]) == ("hikeshi.alarm/1", CLERK, ELSEWHERE)
    assert line["score"] > line["threshold"]
    weights = {one["name"]: one["nats"] for one in line["weights"]}
    # of the whole run: the place was new to its first mail only
    assert weights["new place"] > 1
    assert sum(weights.values()) == pytest.approx(line["score"], abs=0.1)
    assert stat.S_IMODE(path.stat().st_mode) == 0o600


def test_observing_lets_all_go_and_says_what_it_would_have_done(tmp_path):
    async def play():
        async with on_duty(tmp_path, "observe") as (guard, now):
            return await burst(guard, now), await guard.state.holds()

    answers, holds = asyncio.run(play())
    assert {answer.action for answer in answers} == {Action.GO}
    assert Action.HOLD in {answer.would for answer in answers}
    assert holds == []


@pytest.mark.parametrize(("verb", "then"), [("release", Action.GO), ("drop", Action.HOLD)])
def test_what_a_person_decides_is_taken_over_while_the_guard_runs(tmp_path, verb, then):
    """Another process leaves the order; the next mails of that burst go after a release and stay held after a drop."""

    async def play():
        async with on_duty(tmp_path) as (guard, now):
            await burst(guard, now)
            beside = open_state(str(tmp_path / "state"), beside=True)
            await beside.order(Order(CLERK, verb, "admin", "asked by phone", now))
            await beside.close()
            orders = asyncio.create_task(take_orders(guard.state, guard.asking, guard.count))
            await asyncio.wait_for(none_left(guard.state), 10)
            orders.cancel()
            with suppress(asyncio.CancelledError):
                await orders
            return await guard.decide(lure(now + 200, 100)), len(guard.asking)

    answer, suspicions = asyncio.run(play())
    assert answer.action is then
    assert suspicions == (0 if verb == "release" else 1)


def test_a_mail_is_held_even_if_nobody_can_write_that_down(tmp_path, caplog):
    async def play():
        async with on_duty(tmp_path) as (guard, now):

            async def away(_hold):
                raise StateAwayError("no answer")

            guard.state.hold = away
            return await burst(guard, now)

    answers = asyncio.run(play())
    assert answers[-1].action is Action.HOLD
    assert "held but not written down" in caplog.text


def test_a_mail_is_held_even_if_the_disk_is_full(tmp_path, monkeypatch, caplog):
    def full(*_):
        raise OSError(28, "No space left on device")

    async def play():
        async with on_duty(tmp_path) as (guard, now):
            monkeypatch.setattr("hikeshi.guard.guard.write_alarm", full)
            return await burst(guard, now)

    assert asyncio.run(play())[-1].action is Action.HOLD
    assert "alarm not written down: No space left" in caplog.text


def test_a_state_that_is_away_is_counted_and_left_to_the_server_to_fail_open(tmp_path):
    async def play():
        async with on_duty(tmp_path) as (guard, now):

            async def away(*_):
                raise StateAwayError("no answer")

            guard.state.change = away
            with pytest.raises(StateAwayError):
                await guard.decide(lure(now, 0))
            return guard.count.registry.get_sample_value("hikeshi_state_errors_total")

    assert asyncio.run(play()) == 1


def test_a_guard_that_has_learnt_nothing_begins_cold_and_calm(tmp_path):
    """Everything is new to it: an ordinary day of an account that it meets for the first time alarms nobody."""

    async def play():
        state, count = open_state(str(tmp_path / "state")), Metrics()
        async with Asking(Channels(), count) as asking:
            guard = Guard(state, Norm(state, (1, 100_000)), tmp_path / "case", "hold", 1000, asking, count)
            now = time.time()
            answers = [await guard.decide(mail(now + 900 * number, number)) for number in range(30)]
            norm = await state.norm()
            await state.close()
            return answers, norm, now

    answers, norm, now = asyncio.run(play())
    assert {answer.would for answer in answers} == {Action.GO}
    assert norm["first_time"] == pytest.approx(now, abs=60)
