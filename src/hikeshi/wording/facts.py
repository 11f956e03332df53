# SPDX-License-Identifier: Apache-2.0
"""The facts of a case as texts use them: a value with its unit, status and time, or an error that says what to enter."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timezone, tzinfo
from typing import Any, Final, Literal

from hikeshi.basics.errors import HikeshiError
from hikeshi.basics.zones import zone
from hikeshi.cases.entries import Status
from hikeshi.cases.store import Store
from hikeshi.cases.store.facts import Standing, standing

Language = Literal["ja", "en"]
INCIDENT: Final = "incident/"
#: the zone in which times are told, an IANA name
ZONE: Final = "org.zone"

#: units of facts that people enter, who give a value alone
UNITS: Final = {
    "account.count": "accounts",
    "exposed.persons": "people",
    "exposed.organisations": "organisations",
    "secondary_damage.reports": "reports",
    "occurred_at": "time",
    "discovered_at": "time",
    "contained_at": "time",
    "report.next_date": "time",
    "report.date": "time",
    "report.number": "report",
    "recipient.copies": "mails",
}


class FactError(HikeshiError):
    """A fact cannot be told as it stands."""


class MissingFactError(FactError):
    """A text needs a fact that the case has not."""

    def __init__(self, key: str) -> None:
        super().__init__(
            f"{key}: the case has no such fact; enter it: "
            f"hikeshi case correct {key} VALUE --who NAME --why REASON --case DIR"
        )
        self.key = key


@dataclass(frozen=True, slots=True)
class Said:
    """One fact as a text tells it. Times are ISO 8601 texts as the case has them: a day, or with an offset.

    `as_of` is aware. `computed` is the computed value where a person said another. `bounds` (at least, at most or None, why)
    stands where a count is not certain (law 8). `seq` is the number of the ledger's entry, None where the fact is none of the
    case's: made for one reader, as how many copies reached them.
    """

    key: str
    value: Any
    unit: str | None = None
    status: Status = "confirmed"
    as_of: datetime | None = None
    corrected: bool = False
    computed: Any = None
    bounds: tuple[int, int | None, str] | None = None
    seq: int | None = None

    def __str__(self) -> str:
        # A template that joins a fact to something else would print it past its words.
        raise FactError(
            f"{self.key}: a fact is printed as it is, or through n, time, sure, as_of, listed or defang alone"
        )

    @property
    def known(self) -> bool:
        """Say whether it says anything; 0 and no do."""
        return self.value not in (None, "", []) and self.status != "unknown"

    @property
    def number(self) -> bool:
        """Say whether it is a number."""
        return isinstance(self.value, (int, float)) and not isinstance(self.value, bool)


@dataclass(frozen=True, slots=True)
class IncidentFacts:
    """The facts of one incident, by the last part of their keys: `one["messages"]`, in templates also `one.messages`."""

    name: str
    facts: Mapping[str, Said]

    @property
    def account(self) -> str:
        """Give the mailbox it is of."""
        return self.name.rpartition("/")[0]

    def __getitem__(self, key: str) -> Said:
        if key not in self.facts:
            raise MissingFactError(f"{INCIDENT}{self.name}/{key}")
        return self.facts[key]

    def get(self, key: str) -> Said | None:
        """Give a fact, None where there is none."""
        return self.facts.get(key)


@dataclass(frozen=True, slots=True)
class Facts:
    """All facts of a case, by key, and the zone in which times are told.

    In a language, `desk.name.en` stands in the place of `desk.name`, where the case has it: what people enter is in one
    language, and only they can say it in another.
    """

    all: Mapping[str, Said]
    zone: tzinfo = field(default=UTC)
    language: Language | None = None

    @classmethod
    def of(cls, store: Store) -> "Facts":
        """Give what stands in a case.

        Raises:
            StoreError: it cannot be read.
            UsageError: the zone that was entered is none.

        """
        return cls.made({key: _said(one) for key, one in standing(store).items()})

    @classmethod
    def made(cls, facts: Mapping[str, Said]) -> "Facts":
        """Give facts that are not read from a store: of an earlier time, or invented.

        Times are told in the zone of the fact `org.zone`, else at the offset of the first time that has one, else in UTC.
        """
        return cls(facts, _zone(facts))

    def spoken(self, language: Language) -> "Facts":
        """Give the same facts as told in a language."""
        return Facts(self.all, self.zone, language)

    def __getitem__(self, key: str) -> Said:
        found = self.get(key)
        if found is None:
            raise MissingFactError(key)
        return found

    def __contains__(self, key: object) -> bool:
        return isinstance(key, str) and self.get(key) is not None

    def __iter__(self) -> Iterator[str]:
        return iter(self.all)

    def get(self, key: str) -> Said | None:
        """Give a fact, None where the case has none of that key."""
        return self.all.get(f"{key}.{self.language}") or self.all.get(key)

    def known(self, key: str) -> bool:
        """Say whether the case says anything of it; that something is unknown is not knowing it."""
        found = self.get(key)
        return found is not None and found.known

    def incidents(self) -> list[IncidentFacts]:
        """Give the facts of incidents, `incident/<account>/<n>/<name>`, an incident each, in the order of their names."""
        groups: dict[str, dict[str, Said]] = {}
        for key, said in self.all.items():
            name, _, what = key.removeprefix(INCIDENT).rpartition("/")
            if key.startswith(INCIDENT) and "/" in name:
                groups.setdefault(name, {})[what] = said
        return [IncidentFacts(name, groups[name]) for name in sorted(groups)]


def _said(one: Standing) -> Said:
    fact = one.fact
    computed = None if one.computed is None else one.computed.value
    unit = fact.unit or UNITS.get(fact.key)
    return Said(
        fact.key, fact.value, unit, fact.status, fact.as_of, one.corrected, computed, _bounds(fact.evidence), fact.seq
    )


def _bounds(evidence: list[Any]) -> tuple[int, int | None, str] | None:
    for behind in evidence:
        if isinstance(behind, dict) and isinstance(bounds := behind.get("bounds"), (list, tuple)):
            at_least, at_most, why = bounds
            return at_least, at_most, str(why)
        if isinstance(behind, dict) and isinstance(bounds := behind.get("bounds"), dict):
            return bounds["at_least"], bounds["at_most"], str(bounds["why"])
    return None


def _zone(facts: Mapping[str, Said]) -> tzinfo:
    named = facts.get(ZONE)
    if named is not None and isinstance(named.value, str) and named.known:
        return zone(named.value)
    times = [when(said) for said in facts.values() if said.unit == "time" and said.known]
    offsets = [one.utcoffset() for one in times if isinstance(one, datetime)]
    return next((timezone(offset) for offset in offsets if offset), UTC)


def when(said: Said) -> datetime | date:
    """Give the time that a fact tells: a day, or an aware moment.

    Raises:
        FactError: it is no time, or has no zone.

    """
    value = said.value
    try:
        if isinstance(value, str) and len(value) <= len("2020-05-08"):
            return date.fromisoformat(value)
        found = value if isinstance(value, date) else datetime.fromisoformat(str(value))
    except ValueError as error:
        raise FactError(_bad_time(said, "is no time")) from error
    if isinstance(found, datetime) and found.tzinfo is None:
        raise FactError(_bad_time(said, "has no zone"))
    return found


def _bad_time(said: Said, what: str) -> str:
    return (
        f"{said.key}: {said.value!r} {what}; give it with its offset, as 2020-05-08T17:05:54+09:00, or the day alone: "
        f"hikeshi case correct {said.key} TIME --who NAME --why REASON --case DIR"
    )
