# SPDX-License-Identifier: Apache-2.0
"""What the account consented to: delegated permissions, and assignments to applications.

v1.0 gives a delegated permission no time. But a person's consent also assigns the person to the application, and that
has one: a permission whose assignment appeared in the intruder's time goes, others are shown.
"""

from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.m365.client import Graph, path
from hikeshi.contain.connectors.m365.operation import Operation, Person, Thing, shown, step, time, words
from hikeshi.contain.contract import Answer, Look, Phase, Reading, Shown, Step, Target

_ALREADY: Final = (400, 409)


def _grants_of(graph: Graph, user: str) -> list[Thing]:
    return graph.items(path("users", user, "oauth2PermissionGrants"))


def _assignments_of(graph: Graph, user: str) -> list[Thing]:
    return graph.items(path("users", user, "appRoleAssignments"))


def _began(assignments: list[Thing]) -> dict[str, datetime]:
    """When the person was first assigned to each application (UTC)."""
    began: dict[str, datetime] = {}
    for one in assignments:
        created = time(one.get("createdDateTime"))
        if created is not None:
            began[one["resourceId"]] = min(created, began.get(one["resourceId"], created))
    return began


def _look_grants(graph: Graph, one: Person, target: Target) -> Look:
    assignments = _assignments_of(graph, one.key)
    began = _began(assignments)
    names = {role["resourceId"]: role.get("resourceDisplayName") for role in assignments}
    steps: list[Step] = []
    left: list[Shown] = []
    mine = _grants_of(graph, one.key)
    for grant in mine:
        name, scope, since = (
            names.get(grant["clientId"]) or grant["clientId"],
            grant["scope"].strip(),
            began.get(grant["clientId"]),
        )
        what = words(f"consent to {name}: {scope}", f"アプリ「{name}」への同意：{scope}")
        if since is not None and since >= target.since:
            why = words(
                f"{what['en']}, given at {since.isoformat()}, in the intruder's time",
                f"{what['ja']}。侵入期間中の {since.isoformat()} に与えられました",
            )
            undo = words("give the same consent again", "同じ同意を再び与えます")
            request = f"DELETE /oauth2PermissionGrants/{grant['id']}"
            steps.append(step(one, "grant", Phase.CLEAN, request, why, undo, object=grant["id"], grant=grant))
        else:
            left.append(shown(one.address, grant["id"], what, _why_not(since)))
    clients = {grant["clientId"] for grant in mine}
    everyone = graph.items("/oauth2PermissionGrants", {"$filter": "consentType eq 'AllPrincipals'"})
    for grant in everyone:
        if grant["clientId"] in clients:
            what = words(f"consent for everyone: {grant['scope']}", f"全員分の同意：{grant['scope']}")
            why_not = words("it concerns everyone, so a person decides", "全員に影響するため、人の判断が必要です")
            left.append(shown(one.address, grant["id"], what, why_not))
    gap = words(
        f"{len(everyone)} consents for everyone exist; only those of applications of this account are shown",
        f"全員分の同意が {len(everyone)} 件あります。このアカウントのアプリに関するものだけを示しています",
    )
    return Look(tuple(steps), tuple(left), (gap,) if everyone else ())


def _why_not(since: datetime | None) -> dict[str, str]:
    if since is not None:
        return dict(
            words(
                f"the application was assigned at {since.isoformat()}, before the intruder; permissions added later have no"
                " time of their own, so look at the audit log",
                f"アプリの割り当ては侵入前の {since.isoformat()} です。後から増えた権限には日時がないため、監査ログを確認してください",
            )
        )
    return dict(
        words(
            "Graph gives consents no time; look at the audit log (Consent to application)",
            "Graph の同意には日時がありません。監査ログ（Consent to application）を確認してください",
        )
    )


_SAME_GRANT: Final = ("clientId", "resourceId", "consentType")
_SAME_ROLE: Final = ("appRoleId", "resourceId", "principalId")


def _alike(things: list[Thing], wanted: Thing, names: tuple[str, ...]) -> list[Thing]:
    return [one for one in things if all(one.get(name) == wanted.get(name) for name in names)]


def _read_grant(graph: Graph, one: Step) -> Reading:
    found = _alike(_grants_of(graph, one.detail["user"]), one.detail["grant"], _SAME_GRANT)
    return Reading(not found, {"grants": found}, f"{len(found)} consent(s) to this application")


def _delete_grants(graph: Graph, one: Step, _: Reading, __: datetime) -> Answer:
    keys = {one.object or "", *(grant["id"] for grant in _read_grant(graph, one).state["grants"])}
    says = [graph.call("DELETE", path("oauth2PermissionGrants", key), accept=(404,)).says for key in sorted(keys)]
    return Answer("; ".join(says))


def _give_again(graph: Graph, _: Step, before: Reading) -> Answer:
    says = []
    for grant in before.state["grants"]:
        body = {name: grant[name] for name in ("clientId", "consentType", "principalId", "resourceId", "scope")}
        # 409: it is there already; the reading afterwards tells
        says.append(graph.call("POST", "/oauth2PermissionGrants", body, accept=(409,)).says)
    return Answer("; ".join(says) or "there was none before we came; nothing to bring back")


def _grant_is_back(graph: Graph, one: Step, before: Reading) -> Reading:
    now = _read_grant(graph, one)
    wanted = [_scopes(grant) for grant in before.state["grants"]]
    have = [_scopes(grant) for grant in now.state["grants"]]
    return Reading(all(one_of in have for one_of in wanted), now.state, now.says)


def _scopes(grant: Thing) -> set[str]:
    return set(grant["scope"].split())


GRANT: Final = Operation(
    _look_grants,
    _read_grant,
    _delete_grants,
    lambda graph, one, _before, _since: _read_grant(graph, one),
    _give_again,
    _grant_is_back,
)


def _look_roles(graph: Graph, one: Person, target: Target) -> Look:
    steps: list[Step] = []
    left: list[Shown] = []
    for role in _assignments_of(graph, one.key):
        created = time(role.get("createdDateTime"))
        name = role.get("resourceDisplayName") or role["resourceId"]
        what = words(f"assignment to {name}", f"アプリ「{name}」の割り当て")
        if role.get("principalType") != "User" or role["principalId"] != one.key:
            why_not = words("it comes by a group", "グループ経由の割り当てです")
        elif created is not None and created >= target.since:
            why = words(
                f"{what['en']}, made at {created.isoformat()}, in the intruder's time",
                f"{what['ja']}。侵入期間中の {created.isoformat()} に作られました",
            )
            undo = words("assign it again", "再び割り当てます")
            request = f"DELETE /users/{one.key}/appRoleAssignments/{role['id']}"
            steps.append(step(one, "app-role", Phase.CLEAN, request, why, undo, object=role["id"], role=role))
            continue
        else:
            since = created.isoformat() if created else "?"
            why_not = words(f"it was there before the intruder ({since})", f"侵入前からあります（{since}）")
        left.append(shown(one.address, role["id"], what, why_not))
    return Look(tuple(steps), tuple(left))


def _read_role(graph: Graph, one: Step) -> Reading:
    found = _alike(_assignments_of(graph, one.detail["user"]), one.detail["role"], _SAME_ROLE)
    return Reading(not found, {"roles": found}, f"{len(found)} assignment(s) to this application")


def _delete_roles(graph: Graph, one: Step, _: Reading, __: datetime) -> Answer:
    keys = {one.object or "", *(role["id"] for role in _read_role(graph, one).state["roles"])}
    where = ("users", one.detail["user"], "appRoleAssignments")
    return Answer("; ".join(graph.call("DELETE", path(*where, key), accept=(404,)).says for key in sorted(keys)))


def _assign_again(graph: Graph, one: Step, before: Reading) -> Answer:
    says = []
    for role in before.state["roles"]:
        if _read_role(graph, one).state["roles"]:
            continue
        body = {name: role[name] for name in ("principalId", "resourceId", "appRoleId")}
        # Graph answers 400 where it exists already; the reading afterwards tells
        says.append(
            graph.call("POST", path("users", one.detail["user"], "appRoleAssignments"), body, accept=_ALREADY).says
        )
    return Answer("; ".join(says) or "nothing to bring back")


def _role_is_back(graph: Graph, one: Step, before: Reading) -> Reading:
    now = _read_role(graph, one)
    return Reading(bool(now.state["roles"]) == bool(before.state["roles"]), now.state, now.says)


APP_ROLE: Final = Operation(
    _look_roles,
    _read_role,
    _delete_roles,
    lambda graph, one, _before, _since: _read_role(graph, one),
    _assign_again,
    _role_is_back,
)
