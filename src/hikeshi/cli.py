# SPDX-License-Identifier: Apache-2.0
"""The command line: one subcommand a room, in story order. Data on stdout, progress and messages on stderr.

Exit codes: 0 done, incident or not; 1 failed; 2 usage; 3 finished with gaps; 4 an incident, with --fail-on-incident.
"""

import asyncio
import json
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import click

from hikeshi.basics.errors import HikeshiError
from hikeshi.basics.meter import Meter
from hikeshi.cases.summary import summary
from hikeshi.drill.rehearsal import rehearse
from hikeshi.evidence.collect import Reading
from hikeshi.evidence.sources import all_sources
from hikeshi.guard.guard import Guarding, guard
from hikeshi.guard.health import log
from hikeshi.guard.holds import held
from hikeshi.guard.holds.receipt import Outcome, Receipt
from hikeshi.guard.logs.journal import JOURNAL
from hikeshi.guard.mail import Action
from hikeshi.guard.watch import Watching
from hikeshi.guard.weighing.judge import Mode
from hikeshi.playbook import FALSE_ALARMS, Answer, Question, false_alarms, investigate, learn, watch_logs

_FAILED, _WITH_GAPS, _INCIDENT = 1, 3, 4


#: where guard and watch keep things, as the units in deploy/ have it
_HOME = Path("/var/lib/hikeshi")
_STATE = click.option(
    "--state",
    default=str(_HOME / "state"),
    show_default=True,
    metavar="STATE",
    help="File of the guard's state, or redis://HOST:PORT/DB where several servers share one.",
)
_CASE = click.option(
    "--case",
    default=_HOME / "case",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Case folder for alarms and receipts.",
)
_CHANNELS = click.option(
    "--channels",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.toml",
    help="Who is told, and how: mail, webhook, syslog.",
)
_METRICS = click.option("--metrics", metavar="HOST:PORT", help="Serve /metrics and /healthz there, on loopback.")
_POSTFIX = click.option(
    "--postfix",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Postfix's configuration folder, where it is not the usual one.",
)
_WHO = click.option("--who", metavar="NAME", help="Who decides; goes into the receipt. Default: who is signed in.")
_RATE = click.option(
    "--false-alarms",
    "rate",
    default=FALSE_ALARMS,
    show_default=True,
    metavar="N/account-days",
    help="How often you accept a false alarm.",
)
_TZ = click.option(
    "--tz",
    metavar="ZONE",
    help="Zone of stamps that state none, for example Asia/Tokyo. Default: inferred, else this machine's.",
)
_YEAR = click.option(
    "--year", type=click.IntRange(1980, 2200), metavar="YYYY", help="Year of stamps that state none. Default: inferred."
)
_SOURCE = click.option(
    "--as",
    "source",
    type=click.Choice([one.name for one in all_sources()]),
    help="Take inputs for this source instead of looking.",
)
_JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")


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
@_TZ
@_YEAR
@click.option(
    "--directory",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.csv",
    help="Address list to compare the recipients with.",
)
@click.option("--account", metavar="ADDRESS", help="Look at this account only.")
@_RATE
@_SOURCE
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
    with _errors():
        click.echo(f"hikeshi: inventing the logs of {name} …", err=True)
        rehearsal = rehearse(name, out)
    if write_only:
        click.echo(str(rehearsal.logs))
        return
    _run(rehearsal.question(out / "case"), as_json=False, fail_on_incident=False)


@main.group("guard", invoke_without_command=True)
@click.option("--listen", metavar="inet:127.0.0.1:PORT|unix:PATH", help="Where Postfix finds the milter.")
@_STATE
@_CASE
@click.option(
    "--mode",
    type=click.Choice(["observe", "hold", "refuse"]),
    default="observe",
    show_default=True,
    help="What an alarm does: be said, hold, or hold and then refuse.",
)
@click.option(
    "--refuse-after",
    type=click.IntRange(1),
    default=100,
    show_default=True,
    metavar="N",
    help="In mode refuse: hold so many, refuse the rest.",
)
@click.option(
    "--undecided",
    type=click.Choice([Action.GO.value, Action.HOLD.value]),
    default=Action.GO.value,
    show_default=True,
    help="Of a mail that cannot be decided on; set it as Postfix's default_action is: accept, or quarantine.",
)
@_RATE
@_CHANNELS
@_METRICS
@click.pass_context
def _guard(
    context: click.Context,
    listen: str | None,
    state: str,
    case: Path,
    mode: Mode,
    refuse_after: int,
    undecided: str,
    rate: str,
    channels: Path | None,
    metrics: str | None,
) -> None:
    """Hold the burst of a taken-over mailbox at Postfix's submission port, as a milter; docs/guard.md says how.

    The owner's own mail from the usual place goes on. What is held is neither lost nor sent: see held, release, drop.
    """
    if context.invoked_subcommand is not None:
        return
    if listen is None:
        raise click.UsageError("give --listen, or one of the commands learn, held, release, drop")
    log.start()
    with _errors():
        asyncio.run(
            guard(
                Guarding(
                    listen, state, case, mode, refuse_after, false_alarms(rate), Action(undecided), channels, metrics
                )
            )
        )


@_guard.command("learn")
@click.argument("inputs", nargs=-1, required=True, metavar="LOGS...")
@_STATE
@click.option("--org", multiple=True, metavar="DOMAIN", help="Learn only accounts of this domain; may be given again.")
@_TZ
@_YEAR
@_SOURCE
def _learn(
    inputs: tuple[str, ...], state: str, org: tuple[str, ...], tz: str | None, year: int | None, source: str | None
) -> None:
    """Learn from mail logs what is normal here; what the state knows already is passed over."""
    with _errors(), Meter(inputs) as meter:
        learnt = learn(inputs, Reading(tz, year, source), state, org, meter.watch)
    for gap in learnt.gaps:
        click.echo(f"hikeshi: gap: {gap}", err=True)
    click.echo(
        f"learnt {learnt.events:,} events of {learnt.accounts:,} accounts ({learnt.mails:,} mails in {learnt.days:.1f} days; "
        f"{learnt.known:,} were known)"
    )
    sys.exit(_WITH_GAPS if learnt.gaps else 0)


@_guard.command("held")
@_STATE
@_CASE
@_POSTFIX
@_JSON
def _held(state: str, case: Path, postfix: Path | None, *, as_json: bool) -> None:
    """List what the guard holds: whose, since when, how many, and why."""
    del case
    with _errors():
        found = asyncio.run(held.held(state, postfix))
    click.echo(json.dumps(found.document(), ensure_ascii=False, indent=1) if as_json else found.text())


@_guard.command("release")
@click.argument("queue_ids", nargs=-1, metavar="[QUEUE_ID]...")
@click.option(
    "--account", metavar="ADDRESS", help="All that is held of this account; where nothing is, its alarm was false."
)
@click.option("--all", "everything", is_flag=True, help="All that the guard holds.")
@_STATE
@_CASE
@_POSTFIX
@_WHO
@click.option("--why", default="", metavar="REASON", help="Why; goes into the receipt.")
@_JSON
def _release(
    queue_ids: tuple[str, ...], account: str | None, state: str, case: Path, postfix: Path | None,
    who: str | None, why: str, *, everything: bool, as_json: bool,
) -> None:  # fmt: skip
    """Let held mails go on their way. A whole account released is learnt as honest."""
    which = held.Which(queue_ids, account, everything=everything)
    with _errors():
        receipt = asyncio.run(held.release(which, state, postfix, case, who, why))
    _receipt(receipt, as_json=as_json)


@_guard.command("drop")
@click.argument("queue_ids", nargs=-1, metavar="[QUEUE_ID]...")
@click.option("--account", metavar="ADDRESS", help="All that is held of this account.")
@click.option("--all", "everything", is_flag=True, help="All that the guard holds.")
@_STATE
@_CASE
@_POSTFIX
@click.option("--who", required=True, metavar="NAME", help="Who decides; goes into the receipt.")
@click.option("--why", required=True, metavar="REASON", help="Why; goes into the receipt.")
@_JSON
def _drop(
    queue_ids: tuple[str, ...], account: str | None, state: str, case: Path, postfix: Path | None,
    who: str, why: str, *, everything: bool, as_json: bool,
) -> None:  # fmt: skip
    """Delete held mails for good. Asks for a name and a reason, and leaves a receipt."""
    which = held.Which(queue_ids, account, everything=everything)
    with _errors():
        receipt = asyncio.run(held.drop(which, state, postfix, case, who, why))
    _receipt(receipt, as_json=as_json)


@main.command("watch")
@click.argument("logs", nargs=-1, metavar="LOGS...")
@click.option("--journal", is_flag=True, help="Watch the systemd journal too, or instead.")
@_STATE
@_CASE
@_TZ
@_RATE
@_CHANNELS
@_METRICS
def _watch(
    logs: tuple[str, ...],
    state: str,
    case: Path,
    tz: str | None,
    rate: str,
    channels: Path | None,
    metrics: str | None,
    *,
    journal: bool,
) -> None:
    """Notice a taken-over mailbox in mail logs while they are written, through rotation; cannot hold.

    An alarm tells the channels at once and opens a case from the logs within seconds. Resumes after a crash.
    """
    names = [str(Path(one).absolute()) for one in logs] + [JOURNAL] * journal
    if not names:
        raise click.UsageError("give log files to follow, or --journal")
    log.start()
    with _errors():
        asyncio.run(watch_logs(Watching(names, state, case, false_alarms(rate), tz, channels, metrics), rate))


def _run(question: Question, *, as_json: bool, fail_on_incident: bool) -> None:
    with _errors(), Meter(question.inputs) as meter:
        answer = investigate(question, meter.watch)
    _print(answer, question.case, as_json=as_json)
    sys.exit(_exit_code(answer, fail_on_incident=fail_on_incident))


@contextmanager
def _errors() -> Iterator[None]:
    """Tell a person what went wrong, and leave with the exit code for it."""
    try:
        yield
    except HikeshiError as error:
        click.echo(f"hikeshi: {error}", err=True)
        sys.exit(error.exit_code)


def _receipt(done: Receipt, *, as_json: bool) -> None:
    """Say what became of the mails; leave with 1 where some are held against the wish."""
    left = len(done.holds(Outcome.STILL_HELD, Outcome.NO_ID))
    if as_json:
        click.echo(json.dumps(done.document(), ensure_ascii=False, indent=1))
    else:
        counts = ((outcome, len(done.holds(outcome))) for outcome in Outcome)
        told = ", ".join(f"{count:,} {outcome.value}" for outcome, count in counts if count)
        click.echo(told or "nothing was on hold; the running guard or watch takes the account as honest")
        click.echo(f"receipt: {done.path}")
    if done.trouble:
        click.echo(f"hikeshi: {done.trouble}", err=True)
    sys.exit(_FAILED if left or done.trouble else 0)


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
