# SPDX-License-Identifier: Apache-2.0
"""The guard as a whole: a mail comes in at the port, is weighed with its account's state, and goes, is held or refused.

Whoever releases or drops does so from another process; the running guard takes that over within a second.
"""

import asyncio
import contextlib
import json
import logging
import os
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Final

from hikeshi import model
from hikeshi.cases.folder import CaseFolder
from hikeshi.guard import channelfile, judge, log, metrics, score, server
from hikeshi.guard.ask import Asking
from hikeshi.guard.channelfile import Channels
from hikeshi.guard.judge import Mode
from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.metrics import Metrics
from hikeshi.guard.score import Account
from hikeshi.guard.state import Hold, State, StateError, open_state

#: the organisation's rates are asked for anew after so many seconds
_RATES_LIVE: Final = 60.0
#: how often the guard looks whether somebody has released or dropped
_LOOK: Final = 1.0
#: an organisation that nobody has learnt sends about so many mails a day and account
_USUAL_MAILS: Final = 10.0

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Guarding:
    """How to guard. `listen` is inet:HOST:PORT or unix:PATH, `rate` false alarms and account-days."""

    listen: str
    state: str
    case: Path
    mode: Mode
    refuse_after: int
    rate: tuple[float, float]
    channels: Path | None = None
    metrics: str | None = None


async def guard(how: Guarding) -> None:
    """Guard until SIGTERM or SIGINT comes; open mails then have ten seconds to finish.

    Raises:
        HikeshiError: it cannot begin; the message says why and what to do.

    """
    log.start()
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
        on_duty = Guard(state, how.case, how.mode, how.rate, how.refuse_after, asking, count)
        await on_duty.refresh()
        listener = server.listening(how.listen)
        orders = asyncio.create_task(on_duty.take_orders())
        stack.callback(orders.cancel)
        _log.info("guarding", extra={"event": "guarding", "path": how.listen, "action": how.mode})
        await server.serve(listener, on_duty.decide, meter=count)


@dataclass(slots=True)
class Guard:
    """What the guard needs at hand."""

    state: State
    case: Path
    mode: Mode
    rate: tuple[float, float]
    refuse_after: int
    asking: Asking
    count: Metrics
    organisation: model.Organisation = field(default_factory=lambda: model.organisation({}))
    h: float = 0.0
    first_time: float = 0.0
    _asked: float = float("-inf")

    async def decide(self, mail: Mail) -> Answer:
        """Weigh one mail and answer; what is held is written down before the answer goes out."""
        if time.monotonic() - self._asked > _RATES_LIVE:
            await self.refresh()
        h = model.patience(self.h, max(0.0, mail.time - self.first_time) / 86400)

        def weigh(account: Account, known: dict[str, float]) -> Answer:
            scored = score.submitted(account, mail, known, self.organisation)
            return judge.judge(account, mail, scored, h, self.mode, self.refuse_after)

        try:
            answer = await self.state.change(mail.account, mail.recipients, weigh)
        except StateError:
            self.count.state_failed()
            raise
        if answer.would is not Action.GO:
            await self._stopped(mail, answer)
        return answer

    async def refresh(self) -> None:
        """Take over what the organisation's accounts have taught since."""
        self._asked = time.monotonic()
        norm = await self.state.norm()
        counts = await self.state.organisation()
        self.organisation = model.organisation({name: model.Seen(*pair) for name, pair in counts.items()})
        if not norm.get("first_time"):
            norm["first_time"] = time.time()
            await self.state.set_norm(norm)
        self.first_time = norm["first_time"]
        days, mails = norm.get("account_days", 0.0), norm.get("mails", 0.0)
        self.h = model.threshold(*self.rate, mails / days if days else _USUAL_MAILS)

    async def _stopped(self, mail: Mail, answer: Answer) -> None:
        if answer.action is Action.HOLD:
            try:
                await self.state.hold(_written_down(mail, answer))
            except StateError as error:
                # Held all the same: a mail on hold that nobody wrote down is found in the queue, one that left is gone.
                _log.error("held but not written down: %s", error, extra={"queue_id": mail.queue_id})
        if answer.alarmed:
            write_alarm(self.case, mail, answer)
            _log.warning(
                "%s",
                answer.reason,
                extra={
                    "event": "alarm", "account": mail.account, "place": mail.place, "queue_id": mail.queue_id,
                    "action": answer.action.value, "would": answer.would.value,
                    "score": round(answer.score, 1), "threshold": round(answer.threshold, 1),
                },
            )  # fmt: skip
        self.asking.stopped(mail, answer)

    async def take_orders(self) -> None:
        """Take over, again and again, what people have released or dropped from other processes."""
        while True:
            try:
                for order in await self.state.orders():
                    await self.state.change(order.account, (), settling(order.verb, order.why))
                    await self.state.done(order)
                    self.asking.settled(order.account)
                    _log.info("taken over: %s of %s", order.verb, order.account, extra={"account": order.account})
                self.count.suspicions.set(len(self.asking))
                self.count.holds.set(len(await self.state.holds()))
            except StateError as error:
                self.count.state_failed()
                _log.error("%s", error)
            await asyncio.sleep(_LOOK)


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


def settling(verb: str, why: str) -> Callable[[Account, Mapping[str, float]], None]:
    """Give the change of an account whose held mails have been released, or dropped because of `why`."""

    def settle(account: Account, _known: Mapping[str, float]) -> None:
        if verb == "release":
            judge.release(account, time.time())
        else:
            judge.drop(account, time.time(), why)

    return settle


def write_alarm(case: Path, mail: Mail, answer: Answer) -> None:
    """Add a line to alarms.jsonl of the case: who, from where, when, and what speaks for it."""
    case.mkdir(mode=0o700, parents=True, exist_ok=True)
    line = {
        "schema": "hikeshi.alarm/1",
        "time": datetime.fromtimestamp(mail.time, UTC).isoformat(),
        "account": mail.account,
        "place": mail.place,
        "session": mail.session,
        "queue_id": mail.queue_id,
        "action": answer.action.value,
        "would": answer.would.value,
        "score": round(answer.score, 2),
        "threshold": round(answer.threshold, 2),
        "weights": [{"name": one.name, "nats": round(one.nats, 2)} for one in answer.weights],
        "reason": answer.reason,
    }
    descriptor = os.open(case / "alarms.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123 - private from birth
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
