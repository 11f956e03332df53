# SPDX-License-Identifier: Apache-2.0
"""What a report says otherwise than the one before it: nothing may be dropped, lowered or weakened in silence (L13)."""

from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass
from typing import Any, Literal

from hikeshi.wording.asked import PARTS as ASKED
from hikeshi.wording.asked import asked, to_readers, whole
from hikeshi.wording.document import ASKS, Document, Problem, error
from hikeshi.wording.facts import Said
from hikeshi.wording.sections import PARTS, said

What = Literal["dropped section", "lowered count", "weakened ask", "changed fact", "new fact", "gone fact"]
#: what must be explained before it may go out
GRAVE = ("dropped section", "lowered count", "weakened ask")
#: parts of which a later report may be silent: what is new in it, and which report it is
_OF_THE_REPORT = ("S01.number", "S01.date", "S15.changes")


@dataclass(frozen=True, slots=True)
class Difference:
    """One difference. `id` is what a 訂正 names: section/S09.secondary, count/KEY, ask/ASK3, fact/KEY.

    `before` and `after` are values of facts, or None where there was or is none.
    """

    id: str
    what: What
    before: Any
    after: Any
    unit: str | None
    says: Mapping[str, str]

    @property
    def grave(self) -> bool:
        """Say whether it needs a 訂正."""
        return self.what in GRAVE


def compare(before: Document, after: Document) -> list[Difference]:
    """Give what differs, the grave first: sections, asks, then facts by key.

    The two may be in different languages: sections and asks are known by their meaning, and facts by their keys.
    """
    found = [*_sections(before, after), *_asks(before, after), *_facts(before.facts_used, after.facts_used)]
    return sorted(found, key=lambda one: not one.grave)


def silent(document: Document) -> Iterator[Problem]:
    """Give the grave differences to the report before that no correction explains."""
    if document.before is None:
        return
    for one in compare(document.before, document):
        if one.grave and one.id not in document.corrections:
            yield error("L13", one.id, one.says["en"], one.says["ja"])


def _sections(before: Document, after: Document) -> Iterator[Difference]:
    gone = said(before) - said(after)
    for part in PARTS:
        if part.id in gone and part.id not in _OF_THE_REPORT:
            yield Difference(
                f"section/{part.id}",
                "dropped section",
                part.id,
                None,
                None,
                {
                    "en": f"the report before said {part.en}, this one does not; say it again, or explain it as a correction",
                    "ja": f"前報にあった「{part.ja}」がありません。改めて記載するか、訂正として説明してください",
                },
            )


def _asks(before: Document, after: Document) -> Iterator[Difference]:
    past, now = (asked(_to_readers(one), one.language) for one in (before, after))
    for ask in ASKS:
        parts = [(part.ask, part.name) for part in ASKED if part.ask == ask]
        weaker = [name for one, name in parts if (one, name) in past and (one, name) not in now]
        if weaker and any(whole(past, ask) or part.must for part in ASKED if (part.ask, part.name) in past):
            yield Difference(
                f"ask/{ask}",
                "weakened ask",
                sorted(name for one, name in past if one == ask),
                sorted(name for one, name in now if one == ask),
                None,
                {
                    "en": f"the report before asked more ({', '.join(weaker)}); ask it again, or explain it as a correction",
                    "ja": f"前報より弱いお願いになっています({ask})。改めて記載するか、訂正として説明してください",
                },
            )


def _to_readers(document: Document) -> str:
    return to_readers(document) if document.kind == "bulletin" else document.text


def _facts(before: Collection[Said], after: Collection[Said]) -> Iterator[Difference]:
    past, now = ({one.key: one for one in facts} for facts in (before, after))
    for key in sorted({*past, *now}):
        difference = _fact(key, past.get(key), now.get(key))
        if difference is not None:
            yield difference


def _fact(key: str, past: Said | None, now: Said | None) -> Difference | None:
    was, is_ = (None if one is None else one.value for one in (past, now))
    unit = next((one.unit for one in (now, past) if one is not None), None)
    if past is None:
        return Difference(f"fact/{key}", "new fact", None, is_, unit, {"en": f"new: {key}", "ja": f"新規: {key}"})
    if now is None:
        return Difference(
            f"fact/{key}", "gone fact", was, None, unit, {"en": f"no longer told: {key}", "ja": f"記載なし: {key}"}
        )
    if past.number and not _at_least(past, now) and unit not in ("report", "time"):
        return Difference(
            f"count/{key}",
            "lowered count",
            was,
            is_,
            unit,
            {
                "en": f"{key} was {was} and is {is_} now; explain it as a correction",
                "ja": f"{key} が {was} から {is_} に減っています。訂正として説明してください",
            },
        )
    if (was, past.unit, past.status) == (is_, now.unit, now.status):
        return None
    return Difference(f"fact/{key}", "changed fact", was, is_, unit, {"en": f"changed: {key}", "ja": f"変更: {key}"})


def _at_least(past: Said, now: Said) -> bool:
    return now.number and now.value >= past.value
