# SPDX-License-Identifier: Apache-2.0
"""What rooms hand to the case: incidents, findings, extents. Plain data; times are aware, in UTC."""

from dataclasses import dataclass, field
from datetime import datetime
from typing import Literal

#: takeover: there is evidence of another hand. unusual-bulk: unusual, but nothing says that it was not the owner.
Verdict = Literal["takeover", "unusual-bulk"]
#: law 5: what the tool says is suspected until a person confirms it
Status = Literal["confirmed", "suspected", "not_confirmed", "ruled_out", "unknown"]


@dataclass(frozen=True, slots=True)
class Weighing:
    """One kind of evidence in an incident: its sum in nats up to the alarm."""

    name: str
    nats: float


@dataclass(frozen=True, slots=True)
class Hand:
    """One sign that somebody other than the owner was at work: what, how strong in nats, and in words."""

    kind: str
    nats: float
    says: dict[str, str]


@dataclass(frozen=True, slots=True)
class Incident:
    """One account's incident as detect finds it: which messages are part of it, and why it was judged so.

    `message_keys` are exact: messages of the intruder's places or of the same content, never all after the alarm.
    `threshold` and `score` are in nats; `mails_bound` is the mean number of mails that no detector of this
    threshold can stay below.
    """

    account: str
    verdict: Verdict
    alarmed_at: datetime
    first_message_at: datetime
    last_message_at: datetime
    messages_before_alarm: int
    message_keys: tuple[str, ...]
    places: tuple[str, ...]
    weights: tuple[Weighing, ...]
    hands: tuple[Hand, ...]
    threshold: float
    score: float
    mails_bound: float | None
    status: Status = "suspected"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something a person should look at, with its reason in words in both languages and the records behind it."""

    kind: str
    account: str | None
    time: datetime | None
    says: dict[str, str]
    count: int = 1
    #: (input number, record number) of records that lead back to it; at most a few
    evidence: tuple[tuple[int, int], ...] = ()


@dataclass(frozen=True, slots=True)
class Bounds:
    """A count that is not certain: at least, at most (None: nobody can say), and why."""

    at_least: int
    at_most: int | None
    why: str


@dataclass(frozen=True, slots=True)
class Origin:
    """How much of a recipient list one store explains, and whether the sending followed the store's order."""

    store: str
    entries: int
    addresses: int
    share: float
    #: Spearman's rank correlation of the order of sending with the order of the store; None below three addresses
    order: float | None
    #: what chance alone reaches one time in twenty, either way
    order_by_chance: float | None
    says: dict[str, str]


@dataclass(frozen=True, slots=True)
class Reach:
    """Whom an incident reached. Messages, addresses and domains are different counts; statuses partition addresses."""

    messages: int
    addresses: int
    domains: int
    delivered: int
    bounced: int
    deferred: int
    expired: int
    held: int
    unknown: int
    internal: int
    outside: int
    freemail: int
    company_domains: int
    known_before: int
    people: int
    client_ips: tuple[str, ...]
    sessions: tuple[str, ...]
    subjects: tuple[str, ...]
    bounds: dict[str, Bounds] = field(default_factory=dict)
    origin: tuple[Origin, ...] = ()


@dataclass(frozen=True, slots=True)
class Foothold:
    """What an intruder had and left: what has to be closed. `since` is aware, UTC: the first sign of the other hand.

    `also` are other accounts somebody got into from the intruder's addresses, `forwards` where the account's mail went by
    a rule from then on, `copies` the Message-IDs of the incident's mails that lie in each mailbox of ours; `unnamed` more
    copies have none.
    """

    since: datetime
    also: tuple[str, ...] = ()
    forwards: tuple[str, ...] = ()
    copies: dict[str, tuple[str, ...]] = field(default_factory=dict)
    unnamed: int = 0
