# SPDX-License-Identifier: Apache-2.0
"""Letters out of people and facts: each tells one person what concerns them, and nothing of anybody else.

Drafting twice gives the same letters, byte for byte: ids are derived from case, report and person, and the time of sending
is no part of a draft. Letters come one at a time, so that memory does not grow with their number.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass, replace
from datetime import tzinfo
from typing import Any, Final

from jinja2 import PackageLoader, pass_environment

from hikeshi.notify.addresses import kind_of, shown
from hikeshi.notify.check import Case, Checker, Earlier
from hikeshi.notify.lists import Language
from hikeshi.notify.outbox import Letter, letter
from hikeshi.notify.outbox.letter import parsed
from hikeshi.notify.person import Group, Person
from hikeshi.notify.typeset import typeset
from hikeshi.wording import asks, words
from hikeshi.wording.document import ASKS, Problem
from hikeshi.wording.facts import Facts, Said
from hikeshi.wording.text import Wording, Written, environment, said, write

#: the letters there are: for A∖B, B∖A and A∩B, the first and what follows it; each a folder of `letters/`
LETTERS: Final[tuple[str, ...]] = (
    "lure",
    "lure-follow-up",
    "exposed",
    "exposed-follow-up",
    "both",
    "both-follow-up",
)
#: what each must ask of its reader; who received no lure is not asked to delete it
_ASKS: Final[Mapping[Group, tuple[str, ...]]] = {
    "lure": ASKS,
    "both": ASKS,
    "exposed": ("ASK2", "ASK3", "ASK5", "ASK6", "ASK7"),
}
#: a subject of the lure is shown up to so many characters
_LONGEST: Final = 120
#: a heading of `letters/`: ■ in Japanese, capitals in English
_HEADING: Final = re.compile(r"■ .+|[A-Z][A-Z ,']+")


@dataclass(frozen=True, slots=True)
class Drafted:
    """A letter as it would leave, to whom, by which template, the facts it prints, and what is wrong with it."""

    letter: Letter
    person: Person
    name: str
    used: tuple[Said, ...]
    problems: tuple[Problem, ...]

    @property
    def blocked(self) -> bool:
        """Say whether it may not be sent."""
        return any(one.severity == "error" for one in self.problems)


@dataclass(frozen=True, slots=True)
class _Who:
    """A person as templates see them."""

    name: str | None
    shared: bool
    outcome: str | None
    copies: Said
    first_time: Said | None
    last_time: Said | None
    subjects: Said | None
    exposed: list[Said]


def drafts(
    case: Case, people: Iterable[Person], earlier: Callable[[Person], Earlier | None], *, checked: bool = True
) -> Iterator[Drafted]:
    """Give the letters to those of the people who are reached by mail, in their order.

    `earlier` gives the last letter to a person, None for who had none: they get the first letter, whatever the report.

    Raises:
        MissingFactError: the case lacks a fact that every letter needs; the message says how it is entered.
        FactError, LetterError: a fact cannot be told, or would break a header.

    """
    writers: dict[Language, _Writer] = {}
    for person in people:
        if person.reach == "mail":
            if person.language not in writers:
                writers[person.language] = _Writer(case, person.language)
            yield writers[person.language].draft(person, earlier(person), checked=checked)


class _Writer:
    """Writes the letters of a report in one language."""

    def __init__(self, case: Case, language: Language) -> None:
        self._case, self._language = case, language
        self._wording = environment(language, case.facts, PackageLoader("hikeshi.notify", "letters"))
        self._wording.filters["each"] = _each
        self._wording.auto_reload = False  # ours do not change while we run
        self._asks = asks.asks(case.facts, language)
        self._desk = asks.used(case.facts, language)
        self._report = said("report.number", case.report, "report")
        self._sender = _sender(case.facts.spoken(language))
        self._checker = Checker(case, language)

    def draft(self, person: Person, before: Earlier | None, *, checked: bool) -> Drafted:
        """Write one letter, and check it."""
        case, who = self._case, _seen(person, self._case)
        name = f"{person.group}-follow-up" if before is not None else person.group
        subject = self._write(name, "subject", who, None)
        body = self._write(name, "body", who, None)
        if before is not None and before.language == self._language:
            changed = changed_sections(before.text, typeset(body.text, self._language))
            body = self._write(name, "body", who, changed)
        made = letter(
            case.case_id,
            case.report,
            person.address,
            language=self._language,
            sender=self._sender,
            subject=" ".join(subject.text.split()),
            text=typeset(body.text, self._language),
        )
        used: list[Said] = []
        for one in (*subject.used, *body.used, *self._desk):
            if one not in used:  # a fact's value may be a list, so it has no hash
                used.append(one)
        told = words_of(who, case.facts.zone, self._language)
        problems = self._checker.problems(made, used, before, _ASKS[person.group], told) if checked else ()
        return Drafted(made, person, name, tuple(used), problems)

    def _write(self, name: str, part: str, who: _Who, changed: list[str] | None) -> Written:
        return write(
            self._wording,
            f"{name}/{part}.{self._language}.txt.j2",
            who=who,
            asks=self._asks,
            report=self._report,
            changed=changed,
        )


def changed_sections(before: str, now: str) -> list[str]:
    """Give the headings of the sections that are not what they were in the letter before, in their order."""
    past, present = _sections(before), _sections(now)
    return [_bare(heading) for heading, words in present.items() if past.get(heading) != words]


def _seen(person: Person, case: Case) -> _Who:
    """Give a person as templates see them: what was counted of them is as sure as that it was a takeover."""

    def fact(name: str, value: Any, unit: str | None = None) -> Said:
        return said(f"recipient.{name}", value, unit, status=case.verdict)

    first, last = (None if one is None else one.replace(microsecond=0) for one in (person.first_time, person.last_time))
    return _Who(
        name=person.name,
        shared=kind_of(person.address) == "shared",
        outcome=person.outcome,
        copies=fact("copies", person.copies, "mails"),
        first_time=None if first is None else fact("first_time", first.isoformat(), "time"),
        last_time=None if last is None or last == first else fact("last_time", last.isoformat(), "time"),
        subjects=fact("subjects", [_line(one) for one in person.subjects]) if person.subjects else None,
        exposed=[
            said(
                f"recipient.exposed.{one.status}",
                [_line(item) for item in one.items],
                status=one.status,
                as_of=case.listed_at,
            )
            for one in person.exposed
        ],
    )


def words_of(who: _Who, zone: tzinfo, language: Language) -> tuple[str, ...]:
    """Give the times of a letter as they stand in it: all that tells one reader's letter from another's of its kind."""
    return tuple(words.time(one, zone, language) for one in (who.first_time, who.last_time) if one is not None)


def _line(text: str) -> str:
    """Give a text from a stranger, or out of a list, as one line that moves no cursor."""
    line = shown(" ".join(text.split()))
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"


def _sender(facts: Facts) -> str:
    """Give the From of all letters: the address that people entered, with the organisation's name."""
    sender = str(facts["org.sender"].value)
    address = parsed(sender)
    if address.display_name:
        return sender
    name = " ".join(str(facts["org.name"].value).split()).replace("\\", "").replace('"', "'")
    return f'"{name}" <{address.addr_spec}>'


def _sections(text: str) -> dict[str, str]:
    """Give the sections of a letter by heading, each in one line; what stands before the first has none."""
    found: dict[str, str] = {}
    heading = None
    for line in text.split("\n"):
        if _HEADING.fullmatch(line):
            heading = line
            found[heading] = ""
        elif heading is not None and not line:
            heading = None  # what comes behind a section without a heading is the closing
        elif heading is not None:
            found[heading] += line
    return found


def _bare(heading: str) -> str:
    bare = heading.removeprefix("■ ")
    return f"「{bare}」" if heading != bare else f'"{bare.capitalize()}"'


@pass_environment
def _each(wording: Wording, value: Said) -> list[str]:
    """Give a fact's values as lines, each with what its status asks for."""
    wording.take(value)
    values = value.value if isinstance(value.value, list) and value.known else [value.value]
    return [words.plain(replace(value, value=one), wording.language) for one in values]
