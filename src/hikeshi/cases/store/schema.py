# SPDX-License-Identifier: Apache-2.0
"""The tables, the same in SQLite and PostgreSQL. `ledger` is the truth; the four below it are for asking.

Times are texts, ISO 8601 in UTC with microseconds and Z, so that a digest over them is the same in both databases.
What is JSON is a text as well, as `canonical.py` writes it. Every change goes into `migrations/versions/`, too.
"""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, ForeignKeyConstraint, Index, Integer, MetaData, String, Table, Text

#: the schema's number, which is the last of `migrations/versions/`
VERSION: Final = "0001"
#: the table that keeps it, named so that it lives in peace with other programs of one database
VERSION_TABLE: Final = "hikeshi_schema"

METADATA: Final = MetaData()


def _case() -> Column[str]:
    return Column("case_id", String(36), ForeignKey("cases.case_id"), primary_key=True)


def _of_ledger() -> ForeignKeyConstraint:
    return ForeignKeyConstraint(["case_id", "seq"], ["ledger.case_id", "ledger.seq"])


#: a case and the head of its chain: the last entry's number and digest; the row that writers queue up at
cases: Final = Table(
    "cases",
    METADATA,
    Column("case_id", String(36), primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("digest", String(64), nullable=False),
)

#: everything that was ever found, decided and done, in order; triggers refuse to change or delete a row
ledger: Final = Table(
    "ledger",
    METADATA,
    _case(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("time", Text, nullable=False),
    Column("kind", Text, nullable=False),
    Column("who", Text, nullable=False),
    Column("login", Text, nullable=False),
    Column("body", Text, nullable=False),
    Column("previous", String(64), nullable=False),
    Column("digest", String(64), nullable=False),
    Index("ledger_kind", "case_id", "kind", "seq"),
)

#: every fact that ever stood, one row an entry
facts: Final = Table(
    "facts",
    METADATA,
    _case(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("key", Text, nullable=False),
    Column("value", Text, nullable=False),
    Column("unit", Text),
    Column("status", Text, nullable=False),
    Column("as_of", Text),
    Column("provenance", Text, nullable=False),
    Column("evidence", Text, nullable=False),
    Column("approved_by", Text),
    Column("supersedes", Integer),
    Column("reason", Text),
    _of_ledger(),
    Index("facts_key", "case_id", "key", "seq"),
)

#: who decided what and why, one row an entry
decisions: Final = Table(
    "decisions",
    METADATA,
    _case(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("subject", Text, nullable=False),
    Column("choice", Text, nullable=False),
    Column("why", Text, nullable=False),
    _of_ledger(),
    Index("decisions_subject", "case_id", "subject", "seq"),
)

#: each action of each plan in its latest state; `seq` is the entry that says so
actions: Final = Table(
    "actions",
    METADATA,
    _case(),
    Column("plan", Text, primary_key=True),
    Column("action", Text, primary_key=True),
    Column("seq", Integer, nullable=False),
    Column("state", Text, nullable=False),
    Column("attempt", Integer),
    Column("connector", Text),
    Column("operation", Text),
    Column("phase", Integer),
    Column("account", Text),
    Column("object", Text),
    Column("says", Text),
    _of_ledger(),
)

#: every reading and every deed at a far side, one row an entry
receipts: Final = Table(
    "receipts",
    METADATA,
    _case(),
    Column("seq", Integer, primary_key=True, autoincrement=False),
    Column("plan", Text, nullable=False),
    Column("action", Text, nullable=False),
    Column("verb", Text, nullable=False),
    Column("target", Text),
    Column("before", Text),
    Column("request_sha256", Text),
    Column("answer", Text),
    Column("after", Text),
    Column("reached", Boolean),
    Column("undo", Text),
    Column("began", Text),
    Column("ended", Text),
    _of_ledger(),
    Index("receipts_action", "case_id", "plan", "action", "seq"),
)
