# SPDX-License-Identifier: Apache-2.0
"""Inbox rules: the suspicious ones are deleted one by one, and can be made again. Ids change; content counts."""

from datetime import datetime
from typing import Any, Final

from hikeshi.contain.connectors.m365.client import Graph, path
from hikeshi.contain.connectors.m365.operation import Operation, Person, Thing, shown, step, words
from hikeshi.contain.connectors.m365.suspicion import judge
from hikeshi.contain.contract import Answer, Look, Phase, Reading, Shown, Step, Target, Words

_KEPT: Final = ("displayName", "sequence", "isEnabled", "conditions", "actions", "exceptions")
#: folders whose names depend on the mailbox's language, by the name that Graph always knows
_KNOWN: Final = {
    "archive": "archive",
    "deleteditems": "deleted items",
    "junkemail": "junk email",
    "conversationhistory": "conversation history",
    "syncissues": "sync issues",
}
_HIDDEN_RULES: Final = words(
    "rules that were hidden by MAPI are not listed by Graph; the runbook's script lists them",
    "MAPI で隠されたルールは Graph の一覧に出ません。手順書のスクリプトで確認してください",
)


def _where(user: str, *more: str) -> str:
    return path("users", user, "mailFolders", "inbox", "messageRules", *more)


def _look(graph: Graph, one: Person, target: Target) -> Look:
    rules = graph.items(_where(one.key))
    folders, unread = _folders(graph, one.key, rules)
    steps: list[Step] = []
    left: list[Shown] = []
    twins: dict[str, int] = {}
    for rule in rules:
        verdict = judge(rule, folders, target)
        what = words(f"inbox rule {rule.get('displayName')!r}", f"受信トレイのルール「{rule.get('displayName')}」")
        if not verdict.suspicious:
            left.append(shown(one.address, rule["id"], what, verdict.why))
        elif rule.get("isReadOnly"):
            left.append(
                shown(
                    one.address,
                    rule["id"],
                    what,
                    words(
                        f"suspicious ({verdict.why['en']}), but Graph may not delete a read-only rule: use the runbook's script",
                        f"不審です（{verdict.why['ja']}）が、読み取り専用のため Graph では削除できません。手順書のスクリプトを使ってください",
                    ),
                )
            )
        else:
            twin = twins.setdefault(repr(content(rule)), 0)
            twins[repr(content(rule))] += 1
            steps.append(
                step(
                    one,
                    "rule",
                    Phase.CLEAN,
                    f"DELETE /users/{one.key}/mailFolders/inbox/messageRules/{rule['id']}",
                    words(f"{what['en']}: {verdict.why['en']}", f"{what['ja']}：{verdict.why['ja']}"),
                    words("make the rule again with the same content", "同じ内容のルールを作り直します"),
                    object=rule["id"],
                    rule=rule,
                    twin=twin,
                )
            )
    return Look(tuple(steps), tuple(left), (_HIDDEN_RULES, *unread))


def _folders(graph: Graph, user: str, rules: list[Thing]) -> tuple[dict[str, str], list[Words]]:
    """Name the folders that rules move to, in small letters and independent of language where Graph knows them.

    What could not be read comes second: such a rule is judged without its folder.
    """
    moved = {str(to) for rule in rules if (to := (rule.get("actions") or {}).get("moveToFolder"))}
    if not moved:
        return {}, []
    wanted = {name: path("users", user, "mailFolders", name) + "?$select=id" for name in _KNOWN}
    wanted |= {to: path("users", user, "mailFolders", to) + "?$select=id,displayName,isHidden" for to in moved}
    said = graph.batch(wanted)
    named = {to: _shown_name(said[to].body) for to in moved}
    known = {said[name].body.get("id"): shown_as for name, shown_as in _KNOWN.items()}
    unread = [
        words(
            f"a folder that rules move to could not be read: {answer.status} {(answer.body.get('error') or {}).get('code')}",
            f"ルールの移動先フォルダーを確認できませんでした：{answer.status}",
        )
        for answer in (said[to] for to in sorted(moved))
        if answer.status not in {200, 404}
    ]
    return named | {to: known[to] for to in moved if to in known}, unread


def _shown_name(folder: Thing) -> str:
    return str(folder.get("displayName", "")).lower() + (" (hidden)" if folder.get("isHidden") else "")


def content(rule: Thing) -> Thing:
    """Give what a rule does, whatever its id, its place in the order and the way in which emptiness is written."""
    return {
        "displayName": rule.get("displayName"),
        "isEnabled": bool(rule.get("isEnabled")),
        **{name: _bare(rule.get(name)) for name in ("conditions", "actions", "exceptions")},
    }


def _bare(value: Any) -> Any:
    if isinstance(value, dict):
        if "emailAddress" in value:
            mail = value["emailAddress"] or {}
            return str(mail.get("address") or mail.get("name")).lower()
        kept = {name: _bare(one) for name, one in sorted(value.items()) if not name.startswith("@")}
        return {name: one for name, one in kept.items() if one not in (None, [], {}, False)} or None
    if isinstance(value, list):
        return [_bare(one) for one in value]
    return value


def _probe(graph: Graph, one: Step) -> Reading:
    rules = {rule["id"]: rule for rule in graph.items(_where(one.detail["user"]))}
    rule = rules.get(one.object or "")
    state = {"rule": rule, "ids": sorted(rules)}
    return Reading(rule is None, state, "the rule stands" if rule else "the rule is not there")


def _do(graph: Graph, one: Step, _: Reading, __: datetime) -> Answer:
    return Answer(graph.call("DELETE", _where(one.detail["user"], one.object or ""), accept=(404,)).says)


def _verify(graph: Graph, one: Step, before: Reading, _: datetime) -> Reading:
    rules = graph.items(_where(one.detail["user"]))
    state = {"ids": sorted(rule["id"] for rule in rules)}
    if one.object in state["ids"]:
        return Reading(reached=False, state=state, says="the rule still stands")
    back = [rule["id"] for rule in _alike(rules, one, before) if rule["id"] not in before.state["ids"]]
    if back:
        return Reading(
            reached=False, state=state, says=f"the rule was made again, as {', '.join(back)}: somebody is still in"
        )
    return Reading(reached=True, state=state, says="the rule is gone")


def _kept(one: Step, before: Reading) -> Thing:
    """Give the rule as it was read last before it was deleted."""
    rule: Thing = before.state.get("rule") or one.detail["rule"]
    return rule


def _alike(rules: list[Thing], one: Step, before: Reading) -> list[Thing]:
    wanted = content(_kept(one, before))
    return [rule for rule in rules if content(rule) == wanted]


def _undo(graph: Graph, one: Step, before: Reading) -> Answer:
    if before.state.get("rule") is None:
        return Answer("the rule was gone before we came; nothing to bring back")
    # several equal rules may have been deleted: each brings back itself and those before it, if they are not there
    missing = one.detail["twin"] + 1 - len(_alike(graph.items(_where(one.detail["user"])), one, before))
    rule = _kept(one, before)
    body = {name: rule[name] for name in _KEPT if rule.get(name) is not None}
    says = [graph.call("POST", _where(one.detail["user"]), body).says for _ in range(missing)]
    return Answer("; ".join(says) or "the rule is there already")


def _restored(graph: Graph, one: Step, before: Reading) -> Reading:
    if before.state.get("rule") is None:
        return Reading(reached=True, state={}, says="the rule was gone before we came")
    alike = _alike(graph.items(_where(one.detail["user"])), one, before)
    state = {"ids": [rule["id"] for rule in alike]}
    return Reading(len(alike) > one.detail["twin"], state, f"{len(alike)} rule(s) of the same content")


RULE: Final = Operation(_look, _probe, _do, _verify, _undo, _restored)
