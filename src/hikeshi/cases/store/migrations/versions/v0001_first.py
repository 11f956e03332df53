# SPDX-License-Identifier: Apache-2.0
"""The first schema: cases, the ledger that is only added to, and the tables for asking."""

import sqlalchemy as sa
from alembic import op

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make all tables, and the triggers that keep the ledger as it was written."""
    op.create_table(
        "cases",
        sa.Column("case_id", sa.String(36), primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_table(
        "ledger",
        _case(),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("time", "kind", "who", "login", "body"),
        sa.Column("previous", sa.String(64), nullable=False),
        sa.Column("digest", sa.String(64), nullable=False),
    )
    op.create_index("ledger_kind", "ledger", ["case_id", "kind", "seq"])
    op.create_table(
        "facts",
        _case(),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("key", "value"),
        sa.Column("unit", sa.Text),
        *_texts("status"),
        sa.Column("as_of", sa.Text),
        *_texts("provenance", "evidence"),
        sa.Column("approved_by", sa.Text),
        sa.Column("supersedes", sa.Integer),
        sa.Column("reason", sa.Text),
        _of_ledger(),
    )
    op.create_index("facts_key", "facts", ["case_id", "key", "seq"])
    op.create_table(
        "decisions",
        _case(),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("subject", "choice", "why"),
        _of_ledger(),
    )
    op.create_index("decisions_subject", "decisions", ["case_id", "subject", "seq"])
    op.create_table(
        "actions",
        _case(),
        sa.Column("plan", sa.Text, primary_key=True),
        sa.Column("action", sa.Text, primary_key=True),
        sa.Column("seq", sa.Integer, nullable=False),
        *_texts("state"),
        sa.Column("attempt", sa.Integer),
        *_texts("connector", "operation", nullable=True),
        sa.Column("phase", sa.Integer),
        *_texts("account", "object", "says", nullable=True),
        _of_ledger(),
    )
    op.create_table(
        "receipts",
        _case(),
        sa.Column("seq", sa.Integer, primary_key=True, autoincrement=False),
        *_texts("plan", "action", "verb"),
        *_texts("target", "before", "request_sha256", "answer", "after", nullable=True),
        sa.Column("reached", sa.Boolean),
        *_texts("undo", "began", "ended", nullable=True),
        _of_ledger(),
    )
    op.create_index("receipts_action", "receipts", ["case_id", "plan", "action", "seq"])
    for statement in _GUARDS[op.get_bind().dialect.name]:
        op.execute(statement)


def _texts(*names: str, nullable: bool = False) -> list["sa.Column[str]"]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names]


def _case() -> "sa.Column[str]":
    return sa.Column("case_id", sa.String(36), sa.ForeignKey("cases.case_id"), primary_key=True)


def _of_ledger() -> sa.ForeignKeyConstraint:
    return sa.ForeignKeyConstraint(["case_id", "seq"], ["ledger.case_id", "ledger.seq"])


#: The third trigger of SQLite is for INSERT OR REPLACE, which deletes without asking the second.
_GUARDS = {
    "sqlite": (
        "CREATE TRIGGER ledger_update BEFORE UPDATE ON ledger BEGIN SELECT raise(ABORT, 'the ledger is only added to'); END",
        "CREATE TRIGGER ledger_delete BEFORE DELETE ON ledger BEGIN SELECT raise(ABORT, 'the ledger is only added to'); END",
        "CREATE TRIGGER ledger_replace BEFORE INSERT ON ledger"
        " WHEN EXISTS (SELECT 1 FROM ledger WHERE case_id = new.case_id AND seq = new.seq)"
        " BEGIN SELECT raise(ABORT, 'the ledger is only added to'); END",
    ),
    "postgresql": (
        "CREATE FUNCTION hikeshi_only_added_to() RETURNS trigger LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE EXCEPTION 'the ledger is only added to'; END $$",
        "CREATE TRIGGER ledger_only_added_to BEFORE UPDATE OR DELETE OR TRUNCATE ON ledger"
        " FOR EACH STATEMENT EXECUTE FUNCTION hikeshi_only_added_to()",
    ),
}
