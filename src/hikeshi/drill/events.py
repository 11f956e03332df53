# SPDX-License-Identifier: Apache-2.0
"""What happens at a mail server, before anybody writes a log line about it.

Times are microseconds since 1970 UTC. Every event starts with its time, so that a list of them sorts.
"""

from typing import NamedTuple

SECOND = 1_000_000
MINUTE = 60 * SECOND
HOUR = 3600 * SECOND
DAY = 24 * HOUR

#: fates of one recipient, as the postman will live through them
SENT = "sent"
BOUNCED = "bounced"
LATER = "later"  # deferred some times, then sent
REFUSED_LATER = "refused_later"  # deferred some times, then bounced
STUCK = "stuck"  # deferred until the queue gives up or the log ends

#: the ways by which a message enters the queue
SUBMISSION = "submission"
INBOUND = "inbound"
PICKUP = "pickup"
LIST = "list"

#: how the addresses begin that the list software takes
LIST_PREFIX = "list-"

#: the tag of a message that no attacker has sent
HONEST = -1


class Client(NamedTuple):
    """Where somebody connects from, and how Postfix writes it."""

    ip: str
    label: str


class Mail(NamedTuple):
    """One message handed to the queue."""

    time: int
    way: str
    account: str
    sender: str
    recipients: tuple[str, ...]
    size: int
    client: Client
    software: str
    subject: str
    fates: tuple[str, ...] | None = None
    tag: int = HONEST
    opens: bool = True
    closes: bool = True
    message_id: str = ""


class Login(NamedTuple):
    """One IMAP or POP3 session, or a refused one."""

    time: int
    account: str
    ip: str
    protocol: str
    seconds: int
    bodies: int
    body_bytes: int
    accepted: bool = True


class Knock(NamedTuple):
    """A connection that leaves no message: bots, refused recipients, wrong passwords."""

    time: int
    kind: str
    client: Client
    account: str
    sender: str = ""


Event = Mail | Login | Knock
