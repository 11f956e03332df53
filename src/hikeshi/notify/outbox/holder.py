# SPDX-License-Identifier: Apache-2.0
"""Who has letters in hand: a process, named so that another one on the machine can see whether it still lives.

Where it cannot be seen (another machine, another container, no /proc) the lease's end is waited for instead.
"""

import os
import socket
from pathlib import Path
from typing import Final

_PROC: Final = Path("/proc")
#: where in /proc/PID/stat the start of the process stands, counted behind the name in parentheses (proc_pid_stat(5), field 22)
_STARTED: Final = 19


def myself() -> str:
    """Give this process's name: machine, boot, name space of processes, number and start, which no other process has."""
    return f"{_place()}/{os.getpid()}/{_started(os.getpid()) or '?'}"


def dead(holder: str) -> bool:
    """Say whether a holder is known to live no more; False where nobody can know."""
    place, _, rest = holder.rpartition("/")[0].rpartition("/")
    started = holder.rpartition("/")[2]
    if place != _place() or not rest.isdecimal() or started == "?" or "?" in place:
        return False
    return _started(int(rest)) != started


def _place() -> str:
    try:
        boot = (_PROC / "sys/kernel/random/boot_id").read_text("ascii").strip()
        space = (_PROC / "self/ns/pid").readlink().name
    except OSError:
        boot = space = "?"
    return f"{socket.gethostname()}/{boot}/{space}"


def _started(pid: int) -> str | None:
    """Give when a process was started, in ticks since the machine was; None where it is not there any more."""
    try:
        fields = (_PROC / str(pid) / "stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:
        return None
    # A zombie holds nothing: its sockets are closed.
    return None if fields[0] in ("Z", "X") else fields[_STARTED]
