# SPDX-License-Identifier: Apache-2.0
"""A thousand far sides that go wrong at random: the engine's laws hold in each, and in the end everything stands or is as before."""

import random
import shutil

import pytest
from farside import CLOSED, GONE, KAI, MEI, OPEN, RIN, Clock, FarSide, Faults, MemoryLedger, Thing, target

from hikeshi.cases.store import open_store
from hikeshi.cases.store.verify import verify
from hikeshi.contain import run as running
from hikeshi.contain import undo as undoing
from hikeshi.contain.contract import Phase
from hikeshi.contain.journal import State, progress_of
from hikeshi.contain.limits import Limits
from hikeshi.contain.patience import Patience
from hikeshi.contain.plan import make_plan

SCHEDULES = 1000


def world(seed):
    """Make objects of every kind, and faults of every kind, by chance."""
    chance = random.Random(seed)
    things = [
        Thing(KAI, None, OPEN, CLOSED, Phase.STOP),
        Thing(KAI, "session", OPEN, GONE, Phase.CLOSE, undo=False),
        Thing(KAI, "rule", "forward to drop@far.example", GONE, Phase.CLEAN),
        Thing(KAI, "grant", CLOSED, CLOSED, Phase.CLEAN),
        Thing(KAI, "method", OPEN, GONE, Phase.CLEAN, refuses=chance.random() < 0.3),
        Thing(MEI, "lure", "INBOX", "quarantine", Phase.PURGE),
        Thing(RIN, "lure", GONE if chance.random() < 0.3 else "INBOX", GONE, Phase.PURGE),
        Thing(KAI, "account", OPEN, CLOSED, Phase.SEAL),
    ]
    faults = Faults(chance.choice([0.05, 0.2, 0.5, 0.8]), chance, chance.choice([0, 0, 3, 20]))
    return FarSide(things, faults=faults), chance


def planned(far):
    # Looking is not what goes wrong here.
    rate, far.faults.rate = far.faults.rate, 0.0
    plan = make_plan([target(KAI), target(RIN), target(MEI)], [far], Limits(), Clock()())
    far.faults.rate = rate
    return plan


def stage(monkeypatch):
    """Leave approval to its own tests: it asks the database."""
    monkeypatch.setattr(running, "hold_approved", lambda *_: None)
    monkeypatch.setattr(undoing, "take_back", lambda *_, **__: None)


def patient(clock, chance):
    return Patience(60, 600, clock=clock, sleep=clock.sleep, jitter=chance.random)


def run(store, plan, far, case, clock, chance):
    return running.run(
        store, plan, [far], case=case, patience=patient(clock, chance), watch=far.watch
    )  # fmt: skip


def undo(store, plan, far, case, clock, chance):
    return undoing.undo(
        store, plan, [far], who="Aoi", why="a rehearsal", case=case, patience=patient(clock, chance), watch=far.watch
    )


def hold_originals(plan, far, progress):
    """What is kept for the undo is what was there before us, of all that we may have touched."""
    for key, known in progress.items():
        if known.touched:
            assert known.before.state["value"] == far.first[key], key
        elif known.state != State.UNDONE:
            assert far.things[key].value == far.first[key], key
    assert list(progress) == [step.key for step in plan.steps]


def refused(thing):
    return thing.refuses and thing.value != thing.goal


def hold_closed(far, progress):
    """Everything stands, and is known to; but for what the far side refuses, which nobody has touched."""
    for key, known in progress.items():
        thing = far.things[key]
        if refused(thing):
            assert (known.state, thing.value) == (State.REFUSED, far.first[key])
            continue
        assert thing.value == thing.goal, key
        assert known.stands, (key, known)
        assert known.touched == (far.first[key] != thing.goal), key


def hold_opened(plan, far, progress):
    """Everything is as it was, but for what cannot be taken back."""
    for step in plan.steps:
        known = progress[step.key]
        if step.undo is None and known.touched:
            continue
        assert far.things[step.key].value == far.first[step.key], (step.key, known)
        assert not known.touched, (step.key, known)


def one_schedule(seed, store, case):
    far, chance = world(seed)
    plan, clock = planned(far), Clock()
    for _ in range(chance.randint(1, 3)):
        run(store, plan, far, case, clock, chance)
        hold_originals(plan, far, progress_of(store, plan))
    if chance.random() < 0.6:
        far.settle()
        outcome = run(store, plan, far, case, clock, chance)
        hold_closed(far, outcome.progress)
        done = far.count("do")
        outcome = run(store, plan, far, case, clock, chance)
        assert far.count("do") - done == sum(map(refused, far.things.values())), "once it stands, it is only read"
        hold_closed(far, outcome.progress)
        hold_originals(plan, far, outcome.progress)
    if chance.random() < 0.6:
        far.faults.rate, far.strict = chance.choice([0.2, 0.6]), False
        undo(store, plan, far, case, clock, chance)
    far.settle()
    hold_opened(plan, far, undo(store, plan, far, case, clock, chance).progress)
    undone = far.count("undo")
    hold_opened(plan, far, undo(store, plan, far, case, clock, chance).progress)
    assert far.count("undo") == undone, "what is taken back is not taken back again"
    assert not far.breaches, (seed, far.breaches)
    return far


@pytest.mark.parametrize("part", range(10))
def test_in_a_thousand_random_schedules_nothing_is_lost_repeated_or_called_done_when_it_is_not(
    part, tmp_path, monkeypatch
):
    stage(monkeypatch)
    struck = 0
    for seed in range(part * SCHEDULES // 10, (part + 1) * SCHEDULES // 10):
        struck += one_schedule(seed, MemoryLedger(), tmp_path).struck
    assert struck > SCHEDULES // 2, "too few faults to have tested anything"


def test_the_ledger_is_whole_after_schedules_on_a_real_store(tmp_path, monkeypatch):
    stage(monkeypatch)
    with open_store(tmp_path / "first"):
        pass
    for seed in range(5000, 5004):
        case = tmp_path / str(seed)
        shutil.copytree(tmp_path / "first", case)
        with open_store(case) as store:
            one_schedule(seed, store, case)
            assert verify(store).deviations == []
