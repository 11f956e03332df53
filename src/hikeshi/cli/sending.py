# SPDX-License-Identifier: Apache-2.0
"""The part of `hikeshi notify` that sends what is approved, and takes up what became of it."""

import sys
from collections import Counter
from pathlib import Path
from typing import Final

import click

from hikeshi.cli.options import FAILED, OPEN_CASE, WITH_GAPS, errors
from hikeshi.cli.store import audited, opened
from hikeshi.notify.addresses import shown
from hikeshi.notify.configuration import read_configuration
from hikeshi.notify.outbox import book, bounces, identity, run, settle
from hikeshi.notify.outbox.send import Progress
from hikeshi.notify.told import last_report

_RELAY: Final = click.option(
    "--relay",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/hikeshi/letters.toml"),
    show_default=True,
    metavar="FILE.toml",
    help="Where letters are handed in, how fast, and whose log says what became of them.",
)
_WHO: Final = click.option("--who", required=True, metavar="NAME", help="Who decides.")
_WHY: Final = click.option("--why", required=True, metavar="REASON", help="Why.")


@click.command("send")
@OPEN_CASE
@_RELAY
def _send(case: Path, file: Path) -> None:
    """Send what is approved, after settling from the log what a crash left open. Ctrl-C stops; run again to go on.

    Leaves with 3 while letters are open or put off, with 1 if some were refused or given up.
    """
    with errors():
        configuration = read_configuration(file)
        with opened(case) as store:
            audited(store)
            ran = run.run(store, configuration.relay, configuration.sending, logs=configuration.logs, watch=_watch)
    if sys.stderr.isatty():
        click.echo("", err=True)
    click.echo(_counted(ran.outcomes, "nothing left"))
    click.echo(f"letters: {_counted(ran.states, 'none')}")
    if ran.paused:
        click.echo(f"paused; hikeshi notify resume --case {case} --who NAME --why REASON", err=True)
    if ran.open:
        click.echo(
            f"{ran.open:,} letters may have left or not; hikeshi notify settle LOG --case {case} asks the relay's log",
            err=True,
        )
    if ran.due:
        click.echo(f"put off by the relay; the next may be tried at {ran.due}: run this again", err=True)
    if ran.states.get("refused") or ran.states.get("given_up"):
        sys.exit(FAILED)
    sys.exit(WITH_GAPS if ran.open or ran.due or ran.paused or ran.stopped else 0)


@click.command("settle")
@click.argument("logs", nargs=-1, required=True, metavar="LOG...")
@OPEN_CASE
@click.option("--tz", metavar="ZONE", help="Zone of stamps that state none.")
def _settle(logs: tuple[str, ...], case: Path, tz: str | None) -> None:
    """Learn from the relay's mail log what became of letters; what it never took is sent again by the next `send`."""
    with errors(), opened(case) as store:
        audited(store)
        found = settle.settle(store, logs, tz=tz)
    click.echo(f"taken by the relay {found.accepted:,}, to be sent again {found.again:,}, new fates {found.fates:,}")
    if found.missing:
        click.echo(
            f"hikeshi: {found.missing:,} letters that the relay took are not in this log: it is another's, or not whole",
            err=True,
        )
    for name in found.open:
        click.echo(f"open: {name}; hikeshi notify resolve {name} decides it", err=True)
    sys.exit(WITH_GAPS if found.open or found.missing else 0)


@click.command("resolve")
@click.argument("letter")
@OPEN_CASE
@click.option("--taken/--not-taken", "taken", default=None, required=True, help="Whether the relay took it.")
@_WHO
@_WHY
def _resolve(letter: str, case: Path, who: str, why: str, *, taken: bool) -> None:
    """Decide what no log could say of an open LETTER: the relay took it, or it did not and is sent again."""
    with errors(), opened(case) as store:
        audited(store)
        book.resolve(store, letter, accepted=taken, who=who, why=why)
    click.echo(f"{letter}: {'taken' if taken else 'sent again'}, decided by {who}")


@click.command("returns")
@click.argument("paths", nargs=-1, required=True, type=click.Path(path_type=Path), metavar="MAILDIR|MBOX|EML...")
@OPEN_CASE
def _returns(paths: tuple[Path, ...], case: Path) -> None:
    """Read what came back: bounces, automatic and human answers. What matches no letter is listed for a person."""
    with errors(), opened(case) as store:
        audited(store)
        found = bounces.read(store, paths)
    click.echo(f"{found.new:,} new mails ({_counted(found.kinds, 'none')}), {found.known:,} known")
    for one in found.unmatched:
        click.echo(f"matches no letter: {shown(one.file)}: {one.kind}: {shown(one.says)}", err=True)
    sys.exit(WITH_GAPS if found.unmatched else 0)


@click.command("pause")
@OPEN_CASE
@_WHO
@_WHY
def _pause(case: Path, who: str, why: str) -> None:
    """Let no further letter leave, also of a `send` that is running."""
    with errors(), opened(case) as store:
        audited(store)
        book.pause(store, who=who, why=why)
    click.echo("paused")


@click.command("resume")
@OPEN_CASE
@_WHO
@_WHY
def _resume(case: Path, who: str, why: str) -> None:
    """Let letters leave again, by the next `send`."""
    with errors(), opened(case) as store:
        audited(store)
        book.resume(store, who=who, why=why)
    click.echo("resumed")


@click.command("cancel")
@click.argument("addresses", nargs=-1, required=True, metavar="ADDRESS...")
@OPEN_CASE
@click.option("--report", type=click.IntRange(min=1), metavar="N", help="Report number. Default: the last.")
@_WHO
@_WHY
def _cancel(addresses: tuple[str, ...], case: Path, report: int | None, who: str, why: str) -> None:
    """Take back letters of a report that have not left."""
    with errors(), opened(case) as store:
        audited(store)
        number = report or last_report(store) or 1
        count = book.cancel(store, [identity(store.case_id, number, one) for one in addresses], who=who, why=why)
    click.echo(f"report {number}: {count:,} letters taken back")


def sending_commands() -> tuple[click.Command, ...]:
    """Give the commands, for the group `notify`."""
    return (_send, _settle, _resolve, _returns, _pause, _resume, _cancel)


def _watch(progress: Progress) -> None:
    if sys.stderr.isatty():
        click.echo(f"\r{progress.letters:,} letters: {_counted(progress.outcomes, '')}", nl=False, err=True)


def _counted(counts: Counter[str] | dict[str, int], nothing: str) -> str:
    return ", ".join(f"{name} {count:,}" for name, count in sorted(counts.items())) or nothing
