# SPDX-License-Identifier: Apache-2.0
"""Reads what came back: a Maildir, an mbox, a mail or a folder of mails; each tells one letter what became of it.

A mail is matched by the tag of the address it came to, by the Message-ID of what it brings back, by the address it names. What
matches none is listed, so that nobody is lost; what was read before counts once. The mailbox itself is not changed.
"""

import hashlib
import mailbox
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any, Final

from sqlalchemy import Connection, insert, select

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Draft, Store, schema
from hikeshi.cases.store.canonical import JSON, storable
from hikeshi.notify.addresses import person_of
from hikeshi.notify.outbox import changes
from hikeshi.notify.outbox.changes import Change
from hikeshi.notify.outbox.returned import Returned, understand
from hikeshi.notify.outbox.turns import FREE

#: mails that are taken up in one go
_CHUNK: Final = 200
#: states of letters that may have left, so that something can come back
_LEFT: Final = ("attempted", "accepted", "refused", "given_up")


@dataclass(frozen=True, slots=True)
class Mail:
    """A mail as it lies there: where, and its bytes."""

    file: str
    raw: bytes


@dataclass(frozen=True, slots=True)
class Unmatched:
    """A mail that says not which letter it answers: a person looks at it."""

    file: str
    kind: str
    says: str


@dataclass(frozen=True, slots=True)
class Read:
    """What was read: how many mails were new and how many known, the new ones by kind, and all that match no letter."""

    new: int
    known: int
    kinds: dict[str, int]
    unmatched: list[Unmatched]


def read(store: Store, paths: Iterable[Path]) -> Read:
    """Take up what came back; whoever reads twice changes nothing.

    Raises:
        UsageError: a path is not there or cannot be read; mails before it are taken up.
        StoreError: it could not be written.

    """
    kinds: Counter[str] = Counter()
    mails, known = (mail for path in paths for mail in mails_of(path)), 0
    while chunk := list(islice(mails, _CHUNK)):
        fresh = _take(store, chunk)
        kinds.update(fresh)
        known += len(chunk) - len(fresh)
    return Read(kinds.total(), known, dict(sorted(kinds.items())), unmatched(store))


def unmatched(store: Store) -> list[Unmatched]:
    """Give all mails that matched no letter. Raises StoreError."""
    of = schema.returns.c
    asked = (
        select(of.file, of.kind, of.says)
        .where(of.case_id == store.case_id, of.letter.is_(None))
        .order_by(of.seq, of.file)
    )
    with store.reading() as connection:
        return [Unmatched(*row) for row in connection.execute(asked).all()]


def mails_of(path: Path) -> Iterator[Mail]:
    """Give the mails at a path, one at a time: a Maildir, a folder of .eml files, an mbox, or one mail.

    Raises:
        UsageError: it is not there or cannot be read.

    """
    try:
        if path.is_dir():
            inner = [path / name for name in ("new", "cur")]
            folders = inner if all(one.is_dir() for one in inner) else [path]
            for folder in folders:
                for file in sorted(folder.iterdir()):
                    if file.is_file() and not file.name.startswith("."):
                        yield from mails_of(file)
            return
        with path.open("rb") as opened:
            begin = opened.read(5)
        if begin != b"From ":
            yield Mail(str(path), path.read_bytes())
            return
        box = mailbox.mbox(path, create=False)
        try:
            for key in box.iterkeys():
                yield Mail(f"{path}:{int(key) + 1}", box.get_bytes(key))
        finally:
            box.close()
    except (OSError, mailbox.Error) as error:
        raise UsageError(
            f"{path}: {getattr(error, 'strerror', None) or error}; give a Maildir, an mbox or mails"
        ) from error


def _take(store: Store, mails: list[Mail]) -> list[str]:
    """Write what mails say that are not known, and give their kinds."""
    told = {hashlib.sha256(mail.raw).hexdigest(): (mail, understand(mail.raw)) for mail in mails}
    kinds: list[str] = []

    def drafts(connection: Connection) -> list[Draft]:
        of = schema.returns.c
        asked = select(of.sha256).where(of.case_id == store.case_id, of.sha256.in_(list(told)))
        known = set(connection.execute(asked).scalars())
        fresh = {name: found for name, found in told.items() if name not in known}
        if not fresh:
            return []
        seq = changes.next_seq(connection, store.case_id)
        rows, found = [], []
        for name, (mail, said) in fresh.items():
            letter, by = _matched(connection, store.case_id, said)
            kinds.append(said.kind)
            rows.append(
                {
                    "case_id": store.case_id, "sha256": name, "file": storable(mail.file), "kind": said.kind,
                    "letter": None if letter is None else letter.id, "matched_by": by,
                    "says": changes.words(said.says), "seq": seq,
                }
            )  # fmt: skip
            if letter is not None and (columns := _columns(letter, said)):
                found.append(Change(letter.id, columns))
                changes.apply(connection, store.case_id, found[-1:], seq)  # for the next mail that answers it
        connection.execute(insert(schema.returns), rows)
        mails_said: list[JSON] = [{key: row[key] for key in _TOLD} for row in rows]
        changed: list[JSON] = [[one.id, dict(one.columns)] for one in found]
        return [Draft(changes.KIND, {"what": "returned", "mails": mails_said, "changes": changed})]

    store.append_from(drafts)
    return kinds


#: what the ledger keeps of a mail that came back
_TOLD: Final = ("sha256", "file", "kind", "letter", "matched_by", "says")


def _matched(connection: Connection, case_id: str, said: Returned) -> tuple[Any, str | None]:
    """Give the letter that a mail answers and by what it is known; by an address only where that names one letter alone."""
    of = schema.letters.c
    asked = select(of.id, of.fate, of.reply, of.state).where(of.case_id == case_id, of.state.in_(_LEFT))
    for by, column, values in (("tag", of.id, said.tags), ("message-id", of.message_id, said.message_ids)):
        for value in values:
            if (row := connection.execute(asked.where(column == storable(value))).first()) is not None:
                return row, by
    people = list({storable(person_of(one)) for one in said.addresses})
    rows = connection.execute(asked.where(of.person.in_(people)).limit(2)).all() if people else []
    return (rows[0], "address") if len(rows) == 1 else (None, None)


#: a worse word is not taken back by a better one that came later in the pile
_WORSE: Final = {"delivered": 0, "deferred": 1, "bounced_soft": 2, "bounced_hard": 3}


def _columns(letter: Any, said: Returned) -> dict[str, str | None]:
    """Give what a mail changes of its letter."""
    columns: dict[str, str | None] = {}
    if said.kind in ("replied", "auto_replied"):
        if letter.reply is None or (said.kind == "replied" and letter.reply != "replied"):
            columns = {"reply": said.kind}
    else:
        fate = "deferred" if said.kind == "delayed" else said.kind
        if _WORSE[fate] > _WORSE.get(letter.fate or "", -1):
            columns = {"fate": fate, "fate_says": changes.words(said.says)}
    if columns and letter.state == "attempted":
        # Who bounces or answers a letter has had it: the relay took it.
        columns |= {"state": "accepted", **FREE}
    return columns
