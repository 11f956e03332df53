# SPDX-License-Identifier: Apache-2.0
"""The tracking block of a published document: which version it is, and what each before it was (as CSAF 2.0, 3.2.1.12, has it)."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import pairwise
from typing import Any, Literal

Published = Literal["draft", "interim", "final"]


@dataclass(frozen=True, slots=True)
class Revision:
    """One version that was published: its number, when (aware), and what was new in it."""

    number: int
    date: datetime
    summary: str


def tracking(id_: str, revisions: Sequence[Revision], status: Published) -> dict[str, Any]:
    """Give the block: id, version, status, first and current release date, revision_history. Times are ISO 8601 with offset.

    Raises:
        ValueError: no revision; numbers that do not go 1, 2, 3; dates that go back or have no zone.

    """
    if not revisions or [one.number for one in revisions] != list(range(1, len(revisions) + 1)):
        raise ValueError(f"{id_}: revisions are numbered 1, 2, 3, without a gap")
    if any(one.date.tzinfo is None for one in revisions):
        raise ValueError(f"{id_}: a revision's date has no zone")
    if any(late.date < early.date for early, late in pairwise(revisions)):
        raise ValueError(f"{id_}: a revision is older than the one before it")
    return {
        "id": id_,
        "version": str(revisions[-1].number),
        "status": status,
        "initial_release_date": revisions[0].date.isoformat(),
        "current_release_date": revisions[-1].date.isoformat(),
        "revision_history": [
            {"number": str(one.number), "date": one.date.isoformat(), "summary": one.summary} for one in revisions
        ],
    }
