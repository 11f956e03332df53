# SPDX-License-Identifier: Apache-2.0
"""Tables for people: which letters go to how many, what is wrong with them, and the reconciliation."""

import unicodedata
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, Final

from hikeshi.notify.addresses import shown
from hikeshi.notify.drafting import Found
from hikeshi.notify.lists import Language
from hikeshi.notify.person import Group, Person
from hikeshi.notify.reconciliation import PLACES, Row

_GROUPS: Final[Mapping[str, Mapping[Language, str]]] = {
    "lure": {"en": "received the lure", "ja": "不審メールのみ"},
    "exposed": {"en": "data exposed", "ja": "情報のみ"},
    "both": {"en": "both", "ja": "両方"},
    "all": {"en": "all", "ja": "計"},
}
_OUTCOMES: Final[Mapping[str | None, Mapping[Language, str]]] = {
    "delivered": {"en": "delivered", "ja": "配送済み"},
    "deferred": {"en": "deferred", "ja": "配送待ち"},
    "held": {"en": "held by us", "ja": "当社で保留"},
    "unknown": {"en": "not known", "ja": "不明"},
    "expired": {"en": "expired", "ja": "期限切れ"},
    "bounced": {"en": "bounced", "ja": "不達"},
    None: {"en": "-", "ja": "-"},
}
_WAYS: Final[Mapping[str, Mapping[Language, str]]] = {
    "mail": {"en": "mail", "ja": "メール"},
    "phone": {"en": "phone", "ja": "電話"},
    "post": {"en": "post", "ja": "郵送"},
    "substitute": {"en": "substitute notice", "ja": "代替措置"},
    "left-out": {"en": "left out", "ja": "対象外(人の判断)"},
}
_PLACES: Final[Mapping[str, Mapping[Language, str]]] = {
    "told": {"en": "told", "ja": "通知済み"},
    "handed over": {"en": "handed over", "ja": "引継済み"},
    "left out": {"en": "left out", "ja": "対象外"},
    "underway": {"en": "underway", "ja": "送信中"},
    "draft": {"en": "drafted", "ja": "下書き"},
    "no letter": {"en": "no letter", "ja": "未作成"},
    "worklist": {"en": "worklist", "ja": "手作業"},
}


def variants(people: Iterable[Person]) -> list[dict[str, Any]]:
    """Give which letters there are for how many people: by group, outcome, language and way; the most first."""
    counted = Counter((one.group, one.outcome, one.language, one.reach) for one in people)
    names = ("group", "outcome", "language", "way")
    ordered = sorted(counted.items(), key=lambda each: (-each[1], str(each[0])))
    return [{**dict(zip(names, key, strict=True)), "people": count} for key, count in ordered]


def variants_text(people: Sequence[Person], lang: Language) -> str:
    """Give the variants as a table, with how many people they are in all."""
    ja = lang == "ja"
    header = (
        ["区分", "不審メールの結果", "言語", "方法", "人数"]
        if ja
        else ["group", "lure was", "language", "way", "people"]
    )
    rows = [
        [
            _GROUPS[one["group"]][lang],
            _OUTCOMES[one["outcome"]][lang],
            one["language"],
            _WAYS[one["way"]][lang],
            f"{one['people']:,}",
        ]
        for one in variants(people)
    ]
    total = [_GROUPS["all"][lang], "", "", "", f"{len(people):,}"]
    return table([header, *rows, total])


def reconciliation_text(rows: Sequence[Row], lang: Language) -> str:
    """Give the reconciliation as a table; `open` is what scoped − told − handed over − left out comes to."""
    first = ["区分", "対象"] if lang == "ja" else ["group", "scoped"]
    last = "未了" if lang == "ja" else "OPEN"
    header = [
        *first,
        *(_PLACES[place][lang] for place in PLACES[:3]),
        last,
        *(_PLACES[place][lang] for place in PLACES[3:]),
    ]
    lines = [
        [
            _GROUPS[one.group][lang],
            f"{one.scoped:,}",
            *(f"{one.places[place]:,}" for place in PLACES[:3]),
            f"{one.open:,}",
            *(f"{one.places[place]:,}" for place in PLACES[3:]),
        ]
        for one in rows
    ]
    return table([header, *lines])


def found_text(found: Iterable[Found], lang: Language) -> str:
    """Give what is wrong with the letters, a line each."""
    return "\n".join(
        f"{'ERROR' if one.problem.severity == 'error' else 'warning'}  {one.problem.rule}  "
        f"{shown(one.problem.where)}: {one.problem.says[lang]} "
        + (
            f"({one.letters:,}通、最初は {shown(one.first)})"
            if lang == "ja"
            else f"({one.letters:,} letters, first {shown(one.first)})"
        )
        for one in found
    )


def table(rows: Sequence[Sequence[str]]) -> str:
    """Lay out rows in columns, numbers to the right; a Japanese character takes two."""
    widths = [max(_width(row[index]) for row in rows) for index in range(len(rows[0]))]
    lines = []
    for row in rows:
        cells = [
            " " * (width - _width(cell)) + cell if cell[:1].isdigit() else cell + " " * (width - _width(cell))
            for cell, width in zip(row, widths, strict=True)
        ]
        lines.append("  ".join(cells).rstrip())
    return "\n".join(lines)


def _width(text: str) -> int:
    return sum(2 if unicodedata.east_asian_width(one) in "WF" else 1 for one in text)


def group_name(group: Group, lang: Language) -> str:
    """Name a group."""
    return _GROUPS[group][lang]
