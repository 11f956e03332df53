# SPDX-License-Identifier: Apache-2.0
"""What a run writes into the ledger: who, when, to what, what stood before, what was asked and answered, what stands now."""

import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hikeshi.cases.store import Draft, Store
from hikeshi.cases.store.canonical import DraftError
from hikeshi.contain.asked import Trouble, shortened
from hikeshi.contain.contract import Answer, Reading, Step
from hikeshi.contain.journal import State


@dataclass(frozen=True, slots=True)
class Recorder:
    """Writes what becomes of one step of a plan, each call durable when it returns. Tells `watch`, too."""

    store: Store
    plan_id: str
    step: Step
    watch: Callable[[Step, State, str], None]

    def settle(self, state: State, says: str, attempt: int, *receipts: Draft) -> None:
        """Write the receipts and the state that they lead to, all or none.

        A reading that cannot be written, because something in it looks like a secret, is left out and that is said: what
        was done at a far side must not go unrecorded.
        """
        action = self._action(state, shortened(says), attempt)
        try:
            self.store.append(*receipts, action)
        except DraftError as error:
            self.store.append(*(_without_state(one, str(error)) for one in receipts), action)
        self.watch(self.step, state, says)

    def begin(self, probe: Draft, attempt: int) -> None:
        """Write what stands before, and that it is about to be done. Raises DraftError, so that nothing is done then."""
        self.store.append(probe, self._action(State.BEGUN, "", attempt))
        self.watch(self.step, State.BEGUN, "")

    def note(self, receipt: Draft) -> None:
        """Write a receipt that changes no state."""
        try:
            self.store.append(receipt)
        except DraftError as error:
            self.store.append(_without_state(receipt, str(error)))

    def read(self, verb: str, reading: Reading, began: datetime, ended: datetime) -> Draft:
        """Make a receipt of a reading: `probe`, before anything is done, or `verify`, `recheck`, `restored`."""
        found = {"reached": reading.reached, "state": dict(reading.state), "says": shortened(reading.says)}
        which = "before" if verb == "probe" else "after"
        return self._receipt(verb, began, ended, **{which: found}, reached=reading.reached)

    def did(
        self, verb: str, said: Answer | Trouble | None, began: datetime, ended: datetime, *, uncertain: bool = False
    ) -> Draft:
        """Make a receipt of a deed: `do` or `undo`, and what the far side answered or what went wrong.

        `uncertain` is whether it may have been done before this already.
        """
        raised = said.kind if isinstance(said, Trouble) else None
        answer = None if said is None else shortened(said.says)
        return self._receipt(verb, began, ended, answer=answer, raised=raised, uncertain=uncertain)

    def _action(self, state: State, says: str, attempt: int) -> Draft:
        step = self.step
        return Draft(
            "action",
            {
                "plan": self.plan_id,
                "action": step.key,
                "state": state.value,
                "attempt": attempt,
                "connector": step.connector,
                "operation": step.operation,
                "phase": int(step.phase),
                "account": step.account,
                "object": step.object,
                "says": says,
            },
        )

    def _receipt(self, verb: str, began: datetime, ended: datetime, **said: Any) -> Draft:
        step = self.step
        body: dict[str, Any] = {
            "plan": self.plan_id,
            "action": step.key,
            "verb": verb,
            "target": {"account": step.account, "object": step.object},
            "request_sha256": hashlib.sha256(step.request.encode("utf-8", "surrogatepass")).hexdigest(),
            "undo": None if step.undo is None else dict(step.undo),
            "began": began.isoformat(),
            "ended": ended.isoformat(),
            "before": None,
            "after": None,
            "answer": None,
            "reached": None,
            "raised": None,
            "uncertain": False,
        }
        return Draft("receipt", body | said)


def _without_state(draft: Draft, why: str) -> Draft:
    body = dict(draft.body)
    for key in ("before", "after"):
        if body.get(key) is not None:
            body[key] = {"reached": body["reached"], "state": {}, "says": f"what was read is not written down: {why}"}
    if body.get("answer") is not None:
        body["answer"] = str(body["answer"])
    return Draft(draft.kind, body, draft.who)
