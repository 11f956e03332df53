# SPDX-License-Identifier: Apache-2.0
"""Takes back what was done, in reverse order, and reads whether what stood before stands again.

Only what we did: a goal that stood before us is nobody's to take back. A decision with name and reason comes first.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Final

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Store
from hikeshi.contain.approval import take_back
from hikeshi.contain.asked import Trouble, asked
from hikeshi.contain.contract import Connector, Reading, Step, Words
from hikeshi.contain.journal import Progress, State, progress_of
from hikeshi.contain.patience import Checks, Patience, patiently, read_until_reached
from hikeshi.contain.plan import Plan
from hikeshi.contain.receipts import Recorder
from hikeshi.contain.run import Outcome, Watch, unwatched
from hikeshi.contain.turn import turn

_NEVER: Final[Words] = {"en": "cannot be taken back", "ja": "元に戻せません"}
_ALREADY: Final[Words] = {"en": "stood before us, so it stays", "ja": "対応前からこの状態だったため、そのままにします"}
_NOTHING: Final[Words] = {"en": "nothing was done", "ja": "何も実行していません"}
_UNDONE: Final[Words] = {"en": "is taken back already", "ja": "すでに元に戻しています"}
_NOBODY: Final[Words] = {"en": "its connector is not in use here", "ja": "このコネクターは使われていません"}


@dataclass(frozen=True, slots=True)
class Undone(Outcome):
    """How far each step is, and those that were left alone: key → why."""

    left: Mapping[str, Words]

    @property
    def complete(self) -> bool:
        """Whether a reading showed, for all that we did and that can be taken back, that what was before stands again."""
        return not self.count(State.UNDOING, State.UNDO_FAILED) and _NOBODY not in self.left.values()


def undo(
    store: Store,
    plan: Plan,
    connectors: Sequence[Connector],
    keys: Collection[str] | None = None,
    *,
    who: str,
    why: str,
    case: Path,
    patience: Patience | None = None,
    watch: Watch = unwatched,
) -> Undone:
    """Take back the plan's steps, all or those of `keys`, or go on where an undo ended or died.

    Running the plan again afterwards takes a new approval.

    Raises:
        UsageError: nobody or no reason is given, or a key is none of the plan's.
        CaseError: another run is at work.
        StoreError: nothing can be written down any more, so nothing more was done.

    """
    if strange := set(keys or ()) - {step.key for step in plan.steps}:
        raise UsageError(f"plan {plan.id} has no step {', '.join(sorted(strange))}; its steps are listed with the plan")
    by_name = {one.name: one for one in connectors}
    patience = patience or Patience()
    checks = Checks(patience)
    with turn(case):
        take_back(store, plan, who=who, why=why)
        known = progress_of(store, plan)
        left: dict[str, Words] = {}
        plan_id = plan.id
        for step in reversed(plan.steps):
            if keys is not None and step.key not in keys:
                continue
            connector = by_name.get(step.connector)
            why_not = _why_not(step, known[step.key])
            if why_not is not None or connector is None:
                left[step.key] = why_not or _NOBODY
                continue
            patience.next_step()
            recorder = Recorder(store, plan_id, step, watch)
            _Back(connector, step, known[step.key], recorder, patience).go(checks)
        return Undone(plan, progress_of(store, plan), left)


def _why_not(step: Step, known: Progress) -> Words | None:
    """Say why a step is not taken back, None if it is."""
    if known.state == State.UNDONE:
        return _UNDONE
    if not known.touched:
        return _ALREADY if known.stands else _NOTHING
    return _NEVER if step.undo is None else None


@dataclass(slots=True)
class _Back:
    """A step that is taken back."""

    connector: Connector
    step: Step
    known: Progress
    recorder: Recorder
    patience: Patience

    def go(self, checks: Checks) -> None:
        """Undo, then read, until the reading shows it or patience is over.

        A reading before the undo says whether an undo that died has done it already. It is believed only where the
        deed itself was once seen: else what looks like before may be a deed that is slow to show. (A far side that still
        hides such a deed and then says yes to an undo that it does not do can be told from an honest one by nobody.)
        """
        before = self.known.before
        if before is None:
            raise ValueError(f"{self.step.key} was touched without ever having been read")
        begun_before = self.known.state in (State.UNDOING, State.UNDO_FAILED)
        if not begun_before:
            self.recorder.settle(State.UNDOING, "", self.known.attempt)
        trouble = checks.trouble(self.connector)
        if trouble is not None:
            self._end(trouble)
            return
        believed = self.known.stands_since is not None
        if not (begun_before and believed and _stands(self._restored(before, patient=False))):
            self._undo(before, believed=believed)

    def _undo(self, before: Reading, *, believed: bool) -> None:
        while True:
            began = self.patience.clock()
            said = asked(partial(self.connector.undo, self.step, before))
            self.recorder.note(self.recorder.did("undo", said, began, self.patience.clock()))
            if not isinstance(said, Trouble):
                found = self._restored(before, patient=True)
                if not _stands(found):
                    self._end(found)
                return
            again = said.kind == "later" and self.patience.wait(said.seconds)
            if believed and _stands(self._restored(before, patient=False)):
                return
            if not again:
                self._end(said)
                return

    def _restored(self, before: Reading, *, patient: bool) -> Reading | Trouble:
        """Read whether what was before stands again; if so, that is the end, and written down."""
        began = self.patience.clock()
        call = partial(self.connector.restored, self.step, before)
        found = read_until_reached(self.patience, call) if patient else patiently(self.patience, call)
        if isinstance(found, Reading):
            receipt = self.recorder.read("restored", found, began, self.patience.clock())
            if found.reached:
                self.recorder.settle(State.UNDONE, found.says, self.known.attempt, receipt)
            else:
                self.recorder.note(receipt)
        return found

    def _end(self, found: Reading | Trouble) -> None:
        """Write down that it is not taken back: later goes on another time, everything else has failed."""
        later = isinstance(found, Trouble) and found.kind == "later"
        self.recorder.settle(State.UNDOING if later else State.UNDO_FAILED, found.says, self.known.attempt)


def _stands(found: Reading | Trouble) -> bool:
    return isinstance(found, Reading) and found.reached is True
