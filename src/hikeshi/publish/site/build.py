# SPDX-License-Identifier: Apache-2.0
"""Builds the site: draws it, holds every file against what must not be seen, and only then writes anything."""

import os
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hikeshi.basics.errors import HikeshiError, UsageError
from hikeshi.cases.store import Store
from hikeshi.publish.bulletin.bulletin import Bulletin
from hikeshi.publish.bulletin.released import Bulletins
from hikeshi.publish.bulletin.sections import LANGUAGES, SECTIONS, Language
from hikeshi.publish.pdf import pdf
from hikeshi.publish.private import Private
from hikeshi.publish.site.pages import Desk, Shown, pages, suffix, told
from hikeshi.publish.site.words import WORDS
from hikeshi.wording.facts import Facts
from hikeshi.wording.lint import Problem
from hikeshi.wording.words import plain

#: by this we know a page of ours
MARK: Final = '<meta name="generator" content="hikeshi">'


class LeakError(HikeshiError):
    """A page shows what must not be seen, so nothing is written."""

    def __init__(self, problems: Sequence[Problem]) -> None:
        told_of = "; ".join(sorted({f"{one.where}: {one.says['en']} ({one.rule})" for one in problems}))
        super().__init__(f"nothing is written, since it would show what must not be seen: {told_of}")
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Built:
    """What was written where, by name."""

    out: Path
    names: tuple[str, ...]


def build(
    store: Store, facts: Facts, past: Bulletins, secret: Private, out: Path, *, pdfs: bool, draft: bool = False
) -> Built:
    """Write the site into `out`, files of ours in it are replaced, others stay; `draft`: with the draft, for a preview.

    Raises:
        UsageError: nothing is released; `out` has a page that is not ours, or another case's.
        LeakError: a page shows a person, an address, an inner machine or a live link. Nothing was written.
        PdfError: no PDF can be made.
        MissingFactError: the organisation's name or the desk is not known.

    """
    reports = [Shown(one.bulletin, one.at) for one in reversed(past.released)]
    if draft and past.draft is not None:
        reports.insert(0, Shown(past.draft, None))
    if not reports:
        raise UsageError("nothing is released yet: hikeshi publish draft, approve and release come before")
    spoken = {language: facts.spoken(language) for language in LANGUAGES}
    org: dict[Language, str] = {language: _said(spoken[language], "org.name") for language in LANGUAGES}
    desk = {language: _desk(spoken[language]) for language in LANGUAGES}
    made = pages(reports, case_id=store.case_id, org=org, desk=desk, zone=facts.zone, pdfs=pdfs)
    _ours(out, made)
    once = {text: name for name, text in made.items()}  # the newest report stands under two names
    problems = [problem for text, name in once.items() for problem in secret.shown_in(text, where=name)]
    if problems:
        raise LeakError(problems)
    files = {name: text.encode() for name, text in made.items()}
    if pdfs:
        files |= {
            f"report-{one.bulletin.number}{suffix(language)}.pdf": pdf_of(one, language, org[language], facts)
            for one in reports
            for language in LANGUAGES
        }
    return Built(out, _written(out, files))


def held(parts: Sequence[tuple[str, str]], secret: Private) -> None:
    """Hold that headings and texts show nothing that must not be seen. Raises LeakError."""
    problems = [problem for heading, text in parts for problem in secret.shown_in(f"{heading}\n{text}", where=heading)]
    if problems:
        raise LeakError(problems)


def pdf_of(one: Shown, language: Language, org: str, facts: Facts) -> bytes:
    """Give a report as PDF. Raises PdfError."""
    report, words = one.bulletin, WORDS[language]
    when = told(one.at, facts.zone, language) if one.at else words.draft
    return pdf(
        report.texts[language].title,
        parts_of(report, language),
        language=language,
        top=f"{org} · {when}",
        foot=f"{org} · {words.kind} · {words.report} {report.number}",
        at=one.at or report.as_of,
    )


def parts_of(report: Bulletin, language: Language) -> list[tuple[str, str]]:
    """Give heading and text of every section that a report has, in their order."""
    sections = report.texts[language].sections
    return [(one.heading(language), sections[one.id]) for one in SECTIONS if one.id in sections]


def _said(facts: Facts, key: str) -> str:
    return plain(facts[key], facts.language or "en")


def _desk(facts: Facts) -> Desk:
    languages = _said(facts, "desk.languages") if facts.known("desk.languages") else ""
    return Desk(_said(facts, "desk.name"), _said(facts, "desk.phone"), _said(facts, "desk.hours"), languages)


def _ours(out: Path, made: dict[str, str]) -> None:
    """Hold that nothing of anybody else's is written over: another page, or another case's."""
    if out.exists() and not out.is_dir():
        raise UsageError(f"--out {out}: is no folder; give one for the site alone")
    for name in ("index.html", "index.en.html"):
        page = out / name
        if page.exists() and MARK not in page.read_text("utf-8", "replace"):
            raise UsageError(f"--out {out}: its {name} is none of hikeshi's; give a folder for the site alone")
    feed = out / "feed.xml"
    if feed.exists() and _id(feed.read_text("utf-8", "replace")) != _id(made["feed.xml"]):
        raise UsageError(f"--out {out}: holds the site of another case; give each case a folder of its own")


def _id(feed: str) -> str:
    return feed.partition("<id>")[2].partition("</id>")[0]


def _written(out: Path, files: dict[str, bytes]) -> tuple[str, ...]:
    """Write public files, each whole or not at all; the pages that people come to first are written last."""
    try:
        if not out.exists():
            out.mkdir(parents=True)
            out.chmod(0o755)  # for the web server, whatever our umask
        names = sorted(files, key=lambda name: (name.startswith(("index", "feed")), name))
        for name in names:
            fresh = out / f".{name}.{os.getpid()}.new"
            fresh.write_bytes(files[name])
            fresh.chmod(0o644)
            fresh.replace(out / name)
    except OSError as error:
        raise UsageError(f"--out {out}: {error.strerror}; give a folder that you may write to") from error
    return tuple(names)
