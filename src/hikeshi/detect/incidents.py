# SPDX-License-Identifier: Apache-2.0
"""From scores to incidents: which runs alarmed, which messages are part of it exactly, and whose hand it was.

The intruder's messages are those of the intruder's places or of the same content; the owner's own mails of those
days stay the owner's. Works on one account's messages as columns (numpy), in the order in which they were sent.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

import numpy as np
from numpy.typing import NDArray

from hikeshi import model
from hikeshi.cases.entries import Incident, Verdict, Weighing
from hikeshi.detect.hands import hands_of
from hikeshi.evidence.lake import Lake

Column = NDArray[Any]
Mask = NDArray[np.bool_]

#: alarms of one account that lie closer together are one incident
_EPISODE = np.timedelta64(3, "D")
#: a place counts as new for this long before the alarm
_NEW_PLACE = np.timedelta64(14, "D")
#: unusual, but too small to trouble anybody with: it becomes a finding only when it grows
_SMALLEST_BULK = (10, 50)
#: two hundred recipients at once weigh like one more mail
_RECIPIENTS_OF_A_MAIL = 200
#: so many mails are many: "nothing but this came from there" says something only of many
_ALONE = 10
#: evidence of another hand that makes a takeover: odds of twenty to one; a handful of mails needs up to three nats more,
#: since coincidences are short
_OTHER_HAND, _FEW = 3.0, 3.0
#: sizes of one text differ by names and addresses in it; one percent either way is one content
_WIDTH = 0.012

_WEIGHTS = {
    "new place": "place_weight",
    "new recipients": "recipients_weight",
    "nobody twice": "return_weight",
    "same content": "content_weight",
    "pace": "pace_weight",
    "many recipients": "many_weight",
    "bounces": "bounce_weight",
}
_COLUMNS = (
    "number, message_key, sent.time, sent.place, size, subject, sent.recipients, sent.new, own_new_place, llr,"
    " account_score, stream_score, history.messages AS past_messages,"
    " date_diff('second', (SELECT min(time) FROM sent), sent.time) / 86400 AS log_days, "
) + ", ".join(_WEIGHTS.values())


@dataclass(frozen=True, slots=True)
class Sent:
    """One account's messages, a column each, in order."""

    account: str
    columns: dict[str, Column]

    def __getattr__(self, name: str) -> Column:
        return self.columns[name]


def incidents(lake: Lake, h: float, only: str | None = None) -> Iterator[Incident]:
    """Give the incidents of a weighed lake for the threshold `h` in nats; of one account only if `only` names it."""
    alarmed = lake.sql.execute(
        "SELECT DISTINCT account FROM scored WHERE greatest(account_score, stream_score) > ? ORDER BY account", [h]
    ).fetchall()
    names = [str(row[0]) for row in alarmed]
    for account in names:
        if only is None or account == only.lower():
            yield from _of_account(lake, load(lake, account), h, names)


def load(lake: Lake, account: str) -> Sent:
    """Read one account's scored messages as columns."""
    found = lake.sql.execute(
        f"SELECT {_COLUMNS} FROM sent JOIN history USING (account, number) JOIN scored USING (account, number) "
        "WHERE account = ? ORDER BY number",
        [account],
    ).fetchnumpy()
    return Sent(account, {name: _plain(column) for name, column in found.items()})


def _plain(column: Column) -> Column:
    if not isinstance(column, np.ma.MaskedArray):
        return column
    if column.dtype.kind == "f":
        return column.filled(np.nan)
    if column.dtype.kind in "iu":
        return column.filled(0)
    if column.dtype.kind == "O":
        # filled(None) would mean numpy's own idea of a missing object, which is '?'
        plain = column.data.copy()
        plain[np.ma.getmaskarray(column)] = None
        return plain
    return column.filled()


def _of_account(lake: Lake, sent: Sent, h: float, alarmed: Sequence[str]) -> Iterator[Incident]:
    seeds, crossings = _runs(sent, h)
    for episode in _episodes(sent, seeds):
        crossed = [index for index in crossings if episode[index]]
        if crossed:
            found = _incident(lake, sent, episode, min(crossed), h, alarmed)
            if found is not None:
                yield found


def _runs(sent: Sent, h: float) -> tuple[Mask, list[int]]:
    """Mark the messages of the runs that alarmed, from where the score left zero to its peak; give the alarms."""
    seeds = np.zeros(len(sent.number), bool)
    crossings: list[int] = []
    limit = h * (1 + np.maximum(0.0, 1 - sent.log_days / 3))
    streams = [np.flatnonzero(sent.place == place) for place in dict.fromkeys(sent.place)]
    for score, members in [(sent.account_score, np.arange(len(seeds))), *((sent.stream_score, one) for one in streams)]:
        for begin, end in _hills(score[members]):
            run = members[begin:end]
            above = np.flatnonzero(score[run] > limit[run])
            if len(above):
                crossings.append(int(run[above[0]]))
                seeds[run[: int(np.argmax(score[run])) + 1]] = True
    return seeds, crossings


def _hills(score: Column) -> Iterator[tuple[int, int]]:
    """Give begin and end of every stretch in which the score is above zero."""
    up = np.concatenate(([False], score > 0, [False]))
    edges = np.flatnonzero(up[1:] != up[:-1])
    yield from zip(edges[::2].tolist(), edges[1::2].tolist(), strict=True)


def _episodes(sent: Sent, seeds: Mask) -> Iterator[Mask]:
    places = np.flatnonzero(seeds)
    if not len(places):
        return
    cuts = np.flatnonzero(np.diff(sent.time[places]) > _EPISODE) + 1
    for part in np.split(places, cuts):
        episode = np.zeros(len(seeds), bool)
        episode[part] = True
        yield episode


def _incident(lake: Lake, sent: Sent, seeds: Mask, alarm: int, h: float, alarmed: Sequence[str]) -> Incident | None:
    """Decide which messages belong to an episode, whose hand it was, and what it weighs."""
    same = _same_content(sent, seeds)
    foreign = _foreign_places(lake, sent, seeds, same, alarmed)
    at_foreign = np.isin(sent.place, [place for place, _ in foreign])
    alone = at_foreign.sum() >= _ALONE and bool((seeds if same is None else same)[at_foreign].all())
    hands = hands_of(lake, sent.account, [_place_hand(sent, place) for place in foreign], alone=alone)
    needed = _OTHER_HAND + _FEW * max(0.0, 1 - at_foreign.sum() / _ALONE)
    verdict: Verdict = (
        "takeover" if at_foreign.sum() > 1 and sum(hand.nats for hand in hands) >= needed else "unusual-bulk"
    )
    members = _members(sent, seeds, same, foreign if verdict == "takeover" else [], h)
    if not members.any() or _peak(sent.llr[members]) <= h:
        return None
    if verdict == "unusual-bulk" and (_small(sent, members) or (sent.log_days[alarm] < 3 and _scheduled(sent, same))):
        return None
    until = members & (sent.number <= sent.number[alarm])
    llr = float(sent.llr[members].mean())
    return Incident(
        account=sent.account,
        verdict=verdict,
        alarmed_at=_aware(sent.time[alarm]),
        first_message_at=_aware(sent.time[members][0]),
        last_message_at=_aware(sent.time[members][-1]),
        messages_before_alarm=int(until.sum()),
        message_keys=tuple(sent.message_key[members].tolist()),
        places=tuple(dict.fromkeys(sent.place[members].tolist())),
        weights=tuple(
            Weighing(name, round(float(sent.columns[column][until].sum()), 2)) for name, column in _WEIGHTS.items()
        ),
        hands=tuple(hands) if verdict == "takeover" else tuple(hand for hand in hands if hand.nats > 0),
        threshold=h,
        score=float(max(sent.account_score[seeds].max(), sent.stream_score[seeds].max())),
        mails_bound=model.bound_on_delay(h, llr),
    )


def _small(sent: Sent, members: Mask) -> bool:
    return bool(members.sum() < _SMALLEST_BULK[0] and sent.recipients[members].sum() < _SMALLEST_BULK[1])


def _scheduled(sent: Sent, same: Mask | None) -> bool:
    """Say whether the same content goes out day after day: what alarmed while nothing was known yet was its first time."""
    if same is None:
        return False
    return len(np.unique(sent.time[same].astype("datetime64[D]"))) >= 3


def _peak(llr: Column) -> float:
    """Give the highest score that these messages alone would reach: an incident carries its alarm by itself."""
    total = np.cumsum(llr)
    return float((total - np.minimum(0.0, np.minimum.accumulate(total))).max())


def _aware(moment: np.datetime64) -> datetime:
    micros = moment.astype("datetime64[us]").astype(int)
    return datetime(1970, 1, 1, tzinfo=UTC) + timedelta(microseconds=int(micros))


def _same_content(sent: Sent, seeds: Mask) -> Mask | None:
    """Mark all messages with the content of the run: its subject, else its size. None where the run has many."""
    subjects = sent.subject[seeds]
    named = [one for one in subjects.tolist() if one]
    if len(named) > seeds.sum() / 2:
        common = max(set(named), key=named.count)
        if named.count(common) > len(named) / 2:
            return np.asarray(sent.subject == common, bool)
    size = np.log(np.maximum(sent.size.astype(float), 1.0))
    band = _densest(np.sort(size[seeds]))
    if band is None:
        return None
    return np.asarray((size >= band[0]) & (size <= band[1]), bool)


def _densest(sizes: Column) -> tuple[float, float] | None:
    """Give the ends of the narrow band that holds most of `sizes` (logarithms, sorted); None if it holds under half.

    The ends are those of the messages themselves, with a little room: not every size of the text need have been seen.
    """
    upto = np.searchsorted(sizes, sizes + 2 * _WIDTH, side="right")
    held = upto - np.arange(len(sizes))
    best = int(np.argmax(held))
    if held[best] < max(2, len(sizes) / 2):
        return None
    low, high = float(sizes[best]), float(sizes[upto[best] - 1])
    room = max(0.0005, (high - low) / max(2, held[best]))
    return low - room, high + room


def _foreign_places(
    lake: Lake, sent: Sent, seeds: Mask, same: Mask | None, alarmed: Sequence[str]
) -> list[tuple[str, int]]:
    """Find the places of the run that are not the owner's: new, used for this and hardly for anything else.

    A place that other people of the organisation use quietly is theirs. Gives each place with its first message.
    """
    begin = sent.time[seeds][0]
    if _habitual(sent, same, begin):
        return []
    found = []
    for place in dict.fromkeys(sent.place[seeds].tolist()):
        here = np.flatnonzero(sent.place == place)
        first = int(here[0])
        if sent.time[first] < begin - _NEW_PLACE or sent.past_messages[first] == 0:
            continue
        in_run = int((same if same is not None else seeds)[here].sum())
        if not in_run or len(here) - in_run >= max(3, 0.2 * in_run) or _others(lake, place, sent.account, alarmed) >= 3:
            continue
        found.append((str(place), first))
    # A run that mostly came from the owner's places is the owner's, wherever the rest of it was sent from.
    core = seeds & same if same is not None else seeds
    from_found = np.isin(sent.place, [place for place, _ in found]) & core
    return found if 2 * from_found.sum() >= core.sum() else []


def _habitual(sent: Sent, same: Mask | None, begin: np.datetime64) -> bool:
    """Say whether this content is what the account writes anyway: a fifth of its mails of the two weeks before.

    Who writes forty offers a day writes them on the move too. Chance puts a few of a hundred mails into one band of size.
    """
    if same is None:
        return False
    before = (sent.time < begin) & (sent.time >= begin - _NEW_PLACE)
    return bool(before.sum() >= 10 and same[before].mean() >= 0.2)


def _others(lake: Lake, place: str, account: str, alarmed: Sequence[str]) -> int:
    quiet = ", ".join("?" for _ in alarmed)
    found = lake.one(
        f"SELECT count(*) FROM places WHERE place = ? AND account <> ? AND account NOT IN ({quiet})",
        [place, account, *alarmed],
    )
    return int(str(found[0]))


def _place_hand(sent: Sent, found: tuple[str, int]) -> tuple[str, float]:
    place, first = found
    return place, model.ratio(model.INTRUDER_NEW_PLACE, float(sent.own_new_place[first]))


def _members(sent: Sent, seeds: Mask, same: Mask | None, foreign: list[tuple[str, int]], h: float) -> Mask:
    """Mark the incident's messages.

    With places of another hand: all that came from there, and nothing else.
    Without: the same content around the run; where the run has no common content, the run itself.
    """
    if foreign:
        places = {place for place, _ in foreign}
        return np.isin(sent.place, list(places))
    if same is None:
        # What alarmed by itself at its place is it, not what the owner happened to send elsewhere just before.
        loud = np.isin(sent.place, sent.place[seeds & (sent.stream_score > h)])
        return seeds & loud if (seeds & loud).any() else seeds
    return same & _around(sent, seeds & same)


def _around(sent: Sent, core: Mask) -> Mask:
    """Mark everything from two hours before the first to a day after the last message of `core`."""
    begin, end = sent.time[core][0], sent.time[core][-1]
    return np.asarray((sent.time >= begin - np.timedelta64(2, "h")) & (sent.time <= end + np.timedelta64(1, "D")), bool)
