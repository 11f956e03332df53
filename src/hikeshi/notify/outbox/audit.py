# SPDX-License-Identifier: Apache-2.0
"""Tells the table of letters again from the ledger, and compares: `case verify` proves the ledger, this the table."""

import json
from typing import Any, Final

from sqlalchemy import select

from hikeshi.cases.store import Store, schema
from hikeshi.cases.store.verify import Deviation
from hikeshi.notify.outbox.book import letter_of
from hikeshi.notify.outbox.changes import KIND, TOLD

#: entries and rows that are looked at in one go
_CHUNK: Final = 500
_FIRST: Final[dict[str, Any]] = dict.fromkeys(TOLD)


def audit(store: Store) -> list[Deviation]:
    """Give every letter and every mail that came back whose row is not as the ledger says.

    Raises:
        StoreError: the case cannot be read.

    """
    letters, mails = _told(store)
    found = [*_letters(store, letters), *_returns(store, mails)]
    found += [Deviation(None, f"table letters lacks letter {name}") for name in letters]
    return found + [Deviation(None, f"table returns lacks mail {name}") for name in mails]


def _told(store: Store) -> tuple[dict[str, dict[str, Any]], dict[str, dict[str, Any]]]:
    """Fold the ledger into what the tables should hold; several entries at a time, each letter once."""
    letters: dict[str, dict[str, Any]] = {}
    mails: dict[str, dict[str, Any]] = {}
    of, after = schema.ledger.c, 0
    while True:
        with store.reading() as connection:
            asked = select(of.seq, of.body).where(of.case_id == store.case_id, of.kind == KIND, of.seq > after)
            rows = connection.execute(asked.order_by(of.seq).limit(_CHUNK)).all()
        for row in rows:
            body = json.loads(row.body)
            if body["what"] == "approved":
                for one in letters.values():
                    if one["state"] == "drafted" and one["report"] == body["report"]:
                        one |= {"state": "approved", "seq": row.seq}
            for name, columns in body.get("changes", ()):
                letters.setdefault(name, {**_FIRST}).update(columns, seq=row.seq)
            mails.update({one["sha256"]: {**one, "seq": row.seq} for one in body.get("mails", ())})
        if len(rows) < _CHUNK:
            return letters, mails
        after = rows[-1].seq


def _letters(store: Store, told: dict[str, dict[str, Any]]) -> list[Deviation]:
    found: list[Deviation] = []
    of, last = schema.letters.c, ""
    while True:
        with store.reading() as connection:
            asked = (
                select(schema.letters).where(of.case_id == store.case_id, of.id > last).order_by(of.id).limit(_CHUNK)
            )
            rows = [dict(row) for row in connection.execute(asked).mappings()]
        for row in rows:
            expected = told.pop(row["id"], None)
            if expected is None:
                found.append(Deviation(row["seq"], f"table letters has letter {row['id']}, which no entry stands for"))
                continue
            wrong = [name for name, value in expected.items() if row[name] != value]
            if letter_of(row).sha256 != row["sha256"]:
                wrong.append("content")
            if wrong:
                found.append(
                    Deviation(expected["seq"], f"table letters, {row['id']}: {', '.join(wrong)} not as the ledger says")
                )
        if len(rows) < _CHUNK:
            return found
        last = rows[-1]["id"]


def _returns(store: Store, told: dict[str, dict[str, Any]]) -> list[Deviation]:
    found = []
    asked = select(schema.returns).where(schema.returns.c.case_id == store.case_id)
    with store.reading() as connection:
        for row in connection.execute(asked, execution_options={"yield_per": 1000}).mappings():
            expected = told.pop(row["sha256"], None)
            if expected is None or any(row[name] != value for name, value in expected.items()):
                found.append(Deviation(row["seq"], f"table returns, mail {row['sha256']}: not as the ledger says"))
    return found
