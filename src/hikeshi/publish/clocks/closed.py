# SPDX-License-Identifier: Apache-2.0
"""Which days are closed: weekdays, public holidays by the library `holidays`, days of every year."""

from collections.abc import Callable
from datetime import date

import holidays

from hikeshi.publish.clocks.rule import Closed

_WEEKDAYS = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
_LEAP = 2000


def openness(closed: Closed | None) -> Callable[[date], bool]:
    """Give what says of a day whether it is open; every day is, where nothing is closed.

    Raises:
        ValueError: no such country or part of one, no such day, or no weekday is left open.

    """
    if closed is None:
        return lambda _: True
    if len(set(closed.weekdays)) == len(_WEEKDAYS):
        raise ValueError("weekdays: all seven are closed, so no period would ever end")
    weekdays = {_WEEKDAYS.index(name) for name in closed.weekdays}
    days = {_day(text) for text in closed.days}
    public = _public(closed.holidays)
    return lambda day: day.weekday() not in weekdays and (day.month, day.day) not in days and not public(day)


def _day(text: str) -> tuple[int, int]:
    try:
        day = date(_LEAP, int(text[:2]), int(text[3:]))
    except ValueError:
        raise ValueError(f"days: {text} is no day of the year; write MM-DD") from None
    return day.month, day.day


def _public(name: str | None) -> Callable[[date], bool]:
    if name is None:
        return lambda _: False
    country, _, part = name.partition("-")
    try:
        known = holidays.country_holidays(country, subdiv=part or None)
    except NotImplementedError:
        raise ValueError(
            f"holidays: {name} is no country, or no part of one, that is known; write JP, or DE-BY for a part"
        ) from None
    return lambda day: day in known
