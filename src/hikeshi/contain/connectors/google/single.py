# SPDX-License-Identifier: Apache-2.0
"""Settings that a mailbox has once: automatic forwarding, an address to reply to; and backup codes, which only go together."""

from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.google.answers import GoneError
from hikeshi.contain.connectors.google.calls import (
    GET_FORWARDING,
    INVALIDATE_CODES,
    LIST_CODES,
    LIST_SEND_AS,
    PATCH_SEND_AS,
    PUT_FORWARDING,
)
from hikeshi.contain.connectors.google.client import Client, Thing
from hikeshi.contain.connectors.google.operation import Goal, Operation, owner
from hikeshi.contain.contract import Step

_FORWARDING: Final = ("enabled", "emailAddress", "disposition")


def _read_forwarding(client: Client, step: Step, _before: Thing | None, _since: datetime) -> Thing:
    held = client.call(GET_FORWARDING, owner(step)).body
    return {name: held[name] for name in _FORWARDING if name in held}


def _forwarding_goal(state: Thing, _before: Thing | None) -> Goal:
    if state.get("enabled"):
        return False, f"all mail goes to {state.get('emailAddress')}"
    return True, "nothing is forwarded automatically"


def _stop_forwarding(client: Client, step: Step, _before: Thing) -> str:
    return str(client.call(PUT_FORWARDING, owner(step), {"enabled": False}).status)


def _forward_again(client: Client, step: Step, before: Thing) -> str:
    return str(client.call(PUT_FORWARDING, owner(step), dict(before)).status)


def _forwarding_same(before: Thing, state: Thing) -> Goal:
    return (True, "as it was") if _effect(before) == _effect(state) else (False, "it does not forward as it did")


def _effect(state: Thing) -> Thing:
    return dict(state) if state.get("enabled") else {"enabled": False}


def _read_reply_to(client: Client, step: Step, _before: Thing | None, _since: datetime) -> Thing:
    for row in client.pages(LIST_SEND_AS, owner(step), "sendAs"):
        if str(row.get("sendAsEmail")).lower() == str(step.object).lower():
            return {"replyToAddress": row.get("replyToAddress", "")}
    return {"replyToAddress": ""}


def _reply_to_goal(state: Thing, _before: Thing | None) -> Goal:
    if state["replyToAddress"]:
        return False, f"answers go to {state['replyToAddress']}"
    return True, "answers go to the address itself"


def _set_reply_to(client: Client, step: Step, address: str) -> str:
    try:
        return str(
            client.call(
                PATCH_SEND_AS, owner(step), {"replyToAddress": address}, names={"sendAsEmail": _of(step)}
            ).status
        )
    except GoneError:
        return "404, the address to send as is gone already"


def _of(step: Step) -> str:
    return str(step.object)


def _reply_to_same(before: Thing, state: Thing) -> Goal:
    return (True, "as it was") if before == state else (False, "answers do not go where they went")


def _read_codes(client: Client, step: Step, _before: Thing | None, _since: datetime) -> Thing:
    # how many, never which: they are keys
    return {"codes": len(client.pages(LIST_CODES, owner(step), "items"))}


def _codes_goal(state: Thing, _before: Thing | None) -> Goal:
    return not state["codes"], f"{state['codes']} backup codes are good"


def _invalidate(client: Client, step: Step, _before: Thing) -> str:
    return str(client.call(INVALIDATE_CODES, owner(step)).status)


AUTO_FORWARDING: Final = Operation(
    _read_forwarding, _forwarding_goal, _stop_forwarding, _forward_again, _forwarding_same
)
REPLY_TO: Final = Operation(
    _read_reply_to,
    _reply_to_goal,
    lambda client, step, _before: _set_reply_to(client, step, ""),
    lambda client, step, before: _set_reply_to(client, step, before["replyToAddress"]),
    _reply_to_same,
)
BACKUP_CODES: Final = Operation(_read_codes, _codes_goal, _invalidate)
