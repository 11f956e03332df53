# SPDX-License-Identifier: Apache-2.0
"""Small SVG drawings for the report: the timeline and three kinds of bars. Colours come from the page's style sheet.

Words stand in both languages, marked by `lang`; whatever comes from a log is escaped and has its control characters
made visible, so that a drawing is well-formed whatever is in it.
"""

import math
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from html import escape
from typing import Any, Final

Points = Sequence[tuple[float, int, int]]

_LEFT: Final = 40
_RIGHT: Final = 14
_TOP: Final = 48
_BARS: Final = 190
_AXIS: Final = 46
_LANE: Final = 42
_MOST_LANES: Final = 8
#: a bar thinner than this is no bar: steps are put together until it is reached
_THINNEST: Final = 2.5

_MINUTE, _HOUR, _DAY = 60, 3600, 86400
_TICKS: Final = (
    *(1, 2, 5, 10, 15, 30),
    *(_MINUTE * n for n in (1, 2, 5, 10, 15, 30)),
    *(_HOUR * n for n in (1, 2, 3, 6, 12)),
    *(_DAY * n for n in (1, 2, 7, 14, 28, 56, 112, 364)),
)
_UNITS: Final = ((_DAY, "day", "日"), (_HOUR, "hour", "時間"), (_MINUTE, "minute", "分"), (1, "second", "秒"))
MONTHS: Final = ["Jan", "Feb", "Mar", "Apr", "May", "Jun", "Jul", "Aug", "Sep", "Oct", "Nov", "Dec"]

#: what a reader cannot see or what turns text around: controls, marks of direction, zero widths, tags, lone surrogates
_UNSEEN = re.compile(
    "[\x00-\x1f\x7f-\x9f\u00ad\u061c\u180e\u200b\u200e\u200f\u2028-\u202e\u2060-\u206f\ud800-\udfff"
    "\ufeff\ufff9-\ufffb\ufffe\uffff\U000e0000-\U000e007f]"
)


def visible(text: str) -> str:
    """Write every invisible or direction-changing sign as its code point, so that no text looks like another."""
    return _UNSEEN.sub(lambda sign: f"⟨U+{ord(sign[0]):04X}⟩", text)


@dataclass(frozen=True, slots=True)
class Frame:
    """The stretch of time that a drawing shows, in seconds since 1970, its width in pixels, and the zone to show."""

    begin: float
    end: float
    width: int
    zone: tzinfo

    @property
    def span(self) -> float:
        """Give the length in seconds, never zero."""
        return max(1.0, self.end - self.begin)

    @property
    def plot(self) -> float:
        """Give the width between the margins."""
        return self.width - _LEFT - _RIGHT

    def x(self, time: float) -> float:
        """Give the place of a moment, kept inside the frame."""
        share = (time - self.begin) / self.span
        return round(_LEFT + self.plot * min(1.0, max(0.0, share)), 1)


def seconds(iso: str) -> float:
    """Give seconds since 1970 of an ISO 8601 time with offset."""
    return datetime.fromisoformat(iso).timestamp()


def timeline(incident: dict[str, Any], frame: Frame) -> str:
    """Draw mails per step, below them the sign-ins of every place on a lane of its own, and the alarm through all."""
    step, points = _binned(incident["series"], frame)
    most = max((mine + own for _, mine, own in points), default=0)
    ceiling, rise = _scale(most)
    lanes = _lanes(incident["signins"], frame)
    height = _TOP + _BARS + _AXIS + _LANE * len(lanes)
    parts = [
        *_grid(frame, ceiling, rise, step),
        _path(
            "bar-incident", (_bar(frame, (time, time + step), 0, mine / ceiling) for time, mine, _ in points if mine)
        ),
        _path(
            "bar-owner",
            (_bar(frame, (time, time + step), mine / ceiling, own / ceiling) for time, mine, own in points if own),
        ),
        *_alarm(frame, incident, height),
        *_axis(frame),
        *(part for number, lane in enumerate(lanes) for part in _lane(frame, number, *lane)),
    ]
    return (
        f'<svg class="timeline" viewBox="0 0 {frame.width} {height}"'
        f' aria-hidden="true" focusable="false">{"".join(parts)}</svg>'
    )


def _both(en: str, ja: str, **attributes: object) -> str:
    return _text(en, lang="en", **attributes) + _text(ja, lang="ja", **attributes)


def _text(text: str, **attributes: object) -> str:
    return f"<text{_attributes(attributes)}>{escape(visible(text))}</text>"


def _attributes(values: dict[str, object]) -> str:
    return "".join(f' {name.rstrip("_").replace("_", "-")}="{escape(str(value))}"' for name, value in values.items())


def _line(x1: float, y1: float, x2: float, y2: float, class_: str) -> str:
    return f'<line x1="{x1}" y1="{y1}" x2="{x2}" y2="{y2}" class="{class_}"/>'


def _binned(series: dict[str, Any], frame: Frame) -> tuple[int, Points]:
    """Put steps together until a bar is wide enough to see; a step keeps its begin on the grid of the first one."""
    given = max(1, int(series["step_seconds"]))
    step = _wide_enough(given, frame)
    bins: dict[float, list[int]] = {}
    for iso, mine, own in series["points"]:
        time = seconds(iso)
        if frame.begin - step < time < frame.end:
            offset = datetime.fromtimestamp(time, frame.zone).utcoffset() or timedelta()
            local = time + offset.total_seconds()
            held = bins.setdefault(time - local % step if step > given else time, [0, 0])
            held[0] += int(mine)
            held[1] += int(own)
    return step, [(time, mine, own) for time, (mine, own) in sorted(bins.items())]


def _wide_enough(step: int, frame: Frame) -> int:
    """Give the smallest step, a multiple of the given one that divides well, whose bar is wide enough to see."""
    needed = _THINNEST * frame.span / frame.plot
    if step >= needed:
        return step
    return next((one for one in _TICKS if one >= needed and one % step == 0), step * math.ceil(needed / step))


def _scale(most: int) -> tuple[int, int]:
    """Give the top of the scale and the distance of its lines: round numbers, four lines at most."""
    rise = 1
    while rise * 4 < most:
        lead = int(str(rise)[0])
        rise = rise * 5 // 2 if lead == 2 else rise * 2
    return max(rise, -(-most // rise) * rise), rise


def _bar(frame: Frame, stretch: tuple[float, float], below: float, share: float) -> str:
    """Give one bar of a path; `below` and `share` are parts of the scale."""
    left, right = frame.x(stretch[0]), frame.x(stretch[1])
    air = 1.0 if right - left > 4 else 0.3
    width = max(1.2, round(right - left - air, 1))
    top, tall = _TOP + _BARS * (1 - below - share), max(1.5, _BARS * share)
    return f"M{left} {top:.1f}h{width}v{tall:.1f}h{-width}z"


def _path(class_: str, pieces: Iterable[str]) -> str:
    drawn = "".join(pieces)
    return f'<path class="{class_}" d="{drawn}"/>' if drawn else ""


def per_step(step: int) -> dict[str, str]:
    """Say 'mails per 5 minutes' in both languages."""
    size, en, ja = next((unit for unit in _UNITS if step % unit[0] == 0), _UNITS[-1])
    count = step // size
    return {"en": f"mails per {en}" if count == 1 else f"mails per {count} {en}s", "ja": f"{count}{ja}あたりの通数"}


def _grid(frame: Frame, ceiling: int, rise: int, step: int) -> Iterator[str]:
    for value in range(0, ceiling + 1, rise):
        y = round(_TOP + _BARS * (1 - value / ceiling), 1)
        yield _line(_LEFT, y, frame.width - _RIGHT, y, "base" if value == 0 else "grid")
        yield _text(f"{value:,}", x=_LEFT - 6, y=y + 4, class_="tick", text_anchor="end")
    words = per_step(step)
    yield _both(words["en"], words["ja"], x=2, y=13, class_="tick")


def ticks(frame: Frame, room: int = 76) -> tuple[int, list[float]]:
    """Give the distance of the marks on the time axis and their moments: round local times, `room` pixels apart."""
    most = max(2, int(frame.plot // room))
    step = next(
        (one for one in _TICKS if frame.span / one <= most), _TICKS[-1] * math.ceil(frame.span / _TICKS[-1] / most)
    )
    begin = datetime.fromtimestamp(frame.begin, frame.zone).replace(tzinfo=None)
    midnight = begin.replace(hour=0, minute=0, second=0, microsecond=0)
    first = math.ceil((begin - midnight).total_seconds() / step)
    times: list[float] = []
    for number in range(first, first + int(frame.span // step) + 3):
        # wall-clock steps, so that 06:00 stays 06:00 where the clocks change in between
        time = (midnight + timedelta(seconds=number * step)).replace(tzinfo=frame.zone).timestamp()
        if frame.begin <= time <= frame.end and time not in times:
            times.append(time)
    return step, times


def _axis(frame: Frame) -> Iterator[str]:
    step, times = ticks(frame)
    foot, day = _TOP + _BARS, None
    for time in times or [frame.begin]:
        local, x = datetime.fromtimestamp(time, frame.zone), frame.x(time)
        # a label at the edge leans inwards
        anchor = "start" if x < _LEFT + 12 else "end" if x > frame.width - _RIGHT - 20 else "middle"
        yield _line(x, foot, x, foot + 5, "base")
        if step < _DAY:
            clock = f"{local:%H:%M:%S}" if step < _MINUTE else f"{local:%H:%M}"
            yield _text(clock, x=x, y=foot + 20, class_="tick", text_anchor=anchor)
        if local.date() != day:
            yield _both(*_day(local), x=x, y=foot + (36 if step < _DAY else 20), class_="tick day", text_anchor=anchor)
            day = local.date()


def _day(local: datetime) -> tuple[str, str]:
    return f"{local.day} {MONTHS[local.month - 1]}", f"{local.month}月{local.day}日"


def _lanes(signins: Sequence[dict[str, Any]], frame: Frame) -> list[tuple[str | int, list[dict[str, Any]]]]:
    """Group the sign-ins inside the frame by place, places of another hand first.

    What exceeds the room shares the last lane, named by how many places it holds.
    """
    lanes: dict[str, list[dict[str, Any]]] = {}
    for one in signins:
        if frame.begin <= seconds(one["time"]) <= frame.end:
            lanes.setdefault(str(one["place"]), []).append(one)
    found = sorted(lanes.items(), key=lambda lane: (not any(one["foreign"] for one in lane[1]), -len(lane[1]), lane[0]))
    if len(found) <= _MOST_LANES:
        return [*found]
    kept, rest = found[: _MOST_LANES - 1], found[_MOST_LANES - 1 :]
    return [*kept, (len(rest), [one for _, held in rest for one in held])]


def _lane(frame: Frame, number: int, place: str | int, held: Sequence[dict[str, Any]]) -> Iterator[str]:
    y = _TOP + _BARS + _AXIS + _LANE * number + 29
    foreign = any(one["foreign"] for one in held)
    en, ja = _lane_name(place, foreign, room=int((frame.width - _LEFT) / 7.5) - 26)
    yield _both(en, ja, x=_LEFT, y=y - 12, class_="lane-name foreign" if foreign else "lane-name")
    yield _line(_LEFT, y, frame.width - _RIGHT, y, "grid")
    seen = {(round(frame.x(seconds(one["time"]))), bool(one["foreign"]), one["outcome"] == "success") for one in held}
    for x, strange, success in sorted(seen):
        yield _mark(x, y, strange, success)


def _lane_name(place: str | int, foreign: bool, room: int) -> tuple[str, str]:
    if isinstance(place, int):
        return f"{place} more places", f"ほか{place}か所"
    shown = visible(place)
    name = shown if len(shown) <= room else shown[: room - 1] + "…"
    return (f"◆ {name} · new for this account", f"◆ {name} · これまでにない場所") if foreign else (name, name)


def _mark(x: float, y: float, strange: bool, success: bool) -> str:
    """Draw one sign-in: a diamond where the place is strange, a dot elsewhere; hollow where it failed."""
    class_ = f"{'strange' if strange else 'own'}{'' if success else ' failed'}"
    if strange:
        return f'<path class="{class_}" d="M{x} {y - 6}l6 6l-6 6l-6 -6z"/>'
    return f'<circle class="{class_}" cx="{x}" cy="{y}" r="4.5"/>'


def legend_mark(strange: bool, success: bool) -> str:
    """Draw the mark of a sign-in alone, for a legend."""
    return f'<svg class="key" viewBox="-8 -8 16 16" aria-hidden="true">{_mark(0, 0, strange, success)}</svg>'


def _alarm(frame: Frame, incident: dict[str, Any], height: int) -> Iterator[str]:
    time = seconds(incident["alarmed_at"])
    if not frame.begin <= time <= frame.end:
        return
    x, count = frame.x(time), int(incident["messages_before_alarm"])
    clock = f"{datetime.fromtimestamp(time, frame.zone):%H:%M:%S}"
    late = x > frame.width * 0.6
    yield _line(x, _TOP - 14, x, height - 6, "alarm")
    yield f'<path class="alarm-flag" d="M{x} {_TOP - 20}l5 5l-5 5l-5 -5z"/>'
    yield _both(
        f"Alarm {clock}, mail {count:,}",
        f"警報 {clock}（{count:,}通目）",
        x=x - 10 if late else x + 10,
        y=_TOP - 11,
        class_="alarm-name",
        text_anchor="end" if late else "start",
    )


def stacked(parts: Sequence[tuple[str, int]]) -> str:
    """Draw parts of a whole side by side, each with its class; what is there at all is wide enough to be seen."""
    total = sum(count for _, count in parts)
    drawn, left = [], 0.0
    shown = [(name, max(6.0, 1000 * count / total)) for name, count in parts if count]
    scale = 1000 / sum(width for _, width in shown) if shown else 1.0
    for name, width in shown:
        wide = width * scale
        drawn.append(f'<rect class="{name}" x="{left:.1f}" width="{max(1.0, wide - 2):.1f}" height="22"/>')
        left += wide
    return f'<svg class="stacked" viewBox="0 0 1000 22" preserveAspectRatio="none" aria-hidden="true">{"".join(drawn)}</svg>'


def share_bar(share: float) -> str:
    """Draw a share of one as a bar on its track."""
    width = round(200 * min(1.0, max(0.0, share)), 1)
    return (
        '<svg class="share" viewBox="0 0 200 8" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="track" width="200" height="8"/><rect class="filled" width="{width}" height="8"/></svg>'
    )


def signed_bar(value: float, lowest: float, highest: float) -> str:
    """Draw a weight as a bar from zero, to the right for an intruder and to the left for the owner."""
    low, high = min(0.0, lowest), max(0.0, highest)
    scale = 300 / max(1e-9, high - low)
    zero, end = -low * scale, (value - low) * scale
    left, width = min(zero, end), max(1.5, abs(end - zero))
    class_ = "against" if value > 0 else "for"
    return (
        '<svg class="signed" viewBox="0 0 300 14" preserveAspectRatio="none" aria-hidden="true">'
        f'<rect class="{class_}" x="{left:.1f}" y="2" width="{width:.1f}" height="10"/>'
        f'<rect class="zero" x="{min(298.5, zero):.1f}" width="1.5" height="14"/></svg>'
    )
