# SPDX-License-Identifier: Apache-2.0
"""Refuse every new sign-in of an account: by IMAP, POP3, ManageSieve, and by SMTP where Postfix asks Dovecot.

What is barred is shown by a sign-in with a made-up password: Dovecot answers `code=user_disabled`, which it does not for
a password that is only wrong. Where the account is not barred, such a try counts as one wrong password; so before
anything was done, only the file is read. Dovecot looks at the file once a second, so a reading may be that old.

The bare name is denied together with the address where both have one home folder: it opens the same mailbox.
"""

import secrets
from dataclasses import replace
from pathlib import Path

from hikeshi.contain.connectors.dovecot.doveadm import NO_PERMISSION, Doveadm
from hikeshi.contain.connectors.dovecot.passdb import DenyList, deny_list
from hikeshi.contain.contract import Answer, LaterError, Phase, Reading, Step
from hikeshi.contain.local import edit, text_of

OPERATION = "deny"


def planned(doveadm: Doveadm, account: str, names: tuple[str, ...]) -> Step:
    """Plan it.

    Raises:
        RefusedError: Dovecot has no deny list that bars everybody; or ConnectorError.

    """
    deny = deny_list(doveadm)
    keys = sorted({deny.key(name) for name in names})
    lines = " ".join(f"{key}:" for key in keys)
    return Step(
        connector="dovecot",
        operation=OPERATION,
        phase=Phase.STOP,
        account=account,
        object=None,
        request=f"add to {deny.file}: {lines}; doveadm auth cache flush {' '.join(names)}",
        why={
            "en": "Whoever has the password must not sign in again, by IMAP, POP3 or SMTP.",
            "ja": "パスワードを知る者が IMAP、POP3、SMTP で再びサインインできないようにします。",
        },
        undo={
            "en": f"Take {lines} out of {deny.file} again; the old password then works again.",
            "ja": f"{deny.file} から {lines} を取り除きます。元のパスワードが再び有効になります。",
        },
        detail={"file": str(deny.file), "keys": keys, "names": list(names)},
    )


def probe(doveadm: Doveadm, step: Step) -> Reading:
    """Say which names the file denies, and if it has them all, whether Dovecot refuses them."""
    text = text_of(Path(step.detail["file"]))
    denied = _denied(text, step)
    state = {"denied": denied, "ended": text.endswith("\n") or not text}
    if denied != step.detail["keys"]:
        return Reading(reached=False, state=state, says=_told(denied))
    return replace(verify(doveadm, step), state=state)


def do(doveadm: Doveadm, step: Step, _before: Reading) -> Answer:
    """Add the names that are not in the file, and have Dovecot forget what it remembers of sign-ins."""

    def added(text: str) -> str:
        missing = [key for key in step.detail["keys"] if not _has(text, key)]
        gap = "" if not missing or text.endswith("\n") or not text else "\n"
        return text + gap + "".join(f"{key}:\n" for key in missing)

    edit(Path(step.detail["file"]), added)
    return Answer(doveadm.run("auth", "cache", "flush", *step.detail["names"]).out.strip())


def verify(doveadm: Doveadm, step: Step, _before: Reading | None = None) -> Reading:
    """Try to sign in with a made-up password, by each way of signing in."""
    deny = deny_list(doveadm)
    let = [f"{name} by {way}" for name, way in _ways(deny, step) if not _barred(doveadm, name, way)]
    same = str(deny.file) == step.detail["file"]
    keys = _denied(text_of(deny.file), step)
    reached = same and not let and keys == step.detail["keys"]
    says = "Dovecot answers that the account is disabled" if reached else f"not barred: {', '.join(let) or deny.file}"
    return Reading(reached, {"denied": keys, "let": let}, says)


def undo(doveadm: Doveadm, step: Step, before: Reading) -> Answer:
    """Take out what was not there before."""
    ours = [key for key in step.detail["keys"] if key not in before.state["denied"]]

    def removed(text: str) -> str:
        lines = text.split("\n")
        kept = "\n".join(line for line in lines if _name(line) not in ours)
        # The end of the last line was ours where the file had none.
        return kept if before.state["ended"] or kept == text else kept.removesuffix("\n")

    edit(Path(step.detail["file"]), removed)
    return Answer(doveadm.run("auth", "cache", "flush", *step.detail["names"]).out.strip())


def restored(doveadm: Doveadm, step: Step, before: Reading) -> Reading:
    """Say whether the names that were not denied before are let in again, if the password is right."""
    denied = _denied(text_of(Path(step.detail["file"])), step)
    if denied != before.state["denied"]:
        return Reading(reached=False, state={"denied": denied}, says=_told(denied))
    deny = deny_list(doveadm)
    barred = [name for name, way in _ways(deny, step) if deny.key(name) not in denied and _barred(doveadm, name, way)]
    return Reading(not barred, {"denied": denied, "barred": barred}, _told(barred or denied))


def _ways(deny: DenyList, step: Step) -> list[tuple[str, str]]:
    return [(name, way) for name in step.detail["names"] for way in deny.services]


def _barred(doveadm: Doveadm, name: str, service: str) -> bool:
    made_up = secrets.token_urlsafe(24)
    said = doveadm.run("auth", "test", "-x", f"service={service}", name, made_up, fine=(NO_PERMISSION,))
    if "code=temp_fail" in said.out or "auth failed" not in said.out:
        raise LaterError(f"doveadm auth test {name}: Dovecot could not look the account up")
    return "code=user_disabled" in said.out


def _denied(text: str, step: Step) -> list[str]:
    return [key for key in step.detail["keys"] if _has(text, key)]


def _has(text: str, key: str) -> bool:
    return any(_name(line) == key for line in text.split("\n"))


def _name(line: str) -> str:
    return line.partition(":")[0]


def _told(denied: list[str]) -> str:
    return f"denied: {', '.join(denied)}" if denied else "denied: nobody of these"
