# SPDX-License-Identifier: Apache-2.0
"""`hikeshi investigate` and `hikeshi drill`: from logs to the exact incident."""

import json
import sys
from pathlib import Path

import click

from hikeshi.basics.meter import Meter
from hikeshi.cases.summary import summary
from hikeshi.cli.options import INCIDENT, RATE, SOURCE, TZ, WITH_GAPS, YEAR, errors
from hikeshi.drill.rehearsal import rehearse
from hikeshi.evidence.collect import Reading
from hikeshi.playbook import Answer, Question, investigate


@click.command("investigate")
@click.argument("inputs", nargs=-1, required=True, metavar="INPUT...")
@click.option(
    "--case",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Case folder; made if missing, added to if there.",
)
@click.option(
    "--org", multiple=True, metavar="DOMAIN", help="Domain of your own; may be given again. Default: inferred."
)
@TZ
@YEAR
@click.option(
    "--directory",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Address list to compare the recipients with.",
)
@click.option("--account", metavar="ADDRESS", help="Look at this account only.")
@RATE
@SOURCE
@click.option("--json", "as_json", is_flag=True, help="Print incident.json on stdout.")
@click.option("--fail-on-incident", is_flag=True, help="Exit 4 if there is an incident.")
def investigate_command(
    inputs: tuple[str, ...],
    case: Path,
    org: tuple[str, ...],
    tz: str | None,
    year: int | None,
    directory: Path | None,
    account: str | None,
    rate: str,
    source: str | None,
    as_json: bool,
    fail_on_incident: bool,
) -> None:
    """Find the taken-over mailbox in mail logs and say exactly what went out to whom.

    INPUT is a file, a folder, a glob or - for standard input; gz, bz2, xz, zst, tar and zip are unpacked. What was
    read before is not read again: run it once more on the same case with more logs.
    """
    question = Question(inputs, case, org, Reading(tz, year, source), directory, account, rate)
    _run(question, as_json=as_json, fail_on_incident=fail_on_incident)


@click.command("drill")
@click.argument("name", default="founding")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the logs, the truth and the case.",
)
@click.option("--write-only", is_flag=True, help="Write the logs and the truth; do not investigate.")
def drill_command(name: str, out: Path, *, write_only: bool) -> None:
    """Rehearse: write an invented company's logs with a takeover in them, and investigate them as a user would.

    NAME is a scenario: founding (1,220 mails from one clerk's mailbox, found here after a few), fast, slow, bcc, …
    """
    with errors():
        click.echo(f"hikeshi: inventing the logs of {name} …", err=True)
        rehearsal = rehearse(name, out)
    if write_only:
        click.echo(str(rehearsal.logs))
        return
    _run(rehearsal.question(out / "case"), as_json=False, fail_on_incident=False)


def _run(question: Question, *, as_json: bool, fail_on_incident: bool) -> None:
    with errors(), Meter(question.inputs) as meter:
        answer = investigate(question, meter.watch)
    _print(answer, question.case, as_json=as_json)
    sys.exit(_exit_code(answer, fail_on_incident=fail_on_incident))


def _print(answer: Answer, case: Path, *, as_json: bool) -> None:
    for gap in answer.gaps:
        click.echo(f"hikeshi: gap: {gap}", err=True)
    if as_json:
        json.dump(answer.document, sys.stdout, ensure_ascii=False, indent=1)
        sys.stdout.write("\n")
    else:
        click.echo(summary(answer.document, case / "report.html"))


def _exit_code(answer: Answer, *, fail_on_incident: bool) -> int:
    if fail_on_incident and answer.incidents:
        return INCIDENT
    return WITH_GAPS if answer.gaps else 0
