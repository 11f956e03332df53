# SPDX-License-Identifier: Apache-2.0
"""What people have decided from other processes, taken over by the one that runs."""

import asyncio
import logging
import time
from collections.abc import Callable, Mapping
from typing import Final

from hikeshi.guard.health.metrics import Metrics
from hikeshi.guard.people.ask import Asking
from hikeshi.guard.state import Order, State, StateError
from hikeshi.guard.weighing import judge
from hikeshi.guard.weighing.account import Account

#: seconds between two looks
LOOK: Final = 1.0

_log = logging.getLogger(__name__)


async def take_orders(state: State, asking: Asking, count: Metrics) -> None:
    """Take over, again and again until cancelled, which accounts have been released or dropped."""
    while True:
        try:
            for order in await state.orders():
                await state.change(order.account, (), settling(order))
                await state.done(order)
                asking.settled(order.account)
                _log.info(
                    "%s of %s taken over", order.verb, order.account, extra={"event": "order", "account": order.account}
                )
            count.suspicions.set(len(asking))
            count.holds.set(len(await state.holds()))
        except StateError as error:
            count.state_failed()
            _log.error("%s", error, extra={"event": "state"})
        await asyncio.sleep(LOOK)


def settling(order: Order) -> Callable[[Account, Mapping[str, float]], None]:
    """Give what an order does to its account."""

    def settle(account: Account, _known: Mapping[str, float]) -> None:
        if order.verb == "release":
            judge.release(account, time.time())
        else:
            judge.drop(account, time.time(), order.why)

    return settle
