# SPDX-License-Identifier: Apache-2.0
"""The tables for asking, filled from an entry's body in the transaction that adds the entry. `verify` compares them."""

from collections.abc import Callable, Mapping, Sequence
from typing import Any, Final

from sqlalchemy import Connection, Table, bindparam, delete, insert

from hikeshi.cases.store import schema
from hikeshi.cases.store.canonical import DraftError, encoded, storable
from hikeshi.cases.store.entry import Entry


def write(connection: Connection, case_id: str, entries: Sequence[Entry]) -> None:
    """Put into the tables what `entries` say, in their order."""
    rows: dict[Table, dict[Any, dict[str, Any]]] = {}
    for entry in entries:
        if (found := row_of(entry)) is not None:
            table, row = found
            rows.setdefault(table, {})[_identity(table, row)] = {"case_id": case_id, **row}
    for table, latest in rows.items():
        if table is schema.actions:
            same = [table.c[name] == bindparam(f"this_{name}") for name in ("case_id", "plan", "action")]
            connection.execute(
                delete(table).where(*same),
                [{f"this_{name}": row[name] for name in ("case_id", "plan", "action")} for row in latest.values()],
            )
        connection.execute(insert(table), list(latest.values()))


def _identity(table: Table, row: Mapping[str, Any]) -> Any:
    """Give what a row of a case is known by: an action has one, which is its latest state."""
    return (row["plan"], row["action"]) if table is schema.actions else row["seq"]


def row_of(entry: Entry) -> tuple[Table, dict[str, Any]] | None:
    """Give table and row, but for the case's identity, that an entry stands for, None for a kind that has no table.

    Raises:
        DraftError: the body lacks what the table cannot do without, or has it in another type.

    """
    if entry.kind not in _TABLES:
        return None
    table, columns = _TABLES[entry.kind]
    row: dict[str, Any] = {"seq": entry.seq}
    for name, convert in columns.items():
        row[name] = value = convert(entry.body.get(name))
        if value is None and not table.c[name].nullable:
            raise DraftError(f"an entry of kind {entry.kind} needs a body with {name}")
    return table, row


def _text(value: Any) -> str | None:
    """Give a text as it is, and anything else as JSON."""
    return value if value is None else storable(value if isinstance(value, str) else encoded(value))


def _json(value: Any) -> str:
    """Give a value of an entry's body as the text it is in it, null included."""
    return encoded(value)


def _number(value: Any) -> int | None:
    if value is None or (isinstance(value, int) and not isinstance(value, bool) and abs(value) < 2**31):
        return value
    raise DraftError(f"{value!r} is no number that a column holds")


def _truth(value: Any) -> bool | None:
    if value is None or isinstance(value, bool):
        return value
    raise DraftError(f"{value!r} is neither true nor false nor null")


_Columns = Mapping[str, Callable[[Any], str | int | None]]


def _texts(*names: str) -> dict[str, Callable[[Any], str | int | None]]:
    return dict.fromkeys(names, _text)


_TABLES: Final[Mapping[str, tuple[Table, _Columns]]] = {
    "fact": (
        schema.facts,
        {
            **_texts("key", "unit", "status", "as_of", "provenance", "approved_by", "reason"),
            "value": _json,
            "evidence": _json,
            "supersedes": _number,
        },
    ),
    "decision": (schema.decisions, _texts("subject", "choice", "why")),
    "action": (
        schema.actions,
        {
            **_texts("plan", "action", "state", "connector", "operation", "account", "object", "says"),
            "attempt": _number,
            "phase": _number,
        },
    ),
    "receipt": (
        schema.receipts,
        {
            **_texts("plan", "action", "verb", "target", "request_sha256", "answer", "began", "ended"),
            "before": _json,
            "after": _json,
            "undo": _json,
            "reached": _truth,
        },
    ),
}
