# SPDX-License-Identifier: Apache-2.0
"""A thousand schedules of faults and crashes: nothing lost, nothing repeated wrongly, nothing told that is not true."""

import copy
import json
import random
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

import google_stage as stage
import pytest
from google_stage import ANNA, BOB, DROP, LURE

from hikeshi.contain.contract import LaterError, Reading, RefusedError, Step
from hikeshi.testing.google import Domain, Fault

KINDS = (
    *("throttled rate-limited over-quota unavailable drop-before".split()),
    *("drop-after fails-after lies late vanishes".split()),
)
#: schedules a test; ten tests make a thousand
SCHEDULES = 100
#: turns after which a run that is still not done is lost
TURNS = 400


class CrashError(Exception):
    """The run died here."""


@dataclass
class Kept:
    """What the engine keeps of a step across crashes."""

    step: Step
    before: Reading | None = None
    since: datetime | None = None
    closed: bool = False
    opened: bool = False


#: whether a step's goal stands: of the person as it is, as it was, and the step's object
TRUE = {
    "password": lambda now, was, _: now["password"] != was["password"],
    "sign-out": lambda now, _was, _: now["sessions"] == [],
    "token": lambda now, _was, key: key not in now["tokens"],
    "backup-codes": lambda now, _was, _: now["codes"] == [],
    "auto-forwarding": lambda now, _was, _: not now["autoForwarding"]["enabled"],
    "filter": lambda now, was, key: plain(was["filters"][key]) not in map(plain, now["filters"].values()),
    "forwarding-address": lambda now, _was, key: key not in now["forwardingAddresses"],
    "send-as": lambda now, _was, key: key not in now["sendAs"],
    "reply-to": lambda now, _was, key: not now["sendAs"][key].get("replyToAddress"),
    "copies": lambda now, _was, key: all(
        "TRASH" in one["labelIds"] for one in now["messages"].values() if one["rfc822"] == key
    ),
    "suspend": lambda now, _was, _: now["user"]["suspended"],
}


def truth(made: Domain, step: Step, original: dict[str, Any]) -> bool:
    """Whether a step's goal stands in the domain, whatever anybody reads."""
    user = step.detail["user"]
    return TRUE[step.operation](made.user(user), original[user], step.object)


def plain(one):
    return json.dumps({key: value for key, value in one.items() if key != "id"}, sort_keys=True)


@dataclass
class Engine:
    """A small engine: keeps what it must, dies now and then, and goes on."""

    made: Domain
    connector: Any
    dice: random.Random
    original: dict[str, Any]
    faults: int

    def step_on(self) -> None:
        """Between any two calls: perhaps a fault for what comes, perhaps the end of this run."""
        if self.faults and self.dice.random() < 0.4:
            self.faults -= 1
            kind = self.dice.choice(KINDS)
            seconds = self.dice.choice([None, 0, 5])
            self.made.faults.append(Fault(kind, seconds=seconds, reads=self.dice.randint(1, 6)))
            if self.dice.random() < 0.15:
                raise CrashError

    def close(self, kept: Kept) -> None:
        if kept.before is None:
            self.step_on()
            kept.before = self.connector.probe(kept.step)
            kept.since = datetime.now(UTC)
            if kept.step.operation == "sign-out":
                # the other hand is in again, so that what the new password has ended proves nothing
                self.made.user(ANNA)["sessions"].append("the other hand's")
            if kept.before.reached:
                assert truth(self.made, kept.step, self.original)
                kept.closed = True
                return
        self.step_on()
        for turn in range(3):
            # read first: a run before this one may have done it
            reading = self.connector.verify(kept.step, kept.before, kept.since)
            if reading.reached:
                assert truth(self.made, kept.step, self.original), (kept.step.key, reading)
                kept.closed = True
                return
            if turn == 0:
                self.step_on()
                self.connector.do(kept.step, kept.before, kept.since)
            self.step_on()

    def open(self, kept: Kept) -> None:
        self.step_on()
        with suppress(RefusedError):
            # refused while an outside address waits for its owner, who confirms in the end
            self.connector.undo(kept.step, kept.before)
        if kept.step.operation in ("forwarding-address", "send-as"):
            self.made.confirm(ANNA, kept.step.object)
        self.step_on()
        reading = self.connector.restored(kept.step, kept.before)
        if reading.reached:
            assert not truth(self.made, kept.step, self.original), (kept.step.key, reading)
            kept.opened = True

    def run(self, todo, one, ready) -> None:
        for _ in range(TURNS):
            waiting = [kept for kept in todo if not ready(kept)]
            if not waiting:
                return
            with suppress(LaterError, CrashError):
                for kept in waiting:
                    one(kept)
                    if not ready(kept):
                        break
        raise AssertionError([kept.step.key for kept in todo if not ready(kept)])


TAKEN = stage.taken_over()


def one_schedule(seed):
    dice = random.Random(seed)
    made = Domain(
        scopes=list(TAKEN.scopes), key=TAKEN.key, state=copy.deepcopy(TAKEN.state), page=dice.choice([1, 2, 100])
    )
    original = copy.deepcopy(made.state["users"])
    with stage.beside(made) as connector:
        look = connector.look(stage.target())
        engine = Engine(made, connector, dice, original, dice.randint(1, 40))
        todo = [Kept(step) for step in look.steps]
        engine.run(todo, engine.close, lambda kept: kept.closed)
        for kept in todo:
            assert truth(made, kept.step, original), kept.step.key
        owners_own(made, original)
        undo = [kept for kept in reversed(todo) if kept.step.undo is not None and not kept.before.reached]
        engine.faults += dice.randint(0, 20)
        engine.run(undo, engine.open, lambda kept: kept.opened)
    as_before(made, original)
    return len(undo)


def owners_own(made, original):
    """What is the owner's own is as it was, in the middle of it all."""
    now = made.user(ANNA)
    assert list(now["tokens"]) == ["calendar.apps.example"]
    assert [one["criteria"]["from"] for one in now["filters"].values()] == ["news@example.org", "boss@example.test"]
    assert (now["delegates"], list(now["forwardingAddresses"])) == (original[ANNA]["delegates"], [BOB])
    honest = [one for one in made.user(BOB)["messages"].values() if one["rfc822"] != LURE]
    assert honest == [one for one in original[BOB]["messages"].values() if one["rfc822"] != LURE]
    assert made.user(ANNA)["messages"] == original[ANNA]["messages"]


def as_before(made, original):
    """All that can be undone is as it was, once and not twice."""
    now, was = made.user(ANNA), original[ANNA]
    for kind in ("autoForwarding", "forwardingAddresses", "delegates", "sendAs"):
        assert now[kind] == was[kind]
    assert sorted(map(plain, now["filters"].values())) == sorted(map(plain, was["filters"].values()))
    assert now["user"]["suspended"] is False
    labels = {key: set(one["labelIds"]) for key, one in made.user(BOB)["messages"].items()}
    assert labels == {key: set(one["labelIds"]) for key, one in original[BOB]["messages"].items()}


@pytest.mark.parametrize("start", range(10))
def test_through_any_faults_and_crashes_all_is_closed_in_truth_and_all_is_undone_in_truth(start):
    for number in range(SCHEDULES):
        seed = start * SCHEDULES + number
        try:
            assert one_schedule(seed) == 8
        except AssertionError as error:
            raise AssertionError(f"schedule {seed}: {error}") from error


def test_over_a_real_socket_a_broken_connection_is_later_and_a_reading_tells_what_became_of_it():
    made = stage.taken_over()
    with stage.connected(made) as connector:
        step = next(one for one in connector.look(stage.target()).steps if one.operation == "auto-forwarding")
        before = connector.probe(step)
        connector.do(step, before, datetime.now(UTC))
        connector.undo(step, before)
        for kind, reached in (("drop-before", False), ("drop-after", True)):
            made.faults.append(Fault(kind))
            with pytest.raises(LaterError):
                connector.do(step, before, datetime.now(UTC))
            assert connector.verify(step, before, datetime.now(UTC)).reached is reached
    assert made.user(ANNA)["forwardingAddresses"][DROP]
