# SPDX-License-Identifier: Apache-2.0
"""Who let letters leave: nothing does that nobody approved (law 4), or two people where two are asked for.

Approval is of a digest over all drafts of a report, so that a draft which changes afterwards is not approved. Two people
count as two where both name and login differ; on one machine that is a rail and not a wall.
"""

import hashlib
from dataclasses import asdict, dataclass

from sqlalchemy import Connection, select, update

from hikeshi.basics.errors import UsageError
from hikeshi.basics.who import login
from hikeshi.cases.store import Draft, Store, schema
from hikeshi.cases.store.decisions import decide
from hikeshi.notify.outbox import changes


@dataclass(frozen=True, slots=True)
class Batch:
    """The drafts of a report that wait for approval: the digest over them and how many they are."""

    report: int
    digest: str
    letters: int


def batch(store: Store, report: int) -> Batch:
    """Give what waits for approval. Raises StoreError."""
    with store.reading() as connection:
        return _batch(connection, store.case_id, report)


def _batch(connection: Connection, case_id: str, report: int) -> Batch:
    of = schema.letters.c
    asked = select(of.id, of.sha256).where(of.case_id == case_id, of.report == report, of.state == "drafted")
    rows = connection.execute(asked.order_by(of.id), execution_options={"yield_per": 1000})
    digest, count = hashlib.sha256(), 0
    for row in rows:
        digest.update(f"{row.id}:{row.sha256}\n".encode())
        count += 1
    return Batch(report, digest.hexdigest(), count)


def approve(store: Store, approved: Batch, *, who: str, why: str, persons: int = 1) -> bool:
    """Approve exactly the drafts of a batch; say whether they may leave now, or wait for the second of two people.

    Raises:
        UsageError: nobody, or no reason, is given; there is no draft; or drafts have changed since the batch was looked at.
        StoreError: it could not be written.

    """
    who, why = who.strip(), why.strip()
    if not who or not why:
        raise UsageError("an approval needs a name and a reason: who approves, and why")
    if persons not in (1, 2):
        raise UsageError(f"letters are approved by 1 or 2 people, not by {persons}")
    enough: list[bool] = []

    def drafts(connection: Connection) -> list[Draft]:
        now = _batch(connection, store.case_id, approved.report)
        if not now.letters:
            raise UsageError(f"report {approved.report}: no draft waits for approval")
        if now != approved:
            raise UsageError(
                f"report {approved.report}: the drafts are not those that were looked at ({approved.letters} letters, "
                f"digest {approved.digest[:12]}; now {now.letters}, {now.digest[:12]}); look again, then approve"
            )
        subject = _subject(approved)
        people = [*_approvals(connection, store.case_id, subject), (who, login())]
        decision = Draft("decision", {"subject": subject, "choice": "approve", "why": why}, who)
        enough[:] = [persons == 1 or any(_two(one, other) for one in people for other in people)]
        if not enough[0]:
            return [decision]
        of = schema.letters.c
        connection.execute(
            update(schema.letters)
            .where(of.case_id == store.case_id, of.report == approved.report, of.state == "drafted")
            .values(state="approved", seq=changes.next_seq(connection, store.case_id) + 1)
        )
        return [decision, Draft(changes.KIND, {"what": "approved", **asdict(approved)}, who)]

    store.append_from(drafts)
    return enough[0]


def refuse(store: Store, refused: Batch, *, who: str, why: str) -> None:
    """Refuse a batch; approvals of it before this count no more. Raises UsageError without a name or a reason."""
    decide(store, _subject(refused), "refuse", who=who, why=why)


def _subject(of: Batch) -> str:
    return f"letters/{of.report}/{of.digest}"


def _approvals(connection: Connection, case_id: str, subject: str) -> list[tuple[str, str]]:
    rows = connection.execute(
        select(schema.decisions.c.choice, schema.ledger.c.who, schema.ledger.c.login)
        .join_from(schema.decisions, schema.ledger)
        .where(schema.decisions.c.case_id == case_id, schema.decisions.c.subject == subject)
        .order_by(schema.decisions.c.seq)
    )
    standing: list[tuple[str, str]] = []
    for choice, who, account in rows:
        if choice == "approve":
            standing.append((who, account))
        else:
            standing.clear()
    return standing


def _two(one: tuple[str, str], other: tuple[str, str]) -> bool:
    """Say whether these are two people: one login on two machines is one, and so is one name with two logins."""
    names = [" ".join(name.split()).casefold() for name, _ in (one, other)]
    logins = [account.partition("@")[0].casefold() for _, account in (one, other)]
    return names[0] != names[1] and logins[0] != logins[1]
