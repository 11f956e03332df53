# SPDX-License-Identifier: Apache-2.0
"""From entries to states, without a store: what a crash between any two entries leaves behind."""

from datetime import datetime, timedelta
from types import SimpleNamespace

from farside import GONE, KAI, START, FarSide, Thing, target

from hikeshi.contain.contract import Answer, Reading
from hikeshi.contain.journal import Progress, State, journal
from hikeshi.contain.limits import Limits
from hikeshi.contain.plan import make_plan
from hikeshi.contain.receipts import Recorder
from hikeshi.contain.recheck import due

PLAN = make_plan([target(KAI)], [FarSide([Thing(KAI, "rule", "forward", GONE)])], Limits(), START)
(STEP,) = PLAN.steps
OPEN, SHUT = Reading(False, {"value": "forward"}, "it is forward"), Reading(True, {"value": None}, "it is gone")


class Written:
    """A store that keeps what is written."""

    def __init__(self):
        self.entries = []
        self.recorder = Recorder(self, PLAN.id, STEP, lambda *_: None)

    def append(self, *drafts):
        self.entries += [SimpleNamespace(kind=one.kind, body=dict(one.body)) for one in drafts]

    def read(self, verb, reading, minutes):
        return self.recorder.read(verb, reading, at(minutes), at(minutes))

    def did(self, said, minutes, **more):
        return self.recorder.did("do", said, at(minutes), at(minutes), **more)

    def progress(self):
        return journal(PLAN, self.entries)[STEP.key]


def at(minutes):
    return START + timedelta(minutes=minutes)


def closed():
    written = Written()
    written.recorder.begin(written.read("probe", OPEN, 1), 1)
    written.recorder.settle(State.DONE, "204", 1, written.did(Answer("204"), 2))
    written.recorder.settle(State.VERIFIED, "it is gone", 1, written.read("verify", SHUT, 3))
    return written


def test_without_entries_a_step_is_planned():
    assert journal(PLAN, []) == {STEP.key: Progress()}


def test_from_the_entry_that_begins_it_on_a_step_may_be_touched_whatever_comes_or_does_not_come():
    entries = closed().entries
    touched = [journal(PLAN, entries[:many])[STEP.key].touched for many in range(len(entries) + 1)]
    assert touched == [False, False, True, True, True, True, True]
    states = [journal(PLAN, entries[:many])[STEP.key].state for many in range(len(entries) + 1)]
    assert states == ["planned", "planned", "begun", "begun", "done-unverified", "done-unverified", "verified"]


def test_the_first_before_is_kept_once_something_may_have_been_done():
    written = closed()
    written.append(written.read("probe", SHUT, 9))
    known = written.progress()
    assert (known.before, known.since) == (OPEN, at(1))


def test_until_then_the_last_before_counts():
    written = Written()
    written.append(written.read("probe", SHUT, 0))
    written.recorder.begin(written.read("probe", OPEN, 1), 1)
    assert (written.progress().before, written.progress().since) == (OPEN, at(1))


def test_other_plans_and_strange_steps_are_not_this_plans():
    written = closed()
    for one in written.entries:
        one.body["plan"] = "another"
    assert written.progress() == Progress()
    written = closed()
    for one in written.entries:
        one.body["action"] = "far/close/nobody"
    assert written.progress() == Progress()


def test_readings_are_due_from_when_it_stood_and_anew_from_when_it_stood_again():
    written = closed()
    assert due(written.progress()) == at(3 + 15)
    written.append(written.read("verify", SHUT, 10))
    assert due(written.progress()) == at(3 + 15), "a reading too early is none of the three"
    written.append(written.read("recheck", Reading(None, {}, "cannot be told"), 19))
    assert due(written.progress()) == at(3 + 15), "a reading that tells nothing is none"
    written.recorder.settle(State.REOPENED, "", 1, written.read("recheck", OPEN, 20))
    assert due(written.progress()) == at(3 + 60)
    written.recorder.settle(State.VERIFIED, "", 1, written.read("recheck", SHUT, 30))
    assert due(written.progress()) == at(30 + 15)
    written.recorder.settle(State.UNDONE, "", 1, written.read("restored", SHUT, 40))
    assert due(written.progress()) is None


def test_times_come_back_as_they_were():
    assert isinstance(closed().progress().since, datetime)
    assert closed().progress().since.utcoffset() == timedelta(0)
