# SPDX-License-Identifier: Apache-2.0
"""What people decide of one person: another way to tell them, another language, no letter, or that they were told.

Each is an entry of the ledger with a name and a reason; the last one of its kind stands.
"""

from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any, Final, Literal, get_args

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Draft, Store
from hikeshi.notify.addresses import person_of
from hikeshi.notify.lists import Language

KIND: Final = "audience"
#: how a person is told. substitute: by a notice to the public, or a desk where people can ask.
Way = Literal["mail", "phone", "post", "substitute"]
#: as `Way`; left-out: a person decided that they are not told
Reach = Literal["mail", "phone", "post", "substitute", "left-out"]
#: ways of telling that are not ours, so a person says when it was done
BY_HAND: Final = ("phone", "post", "substitute")


@dataclass(frozen=True, slots=True)
class HandedOver:
    """Told, or taken on, by a person instead of a letter. `time` is aware, UTC."""

    by: Way
    who: str
    why: str
    time: datetime


@dataclass(frozen=True, slots=True)
class Correction:
    """What stands of one person; None where nobody said anything. `who` and `why` are those of `reach`."""

    reach: Reach | None = None
    language: Language | None = None
    who: str = ""
    why: str = ""
    handed_over: HandedOver | None = None


def correct(
    store: Store, address: str, *, reach: Reach | None = None, language: Language | None = None, who: str, why: str
) -> None:
    """Decide how, or in which language, the person of `address` is told.

    Raises:
        UsageError: nothing is decided, nobody decides, or no reason is given.

    """
    if reach is None and language is None:
        raise UsageError("say what is decided: --reach, --language or --leave-out")
    _append(store, address, {"reach": reach, "language": language}, who, why)


def hand_over(store: Store, address: str, *, by: Way, who: str, why: str) -> None:
    """Write down that the person of `address` was told, or is being told, otherwise than by a letter.

    Raises:
        UsageError: nobody decides, or no reason is given.

    """
    _append(store, address, {"handed_over": by}, who, why)


def corrections(store: Store) -> dict[str, Correction]:
    """Give what stands, by person."""
    found: dict[str, Correction] = {}
    for entry in store.entries(KIND):
        body, past = entry.body, found.get(entry.body["person"], Correction())
        if body.get("reach") in get_args(Reach):
            past = replace(past, reach=body["reach"], who=entry.who, why=body["why"])
        if body.get("language") in get_args(Language):
            past = replace(past, language=body["language"])
        if body.get("handed_over") in BY_HAND:
            past = replace(past, handed_over=HandedOver(body["handed_over"], entry.who, body["why"], entry.time))
        found[body["person"]] = past
    return found


def _append(store: Store, address: str, decided: dict[str, Any], who: str, why: str) -> None:
    if not who.strip() or not why.strip():
        raise UsageError("a correction needs who decides, and why")
    body = {"person": person_of(address), **{key: value for key, value in decided.items() if value is not None}}
    store.append(Draft(KIND, {**body, "why": why.strip()}, who.strip()))
