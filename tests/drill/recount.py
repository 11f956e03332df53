# SPDX-License-Identifier: Apache-2.0
"""A slow, plain second opinion: counts written log files line by line, knowing nothing of the generator.

It is told only which message ids are the attacker's, since on the owner's own address nothing else tells them apart.
"""

import gzip
import re
from dataclasses import dataclass, field
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

HEAD = re.compile(
    r"(?:<22>1 )?(?P<stamp>[A-Z][a-z]{2} [ \d]\d [\d:]{8}|\d{4}-\S+) (?P<host>\S+) "
    r"(?P<tag>[a-z/]+)(?:\[\d+\])?:?(?: \d+ - -| - - -)? (?P<text>.*)"
)
RANK = ("delivered", "deferred", "held", "unknown", "expired", "bounced")
STATUS = {"sent": "delivered", "bounced": "bounced", "deferred": "deferred"}


@dataclass
class Message:
    host: str
    way: str
    time: datetime | None = None
    account: str = ""
    ip: str = ""
    message_id: str = ""
    size: int = 0
    nrcpt: int = 0
    fates: dict[str, str] = field(default_factory=dict)
    behind: list["Message"] = field(default_factory=list)

    def final(self) -> dict[str, str]:
        fates = dict(self.fates)
        for other in self.behind:
            fates.update(other.fates)
        return fates


def files(logs: Path) -> list[list[Path]]:
    """Per host, the oldest file first."""
    folders = [path for path in sorted(logs.iterdir()) if path.is_dir()] or [logs]

    def age(path: Path) -> int:
        found = re.search(r"\.(\d+)", path.name.removeprefix("mail.log"))
        return int(found[1]) if found else 0

    return [sorted(folder.iterdir(), key=age, reverse=True) for folder in folders]


def lines(path: Path) -> list[str]:
    octets = path.read_bytes()
    return (gzip.decompress(octets) if path.suffix == ".gz" else octets).decode().splitlines()


class Recount:
    def __init__(self, logs: Path, zone: str, year: int) -> None:
        self.zone, self.year, self.month = ZoneInfo(zone), year, 0
        self.lines = 0
        self.last = ("", datetime.now(self.zone))
        self.unread: list[str] = []
        self.times: dict[str, list[datetime]] = {}
        self.messages: list[Message] = []
        self.reused = 0
        for group in files(logs):
            self.month, self.year = 0, year
            self.live: dict[str, Message] = {}
            self.latest: dict[str, Message] = {}
            for path in group:
                for line in lines(path):
                    self._line(line)

    def _line(self, line: str) -> None:
        self.lines += 1
        found = HEAD.fullmatch(line)
        if not found:
            self.unread.append(line)
            return
        if found["stamp"] != self.last[0]:
            self.last = (found["stamp"], self._time(found["stamp"]))
        time = self.last[1]
        self.times.setdefault(found["host"], []).append(time)
        if not found["tag"].startswith("postfix/"):
            return
        queue_id, colon, rest = found["text"].partition(": ")
        if colon and re.fullmatch(r"[0-9A-Za-z]{8,}", queue_id) and queue_id not in ("statistics", "NOQUEUE"):
            self._queue(found["host"], queue_id, rest, time)

    def _time(self, stamp: str) -> datetime:
        if stamp[0].isdigit():
            return datetime.fromisoformat(stamp).astimezone(self.zone).replace(microsecond=0)
        time = datetime.strptime(f"{self.year} {stamp} +0000", "%Y %b %d %H:%M:%S %z").replace(tzinfo=None)
        if time.month < self.month:
            self.year += 1
            time = time.replace(year=self.year)
        self.month = time.month
        return time.replace(tzinfo=self.zone)

    def _new(self, queue_id: str, message: Message) -> None:
        assert queue_id not in self.live, f"{queue_id} is still in the queue"
        self.reused += queue_id in self.latest
        self.live[queue_id] = self.latest[queue_id] = message
        self.messages.append(message)

    def _queue(self, host: str, queue_id: str, rest: str, time: datetime) -> None:
        if found := re.match(r"client=\S+\[(.*?)\](?:, sasl_method=PLAIN, sasl_username=(\S+))?$", rest):
            way = "submitted" if found[2] else "inbound"
            self._new(queue_id, Message(host, way, time, found[2] or "", found[1]))
        elif rest.startswith("uid="):
            self._new(queue_id, Message(host, "pickup", time))
        elif queue_id not in self.live:
            way = "notice" if rest.startswith("message-id=<") and host in rest.rpartition("@")[2] else "before"
            self._new(queue_id, Message(host, way, time))
        message = self.live[queue_id]
        if found := re.match(r"message-id=<(.*)>", rest):
            message.message_id = found[1]
        elif found := re.match(r"from=<.*>, size=(\d+), nrcpt=(\d+) \(queue active\)", rest):
            message.size, message.nrcpt = int(found[1]), int(found[2])
        elif rest.endswith("status=expired, returned to sender"):
            message.fates.update({to: "expired" for to, fate in message.fates.items() if fate == "deferred"})
        elif rest == "removed":
            del self.live[queue_id]
        elif found := re.match(
            r"to=<(.*?)>, relay=(\S+), delay=[\d.]+, delays=\S+, dsn=\S+, status=(\w+) \((.*)\)$", rest
        ):
            self._delivery(message, found)

    def _delivery(self, message: Message, found: re.Match[str]) -> None:
        to, relay, status, reason = found.groups()
        if relay == "127.0.0.1[127.0.0.1]:10024":
            other = self.latest[reason.rsplit(" ", 1)[1]]
            other.way = "filtered"
            message.fates[to] = "unknown"
            if other not in message.behind:
                message.behind.append(other)
        else:
            message.fates[to] = STATUS[status]

    def counts(self) -> dict[str, int]:
        return {
            "lines": self.lines,
            "messages": sum(message.way not in ("filtered", "before") for message in self.messages),
            "deliveries": sum(self._named(message) for message in self.messages),
            "submitted": sum(message.way == "submitted" for message in self.messages),
        }

    def _named(self, message: Message) -> int:
        return len(message.fates) if not message.behind else 0

    def attack(self, account: str, message_ids: set[str], ips: set[str]) -> dict[str, object]:
        """One account of an attack, in the words of truth.json."""
        mine = [m for m in self.messages if m.account == account and m.message_id in message_ids and m.ip in ips]
        best: dict[str, str] = {}
        for message in mine:
            for to, fate in message.final().items():
                local, _, domain = to.rpartition("@")
                key = f"{local}@{domain.lower()}"
                best[key] = min(best.get(key, "bounced"), fate, key=RANK.index)
        fates = list(best.values())
        times = [message.time for message in mine if message.time]
        return {
            "messages": len(mine),
            "addresses": len(best),
            "domains": len({address.split("@")[1] for address in best}),
            "first_message_at": min(times).isoformat(),
            "last_message_at": max(times).isoformat(),
            **{fate: fates.count(fate) for fate in ("delivered", "bounced", "deferred", "expired", "unknown")},
            "client_ips": sorted({message.ip for message in mine}),
            "message_ids": sorted({message.message_id for message in mine}),
            "recipients": dict(sorted(best.items())),
        }
