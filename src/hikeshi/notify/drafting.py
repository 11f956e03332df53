# SPDX-License-Identifier: Apache-2.0
"""Drafts the letters of a report into the outbox and into the case folder, all or none: one that may not leave blocks all.

Letters pass through one by one over a private file, so that memory does not grow with them.
"""

import json
import re
import tempfile
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from sqlalchemy import select

from hikeshi.basics.errors import UsageError
from hikeshi.basics.who import whoever_types
from hikeshi.cases.entries import Status
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import Store, schema
from hikeshi.cases.store.facts import standing
from hikeshi.notify.addresses import person_of
from hikeshi.notify.audience import last_incidents, mailboxes, takeovers
from hikeshi.notify.check import Case
from hikeshi.notify.draft import Drafted, drafts
from hikeshi.notify.earlier import earlier
from hikeshi.notify.lists import list_of
from hikeshi.notify.outbox import Letter
from hikeshi.notify.outbox.book import Put, cancel, put
from hikeshi.notify.outbox.letter import encoded, parsed
from hikeshi.notify.person import Person
from hikeshi.wording.document import Lure, Problem
from hikeshi.wording.facts import Facts
from hikeshi.wording.leaks import Known

FOLDER: Final = "letters"
_DATE: Final = re.compile(rb"^Date: [^\r\n]*\r?\n", re.MULTILINE)
_FROM: Final = re.compile(r"^(>*From )", re.MULTILINE)
#: states of letters that have not left
_HERE: Final = ("drafted", "approved", "leased")
#: the less certain later
_CERTAIN: Final[tuple[Status, ...]] = ("confirmed", "suspected", "unknown", "not_confirmed", "ruled_out")


@dataclass(frozen=True, slots=True)
class Found:
    """Something wrong with so many letters, with the address of the first."""

    problem: Problem
    letters: int
    first: str


@dataclass(frozen=True, slots=True)
class Drafts:
    """What drafting a report has done. Where `blocked`, nothing was kept; `withdrawn` drafts are of people no longer mailed."""

    letters: int
    found: tuple[Found, ...]
    put: Put
    withdrawn: int
    file: Path | None

    @property
    def blocked(self) -> bool:
        """Say whether something is wrong that may not leave."""
        return any(one.problem.severity == "error" for one in self.found)


def case_of(store: Store, case: Path, people: Sequence[Person], report: int) -> Case:
    """Give what all letters of a report have in common.

    Raises:
        UsageError: there is no report of that number.
        MissingFactError: the case does not know from which address letters come.

    """
    if report < 1:
        raise UsageError(f"--report {report}: reports are numbered from 1")
    facts, standing_facts = Facts.of(store), standing(store)
    took = takeovers(standing_facts, last_incidents(store))
    verdicts: list[Status] = [
        standing_facts[key].fact.status
        for one in took.values()
        if (key := f"incident/{one['id']}/verdict") in standing_facts
    ]
    listed = list_of(store, case, "exposed")
    ours = mailboxes(took.values())
    sender = person_of(parsed(str(facts["org.sender"].value)).addr_spec)
    hidden = [one.address for one in people if one.address and one.key != sender]
    return Case(
        case_id=store.case_id,
        report=report,
        facts=facts,
        verdict=max(verdicts, key=_CERTAIN.index, default="confirmed"),
        listed_at=None if listed is None else listed[1],
        lure=Lure(
            subjects=sorted({*_texts(facts, "lure.subject"), *(name for one in people for name in one.subjects)}),
            account=next(iter(ours), None),
            urls=_texts(facts, "lure.url"),
        ),
        hidden=Known([*hidden, *ours]),
    )


def draft_report(
    store: Store, case: Path, people: Sequence[Person], report: int, watch: Callable[[int], None] = lambda _: None
) -> Drafts:
    """Draft the letters of a report; `watch` is told how many are written. Whoever drafts twice changes nothing.

    Raises:
        HikeshiError: a fact is missing, an address is none, the case cannot be written to: with what to do.

    """
    folder, name = CaseFolder(case / FOLDER), f"report-{report}.mbox"
    shared = case_of(store, case, people, report)
    seen: dict[tuple[str, str, str], Found] = {}
    ids: set[str] = set()
    with tempfile.TemporaryDirectory(prefix=".draft-", dir=folder.path) as work:
        aside = CaseFolder(Path(work))
        with aside.writing("letters.jsonl") as rows, aside.writing(name) as box:
            for one in drafts(shared, people, earlier(store, report)):
                rows.write(json.dumps(asdict(one.letter)) + "\n")
                box.write(boxed(one.letter))
                ids.add(one.letter.id)
                _note(seen, one)
                watch(len(ids))
        found = tuple(sorted(seen.values(), key=lambda each: (each.problem.severity, each.problem.rule)))
        if any(one.problem.severity == "error" for one in found):
            return Drafts(len(ids), found, Put(), 0, None)
        kept = put(store, _read(aside.path / "letters.jsonl"))
        gone = _withdrawn(store, report, ids)
        (aside.path / name).replace(folder.path / name)
    return Drafts(len(ids), found, kept, gone, folder.path / name)


def boxed(letter: Letter) -> str:
    """Give a letter as one mail of an mbox file (mboxrd), without the date that it gets when it leaves."""
    text = _DATE.sub(b"", encoded(letter, datetime.now(UTC)), count=1).decode("ascii").replace("\r\n", "\n")
    quoted = _FROM.sub(r">\1", text)
    return f"From MAILER-DAEMON Thu Jan  1 00:00:00 1970\n{quoted}\n"


def withdraw(store: Store, person: str, *, who: str, why: str) -> int:
    """Take back the letters to a person that have not left, of all reports, since they are told otherwise; say how many.

    Raises:
        StoreError: it could not be written.

    """
    of = schema.letters.c
    asked = select(of.id).where(of.case_id == store.case_id, of.person == person, of.state.in_(_HERE))
    with store.reading() as connection:
        waiting = list(connection.execute(asked).scalars())
    return cancel(store, waiting, who=who, why=why) if waiting else 0


def _withdrawn(store: Store, report: int, ids: set[str]) -> int:
    """Take back drafts of people who are not mailed any more, so that no approval lets them leave; say how many."""
    of = schema.letters.c
    asked = select(of.id).where(of.case_id == store.case_id, of.report == report, of.state.in_(_HERE))
    with store.reading() as connection:
        gone = [name for name in connection.execute(asked).scalars() if name not in ids]
    if gone:
        cancel(
            store, gone, who=whoever_types(), why=f"report {report} was drafted again, and they get no letter any more"
        )
    return len(gone)


def _note(seen: dict[tuple[str, str, str], Found], one: Drafted) -> None:
    for problem in one.problems:
        key = (problem.rule, problem.severity, problem.where)
        past = seen.get(key)
        seen[key] = (
            Found(problem, 1, one.letter.address) if past is None else Found(past.problem, past.letters + 1, past.first)
        )


def _read(spool: Path) -> Iterator[Letter]:
    with spool.open(encoding="utf-8") as rows:
        for row in rows:
            yield Letter(**json.loads(row))


def _texts(facts: Facts, key: str) -> list[str]:
    said = facts.get(key)
    if said is None or not said.known:
        return []
    values: Iterable[object] = said.value if isinstance(said.value, list) else [said.value]
    return [str(one) for one in values]
