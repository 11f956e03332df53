# SPDX-License-Identifier: Apache-2.0
"""The guard's state: where it is kept is one argument, a file or the address of a shared server."""

from pathlib import Path

from hikeshi.guard.state.embedded import Embedded
from hikeshi.guard.state.store import Hold, Order, Settled, State, StateAwayError, StateError
from hikeshi.guard.weighing.score import Account

__all__ = ["Hold", "Order", "Settled", "State", "StateAwayError", "StateError", "open_state"]


def open_state(where: str, *, beside: bool = False) -> State:
    """Open the state at a path, or at redis://host:port/db, rediss:// or unix:///path of a Valkey or Redis server.

    `beside` a running guard a file can be opened a second time: its accounts cannot be changed so, all else can. A
    file is made where there is none, unless `beside`. To be closed in the event loop that used it.

    Raises:
        StateError: it cannot be opened; the message says why and what to do.
        StateAwayError: no server answers there.

    """
    if "://" not in where:
        return Embedded(Path(where), Account, beside=beside)
    try:
        from hikeshi.guard.state.shared import Shared  # noqa: PLC0415 - needs an extra that not everybody wants
    except ModuleNotFoundError as error:
        raise StateError(
            f"--state {where}: a shared state needs the extra redis: pip install 'hikeshi[redis]'"
        ) from error
    return Shared(where, Account)
