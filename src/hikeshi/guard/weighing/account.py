# SPDX-License-Identifier: Apache-2.0
"""All that is kept of one account between two of its mails: bounded, and told apart from the arithmetic over it.

Times are whole microseconds since 1970, UTC. A moment is a time in nanoseconds with the number of the mail added, so
that mails of one second keep their order, as in `detect/weights.sql`.
"""

from typing import Final

import msgspec

from hikeshi.basics.errors import HikeshiError
from hikeshi.model import BEFORE

#: raised whenever the shape of an account changes
VERSION: Final = 1

#: the rates of a message, in the order in which they are summed up: times and chances of each, then new recipients
RATES: Final = (
    "new_recipient",
    "new_after_new",
    "new_after_known",
    "returns",
    "repeat",
    "repeat_after_other",
    "repeat_after_repeat",
    "hurry",
    "hurry_after_hurry",
    "many",
)
PLACE_RATES: Final = ("new_place", "near_place", "place_after_move")
KNOWN: Final = 2 * len(RATES)

#: what an account may teach its organisation at most, in chances; what goes on within a run less than the rest
_TEACHES: Final = dict.fromkeys((*RATES, *PLACE_RATES), 50.0) | {name: 10.0 for name in RATES if "_after_" in name}

#: moment; what the message was, as bits; new recipients, recipients written to again, recipients
Counted = tuple[int, int, int, int, int]


class AccountError(HikeshiError):
    """The bytes of an account cannot be read."""


class Stream(msgspec.Struct, array_like=True):
    """What an account sent from one place. `run` is how many mails ago the score left zero; `new` as the first showed."""

    first: int
    new: bool | None
    mails: int = 0
    run: int = 0
    time: int = 0
    latest: int = 0  # moment of the last mail
    before: int = 0  # moment of the one before
    mostly_new: bool = False
    repeats: bool | None = None
    hurried: bool = False
    many: bool = False
    score: float = 0.0


class Place(msgspec.Struct, array_like=True):
    """One place of an account: when it was first seen there, on how many days, and what it sent from there.

    `moved` and `roamed` are when the account was last new in a network, or at a place, before it came here.
    """

    first: int
    near: bool
    moved: int | None
    roamed: int | None
    day: int = -1
    days: int = 0
    stream: Stream | None = None


class Recent(msgspec.Struct, array_like=True):
    """One of the last mails while a score stood above zero: what an alarm needs to know of its run."""

    place: str
    size: int | None
    subject: int | None
    fingerprint: int | None
    llr: float
    begins: bool  # the account's score stood at zero before it
    begins_stream: bool
    weights: list[float] = []  # by the order of model.weights, in nats


class Suspicion(msgspec.Struct, array_like=True):
    """What an alarm suspects, since when and why; `dropped` says why a person found it right.

    Everything from `places`; the content (`subjects`, `fingerprints`, or `sizes` as logarithms);
    at the owner's own places under watch, what weighs for itself. `learnt` is what its mails would have taught.
    """

    since: int
    last: int
    why: str
    here: bool = False  # against content at the owner's own places too
    places: list[str] = []
    watched: list[str] = []
    subjects: list[int] = []
    fingerprints: list[int] = []
    sizes: list[tuple[float, float]] = []
    mails: int = 0
    score: float = 0.0  # at the alarm
    weights: list[tuple[str, float]] = []  # of the run that alarmed, by name, in nats
    told: bool = False
    observed: bool = False  # opened, or last seen, while nothing was held
    dropped: str | None = None
    learnt: list[float] = msgspec.field(default_factory=lambda: [0.0] * (KNOWN + 1))


class Account(msgspec.Struct, array_like=True):
    """All that is known of one account; a new one knows nothing. Changed by `guard.score` and `guard.judge` only."""

    number: int = 0  # mails so far
    since: int | None = None
    last: int = 0  # time of the last event of any kind
    sent: int = 0  # time of the last mail
    before: int = 0  # recipients of the last mail
    score: float = 0.0
    places: dict[str, Place] = {}
    networks: dict[str, int] = {}  # when the account was first in a network
    moves: tuple[int | None, int | None] = (None, None)  # the last two times that it was new in a network
    roams: tuple[int | None, int | None] = (None, None)  # the last two times that it was at a new place
    visits: list[tuple[int, int]] = []  # those of the last day
    visited: list[float] = msgspec.field(default_factory=lambda: [0.0] * 6)
    visits_told: list[float] = msgspec.field(default_factory=lambda: [0.0] * 6)
    contents: dict[int, tuple[int, int]] = {}  # the last two moments of each content, by age
    pending: list[Counted] = []  # the last day, message by message
    hours: list[tuple[int, list[float]]] = []  # and by the hour, where there were too many
    past: list[float] = msgspec.field(default_factory=lambda: [0.0] * (KNOWN + 1))
    told: list[float] = msgspec.field(default_factory=lambda: [0.0] * (KNOWN + 1))
    bounces: int = 0  # since the last mail, before `bounced_at`
    bounced_at: int = 0
    bounces_then: int = 0
    bounced: int = 0
    addressed: int = 0
    recent: list[Recent] = []
    suspicion: Suspicion | None = None
    marks: list[int] = []  # of the last events that a watched log told, so that none counts twice

    @property
    def taught(self) -> dict[str, tuple[float, float]]:
        """What this account says of the organisation's rates, by name: times and chances, as query `rates` has it."""
        taught = {}
        for names, sums in ((RATES, self.told), (PLACE_RATES, self.visits_told)):
            for index, name in enumerate(names):
                times, chances = sums[2 * index], sums[2 * index + 1]
                if chances > 0:
                    most = min(chances, _TEACHES[name])
                    taught[name] = (most * times / chances, most)
        if self.addressed:
            taught["bounce"] = (float(self.bounced), float(self.addressed))
        return taught

    def to_bytes(self) -> bytes:
        """Give the account as bytes, version first (MessagePack)."""
        return bytes((VERSION,)) + _ENCODER.encode(self)

    @classmethod
    def from_bytes(cls, data: bytes) -> "Account":
        """Read what `to_bytes` gave.

        Raises:
            AccountError: another version wrote it, or it is damaged.

        """
        if data[:1] != bytes((VERSION,)):
            told = f"version {data[0]}" if data else "nothing"
            raise AccountError(
                f"state of an account: {told}, where this hikeshi reads version {VERSION}; "
                "use the hikeshi that wrote the state, or learn into a new one"
            )
        try:
            return _DECODER.decode(data[1:])
        except msgspec.MsgspecError as error:
            raise AccountError(
                f"state of an account: damaged ({error}); restore the state, or learn into a new one"
            ) from error


_ENCODER = msgspec.msgpack.Encoder()
_DECODER = msgspec.msgpack.Decoder(Account)
assert {*RATES, *PLACE_RATES, "bounce"} == set(BEFORE)  # noqa: S101 - a rate that nobody sums up is a defect of ours
