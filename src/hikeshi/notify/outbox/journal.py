# SPDX-License-Identifier: Apache-2.0
"""Writes the steps of letters while they are sent: what is about to leave before it leaves, what became of it after.

The steps of several letters that come together are written together: as many wait for one disk as there are connections.
"""

import asyncio
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Connection, select

from hikeshi.cases.store import Store, schema
from hikeshi.cases.store.entry import written
from hikeshi.notify.outbox import changes
from hikeshi.notify.outbox.book import paused
from hikeshi.notify.outbox.changes import Change
from hikeshi.notify.outbox.turns import FREE, Backoff, Outcome


@dataclass(frozen=True, slots=True)
class _Step:
    """An attempt, where there is no outcome yet, or an outcome; `written` tells whether it was written."""

    id: str
    outcome: Outcome | None
    written: "asyncio.Future[bool]"


@dataclass(slots=True)
class Journal:
    """Writes steps of letters that `holder` has in hand. `run` is to be a task; the loop's thread alone calls the rest."""

    store: Store
    holder: str
    seconds: float
    backoff: Backoff
    now: Callable[[], datetime]
    _steps: list[_Step] = field(default_factory=list)
    _more: asyncio.Event = field(default_factory=asyncio.Event)
    _closing: bool = False
    _failed: BaseException | None = None

    async def attempt(self, letter_id: str) -> bool:
        """Write that a letter is about to leave; False where it may not, since it is not in our hands, or all is paused.

        Raises:
            StoreError: it could not be written, so nothing may leave.

        """
        return await self._add(letter_id, None)

    def outcome(self, letter_id: str, outcome: Outcome) -> "asyncio.Future[bool]":
        """Write what became of an attempt, before any later step; nobody need wait for it."""
        return self._add(letter_id, outcome)

    def _add(self, letter_id: str, outcome: Outcome | None) -> "asyncio.Future[bool]":
        future: asyncio.Future[bool] = asyncio.get_running_loop().create_future()
        if self._failed is not None:
            future.set_exception(self._failed)
            future.exception()  # looked at: not everybody waits for it
        else:
            self._steps.append(_Step(letter_id, outcome, future))
            self._more.set()
        return future

    async def run(self) -> None:
        """Write what comes, until `close`. Raises StoreError, after which nothing is written any more."""
        while not self._closing or self._steps:
            await self._more.wait()
            self._more.clear()
            while self._steps:
                await self._flush()

    def close(self) -> None:
        """Let `run` end when it has written what came so far."""
        self._closing = True
        self._more.set()

    async def _flush(self) -> None:
        steps, self._steps = self._steps, []
        try:
            said = await asyncio.to_thread(self._write, steps)
        except BaseException as error:
            # Whatever it is: nobody must wait for ever, and nothing leaves unwritten.
            self._failed = error
            for step in (*steps, *self._steps):
                if not step.written.done():
                    step.written.set_exception(error)
                    step.written.exception()  # as above
            raise
        for step, done in zip(steps, said, strict=True):
            if not step.written.done():
                step.written.set_result(done)

    def _write(self, steps: Sequence[_Step]) -> list[bool]:
        said: list[bool] = []

        def make(connection: Connection, _: int) -> list[Change]:
            of, now = schema.letters.c, self.now()
            asked = select(of.id, of.state, of.holder, of.attempts).where(
                of.case_id == self.store.case_id, of.id.in_([step.id for step in steps])
            )
            rows = {row.id: row for row in connection.execute(asked)}
            halted = paused(connection, self.store.case_id)
            found = []
            for step in steps:
                row = rows[step.id]
                columns = self._columns(step, row, now, halted=halted)
                said.append(columns is not None)
                if columns is not None:
                    found.append(Change(step.id, columns))
            return found

        changes.write(self.store, "sent", make)
        return said

    def _columns(self, step: _Step, row: Any, now: datetime, *, halted: bool) -> dict[str, Any] | None:
        """Give what a step sets, None where the letter is not in our hands."""
        mine = row.holder == self.holder
        if step.outcome is None:
            if halted or not mine or row.state != "leased":
                return None
            until = written(now + timedelta(seconds=self.seconds))
            return {"state": "attempted", "attempts": row.attempts + 1, "attempted_at": written(now), "until": until}
        says = changes.words(step.outcome.says)
        if step.outcome.kind == "accepted":
            # Whatever somebody has decided meanwhile: the relay has it.
            return {"state": "accepted", "accepted_at": written(now), "says": says, "due": None, **FREE}
        if not mine or row.state != "attempted":
            return None
        if step.outcome.kind == "open":
            return {"says": says, "holder": None, "until": written(now)}
        due = None if step.outcome.kind == "refused" else self.backoff.due(row.attempts, now)
        state = "approved" if due else "refused" if step.outcome.kind == "refused" else "given_up"
        return {"state": state, "says": says, "due": written(due) if due else None, **FREE}
