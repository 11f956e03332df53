# SPDX-License-Identifier: Apache-2.0
"""Draft, approve, release: what stands of a case's bulletins in its ledger. What was released never changes.

A draft is approved as exactly what it says. It is released only while the facts behind it are still what stands.
"""

import uuid
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from typing import Any, Final

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Draft, Entry, Store
from hikeshi.cases.store.decisions import Decision, decide, decisions
from hikeshi.cases.store.facts import standing
from hikeshi.publish.bulletin.bulletin import Bulletin, body_of, bulletin_of
from hikeshi.publish.bulletin.sections import LANGUAGES, SECTIONS
from hikeshi.wording.tracking import Published, Revision, tracking

KIND: Final = "bulletin"
#: names of documents are made from the case's identity, which nobody can read out of them
_SPACE: Final = uuid.UUID("0f9d3a6e-64d0-5b39-8a55-3c0b4d1a7e62")
APPROVE: Final = "approve"
REFUSE: Final = "refuse"
#: the fact that says how many people a release needs: 1, or 2 with names and logins of their own
PERSONS: Final = "publish.persons"


class NotReleasedError(UsageError):
    """The bulletin is not released: it is not approved, or no longer what the case knows."""


@dataclass(frozen=True, slots=True)
class Released:
    """A bulletin as the public has it. `at` is aware; `approved_by` are the names, for us and never for the page."""

    bulletin: Bulletin
    at: datetime
    approved_by: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Bulletins:
    """All of a case: what is released, oldest first, the draft after it, and corrections that wait for the next one."""

    released: tuple[Released, ...]
    draft: Bulletin | None
    corrections: tuple[Mapping[str, Any], ...]

    @property
    def before(self) -> Bulletin | None:
        """Give the last one that is released."""
        return self.released[-1].bulletin if self.released else None

    @property
    def next_number(self) -> int:
        """Give the number of the next report, from 1."""
        return len(self.released) + 1


def bulletins(store: Store) -> Bulletins:
    """Give what stands of a case's bulletins.

    Raises:
        StoreError: it cannot be read.

    """
    released: list[Released] = []
    draft: Bulletin | None = None
    corrections: list[Mapping[str, Any]] = []
    for entry in store.entries(KIND):
        match entry.body["event"]:
            case "draft":
                draft = bulletin_of(entry.body["bulletin"])
            case "correction":
                corrections.append({key: entry.body[key] for key in ("section", "ja", "en")})
            case "released":
                one = bulletin_of(entry.body["bulletin"])
                released.append(
                    Released(one, datetime.fromisoformat(entry.body["at"]), tuple(entry.body["approved_by"]))
                )
                draft, corrections = None, []
    return Bulletins(tuple(released), draft, tuple(corrections))


def keep(store: Store, one: Bulletin) -> Entry:
    """Write a draft down; the same one again is not written twice."""
    past = bulletins(store).draft
    if past is not None and past.digest == one.digest:
        return next(entry for entry in reversed(store.entries(KIND)) if entry.body["event"] == "draft")
    (entry,) = store.append(Draft(KIND, {"event": "draft", "digest": one.digest, "bulletin": body_of(one)}))
    return entry


def explain(store: Store, section: str, said: Mapping[str, str], *, who: str, why: str) -> Entry:
    """Write down a correction (訂正) for the next report: why a section says less, or other, than the report before.

    `said` is what the public reads, in both languages; `why` is for the case alone.

    Raises:
        UsageError: there is no such section, a language is missing, or nobody or no reason is given.

    """
    there = [one.id for one in SECTIONS]
    if section not in there:
        raise UsageError(f"{section}: no such section; there are {', '.join(there)}")
    if not all(said.get(language, "").strip() for language in LANGUAGES) or not who.strip() or not why.strip():
        raise UsageError("a correction needs its text in both languages (--ja, --en), who corrects and why")
    body = {"event": "correction", "section": section, "why": why.strip(), "ja": said["ja"], "en": said["en"]}
    (entry,) = store.append(Draft(KIND, body, who.strip()))
    return entry


def approve(store: Store, one: Bulletin, *, who: str, why: str) -> Entry:
    """Approve exactly this draft. Raises UsageError without a name or a reason."""
    return decide(store, _subject(one), APPROVE, who=who, why=why)


def refuse(store: Store, one: Bulletin, *, who: str, why: str) -> Entry:
    """Refuse a draft; approvals before this count no more. Raises UsageError without a name or a reason."""
    return decide(store, _subject(one), REFUSE, who=who, why=why)


def approvals(store: Store, one: Bulletin) -> list[Decision]:
    """Give the approvals of a draft that count: those after its last refusal."""
    found: list[Decision] = []
    for decision in decisions(store, _subject(one)):
        if decision.choice == APPROVE:
            found.append(decision)
        else:
            found.clear()
    return found


def release(store: Store, *, who: str, at: datetime | None = None) -> Released:
    """Release the draft that is approved, from `at` (aware) on, by default now: from then on it is public.

    Raises:
        NotReleasedError: there is none, it is not approved by enough people, or facts behind it have changed.

    """
    one, stands = ready(store), bulletins(store)
    given = approvals(store, one)
    moment = at or datetime.now(UTC)
    if stands.released and moment < stands.released[-1].at:
        raise UsageError(
            f"{moment.isoformat()}: lies before the report before, of {stands.released[-1].at.isoformat()}"
        )
    public = replace(one, tracking=tracked(store, stands, one, moment, "final" if one.stage == "final" else "interim"))
    names = tuple(each.who for each in given)
    store.append(
        Draft(
            KIND,
            {
                "event": "released",
                "at": moment.isoformat(),
                "digest": public.digest,
                "approved_by": list(names),
                "bulletin": body_of(public),
            },
            who.strip() or None,
        )
    )
    return Released(public, moment, names)


def ready(store: Store) -> Bulletin:
    """Give the draft that can be released as it is.

    Raises:
        NotReleasedError: there is none, it is not approved by enough people, or facts behind it have changed.

    """
    one = bulletins(store).draft
    if one is None:
        raise NotReleasedError("there is no draft; hikeshi publish draft --keep --case DIR makes one")
    given = approvals(store, one)
    persons = _persons(store)
    if not _enough(given, persons):
        names = ", ".join(f"{each.who} ({each.login})" for each in given) or "nobody"
        raise NotReleasedError(
            f"draft {one.id} is approved by {names} and needs {persons}: "
            f"hikeshi publish approve {one.id} --who NAME --why REASON --case DIR"
        )
    if stale := changed_since(store, one):
        raise NotReleasedError(
            f"what the case knows has changed since draft {one.id}: {', '.join(stale)}; draft and approve it again"
        )
    return one


def tracked(store: Store, past: "Bulletins", one: Bulletin, at: datetime, status: Published) -> dict[str, Any]:
    """Give the tracking block of a report: the case's bulletin is one document, and each report a version of it."""
    reports = [(each.bulletin, each.at) for each in past.released]
    revisions = [
        Revision(each.number, time, f"report {each.number} ({each.stage})") for each, time in [*reports, (one, at)]
    ]
    return tracking(uuid.uuid5(_SPACE, store.case_id).urn, revisions, status)


def changed_since(store: Store, one: Bulletin) -> list[str]:
    """Give the keys of the facts in a bulletin that no longer stand as it says them."""
    now = standing(store)
    return [
        str(said["key"])
        for said in one.facts
        if said["seq"] is not None and (said["key"] not in now or now[said["key"]].fact.seq != said["seq"])
    ]


def _subject(one: Bulletin) -> str:
    return f"bulletin/{one.number}/{one.id}"


def _persons(store: Store) -> int:
    stands = standing(store).get(PERSONS)
    return 2 if stands is not None and stands.fact.value == 2 else 1


def _enough(given: Sequence[Decision], persons: int) -> bool:
    """Say whether so many different people approved: both names and logins differ, as for plans of containment."""
    if persons < 2:
        return bool(given)
    return any(
        _plain(one.who) != _plain(other.who) and one.login.partition("@")[0] != other.login.partition("@")[0]
        for one in given
        for other in given
    )


def _plain(name: str) -> str:
    return " ".join(name.split()).casefold()
