# SPDX-License-Identifier: Apache-2.0
"""Draws the pages, the plain texts and the feeds out of what was released. Every address in them is relative."""

import base64
import hashlib
import uuid
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, tzinfo
from functools import cache
from importlib.resources import files
from typing import Any, Final

import jinja2

from hikeshi.publish.bulletin.blocks import blocks, plain
from hikeshi.publish.bulletin.bulletin import Bulletin
from hikeshi.publish.bulletin.sections import LANGUAGES, SECTIONS, Language
from hikeshi.publish.site.words import WORDS

_WEEKDAYS: Final = {"en": ("Mon", "Tue", "Wed", "Thu", "Fri", "Sat", "Sun"), "ja": tuple("月火水木金土日")}
#: the names of feeds are made from the case's identity, which nobody can read out of them
_SPACE: Final = uuid.UUID("5a1e6f52-6a5b-5d0c-9b60-0d9f6d0c7b11")


@dataclass(frozen=True, slots=True)
class Desk:
    """Whom readers call, in one language; `tel` is the number as telephones take it, empty where it is none."""

    name: str
    phone: str
    hours: str
    languages: str

    @property
    def tel(self) -> str:
        """Give the number for a tel: address."""
        digits = "".join(sign for sign in self.phone if sign.isdigit())
        start = "+" if self.phone.strip().startswith("+") else ""
        return f"{start}{digits}" if 5 <= len(digits) <= 15 and set(self.phone) <= set("0123456789+-() ") else ""


@dataclass(frozen=True, slots=True)
class Shown:
    """A report on the site; `at` (aware) is when it was released, None for the draft that a preview shows."""

    bulletin: Bulletin
    at: datetime | None

    def page(self, language: Language) -> str:
        """Give the name of its page, which never changes."""
        return f"report-{self.bulletin.number}{suffix(language)}.html"


def suffix(language: Language) -> str:
    """Give what the names of the files of a language have before their ending."""
    return "" if language == "ja" else f".{language}"


def pages(
    reports: Sequence[Shown],
    *,
    case_id: str,
    org: dict[Language, str],
    desk: dict[Language, Desk],
    zone: tzinfo,
    pdfs: bool,
) -> dict[str, str]:
    """Give every text file of the site by its name. `reports` are newest first; `zone` is the one that times are told in."""
    made: dict[str, str] = {}
    for language in LANGUAGES:
        for one in reports:
            name = f"report-{one.bulletin.number}{suffix(language)}"
            drawn = _page(one, reports, language, org[language], desk[language], zone, pdfs=pdfs)
            made[f"{name}.html"] = drawn
            made[f"{name}.txt"] = one.bulletin.texts[language].plain(language)
            if one is reports[0]:
                made[f"index{suffix(language)}.html"] = drawn
        made[f"feed{suffix(language)}.xml"] = _feed(
            [one for one in reports if one.at], language, org[language], case_id
        )
    return made


def _page(
    one: Shown, reports: Sequence[Shown], language: Language, org: str, desk: Desk, zone: tzinfo, *, pdfs: bool
) -> str:
    words, other = WORDS[language], _other(language)
    name = f"report-{one.bulletin.number}{suffix(language)}"
    links = [(words.text, f"{name}.txt"), (words.feed, f"feed{suffix(language)}.xml")]
    if pdfs:
        links.insert(0, (words.pdf, f"{name}.pdf"))
    style = _style()
    hashed = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return (
        _environment()
        .get_template("page.html.j2")
        .render(
            language=language,
            words=words,
            policy=f"default-src 'none'; style-src 'sha256-{hashed}'; base-uri 'none'; form-action 'none'",
            style=style,
            text=one.bulletin.texts[language],
            number=one.bulletin.number,
            org=org,
            desk=desk,
            draft=one.at is None,
            published=one.at and told(one.at, zone, language),
            published_iso=one.at and one.at.astimezone(zone).isoformat(timespec="seconds"),
            as_of=told(one.bulletin.as_of, zone, language),
            as_of_iso=one.bulletin.as_of.astimezone(zone).isoformat(timespec="seconds"),
            other_page=one.page(other),
            feed=f"feed{suffix(language)}.xml",
            sections=SECTIONS,
            blocks=blocks,
            reports=[_listed(each, language, zone, current=each is one) for each in reports],
            links=links,
        )
    )


def _listed(one: Shown, language: Language, zone: tzinfo, *, current: bool) -> dict[str, Any]:
    return {
        "title": one.bulletin.texts[language].title,
        "page": one.page(language),
        "when": told(one.at, zone, language) if one.at else WORDS[language].not_published,
        "iso": one.at and one.at.astimezone(zone).isoformat(timespec="seconds"),
        "current": current,
    }


def _feed(reports: Sequence[Shown], language: Language, org: str, case_id: str) -> str:
    """Give the feed (RFC 4287); its ids are name-based UUIDs, its addresses relative to where it lies."""
    space = uuid.uuid5(_SPACE, case_id)
    entries = [
        {
            "id": uuid.uuid5(space, f"{one.bulletin.number}/{language}").urn,
            "title": one.bulletin.texts[language].title,
            "iso": _utc(one.at),
            "page": one.page(language),
            "summary": plain(one.bulletin.texts[language].sections.get("summary", ""), language),
        }
        for one in reports
        if one.at is not None
    ]
    return (
        _environment()
        .get_template("feed.xml.j2")
        .render(
            language=language,
            id=uuid.uuid5(space, language).urn,
            title=f"{org}: {WORDS[language].kind}",
            org=org,
            updated=entries[0]["iso"] if entries else "1970-01-01T00:00:00Z",
            here=f"feed{suffix(language)}.xml",
            page=f"index{suffix(language)}.html",
            entries=entries,
        )
    )


def told(time: datetime, zone: tzinfo, language: Language) -> str:
    """Write a moment to the minute, with weekday and zone."""
    local = time.astimezone(zone)
    offset = local.strftime("%z")
    name = "日本時間" if offset == "+0900" and language == "ja" else f"UTC{offset[:3]}:{offset[3:5]}"
    day = _WEEKDAYS[language][local.weekday()]
    if language == "ja":
        return f"{local.year}年{local.month}月{local.day}日({day}) {local:%H:%M}({name})"
    return f"{day} {local.day} {local:%B %Y}, {local:%H:%M} ({name})"


def _utc(time: datetime) -> str:
    return f"{time.astimezone(UTC):%Y-%m-%dT%H:%M:%SZ}"


def _other(language: Language) -> Language:
    return "en" if language == "ja" else "ja"


@cache
def _style() -> str:
    return files("hikeshi.publish.site").joinpath("style.css").read_text("utf-8").strip()


@cache
def _environment() -> jinja2.Environment:
    return jinja2.Environment(
        loader=jinja2.PackageLoader("hikeshi.publish.site", "."),
        autoescape=True,
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
    )
