# SPDX-License-Identifier: Apache-2.0
"""Which mails in Postfix's queue are those that the guard held: queue ids are reused, so id, sender and arrival must agree."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Final

from hikeshi import mailqueue
from hikeshi.guard.state.store import Hold
from hikeshi.mailqueue import HOLD, Queued, QueueError, Recipient, listed

__all__ = ["HOLD", "Matched", "QueueError", "Queued", "Recipient", "listed", "looked_into", "matched", "same"]

#: how long before it was held a mail may have begun to arrive, in seconds: a large one over a slow line
_UPLOAD: Final = 86400.0
#: how far the guard's clock may be behind that of Postfix, which gives whole seconds
_SKEW: Final = 5.0


@dataclass(frozen=True, slots=True)
class Matched:
    """What the guard held and lies on hold, what it held and lies there no more, and what others have put on hold."""

    ours: tuple[tuple[Hold, Queued], ...]
    gone: tuple[Hold, ...]
    others: tuple[Queued, ...]


def looked_into(holds: Iterable[Hold], queued: Sequence[Queued], config: Path | None = None) -> list[Queued]:
    """Give `queued` with the account of those mails that only their sender tells from one of `holds`.

    It takes root to look; without it they stay as they are. `config` is the folder of a main.cf.

    Raises:
        QueueError: there is no Postfix.

    """
    by_id = {one.queue_id: one for one in queued}
    alike = [(hold, by_id[hold.queue_id]) for hold in holds if hold.queue_id in by_id]
    doubtful = {one.queue_id for hold, one in alike if _could_be(hold, one) and not same(hold, one)}
    found = mailqueue.accounts(sorted(doubtful), config)
    return [replace(one, account=found.get(one.queue_id, one.account)) for one in queued]


def same(hold: Hold, queued: Queued) -> bool:
    """Say whether a queued mail is the one that was held.

    Postfix may have rewritten its sender (canonical_maps, masquerade_domains); then the account that signed in counts.
    """
    by_sender = hold.sender.casefold() == queued.sender.casefold()
    by_account = queued.account is not None and queued.account.casefold() == hold.account.casefold()
    return _could_be(hold, queued) and (by_sender or by_account)


def matched(holds: Iterable[Hold], queued: Iterable[Queued]) -> Matched:
    """Tell apart what lies on hold."""
    waiting = {one.queue_id: one for one in queued if one.queue == HOLD}
    ours, gone = [], []
    for hold in holds:
        one = waiting.get(hold.queue_id)
        if one is not None and same(hold, one):
            ours.append((hold, waiting.pop(hold.queue_id)))
        else:
            gone.append(hold)
    return Matched(tuple(ours), tuple(gone), tuple(waiting.values()))


def _could_be(hold: Hold, queued: Queued) -> bool:
    """Say whether id and arrival agree: a mail arrives before it is held, and as long as it lies there its id is its own."""
    return hold.queue_id == queued.queue_id and hold.time - _UPLOAD <= queued.arrival <= hold.time + _SKEW
