# SPDX-License-Identifier: Apache-2.0
"""One mail host of a company in one folder: real Postfix and Dovecot on loopback, and the outside world it talks to.

Nothing outside the folder is written, no port is fixed, and when `stop` returns the last process is gone. It needs
root, for Postfix insists on owners; the packages are named in `PACKAGES`.
"""

import json
import os
import random
import re
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

import configuration
from clients import Imap, Pop3, Receipt, Sender
from configuration import DAEMONS, PORTS
from outside import Filter, Outside, Postman

PACKAGES = ("postfix", "dovecot-imapd", "dovecot-lmtpd", "dovecot-pop3d", "dovecot-sieve", "dovecot-submissiond")
_NEEDED = {
    "/usr/sbin/postconf": "postfix",
    "/usr/sbin/dovecot": "dovecot-core",
    "/usr/lib/dovecot/imap": "dovecot-imapd",
    "/usr/lib/dovecot/lmtp": "dovecot-lmtpd",
    "/usr/lib/dovecot/pop3": "dovecot-pop3d",
    "/usr/lib/dovecot/modules/lib90_sieve_plugin.so": "dovecot-sieve",
    "/usr/lib/dovecot/submission": "dovecot-submissiond",
}
_KEEPER = Path(__file__).with_name("keeper.py")
_PATIENCE = 20.0
#: not the common generator: hypothesis sets its seed, and then two workers would choose the same ports
_CHANCE = random.SystemRandom()
_STARTED, _RELOADED = "daemon started -- version", "reload -- version"


def missing() -> str | None:
    """Say why no mail server can be started here; None where one can."""
    if os.geteuid() != 0:
        return "real mail servers need root"
    packages = {package for path, package in _NEEDED.items() if not Path(path).exists()}
    if packages:
        return f"not installed: {', '.join(sorted(packages))}; all of it: apt-get install {' '.join(PACKAGES)}"
    version = subprocess.run(["/usr/sbin/dovecot", "--version"], capture_output=True, text=True, check=True).stdout
    return None if version.startswith("2.3.") else f"the configuration here is for Dovecot 2.3, not {version.strip()}"


def until(met: Callable[[], bool], what: str, patience: float = _PATIENCE) -> None:
    """Wait until `met`, looking often, and fail with `what` when patience ends."""
    end = time.monotonic() + patience
    while not met():
        if time.monotonic() > end:
            raise TimeoutError(f"waited {patience:.0f} s in vain: {what}")
        time.sleep(0.02)


class MailServer:
    """A mail host with `accounts` (address → password), logging to `mail_log` and `dovecot_log` in `zone`.

    `main` are settings of main.cf and `submission` of the submission ports, for variants: a milter, long queue ids,
    other restrictions. `forwards` are virtual aliases, `lists` the members of lists at LISTS that local(8) expands. Sieve's
    redirects leave by "sendmail" or by "smtp".
    """

    def __init__(
        self,
        root: Path,
        accounts: Mapping[str, str],
        *,
        zone: str = "Asia/Tokyo",
        main: Mapping[str, str] | None = None,
        submission: Mapping[str, str] | None = None,
        forwards: Mapping[str, str] | None = None,
        lists: Mapping[str, str] | None = None,
        header_checks: str = "",
        redirects_by: str = "sendmail",
    ) -> None:
        self.root, self.accounts = root, dict(accounts)
        self.forwards, self.lists, self.header_checks = dict(forwards or {}), dict(lists or {}), header_checks
        self.main, self.submission = dict(main or {}), dict(submission or {})
        self.etc, self.queue, self.log, self.run = (root / name for name in ("etc", "queue", "log", "dovecot"))
        self.mail_log, self.dovecot_log = self.log / "mail.log", self.log / "dovecot.log"
        self.ports = dict(zip(PORTS, free_ports(len(PORTS)), strict=True))
        self.outside = Outside()
        self.filter = Filter(self.ports["back"])
        self.redirects_by = redirects_by
        self._environment = {"PATH": "/usr/sbin:/usr/bin:/sbin:/bin", "MAIL_CONFIG": str(self.etc), "TZ": zone}
        self._postman = Postman(self._sendmail)
        self._running: list[subprocess.Popen[bytes]] = []
        self._marks = 0

    # Life

    def start(self) -> None:
        """Lay everything out and start it; returns when every port is open."""
        self._lay_out()
        for one in (self.outside, self.filter, self._postman):
            one.start()
        self.run_servers()

    def stop(self) -> None:
        """Stop it for good; no process of it is left."""
        self.stop_servers()
        for one in (self.outside, self.filter, self._postman):
            one.stop()

    def run_servers(self) -> None:
        """Start Dovecot and Postfix, with what the queue and the mailboxes hold."""
        starts = _count(self.mail_log, _STARTED)
        self._run("dovecot", "/usr/sbin/dovecot", "-F", "-c", str(self.etc / "dovecot.conf"))
        self._run("postfix", str(DAEMONS / "master"), "-c", str(self.etc))
        self._wait_for("Dovecot", (self.run / "auth").exists)
        self._wait_for("Postfix", lambda: _count(self.mail_log, _STARTED) > starts)

    def stop_servers(self) -> None:
        """Stop Postfix and Dovecot as they are, whatever they are doing."""
        for process in self._running:
            process.send_signal(signal.SIGTERM)
        for process in self._running:
            process.wait(_PATIENCE)
        self._running.clear()

    def _wait_for(self, what: str, met: Callable[[], bool]) -> None:
        """Wait for `met`, but not for a server that has ended."""
        until(lambda: met() or any(process.poll() is not None for process in self._running), what)
        if not met():
            raise RuntimeError(f"no {what}: " + "".join(path.read_text() for path in self.log.iterdir()))

    def _run(self, name: str, *command: str) -> None:
        with (self.log / f"{name}.out").open("wb") as out:
            self._running.append(
                subprocess.Popen(
                    [sys.executable, str(_KEEPER), *command],
                    env=self._environment, stdin=subprocess.DEVNULL, stdout=out, stderr=out, start_new_session=True,
                )
            )  # fmt: skip

    # Mail in and out

    @contextmanager
    def session(
        self, account: str | None = None, source: str = "127.0.0.5", port: str = "submission", mechanism: str = "PLAIN"
    ) -> Iterator[Sender]:
        """Open an SMTP connection for several mails, signed in where an account is named."""
        with Sender(self.ports[port], source) as smtp:
            if account is not None:
                smtp.sign_in(account, self.accounts[account], mechanism)
            yield smtp

    def submit(
        self, account: str, password: str, sender: str, recipients: list[str], message: bytes, source: str = "127.0.0.5"
    ) -> Receipt:
        """Hand in one mail over the submission port, in a connection of its own.

        Raises:
            smtplib.SMTPAuthenticationError: wrong password.

        """
        with Sender(self.ports["submission"], source) as smtp:
            smtp.sign_in(account, password)
            return smtp.hand_in(sender, recipients, message)

    def receive(self, sender: str, recipients: list[str], message: bytes, source: str = "127.0.0.25") -> Receipt:
        """Let an outside server hand in one mail at the SMTP port."""
        with self.session(None, source, "smtp") as smtp:
            return smtp.hand_in(sender, recipients, message)

    @contextmanager
    def imap(self, account: str, source: str = "127.0.0.5") -> Iterator[Imap]:
        """Sign in by IMAP and log out at the end."""
        with Imap(self.ports["imap"], source) as imap:
            imap.login(account, self.accounts[account])
            yield imap

    @contextmanager
    def pop3(self, account: str, source: str = "127.0.0.5") -> Iterator[Pop3]:
        """Sign in by POP3 and log out at the end."""
        pop3 = Pop3(self.ports["pop3"], source)
        try:
            pop3.user(account)
            pop3.pass_(self.accounts[account])
            yield pop3
            pop3.quit()
        finally:
            pop3.close()

    def sieve(self, account: str, script: str) -> None:
        """Give an account a Sieve script; an empty one takes it away."""
        path = self._home(account) / ".dovecot.sieve"
        path.write_text(script)
        shutil.chown(path, "nobody")

    # The queue

    def command(self, *command: str, text: str = "") -> str:
        """Run a Postfix command on this instance and give what it says."""
        done = subprocess.run(
            command, env=self._environment, input=text, capture_output=True, text=True, check=True, timeout=_PATIENCE
        )
        return done.stdout + done.stderr

    def _sendmail(self, arguments: list[str], message: bytes) -> int:
        done = subprocess.run(["sendmail", *arguments], env=self._environment, input=message, check=False)
        return done.returncode

    def queued(self) -> dict[str, str]:
        """Give what lies in the queue: queue id → active, incoming, deferred or hold."""
        listed = (json.loads(line) for line in self.command("postqueue", "-j").splitlines())
        return {one["queue_id"]: one["queue_name"] for one in listed}

    def flush(self) -> None:
        """Try everything that is deferred once more, now."""
        self.command("postqueue", "-f")

    def wake(self) -> None:
        """Let what has been queued anew (`postsuper -r`) be picked up now."""
        self.command("postkick", "public", "pickup", "W")

    def hold(self, queue_id: str) -> None:
        """Place a mail on hold."""
        self.command("postsuper", "-h", queue_id)

    def release(self, queue_id: str) -> None:
        """Release a mail from hold and let it go on its way at once."""
        self.command("postsuper", "-H", queue_id)
        self.flush()

    def empty(self) -> None:
        """Throw away whatever is queued, by id: of `ALL` the log would only tell how many."""
        self.command("postsuper", "-d", "-", text="\n".join(self.queued()))

    def change(self, **settings: str) -> None:
        """Change settings of main.cf and let the running server take them over."""
        self.command("postconf", "-e", *(f"{name}={value}" for name, value in settings.items()))
        _aged(self.etc / "main.cf")
        pid = int((self.queue / "pid" / "master.pid").read_text())
        reloads = _count(self.mail_log, _RELOADED)
        os.kill(pid, signal.SIGHUP)
        until(lambda: _count(self.mail_log, _RELOADED) > reloads, "Postfix reloads")

    def settle(self) -> None:
        """Wait until every mail has been delivered, deferred or held and the log has been written to the end."""
        end = time.monotonic() + _PATIENCE
        while going := self._going_on():
            if time.monotonic() > end:
                raise TimeoutError(f"{going} has not come to rest\n{self.mail_log.read_text()[-5000:]}")
            time.sleep(0.02)

    def _going_on(self) -> set[str]:
        """Give the queue ids and Dovecot sessions that are not at rest."""
        queued = self.queued()
        if moving := {queue_id for queue_id, name in queued.items() if name not in ("deferred", "hold")}:
            return moving
        self._write_out()
        return (_unfinished(self.mail_log.read_text()) - queued.keys()) | _signed_in(self.dovecot_log.read_text())

    def _write_out(self) -> None:
        """Wait for what has been logged so far to stand in the file: postlogd writes in the order of coming."""
        self._marks += 1
        mark = f"end of the lines before mark {self._marks};"
        self.command("postlog", "-t", "mark", mark)
        until(lambda: mark in self.mail_log.read_text(), "postlogd writes")

    # Folders

    def _home(self, account: str) -> Path:
        return self.root / "homes" / account

    def _lay_out(self) -> None:
        self.root.chmod(0o755)
        for folder in (self.etc, self.log, self.run, self.root / "homes", self.queue / "pid"):
            folder.mkdir(parents=True)
        _owned(self.root / "data", 0o700, "postfix")
        for name in "active bounce corrupt defer deferred flush hold incoming private saved trace".split():
            _owned(self.queue / name, 0o700, "postfix")
        _owned(self.queue / "maildrop", 0o1730, "postfix", "postdrop")
        _owned(self.queue / "public", 0o2710, "postfix", "postdrop")
        for account in self.accounts:
            _owned(self._home(account), 0o700, "nobody", "nogroup")
        for name, content in configuration.files(self).items():
            (self.etc / name).write_text(content)
            _aged(self.etc / name)
        wrapper = self.root / "sendmail"
        wrapper.write_text(configuration.sendmail(self._postman.port))
        wrapper.chmod(0o755)


def _aged(path: Path) -> None:
    """Make a file look settled: Postfix waits two seconds for one that may still be being written."""
    long_ago = time.time() - 60
    os.utime(path, (long_ago, long_ago))


def _owned(folder: Path, mode: int, user: str, group: str | None = None) -> None:
    folder.mkdir()
    shutil.chown(folder, user, group)
    folder.chmod(mode)


def free_ports(count: int) -> list[int]:
    """Find ports that nobody listens on, below those that the system gives to clients."""
    found: list[int] = []
    while len(found) < count:
        port = _CHANCE.randrange(10_000, 30_000)
        with socket.socket() as trial:
            if port not in found and trial.connect_ex(("127.0.0.1", port)):
                found.append(port)
    return found


def free_port() -> int:
    """Give a port that nobody listens on."""
    return free_ports(1)[0]


def _count(log: Path, words: str) -> int:
    return log.read_text().count(words) if log.exists() else 0


def _unfinished(log: str) -> set[str]:
    """Give the queue ids that the queue manager has taken up and not yet done with; ids may come again."""
    going: set[str] = set()
    for queue_id, what in re.findall(r"/(?:qmgr|postsuper)\[\d+\]: (\w+): (from=<[^>]*>, size=|removed|requeued)", log):
        (going.add if what.startswith("from") else going.discard)(queue_id)
    return going


def _signed_in(log: str) -> set[str]:
    """Give the Dovecot sessions that have begun since Dovecot was started and not ended."""
    log = log.rpartition("starting up for")[2]
    begun = set(re.findall(r"-login: Info: Login: .*session=<([^>]+)>", log))
    return begun - set(re.findall(r"\)<\d+><([^>]+)>: Info: (?:Disconnected|Logged out|Connection closed)", log))
