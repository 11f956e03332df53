# SPDX-License-Identifier: Apache-2.0
"""What a bulletin says other than the one before it: the section 前報からの変更・訂正."""

from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Final

from hikeshi.publish.bulletin.sections import Language
from hikeshi.publish.labels import label
from hikeshi.wording.facts import Said

#: the facts whose change readers are told of; an incident's by the last part of their key
_TOLD: Final = frozenset(
    (
        "occurred_at",
        "discovered_at",
        "contained_at",
        "account.count",
        "exposed.items",
        "exposed.period",
        "exposed.persons",
        "exposed.organisations",
        "secondary_damage",
        "secondary_damage.reports",
        "messages",
        "addresses",
        "delivered",
        "first_message_at",
        "last_message_at",
    )
)


@dataclass(frozen=True, slots=True)
class Change:
    """One fact in words, before and now; None where a report does not say it.

    `restated` is one whose section has to be read: what was sure then must not be said again where it is sure no more.
    """

    label: str
    before: str | None
    after: str | None
    restated: bool = False


def frozen(said: Iterable[Said]) -> tuple[dict[str, Any], ...]:
    """Give facts as plain JSON, by key, for the ledger. `seq` is null for what is none of the case's, such as its own date."""
    there = {one.key: one for one in said}
    return tuple(
        {
            "key": one.key,
            "seq": one.seq,
            "value": one.value,
            "unit": one.unit,
            "status": one.status,
            "as_of": one.as_of and one.as_of.isoformat(),
            "bounds": one.bounds and list(one.bounds),
            "corrected": one.corrected,
        }
        for _, one in sorted(there.items())
    )


def thawed(said: Mapping[str, Any], prefix: str = "") -> Said:
    """Give a fact as a report said it; `prefix` before its key tells one of an earlier report from that of now."""
    return Said(
        f"{prefix}{said['key']}",
        said["value"],
        said["unit"],
        said["status"],
        said["as_of"] and datetime.fromisoformat(said["as_of"]),
        bounds=said["bounds"] and tuple(said["bounds"]),
        corrected=said["corrected"],
        seq=None if prefix else said["seq"],
    )


def changes(
    before: Sequence[Mapping[str, Any]], now: Iterable[Said], language: Language, say: Callable[[Said], str]
) -> list[Change]:
    """Give what is not as the report before said it; `say` writes a fact in the language."""
    old = {one["key"]: one for one in before if one["seq"] is not None}
    old = {key: one for key, one in old.items() if _spoken(key, old, language)}
    new = {one.key: one for one in now if one.seq is not None}
    found = []
    for key in sorted({*old, *new}):
        name = _label(key, language)
        past, present = old.get(key), new.get(key)
        if name is None or (past is not None and present is not None and _same(past, present)):
            continue
        if any(isinstance(value, bool) for value in (past and past["value"], present and present.value)):
            found.append(Change(name, None, None, restated=True))
            continue
        said_before = None if past is None else say(thawed(past, "before."))
        said_now = None if present is None else say(present)
        if said_before != said_now:
            found.append(Change(name, said_before, said_now))
    return found


def _spoken(key: str, all_of_them: Mapping[str, Any], language: Language) -> bool:
    """Say whether a report told this fact in this language: what is told in both stands twice, once as KEY.en."""
    other = {"ja": ".en", "en": ".ja"}[language]
    return not key.endswith(other) and f"{key}.{language}" not in all_of_them


def _same(past: Mapping[str, Any], present: Said) -> bool:
    (now,) = frozen([present])
    return all(repr(past[name]) == repr(now[name]) for name in ("value", "unit", "status", "bounds"))


def _label(key: str, language: Language) -> str | None:
    name = key.rpartition("/")[2] if key.startswith("incident/") else key.removesuffix(f".{language}")
    return label(key, language) if name in _TOLD else None
