# SPDX-License-Identifier: Apache-2.0
"""Asks people about an account under suspicion: once when it begins, then at most every half hour, never for each mail.

Everything is sent from tasks of its own: no mail that is decided on waits for a channel. A channel that fails is
tried again for an hour; when too much waits for it, the oldest is given up and counted.
"""

import asyncio
import logging
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field, replace
from types import TracebackType
from typing import Final, Protocol, Self

from hikeshi.guard.health.log import placed
from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.people.channelfile import Channels
from hikeshi.guard.people.channels import Channel, ChannelError
from hikeshi.guard.people.notice import MOST, Notice
from hikeshi.guard.state.store import Hold
from hikeshi.model import Weight

#: seconds from one notice about an account to the next
EVERY: Final = 1800.0
#: seconds from the first suspicious mail to the first notice, so that it says how it goes on
FIRST: Final = 3.0
#: an account of which nothing was stopped for so many seconds is under suspicion no more
QUIET: Final = 7 * 86400.0
#: notices that wait for one channel at most, and how many of them it gets at once
WAITING, AT_ONCE = 100, 4
#: seconds from one try of a channel to the next, twice as long each time up to the longest; and how long it is tried
PAUSE, LONGEST_PAUSE, PATIENCE = 1.0, 300.0, 3600.0
#: seconds that what waits has at the end
_LAST: Final = 5.0
#: what began longer ago than this many seconds was told before we were started
_TOLD: Final = 60.0

_log = logging.getLogger(__name__)


class Meter(Protocol):
    """Counts what channels do; `metrics.Metrics` is one."""

    def told(self, channel: str) -> None:
        """Count a notice that was taken."""

    def channel_failed(self, channel: str) -> None:
        """Count a try that failed."""

    def notice_lost(self, channel: str) -> None:
        """Count a notice that was given up."""


@dataclass(slots=True)
class _Open:
    """An account under suspicion. `told` is when people last were, by the clock of the loop; `own` its addresses."""

    notice: Notice
    told: float | None = None
    timer: asyncio.TimerHandle | None = None
    own: set[str] = field(default_factory=set)


class Asking:
    """Asks by `channels` while its async with block lasts. All methods return at once and raise nothing.

    `first` and `every` are in seconds: from the first suspicious mail to the first notice, and from one to the next.
    """

    def __init__(self, channels: Channels, meter: Meter, *, first: float = FIRST, every: float = EVERY) -> None:
        self._channels, self._meter, self._first, self._every = channels, meter, first, every
        self._open: dict[str, _Open] = {}
        #: by channel, the tasks that bring notices, in the order they came
        self._tasks: dict[str, dict[asyncio.Task[None], Notice]] = {}
        self._gates: dict[str, asyncio.Semaphore] = {}

    async def __aenter__(self) -> Self:
        self._loop = asyncio.get_running_loop()
        return self

    async def __aexit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        for account, one in list(self._open.items()):
            if one.timer is not None and one.told is None:
                self._tell(account)
            elif one.timer is not None:
                one.timer.cancel()
        tasks = [task for waiting in self._tasks.values() for task in waiting]
        if tasks:
            _, late = await asyncio.wait(tasks, timeout=_LAST)
            for task in late:
                task.cancel()
            await asyncio.gather(*late, return_exceptions=True)

    def __len__(self) -> int:
        """Say how many accounts are under suspicion."""
        return len(self._open)

    def stopped(self, mail: Mail, answer: Answer, before: int | None = None) -> None:
        """Tell, sooner or later, of a mail that was stopped, or would have been: held, refused, or gone all the same.

        `before` is how many of its run had left before the first that was stopped, where that is known.
        """
        one = self._suspected(mail.account, mail.time, answer.weights, answer.score, answer.threshold, answer.reason)
        seen = one.notice
        one.notice = replace(
            seen,
            latest=max(seen.latest, mail.time),
            held=seen.held + (answer.action is Action.HOLD),
            refused=seen.refused + (answer.action is Action.REFUSE),
            went=seen.went + (answer.action is Action.GO),
            before=seen.before if before is None else before,
            subjects=_with(seen.subjects, mail.subject),
            places=_with(seen.places, mail.place),
        )
        if answer.alarmed or not seen.weights:
            one.notice = replace(
                one.notice,
                weights=answer.weights,
                score=answer.score,
                threshold=answer.threshold,
                reason=answer.reason,
            )
        if mailbox(mail.sender).partition("@")[0] == mail.account.casefold() and len(one.own) < MOST:
            one.own.add(mailbox(mail.sender))
        self._soon(mail.account, one)

    def noticed(
        self,
        account: str,
        when: float,
        place: str,
        weights: Sequence[Weight],
        score: float,
        threshold: float,
        reason: str,
    ) -> None:
        """Tell, sooner or later, of a suspicious mail that a log shows, so that it has gone. `when` as in Notice."""
        one = self._suspected(account, when, tuple(weights), score, threshold, reason)
        seen = one.notice
        one.notice = replace(seen, latest=max(seen.latest, when), went=seen.went + 1, places=_with(seen.places, place))
        self._soon(account, one)

    def resume(self, holds: Sequence[Hold]) -> None:
        """Know again, after a start, of whom mails are on hold: people were told, unless it has only just begun."""
        for hold in sorted(holds, key=lambda hold: hold.time):
            one = self._suspected(hold.account, hold.time, (), hold.score, 0.0, hold.reason)
            one.notice = replace(
                one.notice,
                latest=hold.time,
                held=one.notice.held + 1,
                subjects=_with(one.notice.subjects, hold.subject),
                places=_with(one.notice.places, hold.place),
            )
        for account, one in self._open.items():
            if time.time() - one.notice.since > _TOLD:
                one.told = self._loop.time()
            else:
                self._soon(account, one)

    def settled(self, account: str) -> None:
        """Forget an account: a person has decided about it."""
        if (one := self._open.pop(account, None)) is not None and one.timer is not None:
            one.timer.cancel()

    def _suspected(
        self, account: str, when: float, weights: tuple[Weight, ...], score: float, threshold: float, reason: str
    ) -> _Open:
        one = self._open.get(account)
        if one is not None and when - one.notice.latest <= QUIET:
            return one
        for quiet in [name for name, other in self._open.items() if when - other.notice.latest > QUIET]:
            self.settled(quiet)
        notice = Notice(account, when, when, 0, 0, 0, None, (), (), weights, score, threshold, reason, again=False)
        self._open[account] = one = _Open(notice)
        return one

    def _soon(self, account: str, one: _Open) -> None:
        """See to it that people are told, when it is time."""
        if one.timer is None:
            pause = self._first if one.told is None else max(0.0, one.told + self._every - self._loop.time())
            one.timer = self._loop.call_later(pause, self._tell, account)

    def _tell(self, account: str) -> None:
        one = self._open[account]
        if one.timer is not None:
            one.timer.cancel()
        one.timer, again, one.told = None, one.told is not None, self._loop.time()
        for channel in self._whom(one.notice):
            self._send(channel, replace(one.notice, again=again))

    def _whom(self, notice: Notice) -> Iterator[Channel]:
        """Give who is to be told: nobody through a mailbox that the intruder may read."""
        mail, about = self._channels.mail, {"account": notice.account}
        if mail is not None:
            read = {mailbox(account) for account in self._open} | {
                own for one in self._open.values() for own in one.own
            }
            to = tuple(address for address in mail.to if mailbox(address) not in read)
            if len(to) < len(mail.to):
                _log.warning("an administrator's mailbox is itself under suspicion and is not told", extra=about)
            if to:
                yield replace(mail, to=to)
            owner = (self._channels.owners or {}).get(notice.account.lower())
            if owner is not None and mailbox(owner) in read:
                _log.warning("the owner's other address is under suspicion itself and is not told", extra=about)
            elif owner is not None:
                yield replace(mail, to=(owner,), owner=True)
        if self._channels.webhook is not None:
            yield self._channels.webhook
        if self._channels.syslog is not None:
            yield self._channels.syslog

    def _send(self, channel: Channel, notice: Notice) -> None:
        waiting = self._tasks.setdefault(channel.name, {})
        if len(waiting) >= WAITING:
            oldest = next(iter(waiting))
            oldest.cancel()
            self._lost(channel, waiting.pop(oldest), "too many wait for the channel, the oldest notice is given up")
        task = self._loop.create_task(self._bring(channel, notice))
        waiting[task] = notice
        task.add_done_callback(lambda done: waiting.pop(done, None))

    async def _bring(self, channel: Channel, notice: Notice) -> None:
        """Bring a notice, again and again until it is taken, will never be, or patience ends."""
        gate = self._gates.setdefault(channel.name, asyncio.Semaphore(AT_ONCE))
        end, pause = self._loop.time() + PATIENCE, PAUSE
        while True:
            try:
                async with gate:
                    await channel.send(notice)
            except ChannelError as error:
                self._meter.channel_failed(channel.name)
                if error.lasting or self._loop.time() + pause > end:
                    return self._lost(channel, notice, f"a notice is given up: {error}")
                _log.warning("channel failed, will be tried again: %s", error, extra={"channel": channel.name})
            except Exception as error:  # noqa: BLE001 - no channel may take the others with it
                self._meter.channel_failed(channel.name)
                return self._lost(channel, notice, f"a notice is given up: {placed(error)}")
            else:
                return self._meter.told(channel.name)
            await asyncio.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)

    def _lost(self, channel: Channel, notice: Notice, words: str) -> None:
        self._meter.notice_lost(channel.name)
        _log.error("%s", words, extra={"channel": channel.name, "account": notice.account, "event": "notice lost"})


def mailbox(address: str) -> str:
    """Give the address of the mailbox that `address` reaches: without +detail, in lower case."""
    local, at, domain = address.casefold().partition("@")
    return f"{local.partition('+')[0]}{at}{domain}"


def _with(shown: tuple[str, ...], one: str | None) -> tuple[str, ...]:
    return shown if not one or one in shown or len(shown) >= MOST else (*shown, one)
