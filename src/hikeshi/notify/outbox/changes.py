# SPDX-License-Identifier: Apache-2.0
"""The one way in which letters change: rows and the entry of the ledger that stands for them, in one transaction.

An entry of kind "letters" says `what` happened and, for every letter, the columns that changed, so that the table can be
told again from the ledger alone (`audit.py`). Of texts it keeps the digest. Whoever writes to a case does so alone.
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from sqlalchemy import Connection, bindparam, select, update

from hikeshi.cases.store import Draft, Store, schema
from hikeshi.cases.store.canonical import JSON, storable

KIND: Final = "letters"
#: the columns of `letters` that entries tell; the others are in `sha256`
TOLD: Final = (
    "report person sha256 state attempts due holder until attempted_at accepted_at says fate fate_says reply".split()  # noqa: SIM905 - a line of words reads better
)
#: characters of a far side's words that are kept
_WORDS: Final = 500


@dataclass(frozen=True, slots=True)
class Change:
    """What changes of one letter, by column."""

    id: str
    columns: Mapping[str, Any]


def write(
    store: Store,
    what: str,
    make: Callable[[Connection, int], Sequence[Change]],
    *,
    beside: Mapping[str, JSON] | None = None,
    who: str | None = None,
) -> int:
    """Change what `make` finds to change, given the connection and the number that the entry will have; say how many.

    Raises:
        StoreError: it could not be written; then nothing has changed.

    """
    told: list[Change] = []

    def drafts(connection: Connection) -> list[Draft]:
        seq = next_seq(connection, store.case_id)
        told[:] = make(connection, seq)
        if not told:
            return []
        apply(connection, store.case_id, told, seq)
        changes: list[JSON] = [[one.id, dict(one.columns)] for one in told]
        return [Draft(KIND, {"what": what, **(beside or {}), "changes": changes}, who)]

    store.append_from(drafts)
    return len(told)


def next_seq(connection: Connection, case_id: str) -> int:
    """Give the number that the next entry of the case will have, for whoever writes to it right now."""
    return int(connection.execute(select(schema.cases.c.seq).where(schema.cases.c.case_id == case_id)).scalar_one()) + 1


def apply(connection: Connection, case_id: str, changes: Iterable[Change], seq: int) -> None:
    """Set the columns of rows that are there; several changes of one letter come in their order."""
    of = schema.letters
    groups: list[tuple[tuple[str, ...], list[dict[str, Any]]]] = []
    for one in changes:
        names = tuple(sorted(one.columns))
        if not groups or groups[-1][0] != names:
            groups.append((names, []))
        groups[-1][1].append({"b_id": one.id, **{f"b_{name}": value for name, value in one.columns.items()}})
    for names, rows in groups:
        statement = (
            update(of)
            .where(of.c.case_id == case_id, of.c.id == bindparam("b_id"))
            .values(seq=seq, **{name: bindparam(f"b_{name}") for name in names})
        )
        connection.execute(statement, rows)


def words(text: str) -> str:
    """Give a far side's words in one line of bounded length, as a database can keep them."""
    return storable(" ".join("".join(one if one.isprintable() else " " for one in text).split()))[:_WORDS]
