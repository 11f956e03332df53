# SPDX-License-Identifier: Apache-2.0
"""Take out of a mailbox's Sieve script what lets mail out or hides it, and nothing else.

The suspicious commands become comments, so that everybody sees what was there; all other bytes stay. A script that the
account no longer has as we left it is not overwritten when this is taken back.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime
from typing import Any

from hikeshi.contain.connectors.dovecot.doveadm import Doveadm
from hikeshi.contain.connectors.dovecot.script import NOTE, NotSieveError, without
from hikeshi.contain.connectors.dovecot.storage import Script, active, get, put
from hikeshi.contain.connectors.dovecot.suspicion import Finding, findings
from hikeshi.contain.contract import Answer, Look, Phase, Reading, RefusedError, Shown, State, Step, Target, Words

OPERATION = "sieve"


def look(doveadm: Doveadm, target: Target, account: str) -> Look:
    """Look through the script that works for an account; `account` is its name as Dovecot has it."""
    script = active(doveadm, account)
    if script is None:
        return Look()
    text = get(doveadm, account, script)
    if text is None:
        return Look()
    own = _own(target)
    if NOTE in text:
        # Its time is that of our own change; only where mail was seen going still tells whose a command is.
        script = replace(script, changed=None)
    try:
        found = findings(text, own)
    except NotSieveError as error:
        says = {"en": f"The Sieve script {script.name} of {account}: {error}", "ja": f"{account} の Sieve: {error}"}
        return Look(gaps=(says,))
    taken = [one for one in found if _suspicious(one, script.changed, target)]
    shown = tuple(_shown(script, target.account, one) for one in found if one not in taken)
    gaps = (_undated(script, account),) if script.changed is None and found else ()
    return Look((_step(script, target, account, own, taken),) if taken else (), shown, gaps)


def _own(target: Target) -> list[str]:
    return sorted({*target.own_domains, target.account.rpartition("@")[2]} - {""})


def _suspicious(one: Finding, changed: datetime | None, target: Target) -> bool:
    sent_there = any(forward.lower() in one.where.lower().split(", ") for forward in target.forwards)
    return sent_there or (one.grave and changed is not None and changed >= target.since)


def _step(script: Script, target: Target, account: str, own: list[str], taken: Sequence[Finding]) -> Step:
    said = {language: "; ".join(one.says(language) for one in taken) for language in ("en", "ja")}
    return Step(
        connector="dovecot",
        operation=OPERATION,
        phase=Phase.CLEAN,
        account=target.account,
        object=script.name,
        request="make comments of these commands: " + " ".join(one.text for one in taken),
        why={
            "en": f"The Sieve script {script.name} {said['en']}.",
            "ja": f"Sieve スクリプト {script.name}: {said['ja']}。",
        },
        undo={"en": "Put the script back as it was.", "ja": "スクリプトを元どおりに戻します。"},
        detail={
            "user": account,
            "script": script.name,
            "file": script.file,
            "own": own,
            "commands": [one.text for one in taken],
        },
    )


def _shown(script: Script, account: str, one: Finding) -> Shown:
    why_not: Words = {
        "en": "It is older than the takeover or something owners do: ask the owner.",
        "ja": "乗っ取り以前からのもの、または本人がよく行う設定です。本人に確認してください。",
    }
    what = {language: f"Sieve {script.name}: {one.says(language)}" for language in ("en", "ja")}
    return Shown("dovecot", account, f"{script.name}: {one.text}", what, why_not)


def _undated(script: Script, account: str) -> Words:
    return {
        "en": f"When the Sieve script {script.name} of {account} was changed cannot be seen; look at it by hand.",
        "ja": f"{account} の Sieve スクリプト {script.name} の変更日時は分かりません。目で確認してください。",
    }


def probe(doveadm: Doveadm, step: Step) -> Reading:
    """Read the script whole: it is what an undo puts back."""
    text = _text(doveadm, step)
    state: dict[str, Any] = {"text": text, "sha256": _digest(text)}
    return _reading(text, _left(text, step, None), state)


def do(doveadm: Doveadm, step: Step, before: Reading) -> Answer:
    """Put the script without what is suspicious; the server compiles it before it takes it."""
    text = _text(doveadm, step)
    left = _left(text, step, before.state)
    if text is None or not left:
        return Answer("nothing to take out")
    put(doveadm, step.detail["user"], _script(step), without(text, [one.command for one in left]))
    return Answer(f"{step.detail['script']}: {len(left)} commands made comments")


def verify(doveadm: Doveadm, step: Step, before: Reading) -> Reading:
    """Read the script again, and what it lets out or hides that it did not before."""
    text = _text(doveadm, step)
    return _reading(text, _left(text, step, before.state), {"sha256": _digest(text)})


def undo(doveadm: Doveadm, step: Step, before: Reading) -> Answer:
    """Put the script back, unless somebody has changed it since.

    Raises:
        RefusedError: somebody has.

    """
    original, text = before.state["text"], _text(doveadm, step)
    if text == original:
        return Answer("it is as it was")
    ours = original and without(original, [one.command for one in _left(original, step, before.state)])
    if text != ours:
        raise RefusedError(
            f"the Sieve script {step.detail['script']} has been changed since",
            "take what is still wanted out of the receipt's before-state by hand",
        )
    put(doveadm, step.detail["user"], _script(step), original)
    return Answer(f"{step.detail['script']} put back")


def restored(doveadm: Doveadm, step: Step, before: Reading) -> Reading:
    """Say whether the script is what it was, byte for byte."""
    text = _text(doveadm, step)
    same = text == before.state["text"]
    return Reading(same, {"sha256": _digest(text)}, "the script is as it was" if same else "the script is another")


def _script(step: Step) -> Script:
    return Script(step.detail["script"], step.detail["file"], None)


def _text(doveadm: Doveadm, step: Step) -> str | None:
    return get(doveadm, step.detail["user"], _script(step))


def _left(text: str | None, step: Step, before: State | None) -> list[Finding]:
    """Give what is still to be taken out: what the plan names, and what has come since and is as bad."""
    if text is None:
        return []
    named = step.detail["commands"]
    known = {one.text for one in findings(before["text"], step.detail["own"])} if before and before["text"] else None
    return [
        one
        for one in findings(text, step.detail["own"])
        if one.text in named or (known is not None and one.grave and one.text not in known)
    ]


def _reading(text: str | None, left: Sequence[Finding], state: State) -> Reading:
    if text is None:
        return Reading(reached=True, state=state, says="the script is gone")
    says = "; ".join(one.says("en") for one in left) or "nothing of it is left"
    return Reading(reached=not left, state=state, says=says)


def _digest(text: str | None) -> str | None:
    return None if text is None else hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()
