# SPDX-License-Identifier: Apache-2.0
"""What is checked, and what a check finds. Plain data that lint, compare and leaks share."""

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from typing import Final, Literal

from hikeshi.wording.facts import Language, Said

Kind = Literal["letter", "bulletin"]
Severity = Literal["error", "warning"]
Stage = Literal["first", "second", "final"]
ASKS: Final = ("ASK1", "ASK2", "ASK3", "ASK4", "ASK5", "ASK6", "ASK7")


@dataclass(frozen=True, slots=True)
class Problem:
    """What is wrong, by which rule. An error blocks sending and publishing; a warning is for a person to look at.

    `rule` is L01 to L16, ASK1 to ASK7, or S01 to S15: a section of a bulletin. `where` is subject, text, a header's name,
    a section or a fact, with the words in question where there are any; it never repeats what must not be seen.
    """

    rule: str
    severity: Severity
    where: str
    says: Mapping[str, str]


@dataclass(frozen=True, slots=True)
class Lure:
    """What is known of the phishing mail: its subjects, the mailbox it was sent from, the addresses it led to."""

    subjects: Collection[str] = ()
    account: str | None = None
    urls: Collection[str] = ()


@dataclass(frozen=True, slots=True)
class Doing:
    """What the caller does around a document, for the rules that no text can show (L03, L04, L15, L16). None: not told.

    `page_live_at` is when the public page with the same report was reachable, aware; `page_report` and `page_phone` are
    what it says. `per_minute` is the highest rate of sending, mails a minute. `reports_kept` are the numbers of the reports on
    the page, in its order.
    """

    send: bool = False
    page_live_at: datetime | None = None
    page_report: int | None = None
    page_phone: str | None = None
    report: int | None = None
    per_minute: float | None = None
    resumable: bool | None = None
    in_ledger: bool | None = None
    bounces_suppressed: bool | None = None
    approved_by: Collection[str] = ()
    drafted_by: str | None = None
    two_persons: bool = True
    dkim_aligned: bool | None = None
    reports_kept: tuple[int, ...] | None = None
    page_address: str | None = None
    page_address_before: str | None = None


@dataclass(frozen=True, slots=True)
class Document:
    """A letter or bulletin as it would go out.

    `text` is the plain text as read; `raw` the bytes of the message where there are any yet. `facts_used` are those that the
    text prints, from `text.write`. `to` is the only recipient, `others` the addresses of all others (`leaks.Known` makes
    asking quick). `names` are of people who must not be named, `inner` addresses and names of machines. `before` is the report
    before this one, and `corrections` the ids of differences (`compare.Difference.id`) that a 訂正 explains. `asks` are those
    that it must have, and `stage` which report a bulletin is; None: the first where nothing is before, else the second.
    `zone` is the one in which its times are told; None: as facts have them.
    """

    kind: Kind
    language: Language
    subject: str
    text: str
    headers: Mapping[str, str] = field(default_factory=dict)
    facts_used: Collection[Said] = ()
    to: str | None = None
    others: Collection[str] = ()
    lure: Lure = field(default_factory=Lure)
    before: "Document | None" = None
    corrections: Collection[str] = ()
    names: Collection[str] = ()
    inner: Collection[str] = ()
    raw: bytes | None = None
    asks: Collection[str] = ASKS
    stage: Stage | None = None
    zone: tzinfo | None = None
    doing: Doing | None = None


def error(rule: str, where: str, en: str, ja: str) -> Problem:
    """Give a problem that blocks."""
    return Problem(rule, "error", where, {"en": en, "ja": ja})


def warning(rule: str, where: str, en: str, ja: str) -> Problem:
    """Give a problem for a person to look at."""
    return Problem(rule, "warning", where, {"en": en, "ja": ja})
