# SPDX-License-Identifier: Apache-2.0
"""What an account remembers: its places, its last day, and the counts that its history is made of. All of it bounded.

History lags a day behind, so that what is going on now does not teach that it is normal.
"""

import re
from collections.abc import Sequence
from typing import Final

from hikeshi.guard.weighing.account import KNOWN, Account, Counted, Place

SECOND: Final = 1_000_000
_HOUR: Final = 3600 * SECOND
DAY: Final = 24 * _HOUR
#: a day, between two moments
MOMENTS: Final = DAY * 1000
#: no clock is right beyond this (in the year 2242), and moments must fit 64 bits
_LATEST: Final = 2**33 * SECOND

#: Bounds of the state. Places that were used on the fewest days go first; of a day with more mails, the older ones
#: are known by the hour only; of one with more contents or visits, the surplus is forgotten.
PLACES: Final = 192
CONTENTS: Final = 512
PENDING: Final = 1280
VISITS: Final = 128

#: bits of what a message was, in `Counted`: which chance of novelty (3: none), content, pace and many it had
NO_RECIPIENTS, JUDGED, REPEATS, REPEAT_KIND = 3, 4, 8, 4
FOLLOWS, HURRIED, AFTER_HURRY, MANY_CHANCE, MANY = 64, 128, 256, 512, 1024
#: bits of a visit
_NEW, _NEAR, _MOVING = 1, 2, 4

_NETWORK = re.compile(r"[0-9]+[.][0-9]+|[0-9A-Fa-f]*:[0-9A-Fa-f]*")


def learn_sums(account: Account, sums: Sequence[float]) -> None:
    """Learn at once, without the day's lag, what a person has found to be honest."""
    for index, value in enumerate(sums):
        account.past[index] += value
        account.told[index] += value


def micros(seconds: float) -> int:
    """Give a time in whole microseconds, within what can be kept."""
    return min(max(round(seconds * SECOND), 0), _LATEST)


def arrive(account: Account, seconds: float) -> int:
    """Give the time of an event, never before that of the last one."""
    account.last = max(micros(seconds), account.last)
    return account.last


def set_back(account: Account, now: int) -> None:
    """Let nothing lie in the future: what was dated there counts as of now, the contents of the last day are forgotten.

    A clock that is set back by more than a day was wrong before; without this all mails would be of one moment for as
    long as it was ahead.
    """
    moment = now * 1000
    account.last, account.sent = now, min(account.sent, now)
    account.since = None if account.since is None else min(account.since, now)
    account.bounced_at = min(account.bounced_at, now)
    account.contents.clear()
    account.networks = {name: min(first, now) for name, first in account.networks.items()}
    account.moves, account.roams = ((None, None), (None, None))
    account.visits = [(min(time, now), code) for time, code in account.visits]
    account.pending = [(min(counted[0], moment), *counted[1:]) for counted in account.pending]
    account.hours = [(min(last, moment), sums) for last, sums in account.hours]
    for place in account.places.values():
        place.first, place.day = min(place.first, now), min(place.day, now // DAY)
        if (stream := place.stream) is not None:
            stream.first, stream.time = min(stream.first, now), min(stream.time, now)
            stream.latest, stream.before = min(stream.latest, moment), min(stream.before, moment)
    if account.suspicion is not None:
        account.suspicion.since = min(account.suspicion.since, now)
        account.suspicion.last = min(account.suspicion.last, now)


def visit(account: Account, name: str, time: int) -> Place:
    """See the account at a place; the first time of a day is a visit."""
    place = account.places.get(name)
    if place is None:
        place = account.places[name] = _first_visit(account, name, time)
        if len(account.places) > PLACES:
            _forget_places(account, name)
    day = time // DAY
    if place.day == day:
        return place
    place.day, place.days = day, place.days + 1
    since = account.since
    if since is not None and since <= time - 2 * DAY:
        moving = account.moves[0] is not None and account.moves[0] > time - 3 * DAY
        new = place.first == time
        code = _NEW * new | _NEAR * place.near | _MOVING * moving
        if len(account.visits) < VISITS:
            account.visits.append((time, code))
            _count_visit(account.visits_told, code)
        if new:
            account.roams = _noted(account.roams, time)
            if not place.near:
                account.moves = _noted(account.moves, time)
    return place


def _first_visit(account: Account, name: str, time: int) -> Place:
    if account.since is None:
        account.since = time
    found = _NETWORK.match(name)
    network = found.group() if found else ""
    near = account.networks.setdefault(network, time) < time
    return Place(time, near, _before(account.moves, time), _before(account.roams, time))


def _before(times: tuple[int | None, int | None], time: int) -> int | None:
    """Give the later of two times that lies before `time`."""
    return times[0] if times[0] is None or times[0] < time else times[1]


def _noted(times: tuple[int | None, int | None], time: int) -> tuple[int | None, int | None]:
    return times if times[0] == time else (time, times[0])


def _forget_places(account: Account, but: str) -> None:
    """Forget the places that were used on the fewest days, and their networks."""
    order = sorted(account.places, key=lambda name: (name == but, account.places[name].days, account.places[name].day))
    for name in order[: max(1, PLACES // 16)]:
        del account.places[name]
    left = {found.group() if (found := _NETWORK.match(name)) else "" for name in account.places}
    account.networks = {name: first for name, first in account.networks.items() if name in left}


def _count_visit(sums: list[float], code: int) -> None:
    new, near, moving = bool(code & _NEW), bool(code & _NEAR), bool(code & _MOVING)
    # new_place, near_place, place_after_move: times and chances
    sums[0] += new and not moving and not near
    sums[1] += not moving
    sums[2] += new and near
    sums[3] += 1
    sums[4] += new and moving and not near
    sums[5] += moving


def mature(account: Account, time: int, moment: int) -> None:
    """Let what lies a day back become history."""
    visits = account.visits
    if visits and visits[0][0] <= time - DAY:
        ripe = sum(1 for visit in visits if visit[0] <= time - DAY)
        for _, code in visits[:ripe]:
            _count_visit(account.visited, code)
        del visits[:ripe]
    limit = moment - MOMENTS
    while account.hours and account.hours[0][0] <= limit:
        for index, value in enumerate(account.hours.pop(0)[1]):
            account.past[index] += value
    pending = account.pending
    if pending and pending[0][0] <= limit:
        ripe = 0
        while ripe < len(pending) and pending[ripe][0] <= limit:
            count(account.past, pending[ripe])
            ripe += 1
        del pending[:ripe]
    contents = account.contents
    while contents:
        oldest = next(iter(contents))
        if contents[oldest][0] >= limit and len(contents) <= CONTENTS:
            break
        del contents[oldest]


def count(sums: list[float], counted: Counted, sign: int = 1, *, knew: bool = True) -> None:
    """Add a message to sums of times and chances; its novelty only if the account knew people (`knew`)."""
    _, code, new, again, recipients = counted
    novelty = code & 3
    if novelty != NO_RECIPIENTS:
        if knew:
            sums[2 * novelty] += sign * new / recipients
            sums[2 * novelty + 1] += sign
        if novelty:
            sums[6] += sign * again / recipients
            sums[7] += sign
    if code & JUDGED:
        kind = 8 + 2 * (code >> REPEAT_KIND & 3)
        sums[kind] += sign * bool(code & REPEATS)
        sums[kind + 1] += sign
    if code & FOLLOWS:
        kind = 16 if code & AFTER_HURRY else 14
        sums[kind] += sign * bool(code & HURRIED)
        sums[kind + 1] += sign
    if code & MANY_CHANCE:
        sums[18] += sign * bool(code & MANY)
        sums[19] += sign
    sums[KNOWN] += sign * new


def remember(account: Account, counted: Counted) -> None:
    """Keep a message until it becomes history."""
    account.pending.append(counted)
    if len(account.pending) > PENDING:
        _fold(account)


def _fold(account: Account) -> None:
    """Keep the oldest quarter of the last day by the hour. Each hour becomes history when its last mail is a day old."""
    fold = PENDING // 4
    for counted in account.pending[:fold]:
        hours = account.hours
        if hours and hours[-1][0] // (_HOUR * 1000) == counted[0] // (_HOUR * 1000):
            sums = hours.pop()[1]
        else:
            sums = [0.0] * (KNOWN + 1)
        count(sums, counted)
        hours.append((counted[0], sums))
    del account.pending[:fold]
