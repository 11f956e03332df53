# SPDX-License-Identifier: Apache-2.0
"""The document of incident.json out of what the rooms said."""

from collections.abc import Sequence
from dataclasses import asdict
from datetime import tzinfo
from typing import Any, Final

from hikeshi.cases.entries import Foothold, Incident, Origin, Reach
from hikeshi.cases.told import Told, iso, places

SCHEMA: Final = "hikeshi.case/1"


def describe(told: Told, zone: tzinfo) -> dict[str, Any]:
    """Give the document of incident.json, but for what only the store knows: names of incidents, changes."""
    return {
        "schema": SCHEMA,
        "inputs": [
            {
                "path": one.path,
                "sha256": one.sha256,
                "source": one.source or None,
                "records": one.records,
                "taken": one.taken,
                "skipped": one.skipped,
                "set_aside": one.set_aside,
                "zone": one.zone,
                "zone_basis": one.zone_basis,
                "year_basis": one.year_basis,
                "problems": one.problems,
            }
            for one in told.manifest.inputs
        ],
        "unreadable": told.manifest.unreadable,
        "coverage": [
            {
                "source": one.source,
                "host": one.host,
                "first": iso(one.first, zone),
                "last": iso(one.last, zone),
                "records": one.records,
                "gaps": [
                    {"first": iso(gap.first, zone), "last": iso(gap.last, zone), "why": gap.why} for gap in one.gaps
                ],
            }
            for one in told.coverage
        ],
        "org_domains": list(told.domains),
        "norm": {
            "accounts": told.norm.accounts,
            "account_days": round(told.norm.account_days),
            "mails": told.norm.mails,
            "days": round(told.norm.days, 2),
            "false_alarms": told.false_alarms,
            "threshold": round(told.threshold, 2),
        },
        "incidents": [
            _incident(*one, foothold, zone) for one, foothold in zip(told.incidents, told.footholds, strict=True)
        ],
        "findings": [
            {
                "kind": one.kind,
                "account": one.account,
                "time": iso(one.time, zone) if one.time else None,
                "says": one.says,
                "count": one.count,
                "evidence": places(told.manifest, one.evidence),
            }
            for one in told.findings
        ],
    }


def _incident(
    incident: Incident, reach: Reach, origin: Sequence[Origin], foothold: Foothold, zone: tzinfo
) -> dict[str, Any]:
    counts = {name: value for name, value in asdict(reach).items() if name not in ("bounds", "origin")}
    return {
        "account": incident.account,
        "verdict": incident.verdict,
        "status": incident.status,
        "first_message_at": iso(incident.first_message_at, zone),
        "last_message_at": iso(incident.last_message_at, zone),
        "alarmed_at": iso(incident.alarmed_at, zone),
        "messages_before_alarm": incident.messages_before_alarm,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in counts.items()},
        "weights": [{"name": one.name, "nats": one.nats} for one in incident.weights],
        "hands": [{"kind": one.kind, "nats": one.nats, "says": one.says} for one in incident.hands],
        "threshold": round(incident.threshold, 2),
        "score": round(incident.score, 2),
        "mails_bound": round(incident.mails_bound, 2) if incident.mails_bound is not None else None,
        "origin": [asdict(one) for one in origin],
        "foothold": asdict(foothold) | {"since": iso(foothold.since, zone)},
        "bounds": {name: [one.at_least, one.at_most, one.why] for name, one in reach.bounds.items()},
    }
