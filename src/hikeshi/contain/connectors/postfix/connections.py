# SPDX-License-Identifier: Apache-2.0
"""Connections of smtpd that were open before a map was changed: they go on by the old map, also after a reload.

Seen with Postfix 3.7: whoever had signed in went on sending. Killing such a process has Postfix close the port for a
minute ("bad command startup -- throttling"), so the kernel is asked to end the connection instead (`ss -K`, which takes
root and Linux with INET_DIAG_DESTROY): smtpd sees its client gone, and ends. Clients connect again.
"""

import os
import re
import time
from dataclasses import dataclass
from pathlib import Path

from hikeshi.contain.connectors.postfix.instance import Access, Instance
from hikeshi.contain.local import run

_CONNECTION = re.compile(
    r"^(?:ESTAB\s+)?\d+\s+\d+\s+(?P<ours>\S+)\s+(?P<theirs>\S+)\s+users:\((?P<users>.*)\)", re.MULTILINE
)
_PROCESS = re.compile(r'\("smtpd",pid=(\d+),')


@dataclass(frozen=True, slots=True)
class Connection:
    """Where a connection leads, as address:port, ours first."""

    ours: str
    theirs: str


def running(instance: Instance) -> int | None:
    """Give the process that all of this Postfix's come from, None where it is not running."""
    try:
        pid = int((Path(instance.setting("queue_directory")) / "pid" / "master.pid").read_text().strip())
        # The file stays when Postfix has gone, and the number may be another's by then.
        return pid if Path(f"/proc/{pid}/comm").read_text().strip() == "master" else None
    except (OSError, ValueError):
        return None


def old(instance: Instance, access: Access) -> list[Connection]:
    """Give the connections at the map's services whose smtpd began before the map was last changed.

    Raises:
        ConnectorError: they cannot be listed, or LaterError.

    """
    master = running(instance)
    if master is None:
        return []
    changed = access.changed
    found = []
    for one in _CONNECTION.finditer(run("ss", "-tnpH", "state", "established").out):
        processes = [int(pid) for pid in _PROCESS.findall(one["users"])]
        if any(_is_old(pid, master, access, changed) for pid in processes):
            found.append(Connection(one["ours"], one["theirs"]))
    return found


def end(connections: list[Connection]) -> None:
    """End connections; whether they have ended, only `old` tells.

    Raises:
        ConnectorError: ss is not there, or LaterError.

    """
    for one in connections:
        run("ss", "-K", "-tn", "src", one.ours, "dst", one.theirs)


def _is_old(pid: int, master: int, access: Access, changed: float) -> bool:
    try:
        # The name in the second field may hold anything, also blanks and brackets.
        fields = Path(f"/proc/{pid}/stat").read_text().rpartition(")")[2].split()
        words = Path(f"/proc/{pid}/cmdline").read_text().split("\0")
    except OSError:
        return False
    parent, begun = int(fields[1]), int(fields[19]) / os.sysconf("SC_CLK_TCK")
    age = time.clock_gettime(time.CLOCK_BOOTTIME) - begun
    service = words[words.index("-n") + 1] if "-n" in words[:-1] else ""
    return parent == master and service in access.services and time.time() - age < changed
