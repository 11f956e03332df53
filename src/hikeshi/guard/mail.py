# SPDX-License-Identifier: Apache-2.0
"""What the guard is shown and what it answers: one mail at the end of its submission, and go, hold or refuse."""

from dataclasses import dataclass
from enum import Enum

from hikeshi.model import Weight


@dataclass(frozen=True, slots=True)
class Mail:
    """One mail handed in by an account. Times are seconds since 1970, UTC, to the microsecond.

    `place` is an IPv4 address or a /64 of IPv6, `session` the SMTP connection. `recipients` are as in RCPT TO, each
    once, domain in lower case. `size` is in bytes, headers included; `fingerprint` is of the body. `subject`,
    `fingerprint`, `message_id` and `queue_id` are None where they are not known.
    """

    account: str
    time: float
    place: str
    client_ip: str
    session: str
    sender: str
    recipients: tuple[str, ...]
    size: int | None = None
    subject: str | None = None
    fingerprint: str | None = None
    message_id: str | None = None
    queue_id: str | None = None


class Action(Enum):
    """What is to become of a mail."""

    GO = "go"
    HOLD = "hold"
    REFUSE = "refuse"


@dataclass(frozen=True, slots=True)
class Answer:
    """The guard's answer: what to do, why in words, and what speaks for it.

    `alarmed`: this very mail crossed the threshold. `would`: what would have been done in mode hold; observing lets
    everything go and says so. `score` and `threshold` are in nats. Of a mail that is suspected, score and weights are
    those of the run that alarmed.
    """

    action: Action
    would: Action
    reason: str
    alarmed: bool
    score: float
    threshold: float
    weights: tuple[Weight, ...]
