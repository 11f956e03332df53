# SPDX-License-Identifier: Apache-2.0
"""What Graph cannot do, as a PowerShell script that a person reads and runs, and its export read back in.

Mailbox forwarding, access by others, protocol switches and hidden rules have no place in Graph v1.0.
"""

import re
from datetime import datetime
from pathlib import Path
from typing import Any, Final

import jinja2

from hikeshi.contain.connectors.m365.client import Graph
from hikeshi.contain.connectors.m365.operation import Operation, Person, step, words
from hikeshi.contain.connectors.m365.readback import Export, newest
from hikeshi.contain.contract import Answer, ConnectorError, Look, Phase, Reading, RefusedError, Step, Target

_TEMPLATE: Final = Path(__file__).with_name("runbook.ps1.j2")
#: PowerShell takes each of these for a single quote
_QUOTES: Final = re.compile("['\u2018\u2019\u201a\u201b]")
_INSTEAD: Final = "read and run the script of this step, then `hikeshi contain import FILE`"


def literal(value: object) -> str:
    """Write a PowerShell literal: single quotes, in which nothing is expanded, and every quote sign in it doubled.

    Raises:
        ConnectorError: it holds a control character, which no address or name has.

    """
    text = str(value)
    if any(sign < " " or sign == "\x7f" for sign in text):
        raise ConnectorError(f"m365: {text!r} holds control characters and does not go into a script")
    return "'" + _QUOTES.sub(lambda found: found[0] * 2, text) + "'"


def script(one: Step) -> str:
    """Write the script of a runbook step. Every value in it is a literal: the template cannot write it otherwise.

    Raises:
        ConnectorError: a value cannot stand in a script.

    """
    engine = jinja2.Environment(
        finalize=literal,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - `finalize` quotes every value for PowerShell; this is no HTML
    )
    return engine.from_string(_TEMPLATE.read_text("utf-8")).render(
        account=one.account, own_domains=one.detail["own_domains"], stem=f"hikeshi-{_plain(one.account)}"
    )


def write(one: Step, folder: Path) -> Path:
    """Write the script into a folder, private, with the mark by which PowerShell 5 knows UTF-8; give its file.

    Raises:
        ConnectorError: a value cannot stand in a script.
        OSError: the file cannot be written.

    """
    file = folder / f"runbook-m365-{_plain(one.account)}.ps1"
    file.touch(mode=0o600)
    file.write_text(script(one), encoding="utf-8-sig", newline="\r\n")
    return file


def _plain(text: str) -> str:
    """Make a part of a file name."""
    return re.sub(r"[^A-Za-z0-9.@_-]", "_", text)


def _look(_: Graph, one: Person, target: Target) -> Look:
    domains = sorted({*(domain.lower() for domain in target.own_domains), target.account.rpartition("@")[2].lower()})
    why = words(
        "forwarding of the mailbox, access by others, old protocols and hidden rules are out of Graph's reach",
        "メールボックスの転送、他者のアクセス権、旧式プロトコル、隠しルールは Graph では扱えません",
    )
    undo = words(
        "run the script with -Undo and its first export; deleted hidden rules stay deleted",
        "最初の書き出しを指定して -Undo で実行します（削除した隠しルールは戻りません）",
    )
    request = "Exchange Online PowerShell, by a person: forwarding, FullAccess, SendAs, CAS switches, hidden rules"
    return Look((step(one, "runbook", Phase.CLEAN, request, why, undo, own_domains=domains),))


def _outside(address: str, own: list[str]) -> bool:
    domain = address.lower().removeprefix("smtp:").rpartition("@")[2]
    return bool(address) and not any(domain == one or domain.endswith("." + one) for one in own)


def _reading(one: Step, export: Export | None) -> Reading:
    """Judge an export: nothing goes out, and no protocol passes by a second factor. Access rights are for people to judge."""
    if export is None:
        return Reading(None, {}, f"no export of the script for {one.account} has been imported")
    now, own = export.after or export.before, one.detail["own_domains"]
    open_doors = [
        name
        for name, stands in (
            ("forwarding outside", _outside(now.forwardingSmtpAddress, own) or _outside(now.forwardingTarget, own)),
            ("IMAP", now.imapEnabled),
            ("POP", now.popEnabled),
            ("SMTP AUTH", now.smtpClientAuthenticationDisabled.lower() != "true"),
        )
        if stands
    ]
    says = f"export of {now.takenAt}: " + (f"open: {', '.join(open_doors)}" if open_doors else "closed")
    return Reading(not open_doors, {"takenAt": now.takenAt, "now": now.plain(), "before": export.before.plain()}, says)


def operation(imports: Path | None) -> Operation:
    """Make the operation whose readings are the exports in a folder; without a folder nothing can be told."""

    def read(one: Step, since: datetime | None) -> Reading:
        return _reading(one, newest(imports, one.account, since))

    def do(_: Graph, one: Step, __: Reading, since: datetime) -> Answer:
        reading = read(one, since)
        if reading.reached:
            return Answer(f"the script was run: {reading.says}")
        raise RefusedError(f"m365: Graph cannot do this for {one.account} ({reading.says})", _INSTEAD)

    def undo(_: Graph, one: Step, before: Reading) -> Answer:
        reading = restored(_, one, before)
        if reading.reached:
            return Answer(f"the script was run: {reading.says}")
        raise RefusedError(f"m365: Graph cannot undo this for {one.account}", f"{_INSTEAD}; with -Undo FILE")

    def restored(_: Graph, one: Step, before: Reading) -> Reading:
        export = newest(imports, one.account, None)
        first = before.state.get("now") or _first(imports, one)
        if export is None or first is None:
            return Reading(None, {}, "no export to compare with")
        now = export.after or export.before
        same = _comparable(now.plain()) == _comparable(first)
        return Reading(
            same, {"now": now.plain()}, f"export of {now.takenAt}: {'as before' if same else 'not as before'}"
        )

    return Operation(
        _look,
        lambda _, one: read(one, None),
        do,
        lambda _, one, _before, since: read(one, since),
        undo,
        restored,
    )


def _first(imports: Path | None, one: Step) -> dict[str, Any] | None:
    export = newest(imports, one.account, None, oldest=True)
    return export.before.plain() if export else None


def _comparable(state: dict[str, Any]) -> dict[str, Any]:
    """Give what an undo can bring back."""
    kept = {name: value for name, value in state.items() if name not in {"takenAt", "rules"}}
    return {name: sorted(value) if isinstance(value, list) else value for name, value in kept.items()}
