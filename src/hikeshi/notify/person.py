# SPDX-License-Identifier: Apache-2.0
"""One person to be told."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Final, Literal

from hikeshi.notify.corrections import HandedOver, Reach
from hikeshi.notify.lists import Exposed, Language

#: what became of the copies of the lure that went to a person: the best of their fates, in this order
Outcome = Literal["delivered", "deferred", "held", "unknown", "expired", "bounced"]
OUTCOMES: Final[tuple[Outcome, ...]] = ("delivered", "deferred", "held", "unknown", "expired", "bounced")
#: A∖B received the lure only, B∖A may be exposed only, A∩B both: one letter each
Group = Literal["lure", "exposed", "both"]
GROUPS: Final[tuple[Group, ...]] = ("lure", "exposed", "both")


@dataclass(frozen=True, slots=True)
class Person:
    """One person to be told. Times are those of the mails that were sent to them, aware.

    `key` is what they are known by, `address` the address of theirs that a mail reached best, empty where nobody knows
    one. `copies` counts mails to them, over all their addresses. `exposed` says of which data how sure it is, one entry
    a status. `why` says in both languages why they are reached as they are; empty where that is by mail as usual.
    """

    key: str
    address: str
    copies: int = 0
    first_time: datetime | None = None
    last_time: datetime | None = None
    outcome: Outcome | None = None
    subjects: tuple[str, ...] = ()
    in_lure: bool = False
    exposed: tuple[Exposed, ...] = ()
    name: str | None = None
    language: Language = "en"
    reach: Reach = "mail"
    why: Mapping[str, str] = field(default_factory=dict)
    phone: str | None = None
    post: str | None = None
    handed_over: HandedOver | None = None

    @property
    def group(self) -> Group:
        """Give which of A∖B, B∖A and A∩B they are in."""
        return "both" if self.in_lure and self.exposed else "lure" if self.in_lure else "exposed"
