# SPDX-License-Identifier: Apache-2.0
"""What the relay's log says of letters: which it took, what became of them, and from when to when it says anything at all.

The log is read as evidence is, into a lake that is thrown away afterwards.
"""

import tempfile
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from hikeshi.basics.errors import UsageError
from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.coverage import Coverage, coverage
from hikeshi.evidence.lake import Lake, opened
from hikeshi.evidence.seal import Manifest

#: stamps of most logs tell whole seconds
_SECOND: Final = timedelta(seconds=1)
#: the worst first: where one address became several, what needs a person counts
_FATES: Final = ("bounced", "expired", "held", "deferred", "unknown", "delivered")


@dataclass(frozen=True, slots=True)
class Fate:
    """What became of a letter behind the relay, after `deliveries.status`, with the far side's code and words."""

    status: str
    dsn: str | None
    says: str | None


@dataclass(frozen=True, slots=True)
class MailLog:
    """What a relay's log says. `taken` are the Message-IDs, with their <>, that it took responsibility for."""

    taken: frozenset[str] = frozenset()
    fates: dict[str, Fate] = field(default_factory=dict)
    covers: tuple[Coverage, ...] = ()

    def covered(self, first: datetime, last: datetime) -> bool:
        """Say whether the log of every host tells all that happened from `first` to `last`, as far as a log can be trusted."""
        return bool(self.covers) and all(
            one.first <= first + _SECOND
            and one.last + _SECOND > last
            and not any(gap.first < last and gap.last > first for gap in one.gaps)
            for one in self.covers
        )


def read(
    paths: Sequence[str], message_ids: Iterable[str], *, tz: str | None = None, year: int | None = None
) -> MailLog:
    """Read Postfix logs for letters with these Message-IDs.

    Raises:
        UsageError: a log cannot be read, or there is no such zone.
        ConservationError: records went missing inside hikeshi.

    """
    with tempfile.TemporaryDirectory(prefix="hikeshi-settle-") as folder:
        manifest = Manifest()
        with opened(Path(folder) / "evidence", {}) as lake:
            reading = Reading(tz=tz, year=year, source="postfix")
            collect(lake, manifest, paths, reading, Path(folder) / "set-aside", lambda _: None)
            if manifest.unreadable:
                one = manifest.unreadable[0]
                raise UsageError(
                    f"{one['path']}: {one['reason']}; letters are settled from logs that can be read whole"
                )
            return _found(lake, manifest, message_ids)


def _found(lake: Lake, manifest: Manifest, message_ids: Iterable[str]) -> MailLog:
    lake.sql.execute("CREATE TEMP TABLE asked (message_id VARCHAR)")
    wanted = [one.strip("<>") for one in message_ids]
    lake.sql.execute("INSERT INTO asked SELECT DISTINCT unnest(?::VARCHAR[])", [wanted])
    taken = lake.sql.execute("SELECT DISTINCT message_id FROM messages JOIN asked USING (message_id) WHERE accepted")
    accepted = frozenset(f"<{row[0]}>" for row in taken.fetchall())
    rows = lake.sql.execute(
        """SELECT message_id, status, dsn, reason FROM messages JOIN asked USING (message_id)
        JOIN deliveries USING (message_key) ORDER BY deliveries.time"""
    ).fetchall()
    fates: dict[str, Fate] = {}
    for name, status, dsn, reason in rows:
        known = fates.get(f"<{name}>")
        if known is None or _FATES.index(status) <= _FATES.index(known.status):
            fates[f"<{name}>"] = Fate(status, dsn, reason)
    covers = tuple(one for one in coverage(lake, manifest) if one.source.startswith("postfix"))
    return MailLog(accepted, fates, covers)
