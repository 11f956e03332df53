# SPDX-License-Identifier: Apache-2.0
"""The proof that nothing was changed, taken out or put in since it was written.

Every digest and link of the ledger is computed again, and every row of the tables for asking is compared with what the
ledger says. Who may write to the database could forge the whole chain from some entry on, or cut its end off: against
that helps only a head (number:digest) that was noted down elsewhere, and then nothing up to it can have changed.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, Table, and_, not_, select, type_coerce
from sqlalchemy.types import NullType

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import projections, schema
from hikeshi.cases.store.database import NOTHING
from hikeshi.cases.store.entry import digest_of, entry_of
from hikeshi.cases.store.ledger import Store

#: rows that are looked at in one go, so that memory is bounded however long the ledger is
_CHUNK: Final = 2000
#: the tables of which every entry of a kind has a row of its own
_ROWS: Final = (schema.facts, schema.decisions, schema.receipts)


@dataclass(frozen=True, slots=True)
class Deviation:
    """One thing that is not as it was written: the entry's number, None where there is none, and what, in words."""

    seq: int | None
    says: str


@dataclass(frozen=True, slots=True)
class Verified:
    """What was found: how many entries there are, the head as number:digest, and all that is not as it was written."""

    entries: int
    head: str
    deviations: list[Deviation]


@dataclass(slots=True)
class _Progress:
    """How far the ledger has been read, and what it says the tables should hold."""

    noted: tuple[int, str] | None
    seq: int = 0
    digest: str = NOTHING
    entries: int = 0
    deviations: list[Deviation] = field(default_factory=list)
    #: what is expected of each table, by number of the entry; only of the rows that are being looked at
    rows: dict[Table, dict[object, dict[str, Any]]] = field(default_factory=dict)
    #: entries that are not as they were written, so that nothing can be expected of their rows
    broken: set[object] = field(default_factory=set)
    #: what is expected of `actions`: the row of the latest entry, by plan and action
    actions: dict[object, dict[str, Any]] = field(default_factory=dict)

    def tell(self, seq: object, says: str) -> None:
        self.deviations.append(Deviation(seq if isinstance(seq, int) else None, says))


def verify(store: Store, head: str | None = None) -> Verified:
    """Compare all that is in the store with what was written.

    `head` is a number:digest noted down earlier, as `Store.head` gives them. Without one it cannot be seen that the end
    was cut off together with the head, or that everything was written anew.

    Raises:
        UsageError: `head` is no number and digest.
        StoreError: the store cannot be read at all.

    """
    found = _Progress(_noted(head))
    with store.reading() as connection, _any_text(connection):
        for rows in _chunks(connection, store.case_id):
            begin, found.rows = found.seq, {table: {} for table in _ROWS}
            for row in rows:
                _take(row, found)
            for table in _ROWS:
                here = and_(table.c.seq > begin, table.c.seq <= found.seq)
                _compare(table, found.rows[table], _asked(connection, store.case_id, table, here), found)
        for table in _ROWS:
            beyond = not_(and_(table.c.seq >= 1, table.c.seq <= found.seq))
            _compare(table, {}, _asked(connection, store.case_id, table, beyond), found)
        _compare(schema.actions, found.actions, _asked(connection, store.case_id, schema.actions), found)
        heads = [(row["seq"], row["digest"]) for row in _asked(connection, store.case_id, schema.cases)]
    if heads != [(found.seq, found.digest)]:
        found.tell(found.seq, f"the ledger ends at {found.seq}, which is not the end that was last written")
    if found.noted is not None and found.noted[0] > found.seq:
        found.tell(found.noted[0], f"the ledger ends at {found.seq}, before the entry {found.noted[0]} that was noted")
    return Verified(found.entries, f"{found.seq}:{found.digest}", found.deviations)


def _take(row: dict[str, Any], found: _Progress) -> None:
    """Check one entry and its place in the chain, and note what its row in a table should be."""
    seq, digest = row["seq"], row["digest"]
    if not isinstance(seq, int):
        found.tell(seq, f"there is an entry without a number: {seq!r}")
        return
    if seq != found.seq + 1:
        found.tell(seq, f"entry {seq} comes after {found.seq}: what was between them is gone")
    elif row["previous"] != found.digest:
        found.tell(seq, f"entry {seq} does not follow from the one before it")
    if found.noted is not None and found.noted[0] == seq and found.noted[1] != digest:
        found.tell(seq, f"entry {seq} is another than the one that was noted")
    found.seq, found.digest, found.entries = seq, digest, found.entries + 1
    try:
        stands = digest_of(row) == digest
        expected = projections.row_of(entry_of(row)) if stands else None
    except (ValueError, TypeError, AttributeError):
        stands = False
    if not stands:
        found.broken.add(seq)
        found.tell(seq, f"entry {seq} is not as it was written")
    elif expected is not None:
        table, columns = expected
        if table is schema.actions:
            found.actions[columns["plan"], columns["action"]] = columns
        else:
            found.rows[table][seq] = columns


def _compare(
    table: Table, expected: Mapping[object, dict[str, Any]], rows: Iterable[dict[str, Any]], found: _Progress
) -> None:
    """Compare the rows of a table with those that the ledger expects, both ways."""
    missing = dict(expected)
    for row in rows:
        key = (row["plan"], row["action"]) if table is schema.actions else row["seq"]
        if row["seq"] in found.broken:
            missing.pop(key, None)
            continue
        told = missing.pop(key, None)
        if told is None:
            found.tell(row["seq"], f"table {table.name} has a row {key!r} that no entry stands for")
        elif wrong := [name for name, value in told.items() if row[name] != value]:
            found.tell(
                told["seq"], f"table {table.name}, entry {told['seq']}: {', '.join(wrong)} not as the entry says"
            )
    for told in missing.values():
        found.tell(told["seq"], f"table {table.name} lacks the row of entry {told['seq']}")


def _chunks(connection: Connection, case_id: str) -> Iterator[list[dict[str, Any]]]:
    """Give the rows of the ledger in the order of their numbers, some at a time."""
    ledger = schema.ledger
    beyond: ColumnElement[bool] | None = None
    while rows := list(_asked(connection, case_id, ledger, beyond, _CHUNK)):
        yield rows
        beyond = ledger.c.seq > rows[-1]["seq"]


def _asked(
    connection: Connection,
    case_id: str,
    table: Table,
    where: ColumnElement[bool] | None = None,
    most: int | None = None,
) -> Iterator[dict[str, Any]]:
    """Give rows of a table as they lie there: a wrong type must not look like the right one."""
    asked = select(*(type_coerce(column, NullType()).label(column.name) for column in table.columns))
    asked = asked.where(table.c.case_id == case_id).order_by(*table.primary_key.columns).limit(most)
    if where is not None:
        asked = asked.where(where)
    return map(dict, connection.execute(asked).mappings())


@contextmanager
def _any_text(connection: Connection) -> Iterator[None]:
    """Let SQLite give texts that are no UTF-8, which otherwise would end the reading instead of being found."""
    driver: Any = connection.connection.driver_connection
    if connection.dialect.name != "sqlite":
        yield
        return
    driver.text_factory = lambda data: data.decode("utf-8", "surrogateescape")
    try:
        yield
    finally:
        driver.text_factory = str


def _noted(head: str | None) -> tuple[int, str] | None:
    if head is None:
        return None
    parts = re.fullmatch(r"(\d{1,18}):([0-9a-f]{64})", head.strip().lower())
    if parts is None:
        raise UsageError("a head is a number, a colon and 64 hexadecimal digits, as hikeshi case verify prints it")
    return int(parts[1]), parts[2]
