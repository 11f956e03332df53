# SPDX-License-Identifier: Apache-2.0
"""Second factors that appeared in the intruder's time. They cannot be given back: the owner registers anew."""

from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.m365.client import Graph, path
from hikeshi.contain.connectors.m365.operation import Operation, Person, Thing, shown, step, time, words
from hikeshi.contain.connectors.m365.permissions import METHODS
from hikeshi.contain.contract import Answer, LaterError, Look, Phase, Reading, RefusedError, Shown, Step, Target

_PREFIX: Final = "#microsoft.graph."
_SUFFIX: Final = "AuthenticationMethod"


def _kind(method: Thing) -> str:
    return str(method.get("@odata.type", "")).removeprefix(_PREFIX).removesuffix(_SUFFIX)


def _methods_of(graph: Graph, user: str) -> list[Thing]:
    return graph.items(path("users", user, "authentication", "methods"))


def _look(graph: Graph, one: Person, target: Target) -> Look:
    steps: list[Step] = []
    left: list[Shown] = []
    for method in _methods_of(graph, one.key):
        kind, created = _kind(method), time(method.get("createdDateTime"))
        if kind == "password":
            continue
        what = words(f"sign-in method {kind}", f"認証方法 {kind}")
        if created is None:
            why_not = words(
                "Graph says no time of its registration: ask the owner, look at the audit log",
                "登録日時が Graph にありません。本人と監査ログで確認してください",
            )
        elif created < target.since:
            why_not = words(
                f"it was there before the intruder ({created.isoformat()})",
                f"侵入前の登録です（{created.isoformat()}）",
            )
        elif kind not in METHODS:
            why_not = words(
                f"registered at {created.isoformat()}, in the intruder's time; this kind is taken away by hand in Entra",
                f"侵入期間中の {created.isoformat()} に登録されています。この種類は Entra で手作業で削除してください",
            )
        else:
            why = words(
                f"{what['en']}, registered at {created.isoformat()}, in the intruder's time",
                f"{what['ja']}。侵入期間中の {created.isoformat()} に登録されました",
            )
            request = f"DELETE /users/{one.key}/authentication/{METHODS[kind][0]}/{method['id']}"
            steps.append(step(one, "method", Phase.CLEAN, request, why, None, object=method["id"], kind=kind))
            continue
        left.append(shown(one.address, method["id"], what, why_not))
    return Look(tuple(steps), tuple(left))


def _read(graph: Graph, one: Step) -> Reading:
    found = [_plain(method) for method in _methods_of(graph, one.detail["user"])]
    stands = any(method["id"] == one.object for method in found)
    return Reading(not stands, {"methods": found}, "the method stands" if stands else "the method is gone")


def _plain(method: Thing) -> Thing:
    """Keep what names a method; a number or an address of the owner's stays out of receipts."""
    return {"id": method["id"], "kind": _kind(method), "createdDateTime": method.get("createdDateTime")}


def _do(graph: Graph, one: Step, _: Reading, __: datetime) -> Answer:
    where = path("users", one.detail["user"], "authentication", METHODS[one.detail["kind"]][0], one.object or "")
    said = graph.call("DELETE", where, accept=(400, 404))
    if said.status == 400:
        reason = str((said.body.get("error") or {}).get("message", ""))[:200]
        others = [m for m in _methods_of(graph, one.detail["user"]) if m["id"] != one.object and _kind(m) != "password"]
        if others:
            # the default method goes last, and the others may be steps of ours
            raise LaterError(f"m365: {said.says}: {reason}")
        raise RefusedError(f"m365: {said.says}: {reason}", "require the owner to register anew in Entra, then verify")
    return Answer(said.says)


METHOD: Final = Operation(_look, _read, _do, lambda graph, one, _before, _since: _read(graph, one))
