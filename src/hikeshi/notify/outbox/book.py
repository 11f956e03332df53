# SPDX-License-Identifier: Apache-2.0
"""What people do with letters: put, look, cancel, pause, decide what no log could. `approval.py` is how they may leave."""

from collections import Counter
from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import dataclass, replace
from itertools import islice
from typing import Any, Final

from sqlalchemy import ColumnElement, Connection, func, insert, select, update

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Store, schema
from hikeshi.cases.store.decisions import decide
from hikeshi.notify.outbox import changes
from hikeshi.notify.outbox.changes import Change
from hikeshi.notify.outbox.letter import Letter, LetterError, check

#: letters that are put, looked at or cancelled in one go, so that memory is bounded
_CHUNK: Final = 500
_CONTENT: Final = ("address", "language", "message_id", "sender", "subject", "text")
#: on what is decided whether anything is sent
_OUTBOX: Final = "letters"


@dataclass(frozen=True, slots=True)
class Put:
    """How many letters are new, were there already, were drafted anew, or stay as they are since they are past drafting."""

    new: int = 0
    same: int = 0
    changed: int = 0
    kept: int = 0


@dataclass(frozen=True, slots=True)
class Standing:
    """Where one letter stands. Times are ISO 8601 in UTC. `says` is the last word on its state, `fate_says` on its fate."""

    letter: Letter
    state: str
    attempts: int
    due: str | None
    attempted_at: str | None
    accepted_at: str | None
    says: str | None
    fate: str | None
    fate_says: str | None
    reply: str | None


def put(store: Store, letters: Iterable[Letter]) -> Put:
    """Keep letters as drafts. Whoever puts twice changes nothing; a draft or approved one with other words is drafted anew.

    Raises:
        LetterError: a letter cannot be sent as it stands, or is of another case; those before it are kept as drafts.
        StoreError: they could not be written.

    """
    found = Put()
    source = iter(letters)
    while chunk := list(islice(source, _CHUNK)):
        by_id: dict[str, Letter] = {}
        for one in chunk:
            if one.case_id != store.case_id:
                raise LetterError(f"letter {one.id}: it is of another case; draft it from this one")
            check(one)
            if by_id.setdefault(one.id, one).sha256 != one.sha256:
                raise LetterError(f"letter {one.id}: two letters to one person in one report; only one may leave")
        said = _put(store, by_id)
        counts = {name: getattr(found, name) + said[name] for name in ("new", "same", "changed", "kept")}
        found = replace(found, **counts | {"same": counts["same"] + len(chunk) - len(by_id)})
    return found


def _put(store: Store, by_id: dict[str, Letter]) -> Counter[str]:
    said: Counter[str] = Counter()

    def make(connection: Connection, seq: int) -> list[Change]:
        of, found, fresh = schema.letters.c, [], []
        asked = select(of.id, of.sha256, of.state).where(of.case_id == store.case_id, of.id.in_(list(by_id)))
        known = {row.id: row for row in connection.execute(asked)}
        for name, one in by_id.items():
            row = known.get(name)
            drafted = {"state": "drafted", "sha256": one.sha256}
            if row is None:
                said["new"] += 1
                first = {**drafted, "report": one.report, "person": one.person, "attempts": 0}
                fresh.append({"case_id": one.case_id, "id": name, "seq": seq, **first, **_content(one)})
                found.append(Change(name, first))
            elif row.sha256 == one.sha256:
                said["same"] += 1
            elif row.state in ("drafted", "approved"):
                said["changed"] += 1
                connection.execute(
                    update(schema.letters).where(of.case_id == one.case_id, of.id == name).values(**_content(one))
                )
                found.append(Change(name, drafted))
            else:
                said["kept"] += 1
        if fresh:
            connection.execute(insert(schema.letters), fresh)
        return found

    changes.write(store, "drafted", make)
    return said


def _content(one: Letter) -> dict[str, str]:
    return {name: getattr(one, name) for name in _CONTENT}


def cancel(store: Store, ids: Collection[str], *, who: str, why: str) -> int:
    """Take letters back that have not been attempted, all or none; say how many have been (those taken back already do not count).

    Raises:
        UsageError: nobody, or no reason, is given; one is not there, or may have left.
        StoreError: it could not be written.

    """
    if not who.strip() or not why.strip():
        raise UsageError("taking letters back needs a name and a reason: who takes them back, and why")

    def make(connection: Connection, _: int) -> list[Change]:
        found = _states(connection, store.case_id, ids)
        for name in ids:
            if (state := found.get(name)) not in ("drafted", "approved", "leased", "cancelled"):
                raise UsageError(
                    f"letter {name}: " + ("there is none" if state is None else f"it is {state}, so it may have left")
                )
        columns = {"state": "cancelled", "says": changes.words(why), "holder": None, "until": None, "due": None}
        return [Change(name, columns) for name in sorted(ids) if found[name] != "cancelled"]

    return changes.write(store, "cancelled", make, who=who.strip(), beside={"why": why.strip()})


def resolve(store: Store, letter_id: str, *, accepted: bool, who: str, why: str) -> None:
    """Decide what no log could say of an attempted letter: the relay has taken it, or it has not and is sent again.

    Raises:
        UsageError: nobody, or no reason, is given; or the letter is not attempted.
        StoreError: it could not be written.

    """
    if not who.strip() or not why.strip():
        raise UsageError("deciding on a letter needs a name and a reason: who decides, and why")

    def make(connection: Connection, _: int) -> list[Change]:
        if (state := _states(connection, store.case_id, [letter_id]).get(letter_id)) != "attempted":
            raise UsageError(f"letter {letter_id}: it is {state or 'not there'}; only an attempted one is decided on")
        columns = {"state": "accepted" if accepted else "approved", "says": changes.words(why)}
        return [Change(letter_id, {**columns, "holder": None, "until": None, "due": None})]

    changes.write(store, "resolved", make, who=who.strip(), beside={"why": why.strip()})


def again(store: Store, ids: Collection[str], *, who: str, why: str) -> int:
    """Approve refused or given up letters once more, all or none; say how many. The relay was wrong, say, and is right now.

    Raises:
        UsageError: nobody, or no reason, is given; or one is neither refused nor given up.
        StoreError: it could not be written.

    """
    if not who.strip() or not why.strip():
        raise UsageError("sending letters again needs a name and a reason: who does so, and why")

    def make(connection: Connection, _: int) -> list[Change]:
        found = _states(connection, store.case_id, ids)
        for name in ids:
            if (state := found.get(name)) not in ("refused", "given_up"):
                raise UsageError(
                    f"letter {name}: it is {state or 'not there'}; only a refused or given up one goes again"
                )
        return [Change(name, {"state": "approved", "attempts": 0, "due": None}) for name in sorted(ids)]

    return changes.write(store, "again", make, who=who.strip(), beside={"why": why.strip()})


def _states(connection: Connection, case_id: str, ids: Collection[str]) -> dict[str, str]:
    of, wanted = schema.letters.c, list(ids)
    found: dict[str, str] = {}
    for begin in range(0, len(wanted), _CHUNK):
        asked = select(of.id, of.state).where(of.case_id == case_id, of.id.in_(wanted[begin : begin + _CHUNK]))
        found |= {row.id: row.state for row in connection.execute(asked)}
    return found


def pause(store: Store, *, who: str, why: str) -> None:
    """Let no further letter leave; what is on the wire arrives. Raises UsageError without a name or a reason."""
    decide(store, _OUTBOX, "pause", who=who, why=why)


def resume(store: Store, *, who: str, why: str) -> None:
    """Let letters leave again. Raises UsageError without a name or a reason."""
    decide(store, _OUTBOX, "resume", who=who, why=why)


def paused(connection: Connection, case_id: str) -> bool:
    """Say whether a person has paused the outbox."""
    of = schema.decisions.c
    asked = select(of.choice).where(of.case_id == case_id, of.subject == _OUTBOX).order_by(of.seq.desc()).limit(1)
    return connection.execute(asked).scalar() == "pause"


def counts(store: Store, report: int | None = None) -> dict[str, int]:
    """Give how many letters are in which state, of one report or of all. Raises StoreError."""
    of = schema.letters.c
    asked = select(of.state, func.count()).where(*_which(store, report)).group_by(of.state).order_by(of.state)
    with store.reading() as connection:
        return {row[0]: row[1] for row in connection.execute(asked)}


def standings(store: Store, report: int | None = None, states: Sequence[str] = ()) -> Iterator[Standing]:
    """Give letters with where they stand, in the order of their ids, some at a time. Raises StoreError."""
    of, last = schema.letters.c, ""
    which = [*_which(store, report), *([of.state.in_(states)] if states else [])]
    while True:
        with store.reading() as connection:
            asked = select(schema.letters).where(*which, of.id > last).order_by(of.id).limit(_CHUNK)
            rows = [dict(row) for row in connection.execute(asked).mappings()]
        yield from map(_standing, rows)
        if len(rows) < _CHUNK:
            return
        last = rows[-1]["id"]


def _which(store: Store, report: int | None) -> list[ColumnElement[bool]]:
    of = schema.letters.c
    return [of.case_id == store.case_id, *([of.report == report] if report is not None else [])]


def _standing(row: dict[str, Any]) -> Standing:
    names = ("state", "attempts", "due", "attempted_at", "accepted_at", "says", "fate", "fate_says", "reply")
    return Standing(letter_of(row), **{name: row[name] for name in names})


def letter_of(row: dict[str, Any]) -> Letter:
    """Give the letter that a row of the table is."""
    return Letter(**{name: row[name] for name in ("id", "case_id", "report", *_CONTENT)})
