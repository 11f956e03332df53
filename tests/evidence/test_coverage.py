# SPDX-License-Identifier: Apache-2.0
"""Law 8: a hole is a silence that the log's own rhythm makes impossible, and nothing else."""

import gzip
from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest

from hikeshi.drill.scenarios import find, write
from hikeshi.evidence.coverage import coverage

DAY = timedelta(days=1)


def drilled(folder, days, staff):
    """Write the log of a company that keeps quiet at night and at the weekend; give its lines."""
    scenario = replace(find("honest-plain"), staff=staff, days=days, activity=0.5)
    write(replace(scenario, style=replace(scenario.style, stamps="iso", zone="UTC")), folder)
    return (folder / "logs" / "mail.log").read_bytes().splitlines()


@pytest.fixture(scope="module")
def long_log(tmp_path_factory):
    return drilled(tmp_path_factory.mktemp("long"), 45, 14)


@pytest.fixture(scope="module")
def short_log(tmp_path_factory):
    return drilled(tmp_path_factory.mktemp("short"), 10, 14)


def time_of(line):
    return datetime.fromisoformat(line[:26].decode()).replace(tzinfo=UTC)


def without(lines, first, last):
    """Leave out the lines from `first` on and before `last`; give also the last before and the first behind."""
    kept = [line for line in lines if not first <= time_of(line) < last]
    assert len(kept) < len(lines)
    before = max(time_of(line) for line in kept if time_of(line) < first)
    behind = min(time_of(line) for line in kept if time_of(line) >= last)
    return kept, before, behind


def gaps(case, source="postfix"):
    return [gap for one in coverage(case.lake, case.manifest) if one.source == source for gap in one.gaps]


def noon(lines, weekday, week):
    """Give the midnight before a day of the week."""
    first = time_of(lines[0]).replace(hour=0, minute=0, second=0, microsecond=0)
    return first + timedelta(days=(weekday - first.weekday()) % 7 + 7 * week)


def test_a_whole_log_has_no_holes(new_case, long_log):
    case = new_case().lines(*long_log)
    found = coverage(case.lake, case.manifest)
    assert sorted(one.source for one in found) == ["dovecot", "postfix"]
    assert [one.gaps for one in found] == [(), ()]
    assert sum(one.records for one in found) == case.sealed.taken
    for one in found:
        assert timedelta() <= one.first - time_of(long_log[0]) < DAY
        assert timedelta() <= time_of(long_log[-1]) - one.last < DAY


def test_quiet_weekends_and_nights_of_a_short_log_are_no_holes(new_case, short_log):
    assert gaps(new_case().lines(*short_log)) == []


@pytest.mark.parametrize("weekday", [0, 2, 4])
def test_a_missing_working_day_is_a_hole(new_case, long_log, weekday):
    day = noon(long_log, weekday, 3)
    kept, before, behind = without(long_log, day, day + DAY)
    (gap,) = gaps(new_case().lines(*kept))
    assert gap.first <= day + timedelta(hours=10)
    assert gap.last >= day + timedelta(hours=15)
    assert before - timedelta(hours=2) <= gap.first
    assert gap.last <= behind + timedelta(hours=2)
    assert gap.why.startswith("no records, where this log usually has about ")


def test_two_missing_days_are_two_holes(new_case, long_log):
    kept = long_log
    for week in (1, 4):
        day = noon(long_log, 1 + week % 2, week)
        kept, _, _ = without(kept, day, day + DAY)
    found = gaps(new_case().lines(*kept))
    assert len(found) == 2
    assert found[0].last < found[1].first


def test_a_missing_night_is_no_hole(new_case, long_log):
    evening = noon(long_log, 2, 3) + timedelta(hours=23)
    kept, _, _ = without(long_log, evening, evening + timedelta(hours=5))
    assert gaps(new_case().lines(*kept)) == []


def test_a_missing_file_of_a_rotated_log_is_a_hole(new_case, long_log):
    case = new_case()
    day = noon(long_log, 0, 2)
    early = [line for line in long_log if time_of(line) < day]
    late = [line for line in long_log if time_of(line) >= day + 7 * DAY]
    found = gaps(case.read(case.write(late, "mail.log"), case.write(early, "mail.log.2")))
    assert found
    assert found[0].first <= day + timedelta(hours=12)
    assert found[-1].last >= day + 4 * DAY


def test_a_truncated_input_is_a_gap_up_to_the_next_record(new_case, long_log):
    case = new_case()
    day = noon(long_log, 1, 4)
    early = case.write([line for line in long_log if time_of(line) < day], "early.log")
    late = case.write([line for line in long_log if time_of(line) >= day], "late.log")
    packed = early.with_name("early.log.gz")
    octets = gzip.compress(early.read_bytes())
    packed.write_bytes(octets[: len(octets) - 400])
    found = [gap for gap in gaps(case.read(packed, late)) if str(packed) in gap.why]
    (gap,) = found
    assert gap.why == f"{packed}: truncated gz: its end is missing; what is there was read"
    assert gap.first < gap.last <= day + DAY


def test_the_end_of_a_truncated_log_is_a_gap_of_a_moment(new_case, short_log):
    case = new_case()
    path = case.write(short_log)
    packed = path.with_name("mail.log.gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-400])
    (gap,) = [gap for gap in gaps(case.read(packed)) if "truncated" in gap.why]
    assert gap.last - gap.first == timedelta(seconds=1)


def test_hosts_are_covered_apart(new_case):
    lines = [f"2026-11-24T12:09:2{n}Z mx{n} postfix/qmgr[1]: A1B2C3D4: removed" for n in range(3)]
    case = new_case().lines(*lines)
    found = coverage(case.lake, case.manifest)
    assert [(one.source, one.host, one.records, one.first.second, one.last.second) for one in found] == [
        ("postfix", f"mx{n}", 1, 20 + n, 20 + n) for n in range(3)
    ]
