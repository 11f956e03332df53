# SPDX-License-Identifier: Apache-2.0
"""A rehearsal on real servers, for `make rehearse`: a takeover against real Postfix and Dovecot with the guard at the port.

An invented company has a past of a month, which the guard learns. Then real servers run on loopback, ten owners work
on, and an intruder signs in with a stolen password and sends 1,220 mails. It ends by saying how many left, how many lie
on hold, that a release delivers them, and that no owner's mail was touched. Then the account is closed by one command and
given back by another. It fails where one of its promises does not hold.
"""

import json
import re
import shutil
import socket
import subprocess
import sys
import tempfile
import threading
import time
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from email.message import EmailMessage
from email.utils import make_msgid
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

from closing import SCRIPT, Closing, Scene, close, lures_inside
from servers import MailServer, free_port, missing, until

from hikeshi.drill import scenarios
from hikeshi.drill.scenarios import Scenario
from hikeshi.drill.style import LogStyle
from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.lake import opened
from hikeshi.evidence.seal import Manifest

ZONE = "Asia/Tokyo"
MAILS = 1220
OWNERS = 10
#: colleagues whom the intruder writes to as well
COLLEAGUES = 20
MAILS_OF_AN_OWNER = 6
#: mails of the intruder that may leave before the first one is held
MAY_LEAVE = 5
#: where the intruder comes from: the documentation address of the founding case, on loopback
ELSEWHERE = "127.0.113.77"
LURE = "Invoice 4711"

_ADDRESS = re.compile(r"(?<=[\[=])(?:192|198|203|10|100)\.(\d+\.\d+\.\d+)\b")


@dataclass(frozen=True)
class Owner:
    """Somebody who works here: from where, and the addresses written to most."""

    account: str
    place: str
    friends: list[str]


@dataclass
class Outcome:
    """What became of everything."""

    handed_in: int = 0
    left_before: int = 0
    held: int = 0
    owners_sent: int = 0
    owners_held: int = 0
    owners_delivered: int = 0
    dropped: int = 0
    delivered_after_release: int = 0
    undelivered: int = 0
    seconds: float = 0.0
    closing: Closing = field(default_factory=Closing)

    def broken(self) -> list[str]:
        """Say which promises were not kept."""
        promises = {
            f"at most {MAY_LEAVE} mails of {MAILS} leave": self.left_before <= MAY_LEAVE,
            "every mail of the intruder was taken": self.handed_in == MAILS,
            "what did not leave lies on hold": self.left_before + self.held == self.handed_in,
            "no owner's mail is held": self.owners_held == 0,
            "every owner's mail is delivered": self.owners_delivered == self.owners_sent > 0,
            "a drop with a name and a reason drops that one": self.dropped == 1,
            "a release delivers all the others": self.delivered_after_release == self.held - self.dropped
            and self.undelivered == 0,
        }
        return [promise for promise, kept in promises.items() if not kept] + self.closing.broken()


def past(folder: Path, now: datetime) -> Path:
    """Write the company's last thirty days, its people's addresses moved to loopback; give the folder of logs."""
    start = (now - timedelta(days=31)).replace(hour=6, minute=25, second=2, microsecond=0, tzinfo=None)
    style = LogStyle(stamps="rfc3164", zone=ZONE)
    scenarios.write(Scenario("rehearsal", staff=40, days=30, seed=20261125, start=start, style=style), folder)
    for path in (folder / "logs").iterdir():
        path.write_text(_ADDRESS.sub(r"127.\1", path.read_text("utf-8")), encoding="utf-8")
    return folder / "logs"


def owners(logs: Path, folder: Path) -> list[Owner]:
    """Give the people of these logs who send from a usual place, those who write most first."""
    with opened(folder / "lake", {}) as lake:
        collect(lake, Manifest(), [str(logs)], Reading(ZONE), folder / "set-aside", lambda _: None)
        rows = lake.sql.execute(
            """
            WITH usual AS (
                SELECT account, arg_max(client_ip, mails) AS place, sum(mails) AS mails FROM (
                    SELECT account, client_ip, count(*) AS mails FROM messages
                    WHERE account IS NOT NULL AND starts_with(client_ip, '127.') GROUP BY ALL
                ) GROUP BY account
            ), friends AS (
                SELECT account, address, count(*) AS mails
                FROM messages JOIN deliveries USING (message_key) WHERE account IS NOT NULL GROUP BY ALL
            )
            SELECT account, place, list(address ORDER BY friends.mails DESC, address)[:12]
            FROM usual JOIN friends USING (account) GROUP BY account, place, usual.mails
            HAVING count(*) >= 12 ORDER BY usual.mails DESC, account"""
        ).fetchall()
    return [Owner(*row) for row in rows]


def command(*words: str, **options: Any) -> subprocess.CompletedProcess[str]:
    """Run hikeshi as its users do."""
    return subprocess.run(
        [sys.executable, "-m", "hikeshi.cli", *words], capture_output=True, text=True, check=True, **options
    )


@contextmanager
def guarding(port: int, *options: str) -> Iterator[subprocess.Popen[str]]:
    """Run the guard for the time of a with block."""
    with tempfile.TemporaryFile("w+") as said:
        guard = subprocess.Popen(
            [sys.executable, "-m", "hikeshi.cli", "guard", "--listen", f"inet:127.0.0.1:{port}", *options],
            stdout=said, stderr=said, text=True,
        )  # fmt: skip
        try:
            until(lambda: _listening(port) or guard.poll() is not None, "the guard listens")
            if guard.poll() is not None:
                said.seek(0)
                raise RuntimeError(f"the guard ended: {said.read()}")
            yield guard
        finally:
            guard.terminate()
            guard.wait(20)


def _listening(port: int) -> bool:
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def letter(sender: str, recipient: str, subject: str, body: str) -> bytes:
    """Write a mail."""
    mail = EmailMessage()
    mail["From"], mail["To"], mail["Subject"] = sender, recipient, subject
    mail["Message-ID"] = make_msgid(domain=sender.partition("@")[2])
    mail.set_content(body)
    return mail.as_bytes().replace(b"\n", b"\r\n")


def work(server: MailServer, owner: Owner, number: int, sent: list[str], over: threading.Event) -> None:
    """Be an owner at work: a mail now and then to people one knows, from where one always is."""
    rng = Random(f"owner {number}")
    for turn in range(MAILS_OF_AN_OWNER):
        recipient = rng.choice(owner.friends)
        text = " ".join(
            rng.choices("the of parts order drawing tomorrow please thanks meeting at ten".split(), k=60 + 40 * turn)
        )
        with server.session(owner.account, owner.place) as smtp:
            receipt = smtp.hand_in(
                owner.account,
                [recipient],
                letter(owner.account, recipient, f"{rng.choice('AB')}{rng.randrange(9999)}", text),
            )
        if receipt.queue_id:
            sent.append(receipt.queue_id)
        over.wait(rng.uniform(0.5, 2.0))


def intrude(server: MailServer, victim: str, addresses: list[str]) -> list[str]:
    """Be the intruder: sign in with the stolen password from elsewhere and send the lure to everyone; give queue ids."""
    taken: list[str] = []
    body = "Dear customer,\nplease find the corrected invoice attached.\n" * 20
    for begin in range(0, len(addresses), 100):
        with server.session(victim, ELSEWHERE) as smtp:
            for address in addresses[begin : begin + 100]:
                receipt = smtp.hand_in(victim, [address], letter(victim, address, LURE, body))
                if receipt.queue_id:
                    taken.append(receipt.queue_id)
    return taken


def rehearse(folder: Path, say: Any) -> Outcome:
    """Play it all in `folder`; give what happened."""
    now = datetime.now(ZoneInfo(ZONE))
    say("inventing a company's past month …")
    logs = past(folder / "past", now)
    people = owners(logs, folder / "past")
    victim, staff = people[0], people[1 : OWNERS + 1]
    domain = victim.account.partition("@")[2]
    inside = {address for one in people for address in (one.account, *one.friends) if address.endswith(domain)}
    passwords = {account: f"the secret of {account}" for account in sorted(inside)}
    state, case, host = folder / "state", folder / "case", folder / "host"
    host.mkdir()
    say("the guard learns it …")
    command("guard", "learn", str(logs), "--state", str(state), "--org", domain, "--tz", ZONE)
    port = free_port()
    milter = f"{{ inet:127.0.0.1:{port}, connect_timeout=5s, command_timeout=5s, content_timeout=20s, default_action=accept }}"
    server = MailServer(
        host, passwords, zone=ZONE,
        main={"virtual_mailbox_domains": domain}, submission={"smtpd_milters": milter},
    )  # fmt: skip
    with guarding(port, "--state", str(state), "--case", str(case), "--mode", "hold"):
        say("real Postfix and Dovecot start …")
        server.start()
        try:
            outcome = _play(server, victim, staff, state, case, say)
            scene = Scene(server, victim.account, ELSEWHERE, LURE, logs, case, ZONE, domain, letter)
            outcome.closing = close(scene, say)
            return outcome
        finally:
            server.stop()


def _play(server: MailServer, victim: Owner, staff: list[Owner], state: Path, case: Path, say: Any) -> Outcome:
    rng = Random("intruder")
    strangers = [f"customer{number:04d}@firm{number % 97:02d}.example" for number in range(MAILS - COLLEAGUES)]
    strangers += sorted(server.accounts.keys() - {victim.account})[:COLLEAGUES]
    rng.shuffle(strangers)
    server.sieve(victim.account, SCRIPT)
    outcome, sent, over = Outcome(), [], threading.Event()
    say(f"{OWNERS} owners work on; an intruder signs in as {victim.account} and sends {MAILS:,} mails …")
    threads = [
        threading.Thread(target=work, args=(server, owner, number, sent, over)) for number, owner in enumerate(staff)
    ]
    began = time.monotonic()
    for thread in threads:
        thread.start()
    taken = intrude(server, victim.account, strangers)
    outcome.seconds = time.monotonic() - began
    for thread in threads:
        thread.join()
    server.settle()
    queued = server.queued()
    outcome.handed_in = len(taken)
    outcome.held = sum(queued.get(one) == "hold" for one in taken)
    outcome.left_before = sum(one not in queued for one in taken)
    outcome.owners_sent, outcome.owners_held = len(sent), sum(one in queued for one in sent)
    outcome.owners_delivered = len(sent) - outcome.owners_held
    _settle_by_hand(server, victim, outcome, state, case, say)
    return outcome


def _settle_by_hand(server: MailServer, victim: Owner, outcome: Outcome, state: Path, case: Path, say: Any) -> None:
    """Be the administrator: look at what is held, drop one mail with a reason, release the rest."""
    where = ("--state", str(state), "--case", str(case), "--postfix", str(server.etc))
    held = json.loads(command("guard", "held", *where, "--json").stdout)
    say(
        f"`hikeshi guard held` lists {len(held['held']):,} mails of {', '.join(Counter(one['account'] for one in held['held']))}"
    )
    first = held["held"][0]["queue_id"]
    command(
        "guard", "drop", first, *where, "--who", "rehearsal", "--why", "shows that a drop needs a name and a reason"
    )
    outcome.dropped = int(first not in server.queued())
    before = _lures(server)
    say("`hikeshi guard release` lets the rest go …")
    command("guard", "release", "--account", victim.account, *where, "--who", "rehearsal")
    until(lambda: not server.queued(), "the released mails are delivered", 180)
    outcome.delivered_after_release = _lures(server) - before
    outcome.undelivered = len(server.queued())


def _lures(server: MailServer) -> int:
    outside = sum(f"Subject: {LURE}".encode() in mail.data for mail in server.outside.mails)
    return outside + len(lures_inside(server, LURE))


def _say(words: str) -> None:
    sys.stdout.write(f"{words}\n")
    sys.stdout.flush()


def main() -> int:
    """Play it in a folder of its own and tell what happened."""
    if reason := missing():
        sys.stderr.write(f"no rehearsal here: {reason}\n")
        return 2
    folder = Path(tempfile.mkdtemp(prefix="hikeshi-rehearsal-"))
    folder.chmod(0o755)
    try:
        outcome = rehearse(folder, _say)
    finally:
        shutil.rmtree(folder, ignore_errors=True)
    _say(
        f"""
handed in by the intruder   {outcome.handed_in:>6,} in {outcome.seconds:.0f} s
left before the hold        {outcome.left_before:>6,}
held, neither lost nor sent {outcome.held:>6,}
mails of {OWNERS} owners         {outcome.owners_sent:>6,} delivered {outcome.owners_delivered:,}, held {outcome.owners_held:,}
dropped with a reason       {outcome.dropped:>6,}
delivered by the release    {outcome.delivered_after_release:>6,}
closed by one command       {outcome.closing.verified:>6,} steps of {outcome.closing.steps:,} verified in {outcome.closing.seconds:.1f} s
copies of the lure inside   {outcome.closing.copies:>6,} left {outcome.closing.copies_left:,}"""
    )
    for promise in outcome.broken():
        _say(f"NOT KEPT: {promise}")
    return 1 if outcome.broken() else 0


if __name__ == "__main__":
    sys.exit(main())
