# SPDX-License-Identifier: Apache-2.0
"""Things that Google lists and that are removed one by one: grants, application passwords, filters, delegates."""

from dataclasses import dataclass
from datetime import datetime
from functools import partial
from typing import Any, Final

from hikeshi.contain.connectors.google import calls
from hikeshi.contain.connectors.google.answers import ExistsError, GoneError
from hikeshi.contain.connectors.google.calls import Call
from hikeshi.contain.connectors.google.client import Client, Thing
from hikeshi.contain.connectors.google.operation import Goal, Operation, owner
from hikeshi.contain.contract import RefusedError, Step


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of listed thing.

    `rows` is the list's key in the answer, `key` a row's own key and `name` the path's parameter for it. `kept` are the
    properties that are read and brought back; of those `given` are what Google wants for making it again.
    """

    list: Call
    delete: Call
    rows: str
    key: str
    name: str
    kept: tuple[str, ...]
    create: Call | None = None
    given: tuple[str, ...] = ()


TOKEN: Final = Kind(
    calls.LIST_TOKENS, calls.DELETE_TOKEN, "items", "clientId", "clientId", ("clientId", "displayText", "scopes")
)
APP_PASSWORD: Final = Kind(
    calls.LIST_ASPS, calls.DELETE_ASP, "items", "codeId", "codeId", ("codeId", "name", "creationTime", "lastTimeUsed")
)
FILTER: Final = Kind(
    calls.LIST_FILTERS,
    calls.DELETE_FILTER,
    "filter",
    "id",
    "id",
    ("id", "criteria", "action"),
    calls.CREATE_FILTER,
    ("criteria", "action"),
)
ADDRESS: Final = Kind(
    calls.LIST_ADDRESSES,
    calls.DELETE_ADDRESS,
    "forwardingAddresses",
    "forwardingEmail",
    "forwardingEmail",
    ("forwardingEmail", "verificationStatus"),
    calls.CREATE_ADDRESS,
    ("forwardingEmail",),
)
DELEGATE: Final = Kind(
    calls.LIST_DELEGATES,
    calls.DELETE_DELEGATE,
    "delegates",
    "delegateEmail",
    "delegateEmail",
    ("delegateEmail", "verificationStatus"),
    calls.CREATE_DELEGATE,
    ("delegateEmail",),
)
_SEND_AS: Final = ("sendAsEmail", "displayName", "replyToAddress", "signature", "isDefault", "treatAsAlias")
SEND_AS: Final = Kind(
    calls.LIST_SEND_AS,
    calls.DELETE_SEND_AS,
    "sendAs",
    "sendAsEmail",
    "sendAsEmail",
    (*_SEND_AS, "verificationStatus", "smtpMsa"),
    calls.CREATE_SEND_AS,
    _SEND_AS,
)


def rows(client: Client, user: str, kind: Kind) -> list[Thing]:
    """Read all things of a kind."""
    return client.pages(kind.list, user, kind.rows)


def content(kind: Kind, row: Thing) -> Any:
    """Give what makes a thing what it is, so that two of equal content are equal: ids are dropped where they change."""
    if kind is FILTER:
        return _plain({name: row.get(name) or {} for name in kind.given})
    return str(row.get(kind.key)).lower()


def _plain(value: Any) -> Any:
    """Drop what is empty and the order of lists, which Google may change."""
    if isinstance(value, dict):
        return {key: _plain(one) for key, one in value.items() if one not in (None, "", [], {}, False)}
    return sorted(value) if isinstance(value, list) else value


def operation(kind: Kind) -> Operation:
    """Give the operation that removes one thing of a kind, and brings it back where Google can."""
    if kind.create is None:
        return Operation(partial(_read, kind), _goal, partial(_do, kind))
    return Operation(
        partial(_read, kind), _goal, partial(_do, kind), partial(_undo, kind, kind.create), partial(_same, kind)
    )


def _matching(client: Client, step: Step, kind: Kind) -> list[Thing]:
    """Give what is the step's thing. An intruder's filter that comes back has another id and the same content."""
    key, wanted = str(step.object).lower(), content(kind, step.detail.get("thing", {}))
    found = rows(client, owner(step), kind)
    return [row for row in found if str(row.get(kind.key)).lower() == key or content(kind, row) == wanted]


def _read(kind: Kind, client: Client, step: Step, _before: Thing | None, _since: datetime) -> Thing:
    found = _matching(client, step, kind)
    return {"found": [{name: row[name] for name in kind.kept if name in row} for row in found]}


def _goal(state: Thing, _before: Thing | None) -> Goal:
    return (False, "it is there") if state["found"] else (True, "it is not there")


def _do(kind: Kind, client: Client, step: Step, _before: Thing) -> str:
    says = []
    for row in _matching(client, step, kind):
        try:
            says.append(str(client.call(kind.delete, owner(step), names={kind.name: str(row[kind.key])}).status))
        except GoneError:
            says.append("404, gone already")
    return "; ".join(says) or "nothing there any more"


def _undo(kind: Kind, create: Call, client: Client, step: Step, before: Thing) -> str:
    says = []
    for row in before["found"]:
        if "smtpMsa" in row:
            raise RefusedError(
                "this address sends by a server of its own, whose password Google does not give out",
                "let the owner set it up again",
            )
        body = {name: row[name] for name in kind.given if row.get(name)}
        try:
            says.append(str(client.call(create, owner(step), body).status))
        except ExistsError:
            says.append("there already")
    return "; ".join(says) or "nothing was there before"


def _same(kind: Kind, before: Thing, state: Thing) -> Goal:
    there = {str(content(kind, row)): row for row in state["found"]}
    for row in before["found"]:
        now = there.get(str(content(kind, row)))
        if now is None:
            return False, "it is not there"
        if now.get("verificationStatus") != row.get("verificationStatus"):
            return False, f"made again, but {now.get('verificationStatus')}: its owner has to confirm it"
        if any(_plain(now.get(name) or None) != _plain(row.get(name) or None) for name in kind.given):
            return False, "it is there, but not as it was"
    return True, "it is there as it was" if before["found"] else "nothing was there before"
