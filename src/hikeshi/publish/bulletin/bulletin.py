# SPDX-License-Identifier: Apache-2.0
"""A bulletin as data, and how it stands in the ledger: texts in both languages, the facts behind them, its tracking block."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from hikeshi.cases.store.canonical import canonical
from hikeshi.publish.bulletin.blocks import plain
from hikeshi.publish.bulletin.sections import SECTIONS, Stage


@dataclass(frozen=True, slots=True)
class Text:
    """A bulletin in one language: its title, and the text of each section that it has, by the section's id."""

    title: str
    sections: Mapping[str, str]

    def plain(self, language: str) -> str:
        """Give the whole as plain text for people."""
        parts = [
            f"■ {section.heading(language)}\n{plain(self.sections[section.id], language)}"
            for section in SECTIONS
            if section.id in self.sections
        ]
        return "\n\n".join([self.title, *parts]) + "\n"


@dataclass(frozen=True, slots=True)
class Bulletin:
    """One report. `as_of` is aware: what it says is what was known then. `texts` is by language, ja and en.

    `facts` are those that its texts say, each with the number of its entry. `corrections` are the 訂正 that it explains.
    """

    number: int
    stage: Stage
    as_of: datetime
    texts: Mapping[str, Text]
    facts: tuple[Mapping[str, Any], ...]
    corrections: tuple[Mapping[str, Any], ...]
    tracking: Mapping[str, Any]

    @property
    def digest(self) -> str:
        """Give the SHA-256 (hex) over everything that is said; an approval is of exactly that."""
        said = {key: value for key, value in body_of(self).items() if key != "tracking"}
        return hashlib.sha256(canonical(said).encode()).hexdigest()

    @property
    def id(self) -> str:
        """Give the short name that people type."""
        return self.digest[:12]


def body_of(one: Bulletin) -> dict[str, Any]:
    """Give a bulletin as plain JSON, for the ledger."""
    return {
        "number": one.number,
        "stage": one.stage,
        "as_of": one.as_of.isoformat(),
        "texts": {
            language: {"title": text.title, "sections": dict(text.sections)} for language, text in one.texts.items()
        },
        "facts": [dict(fact) for fact in one.facts],
        "corrections": [dict(correction) for correction in one.corrections],
        "tracking": dict(one.tracking),
    }


def bulletin_of(body: Mapping[str, Any]) -> Bulletin:
    """Make a bulletin of an entry's body."""
    return Bulletin(
        body["number"],
        body["stage"],
        datetime.fromisoformat(body["as_of"]),
        {language: Text(text["title"], text["sections"]) for language, text in body["texts"].items()},
        tuple(body["facts"]),
        tuple(body["corrections"]),
        body["tracking"],
    )
