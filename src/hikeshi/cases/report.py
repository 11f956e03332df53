# SPDX-License-Identifier: Apache-2.0
"""The page report.html: one file for people, in Japanese and English, that asks nothing of the network.

All words stand in `report.html.j2`; here is the arithmetic around them: what is drawn, how numbers and times are
written, and what a text from a log must go through before it is shown.
"""

import re
from base64 import b64encode
from collections.abc import Callable
from datetime import UTC, datetime, tzinfo
from functools import cache
from hashlib import sha256
from typing import Any, Final

from jinja2 import Environment, PackageLoader, StrictUndefined, Template
from markupsafe import Markup

from hikeshi.basics.errors import UsageError
from hikeshi.basics.zones import zone
from hikeshi.cases import plot

#: fates of an address, in the order in which the page tells them
STATUSES: Final = ("delivered", "deferred", "held", "unknown", "expired", "bounced")
#: more recipients than this are folded away at first
FOLDED: Final = 50
#: the view holds no more sign-ins than this: at this number some may be missing
MOST_SIGNINS: Final = 400
#: a text from a log is cut here: nobody reads on, and the case holds the whole
_LONGEST: Final = 400
#: an incident that fills less of the log than this gets a drawing of its own
_CLOSE: Final = 1 / 6
_WIDE, _NARROW = 900, 400

_ISO = re.compile(r"\b\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(?:\.\d+)?(?:Z|[+-]\d\d:\d\d)")
#: reasons that other rooms still give in English only
_REASONS: Final = (
    (re.compile(r"the log has a hole from (.+?) to (.+?) \((.*?)\)"), r"ログに\1から\2までの欠落があります（\3）"),
    (re.compile(r"the log ends while mails were still going out"), "送信が続いている途中でログが終わっています"),
    (
        re.compile(r"(\d+) recipients that the queue manager counted have no delivery line in the log"),
        r"配信記録のない宛先が\1件あります（件数はキュー管理の記録によります）",
    ),
    (
        re.compile(r"no records, where this log usually has about (\d+)"),
        r"通常は約\1件の記録がある時間帯に、記録がありません",
    ),
    (
        re.compile(r"damaged (\w+): (.*?); what could be unpacked before that was read"),
        r"\1の圧縮データが壊れています（\2）。壊れた箇所の手前までは読み取りました",
    ),
    (
        re.compile(r"truncated (\w+): its end is missing; what is there was read"),
        r"\1の圧縮データの末尾が欠けています。残っている部分は読み取りました",
    ),
    (re.compile(r"; "), "。"),
)


def render(view: dict[str, Any]) -> str:
    """Give the whole page for the plain data of a case."""
    shown = _zone(view)
    incidents = sorted(view["incidents"], key=lambda one: str(one["verdict"]))
    pictures = [_pictures(incident, shown) for incident in incidents]
    page = _template().render(
        **{**view, "incidents": incidents, "findings": _others(view)},
        pictures=pictures,
        when=_When(shown),
        reason=_Reason(shown),
        statuses=STATUSES,
        folded=FOLDED,
        most_signins=MOST_SIGNINS,
        every=_every(view["norm"]),
        covered=_covered(view["document"]),
        totals=_totals(view["document"]),
    )
    return page.lstrip()


@cache
def _template() -> Template:
    environment = Environment(
        loader=PackageLoader("hikeshi.cases", ""),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        finalize=_finalize,
    )
    environment.filters |= {"n": number, "many": many, "nats": nats, "percent": percent, "cut": cut, "hash": csp_hash}
    environment.globals |= {"least": least, "still_open": still_open} | {
        draw.__name__: _safe(draw) for draw in (plot.stacked, plot.share_bar, plot.signed_bar, plot.legend_mark)
    }
    return environment.get_template("report.html.j2")


def _finalize(value: Any) -> Any:
    """Let no text out with invisible or direction-changing signs; say a missing value with a dash."""
    if isinstance(value, Markup):
        return value
    if isinstance(value, str):
        return plot.visible(value)
    return "–" if value is None else value


def number(value: float) -> str:
    """Write a count with thousands separators."""
    return f"{value:,}"


def many(value: int, one: str, more: str = "") -> str:
    """Write an English count with its noun."""
    return f"{value:,} {one if value == 1 else more or one + 's'}"


def nats(value: float) -> str:
    """Write a weight with its sign, a real minus included."""
    return f"{value:+,.1f}".replace("-", "−") if abs(value) >= 0.05 else "0.0"


def percent(share: float) -> str:
    """Write a share of one in percent; nothing but all is 100 %, nothing but none is 0 %."""
    if 0 < share < 0.001:
        return "<0.1%"
    return ">99.9%" if 0.999 < share < 1 else f"{100 * share:.1f}%".replace(".0%", "%")


def cut(text: object, longest: int = _LONGEST) -> str:
    """Shorten a text that nobody reads to its end, and say by how much."""
    whole = "–" if text is None else str(text)
    return whole if len(whole) <= longest else f"{whole[:longest]}… (+{len(whole) - longest:,})"


def csp_hash(text: str) -> Markup:
    """Give the Content-Security-Policy source of an inline style or script."""
    return Markup("'sha256-{}'").format(b64encode(sha256(text.encode()).digest()).decode())


def least(incident: dict[str, Any], count: str, lang: str) -> str:
    """Say 'at least' before a count that is not certain."""
    bounds = incident["bounds"].get(count)
    if not bounds or bounds[0] == bounds[1]:
        return ""
    return "at least " if lang == "en" else "少なくとも"


def still_open(incident: dict[str, Any]) -> int:
    """Count the addresses whose mail may still arrive or whose fate the log does not tell."""
    return int(incident["deferred"]) + int(incident["held"]) + int(incident["unknown"])


def _zone(view: dict[str, Any]) -> tzinfo:
    try:
        return zone(str(view["zone"]))
    except UsageError:
        return datetime.fromisoformat(view["made_at"]).tzinfo or UTC


class _When:
    """Times in words of both languages, in the zone of the page."""

    def __init__(self, shown: tzinfo) -> None:
        self._zone = shown

    def local(self, iso: str) -> datetime:
        return datetime.fromisoformat(iso).astimezone(self._zone)

    def short(self, iso: str | None) -> str:
        """Write a time for a table."""
        return f"{self.local(iso):%Y-%m-%d %H:%M:%S}" if iso else "–"

    def clock(self, iso: str) -> str:
        return f"{self.local(iso):%H:%M:%S}"

    def full(self, iso: str | None, lang: str) -> str:
        """Write a time for a sentence."""
        if not iso:
            return "not known" if lang == "en" else "不明"
        return f"{_day(self.local(iso), lang)} {self.clock(iso)}"

    def span(self, first: str, last: str, lang: str) -> str:
        """Write 'from … to …', the day once where it is the same."""
        begin, end = self.local(first), self.local(last)
        same = begin.date() == end.date()
        if lang == "en":
            until = self.clock(last) if same else self.full(last, lang)
            return (
                f"on {_day(begin, lang)} from {self.clock(first)} to {until}"
                if same
                else f"from {self.full(first, lang)} to {until}"
            )
        return f"{self.full(first, lang)}から{self.clock(last) if same else self.full(last, lang)}まで"

    def lasting(self, first: str, last: str, lang: str) -> str:
        """Write how long it took from one time to another."""
        seconds = round((self.local(last) - self.local(first)).total_seconds())
        units = (("d", "日", 86400), ("h", "時間", 3600), ("min", "分", 60), ("s", "秒", 1))
        parts = []
        for en, ja, size in units:
            count, seconds = divmod(seconds, size)
            if count:
                parts.append(f"{count} {en}" if lang == "en" else f"{count}{ja}")
        joint = " " if lang == "en" else ""
        return joint.join(parts) or ("less than a second" if lang == "en" else "1秒未満")


def _day(moment: datetime, lang: str) -> str:
    if lang == "en":
        return f"{moment.day} {plot.MONTHS[moment.month - 1]} {moment.year}"
    return f"{moment.year}年{moment.month}月{moment.day}日"


class _Reason:
    """A reason in one language: as given in both, or an English one with its known phrases put into Japanese."""

    def __init__(self, shown: tzinfo) -> None:
        self._when = _When(shown)

    def __call__(self, why: str | dict[str, str], lang: str) -> str:
        if isinstance(why, dict):
            return why[lang]
        text = _ISO.sub(lambda found: self._when.short(found[0].replace("Z", "+00:00")), why)
        if lang == "ja":
            for pattern, words in _REASONS:
                text = pattern.sub(words, text)
        return text


def _safe(draw: Callable[..., str]) -> Callable[..., Markup]:
    return lambda *values: Markup(draw(*values))  # noqa: S704 - drawings escape what they show


def _others(view: dict[str, Any]) -> list[dict[str, Any]]:
    """Give the findings that are not the incidents themselves, which the page tells at length."""
    told = {(one["verdict"], one["account"]) for one in view["incidents"]}
    return [one for one in view["findings"] if (one["kind"], one["account"]) not in told]


def _pictures(incident: dict[str, Any], shown: tzinfo) -> dict[str, Any]:
    """Draw the incident's time: close up where it is short beside the log, and with all the days around."""
    step = float(incident["series"]["step_seconds"])
    points = [plot.seconds(point[0]) for point in incident["series"]["points"]]
    core = [plot.seconds(incident[name]) for name in ("first_message_at", "last_message_at", "alarmed_at")]
    signins = [plot.seconds(one["time"]) for one in incident["signins"]]
    begin, end = min(core), max(core)
    first, last = min([begin, *points, *signins]), max([end, *(time + step for time in points), *signins])
    spans = [("whole", first, last)]
    if end - begin < _CLOSE * (last - first):
        margin = max(0.12 * (end - begin), 2 * step, 120.0)
        spans.insert(0, ("close", max(first, begin - margin), min(last, end + margin)))
    return {
        "drawings": [(name, *_drawn(incident, begin, end, shown)) for name, begin, end in spans],
        "peak": max(incident["series"]["points"], key=lambda point: int(point[1]), default=None),
        "own": sum(int(point[2]) for point in incident["series"]["points"]),
        "per_step": plot.per_step(int(step)),
        "places": _places(incident["signins"]),
    }


def _drawn(incident: dict[str, Any], begin: float, end: float, shown: tzinfo) -> tuple[Markup, Markup]:
    air = 0.02 * max(1.0, end - begin)
    wide, narrow = (plot.Frame(begin - air, end + air, width, shown) for width in (_WIDE, _NARROW))
    return _safe(plot.timeline)(incident, wide), _safe(plot.timeline)(incident, narrow)


def _places(signins: list[dict[str, Any]]) -> dict[str, int]:
    """Count places of sign-in, and those that are strange to the account."""
    return {
        "all": len({str(one["place"]) for one in signins}),
        "foreign": len({str(one["place"]) for one in signins if one["foreign"]}),
        "failed": sum(one["outcome"] != "success" for one in signins),
    }


def _every(norm: dict[str, Any]) -> dict[str, Any] | None:
    """Read the stated false-alarm rate, and say how often that is here in years; None where it is not a rate."""
    stated = re.fullmatch(r"(\d+(?:\.\d+)?)/(\d+(?:\.\d+)?)", str(norm["false_alarms"]))
    if not stated or not float(stated[1]):
        return None
    days = float(stated[2]) / float(stated[1])
    accounts = int(norm["accounts"] or 0)
    return {"account_days": round(days), "years": days / accounts / 365.25 if accounts else None}


def _covered(document: dict[str, Any]) -> dict[str, Any]:
    """Give the first and last time that any source covers, and every gap with its source."""
    coverage = document["coverage"]
    return {
        "first": min((one["first"] for one in coverage if one["first"]), key=plot.seconds, default=None),
        "last": max((one["last"] for one in coverage if one["last"]), key=plot.seconds, default=None),
        "gaps": [(one, gap) for one in coverage for gap in one["gaps"]],
    }


def _totals(document: dict[str, Any]) -> dict[str, int]:
    """Add up the inputs for the equation of conservation."""
    names = ("records", "taken", "skipped", "set_aside")
    return {name: sum(int(one[name]) for one in document["inputs"]) for name in names}
