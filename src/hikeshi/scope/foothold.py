# SPDX-License-Identifier: Apache-2.0
"""What the intruder had and left behind: since when, which other accounts, which forwards, which copies of the lure.

It is what has to be closed. Of what is only `unusual-bulk` nobody says that there was an intruder: it has copies alone.
"""

from collections import defaultdict
from collections.abc import Sequence
from datetime import UTC, datetime
from typing import Any, Final

from hikeshi.basics.sql import queries
from hikeshi.cases.entries import Foothold, Incident, Reach
from hikeshi.evidence.lake import Lake

_SQL = queries("hikeshi.scope", "foothold.sql")
#: an address from which the owner signed in earlier than this before the first mail is the owner's own
_DAYS: Final = 14


def footholds(lake: Lake, found: Sequence[Incident], reached: Sequence[Reach]) -> list[Foothold]:
    """Give the foothold of every incident, in order; comes after `reach`."""
    numbered = list(enumerate(zip(found, reached, strict=True), start=1))
    _table(lake, "intruders", "incident INTEGER, account VARCHAR, ip VARCHAR, first_message TIMESTAMP", [
        (number, one.account, ip, _naive(one.first_message_at))
        for number, (one, extent) in numbered if one.verdict == "takeover" for ip in extent.client_ips
    ])  # fmt: skip
    since = {number: one.first_message_at for number, (one, _) in numbered}
    lake.sql.execute(_SQL["entered"], {"days": _DAYS})
    for number, moment in lake.sql.execute(_SQL["since"]).fetchall():
        since[number] = min(since[number], moment.replace(tzinfo=UTC))
    _table(lake, "windows", "incident INTEGER, account VARCHAR, since TIMESTAMP", [
        (number, one.account, _naive(since[number])) for number, (one, _) in numbered if one.verdict == "takeover"
    ])  # fmt: skip
    also, forwards = _lists(lake, "also", {"days": _DAYS}), _lists(lake, "forwards")
    copies, unnamed = _lists(lake, "copies"), _lists(lake, "unnamed")
    return [
        Foothold(
            since=since[number],
            also=tuple(account for (account,) in also[number]),
            forwards=tuple(address for (address,) in forwards[number]),
            copies={mailbox: tuple(message_ids) for mailbox, message_ids in copies[number]},
            unnamed=sum(count for (count,) in unnamed[number]),
        )
        for number in since
    ]


def _naive(moment: datetime) -> datetime:
    return moment.astimezone(UTC).replace(tzinfo=None)


def _table(lake: Lake, name: str, columns: str, rows: list[tuple[Any, ...]]) -> None:
    lake.sql.execute(f"CREATE OR REPLACE TEMP TABLE {name} ({columns})")
    if rows:
        lake.sql.executemany(f"INSERT INTO {name} VALUES ({', '.join('?' * len(rows[0]))})", rows)


def _lists(lake: Lake, query: str, asked: dict[str, int] | None = None) -> dict[int, list[tuple[Any, ...]]]:
    """Run a query whose first column is the incident and give its rows by incident."""
    found: dict[int, list[tuple[Any, ...]]] = defaultdict(list)
    for number, *row in lake.sql.execute(_SQL[query], asked or {}).fetchall():
        found[number].append(tuple(row))
    return found
