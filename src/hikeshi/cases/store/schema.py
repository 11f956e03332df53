# SPDX-License-Identifier: Apache-2.0
"""The tables, the same in SQLite and PostgreSQL. `ledger` is the truth; those below it are for asking.

Times are texts, ISO 8601 in UTC with microseconds and Z, so that a digest over them is the same in both databases.
What is JSON is a text as well, as `canonical.py` writes it. Every change goes into `migrations/versions/`, too.
"""

from typing import Final

from sqlalchemy import Boolean, Column, ForeignKey, ForeignKeyConstraint, Index, Integer, MetaData, String, Table, Text

#: the schema's number, which is the last of `migrations/versions/`
VERSION: Final = "0002"
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

#: one letter a person and report, with where it stands; its entries are those of kind "letters". No foreign key: a row
#: and the entry that stands for it come in one transaction, and the row comes first.
letters: Final = Table(
    "letters",
    METADATA,
    Column("case_id", String(36), primary_key=True),
    #: derived from case, report and person, so that nobody gets two
    Column("id", String(32), primary_key=True),
    Column("report", Integer, nullable=False),
    Column("person", Text, nullable=False),
    Column("address", Text, nullable=False),
    Column("language", Text, nullable=False),
    Column("message_id", Text, nullable=False),
    Column("sender", Text, nullable=False),
    Column("subject", Text, nullable=False),
    Column("text", Text, nullable=False),
    #: over the six columns before it: what is approved, and what the ledger keeps of them
    Column("sha256", String(64), nullable=False),
    #: drafted, approved, leased, attempted, accepted, refused, given_up or cancelled
    Column("state", Text, nullable=False),
    Column("attempts", Integer, nullable=False),
    #: when it may be tried again; NULL is now
    Column("due", Text),
    #: who has it in hand, and until when
    Column("holder", Text),
    Column("until", Text),
    Column("attempted_at", Text),
    Column("accepted_at", Text),
    #: the relay's last words, or whatever else says why the state is what it is
    Column("says", Text),
    #: after it was accepted: delivered, deferred, bounced_soft, bounced_hard, expired, held or unknown; NULL: nobody has said
    Column("fate", Text),
    Column("fate_says", Text),
    #: replied or auto_replied
    Column("reply", Text),
    #: the entry of the ledger that set it as it is
    Column("seq", Integer, nullable=False),
    Index("letters_person", "case_id", "report", "person", unique=True),
    Index("letters_state", "case_id", "state", "id"),
    Index("letters_message", "case_id", "message_id"),
)

#: every mail that came back, one row a mail, known by its content so that none counts twice
returns: Final = Table(
    "returns",
    METADATA,
    Column("case_id", String(36), primary_key=True),
    Column("sha256", String(64), primary_key=True),
    Column("file", Text, nullable=False),
    Column("kind", Text, nullable=False),
    #: the letter it answers, NULL where nothing in it says which
    Column("letter", String(32)),
    Column("matched_by", Text),
    Column("says", Text, nullable=False),
    Column("seq", Integer, nullable=False),
    Index("returns_letter", "case_id", "letter"),
)
