# SPDX-License-Identifier: Apache-2.0
"""`hikeshi contain`: close the accounts of the case, prove that they are closed, and take it back. The plan alone is the default."""

import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

import click

from hikeshi.basics.errors import UsageError
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import Store
from hikeshi.cli.options import FAILED, JSON, LANG, OPEN_CASE, WITH_GAPS, errors
from hikeshi.cli.store import audited, opened
from hikeshi.contain import approval, cacao
from hikeshi.contain.configuration import Configuration, connect, read_configuration, settings
from hikeshi.contain.connectors import all_plugins
from hikeshi.contain.contract import Connector, Plugin, Step
from hikeshi.contain.journal import State, progress_of
from hikeshi.contain.patience import Patience
from hikeshi.contain.plan import Plan, find_plan, make_plan, plans, remember
from hikeshi.contain.recheck import next_due, recheck
from hikeshi.contain.run import Outcome, run
from hikeshi.contain.targets import targets
from hikeshi.contain.undo import undo
from hikeshi.contain.words import Language, outcome_text, plain, plan_document, plan_text

_CONNECTORS = click.option(
    "--connectors",
    "file",
    type=click.Path(path_type=Path, dir_okay=False),
    default=Path("/etc/hikeshi/connectors.toml"),
    show_default=True,
    metavar="FILE.toml",
    help="Which servers, directories and clouds there are, and the limits; docs/contain.md says how.",
)
_PLAN = click.option(
    "--plan", "name", metavar="ID", help="Which plan, by the beginning of its name. Default: the last."
)
#: where what people bring in is kept, in the case folder
_IMPORTS: Final = "imports"
#: seconds to wait for a far side that says "later" while it is looked at: for one question, and in all
_PATIENCE: Final = (30, 300)
_WHO = click.option("--who", required=True, metavar="NAME", help="Who decides.")
_WHY = click.option("--why", required=True, metavar="REASON", help="Why.")


@click.group("contain", invoke_without_command=True)
@click.option("--case", type=click.Path(path_type=Path, file_okay=False), metavar="DIR", help="Case folder.")
@_CONNECTORS
@click.option(
    "--account", "accounts", multiple=True, metavar="ADDRESS",
    help="Close this account only; may be given again. Default: what the case found taken over.",
)  # fmt: skip
@click.option(
    "--only", multiple=True, metavar="CONNECTOR", help="Ask this connector of the file only; may be given again."
)
@click.option("--execute", is_flag=True, help="Approve the plan and run it at once; takes --who and --why.")
@click.option("--who", metavar="NAME", help="With --execute: who decides.")
@click.option("--why", metavar="REASON", help="With --execute: why.")
@LANG
@JSON
@click.pass_context
def contain_command(
    context: click.Context, case: Path | None, file: Path, accounts: tuple[str, ...], only: tuple[str, ...],
    who: str | None, why: str | None, lang: Language, *, execute: bool, as_json: bool,
) -> None:  # fmt: skip
    """Close the accounts of the case: plan, approve, run, verify, undo. Without --execute it only says what it would do.

    The plan names every object, what is asked of its far side, why, and how it is taken back; and what is found and left
    alone, and what cannot be seen. Exit codes: 0 all is verified, 1 something did not come to stand, 3 run it again.
    """
    if context.invoked_subcommand is not None:
        return
    if case is None:
        raise click.UsageError("give --case DIR, or one of the commands")
    if execute and not (who and why):
        raise click.UsageError("--execute acts: say who decides (--who NAME) and why (--why REASON)")
    with errors():
        configuration = read_configuration(file)
        with opened(case) as store, _connected(configuration, only, case) as connectors:
            now = datetime.now(UTC)
            found = targets(store, accounts, now)
            plan = make_plan(found, connectors, configuration.limits, now, Patience(*_PATIENCE))
            for path in _scripts(plan, configuration, case):
                click.echo(f"hikeshi: for a person to read and run: {path}; then hikeshi contain import FILE", err=True)
            if execute and who and why:
                audited(store)
                approval.approve(store, plan, who=who, why=why)
                outcome = run(store, plan, connectors, case=case, limits=configuration.limits, watch=_watch)
                _end(outcome, lang, as_json=as_json)
            remember(store, plan)
            progress = progress_of(store, plan)
    _say(plan_document(plan, progress) if as_json else plan_text(plan, lang))
    if not as_json:
        click.echo(
            f"\nnothing was done. To do it: hikeshi contain approve --case {case} --who NAME --why REASON", err=True
        )


@contain_command.command("approve")
@OPEN_CASE
@_PLAN
@_WHO
@_WHY
def _approve(case: Path, name: str | None, who: str, why: str) -> None:
    """Approve a plan. Where [limits] asks for two persons, another one approves it too, from a login of their own."""
    with errors(), opened(case) as store:
        plan = find_plan(store, name)
        audited(store)
        approval.approve(store, plan, who=who, why=why)
    click.echo(f"plan {plan.id} is approved by {who}; hikeshi contain run --case {case}")


@contain_command.command("refuse")
@OPEN_CASE
@_PLAN
@_WHO
@_WHY
def _refuse(case: Path, name: str | None, who: str, why: str) -> None:
    """Refuse a plan; approvals that it had count no more."""
    with errors(), opened(case) as store:
        plan = find_plan(store, name)
        audited(store)
        approval.refuse(store, plan, who=who, why=why)
    click.echo(f"plan {plan.id} is refused by {who}")


@contain_command.command("run")
@OPEN_CASE
@_CONNECTORS
@_PLAN
@LANG
@JSON
def _run(case: Path, file: Path, name: str | None, lang: Language, *, as_json: bool) -> None:
    """Run an approved plan, or go on where a run of it ended or died; what stands is read again and not done again."""
    with errors():
        configuration = read_configuration(file)
        with opened(case) as store:
            plan = find_plan(store, name)
            approval.hold_approved(store, plan, configuration.limits.persons)
            with _connected(configuration, _needed(plan, configuration), case) as connectors:
                audited(store)
                outcome = run(store, plan, connectors, case=case, limits=configuration.limits, watch=_watch)
    _end(outcome, lang, as_json=as_json)


@contain_command.command("status")
@OPEN_CASE
@_PLAN
@LANG
@JSON
def _status(case: Path, name: str | None, lang: Language, *, as_json: bool) -> None:
    """Say how far each step of a plan is, from the ledger; asks no far side."""
    with errors(), opened(case) as store:
        plan = find_plan(store, name)
        progress = progress_of(store, plan)
    _say(plan_document(plan, progress) if as_json else outcome_text(plan, progress, lang))


@contain_command.command("verify")
@OPEN_CASE
@_CONNECTORS
@click.option("--plan", "name", metavar="ID", help="This plan only. Default: all of the case.")
@click.option("--due", is_flag=True, help="Only what is due: 15 minutes, an hour and a day after it was closed.")
def _verify(case: Path, file: Path, name: str | None, *, due: bool) -> None:
    """Read again whether what was closed is closed still; changes nothing at any far side.

    Leaves with 1 if a door stands open again, with 3 if something could not be read.
    """
    code = 0
    with errors():
        configuration = read_configuration(file)
        with opened(case) as store:
            for plan in [find_plan(store, name)] if name else plans(store):
                code = max(code, _reread(store, plan, configuration, case, due=due), key=(0, WITH_GAPS, FAILED).index)
    sys.exit(code)


def _reread(store: Store, plan: Plan, configuration: Configuration, case: Path, *, due: bool) -> int:
    """Read one plan's steps again and give the exit code."""
    now = datetime.now(UTC)
    at = next_due(store, plan)
    if due and (at is None or at > now):
        return 0
    with _connected(configuration, _needed(plan, configuration), case) as connectors:
        audited(store)
        found = recheck(store, plan, connectors, now, case=case, only_due=due)
    for one in found.read:
        click.echo(f"{one.state.value:<14}{plain(one.step.key)}: {plain(one.found.says)}")
    for one in found.reopened:
        click.echo(
            f"hikeshi: OPEN AGAIN: {plain(one.step.key)}; hikeshi contain run --case {case} --plan {plan.id}", err=True
        )
    return FAILED if found.reopened else WITH_GAPS if found.unread else 0


@contain_command.command("undo")
@click.argument("steps", nargs=-1, metavar="[STEP]...")
@click.option("--all", "everything", is_flag=True, help="All steps of the plan.")
@OPEN_CASE
@_CONNECTORS
@_PLAN
@_WHO
@_WHY
@LANG
@JSON
def _undo(
    steps: tuple[str, ...], case: Path, file: Path, name: str | None, who: str, why: str, lang: Language,
    *, everything: bool, as_json: bool,
) -> None:  # fmt: skip
    """Take back what a plan did, in reverse order, and read that it is as before. STEP is its key, as status --json has it."""
    if bool(steps) == everything:
        raise click.UsageError("name the STEPs to take back, or give --all")
    with errors():
        configuration = read_configuration(file)
        with opened(case) as store:
            plan = find_plan(store, name)
            with _connected(configuration, _needed(plan, configuration), case) as connectors:
                audited(store)
                done = undo(
                    store, plan, connectors, None if everything else steps, who=who, why=why, case=case, watch=_watch
                )
    _say(plan_document(plan, done.progress) if as_json else outcome_text(plan, done.progress, lang))
    for key, why_not in done.left.items():
        click.echo(f"hikeshi: not taken back: {plain(key)}: {plain(why_not[lang])}", err=True)
    sys.exit(FAILED if done.count(State.UNDO_FAILED, State.UNDOING) else 0)


@contain_command.command("export")
@OPEN_CASE
@_PLAN
@click.option("--undo", "back", is_flag=True, help="The playbook that takes the plan back.")
@LANG
def _export(case: Path, name: str | None, lang: Language, *, back: bool) -> None:
    """Print a plan as a CACAO 2.0 playbook."""
    with errors(), opened(case) as store:
        plan = find_plan(store, name)
        book = cacao.undo_playbook(plan, lang) if back else cacao.playbook(plan, lang)
        if book is None:
            raise UsageError(f"plan {plan.id}: nothing in it can be taken back")
    _say(book)


@contain_command.command("setup")
@click.argument("connector")
@_CONNECTORS
def _setup(connector: str, file: Path) -> None:
    """Print the least permissions that a connector needs, and how to give them."""
    with errors():
        configuration = read_configuration(file)
        plugin = _plugin(connector, configuration.plugins)
        click.echo(plugin.setup(settings(configuration, connector)))


@contain_command.command("teardown")
@click.argument("connector")
@_CONNECTORS
@click.option("--execute", is_flag=True, help="Take away what can be taken away from here, and read what is left.")
def _teardown(connector: str, file: Path, *, execute: bool) -> None:
    """Print how the permissions of a connector are taken away again, and with --execute take them away."""
    with errors():
        configuration = read_configuration(file)
        plugin = _plugin(connector, configuration.plugins)
        click.echo(plugin.teardown(settings(configuration, connector), execute))


@contain_command.command("import")
@click.argument("file", type=click.Path(path_type=Path, dir_okay=False, exists=True))
@OPEN_CASE
@click.option("--from", "connector", default="m365", show_default=True, help="Whose script wrote it.")
def _import(file: Path, case: Path, connector: str) -> None:
    """Bring in what a script for a person exported; the next `contain run` or `verify` reads it."""
    with errors():
        accept = _plugin(connector, {one.name: one for one in all_plugins()}).accept
        if accept is None:
            raise UsageError(f"{connector}: has no script for people, so there is nothing to bring in")
        with opened(case) as store:
            audited(store)
            accept(file.read_bytes(), CaseFolder(case / _IMPORTS).path)
    click.echo(f"taken; hikeshi contain run --case {case}")


def _plugin(name: str, plugins: Mapping[str, Plugin]) -> Plugin:
    if name not in plugins:
        raise UsageError(f"{name}: no such connector; there are {', '.join(plugins)}")
    return plugins[name]


def _scripts(plan: Plan, configuration: Configuration, case: Path) -> list[Path]:
    """Write the scripts of what only a person can do into the case folder."""
    writers = ((configuration.plugins[step.connector].script, step) for step in plan.steps)
    return [path for write, step in writers if write is not None and (path := write(step, case)) is not None]


def _needed(plan: Plan, configuration: Configuration) -> list[str]:
    """Give the connectors that a plan's steps name, in the file's order.

    Raises:
        UsageError: the file has them no more.

    """
    names = {step.connector for step in plan.steps}
    if missing := sorted(names - set(configuration.tables)):
        raise UsageError(
            f"--connectors {configuration.path}: plan {plan.id} needs {', '.join(missing)}, which it has not"
        )
    return [name for name in configuration.tables if name in names]


@contextmanager
def _connected(configuration: Configuration, names: Sequence[str], case: Path) -> Iterator[list[Connector]]:
    """Connect to these far sides, to all of the file where none is named."""
    connectors = connect(configuration, names or None, case / _IMPORTS)
    try:
        yield connectors
    finally:
        for one in connectors:
            one.close()


def _watch(step: Step, state: State, says: str) -> None:
    click.echo(f"{state.value:<14}{plain(step.key)}: {plain(says)}", err=True)


def _say(what: object) -> None:
    click.echo(what if isinstance(what, str) else json.dumps(what, ensure_ascii=False, indent=1))


def _end(outcome: Outcome, lang: Language, *, as_json: bool) -> None:
    """Say how far it went and leave with the exit code for it."""
    if as_json:
        _say(plan_document(outcome.plan, outcome.progress))
    else:
        _say(outcome_text(outcome.plan, outcome.progress, lang))
    if outcome.complete:
        sys.exit(0)
    unfinished = outcome.count(State.WAITING, State.PLANNED, State.BEGUN, State.DONE)
    standing = outcome.count(State.VERIFIED, State.ALREADY)
    sys.exit(WITH_GAPS if unfinished + standing == len(outcome.progress) else FAILED)
