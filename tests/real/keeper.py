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
from contextlib import suppress
from pathlib import Path

# linux/prctl.h
_SET_PDEATHSIG, _SET_CHILD_SUBREAPER = 1, 36
#: seconds that a server has for stopping
_PATIENCE = 2


class Keeper:
    """One server and what it leaves behind: it is told to stop first, and then its orphans."""

    def __init__(self, command: list[str]) -> None:
        self.server = subprocess.Popen(command, start_new_session=True)
        signal.signal(signal.SIGTERM, self.stop)
        signal.signal(signal.SIGALRM, self.kill)

    def wait(self) -> None:
        """Wait for the last process."""
        with suppress(ChildProcessError):
            while True:
                ended, _ = os.wait()
                if ended == self.server.pid:
                    self.stop()

    def stop(self, *_: object) -> None:
        """Ask the server, or those whom it left behind, to stop, and give them a while."""
        self._signal(signal.SIGTERM)
        signal.alarm(_PATIENCE)

    def kill(self, *_: object) -> None:
        """Ask no more."""
        self._signal(signal.SIGKILL)
        signal.alarm(1)

    def _signal(self, number: int) -> None:
        for pid in Path(f"/proc/self/task/{os.getpid()}/children").read_text().split():
            with suppress(ProcessLookupError):
                os.kill(int(pid), number)


def main(command: list[str]) -> None:
    """Run `command` until it and everything that it started has ended."""
    libc = ctypes.CDLL(None)
    libc.prctl(_SET_CHILD_SUBREAPER, 1)
    libc.prctl(_SET_PDEATHSIG, signal.SIGTERM)
    Keeper(command).wait()


if __name__ == "__main__":
    main(sys.argv[1:])
