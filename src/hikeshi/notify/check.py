# SPDX-License-Identifier: Apache-2.0
"""Checks letters by all rules of `wording.lint`; letters that differ in the reader's times alone are checked as one."""

import hashlib
import re
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Final

from hikeshi.cases.entries import Status
from hikeshi.notify.lists import Language
from hikeshi.notify.outbox.letter import Letter, encoded
from hikeshi.wording.document import Document, Lure, Problem, warning
from hikeshi.wording.facts import Facts, Said
from hikeshi.wording.leaks import Known, leaks
from hikeshi.wording.lint import lint

_JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u4e00-\u9fff]")


@dataclass(frozen=True, slots=True)
class Case:
    """What all letters of a report have in common. `verdict` is the least certain status of the incidents' verdicts.

    `listed_at` is when the list of exposed persons came, aware, None where there is none. `hidden` are addresses that no
    letter may show: everybody's, and the mailboxes that were taken over.
    """

    case_id: str
    report: int
    facts: Facts
    verdict: Status
    listed_at: datetime | None
    lure: Lure
    hidden: Known


@dataclass(frozen=True, slots=True)
class Earlier:
    """The last letter to a person before this one: of which report, in which words."""

    report: int
    language: str
    subject: str
    text: str


class Checker:
    """Checks the letters of a report in one language."""

    def __init__(self, case: Case, language: Language) -> None:
        self._case, self._language = case, language
        self._seen: dict[bytes, tuple[Problem, ...]] = {}

    def problems(
        self, made: Letter, used: list[Said], before: Earlier | None, asks: tuple[str, ...], times: tuple[str, ...]
    ) -> tuple[Problem, ...]:
        """Give what is wrong with a letter. `times` are those of its reader, as they stand in its text.

        A letter whose words are those of one that was checked, but for these times, has the same problems: the times come from
        the reader's facts by the same words, and To and Message-ID are derived from the reader.
        """
        rest = "\0".join((made.subject, made.text, "" if before is None else before.text, *asks))
        # lines are broken elsewhere where a time is longer
        between = "" if self._language == "ja" else " "
        rest = between.join(rest.split())
        for one in times:
            rest = rest.replace(between.join(one.split()), "\1")
        kind = hashlib.sha256(rest.encode()).digest()
        if kind not in self._seen:
            # Nobody's address may stand in the words, not even the reader's: the same words go to others.
            shown = leaks(f"{made.subject}\n{made.text}", addresses=self._case.hidden)
            found = [*lint(self._document(made, used, before, asks)), *(one for one in shown if one.rule == "L05")]
            self._seen[kind] = (*found, *untranslated(used, self._language))
        return self._seen[kind]

    def _document(self, made: Letter, used: list[Said], before: Earlier | None, asks: tuple[str, ...]) -> Document:
        past = None
        if before is not None and before.language in ("en", "ja"):
            spoken: Language = "en" if before.language == "en" else "ja"
            past = Document("letter", spoken, before.subject, before.text, to=made.address)
        return Document(
            kind="letter",
            language=self._language,
            subject=made.subject,
            text=made.text,
            headers={"From": made.sender, "To": made.address, "Message-ID": made.message_id},
            facts_used=used,
            to=made.address,
            others=self._case.hidden,
            lure=self._case.lure,
            before=past,
            raw=encoded(made, datetime.now(UTC)),
            asks=asks,
            zone=self._case.facts.zone,
        )


def untranslated(used: Iterable[Said], language: Language) -> list[Problem]:
    """Give warnings for what people entered in the other language: only they can say it in this one."""
    found = []
    for one in used:
        text = " ".join(map(str, one.value)) if isinstance(one.value, list) else one.value
        if one.key.startswith(("recipient.", "org.", "desk.phone")) or not isinstance(text, str) or one.unit == "time":
            continue
        if language == "en" if _JAPANESE.search(text) else language == "ja" and len(text.split()) > 2:
            key = f"{one.key.removesuffix('.en').removesuffix('.ja')}.{language}"
            found.append(
                warning(
                    "L14",
                    f"fact {one.key}",
                    f"is in another language than the letter; enter it: hikeshi case correct {key} TEXT",
                    f"通知と別の言語です。hikeshi case correct {key} TEXT で入力してください",
                )
            )
    return found
