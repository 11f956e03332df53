# SPDX-License-Identifier: Apache-2.0
"""Hold (or refuse) whatever an account hands in from now on, by the map that Postfix asks about logins.

The whole goal is read: the map gives the entry, every port where people sign in asks the map, and no connection is left
that was open before. The login name is the account as Postfix logs it; Dovecot has made that form of whatever was typed.
"""

import re

from hikeshi.contain.connectors.postfix import connections
from hikeshi.contain.connectors.postfix.instance import KINDS, Access, Instance
from hikeshi.contain.connectors.postfix.table import changed, entry
from hikeshi.contain.contract import Answer, Phase, Reading, RefusedError, Step
from hikeshi.contain.local import edit, text_of

OPERATION = "hold-sender"

#: what a map can have for a key without quoting
PLAIN = re.compile(r"[^\s\"#\x00-\x1f\x7f][^\s\"\x00-\x1f\x7f]*")
_ACTIONS = {"hold": "HOLD hikeshi", "reject": "REJECT Sending is stopped for this account; ask your administrator"}


def planned(instance: Instance, account: str) -> Step:
    """Plan it.

    Raises:
        RefusedError: Postfix asks no map that can be written; or ConnectorError.

    """
    access = instance.map()
    line = f"{account} {_ACTIONS[instance.action]}"
    compiles = "" if access.kind == "texthash" else f"postmap {access.table}; "
    return Step(
        connector="postfix",
        operation=OPERATION,
        phase=Phase.STOP,
        account=account,
        object=None,
        request=f"in {access.file}: {line}; {compiles}postfix reload; end connections that were open before",
        why={
            "en": "No further mail of this account may go out; it waits on hold, neither lost nor sent."
            if instance.action == "hold"
            else "No further mail of this account may go out; it is refused.",
            "ja": "このアカウントからのメールを止めます。保留され、失われも送られもしません。"
            if instance.action == "hold"
            else "このアカウントからのメールを止めます。受け付けを拒否します。",
        },
        undo={
            "en": "Take the entry out again. What lies on hold by then stays there: let it go with hikeshi guard release.",
            "ja": "設定を取り除きます。保留済みのメールは残るため、hikeshi guard release で送ってください。",
        },
        detail={"table": access.table, "login": account, "line": line},
    )


def probe(instance: Instance, step: Step) -> Reading:
    """Read the entry that the login has."""
    access = instance.map()
    text = text_of(access.file)
    state = {"entry": entry(text, step.detail["login"]), "ended": text.endswith("\n") or not text}
    reached, says = _stands(instance, access, step)
    return Reading(reached, state, says)


def do(instance: Instance, step: Step, _before: Reading) -> Answer:
    """Write the entry, have Postfix take it over, and end what goes on by the old map."""
    return _apply(instance, step, f"{step.detail['line']}\n")


def verify(instance: Instance, step: Step, _before: Reading) -> Reading:
    """Ask Postfix what it gives for the login, and look for connections from before."""
    access = instance.map()
    reached, says = _stands(instance, access, step)
    return Reading(reached, {"entry": entry(text_of(access.file), step.detail["login"])}, says)


def undo(instance: Instance, step: Step, before: Reading) -> Answer:
    """Bring back the login's entry as it was, or take it out.

    Raises:
        RefusedError: somebody has changed the entry since; or ConnectorError.

    """
    access = instance.map()
    found, was = entry(text_of(access.file), step.detail["login"]), before.state["entry"]
    if found not in (was, f"{step.detail['line']}\n"):
        raise RefusedError(f"{access.file}: the entry of {step.detail['login']} has been changed since", "look at it")
    if found == was:
        return Answer("it is as it was")
    answer = _apply(instance, step, was)
    if not before.state["ended"]:
        edit(access.file, lambda text: text.removesuffix("\n"))
    return answer


def restored(instance: Instance, step: Step, before: Reading) -> Reading:
    """Ask Postfix what it gives for the login now."""
    access = instance.map()
    found, given = entry(text_of(access.file), step.detail["login"]), _given(instance, access, step)
    waiting = connections.old(instance, access)
    same = found == before.state["entry"] and given != _wanted(step)
    says = f"Postfix gives {given or 'nothing'} for {step.detail['login']}"
    return Reading(same and not waiting, {"entry": found}, f"{says}; {len(waiting)} connections go by the old map")


def _apply(instance: Instance, step: Step, lines: str | None) -> Answer:
    access = instance.map()
    edit(access.file, lambda text: changed(text, step.detail["login"], lines))
    if KINDS[access.kind]:
        instance.run("postmap", access.table)
    if connections.running(instance) is None:
        return Answer("Postfix is not running; it reads the map when it is started")
    instance.run("postfix", "reload")
    waiting = connections.old(instance, access)
    connections.end(waiting)
    return Answer(f"reloaded; {len(waiting)} connections ended")


def _stands(instance: Instance, access: Access, step: Step) -> tuple[bool, str]:
    given = _given(instance, access, step)
    if given != _wanted(step):
        return False, f"Postfix gives {given or 'nothing'} for {step.detail['login']}"
    waiting = connections.old(instance, access)
    if waiting:
        told = ", ".join(one.theirs for one in waiting)
        return False, f"connections from before go by the old map: {told}; end them by hand if they stay: ss -K"
    return True, f"Postfix gives {given} at {', '.join(access.services)}, and no connection is older"


def _wanted(step: Step) -> str:
    return str(step.detail["line"]).partition(" ")[2]


def _given(instance: Instance, access: Access, step: Step) -> str:
    """Ask Postfix's own program, which says 1 where the map has nothing."""
    return instance.run("postmap", "-q", step.detail["login"], access.table, fine=(1,)).out.strip()
