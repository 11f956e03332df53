# SPDX-License-Identifier: Apache-2.0
"""Move the lure's copies in one mailbox of ours to a quarantine folder of that mailbox, and back.

A copy keeps its GUID, flags and date of receipt in both moves (seen with Dovecot 2.3.19); IMAP cannot give back its old UID.
Dovecot finds any header that holds the text looked for, so every hit is compared whole before it is touched.
"""

import hashlib
from collections import Counter
from collections.abc import Iterator, Sequence
from typing import TypeVar

from hikeshi.contain.connectors.dovecot.doveadm import DATA, NOTHING, Doveadm
from hikeshi.contain.contract import Answer, Copies, Phase, Reading, State, Step

OPERATION = "quarantine"

T = TypeVar("T")

#: so many Message-IDs or mails are named in one command
_AT_ONCE = 50
#: flags that a session gives and nobody can set
_OF_A_SESSION = "\\Recent"


def planned(user: str, copies: Copies, folder: str) -> Step:
    """Plan it for one mailbox; `user` is its name as Dovecot has it."""
    ids = sorted(set(copies.message_ids))
    digest = hashlib.sha256("\n".join(ids).encode()).hexdigest()[:12]
    return Step(
        connector="dovecot",
        operation=OPERATION,
        phase=Phase.PURGE,
        account=copies.mailbox,
        object=f"lure {digest}",
        request=f"doveadm move -u {user} {folder}: the mails whose Message-ID is "
        + ", ".join(f"<{one}>" for one in ids),
        why={
            "en": "The lure lies in this mailbox, and a click on it opens the next account.",
            "ja": "このメールボックスには乗っ取りのわなのメールがあり、開くと次の被害が出るためです。",
        },
        undo={
            "en": f"Move the mails from {folder} back to the folders they lay in, with their flags.",
            "ja": f"{folder} から元のフォルダへ、フラグを保って戻します。",
        },
        detail={"user": user, "folder": folder, "message_ids": ids},
    )


def probe(doveadm: Doveadm, step: Step) -> Reading:
    """Say where the copies lie, and which were in quarantine before."""
    found = _found(doveadm, step)
    folder = step.detail["folder"]
    copies = _outside(found, step)
    state = {
        "copies": copies,
        "quarantined": [one["uid"] for one in found if one["mailbox"] == folder],
        "folder_was_there": folder in {row["mailbox"] for row in doveadm.ask("mailbox", "list", "-u", _user(step))},
    }
    return _reading(copies, state)


def do(doveadm: Doveadm, step: Step, _before: Reading) -> Answer:
    """Move every copy, also what has come since it was planned."""
    copies = _outside(_found(doveadm, step), step)
    if copies:
        # That it is there already (65) is what is wanted.
        doveadm.run("mailbox", "create", "-u", _user(step), "--", step.detail["folder"], fine=(DATA,))
    moved = _move(doveadm, step, copies, step.detail["folder"])
    return Answer(f"{moved} mails moved to {step.detail['folder']}")


def verify(doveadm: Doveadm, step: Step, _before: Reading) -> Reading:
    """Look through all folders once more."""
    copies = _outside(_found(doveadm, step), step)
    return _reading(copies, {"copies": copies})


def undo(doveadm: Doveadm, step: Step, before: Reading) -> Answer:
    """Move the copies back to where they lay; those that came after the first look go to INBOX, where mail comes in."""
    folder, found = step.detail["folder"], _found(doveadm, step)
    inside = [one for one in found if one["mailbox"] == folder and one["uid"] not in before.state["quarantined"]]
    missing = _missing(before, [one for one in found if one["mailbox"] != folder])
    homes = [_home(one, missing) for one in inside]
    for place in sorted(set(homes)):
        doveadm.run("mailbox", "create", "-u", _user(step), "--", place, fine=(DATA,))
        _move(doveadm, step, [one for one, home in zip(inside, homes, strict=True) if home == place], place)
    for one in _found(doveadm, step):
        _set_flags(doveadm, step, one, before)
    if not before.state["folder_was_there"] and not doveadm.ask(
        "fetch", "-u", _user(step), "--", "uid", "mailbox", folder
    ):
        doveadm.run("mailbox", "delete", "-u", _user(step), "--", folder, fine=(DATA, NOTHING))
    return Answer(f"{len(inside)} mails moved back")


def restored(doveadm: Doveadm, step: Step, before: Reading) -> Reading:
    """Say whether every copy lies where it lay, with its flags."""
    now = Counter((one["guid"], one["mailbox"], one["flags"]) for one in _found(doveadm, step))
    was = Counter((one["guid"], one["mailbox"], one["flags"]) for one in before.state["copies"])
    lost = sorted((was - now).elements())
    says = f"{len(lost)} mails do not lie where they lay" if lost else "every mail lies where it lay"
    return Reading(not lost, {"not_back": [mailbox for _, mailbox, _ in lost]}, says)


def _missing(before: Reading, outside: Sequence[dict[str, str]]) -> list[dict[str, str]]:
    """Give the copies of before that do not lie where they lay. Copies of one mail share a GUID, so they are counted."""
    there = Counter((one["guid"], one["mailbox"]) for one in outside)
    missing = []
    for one in before.state["copies"]:
        key = (one["guid"], one["mailbox"])
        there[key] -= 1
        if there[key] < 0:
            missing.append(one)
    return missing


def _home(one: dict[str, str], missing: list[dict[str, str]]) -> str:
    """Give where a mail lay, and take that place: the one with its flags first."""
    same = [each for each in missing if each["guid"] == one["guid"]]
    same.sort(key=lambda each: each["flags"] != one["flags"])
    if not same:
        return "INBOX"
    missing.remove(same[0])
    return same[0]["mailbox"]


def _set_flags(doveadm: Doveadm, step: Step, one: dict[str, str], before: Reading) -> None:
    was = [each for each in before.state["copies"] if all(each[key] == one[key] for key in ("guid", "mailbox"))]
    if len(was) == 1 and was[0]["flags"] != one["flags"]:
        query = ("mailbox", one["mailbox"], "uid", one["uid"])
        doveadm.run("flags", "replace", "-u", _user(step), "--", was[0]["flags"], *query)


def _user(step: Step) -> str:
    return str(step.detail["user"])


def _found(doveadm: Doveadm, step: Step) -> list[dict[str, str]]:
    """Find the copies in all folders, by Message-ID letter for letter."""
    wanted = set(step.detail["message_ids"])
    found: dict[tuple[str, int], dict[str, str]] = {}
    for ids in _portions(step.detail["message_ids"]):
        query: list[str] = []
        for one in ids:
            query += [*(["OR"] if query else []), "HEADER", "message-id", one]
        fields = "mailbox guid uid flags hdr.message-id"
        for row in doveadm.ask("fetch", "-u", _user(step), "--", fields, *query):
            if _bare(row["hdr.message-id"]) in wanted:
                found[row["mailbox"], int(row["uid"])] = {
                    "mailbox": row["mailbox"],
                    "guid": row["guid"],
                    "uid": row["uid"],
                    "flags": " ".join(sorted(flag for flag in row["flags"].split() if flag != _OF_A_SESSION)),
                }
    return [found[key] for key in sorted(found)]


def _outside(found: Sequence[dict[str, str]], step: Step) -> list[dict[str, str]]:
    return [one for one in found if one["mailbox"] != step.detail["folder"]]


def _bare(header: str) -> str:
    return " ".join(header.split()).removeprefix("<").removesuffix(">")


def _move(doveadm: Doveadm, step: Step, copies: Sequence[dict[str, str]], to: str) -> int:
    """Move mails by folder, UID and GUID: copies of one mail share a GUID, and a UID may be another mail's by now."""
    for place in sorted({one["mailbox"] for one in copies}):
        for some in _portions([one for one in copies if one["mailbox"] == place]):
            query: list[str] = []
            for one in some:
                query += [*(["OR"] if query else []), "(", "uid", one["uid"], "guid", one["guid"], ")"]
            doveadm.run("move", "-u", _user(step), "--", to, "mailbox", place, "(", *query, ")", fine=(NOTHING,))
    return len(copies)


def _portions(all_of: Sequence[T]) -> Iterator[Sequence[T]]:
    for start in range(0, len(all_of), _AT_ONCE):
        yield all_of[start : start + _AT_ONCE]


def _reading(copies: Sequence[dict[str, str]], state: State) -> Reading:
    places = sorted({one["mailbox"] for one in copies})
    says = f"{len(copies)} copies in {', '.join(places)}" if copies else "no copy outside quarantine"
    return Reading(not copies, state, says)
