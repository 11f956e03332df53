# SPDX-License-Identifier: Apache-2.0
"""How a letter changes hands: approved → leased → attempted → accepted, refused, or approved again for later.

Each step is on disk before the act that it announces (`journal.py`).
"""

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any, Final, Literal

from sqlalchemy import Connection, or_, select

from hikeshi.cases.store import Store, schema
from hikeshi.cases.store.entry import written
from hikeshi.notify.outbox import changes
from hikeshi.notify.outbox.book import letter_of, paused
from hikeshi.notify.outbox.changes import Change
from hikeshi.notify.outbox.holder import dead
from hikeshi.notify.outbox.letter import Letter

#: nobody has it in hand
FREE: Final[dict[str, Any]] = {"holder": None, "until": None}


def lease(store: Store, holder: str, now: datetime, seconds: float, most: int) -> list[Letter]:
    """Take up to `most` approved letters that are due into hand for so many seconds; none while the outbox is paused.

    Raises:
        StoreError: they could not be read or written.

    """
    found: list[Letter] = []
    of = schema.letters.c

    def make(connection: Connection, _: int) -> list[Change]:
        if paused(connection, store.case_id):
            return []
        # The ids are digests, so that their order mixes the domains.
        asked = (
            select(schema.letters)
            .where(of.case_id == store.case_id, of.state == "approved", or_(of.due.is_(None), of.due <= written(now)))
            .order_by(of.id)
            .limit(most)
        )
        found[:] = [letter_of(dict(row)) for row in connection.execute(asked).mappings()]
        until = written(now + timedelta(seconds=seconds))
        return [Change(one.id, {"state": "leased", "holder": holder, "until": until}) for one in found]

    changes.write(store, "leased", make)
    return found


def take_back(store: Store, now: datetime, *, mine: str | None = None) -> tuple[int, int]:
    """Free what is in the hands of nobody who lives, of one whose time is over, or of `mine`; say how many are free, and open.

    Leased letters have not left and are approved as before. Attempted ones may have: they are open, and are sent again only
    when a log or a person has said that the relay has not taken them. `until` is then when nobody had them in hand any more.

    Raises:
        StoreError: they could not be read or written.

    """
    said = {"leased": 0, "attempted": 0}
    of = schema.letters.c

    def make(connection: Connection, _: int) -> list[Change]:
        asked = (
            select(of.id, of.state, of.holder, of.until)
            .where(of.case_id == store.case_id, of.state.in_(("leased", "attempted")), of.holder.is_not(None))
            .order_by(of.id)
        )
        found, lives = [], {}
        for row in connection.execute(asked).all():
            if row.holder not in lives:
                lives[row.holder] = not dead(row.holder)
            if lives[row.holder] and row.until > written(now) and row.holder != mine:
                continue
            said[row.state] += 1
            closed = {"holder": None, "until": written(now)}
            found.append(Change(row.id, {"state": "approved", **FREE} if row.state == "leased" else closed))
        return found

    changes.write(store, "taken back", make)
    return said["leased"], said["attempted"]


def due_next(store: Store) -> str | None:
    """Give when the next approved letter is due, ISO 8601 in UTC, None where none waits for a time. Raises StoreError."""
    of = schema.letters.c
    asked = select(of.due).where(of.case_id == store.case_id, of.state == "approved", of.due.is_not(None))
    with store.reading() as connection:
        return connection.execute(asked.order_by(of.due).limit(1)).scalar()


@dataclass(frozen=True, slots=True)
class Outcome:
    """What became of an attempt. `lost`: the connection was gone before anything could be taken. `open`: nobody knows."""

    kind: Literal["accepted", "refused", "later", "lost", "open"]
    says: str


@dataclass(frozen=True, slots=True)
class Backoff:
    """How long to wait after the n-th attempt that the relay put off: `first` seconds, doubled up to `longest`; and how often."""

    first: float = 300.0
    longest: float = 4 * 3600.0
    tries: int = 24

    def due(self, attempts: int, now: datetime) -> datetime | None:
        """Give when to try again after so many attempts, None for never."""
        if attempts >= self.tries:
            return None
        return now + timedelta(seconds=min(self.first * 2.0 ** min(attempts - 1, 32), self.longest))
