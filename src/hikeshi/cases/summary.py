# SPDX-License-Identifier: Apache-2.0
"""The case in ten lines, for the terminal."""

from pathlib import Path
from typing import Any


def summary(document: dict[str, Any], report: Path) -> str:
    """Give what incident.json says in a few lines a person reads at 2 a.m."""
    incidents = document["incidents"]
    lines = [line for incident in incidents for line in _incident(incident)]
    if not incidents:
        lines = [_calm(document)]
    others = sum(one["count"] for one in document["findings"] if one["kind"] not in ("takeover", "unusual-bulk"))
    if others:
        lines.append(f"{'also to look at':<18}{others:,} findings in findings.csv")
    lines.append(f"{'report':<18}{report}")
    return "\n".join(lines)


def _calm(document: dict[str, Any]) -> str:
    norm = document["norm"]
    records = sum(one["records"] for one in document["inputs"])
    return (
        f"no incident: {norm['mails']:,} mails of {norm['accounts']:,} accounts in {_span(norm['days'])} "
        f"({records:,} records) stayed below the threshold of {norm['threshold']} nats"
    )


def _span(days: float) -> str:
    return f"{days:.0f} days" if days >= 2 else f"{days * 24:.0f} hours"


def _incident(one: dict[str, Any]) -> list[str]:
    fates = ", ".join(
        f"{one[name]:,} {name}"
        for name in ("delivered", "bounced", "deferred", "expired", "held", "unknown")
        if one[name]
    )
    evidence = ", ".join(f"{each['nats']:+.1f} {each['name']}" for each in one["weights"] if each["nats"])
    hands = ", ".join(each["kind"] for each in one["hands"]) or "none: it may have been the owner"
    rows = [
        (one["verdict"], one["account"]),
        ("mails", f"{one['messages']:,} from {one['first_message_at']} to {one['last_message_at']}"),
        (
            "reached",
            (
                f"{one['addresses']:,} addresses in {one['domains']:,} domains "
                f"({one['internal']:,} internal, {one['outside']:,} outside)"
            ),
        ),
        ("fates", fates or "none shown by the log"),
        ("from", ", ".join(one["client_ips"][:6]) + (" …" if len(one["client_ips"]) > 6 else "")),
        ("alarm", f"after {one['messages_before_alarm']:,} mails, at {one['alarmed_at']}"),
        ("weights in nats", f"{evidence} (threshold {one['threshold']})"),
        ("another hand", hands),
    ]
    rows += [("addresses from", each["says"]["en"]) for each in one["origin"][:1]]
    rows += [
        (f"{name} bounds", f"at least {low:,}, at most {'unknown' if high is None else f'{high:,}'}: {why}")
        for name, (low, high, why) in one.get("bounds", {}).items()
    ]
    return [f"{name:<18}{text}" for name, text in rows]
