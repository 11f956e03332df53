# SPDX-License-Identifier: Apache-2.0
"""From when a clock may run: every candidate that the case knows, and which of them a rule takes.

What shows that somebody knew starts a clock, the earliest by default. That a mail went out at some time does not: nobody
need have known. It is shown, and a person may choose it, or any other time, with a reason.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Entry, Store
from hikeshi.cases.store.decisions import Decision, decisions
from hikeshi.cases.store.facts import Fact, standing
from hikeshi.publish.clocks.rule import Rule, Words
from hikeshi.publish.clocks.rulebook import KNOWLEDGE

#: facts under it are times that people enter: clock/start/reported
ENTERED: Final = "clock/start/"
#: what a decision says to go back to the earliest
EARLIEST: Final = "earliest"

#: names of times that people enter and that show that somebody knew; any other name is for a rule of the user's own
_KNOWN: Final = {
    "reported": Words("first report from outside", "外部からの最初の連絡"),
    "noticed": Words("somebody of the staff noticed", "従業者が気付いた"),
    "discovered": Words("discovered", "発覚"),
    "triaged": Words("looked at and taken for an incident", "インシデントと判断した"),
    "confirmed": Words("confirmed", "確認した"),
    "management": Words("management was told", "経営層に報告した"),
    "processor": Words("the processor told us", "委託先から連絡を受けた"),
    "significant": Words("known to be significant", "重大と認識した"),
}
_DISCOVERED: Final = "discovered_at"
#: facts of an incident that are times, of which the earliest over all incidents is shown; nobody need have known then
_SHOWN: Final = {
    "first-message": (
        "/first_message_at",
        Words("first mail of the incident went out", "最初の不正なメールが送信された"),
    ),
    "weighed": (
        "/alarmed_at",
        Words("enough speaks for an incident from here on, as weighed later", "後の分析で、警報の基準に達した時刻"),
    ),
}


@dataclass(frozen=True, slots=True)
class Candidate:
    """A time that a clock may run from: aware, as its source has it. `knowledge` says whether somebody knew then."""

    name: str
    time: datetime
    says: Words
    source: str
    knowledge: bool


@dataclass(frozen=True, slots=True)
class Start:
    """The time a clock runs from, which candidate that is, and who chose it where it is not the earliest.

    `provisional` is the due time of a report that has not been handed in and would start it.
    """

    time: datetime
    name: str
    decided: Decision | None = None
    provisional: bool = False


def candidates(store: Store) -> list[Candidate]:
    """Give every candidate of the case, earliest first.

    Raises:
        UsageError: a time that a person entered is none, or has no zone.
        StoreError: the case cannot be read.

    """
    facts = {key: one.fact for key, one in standing(store).items()}
    found = [*_entered(facts), *_of_incidents(facts), *_of_ledger(store)]
    return sorted(found, key=lambda one: (one.time, one.name))


def _entered(facts: dict[str, Fact]) -> list[Candidate]:
    found = []
    for key, fact in facts.items():
        if fact.value is None or not (key == _DISCOVERED or key.startswith(ENTERED)):
            continue
        name = "discovered" if key == _DISCOVERED else key.removeprefix(ENTERED)
        says = _KNOWN.get(name, Words(name or key, name or key))
        found.append(Candidate(name, _time(key, fact.value), says, key, name in _KNOWN))
    return found


def _of_incidents(facts: dict[str, Fact]) -> list[Candidate]:
    found = []
    for name, (ending, says) in _SHOWN.items():
        times = [
            (_time(key, fact.value), key)
            for key, fact in facts.items()
            if key.startswith("incident/") and key.endswith(ending) and fact.value is not None
        ]
        if times:
            time, key = min(times)
            found.append(Candidate(name, time, says, key, knowledge=False))
    return found


def _of_ledger(store: Store) -> list[Candidate]:
    """Give the first alarm that told people, the first investigation with an incident, the first thing a person did."""
    entries = store.entries("alarm", "investigation", "decision", "fact")
    found = []
    alarms = [(time, one.seq) for one in entries if (time := _alarmed(one)) is not None]
    if alarms:
        time, seq = min(alarms)
        says = Words("the guard or the watch raised an alarm", "guard または watch が警報を出した")
        found.append(Candidate("alarm", time, says, f"entry {seq}", knowledge=True))
    for name, test, says in _FIRST:
        one = next((entry for entry in entries if test(entry)), None)
        if one is not None:
            found.append(Candidate(name, one.time, says, f"entry {one.seq}", knowledge=True))
    return found


def _alarmed(entry: Entry) -> datetime | None:
    return _aware(entry.body.get("time")) if entry.kind == "alarm" else None


def _investigated(entry: Entry) -> bool:
    return entry.kind == "investigation" and bool(entry.body.get("incidents"))


def _handled(entry: Entry) -> bool:
    """Say whether a person dealt with the incident; what they say of the clocks themselves is not that."""
    if entry.kind == "decision":
        return not str(entry.body["subject"]).startswith("clock/")
    return (
        entry.kind == "fact"
        and entry.body["provenance"] == "entered"
        and str(entry.body["key"]).startswith("incident/")
    )


_FIRST: Final = (
    ("investigated", _investigated, Words("an investigation showed an incident", "調査でインシデントが判明した")),
    ("handled", _handled, Words("somebody decided on it or corrected it", "担当者が判断または訂正をした")),
)


def _time(key: str, value: Any) -> datetime:
    time = _aware(value)
    if time is None:
        raise UsageError(
            f"{key}: {value} is no time with a zone; hikeshi case correct {key} 2026-03-02T11:16:07+09:00 --who … --why …"
        )
    return time


def _aware(value: Any) -> datetime | None:
    try:
        time = datetime.fromisoformat(value)
    except (TypeError, ValueError):
        return None
    return time if time.tzinfo is not None else None


def subject_of_start(rule_id: str) -> str:
    """Give the subject of decisions on what a rule starts with."""
    return f"clock/{rule_id}/start"


def start_of(store: Store, rule: Rule, found: Sequence[Candidate]) -> Start | None:
    """Say what `rule` starts with: what a person decided last, else the earliest of what the rule names; None where nothing is.

    A decision for a candidate that the case no longer has counts no more.
    """
    earliest = next((one for one in found if _names(rule, one)), None)
    decided = decisions(store, subject_of_start(rule.id))
    if decided and decided[-1].choice != EARLIEST:
        chosen = chosen_time(decided[-1].choice, found)
        if chosen is not None:
            return Start(chosen.time, chosen.name, decided[-1])
    return None if earliest is None else Start(earliest.time, earliest.name)


def _names(rule: Rule, one: Candidate) -> bool:
    return one.name in rule.starts or (one.knowledge and KNOWLEDGE in rule.starts)


def chosen_time(choice: str, found: Sequence[Candidate]) -> Candidate | None:
    """Give what a choice stands for: a candidate by its name, or a time of its own; None for neither."""
    known = next((one for one in found if one.name == choice), None)
    if known is not None:
        return known
    time = _aware(choice)
    says = Words("as decided", "判断による")
    return None if time is None else Candidate("decided", time, says, "decision", knowledge=True)
