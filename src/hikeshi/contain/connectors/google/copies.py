# SPDX-License-Identifier: Apache-2.0
"""The lure's copies in a mailbox: found by Message-ID, put into the bin (Google empties it after 30 days), and back."""

import re
from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.google.answers import GoneError
from hikeshi.contain.connectors.google.calls import FIND, LABEL, SEE, TRASH, UNTRASH
from hikeshi.contain.connectors.google.client import Client, Thing
from hikeshi.contain.connectors.google.operation import Goal, Operation, owner
from hikeshi.contain.contract import RefusedError, Step

#: what may stand in a search as one word. A Message-ID is chosen by whoever sends: "x OR in:anywhere" is one, too.
_ONE_WORD: Final = re.compile(r"[^\s\"'(){}\[\]<>|]{1,900}")
#: what somebody wrote is no copy that came in; Google lets nobody set these labels either
_OWN: Final = frozenset({"SENT", "DRAFT"})


def searchable(message_id: str) -> bool:
    """Tell whether a Message-ID can be searched for without meaning anything else."""
    return _ONE_WORD.fullmatch(message_id) is not None


def _read(client: Client, step: Step, _before: Thing | None, _since: datetime) -> Thing:
    wanted = str(step.object)
    if not searchable(wanted):
        raise RefusedError("this Message-ID cannot be searched for safely", "remove the mail by hand")
    query = {"q": f"rfc822msgid:{wanted}", "includeSpamTrash": "true"}
    copies: dict[str, list[str]] = {}
    for row in client.pages(FIND, owner(step), "messages", query):
        try:
            asked = {"format": "metadata", "metadataHeaders": "Message-ID"}
            held = client.call(SEE, owner(step), query=asked, names={"id": row["id"]}).body
        except GoneError:
            continue
        labels = sorted(held.get("labelIds", []))
        # the search is Google's; that it found this mail and no other is ours to see
        if _message_id(held) == wanted and not _OWN & set(labels):
            copies[row["id"]] = labels
    return {"copies": copies}


def _message_id(held: Thing) -> str:
    headers = held.get("payload", {}).get("headers", [])
    found = next((one["value"] for one in headers if one["name"].lower() == "message-id"), "")
    return str(found).strip().removeprefix("<").removesuffix(">")


def _open(state: Thing) -> list[str]:
    return [key for key, labels in state["copies"].items() if "TRASH" not in labels]


def _goal(state: Thing, _before: Thing | None) -> Goal:
    count = len(_open(state))
    return count == 0, f"{count} of {len(state['copies'])} copies can be seen outside the bin"


def _do(client: Client, step: Step, _before: Thing) -> str:
    says = []
    for key in _open(_read(client, step, None, datetime.min)):  # noqa: DTZ901 - no time is needed here
        try:
            says.append(str(client.call(TRASH, owner(step), names={"id": key}).status))
        except GoneError:
            says.append("404, gone already")
    return "; ".join(says) or "no copy outside the bin any more"


def _undo(client: Client, step: Step, before: Thing) -> str:
    says = []
    for key in _open(before):
        try:
            answered = client.call(UNTRASH, owner(step), names={"id": key})
            # what leaves the bin stands in no folder; setting a label that is there already changes nothing
            if labels := before["copies"][key]:
                answered = client.call(LABEL, owner(step), {"addLabelIds": labels}, names={"id": key})
            says.append(str(answered.status))
        except GoneError:
            raise RefusedError("the mail is not in the bin any more", "it cannot be brought back") from None
    return "; ".join(says) or "nothing was outside the bin before"


def _same(before: Thing, state: Thing) -> Goal:
    amiss = [key for key in _open(before) if not _back(before["copies"][key], state["copies"].get(key))]
    return not amiss, f"{len(amiss)} of {len(_open(before))} copies are not back as they were"


def _back(before: list[str], labels: list[str] | None) -> bool:
    """Tell whether a mail has its labels again; one that its owner gave it since does no harm."""
    return labels is not None and "TRASH" not in labels and set(before) <= set(labels)


COPIES: Final = Operation(_read, _goal, _do, _undo, _same)
