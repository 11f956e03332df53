# SPDX-License-Identifier: Apache-2.0
"""Schedules of faults and crashes: nothing lost, nothing done twice that must not be, nothing claimed falsely.

The loop stands for the engine: it keeps what was read before and when a step was begun, dies anywhere, and goes on.
"""

import random
from collections import Counter
from dataclasses import dataclass, field
from datetime import datetime

import pytest
from m365_stage import LURE, Stage

from hikeshi.contain.connectors.m365 import M365
from hikeshi.contain.connectors.m365.options import options
from hikeshi.contain.connectors.m365.rules import content
from hikeshi.contain.contract import LaterError, Reading, RefusedError
from hikeshi.testing.graph import Fault, bearer, serve

OPERATIONS = ["disable", "password", "sessions", "rule", "grant", "app-role", "method", "copy"]
ANYWHERE = ["throttled", "throttled", "unavailable", "drop-before", "drop-after"]
OF_WRITES = ["lies", "late", "vanishes", "fails-after"]
TRIES = 80


class CrashError(Exception):
    """kill -9, as far as Python can play it."""


@dataclass
class Journal:
    """What outlives a crash."""

    before: dict[str, Reading] = field(default_factory=dict)
    since: dict[str, datetime] = field(default_factory=dict)
    reached: set[str] = field(default_factory=set)
    restored: set[str] = field(default_factory=set)
    refused: set[str] = field(default_factory=set)


class Given:
    """A token without msal, which reads the private key anew each time: 45 ms. Over real connections it is in the loop."""

    def __init__(self, tenant):
        self.tenant = tenant

    def get(self):
        return bearer(self.tenant)

    def forget(self):
        pass


def in_process(stage):
    connector = stage.connector(operations=OPERATIONS)
    connector._graph.tokens = Given(stage.tenant)
    return connector


class Loop:
    """One schedule: its dice, its tenant, its journal."""

    def __init__(self, seed, connect=None):
        self.dice = random.Random(seed)
        self.stage = Stage()
        self.journal = Journal()
        self.connect = connect or in_process
        self.connector = None
        self.met = 0
        self.crashes = self.dice.choice([0, 0, 1, 3])
        self.first = {key: dict(rule) for key, rule in self.stage.exchange.rules[self.stage.anna].items()}

    def faults(self, kinds, most):
        made = [
            Fault(self.dice.choice(kinds), seconds=self.dice.choice([0, 1, 30]), reads=self.dice.randrange(1, 4))
            for _ in range(self.dice.randrange(most))
        ]
        self.met += len(made)
        return made

    def die_perhaps(self):
        if self.crashes and self.dice.random() < 0.05:
            self.crashes -= 1
            raise CrashError

    def living(self, work):
        """Do some work to its end, over every crash."""
        while True:
            try:
                self.connector = self.connect(self.stage)
                return work()
            except CrashError:
                continue
            finally:
                self.connector.close()

    def patient(self, ask):
        """Ask until there is an answer."""
        for _ in range(TRIES):
            try:
                return ask()
            except LaterError as error:
                self.stage.clock.sleep(1 if error.seconds is None else error.seconds)
        raise AssertionError("never an answer")

    def close_all(self, steps):
        for step in steps:
            if step.key in self.journal.reached:
                continue
            if step.key not in self.journal.before:
                self.journal.before[step.key] = self.patient(lambda step=step: self.connector.probe(step))
                self.journal.since[step.key] = self.stage.clock()
                self.stage.clock.sleep(3)
            self.do_until_it_stands(step)

    def do_until_it_stands(self, step):
        before, since = self.journal.before[step.key], self.journal.since[step.key]
        for _ in range(TRIES):
            self.die_perhaps()
            try:
                self.connector.do(step, before, since)
            except LaterError as error:
                self.stage.clock.sleep(1 if error.seconds is None else error.seconds)
            self.die_perhaps()
            if self.patient(lambda: self.connector.verify(step, before, since)).reached:
                self.holds(step)
                self.journal.reached.add(step.key)
                return
            self.stage.clock.sleep(1)
        raise AssertionError(f"never reached: {step.key}")

    def undo_all(self, steps):
        for step in steps:
            if step.undo is None or {step.key} & (self.journal.restored | self.journal.refused):
                continue
            self.undo_until_it_stands(step)

    def undo_until_it_stands(self, step):
        before = self.journal.before[step.key]
        for _ in range(TRIES):
            self.die_perhaps()
            try:
                self.connector.undo(step, before)
            except LaterError as error:
                self.stage.clock.sleep(1 if error.seconds is None else error.seconds)
            except RefusedError:
                assert step.operation == "copy"
                assert self.lost(step)
                self.journal.refused.add(step.key)
                return
            self.die_perhaps()
            if self.patient(lambda: self.connector.restored(step, before)).reached:
                self.stands_again(step)
                self.journal.restored.add(step.key)
                return
            self.stage.clock.sleep(1)
        raise AssertionError(f"never restored: {step.key}")

    def lost(self, step):
        """Whether somebody else has taken away a copy that was there before."""
        mails = self.stage.exchange.messages[step.detail["user"]]
        return not {copy["id"] for copy in self.journal.before[step.key].state["copies"]} <= set(mails)

    def holds(self, step):
        """Hold a claim of "reached" against the truth of the tenant."""
        stage, since = self.stage, self.journal.since[step.key]
        user = stage.directory.users[stage.anna]
        began = since.strftime("%Y-%m-%dT%H:%M:%SZ")
        truth = {
            "disable": lambda: user["accountEnabled"] is False,
            "password": lambda: user["lastPasswordChangeDateTime"] > began,
            "sessions": lambda: user["signInSessionsValidFromDateTime"] > began,
            "rule": lambda: step.object not in stage.exchange.rules[stage.anna],
            "grant": lambda: step.object not in stage.directory.grants,
            "app-role": lambda: step.object not in stage.directory.assignments,
            "method": lambda: step.object not in stage.directory.methods[stage.anna],
            "copy": lambda: self.seen_copies(step) == [],
        }
        assert truth[step.operation](), f"claimed, not true: {step.key}"

    def seen_copies(self, step):
        user = step.detail["user"]
        hidden = self.stage.exchange.named[user]["recoverableitemsdeletions"]
        mails = self.stage.exchange.messages[user].values()
        return [one for one in mails if one["internetMessageId"] == f"<{LURE}>" and one["parentFolderId"] != hidden]

    def stands_again(self, step):
        """Hold a claim of "restored" against the truth of the tenant: there again, and once."""
        stage, before = self.stage, self.journal.before[step.key].state
        rules = stage.exchange.rules[stage.anna].values()
        if step.operation == "disable":
            assert stage.directory.users[stage.anna]["accountEnabled"] is before["accountEnabled"]
        elif step.operation == "rule" and before["rule"]:
            assert [content(rule) for rule in rules].count(content(before["rule"])) == 1
        elif step.operation == "grant":
            grants = Counter((one["clientId"], one["scope"]) for one in stage.directory.grants.values())
            assert all(grants[(one["clientId"], one["scope"])] == 1 for one in before["grants"])
        elif step.operation == "app-role":
            roles = Counter((one["principalId"], one["resourceId"]) for one in stage.directory.assignments.values())
            assert all(roles[(one["principalId"], one["resourceId"])] == 1 for one in before["roles"])
        elif step.operation == "copy":
            places = {one["id"]: one["parentFolderId"] for one in self.seen_copies(step)}
            assert places == {one["id"]: one["parentFolderId"] for one in before["copies"]}

    def untouched(self):
        """Hold that nothing else was touched at any time."""
        stage = self.stage
        assert stage.exchange.rules[stage.anna][stage.honest] == self.first[stage.honest]
        assert {stage.old_grant, stage.everyone} <= set(stage.directory.grants)
        assert stage.old_role in stage.directory.assignments
        assert {stage.old_key, stage.undated} <= set(stage.directory.methods[stage.anna])
        assert stage.folder_of(stage.ben, stage.other_mail) == "inbox"
        assert {user for user, _ in stage.tenant.passwords_set} <= {stage.anna}

    def run(self):
        """Run the schedule; give how many faults were met."""
        tenant = self.stage.tenant
        tenant.faults.extend(self.faults([*ANYWHERE, "partial"], 6))
        look = self.living(lambda: self.patient(lambda: self.connector.look(self.stage.target)))
        self.met -= len(tenant.faults)
        tenant.faults.clear()
        steps = list(look.steps)
        self.dice.shuffle(steps)  # any step may be the one that meets the faults
        assert Counter(step.operation for step in steps) == Counter(
            {"disable": 1, "password": 1, "sessions": 1, "rule": 2, "grant": 1, "app-role": 1, "method": 2, "copy": 2}
        )
        tenant.faults.extend(self.faults([*ANYWHERE, *OF_WRITES], 30))
        self.living(lambda: self.close_all(steps))
        assert self.journal.reached == {step.key for step in steps}
        self.untouched()
        tenant.faults.extend(self.faults([*ANYWHERE, *OF_WRITES], 20))
        self.living(lambda: self.undo_all(steps))
        self.met -= len(tenant.faults)
        assert self.journal.restored | self.journal.refused == {step.key for step in steps if step.undo}
        self.untouched()
        return self.met


@pytest.mark.parametrize("part", range(5))
def test_schedules_of_faults_end_in_the_truth(part):
    """Fifty seeds each, with more than a thousand faults in all; the first thousand seeds: run this file."""
    assert sum(Loop(seed).run() for seed in range(part * 50, part * 50 + 50)) > 250


def test_schedules_hold_over_real_connections_too():
    """The same loop over TLS, where a broken connection is a broken connection."""
    for seed in range(4):
        loop = Loop(seed)
        with serve(loop.stage.tenant) as served:
            settings = loop.stage.settings(served.url, ca_file=served.ca_file, operations=OPERATIONS)
            loop.connect = lambda _, settings=settings: M365(options(settings))
            loop.run()


if __name__ == "__main__":
    print(f"1000 schedules, {sum(Loop(seed).run() for seed in range(1000))} faults met")  # noqa: T201 - a figure to read
