# SPDX-License-Identifier: Apache-2.0
import gzip
from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from hikeshi.drill.layout import LogFiles, Stamper, rotations
from hikeshi.drill.style import LogStyle

BEGIN = 1_585_361_767_000_000  # 2020-03-28 11:16:07 in Tokyo, a Saturday
WEEK = 7 * 86_400_000_000


@pytest.mark.parametrize(
    ("stamps", "zone", "expected"),
    [
        ("rfc3164", "Asia/Tokyo", "Mar 28 11:16:07 x"),
        ("iso", "Asia/Tokyo", "2020-03-28T11:16:07.000000+09:00 x"),
        ("iso", "Asia/Kathmandu", "2020-03-28T08:01:07.000000+05:45 x"),
        ("rfc5424", "UTC", "<22>1 2020-03-28T02:16:07.000000+00:00 x"),
    ],
)
def test_stamps(stamps, zone, expected):
    assert Stamper(LogStyle(stamps=stamps, zone=zone)).stamp([(BEGIN, "x")]) == [expected]


def test_the_clock_goes_with_the_summer():
    stamper = Stamper(LogStyle(zone="Europe/Berlin"))
    change = int(datetime(2024, 3, 31, 1, 59, 59, tzinfo=ZoneInfo("Europe/Berlin")).timestamp()) * 1_000_000
    assert stamper.stamp([(change, "x"), (change + 1_000_000, "x")]) == ["Mar 31 01:59:59 x", "Mar 31 03:00:00 x"]


def test_logs_are_rotated_on_sundays():
    style = LogStyle(files="weekly")
    moments = rotations(BEGIN, BEGIN + 3 * WEEK, style)
    local = [datetime.fromtimestamp(moment / 1e6, ZoneInfo("Asia/Tokyo")) for moment in moments]
    assert [f"{moment:%a %d %H:%M}" for moment in local] == ["Sun 29 06:25", "Sun 05 06:25", "Sun 12 06:25"]
    assert rotations(BEGIN, BEGIN + WEEK, LogStyle()) == []


def test_files_have_names_contents_and_times_of_logrotate(tmp_path):
    files = LogFiles(tmp_path, BEGIN, BEGIN + 2 * WEEK, LogStyle(files="weekly"))
    files.write([(BEGIN, "mail old"), (BEGIN + WEEK, "mail middle"), (BEGIN + 2 * WEEK - 1, "mail new")])
    files.close()
    assert sorted(path.name for path in tmp_path.iterdir()) == ["mail.log", "mail.log.1", "mail.log.2.gz"]
    assert gzip.decompress((tmp_path / "mail.log.2.gz").read_bytes()) == b"Mar 28 11:16:07 mail old\n"
    assert (tmp_path / "mail.log.1").read_text() == "Apr  4 11:16:07 mail middle\n"
    assert (tmp_path / "mail.log.1").stat().st_mtime == (BEGIN + WEEK) / 1e6


def test_an_unknown_style_is_refused():
    with pytest.raises(ValueError, match="stamps must be one of"):
        LogStyle(stamps="roman")
    with pytest.raises(ValueError, match="hosts"):
        LogStyle(hosts=4)
