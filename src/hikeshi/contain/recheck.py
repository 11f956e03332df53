# SPDX-License-Identifier: Apache-2.0
"""Reads again what was closed, 15 min, 1 h and 24 h after: changes spread slowly, and intruders come back.

What is due is derived from the ledger, so it is the same whoever asks, and nothing need run meanwhile.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path

from hikeshi.cases.store import Store
from hikeshi.contain.asked import Trouble, asked
from hikeshi.contain.contract import RECHECKS, Connector, Reading, Step
from hikeshi.contain.journal import Progress, State, progress_of
from hikeshi.contain.patience import Checks, Patience
from hikeshi.contain.plan import Plan
from hikeshi.contain.receipts import Recorder
from hikeshi.contain.run import Watch, unwatched
from hikeshi.contain.turn import turn


@dataclass(frozen=True, slots=True)
class Reread:
    """One step read again: what was seen, or what troubles the reading; then it stays due."""

    step: Step
    found: Reading | Trouble
    state: State


@dataclass(frozen=True, slots=True)
class Rechecked:
    """What a recheck found, in the plan's order."""

    read: tuple[Reread, ...]

    @property
    def reopened(self) -> tuple[Reread, ...]:
        """Give the steps whose goal stands no more: somebody is to be told, loudly."""
        return tuple(one for one in self.read if one.state == State.REOPENED)

    @property
    def unread(self) -> tuple[Reread, ...]:
        """Give the steps that could not be read, or whose reading could not tell; they stay due."""
        return tuple(one for one in self.read if isinstance(one.found, Trouble) or one.found.reached is None)


def due(progress: Progress) -> datetime | None:
    """Give when a step is to be read next (aware, UTC), None where it never stood or all its readings are done.

    The readings are at contract.RECHECKS seconds after the goal was first seen; one reading does for all that are past.
    """
    if progress.stands_since is None or progress.read_at is None:
        return None
    if not (progress.stands or progress.state == State.REOPENED):
        return None
    times = (progress.stands_since + timedelta(seconds=seconds) for seconds in RECHECKS)
    return next((time for time in times if time > progress.read_at), None)


def next_due(store: Store, plan: Plan) -> datetime | None:
    """Give when the next reading of any step is due (aware, UTC), None where none is."""
    return min((time for one in progress_of(store, plan).values() if (time := due(one)) is not None), default=None)


def recheck(
    store: Store,
    plan: Plan,
    connectors: Sequence[Connector],
    now: datetime,
    *,
    case: Path,
    only_due: bool = True,
    watch: Watch = unwatched,
) -> Rechecked:
    """Read what stood, where it is due at `now` (aware, UTC), or all of it. Changes nothing at any far side.

    A goal that stands no more makes its step reopened; one that stands again makes it verified. A reading that fails
    or cannot tell changes nothing and stays due.

    Raises:
        CaseError: another run is at work.
        StoreError: what was read cannot be written down.

    """
    by_name = {one.name: one for one in connectors}
    checks = Checks(Patience(0, 0))
    read = []
    plan_id = plan.id
    with turn(case):
        known = progress_of(store, plan)
        for step in plan.steps:
            connector, progress = by_name.get(step.connector), known[step.key]
            if connector is None or not (progress.stands or progress.state == State.REOPENED):
                continue
            if only_due and not ((time := due(progress)) and time <= now):
                continue
            recorder = Recorder(store, plan_id, step, watch)
            read.append(_again(connector, checks, step, progress, recorder, now))
    return Rechecked(tuple(read))


def _again(
    connector: Connector, checks: Checks, step: Step, known: Progress, recorder: Recorder, now: datetime
) -> Reread:
    before, since = known.before, known.since
    if before is None or since is None:
        raise ValueError(f"{step.key} stands without ever having been read")
    trouble = checks.trouble(connector)
    found = asked(partial(connector.verify, step, before, since)) if trouble is None else trouble
    if isinstance(found, Trouble):
        recorder.watch(step, known.state, f"could not be read again: {found.says}")
        return Reread(step, found, known.state)
    receipt = recorder.read("recheck", found, now, now)
    state = known.state
    if found.reached is not None and found.reached != known.stands:
        state = State.VERIFIED if found.reached else State.REOPENED
        recorder.settle(state, found.says, known.attempt, receipt)
    else:
        recorder.note(receipt)
        recorder.watch(step, state, found.says)
    return Reread(step, found, state)
