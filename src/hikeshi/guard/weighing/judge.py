# SPDX-License-Identifier: Apache-2.0
"""From scores to what becomes of a mail: when to alarm, what exactly to suspect, and until when.

An alarm suspects either a place that is not the owner's, and then all that the account sends from there; or, where
the run came from the owner's own places, only its content. Whatever else the account sends goes on. What is held
teaches nothing until a person has spoken; who only observes learns from everything, as the finished log does.
"""

import math
from collections import Counter
from collections.abc import Iterable
from typing import Final, Literal, TypeVar

from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.weighing.account import Account, Recent, Suspicion
from hikeshi.guard.weighing.memory import learn_sums
from hikeshi.guard.weighing.score import Scored, unlearn
from hikeshi.model import Weight

T = TypeVar("T")
Mode = Literal["observe", "hold", "refuse"]

_SECOND: Final = 1_000_000
_DAY: Final = 86400 * _SECOND

#: a suspicion ends after so long without a mail that matches
QUIET: Final = 7 * _DAY
#: a place is not yet the owner's for so long, unless it is used for other things as well
_NEW_PLACE: Final = 14 * _DAY
#: to be called new, a place must be younger than what is known of the account by so much
_KNOWN_BEFORE: Final = 2 * _DAY
#: At the owner's own places, what is suspected is a run: the same content within an hour of the mail before, or with a
#: weight of its own of so many nats; within the hour a mail of that weight whatever its content.
CLEAR: Final = 0.5
_HOT: Final = 3600 * _SECOND
#: sizes of one text differ by names and addresses in it; one percent either way is one content
_WIDTH: Final = 0.012
#: bounds of a suspicion: places, subjects and so on, the latest of each
_MOST: Final = 64
_REASON: Final = 200


def judge(account: Account, mail: Mail, scored: Scored, h: float, mode: Mode, refuse_after: int) -> Answer:
    """Say what becomes of a mail that `score.submitted` has just weighed, at the threshold `h` in nats.

    In mode hold it is held where it is suspected; in mode refuse only the first `refuse_after` of a suspicion are, and
    those after them refused; in mode observe all go.
    """
    _end(account, mode)
    part = _part(account, mail, scored)
    if part is None and max(scored.account_score, scored.stream_score) > h:
        _suspect(account, mail, scored, h)
        part = _part(account, mail, scored)
    suspicion = account.suspicion
    if part is None or suspicion is None:
        score = max(scored.account_score, scored.stream_score)
        return Answer(
            Action.GO, Action.GO, "nothing suspected", alarmed=False, score=score, threshold=h, weights=scored.weights
        )
    if mode == "observe":
        suspicion.observed = True
    else:
        suspicion.learnt = [a + b for a, b in zip(suspicion.learnt, unlearn(account, scored), strict=True)]
    _explain(account, mail.place, scored)
    suspicion.mails += 1
    suspicion.last = account.last
    alarmed, suspicion.told = not suspicion.told, True
    would = Action.REFUSE if mode == "refuse" and suspicion.mails > refuse_after else Action.HOLD
    action = Action.GO if mode == "observe" else would
    reason = f"{suspicion.why}; mail {suspicion.mails} of it by {part}"
    weights = tuple(Weight(name, nats) for name, nats in suspicion.weights)
    return Answer(action, would, reason[:_REASON], alarmed, suspicion.score, h, weights)


def release(account: Account, now: float) -> None:
    """Take what is suspected as honest: it is learnt, its places are the owner's, and all scores begin anew.

    `now` is in seconds since 1970, UTC.
    """
    if (suspicion := account.suspicion) is None:
        return
    learn_sums(account, suspicion.learnt)
    for name in suspicion.places:
        if (place := account.places.get(name)) is not None:
            place.first = min(place.first, round(now * _SECOND) - _NEW_PLACE)
            if place.stream is not None:
                place.stream.first, place.stream.new = place.first, False
    _calm(account)


def drop(account: Account, now: float, why: str) -> None:
    """Take what is suspected as an intruder's: it is never learnt, and the suspicion stays.

    `now` is in seconds since 1970, UTC; `why` are a person's words.
    """
    if (suspicion := account.suspicion) is not None:
        suspicion.dropped = why[:_REASON]
        suspicion.last = max(suspicion.last, round(now * _SECOND))
        suspicion.learnt = [0.0] * len(suspicion.learnt)


def _end(account: Account, mode: Mode) -> None:
    """End what is suspected no more: quiet for long, or only observed so far and confirmed by nobody.

    What made the account's scores rise while little was known yet must not be held when holding begins.
    """
    suspicion = account.suspicion
    if suspicion is None:
        return
    observed = mode != "observe" and suspicion.observed and suspicion.dropped is None
    if observed or account.last - suspicion.last > QUIET:
        _calm(account)


def _explain(account: Account, place: str, scored: Scored) -> None:
    """Take out of the scores what is suspected anyway, so that the owner's mails do not stand in its shadow."""
    account.score = min(account.score, scored.account_before)
    stream = account.places[place].stream
    if stream is not None:
        stream.score = min(stream.score, scored.stream_before)


def _calm(account: Account) -> None:
    """End a suspicion: all scores begin anew."""
    account.suspicion, account.score, account.recent = None, 0.0, []
    for place in account.places.values():
        if place.stream is not None:
            place.stream.score, place.stream.run = 0.0, 0


def _part(account: Account, mail: Mail, scored: Scored) -> str | None:
    """Say by what a mail is part of what is suspected; None where it is not."""
    suspicion = account.suspicion
    if suspicion is None:
        return None
    if mail.place in suspicion.places:
        return "place"
    same = _same_content(suspicion, scored.recent)
    if suspicion.places and _foreign(account, mail.place, 1):
        # One who has many places says the same from all of them; the owner on the move does not.
        if same:
            _add(suspicion.places, [mail.place])
        return "another new place" if same else None
    hot, clear = account.last - suspicion.last < _HOT, scored.llr > CLEAR
    if suspicion.here and same and (hot or clear):
        return "content"
    return "weight" if mail.place in suspicion.watched and hot and clear else None


def _suspect(account: Account, mail: Mail, scored: Scored, h: float) -> None:
    """Open a suspicion, or widen it, by the run that has just alarmed."""
    run = _run(account, mail.place, by_stream=scored.stream_score > h)
    foreign = {place for place in {one.place for one in run} if _foreign(account, place, _count(run, place))}
    elsewhere = sum(one.llr for one in run if one.llr > 0 and one.place in foreign)
    here = 2 * elsewhere < sum(one.llr for one in run if one.llr > 0)
    core = [one for one in run if here or one.place in foreign]
    weights = [
        (weight.name, math.fsum(one.weights[index] for one in core)) for index, weight in enumerate(scored.weights)
    ]
    why = _why(mail, scored, h, "the owner's place" if here else "a new place", weights)
    suspicion = account.suspicion
    if suspicion is None:
        suspicion = account.suspicion = Suspicion(account.last, account.last, why)
    suspicion.why, suspicion.score = why, max(scored.account_score, scored.stream_score)
    suspicion.weights = weights
    if here:
        suspicion.here = True
        _add(suspicion.watched, [mail.place])
    else:
        _add(suspicion.places, foreign)
    heavy = [one for one in core if one.llr > CLEAR]
    _learn_content(suspicion, heavy if len(heavy) > 1 else core)
    suspicion.told = False
    account.score = 0.0
    for name in {mail.place, *(one.place for one in run)}:
        stream = account.places[name].stream if name in account.places else None
        if stream is not None:
            stream.score = 0.0


def _count(run: list[Recent], place: str) -> int:
    return sum(1 for one in run if one.place == place)


def _run(account: Account, place: str, *, by_stream: bool) -> list[Recent]:
    """Give the last mails since the score that alarmed left zero, as far as they are known."""
    run = []
    for one in reversed(account.recent):
        if by_stream and one.place != place:
            continue
        run.append(one)
        if one.begins_stream if by_stream else one.begins:
            break
    return run


def _foreign(account: Account, name: str, in_run: int) -> bool:
    """Say whether a place is not the owner's: new not long ago, and used for this and hardly for anything else."""
    place = account.places.get(name)
    if place is None or place.stream is None or account.since is None:
        return False
    stream = place.stream
    in_run = max(in_run, stream.run)
    return (
        place.first > account.since + _KNOWN_BEFORE
        and place.first > account.last - _NEW_PLACE
        and stream.mails - in_run < max(3, 0.2 * in_run)
    )


def _learn_content(suspicion: Suspicion, run: list[Recent]) -> None:
    """Add the common subject or fingerprint of a run; where it has neither, its common size."""
    subject = _common([one.subject for one in run])
    fingerprint = _common([one.fingerprint for one in run])
    _add(suspicion.subjects, [subject] if subject is not None else [])
    _add(suspicion.fingerprints, [fingerprint] if fingerprint is not None else [])
    if subject is None and fingerprint is None:
        sizes = sorted(math.log(max(one.size, 1)) for one in run if one.size is not None)
        band = _densest(sizes)
        if band is not None:
            _add(suspicion.sizes, [band])


def _common(values: list[int | None]) -> int | None:
    """Give the value of more than half of them."""
    found = Counter(value for value in values if value is not None).most_common(1)
    return found[0][0] if found and found[0][1] > len(values) / 2 else None


def _densest(sizes: list[float]) -> tuple[float, float] | None:
    """Give the band of 2.4 % that holds most of `sizes` (logarithms, sorted), with room; None if it holds under half."""
    best: list[float] = []
    for index, low in enumerate(sizes):
        held = [size for size in sizes[index:] if size <= low + 2 * _WIDTH]
        best = held if len(held) > len(best) else best
    if len(best) < max(2, len(sizes) / 2):
        return None
    middle = (best[0] + best[-1]) / 2
    return middle - _WIDTH, middle + _WIDTH


def _same_content(suspicion: Suspicion, new: Recent) -> bool:
    if new.subject in suspicion.subjects or new.fingerprint in suspicion.fingerprints:
        return True
    if new.size is None:
        return False
    size = math.log(max(new.size, 1))
    return any(low <= size <= high for low, high in suspicion.sizes)


def _add(known: list[T], more: Iterable[T]) -> None:
    known += [one for one in more if one not in known]
    del known[:-_MOST]


def _why(mail: Mail, scored: Scored, h: float, where: str, weights: list[tuple[str, float]]) -> str:
    """Say in a line of ASCII who, from where, how far above the threshold, and what weighed most in the run."""
    score = max(scored.account_score, scored.stream_score)
    most = sorted(weights, key=lambda one: -one[1])[:2]
    told = ", ".join(f"{nats:+.1f} {name}" for name, nats in most if nats > 0)
    name = mail.account.encode("ascii", "replace").decode()[:64]
    return f"{name}: burst from {where} {mail.place[:45]}, score {score:.1f} > {h:.1f}, {told}"[: _REASON - 50]
