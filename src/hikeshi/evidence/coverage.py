# SPDX-License-Identifier: Apache-2.0
"""What the evidence covers: from when to when by source and host, and its holes (law 8).

A hole is a silence that this log's own rhythm makes impossible, not every quiet night: an hour counts as missing
where every other week (in a short log every other working day) wrote in that hour, and holes are runs of those.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from hikeshi.evidence.lake import Lake
from hikeshi.evidence.seal import Manifest

#: shorter silences are no holes, and a hole must swallow this many records by the log's own rhythm
_SHORTEST_HOURS = 3
_SMALLEST = 50


@dataclass(frozen=True, slots=True)
class Gap:
    """A stretch that the evidence does not show, and why we think so. Times are aware, in UTC."""

    first: datetime
    last: datetime
    why: str


@dataclass(frozen=True, slots=True)
class Coverage:
    """What one source on one host covers."""

    source: str
    host: str
    first: datetime
    last: datetime
    records: int
    gaps: tuple[Gap, ...]


def coverage(lake: Lake, manifest: Manifest) -> list[Coverage]:
    """Give what every source covers, host by host; problems of inputs are gaps of the sources that they held."""
    found = []
    rows = lake.sql.execute(
        "SELECT source, host, min(first), max(last), sum(records) FROM activity GROUP BY source, host ORDER BY source, host"
    ).fetchall()
    for source, host, first, last, records in rows:
        gaps = [*_holes(lake, str(source), str(host)), *_broken(lake, manifest, str(source), str(host))]
        found.append(
            Coverage(
                str(source),
                str(host),
                _aware(first),
                _aware(last),
                int(records),
                tuple(sorted(gaps, key=lambda gap: gap.first)),
            )
        )
    return found


def _aware(moment: datetime) -> datetime:
    return moment.replace(tzinfo=UTC)


def _holes(lake: Lake, source: str, host: str) -> Iterator[Gap]:
    """Find runs of hours that should have been written in."""
    rows = lake.sql.execute(
        """
        WITH hours AS (
            SELECT hour, sum(records) AS records, min(first) AS first, max(last) AS last FROM activity
            WHERE source = $source AND host = $host GROUP BY hour
        ), span AS (
            SELECT unnest(generate_series(min(hour), max(hour), INTERVAL 1 HOUR)) AS hour FROM hours
        ), filled AS (
            SELECT span.hour, coalesce(hours.records, 0) AS records, date_diff('day', min(span.hour) OVER (), max(span.hour) OVER ()) AS days,
                hour(span.hour) AS of_day, isodow(span.hour) AS of_week
            FROM span LEFT JOIN hours USING (hour)
        ), expected AS (
            SELECT hour, records,
                if(days >= 21,
                    (sum(records) OVER week - records) / nullif(count(*) OVER week - 1, 0),
                    (sum(records) OVER workday - records) / nullif(count(*) OVER workday - 1, 0)) AS usual,
                if(days >= 21, count(*) FILTER (records = 0) OVER week, count(*) FILTER (records = 0) OVER workday)
                    - (records = 0)::INT AS other_silences,
                if(days >= 21, count(*) OVER week, count(*) OVER workday) AS times
            FROM filled
            WINDOW week AS (PARTITION BY of_day, of_week), workday AS (PARTITION BY of_day, of_week >= 6)
        ), silent AS (
            SELECT hour, usual, other_silences, times,
                epoch(hour) // 3600 - row_number() OVER (ORDER BY hour) AS run
            FROM expected WHERE records = 0
        )
        SELECT min(hour), max(hour) + INTERVAL 1 HOUR,
            coalesce(sum(usual) FILTER (times >= 3 AND other_silences = 0), 0) AS lost
        FROM silent GROUP BY run
        HAVING count(*) FILTER (times >= 3 AND other_silences = 0) >= $shortest AND lost >= $smallest
        ORDER BY 1""",
        {"source": source, "host": host, "shortest": _SHORTEST_HOURS, "smallest": _SMALLEST},
    ).fetchall()
    for first, last, lost in rows:
        begin, end = _edges(lake, source, host, first, last)
        yield Gap(begin, end, f"no records, where this log usually has about {round(float(lost))}")


def _edges(lake: Lake, source: str, host: str, first: datetime, last: datetime) -> tuple[datetime, datetime]:
    """Give the last record before and the first record behind a hole."""
    before, after = lake.one(
        """SELECT max(last) FILTER (hour < $first), min(first) FILTER (hour >= $last) FROM activity
        WHERE source = $source AND host = $host""",
        {"source": source, "host": host, "first": first, "last": last},
    )
    begin = before if isinstance(before, datetime) else first
    end = after if isinstance(after, datetime) else last
    return _aware(begin), _aware(end)


def _broken(lake: Lake, manifest: Manifest, source: str, host: str) -> Iterator[Gap]:
    """Turn problems of inputs (truncated, damaged) into gaps behind the last record that could be read."""
    for one in manifest.inputs:
        if one.problems and source in one.source.split("+"):
            last = lake.sql.execute(
                "SELECT max(last) FROM activity WHERE input = ? AND source = ? AND host = ?", [one.number, source, host]
            ).fetchall()[0][0]
            if last is not None:
                following = lake.sql.execute(
                    "SELECT min(first) FROM activity WHERE source = ? AND host = ? AND first > ? AND input <> ?",
                    [source, host, last, one.number],
                ).fetchall()[0][0]
                end = following or last + timedelta(seconds=1)
                yield Gap(_aware(last), _aware(end), f"{one.path}: {'; '.join(one.problems)}")
