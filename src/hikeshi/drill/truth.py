# SPDX-License-Identifier: Apache-2.0
"""The truth beside the logs: what the renderer saw itself write for each attack, and what it adds up to.

Attribution comes with the message from the attack that made it; nothing here guesses.
"""

from collections import Counter
from collections.abc import Callable
from dataclasses import dataclass, field

#: an address that got several messages keeps the best of its fates
BEST_FIRST = ("delivered", "deferred", "held", "unknown", "expired", "bounced")


@dataclass(slots=True)
class Sent:
    """One attack message that the log shows, with the last known fate of each recipient."""

    tag: int
    account: str
    time: int
    ip: str
    message_id: str
    fates: dict[str, str]


@dataclass(slots=True)
class Tally:
    """Counts of the whole log, and every attack message."""

    messages: int = 0
    deliveries: int = 0
    submitted: int = 0
    lines: int = 0
    sent: list[Sent] = field(default_factory=list)

    def attack(self, tag: int, say_time: Callable[[int], str]) -> dict[str, dict[str, object]]:
        """Per account, what this attack did."""
        accounts: dict[str, list[Sent]] = {}
        for message in self.sent:
            if message.tag == tag:
                accounts.setdefault(message.account, []).append(message)
        return {account: summary(messages, say_time) for account, messages in sorted(accounts.items())}


def summary(messages: list[Sent], say_time: Callable[[int], str]) -> dict[str, object]:
    """Add up the messages of one account."""
    recipients = best_fates(messages)
    counts = Counter(recipients.values())
    times = [message.time for message in messages]
    return {
        "messages": len(messages),
        "addresses": len(recipients),
        "domains": len({address.rpartition("@")[2] for address in recipients}),
        "first_message_at": say_time(min(times)),
        "last_message_at": say_time(max(times)),
        "delivered": counts["delivered"],
        "bounced": counts["bounced"],
        "deferred": counts["deferred"],
        "expired": counts["expired"],
        "unknown": counts["unknown"],
        "client_ips": sorted({message.ip for message in messages}),
        "message_ids": sorted({message.message_id for message in messages}),
        "recipients": dict(sorted(recipients.items())),
    }


def best_fates(messages: list[Sent]) -> dict[str, str]:
    """Keep for each address the best of its fates."""
    best: dict[str, str] = {}
    for message in messages:
        for address, fate in message.fates.items():
            key = with_lower_domain(address)
            known = best.get(key, "bounced")
            best[key] = min(known, fate, key=BEST_FIRST.index)
    return best


def with_lower_domain(address: str) -> str:
    """Spell an address as it is counted."""
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.lower()}"
