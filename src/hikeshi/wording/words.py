# SPDX-License-Identifier: Apache-2.0
"""How a number, a time and a certainty are written in each language. Nothing is written bare."""

from collections.abc import Sequence
from datetime import date, datetime, tzinfo
from typing import Final

from hikeshi.wording.facts import FactError, Language, Said, when

#: what a unit is called: Japanese; English for one, for more. Each counts something else, and none stands for another.
UNITS: Final = {
    "mails": ("通", "email", "emails"),
    "addresses": ("宛先", "email address", "email addresses"),
    "domains": ("ドメイン", "domain", "domains"),
    "organisations": ("社", "organisation", "organisations"),
    "people": ("名", "person", "people"),
    "accounts": ("アカウント", "account", "accounts"),
    "reports": ("件の申告", "report received", "reports received"),
    "inquiries": ("件のお問い合わせ", "inquiry", "inquiries"),
    "records": ("件の記録", "record", "records"),
    "times": ("回", "time", "times"),
    "days": ("日", "day", "days"),
    "hours": ("時間", "hour", "hours"),
    "minutes": ("分", "minute", "minutes"),
    "years": ("年", "year", "years"),
}
UNKNOWN: Final = {"ja": "不明", "en": "not known"}
#: what stands behind a value that is not confirmed
_QUALIFIED: Final = {
    "suspected": {"ja": "(現時点の調査結果)", "en": " (as found so far)"},
    "not_confirmed": {"ja": "(未確認)", "en": " (not confirmed)"},
}
_RULED_OUT: Final = {"ja": "該当なし(確認済み)", "en": "none (ruled out)"}
_WEEKDAYS: Final = "月火水木金土日"
_DAYS: Final = ("Monday", "Tuesday", "Wednesday", "Thursday", "Friday", "Saturday", "Sunday")
_MONTHS: Final = (
    "January February March April May June July August September October November December".split()  # noqa: SIM905 - reads better
)


def number(said: Said, language: Language) -> str:
    """Write a number with its unit, its bounds where it is not certain, and what its status asks for.

    Raises:
        FactError: it is no number, or has no unit.

    """
    if not said.known:
        return UNKNOWN[language]
    if not said.number:
        raise FactError(
            f"{said.key}: {said.value!r} is no number; correct it with hikeshi case correct {said.key} NUMBER"
        )
    if said.unit == "report":
        return f"第{said.value}報" if language == "ja" else f"Report {said.value}"
    if said.unit not in UNITS:
        raise FactError(
            f"{said.key}: {said.value} has the unit {said.unit!r}, which no text can say; one of {', '.join(UNITS)}"
        )
    if said.status == "ruled_out":
        return _RULED_OUT[language]
    return _counted(said, said.unit, language) + _qualified(said, language)


def _counted(said: Said, unit: str, language: Language) -> str:
    if said.bounds is None or said.corrected:
        return quantity(said.value, unit, language)
    at_least, at_most, _ = said.bounds
    if at_least == at_most:
        return quantity(at_least, unit, language)
    low = quantity(at_least, unit, language)
    if at_most is None:
        return f"少なくとも{low}" if language == "ja" else f"at least {low}"
    high = quantity(at_most, unit, language)
    return f"{low}以上{high}以下" if language == "ja" else f"between {at_least:,} and {high}"


def quantity(value: float, unit: str, language: Language) -> str:
    """Write a number with the word for its unit."""
    japanese, one, more = UNITS[unit]
    return f"{value:,}{japanese}" if language == "ja" else f"{value:,} {one if value == 1 else more}"


def time(said: Said, zone: tzinfo, language: Language) -> str:
    """Write a time in a zone, which is named, as precisely as it is known, and what its status asks for.

    Raises:
        FactError: it is no time, or has no zone.

    """
    if not said.known:
        return UNKNOWN[language]
    found = when(said)
    if said.status == "ruled_out":
        return _RULED_OUT[language]
    if not isinstance(found, datetime):
        return day(found, language) + _qualified(said, language)
    text = str(said.value)
    clock = text.partition("T")[2] or text.partition(" ")[2]
    return moment(found, zone, language, seconds=clock[:8].count(":") == 2) + _qualified(said, language)


def moment(time: datetime, zone: tzinfo, language: Language, *, seconds: bool = True) -> str:
    """Write a moment, aware, in a zone, to the second or the minute; the zone is named with its offset."""
    local = time.astimezone(zone)
    if language == "ja":
        clock = f"{local:%H時%M分%S秒}" if seconds else f"{local:%H時%M分}"
        return f"{day(local, language)}{clock}({named(local, language)})"
    return f"{day(local, language)}, {local.strftime('%H:%M:%S' if seconds else '%H:%M')} ({named(local, language)})"


def day(one: date, language: Language) -> str:
    """Write a day with its weekday."""
    if language == "ja":
        return f"{one.year}年{one.month}月{one.day}日({_WEEKDAYS[one.weekday()]})"
    return f"{_DAYS[one.weekday()]}, {one.day} {_MONTHS[one.month - 1]} {one.year}"


def named(local: datetime, language: Language) -> str:
    """Name the zone of a local time."""
    offset = local.strftime("%z")
    utc = "UTC" if not local.utcoffset() else f"UTC{offset[:3]}:{offset[3:5]}"
    name = str(local.tzinfo)
    if name in ("Asia/Tokyo", "Japan"):
        return f"日本時間、{utc}" if language == "ja" else f"JST, {utc}"
    short = local.tzname() or ""
    return (
        utc if not short.isalpha() or short == "UTC" else f"{short}、{utc}" if language == "ja" else f"{short}, {utc}"
    )


def as_of(said: Said, zone: tzinfo, language: Language) -> str:
    """Write up to when something is known, to the minute.

    Raises:
        FactError: the fact does not tell.

    """
    if said.as_of is None:
        raise FactError(
            f"{said.key}: nobody knows as of when this is {said.status}; say it again with "
            f"hikeshi case correct {said.key} VALUE --status {said.status} --who NAME --why REASON --case DIR"
        )
    return moment(said.as_of, zone, language, seconds=False)


def plain(said: Said, language: Language) -> str:
    """Write a text or a list of texts with what its status asks for."""
    if not said.known:
        return UNKNOWN[language]
    if said.status == "ruled_out":
        return _RULED_OUT[language]
    value = said.value
    if isinstance(value, bool):
        word = {"ja": ("いいえ", "はい"), "en": ("no", "yes")}[language][value]
    else:
        word = listed(value, language) if isinstance(value, (list, tuple)) else str(value)
    return word + _qualified(said, language)


def listed(values: Sequence[object], language: Language) -> str:
    """Write things one after another."""
    texts = [str(one) for one in values]
    if language == "ja":
        return "、".join(texts)
    return " and ".join([part for part in (", ".join(texts[:-1]), *texts[-1:]) if part])


def sure(said: Said, what: str, zone: tzinfo, language: Language) -> str:
    """Say how sure it is that `what` happened, as a whole clause (L10). "It did not" is said of what is ruled out only.

    `what` is a noun: メールアドレスの漏えい, a leak of email addresses.

    Raises:
        FactError: it is not confirmed, and the fact does not tell as of when.

    """
    says = {
        "ja": {
            "confirmed": f"{what}を確認しました",
            "suspected": f"{what}の可能性を否定できません",
            "not_confirmed": f"{what}は確認されていません",
            "ruled_out": f"{what}がなかったことを確認しました",
            "unknown": f"{what}の有無は、現時点では判明していません",
        },
        "en": {
            "confirmed": f"We have confirmed {what}",
            "suspected": f"We cannot rule out {what}",
            "not_confirmed": f"{what} has not been confirmed",
            "ruled_out": f"We have ruled out {what}",
            "unknown": f"It is not known yet whether there was {what}",
        },
    }
    return _until(said, zone, language) + says[language][said.status]


def _until(said: Said, zone: tzinfo, language: Language) -> str:
    if said.status != "not_confirmed":
        return ""
    time = as_of(said, zone, language)
    return f"現時点({time}現在)で、" if language == "ja" else f"As of {time}, "


def _qualified(said: Said, language: Language) -> str:
    return _QUALIFIED.get(said.status, {}).get(language, "")
