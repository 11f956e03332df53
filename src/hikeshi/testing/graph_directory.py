# SPDX-License-Identifier: Apache-2.0
"""The fake Graph's Entra half: people, their methods, consents and assignments, the risk flag."""

from typing import Any, Final
from uuid import uuid4

from hikeshi.testing.graph_call import Call, Route, route
from hikeshi.testing.graph_odata import GraphError, Reply, not_found, page, select
from hikeshi.testing.graph_tenant import stamp

Thing = dict[str, Any]

#: what Graph answers of a user where no $select asks for more
USER_DEFAULT: Final = ("id", "userPrincipalName", "displayName", "mail")
#: the segment under /authentication of each kind of method, and the permission that may delete it
METHOD_KINDS: Final = {
    "phoneMethods": ("phone", "UserAuthMethod-Phone.ReadWrite.All"),
    "microsoftAuthenticatorMethods": ("microsoftAuthenticator", "UserAuthMethod-MicrosoftAuthApp.ReadWrite.All"),
    "fido2Methods": ("fido2", "UserAuthMethod-Passkey.ReadWrite.All"),
    "softwareOathMethods": ("softwareOath", "UserAuthMethod-SoftwareOATH.ReadWrite.All"),
    "emailMethods": ("email", "UserAuthMethod-Email.ReadWrite.All"),
    "temporaryAccessPassMethods": ("temporaryAccessPass", "UserAuthMethod-TAP.ReadWrite.All"),
    "windowsHelloForBusinessMethods": ("windowsHelloForBusiness", "UserAuthMethod-WindowsHello.ReadWrite.All"),
}
_PATCHES: Final = {
    "accountEnabled": {"User.EnableDisableAccount.All", "User.ReadWrite.All", "Directory.ReadWrite.All"},
    "passwordProfile": {"User-PasswordProfile.ReadWrite.All", "User.ReadWrite.All", "Directory.ReadWrite.All"},
}


def user_of(call: Call) -> Thing:
    """Find the user by id or userPrincipalName.

    Raises:
        GraphError: there is none.

    """
    key = call.keys["user"]
    for user in call.state.directory.users.values():
        if key in {user["id"], user["userPrincipalName"]} or key.lower() == user["userPrincipalName"].lower():
            return user
    raise not_found("user", key)


def _users(call: Call) -> Reply:
    users = call.state.directory.users.values()
    return Reply(200, page(users, call.query, call.url, call.tenant.page_size))


def _user(call: Call) -> Reply:
    return Reply(200, select(user_of(call), call.query, USER_DEFAULT))


def _patch_user(call: Call) -> Reply:
    user = user_of(call)
    for name in call.body:
        if name not in _PATCHES:
            raise GraphError(400, "Request_BadRequest", f"Property '{name}' is not modelled.")
        if not _PATCHES[name] & call.granted:
            raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
        if user["onPremisesSyncEnabled"]:
            raise GraphError(
                400,
                "Request_BadRequest",
                "Unable to update the specified properties for on-premises mastered Directory Sync objects.",
            )
    if "accountEnabled" in call.body:
        user["accountEnabled"] = call.body["accountEnabled"]
    if "passwordProfile" in call.body:
        if len(call.body["passwordProfile"]["password"]) < 8:
            raise GraphError(400, "Request_BadRequest", "The specified password does not comply with the policy.")
        user["lastPasswordChangeDateTime"] = stamp(call.tenant.clock())
        call.tenant.passwords_set.append((user["id"], call.body["passwordProfile"]["password"]))
    return Reply(204)


def _revoke(call: Call) -> Reply:
    user = user_of(call)
    if user["userType"] == "Guest":
        raise GraphError(400, "Request_BadRequest", "Sessions of external users are not revoked here.")
    user["signInSessionsValidFromDateTime"] = stamp(call.tenant.clock())
    return Reply(200, {"value": True})


def _methods(call: Call) -> Reply:
    methods = call.state.directory.methods[user_of(call)["id"]].values()
    return Reply(200, page(methods, call.query, call.url, call.tenant.page_size))


def _methods_target(call: Call) -> tuple[dict[str, Any], str]:
    return call.state.directory.methods[user_of(call)["id"]], call.keys["method"]


def _delete_method(call: Call) -> Reply:
    methods, key = _methods_target(call)
    kind = METHOD_KINDS[next(name for name in METHOD_KINDS if f"/{name}/".lower() in call.path.lower())][0]
    if key not in methods or methods[key]["@odata.type"] != f"#microsoft.graph.{kind}AuthenticationMethod":
        raise not_found("method", key)
    user = user_of(call)["id"]
    strong = [one for one in methods.values() if "password" not in one["@odata.type"]]
    if call.state.directory.default_method.get(user) == key and len(strong) > 1:
        raise GraphError(400, "invalidRequest", "The default method cannot be deleted while others are registered.")
    del methods[key]
    return Reply(204)


def _grants(call: Call) -> Reply:
    grants = [one for one in call.state.directory.grants.values() if _grant_is_listed(call, one)]
    return Reply(200, page(grants, call.query, call.url, call.tenant.page_size))


def _grant_is_listed(call: Call, grant: Thing) -> bool:
    return "user" not in call.keys or grant["principalId"] == user_of(call)["id"]


def _add_grant(call: Call) -> Reply:
    grants, same = call.state.directory.grants, ("clientId", "principalId", "resourceId", "consentType")
    if any(all(one[name] == call.body.get(name) for name in same) for one in grants.values()):
        raise GraphError(409, "Request_MultipleObjectsWithSameKeyValue", "Permission entry already exists.")
    key = f"grant-{uuid4().hex}"
    grants[key] = {"id": key, "scope": call.body["scope"]} | {name: call.body.get(name) for name in same}
    return Reply(201, grants[key])


def _grants_target(call: Call) -> tuple[dict[str, Any], str]:
    return call.state.directory.grants, call.keys["grant"]


def _delete_grant(call: Call) -> Reply:
    grants, key = _grants_target(call)
    if key not in grants:
        raise not_found("grant", key)
    del grants[key]
    return Reply(204)


def _assignments(call: Call) -> Reply:
    holder = user_of(call)["id"] if "user" in call.keys else call.keys["principal"]
    found = [one for one in call.state.directory.assignments.values() if one["principalId"] == holder]
    return Reply(200, page(found, call.query, call.url, call.tenant.page_size))


def _add_assignment(call: Call) -> Reply:
    assignments, same = call.state.directory.assignments, ("appRoleId", "principalId", "resourceId")
    if any(all(one[name] == call.body[name] for name in same) for one in assignments.values()):
        raise GraphError(400, "Request_BadRequest", "Permission being assigned already exists on the object.")
    key = call.tenant.add_assignment(
        call.body["principalId"],
        call.body["resourceId"],
        created=call.tenant.clock(),
        app_role_id=call.body["appRoleId"],
    )
    # a lying answer works on a copy of the state, where the tenant itself has nothing to do
    made = call.tenant.state.directory.assignments.pop(key)
    assignments[key] = made
    return Reply(201, made)


def _assignments_target(call: Call) -> tuple[dict[str, Any], str]:
    return call.state.directory.assignments, call.keys["assignment"]


def _delete_assignment(call: Call) -> Reply:
    assignments, key = _assignments_target(call)
    if key not in assignments:
        raise not_found("assignment", key)
    del assignments[key]
    return Reply(204)


def _principal(call: Call) -> Reply:
    for one in call.state.directory.principals.values():
        if call.keys.get("principal") == one["id"] or call.keys.get("app") == one["appId"]:
            return Reply(200, select(one, call.query))
    raise not_found("servicePrincipal", call.keys.get("principal") or call.keys["app"])


def _compromised(call: Call) -> Reply:
    for key in call.body["userIds"]:
        call.state.directory.risky[key] = {
            "id": key,
            "riskState": "confirmedCompromised",
            "riskLevel": "high",
            "riskLastUpdatedDateTime": stamp(call.tenant.clock()),
        }
    return Reply(204)


def _risky(call: Call) -> Reply:
    key = call.keys["user"]
    if key not in call.state.directory.risky:
        raise not_found("riskyUser", key)
    return Reply(200, select(call.state.directory.risky[key], call.query))


_USERS = "User.Read.All User.ReadWrite.All Directory.Read.All Directory.ReadWrite.All"
_DIRECTORY = "Directory.Read.All Directory.ReadWrite.All"
_METHODS = "UserAuthenticationMethod.Read.All UserAuthenticationMethod.ReadWrite.All"
_ASSIGN = "AppRoleAssignment.ReadWrite.All"
_GRANT = "DelegatedPermissionGrant.ReadWrite.All Directory.ReadWrite.All"
_RISK = "IdentityRiskyUser.ReadWrite.All"

ROUTES: Final[tuple[Route, ...]] = (
    route("GET /users", _USERS, _users),
    route("GET /users/{user}", _USERS, _user),
    route("PATCH /users/{user}", " ".join(set().union(*_PATCHES.values())), _patch_user),
    route(
        "POST /users/{user}/revokeSignInSessions",
        "User.RevokeSessions.All User.ReadWrite.All Directory.ReadWrite.All",
        _revoke,
    ),
    route("GET /users/{user}/authentication/methods", _METHODS, _methods),
    *(
        route(
            f"DELETE /users/{{user}}/authentication/{segment}/{{method}}",
            f"{permission} UserAuthenticationMethod.ReadWrite.All",
            _delete_method,
            _methods_target,
        )
        for segment, (_, permission) in METHOD_KINDS.items()
    ),
    route("GET /users/{user}/oauth2PermissionGrants", f"{_DIRECTORY} DelegatedPermissionGrant.ReadWrite.All", _grants),
    route("GET /oauth2PermissionGrants", f"{_DIRECTORY} DelegatedPermissionGrant.ReadWrite.All", _grants),
    route("POST /oauth2PermissionGrants", _GRANT, _add_grant),
    route("DELETE /oauth2PermissionGrants/{grant}", _GRANT, _delete_grant, _grants_target),
    route("GET /users/{user}/appRoleAssignments", f"{_DIRECTORY} {_ASSIGN}", _assignments),
    route("POST /users/{user}/appRoleAssignments", _ASSIGN, _add_assignment),
    route("DELETE /users/{user}/appRoleAssignments/{assignment}", _ASSIGN, _delete_assignment, _assignments_target),
    route("GET /servicePrincipals(appId='{app}')", f"{_DIRECTORY} Application.Read.All", _principal),
    route("GET /servicePrincipals/{principal}", f"{_DIRECTORY} Application.Read.All", _principal),
    route(
        "GET /servicePrincipals/{principal}/appRoleAssignments",
        f"{_DIRECTORY} {_ASSIGN} Application.Read.All",
        _assignments,
    ),
    route(
        "DELETE /servicePrincipals/{principal}/appRoleAssignments/{assignment}",
        _ASSIGN,
        _delete_assignment,
        _assignments_target,
    ),
    route("POST /identityProtection/riskyUsers/confirmCompromised", _RISK, _compromised),
    route("GET /identityProtection/riskyUsers/{user}", f"IdentityRiskyUser.Read.All {_RISK}", _risky),
)
