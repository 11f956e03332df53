# SPDX-License-Identifier: Apache-2.0
"""The guard as a whole: a mail comes in at the port, is weighed with its account's state, and goes, is held or refused.

Whoever releases or drops does so from another process; the running guard takes that over within a second.
"""

import asyncio
import contextlib
import logging
import signal
import time
from dataclasses import dataclass
from pathlib import Path

from hikeshi.cases.folder import CaseFolder
from hikeshi.guard.alarm import write_alarm
from hikeshi.guard.health import metrics
from hikeshi.guard.health.metrics import Metrics
from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.norm import Norm
from hikeshi.guard.orders import take_orders
from hikeshi.guard.people import channelfile
from hikeshi.guard.people.ask import Asking
from hikeshi.guard.people.channelfile import Channels
from hikeshi.guard.port import server
from hikeshi.guard.state import Hold, State, StateError, open_state
from hikeshi.guard.weighing import judge, score
from hikeshi.guard.weighing.account import Account
from hikeshi.guard.weighing.judge import Mode

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Guarding:
    """How to guard. `listen` is inet:HOST:PORT or unix:PATH, `rate` false alarms and account-days.

    `undecided` is what becomes of a mail that cannot be decided on: GO (fail open) or HOLD (fail hold).
    """

    listen: str
    state: str
    case: Path
    mode: Mode
    refuse_after: int
    rate: tuple[float, float]
    undecided: Action = Action.GO
    channels: Path | None = None
    metrics: str | None = None


async def guard(how: Guarding) -> None:
    """Guard until SIGTERM or SIGINT comes; open mails then have ten seconds to finish.

    Raises:
        HikeshiError: it cannot begin; the message says why and what to do.

    """
    CaseFolder(how.case)
    count = Metrics()
    async with contextlib.AsyncExitStack() as stack:
        state = open_state(how.state)
        stack.push_async_callback(state.close)
        channels = channelfile.read(how.channels) if how.channels else Channels()
        asking = await stack.enter_async_context(Asking(channels, count))
        asking.resume(await state.holds())
        if how.metrics:
            stack.enter_context(metrics.serving(count, how.metrics, asyncio.get_running_loop()))
        norm = Norm(state, how.rate)
        await norm.fresh(time.time())
        on_duty = Guard(state, norm, how.case, how.mode, how.refuse_after, asking, count)
        # before the port is open: whoever sees it open may already stop us
        stop = asyncio.Event()
        for number in (signal.SIGTERM, signal.SIGINT):
            asyncio.get_running_loop().add_signal_handler(number, stop.set)
        listener = server.listening(how.listen)
        orders = asyncio.create_task(take_orders(state, asking, count))
        stack.callback(orders.cancel)
        _log.info("guarding", extra={"event": "guarding", "path": how.listen, "action": how.mode})
        await server.serve(listener, on_duty.decide, meter=count, stop=stop, undecided=how.undecided)


@dataclass(slots=True)
class Guard:
    """What the guard needs at hand."""

    state: State
    norm: Norm
    case: Path
    mode: Mode
    refuse_after: int
    asking: Asking
    count: Metrics

    async def decide(self, mail: Mail) -> Answer:
        """Weigh one mail and answer; what is held is written down before the answer goes out."""
        before = None

        def weigh(account: Account, known: dict[str, float]) -> Answer:
            nonlocal before
            scored = score.submitted(account, mail, known, self.norm.organisation)
            answer = judge.judge(account, mail, scored, h, self.mode, self.refuse_after)
            if answer.alarmed and (stream := account.places[mail.place].stream) is not None:
                before = max(0, stream.run - 1)
            return answer

        try:
            await self.norm.fresh(mail.time)
            h = self.norm.threshold(mail.time)
            answer = await self.state.change(mail.account, mail.recipients, weigh)
        except StateError:
            self.count.state_failed()
            raise
        if answer.would is not Action.GO:
            await self._stopped(mail, answer, before)
        return answer

    async def _stopped(self, mail: Mail, answer: Answer, before: int | None) -> None:
        if answer.action is Action.HOLD:
            try:
                await self.state.hold(_written_down(mail, answer))
            except StateError as error:
                # Held all the same: a mail on hold that nobody wrote down is found in the queue, one that left is gone.
                about = {"event": "state", "account": mail.account, "queue_id": mail.queue_id}
                _log.error("held but not written down: %s", error, extra=about)
        if answer.alarmed:
            try:
                write_alarm(self.case, mail, answer)
            except OSError as error:
                # A full disk must not let the mail go that has just been found out.
                about = {"event": "alarm", "account": mail.account, "queue_id": mail.queue_id}
                _log.error("alarm not written down: %s", error.strerror, extra=about)
        self.asking.stopped(mail, answer, before)


def _written_down(mail: Mail, answer: Answer) -> Hold:
    return Hold(
        queue_id=mail.queue_id or "",
        account=mail.account,
        sender=mail.sender,
        time=mail.time,
        place=mail.place,
        session=mail.session,
        recipients=len(mail.recipients),
        subject=mail.subject,
        reason=answer.reason,
        score=answer.score,
    )
