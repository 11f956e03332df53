# SPDX-License-Identifier: Apache-2.0
"""Copies of the lure in mailboxes of ours: moved to where deleted mail is kept a while, so that undo can bring them back.

Nothing is deleted for good.
"""

from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.m365.client import IMMUTABLE, Graph, Said, address, literal, path
from hikeshi.contain.connectors.m365.operation import NAME, Operation, Thing, people, shown, words
from hikeshi.contain.contract import Answer, Copies, Look, Phase, Reading, RefusedError, Shown, Step, Words

_DELETIONS: Final = "recoverableitemsdeletions"
_SELECT: Final = "id,parentFolderId"
_ARCHIVES: Final = words(
    "copies in online archives are not seen by Graph's search of a mailbox",
    "オンライン アーカイブ内のコピーは Graph の検索に出ません",
)


def _filtered(message_id: str) -> dict[str, str]:
    return {"$filter": f"internetMessageId eq {literal(f'<{message_id}>')}", "$select": _SELECT}


def look(graph: Graph, copies: tuple[Copies, ...]) -> Look:
    """Find the copies; every mailbox that was sent one is a step, is shown, or is a gap."""
    steps: list[Step] = []
    left: list[Shown] = []
    boxes = people(graph, [one.mailbox for one in copies])
    gaps: list[Words] = [_ARCHIVES] if copies else []
    gaps += [_not_ours(one.mailbox) for one in copies if one.mailbox not in boxes]
    wanted = [(one.mailbox, mail) for one in copies if one.mailbox in boxes for mail in one.message_ids]
    urls = [address(path("users", boxes[box], "messages"), _filtered(mail)) for box, mail in wanted]
    said = graph.batch({str(number): url for number, url in enumerate(urls)}, hint=True)
    for number, (mailbox, message_id) in enumerate(wanted):
        answer = said[str(number)]
        if answer.status >= 400:
            gaps.append(_unseen(mailbox, message_id, answer))
        elif found := answer.body.get("value"):
            steps.append(_step(mailbox, boxes[mailbox], message_id, len(found)))
        else:
            left.append(_nothing(mailbox, message_id))
    return Look(tuple(steps), tuple(left), tuple(gaps))


def _not_ours(mailbox: str) -> Words:
    return words(f"{mailbox} is no mailbox of this tenant", f"{mailbox} はこのテナントのメールボックスではありません")


def _nothing(mailbox: str, message_id: str) -> Shown:
    what = words(f"mail <{message_id}>", f"メール <{message_id}>")
    return shown(
        mailbox,
        message_id,
        what,
        words("no copy lies in the mailbox (any more)", "メールボックスにコピーはありません"),
    )


def _unseen(mailbox: str, message_id: str, answer: Said) -> Words:
    code = (answer.body.get("error") or {}).get("code", "")
    return words(
        f"{mailbox} could not be searched for <{message_id}>: {answer.status} {code}",
        f"{mailbox} で <{message_id}> を検索できませんでした：{answer.status} {code}",
    )


def _step(mailbox: str, key: str, message_id: str, count: int) -> Step:
    return Step(
        NAME,
        "copy",
        Phase.PURGE,
        mailbox,
        message_id,
        f'POST /users/{key}/messages/(id of <{message_id}>)/move {{"destinationId": "{_DELETIONS}"}}',
        words(f"{count} copy of the lure in {mailbox}", f"{mailbox} にある不審メールのコピー {count} 通"),
        words(
            "move it back, as long as the mailbox keeps deleted mail (14 days unless set otherwise)",
            "元のフォルダーへ戻します（削除済みアイテムの保持期間内。既定は14日）",
        ),
        {"user": key},
    )


def _found(graph: Graph, one: Step, *folder: str) -> list[Thing]:
    where = path("users", one.detail["user"], *folder, "messages")
    return graph.items(where, _filtered(one.object or ""), hint=True)


def _deleted(graph: Graph, one: Step) -> list[Thing]:
    return _found(graph, one, "mailFolders", _DELETIONS)


def _probe(graph: Graph, one: Step) -> Reading:
    copies = _found(graph, one)
    state = {"copies": copies, "deleted": [copy["id"] for copy in _deleted(graph, one)]}
    return Reading(not copies, state, f"{len(copies)} copy in the mailbox")


def _move(graph: Graph, one: Step, key: str, folder: str) -> str:
    where = path("users", one.detail["user"], "messages", key, "move")
    return graph.call("POST", where, {"destinationId": folder}, headers=IMMUTABLE, accept=(404,)).says


def _do(graph: Graph, one: Step, _: Reading, __: datetime) -> Answer:
    says = [_move(graph, one, copy["id"], _DELETIONS) for copy in _found(graph, one)]
    return Answer("; ".join(says) or "no copy in the mailbox")


def _undo(graph: Graph, one: Step, before: Reading) -> Answer:
    places = {copy["id"]: copy["parentFolderId"] for copy in before.state["copies"]}
    ours = [copy["id"] for copy in _deleted(graph, one) if copy["id"] not in before.state["deleted"]]
    gone = [key for key in places if key not in ours and key not in {copy["id"] for copy in _found(graph, one)}]
    # a copy that came after the first reading was moved as well; it goes back to where mail comes in
    says = [_move(graph, one, key, places.get(key, "inbox")) for key in ours]
    if gone:
        raise RefusedError(
            f"m365: {len(gone)} of {len(places)} copies of <{one.object}> are kept no longer",
            "restore them from a backup, or ask the sender",
        )
    return Answer("; ".join(says) or "the copies are back already")


def _restored(graph: Graph, one: Step, before: Reading) -> Reading:
    now = {copy["id"]: copy["parentFolderId"] for copy in _found(graph, one)}
    places = {copy["id"]: copy["parentFolderId"] for copy in before.state["copies"]}
    back = sum(1 for key, folder in places.items() if now.get(key) == folder)
    return Reading(
        back == len(places), {"copies": _found(graph, one)}, f"{back} of {len(places)} are back in their folder"
    )


COPY: Final = Operation(
    lambda _graph, _one, _target: Look(),
    _probe,
    _do,
    lambda graph, one, _before, _since: _probe(graph, one),
    _undo,
    _restored,
)
