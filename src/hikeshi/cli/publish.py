# SPDX-License-Identifier: Apache-2.0
"""`hikeshi publish`: bulletins from draft to release, the public page, forms for authorities, the brief for the management."""

import json
import sys
import tempfile
import webbrowser
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click

from hikeshi.basics.errors import CaseError, UsageError
from hikeshi.cases.store import Store
from hikeshi.cli.options import FAILED, JSON, LANG, OPEN_CASE, WITH_GAPS, errors
from hikeshi.cli.store import audited, opened
from hikeshi.publish.bulletin.bulletin import Bulletin, body_of
from hikeshi.publish.bulletin.check import check, errors_of
from hikeshi.publish.bulletin.compose import compose
from hikeshi.publish.bulletin.released import (
    Bulletins,
    approvals,
    approve,
    bulletins,
    explain,
    keep,
    ready,
    refuse,
    release,
)
from hikeshi.publish.bulletin.sections import SECTIONS, STAGES
from hikeshi.publish.clocks.clock import clocks
from hikeshi.publish.clocks.rulebook import rulebook
from hikeshi.publish.forms.brief import brief
from hikeshi.publish.forms.forms import NAMES, Form, document, form, markdown, parts
from hikeshi.publish.pdf import pdf
from hikeshi.publish.private import private
from hikeshi.publish.site.build import build, held
from hikeshi.publish.site.preview import server
from hikeshi.wording.facts import Facts
from hikeshi.wording.lint import Problem

_WHO = click.option("--who", required=True, metavar="NAME", help="Who decides.")
_WHY = click.option("--why", required=True, metavar="REASON", help="Why.")
_PDF = click.option(
    "--pdf",
    "paper",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE",
    help="Write a PDF there instead of printing. Needs the extra pdf.",
)


@click.group("publish")
def publish_command() -> None:
    """Tell the public and the authorities. The tool draws and checks; people approve, release and hand in."""


@publish_command.command("draft")
@OPEN_CASE
@click.option("--stage", type=click.Choice(STAGES), help="Default: the first, then second ones.")
@click.option("--at", metavar="TIME", help="As of when, with its offset. Default: now.")
@click.option(
    "--keep", "kept", is_flag=True, help="Write the draft into the case, for approval. An error keeps it out."
)
@LANG
@JSON
def _draft(case: Path, stage: Any, at: str | None, lang: Any, *, kept: bool, as_json: bool) -> None:
    """Draw the next report from the facts and say what is wrong with it; nothing is written without --keep."""
    with errors(), opened(case) as store:
        facts, past = Facts.of(store), bulletins(store)
        one = compose(store, facts, past, stage=_stage(stage, past), as_of=_time(at))
        problems = check(one, past.before, facts, private(store, case, facts))
        blocked = errors_of(problems)
        if kept and not blocked:
            audited(store)
            keep(store, one)
    if as_json:
        made = {"id": one.id, "bulletin": body_of(one), "problems": [_problem(each) for each in problems]}
        click.echo(json.dumps({**made, "kept": kept and not blocked}, ensure_ascii=False, indent=1))
    else:
        click.echo(one.texts[lang].plain(lang), nl=False)
        _tell(problems, lang)
        click.echo(_what_next(one, kept=kept, blocked=len(blocked)), err=True)
    sys.exit(FAILED if blocked else 0)


@publish_command.command("correct")
@click.argument("section", type=click.Choice([one.id for one in SECTIONS]))
@OPEN_CASE
@click.option("--ja", required=True, metavar="TEXT", help="What the public reads, in Japanese.")
@click.option("--en", required=True, metavar="TEXT", help="The same in English.")
@_WHO
@_WHY
def _correct(section: str, case: Path, ja: str, en: str, who: str, why: str) -> None:
    """Explain in the next report why SECTION says less, or other, than the report before (訂正)."""
    with errors(), opened(case) as store:
        audited(store)
        explain(store, section, {"ja": ja, "en": en}, who=who, why=why)
    click.echo(f"{section}: the next report explains it")


@publish_command.command("approve")
@click.argument("draft")
@OPEN_CASE
@_WHO
@_WHY
def _approve(draft: str, case: Path, who: str, why: str) -> None:
    """Approve exactly the draft DRAFT; another word in it is another draft."""
    with errors(), _the_draft(case, draft) as (store, one):
        approve(store, one, who=who, why=why)
        names = ", ".join(each.who for each in approvals(store, one))
    click.echo(f"report {one.number}, draft {one.id}: approved by {names}")


@publish_command.command("refuse")
@click.argument("draft")
@OPEN_CASE
@_WHO
@_WHY
def _refuse(draft: str, case: Path, who: str, why: str) -> None:
    """Refuse the draft DRAFT; approvals before this count no more."""
    with errors(), _the_draft(case, draft) as (store, one):
        refuse(store, one, who=who, why=why)
    click.echo(f"report {one.number}, draft {one.id}: refused by {who}")


@publish_command.command("release")
@OPEN_CASE
@click.option("--who", required=True, metavar="NAME", help="Who releases it.")
@click.option("--execute", is_flag=True, help="Release it. Without, only say whether it could be.")
def _release(case: Path, who: str, *, execute: bool) -> None:
    """Release the approved draft: from then on its text never changes. Then build the page and put it on the web."""
    with errors(), opened(case) as store:
        if not execute:
            one = ready(store)
            click.echo(f"report {one.number}, draft {one.id}: can be released; --execute releases it")
            return
        audited(store)
        done = release(store, who=who)
    click.echo(f"report {done.bulletin.number} is released as of {done.at.isoformat(timespec='seconds')}")
    click.echo(f"now: hikeshi publish build --out DIR --case {case}", err=True)


@publish_command.command("list")
@OPEN_CASE
@JSON
def _list(case: Path, *, as_json: bool) -> None:
    """Show what is released, by whom it was approved, and the draft that waits."""
    with errors(), opened(case) as store:
        past = bulletins(store)
        waiting = [] if past.draft is None else [each.who for each in approvals(store, past.draft)]
    if as_json:
        made = {
            "released": [
                {
                    "at": one.at.isoformat(),
                    "approved_by": list(one.approved_by),
                    "digest": one.bulletin.digest,
                    "bulletin": body_of(one.bulletin),
                }
                for one in past.released
            ],
            "draft": None if past.draft is None else {"id": past.draft.id, "bulletin": body_of(past.draft)},
        }
        click.echo(json.dumps(made, ensure_ascii=False, indent=1))
        return
    for one in past.released:
        report = one.bulletin
        names = ", ".join(one.approved_by)
        click.echo(f"report {report.number}  {report.stage:<6}  released {one.at.isoformat()}  approved by {names}")
    if past.draft is not None:
        by = ", ".join(waiting) or "nobody yet"
        click.echo(f"report {past.draft.number}  {past.draft.stage:<6}  draft {past.draft.id}  approved by {by}")
    if not past.released and past.draft is None:
        click.echo("no report yet: hikeshi publish draft --case DIR")


@publish_command.command("build")
@OPEN_CASE
@click.option("--out", required=True, type=click.Path(path_type=Path), metavar="DIR", help="Folder for the site alone.")
@click.option("--pdf", "pdfs", is_flag=True, help="With a PDF of every report. Needs the extra pdf.")
def _build(case: Path, out: Path, *, pdfs: bool) -> None:
    """Write the public page with every released report into DIR, for any web server. Nothing private goes into it."""
    with errors(), opened(case) as store:
        facts = Facts.of(store)
        made = build(store, facts, bulletins(store), private(store, case, facts), out, pdfs=pdfs)
    click.echo(f"{out}: {len(made.names)} files, begin at index.html (Japanese) and index.en.html (English)")


@publish_command.command("preview")
@OPEN_CASE
@click.option("--port", type=click.IntRange(0, 65535), default=0, metavar="PORT", help="Default: any free one.")
@click.option("--open", "opens", is_flag=True, help="Open a browser.")
def _preview(case: Path, port: int, *, opens: bool) -> None:
    """Show the page as it would be, the draft included, on this machine alone, until Ctrl-C."""
    with errors(), tempfile.TemporaryDirectory(prefix="hikeshi-preview-") as folder:
        with opened(case) as store:
            facts = Facts.of(store)
            build(store, facts, bulletins(store), private(store, case, facts), Path(folder), pdfs=False, draft=True)
        try:
            serving = server(Path(folder), port)
        except OSError as error:
            raise UsageError(f"--port {port}: {error.strerror}; give another one") from error
        with serving:
            address = f"http://127.0.0.1:{serving.server_address[1]}/index.html"
            click.echo(address)
            click.echo("Ctrl-C ends it", err=True)
            if opens:
                webbrowser.open(address)
            try:
                serving.serve_forever(poll_interval=0.2)
            except KeyboardInterrupt:
                click.echo("ended", err=True)


@publish_command.command("form")
@click.argument("name", type=click.Choice(NAMES))
@OPEN_CASE
@LANG
@JSON
@_PDF
def _form(name: str, case: Path, lang: Any, paper: Path | None, *, as_json: bool) -> None:
    """Print what the authority NAME asks for, from the facts; exit 3 while something is missing. Hand it in yourself."""
    with errors(), opened(case) as store:
        facts = Facts.of(store)
        secret = private(store, case, facts)
        filled = form(store, facts, rulebook(), name, datetime.now(UTC))
        text = markdown(filled, facts, secret, lang)
        if paper is not None:
            held(parts(filled, facts, lang), secret)
            top = filled.at.astimezone(facts.zone).isoformat(timespec="minutes")
            title = filled.title.said(lang)
            _save(paper, pdf(title, parts(filled, facts, lang), language=lang, top=top, foot="hikeshi", at=filled.at))
        elif as_json:
            click.echo(json.dumps(document(filled, facts, secret), ensure_ascii=False, indent=1))
        else:
            click.echo(text)
    _tell_missing(filled)
    sys.exit(WITH_GAPS if filled.unfinished else 0)


@publish_command.command("brief")
@OPEN_CASE
@LANG
@_PDF
def _brief(case: Path, lang: Any, paper: Path | None) -> None:
    """Print the one page for the management: known, assumed, unknown, deadlines, what has to be decided now."""
    now = datetime.now(UTC)
    with errors(), opened(case) as store:
        facts = Facts.of(store)
        told = clocks(store, rulebook(), now=now, zone=facts.zone)
        page = brief(facts, told, bulletins(store), lang)
        held(page.parts, private(store, case, facts))
        if paper is None:
            click.echo(page.markdown())
            return
        top = now.astimezone(facts.zone).isoformat(timespec="minutes")
        _save(paper, pdf(page.title, page.parts, language=lang, top=top, foot="hikeshi", at=now, small=True))


@contextmanager
def _the_draft(case: Path, name: str) -> Iterator[tuple[Store, Bulletin]]:
    """Open the case for deciding on the draft of that name."""
    with opened(case) as store:
        one = bulletins(store).draft
        if one is None or one.id != name:
            there = "there is none" if one is None else f"the draft is {one.id}"
            raise UsageError(f"{name}: no such draft; {there}. hikeshi publish draft --keep --case {case} makes one")
        audited(store)
        yield store, one


def _stage(asked: Any, past: Bulletins) -> Any:
    first = not past.released
    if asked == "first" and not first:
        raise UsageError("--stage first: there is a first report already; give second or final")
    if asked == "second" and first:
        raise UsageError("--stage second: there is no first report yet")
    return asked or ("first" if first else "second")


def _what_next(one: Bulletin, *, kept: bool, blocked: int) -> str:
    if blocked:
        return f"{blocked} errors: this draft cannot be kept; correct the facts, or explain by hikeshi publish correct"
    if kept:
        return f"kept as draft {one.id}: hikeshi publish approve {one.id} --who NAME --why REASON --case DIR"
    return "only shown; --keep writes it into the case for approval"


def _tell(problems: Sequence[Problem], lang: str) -> None:
    for one in problems:
        click.echo(f"{one.severity:<8}{one.rule:<6}{one.where}: {one.says[lang]}", err=True)


def _tell_missing(filled: Form) -> None:
    for one in filled.items:
        lacks = f": enter {', '.join(one.missing)}" if one.missing else ""
        click.echo(f"{one.completeness:<13}{one.item.id}{lacks}", err=True)


def _problem(one: Problem) -> dict[str, Any]:
    return {"rule": one.rule, "severity": one.severity, "where": one.where, "says": dict(one.says)}


def _save(path: Path, data: bytes) -> None:
    """Write a file that is for its reader alone."""
    try:
        path.touch(mode=0o600)
        path.write_bytes(data)
    except OSError as error:
        raise CaseError(f"--pdf {path}: {error.strerror}; give a place that you may write to") from error
    click.echo(f"{path}: {len(data):,} bytes")


def _time(text: str | None) -> datetime:
    if text is None:
        return datetime.now(UTC)
    try:
        time = datetime.fromisoformat(text)
    except ValueError:
        time = None
    if time is None or time.tzinfo is None:
        raise UsageError(f"--at {text}: is no time with an offset; write 2026-03-02T11:16:07+09:00")
    return time
