# SPDX-License-Identifier: Apache-2.0
"""The part of the Gmail API that the fake knows: settings, and mail that is found, thrown away and brought back."""

from collections.abc import Callable
from typing import Final
from uuid import uuid4

from hikeshi.testing.google_call import Call, Route
from hikeshi.testing.google_shapes import GoogleError, Reply, Thing, page

_AUTH: Final = "https://www.googleapis.com/auth/"
_FULL: Final = "https://mail.google.com/"
_MODIFY: Final = (_FULL, _AUTH + "gmail.modify")
_SHARING: Final = (_AUTH + "gmail.settings.sharing",)
_BASIC: Final = (_AUTH + "gmail.settings.basic",)
_READ: Final = (_FULL, _AUTH + "gmail.modify", _AUTH + "gmail.readonly", *_BASIC)
_FIND: Final = (_FULL, _AUTH + "gmail.metadata", _AUTH + "gmail.modify", _AUTH + "gmail.readonly")
_SEE: Final = (
    _FULL,
    _AUTH + "gmail.addons.current.message.action",
    _AUTH + "gmail.addons.current.message.metadata",
    _AUTH + "gmail.addons.current.message.readonly",
    *_FIND[1:],
)
_SETTINGS: Final = "gmail/v1/users/{userId}/settings/"
_MESSAGES: Final = "gmail/v1/users/{userId}/messages"


def _inside(call: Call, address: str) -> bool:
    return address.rpartition("@")[2].lower() in call.domain.domains


def _setting(name: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        return Reply(200, call.mailbox()[name])

    return answer


def _listed(kind: str, name: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        things = list(call.mailbox()[kind].values())
        return Reply(200, {name: things} if things else {})

    return answer


def _deleted(kind: str, parameter: str, message: str) -> Callable[[Call], Reply]:
    def answer(call: Call) -> Reply:
        if call.mailbox()[kind].pop(call.path[parameter], None) is None:
            raise GoogleError(404, "notFound", message)
        return Reply(204)

    return answer


def _put_forwarding(call: Call) -> Reply:
    held = call.mailbox()
    if call.body.get("enabled") and not _verified(held, call.body.get("emailAddress", "")):
        raise GoogleError(400, "failedPrecondition", "Unrecognized forwarding address")
    # a PUT replaces: what it does not name is gone
    held["autoForwarding"] = {"enabled": bool(call.body.get("enabled")), **call.body}
    return Reply(200, held["autoForwarding"])


def _verified(held: Thing, address: str) -> bool:
    return bool(held["forwardingAddresses"].get(address, {}).get("verificationStatus") == "accepted")


def _create_forwarding(call: Call) -> Reply:
    held, address = call.mailbox(), call.body["forwardingEmail"]
    if address in held["forwardingAddresses"]:
        raise GoogleError(409, "alreadyExists", "Forwarding address already exists")
    status = "accepted" if _inside(call, address) else "pending"
    made = {"forwardingEmail": address, "verificationStatus": status}
    held["forwardingAddresses"][address] = made
    return Reply(200, made)


def _delete_forwarding(call: Call) -> Reply:
    held, address = call.mailbox(), call.path["forwardingEmail"]
    if held["forwardingAddresses"].pop(address, None) is None:
        raise GoogleError(404, "notFound", "Forwarding address not found")
    if held["autoForwarding"].get("emailAddress") == address:
        held["autoForwarding"] = {"enabled": False}
    return Reply(204)


def _create_filter(call: Call) -> Reply:
    held, wanted = call.mailbox(), {"criteria": call.body["criteria"], "action": call.body["action"]}
    if any({key: one[key] for key in wanted} == wanted for one in held["filters"].values()):
        raise GoogleError(400, "failedPrecondition", "Filter already exists")
    if (to := wanted["action"].get("forward")) and not _verified(held, to):
        raise GoogleError(400, "failedPrecondition", "Unrecognized forwarding address")
    made = f"ANe1Bm{uuid4().hex[:18]}"
    held["filters"][made] = {"id": made, **wanted}
    return Reply(200, held["filters"][made])


def _create_delegate(call: Call) -> Reply:
    held, address = call.mailbox(), call.body["delegateEmail"]
    if not _inside(call, address):
        raise GoogleError(400, "invalidArgument", "Invalid delegate")
    if address in held["delegates"]:
        raise GoogleError(409, "alreadyExists", "Delegate already exists")
    held["delegates"][address] = {"delegateEmail": address, "verificationStatus": "accepted"}
    return Reply(200, held["delegates"][address])


def _create_send_as(call: Call) -> Reply:
    held, address = call.mailbox(), call.body["sendAsEmail"]
    if address in held["sendAs"]:
        raise GoogleError(409, "alreadyExists", "Send-as alias already exists")
    body = {key: value for key, value in call.body.items() if key != "isPrimary"}
    made = {
        "displayName": "",
        "isDefault": False,
        **body,
        "isPrimary": False,
        "verificationStatus": "accepted" if _inside(call, address) else "pending",
    }
    _default(held, made)
    held["sendAs"][address] = made
    return Reply(200, made)


def _default(held: Thing, one: Thing) -> None:
    """Keep exactly one address the default."""
    if one.get("isDefault"):
        for other in held["sendAs"].values():
            other["isDefault"] = other is one


def _delete_send_as(call: Call) -> Reply:
    held, address = call.mailbox(), call.path["sendAsEmail"]
    if held["sendAs"].get(address, {}).get("isPrimary"):
        raise GoogleError(400, "invalidArgument", "Cannot delete primary address")
    if held["sendAs"].pop(address, None) is None:
        raise GoogleError(404, "notFound", "Send-as alias not found")
    if not any(one.get("isDefault") for one in held["sendAs"].values()):
        next(one for one in held["sendAs"].values() if one["isPrimary"])["isDefault"] = True
    return Reply(204)


def _patch_send_as(call: Call) -> Reply:
    held, address = call.mailbox(), call.path["sendAsEmail"]
    if address not in held["sendAs"]:
        raise GoogleError(404, "notFound", "Send-as alias not found")
    held["sendAs"][address].update(call.body)
    if held["sendAs"][address].get("replyToAddress") == "":
        del held["sendAs"][address]["replyToAddress"]
    _default(held, held["sendAs"][address])
    return Reply(200, held["sendAs"][address])


def _find(call: Call) -> Reply:
    held, query = call.mailbox(), call.query.get("q", "")
    if not query.startswith("rfc822msgid:"):
        raise GoogleError(400, "invalidArgument", "The fake knows no other search than rfc822msgid:")
    wanted = query.removeprefix("rfc822msgid:").strip("<>")
    hidden = () if call.query.get("includeSpamTrash") == "true" else ("TRASH", "SPAM")
    found = [
        {"id": key, "threadId": one["threadId"]}
        for key, one in held["messages"].items()
        if one["rfc822"] == wanted and not set(hidden) & set(one["labelIds"])
    ]
    return Reply(200, {"resultSizeEstimate": len(found), **page(found, "messages", call.query, call.domain.page)})


def _message(call: Call) -> Thing:
    found: Thing | None = call.mailbox()["messages"].get(call.path["id"])
    if found is None:
        raise GoogleError(404, "notFound", "Requested entity was not found.")
    return found


def _shown(call: Call, one: Thing) -> Reply:
    return Reply(200, {"id": call.path["id"], "threadId": one["threadId"], "labelIds": list(one["labelIds"])})


def _see(call: Call) -> Reply:
    one = _message(call)
    reply = _shown(call, one)
    if reply.body is not None and call.query.get("format") == "metadata":
        reply.body["payload"] = {"headers": [{"name": "Message-ID", "value": f"<{one.get('shown', one['rfc822'])}>"}]}
    return reply


def _trash(call: Call) -> Reply:
    one = _message(call)
    one["labelIds"] = [*(name for name in one["labelIds"] if name not in ("INBOX", "SPAM", "TRASH")), "TRASH"]
    return _shown(call, one)


def _untrash(call: Call) -> Reply:
    one = _message(call)
    one["labelIds"] = [name for name in one["labelIds"] if name != "TRASH"]
    return _shown(call, one)


def _modify(call: Call) -> Reply:
    one = _message(call)
    kept = [name for name in one["labelIds"] if name not in call.body.get("removeLabelIds", ())]
    one["labelIds"] = [*kept, *(name for name in call.body.get("addLabelIds", ()) if name not in kept)]
    return _shown(call, one)


def _route(name: str, method: str, path: str, scopes: tuple[str, ...], answer: Callable[[Call], Reply]) -> Route:
    return Route(f"gmail.users.{name}", method, path, scopes, answer)


def _things(kind: str, key: str, name: str, create: Callable[[Call], Reply] | None = None) -> list[Route]:
    """Give the routes of one kind of setting that is listed, made and deleted."""
    path = _SETTINGS + kind
    scopes = _BASIC if kind == "filters" else _SHARING
    delete = {"forwardingAddresses": _delete_forwarding, "sendAs": _delete_send_as}.get(kind)
    routes = [
        _route(f"settings.{kind}.list", "GET", path, _READ, _listed(kind, name)),
        _route(
            f"settings.{kind}.delete", "DELETE", f"{path}/{{{key}}}", scopes, delete or _deleted(kind, key, "Not found")
        ),
    ]
    if create:
        routes.append(_route(f"settings.{kind}.create", "POST", path, scopes, create))
    return routes


ROUTES: Final = (
    _route("settings.getAutoForwarding", "GET", _SETTINGS + "autoForwarding", _READ, _setting("autoForwarding")),
    _route("settings.updateAutoForwarding", "PUT", _SETTINGS + "autoForwarding", _SHARING, _put_forwarding),
    _route("settings.getImap", "GET", _SETTINGS + "imap", _READ, _setting("imap")),
    _route("settings.getPop", "GET", _SETTINGS + "pop", _READ, _setting("pop")),
    _route("settings.getVacation", "GET", _SETTINGS + "vacation", _READ, _setting("vacation")),
    *_things("forwardingAddresses", "forwardingEmail", "forwardingAddresses", _create_forwarding),
    *_things("filters", "id", "filter", _create_filter),
    *_things("delegates", "delegateEmail", "delegates", _create_delegate),
    *_things("sendAs", "sendAsEmail", "sendAs", _create_send_as),
    _route("settings.sendAs.patch", "PATCH", _SETTINGS + "sendAs/{sendAsEmail}", (*_BASIC, *_SHARING), _patch_send_as),
    _route("messages.list", "GET", _MESSAGES, _FIND, _find),
    _route("messages.get", "GET", _MESSAGES + "/{id}", _SEE, _see),
    _route("messages.trash", "POST", _MESSAGES + "/{id}/trash", _MODIFY, _trash),
    _route("messages.untrash", "POST", _MESSAGES + "/{id}/untrash", _MODIFY, _untrash),
    _route("messages.modify", "POST", _MESSAGES + "/{id}/modify", _MODIFY, _modify),
)
