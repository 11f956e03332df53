# SPDX-License-Identifier: Apache-2.0
"""What the engine and a connector say to each other: a target, the steps that close it, what the far side reads.

A connector knows one far side (a mail server, a directory, a cloud) and nothing of cases. It never decides that
something is done: it does, and it reads. The engine compares the reading with the goal and writes the receipts.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import IntEnum
from pathlib import Path
from typing import Any, Final, Protocol

from hikeshi.basics.errors import HikeshiError

#: plain JSON: what a reading or a step's detail may hold
State = Mapping[str, Any]
#: a text in both languages: {"en": …, "ja": …}
Words = Mapping[str, str]


class ConnectorError(HikeshiError):
    """A far side cannot be used at all: not reachable, not configured, or with permissions other than it should have."""


class LaterError(ConnectorError):
    """Not now: throttled, out of order, not yet propagated. Nobody knows whether it was done; a reading will tell.

    `seconds` is how long the far side asks to wait, None where it does not say.
    """

    def __init__(self, says: str, seconds: float | None = None) -> None:
        super().__init__(says)
        self.seconds = seconds


class RefusedError(ConnectorError):
    """The far side will not do this, now or later, as it stands. `instead` says what a person can do."""

    def __init__(self, says: str, instead: str) -> None:
        super().__init__(f"{says}; {instead}")
        self.instead = instead


class Phase(IntEnum):
    """When a step has its turn: all steps of one phase, over all connectors, before those of the next."""

    #: nothing more goes out: sending held, new sign-ins refused
    STOP = 10
    #: who is in is out: sessions, tokens
    CLOSE = 20
    #: what would let them in again or goes on working for them: rules, forwards, grants, methods
    CLEAN = 30
    #: copies of the lure in mailboxes of our own
    PURGE = 40
    #: what would bar the way to the steps before it, for example a suspension that ends impersonation
    SEAL = 50


@dataclass(frozen=True, slots=True)
class Copies:
    """The lure's copies that one mailbox of ours received, by Message-ID without angle brackets."""

    mailbox: str
    message_ids: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class Target:
    """One account to close, as the case knows it. Times are aware, in UTC.

    `since` is the first sign of the other hand; what appeared from then on is suspicious. `places` are the addresses it
    came from, `forwards` where mail of the account was seen going by a rule in that time. `unnamed` copies of the lure in
    mailboxes of ours have no Message-ID, so that no connector can find them.
    """

    account: str
    since: datetime
    until: datetime
    places: tuple[str, ...] = ()
    own_domains: tuple[str, ...] = ()
    forwards: tuple[str, ...] = ()
    copies: tuple[Copies, ...] = ()
    unnamed: int = 0


@dataclass(frozen=True, slots=True)
class Step:
    """One thing to do to one object, with a goal that a reading can show. Plain data; no secret stands in it.

    `operation` is the connector's own word, for example "kick". `account` is whose access or mailbox it touches,
    `object` which thing of it (a rule's id), None for the account itself. `detail` is whatever the connector needs
    beside. `request` is what will be asked of the far side, in its own language, readable, secrets as <secret>.
    `undo` says how it is taken back, None where it cannot be.
    """

    connector: str
    operation: str
    phase: Phase
    account: str
    object: str | None
    request: str
    why: Words
    undo: Words | None
    detail: State = field(default_factory=dict)

    @property
    def key(self) -> str:
        """Name the step: equal for equal work, whenever it is planned."""
        return "/".join((self.connector, self.operation, self.account, self.object or "-"))


@dataclass(frozen=True, slots=True)
class Shown:
    """Something that was found and is not touched, and why not."""

    connector: str
    account: str
    object: str
    what: Words
    why_not: Words


@dataclass(frozen=True, slots=True)
class Look:
    """What a connector found about a target: steps, what it leaves alone, and what it cannot see (law 8)."""

    steps: tuple[Step, ...] = ()
    shown: tuple[Shown, ...] = ()
    gaps: tuple[Words, ...] = ()


@dataclass(frozen=True, slots=True)
class Reading:
    """What the far side says of a step's object now.

    `reached` is whether the step's goal stands: True, False, or None where it cannot be told (yet). `state` is what was read,
    enough to undo from and free of secrets; `says` puts it in words.
    """

    reached: bool | None
    state: State
    says: str


@dataclass(frozen=True, slots=True)
class Answer:
    """What the far side answered, in its own words, shortened and free of secrets. No proof of anything."""

    says: str


class Connector(Protocol):
    """One far side. All calls block; each raises LaterError, RefusedError or ConnectorError, and nothing else on purpose."""

    name: str

    def check(self) -> None:
        """Hold that the far side answers and that our permissions are those we understand: no fewer, no more."""

    def look(self, target: Target) -> Look:
        """Find what is to be done for a target; touches nothing."""

    def probe(self, step: Step) -> Reading:
        """Read the object before anything is done; its `state` is kept for the undo."""

    def do(self, step: Step, before: Reading, since: datetime) -> Answer:
        """Do it. Must be safe to repeat: it may have been done already by a run that died.

        `since` is when the step was first begun (aware, UTC): what the far side did after it, it did for us.
        """

    def verify(self, step: Step, before: Reading, since: datetime) -> Reading:
        """Read the object afterwards: does the goal stand? Must look at the far side anew, never at an answer."""

    def undo(self, step: Step, before: Reading) -> Answer:
        """Bring back what `before` read. Must be safe to repeat. Raises RefusedError where it cannot be taken back."""

    def restored(self, step: Step, before: Reading) -> Reading:
        """Read the object after an undo: `reached` says whether what `before` read stands again."""

    def close(self) -> None:
        """Let go of connections."""


#: seconds after a step was verified when it is read again: things propagate, and intruders come back
RECHECKS: Final = (15 * 60, 60 * 60, 24 * 60 * 60)


#: a connector's table of the connectors file, checked; secrets in it are `basics.secrets.Secret`
Settings = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Plugin:
    """A connector as the tuple in `connectors/__init__.py` names it.

    `settings` are the keys that its table may have and their types; `required` those it must have. For each name in
    `secrets` the table has NAME_env, NAME_file or NAME_keyring, and `connect` gets a `Secret` under NAME. `setup` prints the least
    permissions and how to give them; `teardown` how to take them away, and takes away what it can where `execute` is set.

    For what only a person can do there are `script`, which writes a step's script into a folder and gives its path, None
    for a step that needs none, and `accept`, which checks what the script exported and keeps it in a folder, from which the
    connector reads it: its setting `imports`.
    """

    name: str
    settings: Mapping[str, type]
    connect: Callable[[Settings], Connector]
    setup: Callable[[Settings], str]
    teardown: Callable[[Settings, bool], str]
    required: tuple[str, ...] = ()
    secrets: tuple[str, ...] = ()
    script: Callable[[Step, Path], Path | None] | None = None
    accept: Callable[[bytes, Path], object] | None = None
