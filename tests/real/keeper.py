# SPDX-License-Identifier: Apache-2.0
"""Runs one server and ends when the last of its processes is gone.

Orphans come to us and not to process 1, which in a container reaps nobody; if whoever started us dies, we stop too.
Call it as `python keeper.py COMMAND...` and send it SIGTERM to stop.
"""

import ctypes
import os
import signal
import subprocess
import sys
from pathlib import Path

# linux/prctl.h
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
_PATIENCE = 4


def _signal_children(number: int) -> None:
    for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
        os.kill(int(pid), number)


def _kill(*_: object) -> None:
    _signal_children(signal.SIGKILL)
    signal.alarm(1)


def _stop(*_: object) -> None:
    _signal_children(signal.SIGTERM)
    signal.alarm(_PATIENCE)


def main(command: list[str]) -> None:
    """Run `command` until it and everything that it started has ended."""
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_CHILD_SUBREAPER, 1)
    libc.prctl(_SET_PDEATHSIG, signal.SIGTERM)
    signal.signal(signal.SIGTERM, _stop)
    signal.signal(signal.SIGALRM, _kill)
    server = subprocess.Popen(command, start_new_session=True)
    while True:
        try:
            ended, _ = os.wait()
        except ChildProcessError:
            return
        if ended == server.pid:
            _stop()


if __name__ == "__main__":
    main(sys.argv[1:])
