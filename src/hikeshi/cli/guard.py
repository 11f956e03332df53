# SPDX-License-Identifier: Apache-2.0
"""`hikeshi guard` and `hikeshi watch`: the same model while it happens."""

import asyncio
import json
import sys
from pathlib import Path

import click

from hikeshi.basics.meter import Meter
from hikeshi.cli.options import (
    CASE,
    CHANNELS,
    FAILED,
    JSON,
    METRICS,
    POSTFIX,
    RATE,
    SOURCE,
    STATE,
    TZ,
    WHO,
    WITH_GAPS,
    YEAR,
    errors,
)
from hikeshi.evidence.collect import Reading
from hikeshi.guard.guard import Guarding, guard
from hikeshi.guard.health import log
from hikeshi.guard.holds import held
from hikeshi.guard.holds.receipt import Outcome, Receipt
from hikeshi.guard.logs.journal import JOURNAL
from hikeshi.guard.mail import Action
from hikeshi.guard.watch import Watching
from hikeshi.guard.weighing.judge import Mode
from hikeshi.playbook import false_alarms, learn, watch_logs


@click.group("guard", invoke_without_command=True)
@click.option("--listen", metavar="inet:127.0.0.1:PORT|unix:PATH", help="Where Postfix finds the milter.")
@STATE
@CASE
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
@RATE
@CHANNELS
@METRICS
@click.pass_context
def guard_command(
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
    with errors():
        asyncio.run(
            guard(
                Guarding(
                    listen, state, case, mode, refuse_after, false_alarms(rate), Action(undecided), channels, metrics
                )
            )
        )


@guard_command.command("learn")
@click.argument("inputs", nargs=-1, required=True, metavar="LOGS...")
@STATE
@click.option("--org", multiple=True, metavar="DOMAIN", help="Learn only accounts of this domain; may be given again.")
@TZ
@YEAR
@SOURCE
def _learn(
    inputs: tuple[str, ...], state: str, org: tuple[str, ...], tz: str | None, year: int | None, source: str | None
) -> None:
    """Learn from mail logs what is normal here; what the state knows already is passed over."""
    with errors(), Meter(inputs) as meter:
        learnt = learn(inputs, Reading(tz, year, source), state, org, meter.watch)
    for gap in learnt.gaps:
        click.echo(f"hikeshi: gap: {gap}", err=True)
    click.echo(
        f"learnt {learnt.events:,} events of {learnt.accounts:,} accounts ({learnt.mails:,} mails in {learnt.days:.1f} days; "
        f"{learnt.known:,} were known)"
    )
    sys.exit(WITH_GAPS if learnt.gaps else 0)


@guard_command.command("held")
@STATE
@CASE
@POSTFIX
@JSON
def _held(state: str, case: Path, postfix: Path | None, *, as_json: bool) -> None:
    """List what the guard holds: whose, since when, how many, and why."""
    del case
    with errors():
        found = asyncio.run(held.held(state, postfix))
    click.echo(json.dumps(found.document(), ensure_ascii=False, indent=1) if as_json else found.text())


@guard_command.command("release")
@click.argument("queue_ids", nargs=-1, metavar="[QUEUE_ID]...")
@click.option(
    "--account", metavar="ADDRESS", help="All that is held of this account; where nothing is, its alarm was false."
)
@click.option("--all", "everything", is_flag=True, help="All that the guard holds.")
@STATE
@CASE
@POSTFIX
@WHO
@click.option("--why", default="", metavar="REASON", help="Why; goes into the receipt.")
@JSON
def _release(
    queue_ids: tuple[str, ...], account: str | None, state: str, case: Path, postfix: Path | None,
    who: str | None, why: str, *, everything: bool, as_json: bool,
) -> None:  # fmt: skip
    """Let held mails go on their way. A whole account released is learnt as honest."""
    which = held.Which(queue_ids, account, everything=everything)
    with errors():
        receipt = asyncio.run(held.release(which, state, postfix, case, who, why))
    _receipt(receipt, as_json=as_json)


@guard_command.command("drop")
@click.argument("queue_ids", nargs=-1, metavar="[QUEUE_ID]...")
@click.option("--account", metavar="ADDRESS", help="All that is held of this account.")
@click.option("--all", "everything", is_flag=True, help="All that the guard holds.")
@STATE
@CASE
@POSTFIX
@click.option("--who", required=True, metavar="NAME", help="Who decides; goes into the receipt.")
@click.option("--why", required=True, metavar="REASON", help="Why; goes into the receipt.")
@JSON
def _drop(
    queue_ids: tuple[str, ...], account: str | None, state: str, case: Path, postfix: Path | None,
    who: str, why: str, *, everything: bool, as_json: bool,
) -> None:  # fmt: skip
    """Delete held mails for good. Asks for a name and a reason, and leaves a receipt."""
    which = held.Which(queue_ids, account, everything=everything)
    with errors():
        receipt = asyncio.run(held.drop(which, state, postfix, case, who, why))
    _receipt(receipt, as_json=as_json)


@click.command("watch")
@click.argument("logs", nargs=-1, metavar="LOGS...")
@click.option("--journal", is_flag=True, help="Watch the systemd journal too, or instead.")
@STATE
@CASE
@TZ
@RATE
@CHANNELS
@METRICS
def watch_command(
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
    with errors():
        asyncio.run(watch_logs(Watching(names, state, case, false_alarms(rate), tz, channels, metrics), rate))


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
    sys.exit(FAILED if left or done.trouble else 0)
