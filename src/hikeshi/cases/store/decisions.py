# SPDX-License-Identifier: Apache-2.0
"""Who decided what, and why. A decision is never changed; the next one on its subject comes after it."""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import schema
from hikeshi.cases.store.canonical import storable
from hikeshi.cases.store.entry import Draft, Entry
from hikeshi.cases.store.ledger import Store


@dataclass(frozen=True, slots=True)
class Decision:
    """One decision: on what, which choice, by whom from which login (name@host), why. `time` is aware, UTC."""

    seq: int
    time: datetime
    subject: str
    choice: str
    who: str
    login: str
    why: str


def decide(store: Store, subject: str, choice: str, *, who: str, why: str) -> Entry:
    """Write down a person's decision, for example to approve: subject "plan/ID", choice "approve".

    Raises:
        UsageError: nobody, or no reason, is given.
        StoreError: it could not be written.

    """
    said = [text.strip() for text in (subject, choice, who, why)]
    if not all(said):
        raise UsageError("a decision needs a name and a reason: who decides, and why")
    subject, choice, who, why = said
    (entry,) = store.append(Draft("decision", {"subject": subject, "choice": choice, "why": why}, who))
    return entry


def decisions(store: Store, subject: str | None = None) -> list[Decision]:
    """Give the decisions, of all subjects or of one, in the order in which they were taken.

    Raises:
        StoreError: they cannot be read.

    """
    of = schema.decisions.c
    asked = (
        select(of.seq, schema.ledger.c.time, of.subject, of.choice, schema.ledger.c.who, schema.ledger.c.login, of.why)
        .join_from(schema.decisions, schema.ledger)
        .where(of.case_id == store.case_id)
        .order_by(of.seq)
    )
    if subject is not None:
        asked = asked.where(of.subject == storable(subject.strip()))
    with store.reading() as connection:
        return [
            Decision(seq, datetime.fromisoformat(time), *rest) for seq, time, *rest in connection.execute(asked).all()
        ]
