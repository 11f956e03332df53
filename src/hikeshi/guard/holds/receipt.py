# SPDX-License-Identifier: Apache-2.0
"""Letting held mails go, and throwing them away, each act with its receipt in the case folder.

The queue is listed before, only what is still the mail that was held is touched, by id and never all at once, and the
queue is listed again afterwards.
"""

import os
import socket
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from enum import Enum
from hashlib import sha256
from pathlib import Path
from typing import Any, Final

from hikeshi import mailqueue
from hikeshi.basics.errors import UsageError
from hikeshi.basics.who import whoever_types
from hikeshi.cases.folder import CaseFolder
from hikeshi.guard.holds import queue
from hikeshi.guard.state.store import Hold
from hikeshi.mailqueue import HOLD, Done, Queued, QueueError

SCHEMA: Final = "hikeshi.receipt/1"
FOLDER: Final = "receipts"


class Outcome(Enum):
    """What became of a mail that was to be released or dropped."""

    #: nobody has looked again yet: what a receipt says if we die on the way
    BEGUN = "begun"
    RELEASED = "released"
    DROPPED = "dropped"
    #: it lay on hold no more: somebody else has released or deleted it, or it lies on another host
    GONE = "gone already"
    #: under this id lies a mail of another sender or arrival
    NOT_OURS = "not ours any more"
    #: it lies on hold as before
    STILL_HELD = "still held"
    #: the guard was told no id, so that nobody can say which mail it is
    NO_ID = "no queue id"


@dataclass(frozen=True, slots=True)
class Act:
    """One mail of an act: in which queue it lay before and after, None for in none, and when Postfix says it arrived."""

    hold: Hold
    outcome: Outcome
    before: str | None = None
    after: str | None = None
    arrival: int | None = None


@dataclass(frozen=True, slots=True)
class Receipt:
    """What was done, the acts in the order of the holds. `trouble` is what did not go well, in words.

    `began` and `ended` are UTC; `output` is the SHA-256 of what Postfix's programs said.
    """

    path: Path
    verb: str
    who: str
    why: str
    config: Path | None
    began: datetime
    acts: tuple[Act, ...]
    ended: datetime | None = None
    output: str | None = None
    trouble: str | None = None

    def holds(self, *outcomes: Outcome) -> list[Hold]:
        """Give the mails of which one of these became."""
        return [act.hold for act in self.acts if act.outcome in outcomes]

    def document(self) -> dict[str, Any]:
        """Give the receipt as it is written down."""
        return {
            "schema": SCHEMA,
            "verb": self.verb,
            "who": self.who,
            "why": self.why,
            "host": socket.gethostname(),
            "postfix": None if self.config is None else str(self.config),
            "began": self.began.astimezone().isoformat(),
            "ended": None if self.ended is None else self.ended.astimezone().isoformat(),
            "output_sha256": self.output,
            "trouble": self.trouble,
            "mails": [_written(act) for act in self.acts],
        }


def release(
    holds: Sequence[Hold], case: Path, *, who: str | None = None, why: str = "", config: Path | None = None
) -> Receipt:
    """Let held mails go on their way at once. `who` is whoever types, where nobody is named.

    Raises:
        QueueError: Postfix could not be asked, or did nothing; the message says what to do.
        CaseError: the receipt cannot be written, and then nothing is done.

    """
    return _act("release", Outcome.RELEASED, mailqueue.release, holds, case, who or whoever_types(), why, config)


def drop(holds: Sequence[Hold], case: Path, *, who: str, why: str, config: Path | None = None) -> Receipt:
    """Delete held mails for good.

    Raises:
        UsageError: nobody is named, or no reason.
        QueueError: Postfix could not be asked, or did nothing; the message says what to do.
        CaseError: the receipt cannot be written, and then nothing is done.

    """
    if not who.strip() or not why.strip():
        raise UsageError(
            "drop: what is dropped is gone for good; say who decides it (--who NAME) and why (--why REASON)"
        )
    return _act("drop", Outcome.DROPPED, mailqueue.delete, holds, case, who, why, config)


def _act(
    verb: str,
    aim: Outcome,
    do: Callable[[Sequence[str], Path | None], Done],
    holds: Sequence[Hold],
    case: Path,
    who: str,
    why: str,
    config: Path | None,
) -> Receipt:
    """Act: list; begin the receipt, so that an act that breaks off shows too; do; list again; end the receipt."""
    before = _listed(holds, config)
    began = datetime.now(UTC)
    folder = CaseFolder(CaseFolder(case).path / FOLDER)
    path = folder.path / f"{began:%Y%m%dT%H%M%S.%fZ}-{verb}-{os.getpid()}.json"
    acts = tuple(_begun(hold, before.get(hold.queue_id)) for hold in holds)
    receipt = Receipt(path, verb, who, why, config, began, acts)
    folder.write_json(path.name, receipt.document())
    ids = [hold.queue_id for hold in receipt.holds(Outcome.BEGUN)]
    done = do(ids, config) if ids else Done(frozenset(), "", None)
    after = _listed(holds, config)
    receipt = replace(
        receipt,
        acts=tuple(_ended(act, after.get(act.hold.queue_id), aim, done) for act in acts),
        ended=datetime.now(UTC),
        output=sha256(done.said.encode()).hexdigest(),
        trouble=done.trouble,
    )
    folder.write_json(path.name, receipt.document())
    if done.trouble and not done.ids:
        raise QueueError(f"{done.trouble} (nothing was done; receipt: {path})")
    return receipt


def _listed(holds: Sequence[Hold], config: Path | None) -> dict[str, Queued]:
    if not holds:  # a decision about an account that nothing is held of
        return {}
    return {one.queue_id: one for one in queue.looked_into(holds, mailqueue.listed(config), config)}


def _begun(hold: Hold, found: Queued | None) -> Act:
    if found is None:
        return Act(hold, Outcome.GONE if hold.queue_id else Outcome.NO_ID)
    if not queue.same(hold, found):
        return Act(hold, Outcome.NOT_OURS, found.queue, arrival=found.arrival)
    return Act(hold, Outcome.BEGUN if found.queue == HOLD else Outcome.GONE, found.queue, arrival=found.arrival)


def _ended(act: Act, found: Queued | None, aim: Outcome, done: Done) -> Act:
    after = found.queue if found is not None and found.arrival == act.arrival else None
    if act.outcome is not Outcome.BEGUN:
        return replace(act, after=after)
    if after == HOLD:
        return replace(act, outcome=Outcome.STILL_HELD, after=after)
    return replace(act, outcome=aim if act.hold.queue_id in done.ids else Outcome.GONE, after=after)


def _written(act: Act) -> dict[str, Any]:
    arrival = None if act.arrival is None else datetime.fromtimestamp(act.arrival, UTC).astimezone().isoformat()
    return {
        "queue_id": act.hold.queue_id,
        "account": act.hold.account,
        "sender": act.hold.sender,
        "arrival": arrival,
        "held": datetime.fromtimestamp(act.hold.time, UTC).astimezone().isoformat(),
        "before": act.before,
        "after": act.after,
        "outcome": act.outcome.value,
    }
