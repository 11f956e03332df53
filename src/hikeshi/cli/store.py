# SPDX-License-Identifier: Apache-2.0
"""The case's store as commands open it, and the audit of who ran what."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from importlib.metadata import version
from pathlib import Path

from hikeshi.basics.errors import UsageError
from hikeshi.cases.record import take_up
from hikeshi.cases.store import Draft, Store, open_store
from hikeshi.cases.store.canonical import JSON


@contextmanager
def as_it_is(case: Path) -> Iterator[Store]:
    """Open the store of a case that is there, and write nothing into it.

    Raises:
        UsageError: there is no such case.

    """
    if not case.is_dir():
        raise UsageError(f"--case {case}: no such case; hikeshi investigate LOGS --case {case} makes one")
    with open_store(case) as store:
        yield store


@contextmanager
def opened(case: Path) -> Iterator[Store]:
    """Open the store of a case that is there, with what the guard and the watch have left beside it.

    Raises:
        UsageError: there is no such case.

    """
    with as_it_is(case) as store:
        take_up(store, case)
        yield store


def audited(store: Store) -> None:
    """Write down who runs which command. No argument is a secret: there is none that takes one."""
    store.append(Draft("run", {"arguments": list[JSON](sys.argv[1:]), "version": version("hikeshi")}))
