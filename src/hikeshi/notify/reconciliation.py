# SPDX-License-Identifier: Apache-2.0
"""The table that must close: everyone in scope was told, or handed over to a person, or left out by one, and nobody else.

scoped − told − handed over − left out = open, and open must come to 0 before the case may be closed (law 8).
"""

from collections import Counter
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import Final, Literal

from hikeshi.cases.folder import CaseFolder
from hikeshi.notify.person import GROUPS, Group, Person
from hikeshi.notify.told import Telling

#: where a person stands; each is in exactly one. The first three need nobody any more.
Place = Literal["told", "handed over", "left out", "underway", "draft", "no letter", "worklist"]
PLACES: Final[tuple[Place, ...]] = ("told", "handed over", "left out", "underway", "draft", "no letter", "worklist")
CLOSED: Final = PLACES[:3]
_LOST: Final = {
    "en": "our letter did not arrive: it was refused or came back",
    "ja": "お送りした通知が届かなかった(拒否または返送)",
}
_COLUMNS: Final = (
    "person", "address", "name", "group", "way", "phone", "post", "copies", "outcome", "exposed", "reason", "reason_ja",
    "handed_over", "by", "handed_over_reason",
)  # fmt: skip


@dataclass(frozen=True, slots=True)
class Row:
    """One line of the table: so many persons in scope, by where they stand."""

    group: Group | Literal["all"]
    scoped: int
    places: Mapping[Place, int]

    @property
    def open(self) -> int:
        """Give how many are neither told nor handed over nor left out."""
        return self.scoped - sum(self.places[one] for one in CLOSED)


def reconcile(people: Iterable[Person], tellings: Mapping[str, Telling]) -> list[Row]:
    """Give the table: a line for each of A∖B, B∖A and A∩B, and one for all."""
    counted: dict[Group, Counter[Place]] = {group: Counter() for group in GROUPS}
    for one in people:
        counted[one.group][place_of(one, tellings.get(one.key))] += 1
    whole: Counter[Place] = sum(counted.values(), Counter[Place]())
    lines: list[tuple[Group | Literal["all"], Counter[Place]]] = [*counted.items(), ("all", whole)]
    return [Row(group, found.total(), {place: found[place] for place in PLACES}) for group, found in lines]


def place_of(person: Person, telling: Telling | None) -> Place:
    """Say where a person stands. Whoever was told is told, whatever was decided afterwards."""
    if telling == "told":
        return "told"
    if person.handed_over is not None:
        return "handed over"
    if person.reach == "left-out":
        return "left out"
    if telling == "underway":
        return "underway"
    if person.reach != "mail" or telling == "lost":
        return "worklist"
    return "draft" if telling == "draft" else "no letter"


def write_worklist(folder: CaseFolder, people: Iterable[Person], tellings: Mapping[str, Telling]) -> int:
    """Write worklist.csv: who is to be told by a person, how and why, and what was done; give how many are open."""
    rows, waiting = [], 0
    for one in people:
        place = place_of(one, tellings.get(one.key))
        if place in ("worklist", "handed over"):
            waiting += place == "worklist"
            rows.append(_cells(one))
    folder.write_csv("worklist.csv", _COLUMNS, rows)
    return waiting


def way_of(person: Person) -> str:
    """Give how a person is told who is not told by mail: as decided, else by what is known of them."""
    if person.reach in ("phone", "post", "substitute"):
        return person.reach
    return "phone" if person.phone else "post" if person.post else "substitute"


def _cells(one: Person) -> list[object]:
    why, done = one.why or _LOST, one.handed_over
    exposed = "; ".join(f"{', '.join(each.items)} ({each.status})" for each in one.exposed)
    known = (one.phone, one.post, one.copies or None, one.outcome, exposed or None, why["en"], why["ja"])
    over = (None, None, None) if done is None else (f"{done.time.isoformat()} {done.who}", done.by, done.why)
    return [one.key, one.address, one.name, one.group, way_of(one), *known, *over]
