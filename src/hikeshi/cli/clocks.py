# SPDX-License-Identifier: Apache-2.0
"""`hikeshi clocks`: which reports are due when, what they still need; people decide, choose starts, hand in."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, tzinfo
from pathlib import Path
from typing import Any

import click

from hikeshi.basics.errors import UsageError
from hikeshi.basics.zones import machine_zone
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import Store
from hikeshi.cases.store.decisions import decide
from hikeshi.cases.told import shown_in
from hikeshi.cli.options import JSON, OPEN_CASE, errors
from hikeshi.cli.store import audited, opened
from hikeshi.evidence.seal import load
from hikeshi.publish.clocks.clock import CHOICES, clocks, subject_of_need
from hikeshi.publish.clocks.document import document
from hikeshi.publish.clocks.rulebook import rulebook, versions
from hikeshi.publish.clocks.starts import EARLIEST, candidates, chosen_time, subject_of_start
from hikeshi.publish.clocks.submissions import submit
from hikeshi.publish.clocks.table import table

_RULES = click.option(
    "--rules",
    "own",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder of rules of your own beside ours: contracts, sectors, other laws.",
)
_WHO = click.option("--who", required=True, metavar="NAME", help="Who decides or reports.")
_WHY = click.option("--why", required=True, metavar="REASON", help="Why.")


@click.group("clocks", invoke_without_command=True)
@click.option("--case", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Case folder.")
@click.option(
    "--regime", "regimes", multiple=True, metavar="NAME", help="Only this regime, in detail; may be given again."
)
@click.option("--at", "at", metavar="TIME", help="How it stands at this time, with its offset. Default: now.")
@click.option(
    "--as-if",
    type=click.DateTime(["%Y-%m-%d"]),
    metavar="DATE",
    help="By the rules of this day instead of the start's, for rehearsing old cases; marked hypothetical.",
)
@click.option("--lang", type=click.Choice(["en", "ja"]), default="en", show_default=True, help="Language for people.")
@click.option("--ics", is_flag=True, help="Print a calendar (iCalendar) on stdout.")
@JSON
@_RULES
@click.pass_context
def clocks_command(
    context: click.Context,
    case: Path | None,
    regimes: tuple[str, ...],
    at: str | None,
    as_if: datetime | None,
    lang: Any,
    own: Path | None,
    *,
    ics: bool,
    as_json: bool,
) -> None:
    """Show which reports are due when, and what they still need. It counts and reminds; people decide and send.

    A time that the logs do not know is entered with: hikeshi case correct clock/start/reported TIME.
    """
    if context.invoked_subcommand is not None:
        return
    with errors():
        if case is None:
            raise UsageError("--case DIR is missing; hikeshi clocks --help")
        if ics and as_json:
            raise UsageError("--ics and --json: give one of them")
        book = rulebook(own)
        now = datetime.now(UTC) if at is None else _time("--at", at)
        day = None if as_if is None else as_if.date()
        with opened(case) as store:
            told = clocks(store, book, now=now, zone=_zone(case), regimes=regimes, as_if=day)
            if ics:
                from hikeshi.publish.clocks.ics import calendar  # noqa: PLC0415 - a calendar is asked for rarely

                click.echo(calendar(told, store, lang), nl=False)
                return
    click.echo(
        json.dumps(document(told), ensure_ascii=False, indent=1)
        if as_json
        else table(told, lang, detailed=bool(regimes))
    )


@clocks_command.command("decide")
@click.argument("rule")
@OPEN_CASE
@click.option("--choice", required=True, type=click.Choice(CHOICES), help="Whether this report is needed.")
@_WHO
@_WHY
@_RULES
def _decide(rule: str, case: Path, choice: str, who: str, why: str, own: Path | None) -> None:
    """Write down a person's decision on whether the report RULE is needed; the tool never makes it."""
    with _changing(case, rule, own) as store:
        decide(store, subject_of_need(rule), choice, who=who, why=why)
    click.echo(f"{rule}: {choice}, decided by {who}")


@clocks_command.command("start")
@click.argument("rule")
@click.argument("choice")
@OPEN_CASE
@_WHO
@_WHY
@_RULES
def _start(rule: str, choice: str, case: Path, who: str, why: str, own: Path | None) -> None:
    """Let the clock of RULE run from CHOICE: the name of a candidate, a time with its offset, or `earliest` again."""
    with _changing(case, rule, own) as store:
        found = candidates(store)
        chosen = chosen_time(choice, found)
        if chosen is None and choice != EARLIEST:
            names = ", ".join([*(one.name for one in found), EARLIEST])
            raise UsageError(f"{choice}: neither a candidate ({names}) nor a time with its offset")
        decide(store, subject_of_start(rule), choice, who=who, why=why)
    click.echo(f"{rule}: runs from {choice}{f', {chosen.time.isoformat()}' if chosen else ''}")


@clocks_command.command("submitted")
@click.argument("rule")
@OPEN_CASE
@click.option("--at", "at", required=True, metavar="TIME", help="When it was handed in, with its offset.")
@click.option("--proof", required=True, metavar="FILE|TEXT", help="What proves it; a file is copied into the case.")
@_WHO
@_WHY
@_RULES
def _submitted(rule: str, case: Path, at: str, proof: str, who: str, why: str, own: Path | None) -> None:
    """Write down that the report RULE was handed in, with its proof. Follow-ups are written down in the same way."""
    with _changing(case, rule, own) as store:
        book, time = rulebook(own), _time("--at", at)
        running = clocks(store, book, now=time, zone=_zone(case)).clocks
        _, latest = versions(book, rule)[-1]
        in_force = next((one.rule for one in running if one.rule.id == rule), latest)
        done = submit(store, case, in_force, at=time, proof=proof, who=who, why=why)
    kept = f"the file {done.proof['file']}" if "file" in done.proof else f"the text {done.proof['text']!r}"
    click.echo(f"{rule}: handed in on {done.at.isoformat()}; proof: {kept}, SHA-256 {done.proof['sha256']}")


@contextmanager
def _changing(case: Path, rule: str, own: Path | None) -> Iterator[Store]:
    """Open the case for writing something about a rule that there is."""
    with errors():
        versions(rulebook(own), rule)
        with opened(case) as store:
            audited(store)
            yield store


def _zone(case: Path) -> tzinfo:
    """Give the organisation's zone: that of most of the evidence, else this machine's."""
    manifest = load(CaseFolder(case).evidence)
    return shown_in(manifest) if manifest.inputs else machine_zone()[1]


def _time(option: str, text: str) -> datetime:
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise UsageError(f"{option} {text}: is no time with an offset; write 2026-03-02T11:16:07+09:00")
    return time
