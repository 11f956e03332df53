# SPDX-License-Identifier: Apache-2.0
"""Whom an incident reached: messages, addresses, domains and people, fates that partition the addresses, bounds.

Addresses are counted after lower-casing the domain; `user+tag@` is an address of its own and the same person.
"""

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import Any

from hikeshi.basics.sql import queries
from hikeshi.cases.entries import Bounds, Incident, Reach
from hikeshi.evidence.coverage import Gap
from hikeshi.evidence.lake import Lake

_SQL = queries("hikeshi.scope", "reach.sql")
#: the columns of the query `counts`, which gives no row for an incident without recipients
_COUNTS = (
    "addresses",
    "domains",
    "people",
    "delivered",
    "bounced",
    "deferred",
    "expired",
    "held",
    "unknown",
    "internal",
    "outside",
    "freemail",
    "company_domains",
    "known_before",
)


def reach(lake: Lake, found: Sequence[Incident], gaps: Sequence[Gap], ends: datetime | None) -> list[Reach]:
    """Give the reach of every incident, in order; leaves `incident_messages` and `incident_recipients`.

    `gaps` are the holes of the log and `ends` its end: counts that they may cut short get bounds.
    """
    sql = lake.sql
    sql.execute(
        "CREATE OR REPLACE TEMP TABLE incident_messages (incident INTEGER, account VARCHAR, message_key VARCHAR)"
    )
    for number, incident in enumerate(found, start=1):
        sql.execute(
            "INSERT INTO incident_messages SELECT ?, ?, unnest(?)",
            [number, incident.account, list(incident.message_keys)],
        )
    sql.execute(_SQL["recipients"])
    sql.execute(_SQL["known"])
    counts = {int(row["incident"]): row for row in _rows(lake, _SQL["counts"])}
    messages = {int(row["incident"]): row for row in _rows(lake, _SQL["messages"])}
    return [_reach(counts.get(number, {}), messages[number], gaps, ends) for number in range(1, len(found) + 1)]


def _rows(lake: Lake, query: str) -> list[dict[str, Any]]:
    result = lake.sql.execute(query)
    names = [column[0] for column in result.description or ()]
    return [dict(zip(names, row, strict=True)) for row in result.fetchall()]


def _reach(counts: dict[str, Any], messages: dict[str, Any], gaps: Sequence[Gap], ends: datetime | None) -> Reach:
    numbers: dict[str, Any] = {name: int(counts.get(name, 0)) for name in _COUNTS}
    return Reach(
        messages=int(messages["messages"]),
        client_ips=tuple(messages["client_ips"] or ()),
        sessions=tuple(messages["sessions"] or ()),
        subjects=tuple(messages["subjects"] or ()),
        bounds=_bounds(messages, numbers["addresses"], gaps, ends),
        **numbers,
    )


def _bounds(messages: dict[str, Any], addresses: int, gaps: Sequence[Gap], ends: datetime | None) -> dict[str, Bounds]:
    """Say which counts may be too small, and why."""
    count, unseen = int(messages["messages"]), int(messages["unseen"] or 0)
    first, last = messages["first"].replace(tzinfo=UTC), messages["last"].replace(tzinfo=UTC)
    whys = [
        f"the log has a hole from {gap.first.isoformat()} to {gap.last.isoformat()} ({gap.why})"
        for gap in gaps
        if gap.first <= last + timedelta(hours=1) and gap.last >= first - timedelta(hours=1)
    ]
    if ends is not None and ends - last < timedelta(minutes=30):
        whys.append("the log ends while mails were still going out")
    if whys:
        why = "; ".join(whys)
        return {"messages": Bounds(count, None, why), "addresses": Bounds(addresses, None, why)}
    if unseen:
        why = f"{unseen} recipients that the queue manager counted have no delivery line in the log"
        return {"addresses": Bounds(addresses, addresses + unseen, why)}
    return {}
