# SPDX-License-Identifier: Apache-2.0
"""Runs an approved plan: probe, do, verify, each step with receipts; a step that fails stops no other.

What is durable, in this order: what stood before, then that it is about to be done, then the answer, then the reading.
So a run that died at any point goes on: what may have been done is read first, and done again only if it does not stand.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hikeshi.cases.store import Store
from hikeshi.contain.approval import hold_approved
from hikeshi.contain.contract import Connector, Phase, Step
from hikeshi.contain.journal import Progress, State, progress_of
from hikeshi.contain.limits import Limits, forbidden_step, within
from hikeshi.contain.patience import Checks, Patience
from hikeshi.contain.plan import Plan, remember
from hikeshi.contain.receipts import Recorder
from hikeshi.contain.turn import turn
from hikeshi.contain.work import Work

Watch = Callable[[Step, State, str], None]

#: how a step may end of which a later run makes nothing else; the seal that would bar the way to the others waits for them
_FINAL: Final = (State.VERIFIED, State.ALREADY, State.REFUSED)


@dataclass(frozen=True, slots=True)
class Outcome:
    """How far each step of a plan is, by its key, in the plan's order."""

    plan: Plan
    progress: Mapping[str, Progress]

    @property
    def complete(self) -> bool:
        """Whether a reading showed every goal."""
        return all(one.stands for one in self.progress.values())

    def count(self, *states: State) -> int:
        """Count the steps in these states."""
        return sum(one.state in states for one in self.progress.values())


def unwatched(_step: Step, _state: State, _says: str) -> None:
    """Watch a run without looking."""


def run(
    store: Store,
    plan: Plan,
    connectors: Sequence[Connector],
    *,
    case: Path,
    limits: Limits | None = None,
    patience: Patience | None = None,
    watch: Watch = unwatched,
) -> Outcome:
    """Run an approved plan in the case folder `case`, or go on where a run of it ended or died.

    Steps of connectors that are not given stay as they are. `limits` as they are now hold, too.

    Raises:
        NotApprovedError: too few people approved it, so nothing was done.
        LimitsError: it touches more than one run may, so nothing was done.
        CaseError: another run is at work.
        StoreError: nothing can be written down any more, so nothing more was done.

    """
    limits = limits or Limits()
    with turn(case):
        remember(store, plan)
        hold_approved(store, plan, limits.persons)
        within(limits, plan.steps)
        runner = _Run(store, plan, {one.name: one for one in connectors}, limits, patience or Patience(), watch)
        runner.all()
        return Outcome(plan, progress_of(store, plan))


class _Run:
    """One run over a plan."""

    def __init__(
        self,
        store: Store,
        plan: Plan,
        connectors: Mapping[str, Connector],
        limits: Limits,
        patience: Patience,
        watch: Watch,
    ) -> None:
        self._store, self._plan, self._plan_id, self._connectors = store, plan, plan.id, connectors
        self._limits, self._patience, self._watch = limits, patience, watch
        self._checks = Checks(patience)
        self._domains = sorted({domain for target in plan.targets for domain in target.own_domains})

    def all(self) -> None:
        """Give every step its turn, in order of phases."""
        known = progress_of(self._store, self._plan)
        unclean: set[tuple[str, str]] = set()
        for step in self._plan.steps:
            connector = self._connectors.get(step.connector)
            state = known[step.key].state
            if connector is not None:
                self._patience.next_step()
                barred = step.phase == Phase.SEAL and (step.connector, step.account) in unclean
                state = self._one(connector, step, known[step.key], barred=barred)
            if step.phase in (Phase.CLEAN, Phase.PURGE) and state not in _FINAL:
                unclean.add((step.connector, step.account))

    def _one(self, connector: Connector, step: Step, known: Progress, *, barred: bool) -> State:
        """Give one step its turn, and say what became of it."""
        recorder = Recorder(self._store, self._plan_id, step, self._watch)
        work = Work(connector, step, known, recorder, self._patience)
        why_not = forbidden_step(self._limits, step, self._domains)
        if why_not is not None:
            return work.barred(f"not touched: {why_not['en']}")
        if barred and not known.stands:
            return work.end(
                State.WAITING, "waits until this account is clean there, since it would bar the way to that"
            )
        trouble = self._checks.trouble(connector)
        return work.go() if trouble is None else work.troubled(trouble)
