# SPDX-License-Identifier: Apache-2.0
"""The weights of evidence: pure arithmetic on numbers, so that the finished log and the submission port agree.

Each message adds a log-likelihood ratio in nats, *an intruder sends this* against *the owner sends this*; the score
is Page's one-sided CUSUM, S = max(0, S + llr), and an alarm is S > h (E. S. Page, Continuous inspection schemes,
Biometrika 41, 1954; optimality: G. Lorden, 1971, and G. Moustakides, 1986). `detect/weights.sql` writes the same
formulas over columns; a property test holds the two equal, mail for mail.

What moves together is not counted twice: every feature is conditioned on what the message just before it at the same
place did (a first-order Markov chain), so the first mail of a run carries the surprise and the rest carry little.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final, NamedTuple

#: how an intruder behaves, as probabilities; small, documented, and few. From published cases and our own: an
#: intruder comes from somewhere new and says the same to everyone once; the list is one of strangers or one of the
#: owner's own correspondents, which the first recipients tell.
INTRUDER_NEW_RECIPIENT: Final = 0.60
INTRUDER_NEW_AFTER_NEW: Final = 0.95
INTRUDER_NEW_AFTER_KNOWN: Final = 0.15
INTRUDER_RETURNS: Final = 0.02
INTRUDER_NEW_PLACE: Final = 0.80
INTRUDER_AT_OWNERS_PLACE: Final = 0.30
INTRUDER_REPEATS: Final = 0.75
INTRUDER_REPEATS_AT_LAST: Final = 0.15
INTRUDER_KEEPS_REPEATING: Final = 0.95
INTRUDER_HURRIES: Final = 0.60
INTRUDER_STAYS_HURRIED: Final = 0.90
INTRUDER_MANY: Final = 0.20
INTRUDER_BOUNCE: Final = 0.08

#: before the organisation has spoken: mean, how many observations this belief is worth, and how many observations of
#: the organisation's rate an account is credited with
BEFORE: Final[Mapping[str, tuple[float, float, float]]] = {
    "new_place": (0.02, 50, 20),
    "near_place": (0.02, 50, 20),
    "place_after_move": (0.30, 20, 5),
    "new_recipient": (0.15, 20, 10),
    "new_after_new": (0.50, 20, 5),
    "new_after_known": (0.10, 20, 10),
    "returns": (0.30, 20, 10),
    "repeat": (0.03, 50, 20),
    "repeat_after_other": (0.03, 50, 20),
    "repeat_after_repeat": (0.60, 20, 3),
    "hurry": (0.05, 50, 20),
    "hurry_after_hurry": (0.50, 20, 5),
    "many": (0.005, 200, 50),
    "bounce": (0.02, 200, 0),
}
#: bounces count for at most what an ordinary organisation sees, so that a burst does not make them normal
BOUNCES_AT_MOST: Final = 0.02

#: who has just moved moves on, and a full outbox empties itself, however rarely the account did so before
MOVES_ON: Final = 0.25
HURRIES_ON: Final = 0.60

#: no single feature of one message weighs more than this either way, whatever a small history says
LARGEST: Final = 6.0
#: a message whose recipients are many is not as many independent choices: 1 + ln(n) of them
MANY: Final = 20
#: a gap below this many seconds to the message before at the same place is hurried
HURRY: Final = 60.0


class Rate(NamedTuple):
    """A rate to shrink to: its mean in the organisation and how many observations that is worth."""

    mean: float
    weight: float


@dataclass(frozen=True, slots=True)
class Organisation:
    """What the organisation's own history says: the rates that every account is shrunk towards."""

    new_place: Rate
    near_place: Rate
    place_after_move: Rate
    new_recipient: Rate
    new_after_new: Rate
    new_after_known: Rate
    returns: Rate
    repeat: Rate
    repeat_after_other: Rate
    repeat_after_repeat: Rate
    hurry: Rate
    hurry_after_hurry: Rate
    many: Rate
    bounce: Rate


class Seen(NamedTuple):
    """How often something happened in how many chances, in an account's own history."""

    times: float
    chances: float


def organisation(counts: Mapping[str, tuple[float, float]]) -> Organisation:
    """Give the organisation's rates from its counts, each (times, chances); what is not counted yet is as believed before."""

    def rate(name: str) -> Rate:
        mean, worth, weight = BEFORE[name]
        times, chances = counts.get(name, (0.0, 0.0))
        if name == "bounce":
            times = min(times, BOUNCES_AT_MOST * chances)
        return Rate((times + mean * worth) / (chances + worth), weight)

    return Organisation(**{name: rate(name) for name in BEFORE})


@dataclass(frozen=True, slots=True)
class History:
    """What lay at least a day before a message: the account's own counts. `recipients` is how many it ever wrote to."""

    recipients: int
    new_place: Seen
    near_place: Seen
    place_after_move: Seen
    new_recipient: Seen
    new_after_new: Seen
    new_after_known: Seen
    returns: Seen
    repeat: Seen
    repeat_after_other: Seen
    repeat_after_repeat: Seen
    hurry: Seen
    hurry_after_hurry: Seen
    many: Seen


@dataclass(frozen=True, slots=True)
class Message:
    """What a message shows.

    `new` of `recipients` were never written to by this account before, `again` of them in the last hour. `place_new`: this account never sent from
    there and never signed in from there more than two days ago; None where its history is too young to say.
    `repeats`: at least two messages of the last day had its size or subject; None where none had and fewer than two
    came from this place, so that it could not well be otherwise.
    `gap`: seconds since the message before at this place, None for the first. `bounces`: how many came back since the
    account's message before, which had `before` recipients.
    `after_new`, `after_repeat`, `after_hurry`, `after_many`: what the message before at this place did, within an hour
    (a day for content and many); `after_new` and `after_repeat` are None where there was none.
    """

    new: int
    again: int
    recipients: int
    place_new: bool | None
    near: bool
    moving: bool
    roaming: bool
    repeats: bool | None
    gap: float | None
    bounces: int
    before: int
    after_new: bool | None
    after_repeat: bool | None
    after_hurry: bool
    after_many: bool


class Weight(NamedTuple):
    """One weight of evidence, in nats: positive speaks for an intruder."""

    name: str
    nats: float


def shrunk(seen: Seen, rate: Rate) -> float:
    """Give the posterior mean of a rate, the account's counts shrunk to the organisation (Beta-Binomial)."""
    return (seen.times + rate.weight * rate.mean) / (seen.chances + rate.weight)


def ratio(intruder: float, owner: float, *, happened: bool = True) -> float:
    """Give ln P(what happened | intruder) − ln P(… | owner), both probabilities of `happened`, kept within LARGEST."""
    p, q = (intruder, owner) if happened else (1 - intruder, 1 - owner)
    return max(-LARGEST, min(LARGEST, math.log(p / max(q, 1e-9))))


def young(recipients: int) -> float:
    """Give the rate of new recipients that ignorance alone explains: all are new to who has written to nobody yet."""
    return 1 / (1 + recipients / 3)


def weights(message: Message, history: History, organisation: Organisation) -> tuple[Weight, ...]:
    """Give the weights of one message; their sum is its log-likelihood ratio."""
    return (
        Weight("new place", _place(message, history, organisation)),
        Weight("new recipients", _recipients(message, history, organisation)),
        Weight("nobody twice", _returning(message, history, organisation)),
        Weight("same content", _content(message, history, organisation)),
        Weight("pace", _pace(message, history, organisation)),
        Weight("many recipients", _many(message, history, organisation)),
        Weight("bounces", _bounces(message, organisation)),
    )


def _place(message: Message, history: History, organisation: Organisation) -> float:
    if message.place_new is None:
        return 0.0
    if not message.place_new:
        return ratio(INTRUDER_AT_OWNERS_PLACE, 0.99) if message.after_new is None else 0.0
    if message.near:
        owner = max(MOVES_ON * message.roaming, shrunk(history.near_place, organisation.near_place))
    elif message.moving:
        owner = max(MOVES_ON, shrunk(history.place_after_move, organisation.place_after_move))
    else:
        owner = shrunk(history.new_place, organisation.new_place)
    return max(0.0, ratio(INTRUDER_NEW_PLACE, owner))


def _recipients(message: Message, history: History, organisation: Organisation) -> float:
    if message.recipients == 0:
        return 0.0
    if message.after_new is None:
        intruder, owner = INTRUDER_NEW_RECIPIENT, shrunk(history.new_recipient, organisation.new_recipient)
    elif message.after_new:
        intruder, owner = INTRUDER_NEW_AFTER_NEW, shrunk(history.new_after_new, organisation.new_after_new)
    else:
        intruder, owner = INTRUDER_NEW_AFTER_KNOWN, shrunk(history.new_after_known, organisation.new_after_known)
    owner = min(0.99, max(owner, young(history.recipients)))
    intruder = max(intruder, owner)
    share = message.new / message.recipients
    choices = 1 + math.log(message.recipients)
    return choices * (share * ratio(intruder, owner) + (1 - share) * ratio(intruder, owner, happened=False))


def _returning(message: Message, history: History, organisation: Organisation) -> float:
    """Within a run, owners write to the same people again; one who works through a list does not."""
    if message.recipients == 0 or message.after_new is None:
        return 0.0
    owner = shrunk(history.returns, organisation.returns)
    share = message.again / message.recipients
    return share * ratio(INTRUDER_RETURNS, owner) + (1 - share) * ratio(INTRUDER_RETURNS, owner, happened=False)


def _content(message: Message, history: History, organisation: Organisation) -> float:
    if message.repeats is None:
        return 0.0
    if message.after_repeat is None:
        intruder, owner = INTRUDER_REPEATS, shrunk(history.repeat, organisation.repeat)
    elif message.after_repeat:
        intruder, owner = (
            INTRUDER_KEEPS_REPEATING,
            shrunk(history.repeat_after_repeat, organisation.repeat_after_repeat),
        )
    else:
        intruder, owner = INTRUDER_REPEATS_AT_LAST, shrunk(history.repeat_after_other, organisation.repeat_after_other)
    owner = min(0.99, owner)
    return ratio(max(intruder, owner), owner, happened=message.repeats)


def _pace(message: Message, history: History, organisation: Organisation) -> float:
    """Only haste is evidence: an intruder who takes his time is as slow as anybody."""
    if message.gap is None or message.gap >= HURRY:
        return 0.0
    if message.after_hurry:
        owner = max(HURRIES_ON, shrunk(history.hurry_after_hurry, organisation.hurry_after_hurry))
        return max(0.0, ratio(INTRUDER_STAYS_HURRIED, owner))
    return max(0.0, ratio(INTRUDER_HURRIES, shrunk(history.hurry, organisation.hurry)))


def _many(message: Message, history: History, organisation: Organisation) -> float:
    if message.recipients < MANY or message.after_many:
        return 0.0
    return max(0.0, ratio(INTRUDER_MANY, shrunk(history.many, organisation.many)))


def _bounces(message: Message, organisation: Organisation) -> float:
    """Weigh what came back against what did not; a large honest mailing has bounces too."""
    rate, kept = organisation.bounce.mean, max(0, message.before - message.bounces)
    nats = message.bounces * ratio(INTRUDER_BOUNCE, rate) + kept * ratio(INTRUDER_BOUNCE, rate, happened=False)
    return min(LARGEST / 2, max(0.0, nats)) if message.bounces else 0.0


def step(score: float, llr: float) -> float:
    """Give the next score: Page's one-sided CUSUM."""
    return max(0.0, score + llr)


def threshold(false_alarms: float, account_days: float, mails_per_account_day: float) -> float:
    """Give h in nats for at most `false_alarms` in so many account-days.

    By Wald's inequality a CUSUM of log-likelihood ratios is started above h no more often than once in e^h messages;
    the organisation's own rate of mails turns account-days into messages. Two scores run side by side (the account's
    and the place's), hence twice as many starts.
    """
    messages = account_days / false_alarms * max(mails_per_account_day, 0.01)
    return math.log(max(2 * messages, math.e))


def patience(h: float, days: float) -> float:
    """Give the threshold after `days` of history: twice h at the very beginning, h from the third day on.

    At first everything is new, and the rates of an organisation are guesses.
    """
    return h * (1 + max(0.0, 1 - days / 3))


def bound_on_delay(h: float, divergence: float) -> float | None:
    """Give h / D(intruder ‖ owner), the mean number of mails below which no detector with this h can stay (Lorden).

    `divergence` is the mean llr of the intruder's mails, in nats a mail; None where it is not positive.
    """
    return h / divergence if divergence > 0 else None
