# SPDX-License-Identifier: Apache-2.0
"""`hikeshi notify`: tell everyone concerned, one by one: who they are, their letters, approval, and what is left to do."""

import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import Any, Final, get_args

import click

from hikeshi.basics.errors import UsageError
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import Store
from hikeshi.cases.store.facts import standing
from hikeshi.cli.options import FAILED, JSON, LANG, OPEN_CASE, WITH_GAPS, errors
from hikeshi.cli.sending import sending_commands
from hikeshi.cli.store import audited, opened
from hikeshi.notify import corrections, lists, tables
from hikeshi.notify.addresses import person_of, shown
from hikeshi.notify.audience import audience
from hikeshi.notify.corrections import BY_HAND, Reach, Way
from hikeshi.notify.draft import drafts
from hikeshi.notify.drafting import Drafts, case_of, draft_report, withdraw
from hikeshi.notify.earlier import earlier
from hikeshi.notify.lists import Language
from hikeshi.notify.outbox import approval, book
from hikeshi.notify.person import Person
from hikeshi.notify.reconciliation import reconcile, write_worklist
from hikeshi.notify.told import last_report, tellings

#: the fact that says how many people must approve letters, 1 or 2; default 1
APPROVERS: Final = "letters.approvers"
_REPORT = click.option("--report", type=click.IntRange(min=1), metavar="N", help="Report number. Default: the last.")
_WHO = click.option("--who", required=True, metavar="NAME", help="Who decides.")
_WHY = click.option("--why", required=True, metavar="REASON", help="Why.")


@click.group("notify")
def notify_command() -> None:
    """Tell everyone concerned, one by one: people, preview, draft, approve, send, settle, status, worklist.

    Nothing leaves that nobody approved, and nothing is drafted that breaks a rule. See the people first.
    """


@notify_command.command("people")
@OPEN_CASE
@click.option(
    "--exposed",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Whose data may be exposed: address,name,items,status.",
)
@click.option(
    "--contacts",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="How people are reached: address,name,language,phone,post; @example.com is everybody there.",
)
@click.option("--who", metavar="NAME", help="With a list: who brings it in.")
@click.option("--why", metavar="REASON", help="With a list: why.")
@LANG
@JSON
def _people(
    case: Path, exposed: Path | None, contacts: Path | None, who: str | None, why: str | None, lang: Language,
    *, as_json: bool,
) -> None:  # fmt: skip
    """Show who is told, by which letter and which way; bring in lists, each in the place of the last of its kind."""
    files = {name: file for name, file in (("exposed", exposed), ("contacts", contacts)) if file is not None}
    if files and not (who and why):
        raise click.UsageError("a list is brought in by somebody: --who NAME --why REASON")
    with errors(), opened(case) as store:
        if files:
            audited(store)
        for name, file in files.items():
            count = lists.bring_in(store, case, name, file, who=who or "", why=why or "")
            click.echo(f"{name}: {count:,} lines", err=True)
        people = audience(store, case)
    if as_json:
        click.echo(json.dumps({"people": len(people), "variants": tables.variants(people)}, indent=1))
    else:
        click.echo(tables.variants_text(people, lang))


@notify_command.command("preview")
@OPEN_CASE
@click.option("--address", metavar="ADDRESS", help="Whose letter. Default: one of the most frequent kind.")
@_REPORT
@LANG
def _preview(case: Path, address: str | None, report: int | None, lang: Language) -> None:
    """Print one letter as its recipient would see it, and how many people get which; writes nothing."""
    with errors(), opened(case) as store:
        people = audience(store, case)
        number = report or last_report(store) or 1
        person = _person(people, address) if address else _typical(people)
        if person.reach != "mail":
            raise UsageError(f"{shown(person.key)}: gets no letter by mail, but {person.reach}: {person.why['en']}")
        (one,) = drafts(case_of(store, case, people, number), [person], earlier(store, number))
    click.echo(f"From: {one.letter.sender}\nTo: {one.letter.address}\nSubject: {one.letter.subject}\n")
    click.echo(one.letter.text)
    for problem in one.problems:
        click.echo(f"{problem.severity}  {problem.rule}  {shown(problem.where)}: {problem.says[lang]}", err=True)
    click.echo(tables.variants_text(people, lang), err=True)
    sys.exit(FAILED if one.blocked else 0)


@notify_command.command("draft")
@OPEN_CASE
@click.option("--report", required=True, type=click.IntRange(min=1), metavar="N", help="Report number.")
@LANG
def _draft(case: Path, report: int, lang: Language) -> None:
    """Draft the letters of a report into the outbox and DIR/letters, all or none. Nothing is sent.

    What breaks a rule blocks all, and is named with the rule and the place. Drafting again changes what has changed.
    """
    with errors(), opened(case) as store:
        audited(store)
        people = audience(store, case)
        with _progress() as watch:
            done = draft_report(store, case, people, report, watch)
        waiting = write_worklist(CaseFolder(case), people, tellings(store))
        batch = approval.batch(store, report)
    if done.found:
        click.echo(tables.found_text(done.found, lang), err=True)
    if done.blocked:
        click.echo(
            f"hikeshi: report {report}: none of {done.letters:,} letters was kept; see the errors above", err=True
        )
        sys.exit(FAILED)
    click.echo(_drafted(report, done))
    click.echo(f"{waiting:,} people cannot be told by mail: {case / 'worklist.csv'}")
    if batch.letters:
        click.echo(
            f"{batch.letters:,} drafts wait, digest {batch.digest[:12]}: hikeshi notify preview --case {case}, then "
            f"hikeshi notify approve --report {report} --case {case} --who NAME --why REASON"
        )


@notify_command.command("approve")
@OPEN_CASE
@_REPORT
@_WHO
@_WHY
def _approve(case: Path, report: int | None, who: str, why: str) -> None:
    """Approve the drafts of a report as they are now. Where the fact letters.approvers is 2, another person must, too."""
    with errors(), opened(case) as store:
        number = _reported(store, report)
        audited(store)
        batch = approval.batch(store, number)
        enough = approval.approve(store, batch, who=who, why=why, persons=_approvers(store))
    what = f"report {number}: {batch.letters:,} letters, digest {batch.digest[:12]}"
    click.echo(
        f"{what}, approved by {who}" + ("" if enough else "; another person must approve from a login of their own")
    )


@notify_command.command("refuse")
@OPEN_CASE
@_REPORT
@_WHO
@_WHY
def _refuse(case: Path, report: int | None, who: str, why: str) -> None:
    """Refuse the drafts of a report; approvals that they had count no more."""
    with errors(), opened(case) as store:
        number = _reported(store, report)
        audited(store)
        approval.refuse(store, approval.batch(store, number), who=who, why=why)
    click.echo(f"report {number}: refused by {who}")


@notify_command.command("status")
@OPEN_CASE
@_REPORT
@LANG
@JSON
def _status(case: Path, report: int | None, lang: Language, *, as_json: bool) -> None:
    """Say who was told and who is left: scoped − told − handed over − left out, which must come to 0.

    Without --report, whoever was told by any report is told. Leaves with 3 while somebody is left.
    """
    with errors(), opened(case) as store:
        rows = reconcile(audience(store, case), tellings(store, report))
        states = book.counts(store, report)
    if as_json:
        lines = [{"group": one.group, "scoped": one.scoped, "open": one.open, **one.places} for one in rows]
        click.echo(json.dumps({"reconciliation": lines, "letters": states, "closes": not rows[-1].open}, indent=1))
    else:
        click.echo(tables.reconciliation_text(rows, lang))
        click.echo("; ".join(f"{state} {count:,}" for state, count in states.items()) or "no letters yet", err=True)
    sys.exit(WITH_GAPS if rows[-1].open else 0)


@notify_command.command("worklist")
@OPEN_CASE
def _worklist(case: Path) -> None:
    """Write DIR/worklist.csv: whom people must tell by phone, by post or by a notice to the public, and why."""
    with errors(), opened(case) as store:
        people = audience(store, case)
        waiting = write_worklist(CaseFolder(case), people, tellings(store))
    click.echo(
        f"{case / 'worklist.csv'}: {waiting:,} people are left; hikeshi notify handed-over ADDRESS when one is told"
    )


@notify_command.command("handed-over")
@click.argument("address")
@OPEN_CASE
@click.option("--by", required=True, type=click.Choice(BY_HAND), help="How they are told.")
@_WHO
@_WHY
def _handed_over(address: str, case: Path, by: Way, who: str, why: str) -> None:
    """Write down that a person was told, or taken on, otherwise than by a letter. ADDRESS, or `person` of worklist.csv."""
    with errors(), opened(case) as store:
        person = _person(audience(store, case), address)
        audited(store)
        corrections.hand_over(store, person.key, by=by, who=who, why=why)
    click.echo(f"{shown(person.key)}: handed over by {by}, {who}")


@notify_command.command("correct")
@click.argument("address")
@OPEN_CASE
@click.option("--reach", type=click.Choice(get_args(Way)), help="How they are told.")
@click.option("--language", type=click.Choice(get_args(Language)), help="Language of their letter.")
@click.option("--leave-out", is_flag=True, help="They are not told.")
@_WHO
@_WHY
def _correct(
    address: str, case: Path, reach: Reach | None, language: Language | None, who: str, why: str, *, leave_out: bool
) -> None:
    """Decide how a person is told, in which language, or that they are not. Draft again afterwards."""
    if leave_out and reach:
        raise click.UsageError("--leave-out and --reach: give one of them")
    with errors(), opened(case) as store:
        person = _person(audience(store, case), address)
        audited(store)
        way: Reach | None = "left-out" if leave_out else reach
        corrections.correct(store, person.key, reach=way, language=language, who=who, why=why)
        now = _person(audience(store, case), address)
        gone = withdraw(store, now.key, who=who, why=why) if now.reach != "mail" else 0
    click.echo(f"{shown(now.key)}: {now.reach}, {now.language}" + (f"; {now.why['en']}" if now.why else ""))
    if gone:
        click.echo(f"{gone:,} letters to them that had not left are taken back")


for _command in sending_commands():
    notify_command.add_command(_command)


def _person(people: list[Person], address: str) -> Person:
    key = person_of(address)
    found = next((one for one in people if one.key == key), None)
    if found is None:
        raise UsageError(f"{shown(address)}: nobody of that address is concerned, so far as the case knows")
    return found


def _typical(people: list[Person]) -> Person:
    written = [one for one in people if one.reach == "mail"]
    if not written:
        raise UsageError("nobody is told by mail; hikeshi notify people --case DIR says who is concerned")
    most = next(one for one in tables.variants(written))
    return next(one for one in written if (one.group, one.outcome, one.language) == tuple(most.values())[:3])


def _reported(store: Store, report: int | None) -> int:
    number = report or last_report(store)
    if number is None:
        raise UsageError("no letters are drafted yet; hikeshi notify draft --report 1 --case DIR")
    return number


def _approvers(store: Store) -> int:
    said = standing(store).get(APPROVERS)
    if said is None:
        return 1
    if said.fact.value not in (1, 2):
        raise UsageError(f"{APPROVERS}: {said.fact.value!r}; letters are approved by 1 or 2 people")
    return int(said.fact.value)


def _drafted(report: int, done: Drafts) -> str:
    counts = ", ".join(f"{count:,} {name}" for name, count in asdict(done.put).items() if count)
    gone = f"; {done.withdrawn:,} drafts of people no longer mailed taken back" if done.withdrawn else ""
    return f"report {report}: {done.letters:,} letters ({counts or 'none'}){gone}: {done.file}"


@contextmanager
def _progress() -> Iterator[Any]:
    """Tell on a terminal how many letters are written."""
    if not sys.stderr.isatty():
        yield lambda _: None
        return

    def told(count: int) -> None:
        if count % 100 == 0:
            click.echo(f"\r{count:,} letters", nl=False, err=True)

    yield told
    click.echo("\r", nl=False, err=True)
