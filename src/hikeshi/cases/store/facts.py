# SPDX-License-Identifier: Apache-2.0
"""What is known: facts with their status, unit and time (law 5). A fact is superseded, never overwritten.

What a person enters stands until a person enters something else; what is computed goes on being computed beside it.
"""

import json
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field, fields, replace
from datetime import UTC, datetime
from typing import Any, Final, Literal, get_args

from sqlalchemy import Connection, select

from hikeshi.basics.errors import UsageError
from hikeshi.cases.entries import Status
from hikeshi.cases.store import schema
from hikeshi.cases.store.canonical import canonical, storable
from hikeshi.cases.store.entry import Draft, written
from hikeshi.cases.store.ledger import Store

#: computed: by us, out of evidence. entered: by a person. external: told by somebody outside, for example a provider.
Provenance = Literal["computed", "entered", "external"]

#: a number, a text, true or false, a list of such, or None: what no evidence gives
Value = Any
_STATUSES: Final = get_args(Status)


@dataclass(frozen=True, slots=True)
class Fact:
    """One thing that is known. `as_of` is aware: up to when the evidence went when the value was first found so.

    `evidence` is plain JSON that leads back to what makes the value. `approved_by` is who entered or approved it and `reason`
    why. `seq` is the number of its entry, None while it is not written, and `supersedes` that of the entry whose place it takes.
    """

    key: str
    value: Value
    unit: str | None
    status: Status
    as_of: datetime | None = None
    provenance: Provenance = "computed"
    evidence: list[Any] = field(default_factory=list)
    approved_by: str | None = None
    supersedes: int | None = None
    reason: str | None = None
    seq: int | None = None


#: what an entry's body says of a fact
_FIELDS: Final = tuple(one.name for one in fields(Fact) if one.name != "seq")


@dataclass(frozen=True, slots=True)
class Change:
    """A computed value that is not what it was; None where nothing says it (any more)."""

    key: str
    before: Value
    after: Value
    unit: str | None


@dataclass(frozen=True, slots=True)
class Standing:
    """What stands of a key. `computed` is the computed fact beside a person's word, where it says something else."""

    fact: Fact
    computed: Fact | None
    corrected: bool


def record(store: Store, facts: Iterable[Fact], who: str | None = None, *, within: str | None = None) -> list[Change]:
    """Write the facts of a run that are new or not what they were; give the values that have changed since the last run.

    One with the same value, unit and status as before is not written again and keeps its `as_of`: up to when the evidence
    went that was looked at last is said by the entry of the investigation. What an earlier run computed under the prefix
    `within`, and this one does not give, becomes not_confirmed with the value None. The first run has nothing to differ from.

    Raises:
        StoreError: they could not be written.
        ValueError: a fact is not one that a run can give.

    """
    given: dict[str, Fact] = {}
    for fact in facts:
        key = storable(fact.key)
        if key in given or fact.provenance == "entered":
            raise ValueError(f"{key}: given twice, or entered by a person, who corrects")
        given[key] = replace(fact, key=key)
    changes: list[Change] = []

    def drafts(connection: Connection) -> list[Draft]:
        known = {fact.key: fact for fact in _facts(connection, store) if fact.provenance != "entered"}
        fresh = [*given.values(), *_gone(known, given, within)]
        found = [_after(known.get(fact.key), fact) for fact in fresh if not _same(known.get(fact.key), fact)]
        changes.extend(_changes(known, found))
        return [_draft(fact, who) for fact in found]

    store.append_from(drafts)
    return changes


def correct(
    store: Store, key: str, value: Value, *, who: str, why: str, status: Status | None = None, unit: str | None = None
) -> Fact:
    """Put a person's word in the place of what stands; give the fact as written.

    `status` is confirmed unless said otherwise, unknown for the value None; `unit` is that of what stands.

    Raises:
        UsageError: nobody, or no reason, is given.
        StoreError: it could not be written.

    """
    if not key.strip() or not who.strip() or not why.strip():
        raise UsageError("a correction needs what is corrected, who corrects and why")
    said = status or ("unknown" if value is None else "confirmed")
    key = storable(key)
    entered = Fact(key, value, unit, said, datetime.now(UTC), "entered", approved_by=who.strip(), reason=why.strip())

    def drafts(connection: Connection) -> list[Draft]:
        chain = _facts(connection, store, key)
        stands = _standing(chain).fact if chain else None
        inherited = entered.unit if entered.unit is not None or stands is None else stands.unit
        return [_draft(_after(stands, replace(entered, unit=inherited)), who.strip())]

    (entry,) = store.append_from(drafts)
    return _fact({**entry.body, "seq": entry.seq})


def standing(store: Store) -> dict[str, Standing]:
    """Give what stands of every key, in their order: a person's last word if there is one, else what was last computed.

    Raises:
        StoreError: it cannot be read.

    """
    chains: dict[str, list[Fact]] = {}
    with store.reading() as connection:
        for fact in _facts(connection, store):
            chains.setdefault(fact.key, []).append(fact)
    return {key: _standing(chains[key]) for key in sorted(chains)}


def history(store: Store, key: str) -> list[Fact]:
    """Give all that a key has ever been, oldest first, corrections and what was computed beside them.

    Raises:
        StoreError: it cannot be read.

    """
    with store.reading() as connection:
        return _facts(connection, store, key)


def _standing(chain: Sequence[Fact]) -> Standing:
    entered = [fact for fact in chain if fact.provenance == "entered"]
    others = [fact for fact in chain if fact.provenance != "entered"]
    if not entered:
        return Standing(others[-1], None, corrected=False)
    computed = others[-1] if others and _says(others[-1]) != _says(entered[-1]) else None
    return Standing(entered[-1], computed, corrected=True)


def _gone(known: dict[str, Fact], given: dict[str, Fact], within: str | None) -> list[Fact]:
    """Give what is no longer known: computed under the prefix `within` by an earlier run, and not given by this one."""
    if within is None:
        return []
    as_of = max((fact.as_of for fact in given.values() if fact.as_of is not None), default=None)
    return [
        Fact(key, None, fact.unit, "not_confirmed", as_of)
        for key, fact in known.items()
        if key.startswith(within) and key not in given and fact.provenance == "computed"
    ]


def _changes(known: dict[str, Fact], found: Sequence[Fact]) -> list[Change]:
    if not known:
        return []
    before: dict[str, Fact | None] = {fact.key: known.get(fact.key) for fact in found}
    return [
        Change(fact.key, None if past is None else past.value, fact.value, fact.unit)
        for fact in found
        if _says(past := before[fact.key]) != _says(fact)
    ]


def _same(past: Fact | None, fact: Fact) -> bool:
    return past is not None and _says(past) == _says(fact) and past.status == fact.status


def _says(fact: Fact | None) -> tuple[str, str | None] | None:
    """Give what a fact says, to be compared: 1, 1.0 and true are three things."""
    return None if fact is None else (canonical(fact.value), fact.unit)


def _after(past: Fact | None, fact: Fact) -> Fact:
    return replace(fact, supersedes=None if past is None else past.seq)


def _draft(fact: Fact, who: str | None) -> Draft:
    if fact.status not in _STATUSES:
        raise ValueError(f"{fact.key}: {fact.status!r} is no status; law 5 has {', '.join(_STATUSES)}")
    if fact.as_of is not None and fact.as_of.tzinfo is None:
        raise ValueError(f"{fact.key}: its time has no zone")
    if isinstance(fact.value, dict):
        raise ValueError(f"{fact.key}: a value is a number, a text, true, false, null or a list")  # noqa: TRY004 - as above
    body = {name: getattr(fact, name) for name in _FIELDS}
    return Draft("fact", {**body, "as_of": None if fact.as_of is None else written(fact.as_of)}, who)


def _facts(connection: Connection, store: Store, key: str | None = None) -> list[Fact]:
    asked = select(schema.facts).where(schema.facts.c.case_id == store.case_id).order_by(schema.facts.c.seq)
    if key is not None:
        asked = asked.where(schema.facts.c.key == key)
    return [
        _fact(row | {"value": json.loads(row["value"]), "evidence": json.loads(row["evidence"])})
        for row in map(dict, connection.execute(asked).mappings())
    ]


def _fact(said: dict[str, Any]) -> Fact:
    """Make a fact of an entry's body and number."""
    as_of = None if said["as_of"] is None else datetime.fromisoformat(said["as_of"])
    return Fact(**{name: said[name] for name in (*_FIELDS, "seq")} | {"as_of": as_of})
