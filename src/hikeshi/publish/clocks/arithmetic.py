# SPDX-License-Identifier: Apache-2.0
"""Counting: from a start and a period to the moment at which a duty is due. Pure; knows neither law nor case.

A due time is the last moment that is still in time. A period in days or months ends with the last second of its last
day in the zone it is counted in, also where the clocks are put forward or back that day.
"""

import calendar
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta, tzinfo
from typing import Literal

from hikeshi.publish.clocks.rule import Period

#: running, due soon (the near end of a band or four fifths of the time are over), overdue, met
State = Literal["running", "due soon", "overdue", "met"]
#: when people are reminded, as parts of the time from start to due
ALERTS = (0.5, 0.8)

_DAY = timedelta(days=1)
_SECOND = timedelta(seconds=1)
#: no country is closed for longer in a row
_LONGEST_CLOSED = 60


@dataclass(frozen=True, slots=True)
class Due:
    """When something is due, aware, in the zone of counting. `early` is the near end of a band.

    `last_day` is the day it falls on, `counted` the one it would have fallen on without moving it off closed days.
    """

    at: datetime
    early: datetime | None
    last_day: date
    counted: date


def due(start: datetime, period: Period, zone: tzinfo, is_open: Callable[[date], bool] = lambda _: True) -> Due:
    """Count `period` from `start` (aware) in `zone`; `is_open` says of a day whether it is no holiday.

    Hours are hours that pass, whatever the clocks show. The nth month ends on the day of the same number, or on the
    month's last where it has none (Regulation (EEC, Euratom) 1182/71 art. 3(2)(c); with the first day counted the day
    before, 民法 art. 143).

    Raises:
        ValueError: the start has no zone, or everything is closed for months.

    """
    if start.tzinfo is None:
        raise ValueError("a start needs a time zone")
    at, counted = _end(start, period, period.length, zone, is_open)
    early = None if period.early is None else _end(start, period, period.early, zone, is_open)[0]
    last = counted
    if period.roll == "next_open_day" and not is_open(counted):
        last = next(_open_days(counted, is_open))
        at = end_of(last, zone)
    return Due(at, early, last, counted)


def _end(
    start: datetime, period: Period, length: int, zone: tzinfo, is_open: Callable[[date], bool]
) -> tuple[datetime, date]:
    if period.unit == "hours":
        at = (start.astimezone(UTC) + timedelta(hours=length)).astimezone(zone)
        return at, at.date()
    first, included = start.astimezone(zone).date(), period.first_day == "included"
    if period.unit == "calendar_days":
        last = first + (length - included) * _DAY
    elif period.unit == "months":
        last = _months_after(first, length, included=included)
    else:
        days = _open_days(first if included else first + _DAY, is_open)
        last = [next(days) for _ in range(length)][-1]
    return end_of(last, zone), last


def end_of(day: date, zone: tzinfo) -> datetime:
    """Give the last second of `day` in `zone`."""
    midnight = datetime.combine(day + _DAY, time(), zone)
    return (midnight.astimezone(UTC) - _SECOND).astimezone(zone)


def _months_after(first: date, months: int, *, included: bool) -> date:
    years, month = divmod(first.month - 1 + months, 12)
    year, month = first.year + years, month + 1
    longest = calendar.monthrange(year, month)[1]
    if first.day > longest:
        return date(year, month, longest)
    return date(year, month, first.day) - included * _DAY


def _open_days(first: date, is_open: Callable[[date], bool]) -> Iterator[date]:
    day, closed = first, 0
    while closed <= _LONGEST_CLOSED:
        if is_open(day):
            yield day
            closed = 0
        else:
            closed += 1
        day += _DAY
    raise ValueError(f"every day from {first} on is closed for more than {_LONGEST_CLOSED} days")


def state(start: datetime, ends: Due, now: datetime, met_at: datetime | None = None) -> State:
    """Say how a duty stands at `now`. It is met once something was handed in, also late."""
    if met_at is not None and met_at <= now:
        return "met"
    if now > ends.at:
        return "overdue"
    soon = min(one for one in (alerts(start, ends)[-1], ends.early) if one is not None)
    return "due soon" if now >= soon else "running"


def alerts(start: datetime, ends: Due) -> list[datetime]:
    """Give the moments at which people are reminded before it is due, in UTC, earliest first."""
    begin = start.astimezone(UTC)
    return [begin + (ends.at.astimezone(UTC) - begin) * part for part in ALERTS]
