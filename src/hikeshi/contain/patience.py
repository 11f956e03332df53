# SPDX-License-Identifier: Apache-2.0
"""How long to wait, and when to go on: the far side's own seconds, else exponential backoff with jitter."""

import random
import time
from collections.abc import Callable
from datetime import UTC, datetime
from typing import Final, TypeVar

from hikeshi.contain.asked import Trouble, asked
from hikeshi.contain.contract import Connector, Reading

T = TypeVar("T")

#: seconds of the first wait, and of the longest one that we choose ourselves
_FIRST: Final = 0.2
_LONGEST: Final = 15.0


def now() -> datetime:
    """Give the time, aware, UTC."""
    return datetime.now(UTC)


class Patience:
    """How long one step, and a whole run, may wait; both in seconds.

    Half of each wait that the far side does not set is random, so that several runs do not come back at once (after
    "equal jitter" of M. Brooker, Exponential Backoff and Jitter, 2015). Without any patience left, everything is still
    tried once. What is waited counts even where the clock stands still or is set back.
    """

    def __init__(
        self,
        step: float = 60.0,
        run: float = 600.0,
        *,
        clock: Callable[[], datetime] = now,
        sleep: Callable[[float], None] = time.sleep,
        jitter: Callable[[], float] = random.random,
    ) -> None:
        self.clock = clock
        self._sleep, self._jitter = sleep, jitter
        self._run = _Spent(run, clock)
        self._limit = step
        self.next_step()

    def next_step(self) -> None:
        """Begin a step with patience of its own."""
        self._step = _Spent(self._limit, self.clock)
        self._tries = 0

    def wait(self, seconds: float | None = None) -> bool:
        """Wait the far side's `seconds`, else the next backoff; say False, without waiting, where that is too long."""
        if seconds is None or seconds <= 0:
            backoff = min(_FIRST * 2**self._tries, _LONGEST)
            seconds = backoff * (0.5 + 0.5 * self._jitter())
        self._tries = min(self._tries + 1, 16)
        if not (self._step.leaves(seconds) and self._run.leaves(seconds)):
            return False
        self._sleep(seconds)
        self._step.waited += seconds
        self._run.waited += seconds
        return True


class Checks:
    """Whether connectors can be used: each is checked once, before its first step."""

    def __init__(self, patience: Patience) -> None:
        self._patience = patience
        self._found: dict[str, Trouble | None] = {}

    def trouble(self, connector: Connector) -> Trouble | None:
        """Give what keeps the connector from being used, None if nothing does."""
        if connector.name not in self._found:
            self._found[connector.name] = patiently(self._patience, connector.check)
        return self._found[connector.name]


def patiently(patience: Patience, call: Callable[[], T]) -> T | Trouble:
    """Ask until there is an answer, or a trouble that does not pass, or patience is over."""
    while True:
        said = asked(call)
        if not (isinstance(said, Trouble) and said.kind == "later" and patience.wait(said.seconds)):
            return said


def read_until_reached(patience: Patience, call: Callable[[], Reading]) -> Reading | Trouble:
    """Read until the goal stands, since far sides are slow to show what they did; give the last reading or trouble."""
    while True:
        said = asked(call)
        if isinstance(said, Trouble):
            if said.kind != "later" or not patience.wait(said.seconds):
                return said
        elif said.reached or not patience.wait():
            return said


class _Spent:
    """What has gone of one budget of seconds."""

    def __init__(self, limit: float, clock: Callable[[], datetime]) -> None:
        self._limit, self._clock, self._began = limit, clock, clock()
        self.waited = 0.0

    def leaves(self, seconds: float) -> bool:
        passed = max((self._clock() - self._began).total_seconds(), self.waited)
        return passed + seconds <= self._limit
