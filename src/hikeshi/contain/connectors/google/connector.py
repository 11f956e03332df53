# SPDX-License-Identifier: Apache-2.0
"""The connector: the contract's verbs over the table of operations."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.google import permissions
from hikeshi.contain.connectors.google.calls import GET_USER
from hikeshi.contain.connectors.google.client import Client
from hikeshi.contain.connectors.google.look import look
from hikeshi.contain.connectors.google.operation import NAME, Operation, owner
from hikeshi.contain.connectors.google.operations import OPERATIONS
from hikeshi.contain.connectors.google.token import NoSubjectError
from hikeshi.contain.contract import Answer, ConnectorError, LaterError, Look, Reading, RefusedError, Step, Target

#: a look has some twenty requests and no engine behind it that waits: it waits by itself, so often and at most so long
_TRIES: Final = 5
_LONGEST: Final = 20.0


@dataclass(slots=True, repr=False)
class Google:
    """One Google Workspace."""

    client: Client
    sleep: Callable[[float], None] = time.sleep
    name: str = NAME

    def check(self) -> None:
        """See `permissions.check`."""
        permissions.check(self.client)

    def look(self, target: Target) -> Look:
        """See `look.look`."""
        for turn in range(_TRIES - 1):
            try:
                return look(self.client, target)
            except LaterError as error:
                self.sleep(min(_LONGEST, 2.0**turn if error.seconds is None else error.seconds))
        return look(self.client, target)

    def probe(self, step: Step) -> Reading:
        """Read the object before anything is done."""
        operation = _operation(step)
        with self._closed_mailbox(step):
            state = operation.read(self.client, step, None, _NEVER)
        reached, says = operation.goal(state, None)
        return Reading(reached, state, says)

    def do(self, step: Step, before: Reading, since: datetime) -> Answer:  # noqa: ARG002 - the contract's
        """Do it; each operation is safe to repeat."""
        with self._closed_mailbox(step):
            return Answer(_operation(step).do(self.client, step, dict(before.state)))

    def verify(self, step: Step, before: Reading, since: datetime) -> Reading:
        """Read the object anew. Of a suspended account's mailbox nothing can be read: then the goal cannot be told."""
        operation = _operation(step)
        try:
            state = operation.read(self.client, step, dict(before.state), since)
        except NoSubjectError as error:
            return self._blind(step, error)
        reached, says = operation.goal(state, dict(before.state))
        return Reading(reached, state, says)

    def undo(self, step: Step, before: Reading) -> Answer:
        """Bring back what was read before.

        Raises:
            RefusedError: it cannot be taken back.

        """
        operation = _operation(step)
        if operation.undo is None:
            raise RefusedError(f"{step.operation} cannot be taken back", "the owner sets it up anew")
        with self._closed_mailbox(step):
            return Answer(operation.undo(self.client, step, dict(before.state)))

    def restored(self, step: Step, before: Reading) -> Reading:
        """Read whether what was there before is there again."""
        operation = _operation(step)
        try:
            state = operation.read(self.client, step, None, _NEVER)
        except NoSubjectError as error:
            return self._blind(step, error)
        reached, says = operation.same(dict(before.state), state) if operation.same else (False, "cannot be taken back")
        return Reading(reached, state, says)

    def close(self) -> None:
        """Let go of connections."""
        self.client.close()

    def _blind(self, step: Step, error: NoSubjectError) -> Reading:
        """Say that a suspended account's mailbox cannot be read.

        Raises:
            NoSubjectError: it is not for the suspension.

        """
        if not self._suspended(step):
            raise error
        says = "the account is suspended: its mailbox cannot be read, and nobody can sign in to change it"
        return Reading(None, {"suspended": True}, says)

    @contextmanager
    def _closed_mailbox(self, step: Step) -> Iterator[None]:
        """Say of a suspended account what opens the way again.

        Raises:
            RefusedError: the account is suspended.

        """
        try:
            yield
        except NoSubjectError as error:
            if self._suspended(step):
                raise RefusedError(
                    f"{owner(step)} is suspended, and nobody can stand in for a suspended account",
                    "take the suspension back (its step is called suspend), and run again; it is suspended anew in the end",
                ) from error
            raise

    def _suspended(self, step: Step) -> bool:
        return bool(self.client.call(GET_USER, owner(step)).body.get("suspended"))


#: for readings that need no time of their own
_NEVER: Final = datetime.fromisoformat("1970-01-01T00:00:00+00:00")


def _operation(step: Step) -> Operation:
    try:
        return OPERATIONS[step.operation]
    except KeyError:
        raise ConnectorError(
            f"the connector google knows no operation {step.operation!r}; the plan is of another version, plan again"
        ) from None
