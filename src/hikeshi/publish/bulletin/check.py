# SPDX-License-Identifier: Apache-2.0
"""What is wrong with a bulletin: every rule of the wording over both languages, against the report before it."""

import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import replace
from typing import Final

from hikeshi.publish.bulletin.bulletin import Bulletin
from hikeshi.publish.bulletin.changes import thawed
from hikeshi.publish.bulletin.sections import LANGUAGES, SECTIONS, Language
from hikeshi.publish.private import Private
from hikeshi.wording.compare import Difference, compare
from hikeshi.wording.document import error, warning
from hikeshi.wording.facts import Facts
from hikeshi.wording.lint import Document, Problem, lint

_JAPANESE: Final = re.compile(r"[\u3040-\u30ff\u3400-\u9fff]")


def check(one: Bulletin, before: Bulletin | None, facts: Facts, secret: Private) -> list[Problem]:
    """Give what is wrong with a bulletin; an error blocks it. Where a problem stands begins with its language."""
    found: dict[tuple[str, str, str], Problem] = {}
    for language in LANGUAGES:
        document = document_of(one, before, facts, secret, language)
        problems = [
            *lint(document),
            *secret.shown_in(f"{document.subject}\n{document.text}"),
            *_untranslated(one, language),
            *_dropped(one, before, language),
        ]
        for each in problems:
            where = f"{language}: {each.where}"
            found.setdefault((each.rule, where, each.says["en"]), replace(each, where=where))
    return list(found.values())


def errors_of(problems: Sequence[Problem]) -> list[Problem]:
    """Give those that block."""
    return [one for one in problems if one.severity == "error"]


def document_of(one: Bulletin, before: Bulletin | None, facts: Facts, secret: Private, language: Language) -> Document:
    """Give a bulletin in a language as the rules of the wording read it."""
    now = _document(one, facts, secret, language)
    if before is None:
        return now
    past = _document(before, facts, secret, language)
    return replace(now, before=past, corrections=_explained(one, past, now))


def _document(one: Bulletin, facts: Facts, secret: Private, language: Language) -> Document:
    text = one.texts[language]
    return Document(
        kind="bulletin",
        language=language,
        subject=text.title,
        text=text.plain(language),
        facts_used=[thawed(fact) for fact in one.facts],
        lure=secret.lure,
        names=secret.names,
        inner=secret.inner,
        others=secret.addresses,
        stage=one.stage,
        zone=facts.zone,
    )


def _explained(one: Bulletin, past: Document, now: Document) -> tuple[str, ...]:
    """Give the ids of the differences that stand in a section which a correction explains."""
    sections = {str(each["section"]) for each in one.corrections}
    return tuple(each.id for each in compare(past, now) if _section(each) in sections)


def _section(one: Difference) -> str:
    """Say in which section of ours a difference stands; the wording numbers them S01 to S15."""
    kind, _, what = one.id.partition("/")
    if kind == "section":
        return SECTIONS[int(what[1:3]) - 1].id
    if kind == "ask":
        return "asks"
    return "secondary" if what.startswith("secondary_damage") else "scope"


def _dropped(one: Bulletin, before: Bulletin | None, language: Language) -> Iterator[Problem]:
    """Give the sections that the report before had and this one has not, unless a correction explains it (L13)."""
    if before is None:
        return
    explained: Iterable[str] = {str(each["section"]) for each in one.corrections}
    for section in SECTIONS:
        gone = section.id in before.texts[language].sections and section.id not in one.texts[language].sections
        if gone and section.id not in explained:
            yield error(
                "L13",
                f"section/{section.id}",
                f"the report before had the section {section.en}, this one has not",
                f"前報にあった「{section.ja}」の項がありません",
            )


def _untranslated(one: Bulletin, language: Language) -> Iterator[Problem]:
    """Give the facts that stand in Japanese in the English text: people have to say them in English, too."""
    if language != "en":
        return
    for fact in one.facts:
        values = fact["value"] if isinstance(fact["value"], list) else [fact["value"]]
        texts = [str(value) for value in values if isinstance(value, str) and _JAPANESE.search(value)]
        shown = any(text in each for text in texts for each in one.texts["en"].sections.values())
        if shown and not str(fact["key"]).endswith(".ja"):
            yield warning(
                "L14",
                str(fact["key"]),
                f"it is in Japanese; say it in English as {fact['key']}.en",
                f"英語の文に日本語があります。{fact['key']}.en として英語でも登録してください",
            )
