# SPDX-License-Identifier: Apache-2.0
"""The parts of the Admin SDK that the fake knows: Directory API and Reports API."""

from typing import Final

from hikeshi.testing.google_call import Call, Route
from hikeshi.testing.google_shapes import GoogleError, Reply, Thing, page, stamp

_AUTH: Final = "https://www.googleapis.com/auth/"
_USER: Final = (_AUTH + "admin.directory.user",)
_READ_USER: Final = (*_USER, _AUTH + "admin.directory.user.readonly")
_SECURITY: Final = (_AUTH + "admin.directory.user.security",)
_AUDIT: Final = (_AUTH + "admin.reports.audit.readonly",)
_USERS: Final = "admin/directory/v1/users/{userKey}"
#: what a person's own rights or Google decide; a PATCH leaves it as it is
_READ_ONLY: Final = ("id", "kind", "isAdmin", "isDelegatedAdmin", "suspensionReason", "isMailboxSetup", "aliases")


def _admin(call: Call) -> None:
    """Hold that whoever is stood for is an administrator, and that nobody touches one above.

    Raises:
        GoogleError: otherwise.

    """
    actor = call.person(call.subject)["user"]
    if not (actor["isAdmin"] or actor["isDelegatedAdmin"]):
        raise GoogleError(403, "forbidden", "Not Authorized to access this resource/api")
    key = call.path.get("userKey", "all")
    if key != "all" and call.person(key)["user"]["isAdmin"] and not actor["isAdmin"] and call.body:
        raise GoogleError(403, "forbidden", "Not Authorized to access this resource/api")


def _event(call: Call, name: str) -> None:
    email = call.person(call.path["userKey"])["user"]["primaryEmail"]
    call.domain.log("admin", call.subject, name, {"USER_EMAIL": email}, call.time)


def _get_user(call: Call) -> Reply:
    _admin(call)
    return Reply(200, call.person(call.path["userKey"])["user"])


def _patch_user(call: Call) -> Reply:
    _admin(call)
    held = call.person(call.path["userKey"])
    changes = {name: value for name, value in call.body.items() if name not in _READ_ONLY}
    password = changes.pop("password", None)
    if password is not None:
        if not 8 <= len(password) <= 100:
            raise GoogleError(400, "invalid", "Invalid Password")
        # a new password ends application passwords and what applications may do with mail
        held["password"], held["sessions"], held["asps"] = password, [], {}
        held["tokens"] = {key: one for key, one in held["tokens"].items() if not _of_mail(one)}
        _event(call, "CHANGE_PASSWORD")
    held["user"].update(changes)
    if "suspended" in changes:
        held["user"].pop("suspensionReason", None)
        if changes["suspended"]:
            held["user"]["suspensionReason"] = "ADMIN"
            held["sessions"] = []
        _event(call, "SUSPEND_USER" if changes["suspended"] else "UNSUSPEND_USER")
    return Reply(200, held["user"])


def _of_mail(token: Thing) -> bool:
    return any("mail" in scope for scope in token["scopes"])


def _sign_out(call: Call) -> Reply:
    _admin(call)
    call.person(call.path["userKey"])["sessions"] = []
    _event(call, "RESET_SIGNIN_COOKIES")
    return Reply(204)


def _list_tokens(call: Call) -> Reply:
    _admin(call)
    things = list(call.person(call.path["userKey"])["tokens"].values())
    return Reply(200, {"kind": "admin#directory#tokenList", **({"items": things} if things else {})})


def _delete_token(call: Call) -> Reply:
    _admin(call)
    if call.person(call.path["userKey"])["tokens"].pop(call.path["clientId"], None) is None:
        raise GoogleError(404, "notFound", "Domain cannot use apis / clientId")
    _event(call, "REVOKE_3LO_TOKEN")
    return Reply(204)


def _list_asps(call: Call) -> Reply:
    _admin(call)
    things = list(call.person(call.path["userKey"])["asps"].values())
    return Reply(200, {"kind": "admin#directory#aspList", **({"items": things} if things else {})})


def _delete_asp(call: Call) -> Reply:
    _admin(call)
    if call.person(call.path["userKey"])["asps"].pop(int(call.path["codeId"]), None) is None:
        raise GoogleError(404, "notFound", "Resource Not Found: codeId")
    _event(call, "REVOKE_ASP")
    return Reply(204)


def _list_codes(call: Call) -> Reply:
    _admin(call)
    held = call.person(call.path["userKey"])
    things = [
        {"kind": "admin#directory#verificationCode", "userId": held["user"]["id"], "verificationCode": code}
        for code in held["codes"]
    ]
    return Reply(200, {"kind": "admin#directory#verificationCodesList", **({"items": things} if things else {})})


def _invalidate_codes(call: Call) -> Reply:
    _admin(call)
    call.person(call.path["userKey"])["codes"] = []
    _event(call, "DELETE_2SV_SCRATCH_CODES")
    return Reply(204)


def _activities(call: Call) -> Reply:
    _admin(call)
    user, application, query = call.path["userKey"], call.path["applicationName"], call.query
    start = query.get("startTime", "")
    if start > stamp(call.time):
        raise GoogleError(400, "invalid", "Start time cannot be after the current time.")
    things = [
        one
        for one in reversed(call.audit)
        if one["id"]["applicationName"] == application
        and user in ("all", one["actor"]["email"])
        and one["id"]["time"] >= start
        and query.get("eventName", one["events"][0]["name"]) == one["events"][0]["name"]
        and _filtered(one, query.get("filters", ""))
    ]
    return Reply(200, {"kind": "admin#reports#activities", **page(things, "items", query, call.domain.page)})


def _filtered(activity: Thing, filters: str) -> bool:
    held = {one["name"]: one["value"] for one in activity["events"][0]["parameters"]}
    wanted = [one.split("==", maxsplit=1) for one in filters.split(",") if one]
    return all(held.get(name) == value for name, value in wanted)


ROUTES: Final = (
    Route("directory.users.get", "GET", _USERS, _READ_USER, _get_user),
    Route("directory.users.patch", "PATCH", _USERS, _USER, _patch_user),
    Route("directory.users.signOut", "POST", _USERS + "/signOut", _SECURITY, _sign_out),
    Route("directory.tokens.list", "GET", _USERS + "/tokens", _SECURITY, _list_tokens),
    Route("directory.tokens.delete", "DELETE", _USERS + "/tokens/{clientId}", _SECURITY, _delete_token),
    Route("directory.asps.list", "GET", _USERS + "/asps", _SECURITY, _list_asps),
    Route("directory.asps.delete", "DELETE", _USERS + "/asps/{codeId}", _SECURITY, _delete_asp),
    Route("directory.verificationCodes.list", "GET", _USERS + "/verificationCodes", _SECURITY, _list_codes),
    Route(
        "directory.verificationCodes.invalidate",
        "POST",
        _USERS + "/verificationCodes/invalidate",
        _SECURITY,
        _invalidate_codes,
    ),
    Route(
        "reports.activities.list",
        "GET",
        "admin/reports/v1/activity/users/{userKey}/applications/{applicationName}",
        _AUDIT,
        _activities,
    ),
)
