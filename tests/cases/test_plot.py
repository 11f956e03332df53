# SPDX-License-Identifier: Apache-2.0
import re
from datetime import UTC, datetime, timedelta
from typing import Any
from xml.etree import ElementTree as ET
from zoneinfo import ZoneInfo

import pytest

from hikeshi.cases import plot
from hikeshi.cases.plot import (
    Frame,
    legend_mark,
    per_step,
    seconds,
    share_bar,
    signed_bar,
    stacked,
    ticks,
    timeline,
    visible,
)

BEGIN = datetime(2020, 5, 8, 8, 0, tzinfo=UTC)
TOKYO = ZoneInfo("Asia/Tokyo")
BERLIN = ZoneInfo("Europe/Berlin")


def incident(points: list[list[Any]], step: int = 60, signins: list[dict[str, Any]] | None = None) -> dict[str, Any]:
    return {
        "series": {"step_seconds": step, "points": points},
        "signins": signins or [],
        "alarmed_at": (BEGIN + timedelta(minutes=2)).isoformat(),
        "messages_before_alarm": 3,
    }


def signin(minute: float, place: str, outcome: str = "success", foreign: bool = False) -> dict[str, Any]:
    time = (BEGIN + timedelta(minutes=minute)).isoformat()
    return {"time": time, "place": place, "protocol": "imap", "outcome": outcome, "foreign": foreign}


def point(minute: float, mine: int, own: int = 0) -> list[Any]:
    return [(BEGIN + timedelta(minutes=minute)).isoformat(), mine, own]


def frame(minutes: float, width: int = 900, zone: Any = TOKYO, begin: datetime = BEGIN) -> Frame:
    return Frame(begin.timestamp(), begin.timestamp() + 60 * minutes, width, zone)


def drawn(one: dict[str, Any], shown: Frame) -> ET.Element:
    return ET.fromstring(timeline(one, shown))  # noqa: S314 - our own drawing


def bars(picture: ET.Element, class_: str) -> list[tuple[float, ...]]:
    """Give x, y, width and height of every bar."""
    paths = [path.get("d", "") for path in picture.iter("path") if path.get("class") == class_]
    return [
        tuple(map(float, found))
        for path in paths
        for found in re.findall(r"M([\d.]+) ([\d.]+)h([\d.]+)v([\d.]+)h-[\d.]+z", path)
    ]


def words(picture: ET.Element, lang: str | None = None) -> list[str]:
    return [text.text or "" for text in picture.iter("text") if lang is None or text.get("lang") == lang]


def test_bars_are_as_high_as_the_counts():
    picture = drawn(incident([point(0, 4, 2), point(1, 8)]), frame(10))
    (_, top, _, four), (_, _, _, eight) = bars(picture, "bar-incident")
    ((_, above, _, two),) = bars(picture, "bar-owner")
    assert eight == pytest.approx(2 * four, abs=0.2)
    assert two == pytest.approx(four / 2, abs=0.2)
    assert above + two == pytest.approx(top, abs=0.2)


def test_one_point_in_a_frame_without_length():
    picture = drawn(incident([point(2, 1)]), Frame(BEGIN.timestamp() + 120, BEGIN.timestamp() + 120, 400, UTC))
    assert len(bars(picture, "bar-incident")) <= 1
    assert [text for text in words(picture, "en") if text.startswith("Alarm")] == ["Alarm 08:02:00, mail 3"]


def test_no_points_at_all():
    picture = drawn(incident([]), frame(10))
    assert bars(picture, "bar-incident") == []


def test_thousands_of_points_are_put_together_and_none_is_lost():
    points = [point(number, 1, 1) for number in range(20_000)]
    picture = drawn(incident(points), frame(20_000, width=400))
    found = bars(picture, "bar-incident")
    assert len(found) < 200
    assert "mails per 3 hours" in words(picture, "en")
    _, bins = plot._binned(incident(points)["series"], frame(20_000, width=400))
    assert [sum(counts) for counts in zip(*bins, strict=True)][1:] == [20_000, 20_000]
    assert all(width >= 1.2 for _, _, width, _ in found)


@pytest.mark.parametrize("width", [400, 900])
def test_everything_stays_inside(width):
    points = [point(number * 7, number % 90, number % 3) for number in range(300)]
    signins = [signin(number * 5, f"198.51.100.{number % 14}", foreign=number % 2 == 0) for number in range(400)]
    picture = drawn(incident(points, signins=signins), frame(2000, width))
    _, _, wide, high = map(float, picture.get("viewBox", "").split())
    assert wide == width
    for x, y, across, down in [*bars(picture, "bar-incident"), *bars(picture, "bar-owner")]:
        assert 0 <= x <= x + across <= wide + 1
        assert 0 <= y <= y + down <= high
    for line in picture.iter("line"):
        assert all(0 <= float(line.get(name, "")) <= wide for name in ("x1", "x2"))
        assert all(0 <= float(line.get(name, "")) <= high for name in ("y1", "y2"))
    for dot in picture.iter("circle"):
        assert 0 <= float(dot.get("cx", "")) <= wide
        assert 0 <= float(dot.get("cy", "")) <= high


def test_strange_places_differ_by_shape_and_failures_are_hollow():
    signins = [
        signin(1, "192.0.2.10"),
        signin(2, "203.0.113.7", foreign=True),
        signin(3, "203.0.113.7", outcome="failure", foreign=True),
    ]
    picture = drawn(incident([point(0, 1)], signins=signins), frame(10))
    assert [dot.get("class") for dot in picture.iter("circle")] == ["own"]
    diamonds = [path.get("class") for path in picture.iter("path") if "strange" in path.get("class", "")]
    assert sorted(diamonds) == ["strange", "strange failed"]
    assert "◆ 203.0.113.7 · new for this account" in words(picture, "en")
    assert "◆ 203.0.113.7 · これまでにない場所" in words(picture, "ja")


def test_strange_places_stand_on_top():
    signins = [*(signin(number, "192.0.2.10") for number in range(5)), signin(2, "203.0.113.7", foreign=True)]
    picture = drawn(incident([], signins=signins), frame(10))
    lanes = [
        text.text for text in picture.iter("text") if "lane-name" in text.get("class", "") and text.get("lang") == "en"
    ]
    assert lanes == ["◆ 203.0.113.7 · new for this account", "192.0.2.10"]


def test_too_many_places_share_the_last_lane():
    signins = [signin(1, f"198.51.100.{number}") for number in range(30)]
    picture = drawn(incident([], signins=signins), frame(10))
    assert "23 more places" in words(picture, "en")
    assert "ほか23か所" in words(picture, "ja")


def test_signins_outside_the_frame_are_not_drawn():
    picture = drawn(incident([], signins=[signin(-30, "192.0.2.10"), signin(99, "192.0.2.10")]), frame(10))
    assert not list(picture.iter("circle"))


def test_alarm_outside_the_frame_is_not_drawn():
    picture = drawn(incident([]), frame(1))
    assert not [text for text in words(picture) if "Alarm" in text]


@pytest.mark.parametrize("end", [3, 60])
def test_alarm_label_leans_to_where_there_is_room(end):
    picture = drawn(incident([]), frame(end))
    (label,) = [text for text in picture.iter("text") if (text.text or "").startswith("Alarm")]
    assert label.get("text-anchor") == ("end" if end == 3 else "start")
    assert label.text == "Alarm 17:02:00, mail 3"


def test_hostile_places_stay_text():
    nasty = "</text><script>\"'&\u202e\x00\udc80" + "y" * 3000
    picture = drawn(incident([], signins=[signin(1, nasty, foreign=True)]), frame(10))
    assert {element.tag for element in picture.iter()} == {"svg", "text", "line", "path"}
    assert all(len(text) < 120 for text in words(picture))
    assert "⟨U+202E⟩" in visible(nasty)


def test_text_of_the_axis_stands_in_both_languages():
    picture = drawn(incident([point(0, 1)]), frame(10))
    assert len(words(picture, "en")) == len(words(picture, "ja")) > 0
    assert "8 May" in words(picture, "en")
    assert "5月8日" in words(picture, "ja")


@pytest.mark.parametrize("minutes", [0.05, 1, 7, 60, 150, 1440, 5000, 60_000, 3_000_000])
@pytest.mark.parametrize("width", [400, 900])
def test_time_axis_has_a_sensible_number_of_ticks(minutes, width):
    step, times = ticks(frame(minutes, width))
    assert len(times) <= 13
    assert times == sorted(set(times))
    if 60 * minutes >= 2 * step:
        assert times


def test_ticks_are_round_in_local_time():
    _, times = ticks(frame(150, zone=ZoneInfo("Asia/Kolkata")))
    assert {datetime.fromtimestamp(time, ZoneInfo("Asia/Kolkata")).minute for time in times} <= {0, 15, 30, 45}


def test_ticks_stay_round_where_the_clocks_change():
    begin = datetime(2020, 3, 28, 12, 0, tzinfo=BERLIN)
    _, times = ticks(frame(2880, zone=BERLIN, begin=begin))
    hours = {datetime.fromtimestamp(time, BERLIN).hour for time in times}
    assert hours <= {0, 6, 12, 18}


def test_steps_in_words():
    assert per_step(60) == {"en": "mails per minute", "ja": "1分あたりの通数"}
    assert per_step(300) == {"en": "mails per 5 minutes", "ja": "5分あたりの通数"}
    assert per_step(3600)["en"] == "mails per hour"
    assert per_step(86400 * 2)["ja"] == "2日あたりの通数"
    assert per_step(7)["en"] == "mails per 7 seconds"


def test_stacked_shows_even_the_smallest_part():
    bar = ET.fromstring(stacked([("s-a", 100_000), ("s-b", 1), ("s-c", 0)]))  # noqa: S314 - our own drawing
    widths = {rect.get("class"): float(rect.get("width", "")) for rect in bar}
    assert [*widths] == ["s-a", "s-b"]
    assert widths["s-b"] >= 3
    assert sum(widths.values()) <= 1000


def test_stacked_of_nothing():
    assert list(ET.fromstring(stacked([("s-a", 0)]))) == []  # noqa: S314 - our own drawing


@pytest.mark.parametrize(("share", "width"), [(0, 0), (0.5, 100), (1, 200), (1.7, 200), (-1, 0)])
def test_share(share, width):
    bar = ET.fromstring(share_bar(share))  # noqa: S314 - our own drawing
    assert float(bar[1].get("width", "")) == width


def test_weights_for_the_owner_point_left():
    left, right = (ET.fromstring(signed_bar(value, -2, 4)) for value in (-2, 4))  # noqa: S314 - our own drawing
    assert (left[0].get("class"), float(left[0].get("x", "")), float(left[0].get("width", ""))) == ("for", 0, 100)
    assert (right[0].get("class"), float(right[0].get("x", "")), float(right[0].get("width", ""))) == (
        "against",
        100,
        200,
    )


def test_weights_that_are_all_zero():
    ET.fromstring(signed_bar(0, 0, 0))  # noqa: S314 - our own drawing


@pytest.mark.parametrize("strange", [True, False])
def test_legend_marks_are_well_formed(strange):
    ET.fromstring(legend_mark(strange, True))  # noqa: S314 - our own drawing


def test_seconds():
    assert seconds("2020-05-08T17:00:00+09:00") == seconds("2020-05-08T08:00:00+00:00")
