# SPDX-License-Identifier: Apache-2.0
"""Everything that the rooms said about one case, and how its times and places are written.

Times are shown in the zone of the evidence. Every row leads back to its record as `path#record`.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hikeshi.cases.entries import Finding, Foothold, Incident, Origin, Reach
from hikeshi.evidence.coverage import Coverage
from hikeshi.evidence.seal import Manifest


class Normal(Protocol):
    """What was normal in this evidence: how many accounts, account-days, mails and days it was learnt from."""

    @property
    def accounts(self) -> int:
        """Accounts that sent anything."""

    @property
    def account_days(self) -> float:
        """Accounts times days."""

    @property
    def mails(self) -> int:
        """Mails that they sent."""

    @property
    def days(self) -> float:
        """Days from the first to the last of them."""


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that the rooms said about one case."""

    manifest: Manifest
    coverage: Sequence[Coverage]
    incidents: Sequence[tuple[Incident, Reach, tuple[Origin, ...]]]
    footholds: Sequence[Foothold]
    findings: Sequence[Finding]
    domains: Sequence[str]
    norm: Normal
    threshold: float
    false_alarms: str
    account: str | None


def shown_in(manifest: Manifest) -> tzinfo:
    """Give the zone that most records of the evidence were written in, for showing times."""
    weights: dict[str, int] = {}
    for one in manifest.inputs:
        weights[one.zone] = weights.get(one.zone, 0) + one.taken
    name = max(weights, key=lambda key: weights[key], default="UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        if name[:1] in "+-" and len(name) == 6:
            minutes = int(name[1:3]) * 60 + int(name[4:])
            return timezone(timedelta(minutes=-minutes if name[0] == "-" else minutes))
        return UTC


def iso(moment: datetime, zone: tzinfo) -> str:
    """Write a moment in a zone; a naive one, as the lake has them, is UTC."""
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(zone).isoformat()


def places(manifest: Manifest, evidence: Sequence[tuple[int, int]]) -> list[str]:
    """Name the records behind something as path#record."""
    paths = {one.number: one.path for one in manifest.inputs}
    return [f"{paths.get(number, '?')}#{record}" for number, record in evidence]
