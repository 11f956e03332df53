# SPDX-License-Identifier: Apache-2.0
"""The clocks as a calendar (RFC 5545): an event a duty, in UTC, with reminders before it and at the time.

An event keeps its UID from one export to the next, and SEQUENCE grows with the case, so that a calendar which takes the
file again moves the event. What was handed in, or decided not to be needed, comes as cancelled. Nothing of the incident
stands in it: calendars are shared.
"""

import uuid
from datetime import UTC, timedelta
from importlib.metadata import version

from icalendar import Alarm, Calendar, Event

from hikeshi.cases.store import Store
from hikeshi.publish.clocks.clock import Clock, Clocks
from hikeshi.publish.clocks.words import STATES, Lang


def calendar(told: Clocks, store: Store, lang: Lang) -> bytes:
    """Give the events of all clocks with a due time, in UTF-8."""
    whole = Calendar()
    whole.add("prodid", f"-//hikeshi//hikeshi {version('hikeshi')}//{lang.upper()}")
    whole.add("version", "2.0")
    whole.add("method", "PUBLISH")
    sequence, _ = store.head()
    for one in told.clocks:
        if one.due is not None:
            whole.add_component(_event(one, told, store.case_id, sequence, lang))
    return bytes(whole.to_ical())


def _event(one: Clock, told: Clocks, case_id: str, sequence: int, lang: Lang) -> Event:
    rule, due = one.rule, one.due
    assert due is not None  # noqa: S101 - the caller looked
    what = f"{rule.stage.said(lang)} → {rule.to.said(lang)}"
    event = Event()
    event.add("uid", str(uuid.uuid5(uuid.UUID(case_id), rule.id)))
    event.add("dtstamp", told.now.astimezone(UTC).replace(microsecond=0))
    event.add("sequence", sequence)
    event.add("dtstart", due.at.astimezone(UTC).replace(microsecond=0))
    event.add("summary", f"{what} ({STATES[one.state].said(lang)})")
    event.add("description", f"{rule.id} {rule.version}\n{rule.source.law} {rule.source.article}\n{rule.source.url}")
    event.add("categories", [one.regime.regime])
    event.add("transp", "TRANSPARENT")
    event.add("status", "CONFIRMED" if one.live else "CANCELLED")
    if one.live:
        for time in (*one.alerts, due.at):
            alarm = Alarm()
            alarm.add("action", "DISPLAY")
            alarm.add("description", what)
            # relative to the event, since several calendars leave out alarms at a time of their own
            alarm.add("trigger", -timedelta(seconds=round((due.at - time).total_seconds())))
            event.add_component(alarm)
    return event
