# SPDX-License-Identifier: Apache-2.0
"""The account itself: its password, its sessions, its suspension.

Google shows neither when a password was set nor which sessions are open. So a password is set in one request with the
mark "must change it at the next sign-in", which is read back; where that mark stood already, and for sessions, the
proof is the event in the admin audit log, which comes some minutes later. Until it comes the reading says "not yet known".
"""

import secrets
from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.google.calls import ACTIVITIES, GET_USER, PATCH_USER, SIGN_OUT
from hikeshi.contain.connectors.google.client import Client, Thing
from hikeshi.contain.connectors.google.operation import Goal, Operation, owner, written
from hikeshi.contain.contract import RefusedError, Step

_KEPT: Final = ("suspended", "suspensionReason", "changePasswordAtNextLogin", "isAdmin")


def events(client: Client, user: str, name: str, since: str) -> int:
    """Count events of the admin audit log about a user, from `since` (RFC 3339) on."""
    query = {"eventName": name, "filters": f"USER_EMAIL=={user}", "startTime": since}
    return len(client.pages(ACTIVITIES, user, "items", query, {"userKey": "all", "applicationName": "admin"}))


def _read(client: Client, step: Step, _before: Thing | None, since: datetime) -> Thing:
    answered = client.call(GET_USER, owner(step))
    state: Thing = {name: answered.body[name] for name in _KEPT if name in answered.body}
    # Google's own clock, so that a machine whose clock is wrong proves nothing false
    return {**state, "read_at": written(answered.time or since)}


def _read_password(client: Client, step: Step, before: Thing | None, since: datetime) -> Thing:
    state = _read(client, step, before, since)
    if before is not None and not _marked(state, before):
        state["changes"] = events(client, owner(step), "CHANGE_PASSWORD", before["read_at"])
    return state


def _read_sessions(client: Client, step: Step, before: Thing | None, since: datetime) -> Thing:
    state = _read(client, step, before, since)
    if before is not None:
        state["resets"] = events(client, owner(step), "RESET_SIGNIN_COOKIES", before["read_at"])
    return state


def _marked(state: Thing, before: Thing) -> bool:
    """Tell whether the mark was set by the request that set the password."""
    return bool(state.get("changePasswordAtNextLogin")) and not before.get("changePasswordAtNextLogin")


def _password_goal(state: Thing, before: Thing | None) -> Goal:
    if before is None:
        return False, "the password is the one that the other hand knows"
    if _marked(state, before):
        return True, "the account must choose a new password, as set together with a random one"
    if state["changes"]:
        return True, "the audit log tells of a password set by an administrator since"
    if before.get("changePasswordAtNextLogin"):
        return None, "not yet known: the mark stood before, and the audit log does not yet tell of a new password"
    return False, "the mark that is set together with the password is not there"


def _sessions_goal(state: Thing, before: Thing | None) -> Goal:
    if before is None:
        return False, "sessions may be open; Google shows none of them"
    if state["resets"]:
        return True, "the audit log tells that the sign-in cookies were reset"
    return None, "not yet known: the audit log does not yet tell of the reset (it comes some minutes late)"


def _suspended_goal(state: Thing, _before: Thing | None) -> Goal:
    return (True, "suspended") if state.get("suspended") else (False, "not suspended")


def _guarded(client: Client, step: Step, before: Thing) -> None:
    """Hold that nobody locks the administrators out.

    Raises:
        RefusedError: the account is a super administrator, or the one whom hikeshi acts for.

    """
    if before.get("isAdmin") or owner(step).lower() == client.admin.lower():
        raise RefusedError(
            f"{owner(step)} is a super administrator or the one that hikeshi acts for",
            "let a second super administrator act by hand in the Admin console",
        )


def _set_password(client: Client, step: Step, before: Thing) -> str:
    _guarded(client, step, before)
    # nobody ever learns it: it stands in no receipt, and the owner gets another one from the administrator
    body = {"password": secrets.token_urlsafe(48), "changePasswordAtNextLogin": True}
    return f"{client.call(PATCH_USER, owner(step), body).status} password set"


def _sign_out(client: Client, step: Step, before: Thing) -> str:
    _guarded(client, step, before)
    return f"{client.call(SIGN_OUT, owner(step)).status} signed out"


def _suspend(client: Client, step: Step, before: Thing) -> str:
    _guarded(client, step, before)
    return f"{client.call(PATCH_USER, owner(step), {'suspended': True}).status} suspended"


def _unsuspend(client: Client, step: Step, before: Thing) -> str:
    body = {"suspended": bool(before.get("suspended"))}
    return f"{client.call(PATCH_USER, owner(step), body).status} suspended: {body['suspended']}"


def _as_before(before: Thing, state: Thing) -> Goal:
    is_, was = bool(state.get("suspended")), bool(before.get("suspended"))
    return is_ == was, "suspended" if is_ else "not suspended"


PASSWORD: Final = Operation(_read_password, _password_goal, _set_password)
SESSIONS: Final = Operation(_read_sessions, _sessions_goal, _sign_out)
SUSPENSION: Final = Operation(_read, _suspended_goal, _suspend, _unsuspend, _as_before)
