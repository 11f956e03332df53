# SPDX-License-Identifier: Apache-2.0
"""What `detect/weights.sql` computes over columns, one event at a time: the same weights, the same two scores.

Events of an account come in the order of time; what comes late counts as of now. Weights and steps are those of
`hikeshi.model`; only the state that makes a Message and a History of a mail is kept here, and it is bounded.

Where a mail has a fingerprint, which mail logs have not, two mails are alike if their subjects or their fingerprints
agree. Sizes are compared only where a mail has no subject.
"""

import math
import re
from collections.abc import Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from hikeshi import model
from hikeshi.guard.mail import Mail
from hikeshi.guard.weighing.account import KNOWN, RATES, Account, Place, Recent, Stream
from hikeshi.guard.weighing.memory import (
    AFTER_HURRY,
    DAY,
    FOLLOWS,
    HURRIED,
    JUDGED,
    MANY,
    MANY_CHANCE,
    MOMENTS,
    NO_RECIPIENTS,
    REPEAT_KIND,
    REPEATS,
    SECOND,
    arrive,
    count,
    mature,
    micros,
    remember,
    set_back,
    visit,
)
from hikeshi.model import History, Message, Organisation, Seen, Weight

__all__ = ["Account", "Scored", "bounced", "place_of", "signed_in", "submitted", "unlearn"]

#: so many mails are kept while a score stands above zero, for an alarm to look back at
RECENT: Final = 24

_SIX = re.compile(r"(?:[0-9A-Fa-f]*:){1,4}")


@dataclass(frozen=True, slots=True)
class Scored:
    """What one mail weighs, in nats, and the two scores after it. The rest is for `judge`: what the mail was like, and what to take back."""

    weights: tuple[Weight, ...]
    llr: float
    account_score: float
    stream_score: float
    account_before: float
    stream_before: float
    recent: Recent
    knew: bool
    known: dict[str, float]
    written: tuple[tuple[str, float | None], ...]


def place_of(ip: str) -> str:
    """Give the place of an address: itself, or its /64 where it is of IPv6."""
    if ":" in ip and "." not in ip:
        found = _SIX.match(ip)
        return (found.group() if found else "") + "/64"
    return ip


def submitted(account: Account, mail: Mail, known: dict[str, float], organisation: Organisation) -> Scored:
    """Weigh a mail that has been handed in, and learn it. `known` learns when its recipients were last written to."""
    if mail.time < account.last / SECOND - 86400:
        set_back(account, micros(mail.time))
    time = arrive(account, mail.time)
    account.number += 1
    moment = time * 1000 + account.number
    place = visit(account, mail.place, time)
    mature(account, time, moment)
    message = _message(account, place, mail, known, (time, moment))
    history = _history(account)
    weights = model.weights(message, history, organisation)
    llr = math.fsum(weight.nats for weight in weights)
    stream = place.stream
    if stream is None:
        stream = place.stream = Stream(first=time, new=message.place_new)
    before, stream_before = account.score, stream.score
    account.score, stream.score = model.step(before, llr), model.step(stream_before, llr)
    written = tuple((address, known.get(address)) for address in _lower(mail.recipients))
    for address, _ in written:
        known[address] = time / SECOND
    knew = history.recipients >= 20
    _learn(account, stream, message, (time, moment), knew=knew)
    recent = Recent(
        place=mail.place,
        size=mail.size,
        subject=_hash(mail.subject, b"s"),
        fingerprint=_hash(mail.fingerprint, b"f"),
        llr=llr,
        begins=before <= 0,
        begins_stream=stream_before <= 0,
        weights=[weight.nats for weight in weights],
    )
    if account.score > 0 or stream.score > 0:
        account.recent.append(recent)
        del account.recent[:-RECENT]
    stream.run = stream.run + 1 if stream_before > 0 else 1
    return Scored(weights, llr, account.score, stream.score, before, stream_before, recent, knew, known, written)


def signed_in(account: Account, time: float, place: str) -> None:
    """Learn that the account signed in at `place` with success, by another protocol than SMTP. Seconds, UTC."""
    visit(account, place, arrive(account, time))


def bounced(account: Account, time: float) -> None:
    """Learn that one recipient of the account's mails bounced. Seconds, UTC."""
    then = arrive(account, time)
    account.bounced += 1
    if then > account.bounced_at:
        account.bounces += account.bounces_then
        account.bounced_at, account.bounces_then = then, 0
    account.bounces_then += 1


def unlearn(account: Account, scored: Scored) -> list[float]:
    """Take back what the last mail has taught, so that it may wait for a person; give it as sums of `account.RATES`.

    Its content and what it showed at its place stay, for they say what the next one follows.
    """
    for address, before in scored.written:
        if before is None:
            scored.known.pop(address, None)
        else:
            scored.known[address] = before
    if account.recent and account.recent[-1] is scored.recent:
        account.recent.pop()
    sums = [0.0] * (KNOWN + 1)
    counted = account.pending.pop()
    count(sums, counted)
    count(account.told, counted, -1, knew=scored.knew)
    return sums


def _message(account: Account, place: Place, mail: Mail, known: dict[str, float], when: tuple[int, int]) -> Message:
    time, moment = when
    stream, limit = place.stream, moment - MOMENTS
    new = again = 0
    seconds = time / SECOND
    here: set[str] = set()
    for address in _lower(mail.recipients):
        last = known.get(address)
        if address in here or (last is not None and seconds - 3600 < last <= seconds):
            again += 1
        elif last is None:
            new += 1
        here.add(address)
    alike = _alike(account, mail, moment)
    gap = None if stream is None else (time - stream.time) / SECOND
    lately = stream is not None and stream.before >= limit and stream.before > 0
    within_hour, within_day = gap is not None and gap < 3600, gap is not None and gap < 86400
    young = account.since is None or account.since > time - 2 * DAY
    place_new = None if young else False if stream is not None else True if place.first > time - 2 * DAY else None
    bounces = account.bounces + (account.bounces_then if account.bounced_at < time else 0)
    return Message(
        new=new,
        again=again,
        recipients=len(mail.recipients),
        place_new=place_new,
        near=place.near,
        moving=place.moved is not None and place.moved > time - 3 * DAY,
        roaming=place.roamed is not None and place.roamed > time - 3 * DAY,
        repeats=True if alike else False if lately else None,
        gap=gap,
        bounces=bounces,
        before=account.before,
        after_new=stream.mostly_new if stream is not None and within_hour else None,
        after_repeat=stream.repeats if stream is not None and within_day else None,
        after_hurry=stream is not None and within_hour and stream.hurried,
        after_many=stream is not None and within_day and stream.many,
    )


def _lower(recipients: Sequence[str]) -> list[str]:
    return [address.lower() for address in recipients]


def _alike(account: Account, mail: Mail, moment: int) -> bool:
    """Say whether at least two mails of the last day had this content; remember that this one has it."""
    contents, limit = account.contents, moment - MOMENTS
    own, near = _content(mail)
    found = {then for key in (*own, *near) for then in contents.get(key, ()) if then >= limit and then > 0}
    for key in own:
        contents[key] = (moment, contents.pop(key, (0, 0))[0])
    return len(found) >= 2


def _content(mail: Mail) -> tuple[tuple[int, ...], tuple[int, ...]]:
    """Give the keys under which a mail's content is kept, and those beside it that count as alike."""
    if mail.size is None and mail.fingerprint is None:
        return (), ()
    named = (_hash(mail.subject, b"s"), _hash(mail.fingerprint, b"f"))
    own = tuple(key for key in named if key is not None)
    if mail.subject is not None or mail.size is None:
        return own, ()
    size = math.floor(math.log(max(mail.size, 1)) / 0.01)
    return (*own, size), (size - 1, size + 1)


def _hash(value: str | None, kind: bytes) -> int | None:
    if value is None:
        return None
    return int.from_bytes(blake2b(kind + value.encode("utf-8", "replace"), digest_size=7).digest(), "big")


def _history(account: Account) -> History:
    past, visited = account.past, account.visited
    seen = {name: Seen(past[2 * index], past[2 * index + 1]) for index, name in enumerate(RATES)}
    return History(
        recipients=int(past[KNOWN]),
        new_place=Seen(visited[0], visited[1]),
        near_place=Seen(visited[2], visited[3]),
        place_after_move=Seen(visited[4], visited[5]),
        **seen,
    )


def _learn(account: Account, stream: Stream, message: Message, when: tuple[int, int], *, knew: bool) -> None:
    time, moment = when
    hurried, many = message.gap is not None and message.gap < model.HURRY, message.recipients >= model.MANY
    code = _code(message, hurried=hurried, many=many)
    counted = (moment, code, message.new, message.again, message.recipients)
    remember(account, counted)
    count(account.told, counted, knew=knew)
    stream.time, stream.before, stream.latest = time, stream.latest, moment
    stream.mails += 1
    stream.mostly_new = 2 * message.new > message.recipients
    stream.repeats, stream.hurried, stream.many = message.repeats, hurried, many
    if account.bounced_at < time:
        account.bounces_then = 0
    account.bounces = 0
    account.before = message.recipients
    account.addressed += message.recipients
    account.sent = time


def _code(message: Message, *, hurried: bool, many: bool) -> int:
    """Put into bits which chances a message had and what it did with them."""
    novelty = 0 if message.after_new is None else 1 if message.after_new else 2
    follows = 0 if message.after_repeat is None else 2 if message.after_repeat else 1
    return (
        (novelty if message.recipients else NO_RECIPIENTS)
        | JUDGED * (message.repeats is not None)
        | REPEATS * bool(message.repeats)
        | follows << REPEAT_KIND
        | FOLLOWS * (message.gap is not None)
        | HURRIED * hurried
        | AFTER_HURRY * message.after_hurry
        | MANY_CHANCE * (not message.after_many)
        | MANY * many
    )
