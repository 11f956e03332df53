# SPDX-License-Identifier: Apache-2.0
"""`hikeshi case`: what is known, decided and done; people's corrections; the proof that nothing was changed since."""

import json
import sys
from dataclasses import asdict, replace
from pathlib import Path
from typing import Any, get_args

import click

from hikeshi.basics.errors import UsageError
from hikeshi.cases.entries import Status
from hikeshi.cases.store import Store, StoreError
from hikeshi.cases.store import place as place_store
from hikeshi.cases.store.decisions import decisions
from hikeshi.cases.store.facts import Fact, Standing, correct, history, standing
from hikeshi.cases.store.verify import Deviation, verify
from hikeshi.cli.options import FAILED, JSON, OPEN_CASE, errors
from hikeshi.cli.store import as_it_is, audited, opened
from hikeshi.notify.outbox.audit import audit


@click.group("case")
def case_command() -> None:
    """Show and correct what is known, see who decided what, and prove that nothing was changed since."""


@case_command.command("show")
@OPEN_CASE
@JSON
def _show(case: Path, *, as_json: bool) -> None:
    """Show what stands: every fact, who decided what, what was done."""
    with errors(), opened(case) as store:
        facts, decided = standing(store), decisions(store)
    if as_json:
        document = {
            "facts": [_document(key, one) for key, one in sorted(facts.items())],
            "decisions": [asdict(one) | {"time": one.time.isoformat()} for one in decided],
        }
        click.echo(json.dumps(document, ensure_ascii=False, indent=1))
        return
    width = max((len(key) for key in facts), default=0)
    for key, one in sorted(facts.items()):
        click.echo(f"{key:<{width}}  {_value(one.fact):<28}{one.fact.status:<15}{_source(one)}")
    for each in decided:
        click.echo(
            f"{each.time:%Y-%m-%d %H:%M:%S}Z  {each.who} ({each.login}): {each.choice} {each.subject}: {each.why}"
        )
    if not facts and not decided:
        click.echo("the case is empty: hikeshi investigate LOGS --case DIR")


@case_command.command("correct")
@click.argument("key")
@click.argument("value", required=False)
@OPEN_CASE
@click.option("--status", type=click.Choice(get_args(Status)))
@click.option("--who", required=True, metavar="NAME", help="Who corrects.")
@click.option("--why", required=True, metavar="REASON", help="Why.")
def _correct(key: str, value: str | None, case: Path, status: Any, who: str, why: str) -> None:
    """Put a person's word beside a computed fact: another VALUE, or another --status. Nothing is overwritten.

    KEY is as `case show` prints it. VALUE is a number, a text, or JSON.
    """
    with errors(), opened(case) as store:
        known = standing(store).get(key)
        if value is None and (known is None or status is None):
            raise UsageError(
                f"{key}: give a VALUE, or --status for a fact that there is; `hikeshi case show` lists them"
            )
        audited(store)
        told = known.fact.value if value is None and known is not None else _parsed(value or "")
        correct(store, key, told, who=who, why=why, status=status)
        now = standing(store)[key]
    click.echo(f"{key}  {_value(now.fact)}  {now.fact.status}  {_source(now)}")


@case_command.command("history")
@click.argument("key")
@OPEN_CASE
def _history(key: str, case: Path) -> None:
    """Show all that a fact has ever been, oldest first."""
    with errors(), opened(case) as store:
        found = history(store, key)
        if not found:
            raise UsageError(f"{key}: the case knows no such fact; `hikeshi case show` lists them")
    for one in found:
        click.echo(json.dumps(_fact(one), ensure_ascii=False))


@case_command.command("log")
@OPEN_CASE
@click.option("--kind", "kinds", multiple=True, metavar="KIND", help="Entries of this kind only; may be given again.")
def _log(case: Path, kinds: tuple[str, ...]) -> None:
    """Print the ledger, one JSON object a line, oldest first."""
    with errors(), opened(case) as store:
        for one in store.entries(*kinds):
            click.echo(json.dumps(asdict(one) | {"time": one.time.isoformat()}, ensure_ascii=False))


@case_command.command("verify")
@OPEN_CASE
@click.option("--head", metavar="NUMBER:DIGEST", help="A head noted down earlier, which the ledger must still hold.")
@JSON
def _verify(case: Path, head: str | None, *, as_json: bool) -> None:
    """Prove that no entry was changed, taken out or put in since it was written.

    Note the head that it prints somewhere else: only with --head can it be seen that the end was cut off.
    """
    with errors(), as_it_is(case) as store:
        found = verify(store, head)
        found = replace(found, deviations=[*found.deviations, *_outbox(store)])
    if as_json:
        click.echo(json.dumps(asdict(found), ensure_ascii=False, indent=1))
    else:
        for one in found.deviations:
            click.echo(f"NOT AS WRITTEN  {one.says}")
        click.echo(f"{found.entries:,} entries, {len(found.deviations):,} deviations; head {found.head}")
    sys.exit(FAILED if found.deviations else 0)


@case_command.command("place")
@click.argument("url")
@OPEN_CASE
def _place(url: str, case: Path) -> None:
    """Keep a new case in PostgreSQL: postgresql://HOST/DATABASE, password by PGPASSFILE or PGPASSWORD."""
    with errors():
        place_store(case, url)
    click.echo(f"{case} is kept in {url}")


def _outbox(store: Store) -> list[Deviation]:
    """Hold the outbox against the ledger; it is notify's, and so is the knowledge of what its letters should be."""
    try:
        return audit(store)
    except StoreError as error:
        return [Deviation(None, f"the outbox cannot be held against the ledger: {error}")]


def _parsed(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text


def _value(fact: Fact) -> str:
    value = f"{fact.value:,}" if isinstance(fact.value, int) and not isinstance(fact.value, bool) else fact.value
    told = ", ".join(map(str, value)) if isinstance(value, list) else str("unknown" if value is None else value)
    return f"{told} {fact.unit}" if fact.unit and fact.unit != "time" else told


def _source(one: Standing) -> str:
    by = f"entered by {one.fact.approved_by}" if one.fact.provenance == "entered" else one.fact.provenance
    return f"{by}; computed: {_value(one.computed)}" if one.computed is not None else by


def _document(key: str, one: Standing) -> dict[str, Any]:
    computed = None if one.computed is None else one.computed.value
    return {**_fact(one.fact), "key": key, "corrected": one.corrected, "computed": computed}


def _fact(one: Fact) -> dict[str, Any]:
    return asdict(one) | {"as_of": None if one.as_of is None else one.as_of.isoformat()}
