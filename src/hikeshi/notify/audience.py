# SPDX-License-Identifier: Apache-2.0
"""Who must be told: A received the lure, B may be exposed; each person once, whatever the lists say, and nobody lost.

A person is known by `addresses.person_of`: `user@` and `user+tag@` are one, who gets one letter. A comes from
recipients.csv of the case, of the incidents that stand as takeovers; B from the list of exposed persons.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import replace
from pathlib import Path
from typing import Any, Final, cast

from hikeshi.cases.store import Store
from hikeshi.cases.store.facts import Standing, standing
from hikeshi.notify.addresses import AddressError, mailbox, person_of
from hikeshi.notify.corrections import corrections
from hikeshi.notify.lists import Exposed, Language, Named, contacts, exposed, fit_name, list_of
from hikeshi.notify.person import OUTCOMES, Outcome, Person
from hikeshi.notify.reach import contact_of, language_of, reach_of
from hikeshi.notify.recipients import Row, recipients, subjects

#: the fact that says in which language those are written to of whom nothing says better; default: Japanese from a .jp
LANGUAGE: Final = "letters.language"


def audience(store: Store, case: Path) -> list[Person]:
    """Give everyone who must be told: A in the order of the sending, then the rest of B in the order of the list.

    Raises:
        CaseError: the case folder has no recipients, not as many as the ledger counts, or a list that was changed.

    """
    facts, incidents = standing(store), last_incidents(store)
    took = takeovers(facts, incidents)
    rows = recipients(case, incidents) if took else ()
    people = received((row for row in rows if row.incident in took), subjects(case, took))
    if (named := list_of(store, case, "exposed")) is not None:
        people = joined(people, exposed(named[0], "the list of exposed persons"))
    reached = list_of(store, case, "contacts")
    table = {} if reached is None else contacts(reached[0], "the table of contacts")
    taken = {person_of(one) for one in mailboxes(took.values())}
    usual = _usual(facts, took.values())
    said = corrections(store)
    whole = []
    for one in people.values():
        contact, decided = contact_of(table, one.key), said.get(one.key)
        reach, why = reach_of(one.address, one.outcome, contact, decided, taken, one.key)
        spoken = contact.language or language_of(one.address, usual)
        whole.append(
            replace(
                one,
                name=fit_name(contact.name or one.name),
                language=decided.language if decided is not None and decided.language else spoken,
                reach=reach,
                why=why,
                phone=contact.phone,
                post=contact.post,
                handed_over=None if decided is None else decided.handed_over,
            )
        )
    return whole


def last_incidents(store: Store) -> list[dict[str, Any]]:
    """Give the incidents of the last investigation, as the ledger has them. Raises StoreError."""
    last = store.entries("investigation")[-1:]
    return list(last[0].body["incidents"]) if last else []


def takeovers(facts: Mapping[str, Standing], incidents: Sequence[Mapping[str, Any]]) -> dict[int, Mapping[str, Any]]:
    """Give those that stand as takeovers, by their number in recipients.csv."""
    return {number: one for number, one in enumerate(incidents, start=1) if _is_takeover(facts, one)}


def mailboxes(incidents: Iterable[Mapping[str, Any]]) -> list[str]:
    """Give the mailboxes that were taken over: of the incidents, and those entered from the same places."""
    return [name for one in incidents for name in (one["account"], *one["foothold"]["also"])]


def received(rows: Iterable[Row], subjects: Mapping[str, tuple[str, ...]]) -> dict[str, Person]:
    """Give A by person: their copies summed, the best of their fates, the address that a mail reached best."""
    people: dict[str, Person] = {}
    for row in rows:
        key, named = person_of(row.address), subjects.get(row.address, ())
        one = Person(key, row.address, row.messages, row.first, row.last, row.status, named, in_lure=True)
        people[key] = _same(people[key], one) if key in people else one
    return people


def joined(people: Mapping[str, Person], lines: Iterable[Named]) -> dict[str, Person]:
    """Give A ∪ B by person. Whose data is ruled out in every line is not exposed; nobody with another status is left out."""
    whole, names = dict(people), dict[str, int]()
    for line in lines:
        if line.exposed.status == "ruled_out":
            continue
        key = person_of(line.address or " ".join((line.name or "").split()))
        if not line.address:
            # Two lines without an address may be two people of one name, so each is one.
            names[key] = names.get(key, 0) + 1
            key = key if names[key] == 1 and key not in whole else f"{key} (line {line.line})"
        past = whole.get(key) or Person(key, line.address)
        address = line.address if not _writable(past.address) and _writable(line.address) else past.address
        whole[key] = replace(
            past, address=address, name=past.name or line.name, exposed=_with(past.exposed, line.exposed)
        )
    return whole


def _same(one: Person, other: Person) -> Person:
    """Make one person of two of their addresses, or of two incidents."""
    better, worse = sorted((one, other), key=lambda each: OUTCOMES.index(cast("Outcome", each.outcome)))
    times = [each for each in (one.first_time, other.first_time, one.last_time, other.last_time) if each is not None]
    return replace(
        better,
        copies=one.copies + other.copies,
        first_time=min(times),
        last_time=max(times),
        subjects=tuple(sorted({*better.subjects, *worse.subjects})),
    )


def _with(past: tuple[Exposed, ...], more: Exposed) -> tuple[Exposed, ...]:
    """Give what is exposed with one more line; each kind of data once under each status."""
    items = {one.status: dict.fromkeys(one.items) for one in past}
    items.setdefault(more.status, {}).update(dict.fromkeys(more.items))
    return tuple(Exposed(tuple(named), status) for status, named in items.items())


def _writable(address: str) -> bool:
    try:
        return bool(mailbox(address))
    except AddressError:
        return False


def _is_takeover(facts: Mapping[str, Standing], incident: Mapping[str, Any]) -> bool:
    """Say whether an incident stands as a takeover, by what people said of it, else as it was found."""
    said = facts.get(f"incident/{incident['id']}/verdict")
    if said is None:
        return bool(incident["verdict"] == "takeover")
    return said.fact.value == "takeover" and said.fact.status not in ("ruled_out", "not_confirmed")


def _usual(facts: Mapping[str, Standing], incidents: Iterable[Mapping[str, Any]]) -> Language:
    said = facts.get(LANGUAGE)
    if said is not None and said.fact.value in ("en", "ja"):
        return cast("Language", said.fact.value)
    return "ja" if any(one["account"].endswith(".jp") for one in incidents) else "en"
