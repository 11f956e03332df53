# SPDX-License-Identifier: Apache-2.0
"""What of a form's items the case knows, and what has changed since the form was last handed in.

An item needs facts. Each is known, said to be unknown (a person entered that nobody knows), or missing.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Literal

from hikeshi.cases.store.facts import Fact
from hikeshi.publish.clocks.rule import Item

#: complete: every fact is known. said unknown: none is missing, but some nobody knows.
Completeness = Literal["complete", "partial", "said unknown", "missing"]


@dataclass(frozen=True, slots=True)
class Filled:
    """An item with the facts that stand behind it, by key, and the keys of which the case has nothing."""

    item: Item
    completeness: Completeness
    facts: Mapping[str, Fact]
    missing: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Changed:
    """A fact of an item that is not what it was when the form was handed in; None where there was or is none."""

    item: Item
    key: str
    before: Fact | None
    after: Fact | None


def filled(form: Sequence[Item], facts: Mapping[str, Fact]) -> list[Filled]:
    """Say of every item what the case knows; `facts` are those that stand."""
    return [_filled(item, facts) for item in form]


def _filled(item: Item, facts: Mapping[str, Fact]) -> Filled:
    found: dict[str, Fact] = {}
    missing: list[str] = []
    for need in item.facts:
        behind = _behind(need, facts)
        found.update(behind)
        if not behind:
            missing.append(need)
    known = [_known(fact) for fact in found.values()]
    if not any(known) and missing:
        return Filled(item, "missing", found, tuple(missing))
    completeness: Completeness = "partial" if missing else "complete" if all(known) else "said unknown"
    return Filled(item, completeness, found, tuple(missing))


def _behind(need: str, facts: Mapping[str, Fact]) -> dict[str, Fact]:
    """Give the facts of the first alternative that is known, else those that say that nobody knows."""
    alternatives = [_matching(pattern.strip(), facts) for pattern in need.split("|")]
    for matching in alternatives:
        if any(_known(fact) for fact in matching.values()):
            return {key: fact for key, fact in matching.items() if _known(fact)}
    return {key: fact for matching in alternatives for key, fact in matching.items() if _said_unknown(fact)}


def _matching(pattern: str, facts: Mapping[str, Fact]) -> dict[str, Fact]:
    # not fnmatch: keys may have brackets, as notice[1].date has
    asked = re.compile(".*".join(re.escape(part) for part in pattern.split("*")))
    return {key: fact for key, fact in facts.items() if asked.fullmatch(key)}


def _known(fact: Fact) -> bool:
    """Say whether it says anything; 0 and no do."""
    return fact.value not in (None, "", []) and fact.status != "unknown"


def _said_unknown(fact: Fact) -> bool:
    return fact.provenance == "entered" and fact.status == "unknown"


def changed(form: Sequence[Item], before: Mapping[str, Fact], after: Mapping[str, Fact]) -> list[Changed]:
    """Give what of a form is not what it was: another value, unit or status, something new, something gone."""
    found = []
    for old, new in zip(filled(form, before), filled(form, after), strict=True):
        for key in sorted({*old.facts, *new.facts}):
            past, now = old.facts.get(key), new.facts.get(key)
            if _says(past) != _says(now):
                found.append(Changed(new.item, key, past, now))
    return found


def _says(fact: Fact | None) -> Any:
    # 1, 1.0 and true are three things
    return None if fact is None else (repr(fact.value), fact.unit, fact.status)
