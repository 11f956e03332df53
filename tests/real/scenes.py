# SPDX-License-Identifier: Apache-2.0
"""The company of these tests, a `Scene`: what a test does on a host, and the `Evidence` that hikeshi reads of it."""

import re
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from configuration import DOMAIN
from servers import MailServer

from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.lake import Lake, opened
from hikeshi.evidence.seal import Manifest

ALICE, BOB, CAROL, DAVE, EVE = (f"{name}@{DOMAIN}" for name in ("alice", "bob", "carol", "dave", "eve"))
ACCOUNTS = {address: f"the secret of {address}" for address in (ALICE, BOB, CAROL, DAVE, EVE)}
#: a list, and a person who forwards and keeps a copy
FORWARDS = {
    f"team@{DOMAIN}": f"{BOB}, {CAROL}, friend@partner.example",
    DAVE: f"{DAVE}, dave@home.example",
}
LOCAL_LISTS = {"staff": f"{BOB}, everybody@partner.example"}
#: whatever EVE hands in is held
HOLD_EVE = {"smtpd_sender_restrictions": f"check_sasl_access inline:{{ {{{EVE} = HOLD case 12}} }}"}
HEADER_CHECKS = """
/^Subject: .*hold this/ HOLD
/^Subject: .*reject this/ REJECT We do not like it
/^Subject: .*discard this/ DISCARD
/^Subject:/ WARN
"""
ZONE = "Asia/Tokyo"

_STAMP = re.compile(r"^([A-Z][a-z]{2} [ \d]\d \d\d:\d\d:\d\d)", re.MULTILINE)


def letter(name: str, subject: str = "hello", body: str = "Good morning,\r\nyours\r\n") -> bytes:
    """Give a mail whose Message-ID is <name@pc.example.test>."""
    head = f"From: somebody\r\nTo: somebody else\r\nSubject: {subject}\r\nMessage-ID: <{name}@pc.{DOMAIN}>\r\n"
    return f"{head}\r\n{body}".encode()


def named(name: str) -> str:
    """Give the Message-ID of a `letter` as hikeshi keeps it."""
    return f"{name}@pc.{DOMAIN}"


def last_stamp(lines: str) -> datetime:
    """Give the stamp of the last line, in a year of its own, for the log has none."""
    return _read_stamp(_STAMP.findall(lines)[-1])


def shifted(lines: str, moment: datetime) -> str:
    """Write real lines as if the first of them had been logged at `moment`."""
    stamps = _STAMP.findall(lines)
    if not stamps:
        return ""
    first = _read_stamp(stamps[0])
    return _STAMP.sub(lambda found: f"{moment + (_read_stamp(found[1]) - first):%b %e %H:%M:%S}", lines)


def _read_stamp(stamp: str) -> datetime:
    return datetime.strptime(f"2000 {stamp}", "%Y %b %d %H:%M:%S")  # noqa: DTZ007 - as the log has it


@contextmanager
def running(**settings: Any) -> Iterator[MailServer]:
    """Run a mail host of its own for the time of a with block."""
    with tempfile.TemporaryDirectory(prefix="hikeshi-real-") as folder:
        server = MailServer(Path(folder), ACCOUNTS, **{"header_checks": HEADER_CHECKS, "zone": ZONE} | settings)
        try:
            server.start()
            yield server
        finally:
            server.stop()


class Evidence:
    """What hikeshi has read."""

    def __init__(self, lake: Lake, manifest: Manifest) -> None:
        self.lake, self.manifest = lake, manifest

    def table(self, name: str, order: str = "ALL") -> list[dict[str, Any]]:
        """Give the rows of a table by column."""
        asked = self.lake.sql.execute(f"SELECT * FROM {name} ORDER BY {order}")
        names = [column[0] for column in asked.description]
        return [dict(zip(names, row, strict=True)) for row in asked.fetchall()]

    def rows(self, name: str, *columns: str) -> list[tuple[Any, ...]]:
        """Give some columns of a table, in the order of their values."""
        return self.lake.sql.execute(f"SELECT {', '.join(columns)} FROM {name} ORDER BY ALL").fetchall()

    def message(self, name: str) -> dict[str, Any]:
        """Give the only message with this Message-ID, save for notifications about it."""
        (found,) = [row for row in self.table("messages") if row["message_id"] == named(name)]
        return found

    def fates(self, name: str) -> dict[str, str]:
        """Give address → status of the message with this Message-ID."""
        return {address: row["status"] for address, row in self.deliveries(name).items()}

    def deliveries(self, name: str) -> dict[str, dict[str, Any]]:
        """Give address → delivery of the message with this Message-ID."""
        key = self.message(name)["message_key"]
        return {row["address"]: row for row in self.table("deliveries") if row["message_key"] == key}


class Scene:
    """What a test does on `server`, from now on."""

    def __init__(self, server: MailServer, folder: Path, stack: ExitStack) -> None:
        self.server, self.folder, self.stack = server, folder, stack
        server.settle()
        server.outside.mails.clear()
        self._from = self.sizes()
        self._runs = 0
        self.began = _now()

    def sizes(self) -> dict[Path, int]:
        """Say how long the logs are now."""
        return {path: path.stat().st_size for path in (self.server.mail_log, self.server.dovecot_log)}

    def logs(self) -> list[Path]:
        """Write what both servers have logged since the scene began, once everything has come to rest."""
        self.server.settle()
        self._runs += 1
        written = []
        for path, start in self._from.items():
            written.append(self.folder / f"{self._runs}-{path.name}")
            written[-1].write_bytes(path.read_bytes()[start:])
        return written

    def read(self, tz: str | None = ZONE) -> Evidence:
        """Let hikeshi read what was logged since the scene began."""
        return self.read_logs(self.logs(), tz)

    def read_logs(self, paths: Sequence[Path], tz: str | None = ZONE) -> Evidence:
        """Let hikeshi read logs, and hold law 1: every line counted, none of a real server set aside."""
        manifest = Manifest()
        folder = Path(tempfile.mkdtemp(prefix="case-", dir=self.folder))
        lake = self.stack.enter_context(opened(folder / "evidence", {}))
        collect(lake, manifest, [str(path) for path in paths], Reading(tz), folder / "set-aside", lambda _: None)
        assert manifest.unreadable == []
        assert {sealed.path for sealed in manifest.inputs} == {str(path) for path in paths}
        for sealed in manifest.inputs:
            lines = Path(sealed.path).read_bytes().count(b"\n")
            assert sealed.records == sealed.taken + sealed.skipped == lines
            assert (sealed.set_aside, sealed.problems) == (0, [])
        return Evidence(lake, manifest)

    def when(self, moment: datetime) -> bool:
        """Say whether a time of the lake lies within the scene; a log without fractions cuts them off."""
        return self.began - timedelta(seconds=1) <= moment <= _now()


def _now() -> datetime:
    return datetime.now(UTC).replace(tzinfo=None)
