# SPDX-License-Identifier: Apache-2.0
"""The account itself: no sign-in, another password, no session, and the risk flag where it is wanted."""

import json
import secrets
import string
from collections.abc import Callable
from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.m365.client import Graph, path
from hikeshi.contain.connectors.m365.operation import Operation, Person, Thing, shown, step, time, words
from hikeshi.contain.contract import Answer, Look, Phase, Reading, Step, Target, Words

_ALPHABETS: Final = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "!#%+-=?@_")
_SYNCED: Final = words(
    "the account is synchronised from Active Directory: act there first (connector ldap), Graph would refuse or be overwritten",
    "Active Directory から同期されたアカウントです。先に AD 側で操作してください（ldap コネクター）。Graph では拒否されるか上書きされます",
)


def _not_here(one: Person, operation: str, what: Words) -> Look:
    return Look(shown=(shown(one.address, operation, what, _SYNCED),))


def _user(graph: Graph, key: str, name: str) -> Thing | None:
    said = graph.call("GET", path("users", key), query={"$select": name}, accept=(404,))
    return None if said.status == 404 else said.body


_GONE: Final = Reading(None, {}, "there is no such user (any more)")


def _look_disable(_: Graph, one: Person, __: Target) -> Look:
    what = words("sign-in of the account", "アカウントのサインイン")
    if one.synced:
        return _not_here(one, "disable", what)
    return Look(
        (
            step(
                one,
                "disable",
                Phase.STOP,
                f'PATCH /users/{one.key} {{"accountEnabled": false}}',
                words("nobody signs in until the owner is back", "本人が戻るまで誰もサインインできないようにします"),
                words("enable the account again", "アカウントを再び有効にします"),
            ),
        )
    )


def _probe_disable(graph: Graph, one: Step) -> Reading:
    user = _user(graph, one.detail["user"], "accountEnabled")
    if user is None:
        return _GONE
    enabled = bool(user["accountEnabled"])
    return Reading(not enabled, {"accountEnabled": enabled}, f"accountEnabled is {enabled}")


def _set_enabled(graph: Graph, one: Step, *, enabled: bool) -> Answer:
    return Answer(graph.call("PATCH", path("users", one.detail["user"]), {"accountEnabled": enabled}).says)


def _restored_disable(graph: Graph, one: Step, before: Reading) -> Reading:
    now = _probe_disable(graph, one)
    return Reading(None if now is _GONE else now.state == before.state, now.state, now.says)


DISABLE: Final = Operation(
    _look_disable,
    _probe_disable,
    lambda graph, one, _before, _since: _set_enabled(graph, one, enabled=False),
    lambda graph, one, _before, _since: _probe_disable(graph, one),
    lambda graph, one, before: _set_enabled(graph, one, enabled=before.state.get("accountEnabled", True)),
    _restored_disable,
)


def _look_password(_: Graph, one: Person, __: Target) -> Look:
    what = words("password of the account", "アカウントのパスワード")
    if one.synced:
        return _not_here(one, "password", what)
    request = f"PATCH /users/{one.key} " + json.dumps(
        {"passwordProfile": {"password": "<secret>", "forceChangePasswordNextSignIn": True}}
    )
    why = words(
        "the intruder knows the password; a random one that nobody keeps takes its place",
        "侵入者がパスワードを知っています。誰も控えないランダムな値に変えます",
    )
    return Look((step(one, "password", Phase.STOP, request, why, None),))


def _do_password(graph: Graph, one: Step, _: Reading, __: datetime) -> Answer:
    password = _random()
    body = {"passwordProfile": {"password": password, "forceChangePasswordNextSignIn": True}}
    return Answer(graph.call("PATCH", path("users", one.detail["user"]), body, hide=password).says)


def _random() -> str:
    """32 signs of every kind that Entra counts."""
    signs = [secrets.choice(alphabet) for alphabet in _ALPHABETS for _ in range(8)]
    secrets.SystemRandom().shuffle(signs)
    return "".join(signs)


def _moved_on(graph: Graph, one: Step, name: str, before: Reading | None, since: datetime | None) -> Reading:
    """Read a time of the user; the goal is one after `since` that was not read before."""
    user = _user(graph, one.detail["user"], name)
    if user is None:
        return _GONE
    now = time(user.get(name))
    state = {name: user.get(name)}
    if before is None or since is None:
        return Reading(reached=False, state=state, says=f"{name} is {user.get(name)}")
    earlier = time(before.state.get(name))
    reached = now is not None and now >= graph.theirs(since) and (earlier is None or now > earlier)
    return Reading(reached, state, f"{name} is {user.get(name)}, begun {since.isoformat()}")


def _look_sessions(_: Graph, one: Person, __: Target) -> Look:
    why = words(
        "whoever is signed in must sign in again; access tokens already given may live for about an hour",
        "サインイン中の全員に再サインインを求めます。発行済みのアクセストークンは最長約1時間有効なことがあります",
    )
    request = f"POST /users/{one.key}/revokeSignInSessions"
    return Look((step(one, "sessions", Phase.CLOSE, request, why, None),))


def _do_sessions(graph: Graph, one: Step, _: Reading, __: datetime) -> Answer:
    return Answer(graph.call("POST", path("users", one.detail["user"], "revokeSignInSessions")).says)


def _timed(
    name: str, look: Callable[[Graph, Person, Target], Look], do: Callable[[Graph, Step, Reading, datetime], Answer]
) -> Operation:
    """Make an operation that a time of the user proves."""
    return Operation(
        look,
        lambda graph, one: _moved_on(graph, one, name, None, None),
        do,
        lambda graph, one, before, since: _moved_on(graph, one, name, before, since),
    )


PASSWORD: Final = _timed("lastPasswordChangeDateTime", _look_password, _do_password)
SESSIONS: Final = _timed("signInSessionsValidFromDateTime", _look_sessions, _do_sessions)


def _look_risk(_: Graph, one: Person, __: Target) -> Look:
    why = words("Entra's own policies shall know it too", "Entra の保護ポリシーにも侵害を知らせます")
    request = f'POST /identityProtection/riskyUsers/confirmCompromised {{"userIds": ["{one.key}"]}}'
    return Look((step(one, "risk", Phase.CLOSE, request, why, None),))


def _probe_risk(graph: Graph, one: Step) -> Reading:
    said = graph.call("GET", path("identityProtection", "riskyUsers", one.detail["user"]), accept=(404,))
    risk = said.body.get("riskState", "none") if said.status != 404 else "none"
    return Reading(risk == "confirmedCompromised", {"riskState": risk}, f"riskState is {risk}")


def _do_risk(graph: Graph, one: Step, _: Reading, __: datetime) -> Answer:
    where = path("identityProtection", "riskyUsers", "confirmCompromised")
    return Answer(graph.call("POST", where, {"userIds": [one.detail["user"]]}).says)


RISK: Final = Operation(_look_risk, _probe_risk, _do_risk, lambda graph, one, _before, _since: _probe_risk(graph, one))
