# SPDX-License-Identifier: Apache-2.0
"""The outbox: a letter a person and report, and what came back."""

import sqlalchemy as sa
from alembic import op

revision = "0002"
down_revision = "0001"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make both tables."""
    op.create_table(
        "letters",
        sa.Column("case_id", sa.String(36), primary_key=True),
        sa.Column("id", sa.String(32), primary_key=True),
        sa.Column("report", sa.Integer, nullable=False),
        *_texts("person", "address", "language", "message_id", "sender", "subject", "text"),
        sa.Column("sha256", sa.String(64), nullable=False),
        *_texts("state"),
        sa.Column("attempts", sa.Integer, nullable=False),
        *_texts("due", "holder", "until", "attempted_at", "accepted_at", "says", nullable=True),
        *_texts("fate", "fate_says", "reply", nullable=True),
        sa.Column("seq", sa.Integer, nullable=False),
    )
    op.create_index("letters_person", "letters", ["case_id", "report", "person"], unique=True)
    op.create_index("letters_state", "letters", ["case_id", "state", "id"])
    op.create_index("letters_message", "letters", ["case_id", "message_id"])
    op.create_table(
        "returns",
        sa.Column("case_id", sa.String(36), primary_key=True),
        sa.Column("sha256", sa.String(64), primary_key=True),
        *_texts("file", "kind"),
        sa.Column("letter", sa.String(32)),
        *_texts("matched_by", nullable=True),
        *_texts("says"),
        sa.Column("seq", sa.Integer, nullable=False),
    )
    op.create_index("returns_letter", "returns", ["case_id", "letter"])


def _texts(*names: str, nullable: bool = False) -> list["sa.Column[str]"]:
    return [sa.Column(name, sa.Text, nullable=nullable) for name in names]
