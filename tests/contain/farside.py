# SPDX-License-Identifier: Apache-2.0
"""A far side for the engine's tests: objects with a value each, a connector to them, and faults on request.

It keeps the truth, which the engine only sees through readings, and notes every breach of the laws that the engine must
keep whatever the far side does.
"""

import json
import random
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from types import SimpleNamespace

from hikeshi.cases.store import Draft
from hikeshi.cases.store.canonical import canonical
from hikeshi.contain.contract import (
    Answer,
    ConnectorError,
    LaterError,
    Look,
    Phase,
    Reading,
    RefusedError,
    Shown,
    Step,
    Target,
)

START = datetime(2026, 3, 4, 9, tzinfo=UTC)
KAI, RIN, MEI = "kai@hinode.example", "rin@hinode.example", "mei@hinode.example"
#: stands in errors of a defective connector, and must never be written down
SECRET = "an invented secret"  # noqa: S105 - as it says
OPEN, CLOSED, GONE = "open", "closed", None


class Clock:
    """Time that passes only when somebody sleeps, and a little with every look at it."""

    def __init__(self, now=START):
        self.now, self.slept = now, []

    def __call__(self):
        self.now += timedelta(milliseconds=1)
        return self.now

    def sleep(self, seconds):
        assert seconds >= 0
        self.slept.append(seconds)
        self.now += timedelta(seconds=seconds)


class MemoryLedger:
    """A store's ledger without a disk, for a thousand runs: what goes in comes out as JSON, and secrets are refused."""

    def __init__(self):
        self.kept = []

    def append(self, *drafts):
        bodies = [canonical(draft.body) for draft in drafts]
        for draft, body in zip(drafts, bodies, strict=True):
            assert SECRET not in body
            self.kept.append((draft.kind, body))

    def entries(self, *kinds):
        return [
            SimpleNamespace(kind=kind, body=json.loads(body)) for kind, body in self.kept if not kinds or kind in kinds
        ]


@dataclass
class Thing:
    """An object of the far side."""

    account: str
    name: str | None
    value: str | None = OPEN
    goal: str | None = CLOSED
    phase: Phase = Phase.CLEAN
    undo: bool = True
    #: the far side will never do it
    refuses: bool = False


@dataclass
class Faults:
    """How likely each fault is at each call, and where chance comes from."""

    rate: float = 0.0
    chance: random.Random = field(default_factory=lambda: random.Random(0))
    #: how many readings show the old value after a change, at most
    stale: int = 0
    kinds: tuple[str, ...] = ("later", "later-after", "failed", "failed-after", "defect", "defect-after", "lie", "gone")

    def strikes(self, *able):
        """Give the fault that strikes this call, of those that its verb can have, None for most."""
        kinds = [kind for kind in self.kinds if kind in able]
        return self.chance.choice(kinds) if kinds and self.chance.random() < self.rate else None


_READ = ("later", "failed", "defect")
_WRITE = (*_READ, "later-after", "failed-after", "defect-after", "lie", "gone")


class FarSide:
    """The connector to it; `things` are the truth, by the steps' keys."""

    def __init__(self, things, name="far", faults=None):
        self.name = name
        self.faults = faults or Faults()
        self.things = {self.step(thing).key: replace(thing) for thing in things}
        self.first = {key: thing.value for key, thing in self.things.items()}
        self.calls = []
        self.breaches = []
        self.shown, self.gaps = (), ()
        #: key → (value that readings still show, how many readings more)
        self.slow = {}
        #: key → what the last reading told the engine
        self.told = {}
        #: key → whether the truth was the goal when verify last said so
        self.proof = {}
        #: no fault and no slowness: then nothing may be done whose goal stands
        self.strict = False
        self.closed = False
        self.struck = 0

    def step(self, thing):
        return Step(
            connector=self.name,
            operation="close",
            phase=thing.phase,
            account=thing.account,
            object=thing.name,
            request=f"PATCH /things/{thing.name or '-'}",
            why={"en": "it is open", "ja": "開いているため"},
            undo={"en": "it is opened again", "ja": "再び開く"} if thing.undo else None,
            detail={"goal": thing.goal},
        )

    def check(self):
        self.calls.append(("check", None))
        self._strike(self.faults.strikes("later", "defect"), "check")

    def look(self, target):
        self.calls.append(("look", target.account))
        steps = tuple(self.step(thing) for thing in self.things.values() if thing.account == target.account)
        return Look(steps, self.shown, self.gaps)

    def probe(self, step):
        if self.faults.strikes("gone") and self.things[step.key].goal is GONE:
            # Somebody else was faster, before we touched it.
            self.things[step.key].value = self.first[step.key] = GONE
        return self._read("probe", step, lambda value: value == step.detail["goal"])

    def do(self, step, _before, since):
        self.calls.append(("do", step.key))
        assert since.tzinfo is not None
        thing = self.things[step.key]
        if self.told.get(step.key) is True:
            self.breaches.append(f"{step.key} is done although the last reading said that it stands")
        if self.strict and thing.value == thing.goal:
            self.breaches.append(f"{step.key} is done although it stands")
        if thing.refuses:
            raise RefusedError("it says no", "ask its owner")
        return self._change("do", step, thing.goal)

    def verify(self, step, _before, _since):
        found = self._read("verify", step, lambda value: value == step.detail["goal"])
        self.proof[step.key] = found.reached and self.things[step.key].value == step.detail["goal"]
        return found

    def undo(self, step, before):
        self.calls.append(("undo", step.key))
        return self._change("undo", step, before.state["value"])

    def restored(self, step, before):
        return self._read("restored", step, lambda value: value == before.state["value"])

    def close(self):
        self.closed = True

    def settle(self):
        """Let everything show what it is, and nothing go wrong any more."""
        self.slow.clear()
        self.faults.rate, self.faults.stale, self.strict = 0.0, 0, True

    def watch(self, step, state, says):
        """Watch a run: what is called verified must be so."""
        if state == "verified" and not self.proof.get(step.key):
            self.breaches.append(f"{step.key} is called verified and was not")
        if SECRET in says:
            self.breaches.append(f"{step.key} tells a secret")

    def count(self, verb):
        return sum(one == verb for one, _ in self.calls)

    def _read(self, verb, step, reached):
        self.calls.append((verb, step.key))
        self._strike(self.faults.strikes(*_READ), verb)
        value = self.things[step.key].value
        if step.key in self.slow:
            value, left = self.slow[step.key]
            self.slow[step.key] = (value, left - 1)
            if left <= 1:
                del self.slow[step.key]
        stands = reached(value)
        self.told[step.key] = stands if verb in ("probe", "verify") else None
        return Reading(stands, {"value": value}, f"it is {value}")

    def _change(self, verb, step, value):
        fault = self.faults.strikes(*_WRITE)
        if fault in _READ:
            self._strike(fault, verb)
        thing = self.things[step.key]
        if fault == "lie" and verb == "undo" and step.key in self.slow:
            # What nobody has seen done yet, and is then not undone, looks like undone: no reading tells these apart.
            fault = None
        self.struck += fault == "lie"
        if fault == "gone":
            fault = None
            if verb == "do" and thing.goal is GONE:
                # Somebody else was faster, between our reading and our deed.
                thing.value = GONE
        if fault != "lie" and thing.value != value:
            if self.faults.stale:
                shown = self.slow.get(step.key, (thing.value, 0))[0]
                self.slow[step.key] = (shown, self.faults.chance.randint(1, self.faults.stale))
            thing.value = value
        self.told[step.key] = None
        if fault is not None and fault != "lie":
            self._strike(fault.removesuffix("-after"), verb)
        return Answer(f"{verb}: 204")

    def _strike(self, fault, verb):
        self.struck += fault is not None
        match fault:
            case "later":
                raise LaterError(f"{verb}: 429", self.faults.chance.choice([None, 0.5, 3, 100]))
            case "failed":
                raise ConnectorError(f"{verb}: it cannot be reached")
            case "defect":
                raise KeyError(SECRET)


def target(account=KAI, **more):
    return Target(account, START - timedelta(hours=3), START, own_domains=("hinode.example",), **more)


def shown(thing="a rule"):
    return Shown("far", KAI, thing, {"en": "a rule of the owner", "ja": "本人のルール"}, {"en": "old", "ja": "古い"})


def draft(kind, **body):
    return Draft(kind, body)
