# SPDX-License-Identifier: Apache-2.0
"""The fake Graph's Exchange half: inbox rules, folders, mail and where it lies."""

from typing import Any, Final
from uuid import uuid4

from hikeshi.testing.graph_call import Call, Route, route
from hikeshi.testing.graph_directory import user_of
from hikeshi.testing.graph_odata import GraphError, Reply, not_found, page, select

Thing = dict[str, Any]


def _rules_of(call: Call) -> dict[str, Thing]:
    return call.state.exchange.rules[user_of(call)["id"]]


def _rules(call: Call) -> Reply:
    return Reply(200, page(_rules_of(call).values(), call.query, call.url, call.tenant.page_size))


def _rule(call: Call) -> Reply:
    rule = _rules_of(call).get(call.keys["rule"])
    if rule is None:
        raise not_found("rule", call.keys["rule"])
    return Reply(200, select(rule, call.query))


def _add_rule(call: Call) -> Reply:
    unknown = set(call.body) - {"displayName", "sequence", "isEnabled", "conditions", "actions", "exceptions"}
    if unknown or not call.body.get("displayName") or not call.body.get("actions"):
        raise GraphError(400, "ErrorInvalidRequest", f"The rule cannot be made: {sorted(unknown)}.")
    key = f"rule-{uuid4().hex[:12]}"
    plain = {"id": key, "hasError": False, "isReadOnly": False, "isEnabled": True}
    _rules_of(call)[key] = plain | call.body
    return Reply(201, _rules_of(call)[key])


def _rules_target(call: Call) -> tuple[dict[str, Any], str]:
    return _rules_of(call), call.keys["rule"]


def _delete_rule(call: Call) -> Reply:
    rules, key = _rules_target(call)
    if key not in rules:
        raise not_found("rule", key)
    if rules[key]["isReadOnly"]:
        raise GraphError(400, "ErrorInvalidOperation", "The rule is read-only.")
    del rules[key]
    return Reply(204)


def _folder_id(call: Call, name: str) -> str:
    user = user_of(call)["id"]
    key = call.state.exchange.named[user].get(name.lower(), name)
    if key not in call.state.exchange.folders[user]:
        raise not_found("folder", name)
    return key


def _folder(call: Call) -> Reply:
    folders = call.state.exchange.folders[user_of(call)["id"]]
    return Reply(200, select(folders[_folder_id(call, call.keys["folder"])], call.query))


def _messages_of(call: Call) -> dict[str, Thing]:
    return call.state.exchange.messages[user_of(call)["id"]]


def _messages(call: Call) -> Reply:
    # Graph's list over a mailbox shows every folder that a person sees; recoverable items are not among them
    if "folder" in call.keys:
        wanted = _folder_id(call, call.keys["folder"])
        found = [one for one in _messages_of(call).values() if one["parentFolderId"] == wanted]
    else:
        hidden = _folder_id(call, "recoverableitemsdeletions")
        found = [one for one in _messages_of(call).values() if one["parentFolderId"] != hidden]
    return Reply(200, page(found, call.query, call.url, call.tenant.page_size))


def _message(call: Call) -> Reply:
    message = _messages_of(call).get(call.keys["message"])
    if message is None:
        raise not_found("message", call.keys["message"])
    return Reply(200, select(message, call.query))


def _messages_target(call: Call) -> tuple[dict[str, Any], str]:
    return _messages_of(call), call.keys["message"]


def _move(call: Call) -> Reply:
    messages, key = _messages_target(call)
    if key not in messages:
        raise not_found("message", key)
    moved = messages[key] | {"parentFolderId": _folder_id(call, call.body["destinationId"])}
    if "ImmutableId" not in call.headers.get("prefer", ""):
        # the usual id names the place of a mail: it is another one after a move
        del messages[key]
        moved["id"] = f"message-{uuid4().hex}"
    messages[moved["id"]] = moved
    return Reply(201, moved)


_RULES = "MailboxSettings.ReadWrite"
_MAIL = "Mail.ReadWrite"
_READ = f"Mail.Read {_MAIL}"

ROUTES: Final[tuple[Route, ...]] = (
    route("GET /users/{user}/mailFolders/inbox/messageRules", f"MailboxSettings.Read {_RULES}", _rules),
    route("POST /users/{user}/mailFolders/inbox/messageRules", _RULES, _add_rule),
    route("GET /users/{user}/mailFolders/inbox/messageRules/{rule}", f"MailboxSettings.Read {_RULES}", _rule),
    route("DELETE /users/{user}/mailFolders/inbox/messageRules/{rule}", _RULES, _delete_rule, _rules_target),
    route("GET /users/{user}/mailFolders/{folder}", f"Mail.ReadBasic.All {_READ}", _folder),
    route("GET /users/{user}/mailFolders/{folder}/messages", f"Mail.ReadBasic.All {_READ}", _messages),
    route("GET /users/{user}/messages", f"Mail.ReadBasic.All {_READ}", _messages),
    route("GET /users/{user}/messages/{message}", f"Mail.ReadBasic.All {_READ}", _message),
    route("POST /users/{user}/messages/{message}/move", _MAIL, _move, _messages_target),
)
