# SPDX-License-Identifier: Apache-2.0
"""End every session of an account that Dovecot serves: IMAP, POP3, ManageSieve, and submission through Dovecot.

Connections to Postfix are not Dovecot's and not among them. Alone it lets a program straight back in, so it comes after
deny.
"""

from dataclasses import replace

from hikeshi.contain.connectors.dovecot.doveadm import NOTHING, Doveadm
from hikeshi.contain.contract import Answer, Phase, Reading, RefusedError, Step

OPERATION = "kick"


def planned(account: str, names: tuple[str, ...]) -> Step:
    """Plan it."""
    return Step(
        connector="dovecot",
        operation=OPERATION,
        phase=Phase.CLOSE,
        account=account,
        object=None,
        request="; ".join(f"doveadm kick {name}" for name in names),
        why={
            "en": "Whoever is signed in stays signed in after the password or the permission has gone.",
            "ja": "サインイン中の接続は、パスワードや権限がなくなっても続くため、切断します。",
        },
        undo=None,
        detail={"names": list(names)},
    )


def probe(doveadm: Doveadm, step: Step) -> Reading:
    """Say which sessions there are."""
    sessions = [
        {"name": row["username"], "service": row.get("service", ""), "ip": row.get("ip", "")}
        for name in step.detail["names"]
        for row in doveadm.ask("who", "-1", name)
        if row.get("username") == name
    ]
    says = ", ".join(f"{one['service']} from {one['ip']}" for one in sessions) or "no session"
    return Reading(not sessions, {"sessions": sessions}, says)


def verify(doveadm: Doveadm, step: Step, _before: Reading) -> Reading:
    """Say which sessions there are now."""
    return probe(doveadm, step)


def do(doveadm: Doveadm, step: Step, _before: Reading) -> Answer:
    """Kick; that nobody was there is fine."""
    said = [doveadm.run("kick", name, fine=(NOTHING,)).out for name in step.detail["names"]]
    return Answer(" ".join(" ".join(said).split()))


def undo(_doveadm: Doveadm, step: Step, _before: Reading) -> Answer:
    """Refuse: people sign in again by themselves.

    Raises:
        RefusedError: always.

    """
    raise RefusedError(f"{step.key}: a session that was ended does not come back", "people sign in again")


def restored(doveadm: Doveadm, step: Step, _before: Reading) -> Reading:
    """Say which sessions there are; those of before never come back."""
    return replace(probe(doveadm, step), reached=None)
