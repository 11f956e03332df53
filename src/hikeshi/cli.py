# SPDX-License-Identifier: Apache-2.0
"""The command line: one subcommand a room, in story order. Data on stdout, progress and messages on stderr.

Exit codes: 0 done, incident or not; 1 failed; 2 usage; 3 finished with gaps; 4 an incident, with --fail-on-incident.
"""

import json
import sys
from pathlib import Path

import click

from hikeshi.basics.errors import HikeshiError
from hikeshi.basics.meter import Meter
from hikeshi.cases.summary import summary
from hikeshi.drill.rehearsal import rehearse
from hikeshi.evidence.collect import Reading
from hikeshi.evidence.sources import all_sources
from hikeshi.playbook import FALSE_ALARMS, Answer, Question, investigate

_FAILED, _WITH_GAPS, _INCIDENT = 1, 3, 4


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hikeshi")
def main() -> None:
    """Put out a mailbox takeover: from the logs you have to the exact incident."""


@main.command("investigate")
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
@click.option(
    "--tz",
    metavar="ZONE",
    help="Zone of stamps that state none, for example Asia/Tokyo. Default: inferred, else this machine's.",
)
@click.option(
    "--year", type=click.IntRange(1980, 2200), metavar="YYYY", help="Year of stamps that state none. Default: inferred."
)
@click.option(
    "--directory",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Address list to compare the recipients with.",
)
@click.option("--account", metavar="ADDRESS", help="Look at this account only.")
@click.option(
    "--false-alarms",
    default=FALSE_ALARMS,
    show_default=True,
    metavar="N/account-days",
    help="How often you accept a false alarm.",
)
@click.option(
    "--as",
    "source",
    type=click.Choice([one.name for one in all_sources()]),
    help="Take inputs for this source instead of looking.",
)
@click.option("--json", "as_json", is_flag=True, help="Print incident.json on stdout.")
@click.option("--fail-on-incident", is_flag=True, help="Exit 4 if there is an incident.")
def _investigate(
    inputs: tuple[str, ...],
    case: Path,
    org: tuple[str, ...],
    tz: str | None,
    year: int | None,
    directory: Path | None,
    account: str | None,
    false_alarms: str,
    source: str | None,
    as_json: bool,
    fail_on_incident: bool,
) -> None:
    """Find the taken-over mailbox in mail logs and say exactly what went out to whom.

    INPUT is a file, a folder, a glob or - for standard input; gz, bz2, xz, zst, tar and zip are unpacked. What was
    read before is not read again: run it once more on the same case with more logs.
    """
    question = Question(inputs, case, org, Reading(tz, year, source), directory, account, false_alarms)
    _run(question, as_json=as_json, fail_on_incident=fail_on_incident)


@main.command("drill")
@click.argument("name", default="founding")
@click.option(
    "--out",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Folder for the logs, the truth and the case.",
)
@click.option("--write-only", is_flag=True, help="Write the logs and the truth; do not investigate.")
def _drill(name: str, out: Path, *, write_only: bool) -> None:
    """Rehearse: write an invented company's logs with a takeover in them, and investigate them as a user would.

    NAME is a scenario: founding (1,220 mails from one clerk's mailbox, found here after a few), fast, slow, bcc, …
    """
    try:
        click.echo(f"hikeshi: inventing the logs of {name} …", err=True)
        rehearsal = rehearse(name, out)
    except HikeshiError as error:
        click.echo(f"hikeshi: {error}", err=True)
        sys.exit(error.exit_code)
    if write_only:
        click.echo(str(rehearsal.logs))
        return
    _run(rehearsal.question(out / "case"), as_json=False, fail_on_incident=False)


def _run(question: Question, *, as_json: bool, fail_on_incident: bool) -> None:
    try:
        with Meter(question.inputs) as meter:
            answer = investigate(question, meter.watch)
    except HikeshiError as error:
        click.echo(f"hikeshi: {error}", err=True)
        sys.exit(error.exit_code)
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
        return _INCIDENT
    return _WITH_GAPS if answer.gaps else 0


if __name__ == "__main__":
    main()
