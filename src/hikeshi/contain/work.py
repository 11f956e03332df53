# SPDX-License-Identifier: Apache-2.0
"""One step of a run, from where it is to where it can be brought: probe, do, verify."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Final

from hikeshi.cases.store.canonical import DraftError
from hikeshi.contain.asked import Trouble, asked
from hikeshi.contain.contract import Answer, Connector, Reading, Step
from hikeshi.contain.journal import Progress, State
from hikeshi.contain.patience import Patience, patiently, read_until_reached
from hikeshi.contain.receipts import Recorder

#: what a trouble makes of a step
_BECOMES: Final[Mapping[str, State]] = {
    "later": State.WAITING,
    "refused": State.REFUSED,
    "failed": State.FAILED,
}
#: states in which a far side that said yes may only be slow to show it, so that it gets time before it is asked again
_SLOW: Final = (State.DONE, State.WAITING, State.FAILED, State.NOT_VERIFIED)


@dataclass(slots=True)
class Work:
    """A step at work. Each method ends with the step's state written down, and gives it."""

    connector: Connector
    step: Step
    known: Progress
    recorder: Recorder
    patience: Patience

    def go(self) -> State:
        """Bring the step as far as it goes.

        1. What we have not touched is read first: where the goal stands already, nothing is done, now or later.
        2. What we may have touched in a run before is read first, too, and done again only if the goal does not stand.
        3. Only a reading after the deed makes it verified.
        """
        if self.known.touched and self.known.before is not None and self.known.since is not None:
            return self._again(self.known.before, self.known.since)
        return self._first()

    def end(self, state: State, says: str) -> State:
        """Write down that this is how far it goes."""
        self.recorder.settle(state, says, self.known.attempt)
        return state

    def barred(self, says: str) -> State:
        """Do nothing, since the limits forbid it now; what was done before they did keeps its state."""
        if self.known.touched or self.known.stands:
            self.recorder.watch(self.step, self.known.state, says)
            return self.known.state
        return self.end(State.REFUSED, says)

    def troubled(self, trouble: Trouble) -> State:
        """Write down what keeps the step from going on; what stood at its last reading keeps its state."""
        if self.known.stands:
            self.recorder.watch(self.step, self.known.state, f"could not be read again: {trouble.says}")
            return self.known.state
        return self.end(_BECOMES[trouble.kind], trouble.says)

    def _first(self) -> State:
        began = self._now()
        reading = patiently(self.patience, partial(self.connector.probe, self.step))
        ended = self._now()
        if isinstance(reading, Trouble):
            return self.troubled(reading)
        receipt = self.recorder.read("probe", reading, began, ended)
        if reading.reached:
            self.recorder.settle(State.ALREADY, reading.says, self.known.attempt, receipt)
            return State.ALREADY
        try:
            self.recorder.begin(receipt, self.known.attempt + 1)
        except DraftError as error:
            return self.end(State.FAILED, f"nothing was done, since what stands before cannot be written down: {error}")
        return self._do(reading, ended, self.known.attempt + 1, uncertain=False)

    def _again(self, before: Reading, since: datetime) -> State:
        """Look at what a run before this one may have done."""
        slow = self.known.answered and self.known.state in _SLOW
        began = self._now()
        verify = partial(self.connector.verify, self.step, before, since)
        reading = read_until_reached(self.patience, verify) if slow else patiently(self.patience, verify)
        if isinstance(reading, Trouble):
            return self.troubled(reading)
        receipt = self.recorder.read("verify", reading, began, self._now())
        if reading.reached:
            self.recorder.settle(State.VERIFIED, reading.says, self.known.attempt, receipt)
            return State.VERIFIED
        if self.known.stands and reading.reached is None:
            self.recorder.note(receipt)
            self.recorder.watch(self.step, self.known.state, f"could not be read again: {reading.says}")
            return self.known.state
        if self.known.stands:
            self.recorder.settle(State.REOPENED, reading.says, self.known.attempt, receipt)
        else:
            self.recorder.note(receipt)
        self.patience.next_step()
        attempt = self.known.attempt + 1
        self.recorder.settle(State.BEGUN, "once more", attempt)
        return self._do(before, since, attempt, uncertain=True)

    def _do(self, before: Reading, since: datetime, attempt: int, *, uncertain: bool) -> State:
        """Do it, and believe nothing but a reading of it.

        "Later" leaves open whether it was done, so it is read before it is done once more. `uncertain` is whether it may
        have been done already.
        """
        verify = partial(self.connector.verify, self.step, before, since)
        while True:
            began = self._now()
            said = asked(partial(self.connector.do, self.step, before, since))
            receipt = self.recorder.did("do", said, began, self._now(), uncertain=uncertain)
            if not isinstance(said, Trouble):
                self.recorder.settle(State.DONE, said.says, attempt, receipt)
                began = self._now()
                return self._verified(read_until_reached(self.patience, verify), attempt, began, said)
            self.recorder.note(receipt)
            again = said.kind == "later" and self.patience.wait(said.seconds)
            began = self._now()
            reading = patiently(self.patience, verify) if again else asked(verify)
            if isinstance(reading, Reading) and reading.reached:
                self._settle(State.VERIFIED, reading, attempt, began)
                return State.VERIFIED
            if not again or isinstance(reading, Trouble):
                self.recorder.settle(_BECOMES[said.kind], said.says, attempt)
                return _BECOMES[said.kind]
            uncertain = True

    def _verified(self, reading: Reading | Trouble, attempt: int, began: datetime, said: Answer) -> State:
        if isinstance(reading, Trouble):
            state = _BECOMES[reading.kind]
            self.recorder.settle(state, f"it answered: {said.says}; but it could not be read: {reading.says}", attempt)
            return state
        state = State.VERIFIED if reading.reached else State.NOT_VERIFIED
        self._settle(state, reading, attempt, began)
        return state

    def _settle(self, state: State, reading: Reading, attempt: int, began: datetime) -> None:
        receipt = self.recorder.read("verify", reading, began, self._now())
        self.recorder.settle(state, reading.says, attempt, receipt)

    def _now(self) -> datetime:
        return self.patience.clock()
