# SPDX-License-Identifier: Apache-2.0
"""One mail host: its processes, its queue ids, and the lines that wait for their turn in its log.

A process writes for one connection at a time; process ids change over the hours as Postfix renews its daemons.
"""

from bisect import bisect_left
from random import Random

from hikeshi.drill.queue_ids import Pool, long_id, short_id
from hikeshi.drill.style import LogStyle

Line = tuple[int, str]
LOCALHOST = "127.0.0.1[127.0.0.1]"

_FIRST_INODE = 0x40_1000


class Host:
    """One machine's names, processes, inodes and waiting lines."""

    def __init__(self, number: int, domain: str, style: LogStyle, rng: Random) -> None:
        self.short_name = f"mx{number + 1}" if style.hosts > 1 else "mail"
        self.name = f"{self.short_name}.{domain}"
        self.make_id = long_id if style.queue_ids == "long" else short_id
        self._plain = style.stamps != "rfc5424"
        self._rng = rng
        self._next_inode = _FIRST_INODE
        self.inodes: Pool[int] = Pool(self._new_inode)
        self._lines: list[Line] = []
        self.put = self._lines.append
        self._open: dict[tuple[str, str], str] = {}
        inner = "10.0.0.5[10.0.0.5]:24" if style.hosts > 1 else f"{self.name}[private/dovecot-lmtp]"
        self.lmtp_relay = f"relay={inner}"
        self.qmgr = self.head("postfix/qmgr")
        self._pools = {
            True: Pool(lambda: self.head("postfix/submission/smtpd")),
            False: Pool(lambda: self.head("postfix/smtpd")),
        }
        self.new_hour()

    def head(self, program: str, pid: int | None = None) -> str:
        """Put together what stands between the stamp and the words of a line."""
        pid = self._rng.randrange(1000, 99_000) if pid is None else pid
        if self._plain:
            return f"{self.short_name} {program}[{pid}]: "
        return f"{self.short_name} {program} {pid} - - "

    def bare_head(self, program: str) -> str:
        """Do the same for a program that logs without its process id."""
        return f"{self.short_name} {program}: " if self._plain else f"{self.short_name} {program} - - - "

    def new_hour(self) -> None:
        """Daemons with little to do have ended, new ones start."""
        self.smtp = [self.head("postfix/smtp") for _ in range(8)]
        self.lmtp = [self.head("postfix/lmtp") for _ in range(4)]
        self.cleanup = [self.head("postfix/cleanup") for _ in range(4)]
        self.local = self.head("postfix/local")
        self.bounce = self.head("postfix/bounce")
        self.pickup = self.head("postfix/pickup")
        self.anvil = self.head("postfix/anvil")
        self.dovecot = self.bare_head("dovecot")
        self.amavis = self.head("amavis")

    def smtpd(self, key: tuple[str, str], time: int, *, submitted: bool, opens: bool) -> str:
        """Find the process of a connection: a free one, or that of the connection still open."""
        head = None if opens else self._open.get(key)
        if head is None:
            head = self._open[key] = self._pools[submitted].take(time - 300_000)
        return head

    def smtpd_done(self, key: tuple[str, str], head: str, time: int, *, submitted: bool) -> None:
        """Give the process back, unless it has served long enough."""
        self._open.pop(key, None)
        if self._rng.random() < 0.97:
            self._pools[submitted].give_back(head, time)

    def ready(self, begin: int, horizon: int) -> list[Line]:
        """Take the lines from `begin` on and before `horizon`, in order; they leave the buffer."""
        self._lines.sort()
        cut = bisect_left(self._lines, (horizon, ""))
        ready = self._lines[:cut]
        del self._lines[:cut]
        if ready and ready[0][0] < begin:
            del ready[: bisect_left(ready, (begin, ""))]
        return ready

    def _new_inode(self) -> int:
        self._next_inode += 1
        return self._next_inode
