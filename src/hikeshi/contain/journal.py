# SPDX-License-Identifier: Apache-2.0
"""What the ledger says of a plan's steps: the one place where entries become states. Pure, so a crash forgets nothing."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Any

from hikeshi.cases.store import Entry, Store
from hikeshi.contain.contract import Reading
from hikeshi.contain.plan import Plan


class State(StrEnum):
    """How far a step is."""

    #: nothing was done or read yet
    PLANNED = "planned"
    #: the object was read and it is about to be done, or was done by a run that died
    BEGUN = "begun"
    #: the far side says done; nobody has looked yet
    DONE = "done-unverified"
    #: a reading afterwards showed the goal
    VERIFIED = "verified"
    #: a reading before showed the goal, so nothing was done and nothing is undone later
    ALREADY = "already"
    #: not now: throttled, out of order, or to be done after another step; the next run goes on
    WAITING = "waiting"
    #: the far side will not do it as it stands
    REFUSED = "refused"
    #: the far side or the connector cannot be used
    FAILED = "failed"
    #: it was done, and readings do not show it
    NOT_VERIFIED = "not-verified"
    #: it stood, and a later reading shows that it stands no more
    REOPENED = "reopened"
    #: it is being taken back, or was by a run that died
    UNDOING = "undoing"
    #: a reading showed that what was before stands again
    UNDONE = "undone"
    #: it was to be taken back, and readings do not show it
    UNDO_FAILED = "undo-failed"


@dataclass(frozen=True, slots=True)
class Progress:
    """How far one step is. Times are aware, UTC.

    `before` and `since` are those of the first probe after which something was done, kept whatever happens. `touched` is
    whether we may have changed the object, `answered` whether the far side said so. `after` is the last reading.
    `stands_since` is when a reading first showed the goal, `read_at` when a reading last could tell.
    """

    state: State = State.PLANNED
    says: str = ""
    attempt: int = 0
    touched: bool = False
    answered: bool = False
    since: datetime | None = None
    before: Reading | None = None
    after: Reading | None = None
    stands_since: datetime | None = None
    read_at: datetime | None = None

    @property
    def stands(self) -> bool:
        """Whether the last reading that could tell showed the goal."""
        return self.state in (State.VERIFIED, State.ALREADY)


def journal(plan: Plan, entries: Iterable[Entry]) -> dict[str, Progress]:
    """Give each step's progress by its key, in the plan's order, from the case's entries in theirs."""
    found, plan_id = {step.key: Progress() for step in plan.steps}, plan.id
    for entry in entries:
        body = entry.body
        if entry.kind not in _FOLD or body["plan"] != plan_id or body["action"] not in found:
            continue
        found[body["action"]] = _FOLD[entry.kind](found[body["action"]], body)
    return found


def progress_of(store: Store, plan: Plan) -> dict[str, Progress]:
    """Give each step's progress as the case's store knows it."""
    return journal(plan, store.entries(*_FOLD))


def reading_of(body: Mapping[str, Any] | None) -> Reading | None:
    """Give the reading that a receipt holds."""
    return None if body is None else Reading(body["reached"], body["state"], body["says"])


def _action(known: Progress, body: Mapping[str, Any]) -> Progress:
    state = State(body["state"])
    now = replace(known, state=state, says=body["says"] or "", attempt=body["attempt"])
    match state:
        case State.BEGUN:
            # From here on it may have been done, whatever becomes of this run.
            return replace(now, touched=True, answered=False)
        case State.VERIFIED | State.ALREADY if not known.stands:
            # It stands and did not before, so it was us, even if the far side said that it would not do it.
            ours = known.touched or known.state == State.BEGUN
            return replace(now, stands_since=known.read_at, touched=ours)
        case State.UNDONE:
            return replace(now, touched=False, answered=False, stands_since=None)
        case _:
            return now


def _receipt(known: Progress, body: Mapping[str, Any]) -> Progress:
    ended = datetime.fromisoformat(body["ended"])
    match body["verb"]:
        case "probe" if not known.touched:
            before = reading_of(body["before"])
            return replace(known, before=before, after=before, since=ended, read_at=ended)
        case "do" if body["raised"] is None:
            return replace(known, answered=True)
        case "do" if body["raised"] == "refused" and not body["uncertain"]:
            # It says that it did not, and it was not asked before.
            return replace(known, touched=False)
        case "verify" | "recheck" if body["after"] is not None:
            told = known.read_at if body["reached"] is None else ended
            return replace(known, after=reading_of(body["after"]), read_at=told)
        case "restored" if body["after"] is not None:
            return replace(known, after=reading_of(body["after"]))
        case _:
            return known


_FOLD = {"action": _action, "receipt": _receipt}
