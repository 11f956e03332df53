# SPDX-License-Identifier: Apache-2.0
"""What the guard holds, as people see and settle it; the queue itself is tested against real Postfix."""

import asyncio
from datetime import UTC, datetime
from pathlib import Path

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.guard.holds import held, queue, receipt
from hikeshi.guard.holds.held import Held, Which
from hikeshi.guard.holds.queue import Queued
from hikeshi.guard.holds.receipt import Act, Outcome, Receipt
from hikeshi.guard.state import Hold, open_state

ALICE, BOB = "alice@example.test", "bob@example.test"
NOW = 1_790_000_000.0


def hold(queue_id, account=ALICE, when=NOW):
    return Hold(
        queue_id, account, account, when, "203.0.113.77", "mx/7/1", 3, "Invoice", "burst from a new place", 21.5
    )


def queued(queue_id, account=ALICE, name="hold"):
    return Queued(queue_id, name, int(NOW), 4321, account, ())


@pytest.mark.parametrize("which", [Which(), Which(("A1",), ALICE), Which((), ALICE, everything=True)])
def test_one_way_of_saying_which_is_asked_for(which):
    with pytest.raises(UsageError, match="say which"):
        which.check()


def test_which_mails_are_meant():
    holds = [hold("A1"), hold("B2", BOB), hold("A3")]
    assert Which(("B2",)).chosen(holds) == [holds[1]]
    assert Which((), "Alice@example.test").chosen(holds) == [holds[0], holds[2]]
    assert Which(everything=True).chosen(holds) == holds
    with pytest.raises(UsageError, match="C9: not held"):
        Which(("A1", "C9")).chosen(holds)
    with pytest.raises(UsageError, match=r"carol@example[.]test: nothing is held"):
        Which((), "carol@example.test").chosen(holds)


def test_the_list_tells_the_guards_from_others_and_from_what_is_gone():
    holds = [hold("A1"), hold("A2", when=NOW + 5), hold("B2", BOB)]
    found = Held(queue.matched(holds, [queued("A1"), queued("A2"), queued("X9", "else@example.test")]))
    document = found.document()
    assert [one["queue_id"] for one in document["held"]] == ["A1", "A2"]
    assert datetime.fromisoformat(document["held"][0]["time"]) == datetime.fromtimestamp(NOW, UTC)
    assert document["gone"] == [{"queue_id": "B2", "account": BOB}]
    assert document["others"] == [{"queue_id": "X9", "sender": "else@example.test"}]
    text = found.text()
    assert f"{ALICE}: 2 mails to 6 recipients on hold" in text
    assert "1 more were held" in text
    assert "1 mails on hold are not the guard's" in text


def test_nothing_held_is_said():
    assert Held(queue.matched([], [])).text() == "The guard holds nothing."


def settled_by(outcomes):
    """Give an act on the queue that comes out as told by queue id."""

    def act(holds, case, *, who, why, config):
        acts = tuple(Act(one, outcomes[one.queue_id]) for one in holds)
        return Receipt(Path(case) / "r.json", "release", who, why, config, datetime.now(UTC), acts)

    return act


def play(tmp_path, monkeypatch, which, outcomes):
    async def run():
        state = open_state(str(tmp_path / "state"))
        for one in (hold("A1"), hold("A2"), hold("B2", BOB)):
            await state.hold(one)
        await state.close()
        monkeypatch.setattr(receipt, "release", settled_by(outcomes))
        await held.release(which, str(tmp_path / "state"), None, tmp_path, "admin", "honest")
        state = open_state(str(tmp_path / "state"))
        result = [one.queue_id for one in await state.holds()], await state.orders(), await state.settled()
        await state.close()
        return result

    return asyncio.run(run())


def test_an_account_that_is_released_is_an_order_to_the_guard(tmp_path, monkeypatch):
    outcomes = {"A1": Outcome.RELEASED, "A2": Outcome.GONE}
    waiting, orders, settled = play(tmp_path, monkeypatch, Which((), ALICE), outcomes)
    assert waiting == ["B2"]
    assert [(one.account, one.verb, one.who, one.why) for one in orders] == [(ALICE, "release", "admin", "honest")]
    assert {one.hold.queue_id: one.outcome for one in settled} == {"A1": "released", "A2": "gone"}


def test_one_mail_that_is_released_says_nothing_about_the_account(tmp_path, monkeypatch):
    waiting, orders, _ = play(tmp_path, monkeypatch, Which(("A1",)), {"A1": Outcome.RELEASED})
    assert waiting == ["A2", "B2"]
    assert orders == []


def test_what_is_still_held_waits_on(tmp_path, monkeypatch):
    waiting, _, settled = play(tmp_path, monkeypatch, Which(("A1",)), {"A1": Outcome.STILL_HELD})
    assert waiting == ["A1", "A2", "B2"]
    assert settled == []
