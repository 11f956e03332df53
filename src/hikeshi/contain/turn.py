# SPDX-License-Identifier: Apache-2.0
"""One run, recheck or undo at a time on a case: two at once would do a thing twice and mistake each other's work."""

import fcntl
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from hikeshi.basics.errors import CaseError


@contextmanager
def turn(case: Path) -> Iterator[None]:
    """Hold the case folder `case` for one run; a run that dies lets go of it.

    It is a lock of its own beside the folder's: an investigation that takes an hour must not keep a door open.

    Raises:
        CaseError: another run holds it, or the folder cannot be written to.

    """
    path = case / ".contain.lock"
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_CLOEXEC, 0o600)
    except OSError as error:
        raise CaseError(f"{path}: {error.strerror}; the case folder must be there and be yours to write to") from error
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise CaseError(
                f"--case {case}: another hikeshi is closing or opening accounts of this case; wait until it has ended"
            ) from error
        yield
    finally:
        os.close(descriptor)
