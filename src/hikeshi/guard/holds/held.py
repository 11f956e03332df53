# SPDX-License-Identifier: Apache-2.0
"""What the guard holds, for people: listed, released, dropped, and told to the running guard.

Works beside the guard: the queue is Postfix's, the list of holds the state's, and the guard takes the decision about an account over
by itself. A whole account released is learnt as honest; a single mail released says nothing about the others.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Final

from hikeshi.basics.errors import UsageError
from hikeshi.basics.who import whoever_types
from hikeshi.guard.holds import queue, receipt
from hikeshi.guard.holds.queue import Matched
from hikeshi.guard.holds.receipt import Outcome, Receipt
from hikeshi.guard.state import Hold, Order, open_state

#: what the state remembers of a hold, by what became of it
_SETTLED: Final = {
    Outcome.RELEASED: "released",
    Outcome.DROPPED: "dropped",
    Outcome.GONE: "gone",
    Outcome.NOT_OURS: "gone",
}
_SUBJECTS: Final = 3


@dataclass(frozen=True, slots=True)
class Which:
    """Which held mails are meant: those of these queue ids, those of an account, or all that the guard holds."""

    queue_ids: Sequence[str] = ()
    account: str | None = None
    everything: bool = False

    def check(self) -> None:
        """Hold that one way of saying it was used.

        Raises:
            UsageError: none, or more than one.

        """
        if (bool(self.queue_ids), self.account is not None, self.everything).count(True) != 1:
            raise UsageError("say which: queue ids, --account ADDRESS, or --all")

    def chosen(self, holds: Sequence[Hold]) -> list[Hold]:
        """Give the holds that are meant.

        Raises:
            UsageError: none is, or there is none of a queue id.

        """
        missing = set(self.queue_ids) - {hold.queue_id for hold in holds}
        if missing:
            raise UsageError(f"{', '.join(sorted(missing))}: not held by the guard; see hikeshi guard held")
        account = self.account.lower() if self.account else None
        found = [
            hold for hold in holds if self.everything or hold.account == account or hold.queue_id in self.queue_ids
        ]
        if not found:
            raise UsageError(f"{self.account or 'the guard'}: nothing is held; see hikeshi guard held")
        return found


@dataclass(frozen=True, slots=True)
class Held:
    """What lies on hold."""

    matched: Matched

    def document(self) -> dict[str, Any]:
        """Give it as JSON has it; times are ISO 8601 with offset."""
        return {
            "schema": "hikeshi.held/1",
            "held": [
                {**asdict(hold), "time": _stamp(hold.time), "score": round(hold.score, 2), "size": one.size}
                for hold, one in self.matched.ours
            ],
            "gone": [{"queue_id": hold.queue_id, "account": hold.account} for hold in self.matched.gone],
            "others": [{"queue_id": one.queue_id, "sender": one.sender} for one in self.matched.others],
        }

    def text(self) -> str:
        """Give it for people: a paragraph an account."""
        by_account: dict[str, list[Hold]] = {}
        for hold, _ in self.matched.ours:
            by_account.setdefault(hold.account, []).append(hold)
        told = [_of_account(account, holds) for account, holds in by_account.items()] or ["The guard holds nothing."]
        if self.matched.gone:
            told.append(
                f"{len(self.matched.gone):,} more were held and lie on hold here no longer, or on another server."
            )
        if self.matched.others:
            told.append(f"{len(self.matched.others):,} mails on hold are not the guard's; it never touches them.")
        return "\n".join(told)


def _of_account(account: str, holds: Sequence[Hold]) -> str:
    subjects = list(dict.fromkeys(hold.subject for hold in holds if hold.subject))
    named = "; ".join(subjects[:_SUBJECTS]) + ("; …" if len(subjects) > _SUBJECTS else "")
    places = ", ".join(dict.fromkeys(hold.place for hold in holds))
    return (
        f"{account}: {len(holds):,} mails to {sum(hold.recipients for hold in holds):,} recipients on hold, "
        f"{_stamp(holds[0].time)} to {_stamp(holds[-1].time)}, from {places}\n"
        f"  why: {holds[0].reason}\n"
        + (f"  subjects: {named}\n" if named else "")
        + f"  ids: {', '.join(hold.queue_id for hold in holds[:5])}{', …' if len(holds) > 5 else ''}"
    )


async def held(where: str, postfix: Path | None) -> Held:
    """List what the guard of the state at `where` holds in the queue of the Postfix configured in `postfix`.

    Raises:
        HikeshiError: state or queue cannot be read.

    """
    state = open_state(where, beside=True)
    try:
        holds = await state.holds()
    finally:
        await state.close()
    return Held(queue.matched(holds, queue.looked_into(holds, queue.listed(postfix), postfix)))


async def release(which: Which, where: str, postfix: Path | None, case: Path, who: str | None, why: str) -> Receipt:
    """Let held mails go on their way; an account that is released as a whole is learnt as honest.

    Of an account nothing need be held: who watches never holds, and who observes does not. Then no Postfix is asked.

    Raises:
        HikeshiError: with what to do; the receipt tells what was done.

    """
    who = who or whoever_types()
    act = partial(receipt.release, case=case, who=who, why=why, config=postfix)
    return await _settle(which, where, Order(which.account or "", "release", who, why, time.time()), act)


async def drop(which: Which, where: str, postfix: Path | None, case: Path, who: str, why: str) -> Receipt:
    """Delete held mails for good; what an account sent that is dropped as a whole is never learnt.

    Raises:
        HikeshiError: with what to do; the receipt tells what was done.

    """
    act = partial(receipt.drop, case=case, who=who, why=why, config=postfix)
    return await _settle(which, where, Order(which.account or "", "drop", who, why, time.time()), act)


async def _settle(which: Which, where: str, order: Order, act: Callable[[Sequence[Hold]], Receipt]) -> Receipt:
    which.check()
    state = open_state(where, beside=True)
    try:
        holds = await state.holds()
        account = (which.account or "").lower()
        # A suspicion that holds nothing can be taken as honest too.
        unheld = order.verb == "release" and bool(account) and all(hold.account != account for hold in holds)
        holds = [] if unheld else which.chosen(holds)
        done = act(holds)
        shared = "://" in where
        for one in done.acts:
            # What does not lie here may lie on hold on another server of a shared state.
            if one.outcome in _SETTLED and not (shared and one.outcome is Outcome.GONE):
                await state.settle(one.hold, _SETTLED[one.outcome], order.who, order.why)
        whole = {account} if account else {hold.account for hold in holds if which.everything}
        for name in sorted(whole):
            await state.order(replace(order, account=name))
    finally:
        await state.close()
    return done


def _stamp(seconds: float) -> str:
    return datetime.fromtimestamp(seconds, UTC).astimezone().isoformat(timespec="seconds")
