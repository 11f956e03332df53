# SPDX-License-Identifier: Apache-2.0
"""Every number of a text leads to a fact and says what it counts (L11); every time has its zone and leads to a fact (L12).

Mails, addresses, organisations and persons are different counts: one of them in the place of another is an error of its own.
"""

import re
from collections.abc import Collection, Iterator
from datetime import UTC, date, datetime
from typing import Final

from hikeshi.wording.document import Document, Problem, error
from hikeshi.wording.facts import FactError, Said, when
from hikeshi.wording.flow import flow
from hikeshi.wording.text import defang

_NUMBER: Final = r"(?<![\d.,a-zA-Z_])\d{1,3}(?:,\d{3})+(?![\d,])|(?<![\d,.a-zA-Z_])\d+(?:\.\d+)?(?![.]?\d)"
_COUNTED_JA: Final = re.compile(
    rf"({_NUMBER}|(?<!お)[一二三四五六七八九十百千万]{{1,12}}(?=通|社|名|宛先|件))\s*"
    r"(通|宛先|件の申告|件のお問い合わせ|件の記録|件|(?:メール)?アドレス|社|団体|法人|名|人|アカウント|ドメイン|回|日間?|時間|分|[かヶカケ]月|年|%|円)?(?!ずつ)"
)
_COUNTED_EN: Final = re.compile(
    rf"({_NUMBER})\s*%?(?:(?:[a-z-]+\s+){{0,2}}?(e-?mail addresses|e-?mail address|addresses|address|e-?mails?|mails?|messages?|recipients?"
    r"|organi[sz]ations?|compan(?:y|ies)|people|persons?|individuals?|accounts?|mailbox(?:es)?|domains?|reports? received|inquir(?:y|ies)|records?"
    r"|times?|days?|hours?|minutes?|years?|months?)\b)?",
    re.IGNORECASE,
)
_RANGE: Final = re.compile(r"\s{0,4}(?:and|to|or|-|~|から|または)\s{0,4}(?=\d)")
_VAGUE: Final = re.compile(
    r"数(?:十|百|千|万)+\s*(?:通|件|名|人|社|宛先)|\b(?:dozens|hundreds|thousands|tens of thousands) of\b",
    re.IGNORECASE,
)
_UNITS: Final = {
    "mails": ("通", "e-?mails?", "mails?", "messages?"),
    "addresses": ("宛先", "(?:メール)?アドレス", "e-?mail address(?:es)?", "address(?:es)?"),
    "organisations": ("社", "団体", "法人", "organi[sz]ations?", "compan(?:y|ies)"),
    "people": ("名", "人", "people", "persons?", "individuals?"),
    "accounts": ("アカウント", "accounts?", "mailbox(?:es)?"),
    "domains": ("ドメイン", "domains?"),
    "reports": ("件の申告", "reports? received"),
    "inquiries": ("件のお問い合わせ", "inquir(?:y|ies)"),
    "records": ("件の記録", "records?"),
    "times": ("回", "times?"),
    "days": ("日間?", "days?"),
    "hours": ("時間", "hours?"),
    "minutes": ("分", "minutes?"),
    "months": ("[かヶカケ]月", "months?"),
    "years": ("年", "years?"),
}
_KANJI: Final = {one: value for value, one in enumerate("一二三四五六七八九", 1)}
_TENS: Final = {"十": 10, "百": 100, "千": 1000, "万": 10000}
#: numbers that count nothing
_NAMES: Final = re.compile(
    r"(?<![\d.])\d{1,3}(?:\.\d{1,3}){3}(?![\d.])|UTF-8|ISO[- ]\d+|(?:Microsoft|Office|M)\s?365|[2二]段階|[2二]要素"
    r"|\b2-?(?:step|factor|FA)\b|24時間\s*365日|\b24/7(?:/365)?\b|(?:第\s*)\d+(?=\s*条)|\bArt(?:icle|\.)?\s*\d+(?:\(\d+\))*",
    re.IGNORECASE,
)
_OFFSET: Final = re.compile(
    r"(?:UTC|GMT)\s*[+-]\s*\d{1,2}(?::?\d\d)?|(?<=:\d\d)\+\d\d:?\d\d|(?<=:\d\d:\d\d)-\d\d:?\d\d|(?<=\d)Z\b",
    re.IGNORECASE,
)
_REPORT: Final = re.compile(
    r"第\s*(\d+)\s*報|\b(?:report|bulletin|notice)\s*(?:no\.?|number|#)?\s*(\d+)\b", re.IGNORECASE
)
_MARKS: Final = re.compile(r"^[ \t]{0,40}\(?\d{1,2}[.)、]\s", re.MULTILINE)
_MONTHS: Final = "jan feb mar apr may jun jul aug sep oct nov dec".split()  # noqa: SIM905 - reads better
_MONTH: Final = r"(jan|feb|mar|apr|may|jun|jul|aug|sep|oct|nov|dec)[a-z]*\.?"
_CLOCK: Final = r"(\d{1,2})(?::(?=\d\d)|時(?!間))(\d{1,2})?(?:(?::|分)(\d{1,2})?)?秒?(?:\.\d+)?\s*(am|pm)?"
_BETWEEN: Final = r"[\s,T]*(?:\([^)]{1,3}\))?[\s,]*(?:at |午前)?"
_TIMES: Final = (
    re.compile(
        rf"(?P<y>\d{{4}})\s*[年./-]\s*(?P<m>\d{{1,2}})\s*[月./-]\s*(?P<d>\d{{1,2}})日?(?:{_BETWEEN}{_CLOCK})?",
        re.IGNORECASE,
    ),
    re.compile(rf"(?P<m>\d{{1,2}})月(?P<d>\d{{1,2}})日(?:{_BETWEEN}{_CLOCK})?", re.IGNORECASE),
    re.compile(
        rf"\b(?P<d>\d{{1,2}})(?:st|nd|rd|th)? (?P<mon>{_MONTH})(?:,? (?P<y>\d{{4}}))?(?:{_BETWEEN}{_CLOCK})?",
        re.IGNORECASE,
    ),
    re.compile(
        rf"\b(?P<mon>{_MONTH}) (?P<d>\d{{1,2}})(?:st|nd|rd|th)?(?:,? (?P<y>\d{{4}}))?(?:{_BETWEEN}{_CLOCK})?",
        re.IGNORECASE,
    ),
    re.compile(_CLOCK, re.IGNORECASE),
)
_ZONE: Final = re.compile(
    r"日本時間|現地時間|世界標準時|\bJST\b|\bUTC\b|\bGMT\b|\b[A-Z]{2,4}T\b|[+-]\d\d:\d\d|\b[A-Z][a-z]{2,15} time\b|\d[\d:.]*Z\b"
)
_ALL_TIMES: Final = re.compile(
    r"(?:時刻|日時|時間)[^。\n]{0,24}(?:日本時間|UTC|JST)|(?:日本時間|UTC|JST)[^。\n]{0,20}(?:表記|記載|です)|\b(?:all|the) times\b[^.\n]{0,40}(?:UTC|JST|GMT|time\b)",
    re.IGNORECASE,
)


def unfounded(document: Document) -> list[Problem]:
    """Give the numbers and times of a document that no used fact has, that count nothing, or that have no zone."""
    text = flow(f"{document.subject}\n{document.text}")
    rest, found = _times(document, text)
    rest = _blank(_MARKS, _blank(_NAMES, rest))
    rest, wrong = _report_numbers(document, rest)
    return [*found, *wrong, *_numbers(document, rest)]


def _numbers(document: Document, text: str) -> Iterator[Problem]:
    counted = _COUNTED_JA if document.language == "ja" else _COUNTED_EN
    for one in _VAGUE.finditer(text):
        yield error(
            "L11",
            f"text, {one[0]}",
            "a count that no fact has; give the number",
            "根拠のない概数です。数を記載してください",
        )
    for one in counted.finditer(text):
        # both ends of a range are of one unit, which stands behind the second
        other = counted.match(text, range_.end()) if not one[2] and (range_ := _RANGE.match(text, one.end())) else one
        unit = _unit((other or one)[2] or "", text, other or one)
        problem = _number(document, one[0].strip(), _value(one[1]), unit)
        if problem is not None:
            yield problem


def _number(document: Document, shown: str, value: float, unit: str | None) -> Problem | None:
    having = {said.unit for said in document.facts_used if _has(said, value)}
    if unit is None:
        return error(
            "L11",
            f"text, {shown}",
            "a number that does not say what it counts",
            "単位のない数です(通・宛先・社・名など)",
        )
    if unit in having:
        return None
    if having - {None}:
        counts = ", ".join(sorted(str(one) for one in having if one))
        return error(
            "L11",
            f"text, {shown}",
            f"the facts have this number of {counts}, not of {unit}: one count does not stand for another",
            f"この数は {counts} の数であり、{unit} の数ではありません",
        )
    return error("L11", f"text, {shown}", "a number that no fact used here has", "事実の記録にない数です")


def _has(said: Said, value: float) -> bool:
    if said.bounds is not None and value in said.bounds[:2]:
        return True
    return said.number and float(said.value) == value


def _unit(shown: str, text: str, one: re.Match[str]) -> str | None:
    if shown == "件":
        return _items(text[max(0, one.start() - 20) : one.start()], text[one.end() : one.end() + 25].partition("。")[0])
    return next(
        (unit for unit, forms in _UNITS.items() if any(re.fullmatch(form, shown, re.IGNORECASE) for form in forms)),
        None,
    )


def _items(before: str, after: str) -> str | None:
    """Say what 件 counts, by the words around it: after it first."""
    for near in (after.partition("\n")[0][:14], before):
        if re.search(r"アドレス|宛先", near):
            return "addresses"
        if re.search(r"メール|送信", near):
            return "mails"
        if re.search(r"お?問い?合わ?せ|申告|記録", near):
            return "inquiries" if "問" in near else "reports" if "申告" in near else "records"
    return None


def _value(shown: str) -> float:
    if shown[0] not in _KANJI and shown[0] not in _TENS:
        return float(shown.replace(",", ""))
    total = part = digit = 0
    for one in shown:
        if one in _KANJI:
            digit = _KANJI[one]
        elif one == "万":
            total, part, digit = total + (part + digit or 1) * 10000, 0, 0
        else:
            part, digit = part + (digit or 1) * _TENS[one], 0
    return total + part + digit


def _report_numbers(document: Document, text: str) -> tuple[str, list[Problem]]:
    """Take the numbers of reports out; an earlier report may be named, a later one not."""
    highest = [said.value for said in document.facts_used if said.unit == "report" and said.number]
    found = [
        error("L11", f"text, {one[0]}", "a report number that no fact used here has", "事実の記録にない報番号です")
        for one in _REPORT.finditer(text)
        if highest and int(one[1] or one[2]) > max(highest)
    ]
    return _blank(_REPORT, text), found


def _times(document: Document, text: str) -> tuple[str, list[Problem]]:
    """Give the text without its times and without what people entered, and what is wrong with the times."""
    without_desk = _without(text, [said for said in document.facts_used if said.key.startswith("desk.")])
    found = [
        error(
            "L12", f"text, {one[0].strip()}", "a time without its zone", "時刻に時間帯(日本時間など)の記載がありません"
        )
        for one in _clocks(without_desk)
        if not _zoned(without_desk, one)
    ]
    rest = _blank(_OFFSET, _without(text, document.facts_used, document.lure.subjects))
    known = list(_moments(document))
    for pattern in _TIMES:
        found += [
            error(
                "L11", f"text, {one[0].strip()}", "a day or time that no fact used here has", "事実の記録にない日時です"
            )
            for one in pattern.finditer(rest)
            if not any(_told(one, moment) for moment in known)
        ]
        rest = _blank(pattern, rest)
    return rest, found


def _clocks(text: str) -> Iterator[re.Match[str]]:
    for one in _TIMES[-1].finditer(text):
        # an offset is no time, nor a ratio
        if int(one[1]) < 25 and int(one[2] or 0) < 60 and not re.search(r"[+-]$|\d:$", text[: one.start()]):
            yield one


def _zoned(text: str, one: re.Match[str]) -> bool:
    around = (
        text[max(0, one.start() - 40) : one.start()].rpartition("\n")[2]
        + text[one.start() : one.end() + 60].partition("\n")[0]
    )
    return bool(_ZONE.search(around) or _ALL_TIMES.search(text))


def _moments(document: Document) -> Iterator[date | datetime]:
    """Give the times that a document may tell: those of its facts and as of when they are known, in the zones it may use."""
    for said in document.facts_used:
        values = said.value if isinstance(said.value, (list, tuple)) else [said.value]
        for value in values:
            try:
                found = when(Said(said.key, value))
            except FactError:
                continue
            yield from _zones(document, found)
        if said.as_of is not None:
            yield from _zones(document, said.as_of)


def _zones(document: Document, one: date | datetime) -> Iterator[date | datetime]:
    yield one
    if isinstance(one, datetime):
        yield one.astimezone(UTC)
        if document.zone is not None:
            yield one.astimezone(document.zone)


def _told(found: re.Match[str], moment: date | datetime) -> bool:
    """Say whether what was found is this moment, as far as it goes."""
    named = found.groupdict()
    if named.get("y") and int(named["y"]) != moment.year:
        return False
    month = _MONTHS.index(named["mon"][:3].casefold()) + 1 if named.get("mon") else named.get("m")
    if month and int(month) != moment.month:
        return False
    if named.get("d") and int(named["d"]) != moment.day:
        return False
    hour, minute, second, half = found.groups()[-4:]
    if hour is None:
        return True
    if not isinstance(moment, datetime):
        return False
    told = int(hour) % 12 + (12 if half.casefold() == "pm" else 0) if half else int(hour)
    return (
        told == moment.hour
        and (minute is None or int(minute) == moment.minute)
        and (not second or int(second) == moment.second)
    )


def _without(text: str, facts: Collection[Said], more: Collection[str] = ()) -> str:
    """Blank out what people entered as texts, which is theirs, with the numbers in it."""
    texts = {flow(one) for one in more}
    for said in facts:
        values = said.value if isinstance(said.value, (list, tuple)) else [said.value]
        texts.update(flow(one) for one in values if isinstance(one, str) and said.unit != "time")
    for one in sorted(texts, key=len, reverse=True):
        for form in dict.fromkeys((one, flow(defang(one)))):
            if re.search(r"\d", form):
                text = re.sub(rf"(?<!\d){re.escape(form)}(?!\d)", " ", text)
    return text


def _blank(pattern: re.Pattern[str], text: str) -> str:
    return pattern.sub(lambda found: "\n" if found[0].startswith("\n") else " ", text)
