# SPDX-License-Identifier: Apache-2.0
"""The guard's milter at the submission port of real Postfix: what goes, what is held, and what if the guard is away."""

import json
import signal
import smtplib
import socket
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from configuration import DOMAIN
from scenes import ALICE, BOB, letter, named, running
from servers import MailServer, until

from hikeshi.guard.port import server

FRIEND = "friend@partner.example"
_PATIENCE = 20
#: shorter than what docs recommend, so that the tests do not wait long
_TIMES = "connect_timeout=1s, command_timeout=1s, content_timeout=2s"


class Gatekeeper:
    """A guard in a process of its own, at a port that stays the same."""

    def __init__(self, folder: Path) -> None:
        with server.listening("inet:127.0.0.1:0") as trial:
            self.listen = f"inet:127.0.0.1:{trial.getsockname()[1]}"
        self._folder, self._runs = folder, 0
        self._process: subprocess.Popen[bytes] | None = None

    def start(self, budget: float = 60) -> None:
        """Start it; it gives a decision `budget` seconds."""
        self.end()
        self._runs += 1
        program = Path(__file__).with_name("gatekeeper.py")
        with self._out.open("wb") as out, self._errors.open("wb") as errors:
            command = [sys.executable, str(program), self.listen, str(budget)]
            self._process = subprocess.Popen(command, stdout=out, stderr=errors)
        until(self._reachable, "the gatekeeper listens")

    def send(self, number: int) -> None:
        """Send it a signal."""
        self._process.send_signal(number)

    def wait(self) -> None:
        """Wait for its end."""
        self._process.wait(_PATIENCE)

    def most_memory(self) -> int:
        """Give the most memory that it has ever used, in KiB."""
        return int(Path(f"/proc/{self._process.pid}/status").read_text().partition("VmHWM:")[2].split()[0])

    def end(self) -> None:
        """End it, in whatever state it is."""
        if self._process is not None and self._process.poll() is None:
            self._process.kill()
            self.wait()

    def mails(self) -> list[dict]:
        """Give the mails that it was shown since it was started."""
        return [json.loads(line) for line in self._out.read_text().splitlines()]

    def complaints(self) -> str:
        """Give what it has said on stderr since it was started."""
        return self._errors.read_text()

    @property
    def _out(self) -> Path:
        return self._folder / f"{self._runs}.out"

    @property
    def _errors(self) -> Path:
        return self._folder / f"{self._runs}.err"

    def _reachable(self) -> bool:
        with socket.socket() as trial:
            _, host, port = self.listen.split(":")
            return trial.connect_ex((host, int(port))) == 0


@pytest.fixture(scope="module")
def gatekeeper(tmp_path_factory) -> Iterator[Gatekeeper]:
    """A guard at the port that `guarded` asks."""
    one = Gatekeeper(tmp_path_factory.mktemp("gatekeeper"))
    yield one
    one.end()


@pytest.fixture(scope="module")
def guarded(gatekeeper) -> Iterator[MailServer]:
    """A host whose submission port and whose local mail ask the guard."""
    milter = f"{{ {gatekeeper.listen}, {_TIMES}, default_action=$otherwise }}"
    with running(
        header_checks="",
        main={
            "otherwise": "accept",
            "non_smtpd_milters": milter,
            "inet_protocols": "all",
            "message_size_limit": "200000000",
        },
        submission={"smtpd_milters": milter, "smtpd_authorized_xclient_hosts": "127.0.0.0/8"},
    ) as host:
        yield host


@pytest.fixture
def guard(gatekeeper, guarded, scene_of):
    """A guard that has just been started, and a scene on the host that asks it and lets mail go if nobody answers."""
    guarded.change(otherwise="accept")
    gatekeeper.start()
    gatekeeper.scene = scene_of(guarded)
    yield gatekeeper
    gatekeeper.end()
    guarded.empty()


def test_a_mail_that_may_go_goes_and_was_shown_whole(guard):
    with guard.scene.server.session(ALICE, "127.0.0.66") as smtp:
        receipt = smtp.hand_in(ALICE, ["Friend@Partner.Example", BOB], letter("fine", "=?utf-8?B?6KuL5rGC5pu4?="))
    evidence = guard.scene.read()
    assert evidence.fates("fine") == {"Friend@partner.example": "delivered", BOB: "delivered"}
    (shown,) = guard.mails()
    found = evidence.message("fine")
    assert (shown["account"], shown["client_ip"], shown["place"]) == (ALICE, "127.0.0.66", "127.0.0.66")
    assert (shown["sender"], shown["recipients"]) == (ALICE, ["Friend@partner.example", BOB])
    assert (shown["subject"], shown["message_id"]) == ("請求書", found["message_id"])
    assert shown["queue_id"] == receipt.queue_id
    # Postfix counts its Received line as well.
    assert 0 < found["size"] - shown["size"] < 400


def test_a_held_mail_lies_on_hold_and_is_read_so_and_goes_when_released(guard):
    with guard.scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND, BOB], letter("waits", "hold this"))
    guard.scene.server.settle()
    assert receipt.code == 250
    assert guard.scene.server.queued() == {receipt.queue_id: "hold"}
    assert f"{receipt.queue_id}: milter-hold: END-OF-MESSAGE" in guard.scene.server.mail_log.read_text()
    evidence = guard.scene.read()
    found = evidence.message("waits")
    assert (found["account"], found["held"], found["accepted"]) == (ALICE, True, True)
    assert "delivered" not in evidence.fates("waits").values()
    guard.scene.server.release(receipt.queue_id)
    assert guard.scene.read().fates("waits") == {FRIEND: "delivered", BOB: "delivered"}
    assert len(guard.mails()) == 1


def test_a_refused_mail_is_refused_in_our_words(guard):
    with guard.scene.server.session(ALICE, "127.0.0.66") as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND], letter("bad", "refuse this"))
    assert (receipt.code, receipt.words) == (550, "5.7.1 unlike alice, 100 %")
    evidence = guard.scene.read()
    found = evidence.message("bad")
    assert (found["direction"], found["accepted"], found["held"]) == ("refused", False, False)
    assert (found["account"], found["client_ip"], found["mail_from"]) == (ALICE, "127.0.0.66", ALICE)
    assert found["subject"].startswith("5.7.1 unlike alice, 100 %; from=")
    assert found["session"] == evidence.rows("signins", "session")[0][0]
    assert evidence.table("deliveries") == []
    assert guard.scene.server.queued() == {}
    assert guard.scene.server.outside.mails == []


def test_several_mails_in_one_connection_are_each_its_own(guard):
    with guard.scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [FRIEND], letter("one", "hold"))
        smtp.mail(ALICE)
        smtp.rcpt("given-up@partner.example")
        smtp.rset()
        smtp.hand_in(ALICE, [BOB], letter("two", "fine"))
        smtp.hand_in(ALICE, [FRIEND], letter("three", "refuse"))
        smtp.mail(ALICE)
        smtp.rcpt("given-up@partner.example")
        smtp.hand_in("", [FRIEND], letter("four", "fine"))
    shown = [(one["sender"], one["recipients"], one["subject"]) for one in guard.mails()]
    assert shown[:3] == [(ALICE, [FRIEND], "hold"), (ALICE, [BOB], "fine"), (ALICE, [FRIEND], "refuse")]
    assert len({one["session"] for one in guard.mails()}) == 1
    evidence = guard.scene.read()
    assert [evidence.message(name)["held"] for name in ("one", "two")] == [True, False]
    assert evidence.fates("two") == {BOB: "delivered"}


def test_a_thousand_recipients_are_shown_and_held_together(guard):
    addresses = [f"u{number}@partner.example" for number in range(1000)]
    with guard.scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, addresses, letter("many", "hold"))
    (shown,) = guard.mails()
    assert shown["recipients"] == addresses
    assert guard.scene.server.queued() == {receipt.queue_id: "hold"}


def test_a_recipient_that_postfix_refuses_is_not_shown(guard):
    with guard.scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [f"nobody@{DOMAIN}", FRIEND], letter("half"))
    assert list(receipt.refused) == [f"nobody@{DOMAIN}"]
    assert [one["recipients"] for one in guard.mails()] == [[FRIEND]]


def test_a_client_over_ipv6_has_its_address(guard):
    with guard.scene.server.session() as smtp:
        assert smtp.docmd("XCLIENT", f"ADDR=IPV6:2001:db8:1:2::7 PORT=4711 LOGIN={ALICE}")[0] == 220
        smtp.ehlo()
        smtp.hand_in(ALICE, [FRIEND], letter("six"))
    (shown,) = guard.mails()
    assert (shown["account"], shown["client_ip"]) == (ALICE, "2001:db8:1:2::7")
    assert shown["session"].startswith("2001:db8:1:2::7:4711@")


def test_local_mail_that_nobody_signed_in_for_goes_unseen(guard):
    server_ = guard.scene.server
    server_.command("sendmail", "-f", ALICE, FRIEND, text=letter("local", "hold refuse hang").decode())
    assert guard.scene.read().fates("local") == {FRIEND: "delivered"}
    assert guard.mails() == []


def test_a_mail_is_let_go_by_the_guard_itself_when_it_decides_too_slowly(guard):
    guard.start(budget=0.2)
    guard.scene.server.change(otherwise="quarantine")
    with guard.scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND], letter("slow", "hang"))
    assert f"left a mail undecided, go: no decision within 0.2 s ({receipt.queue_id} of {ALICE})" in guard.complaints()
    assert guard.scene.read().fates("slow") == {FRIEND: "delivered"}


_ODD = {
    "zero bytes": b"Subject: hold \0 x\r\nX-A: c\0d\r\nX-A\0B: c\r\n\r\nbody\0body\r\n",
    "bytes that are no text": b"Subject: hold \xff\r\nX-\xff: \xfe\r\n\r\n\xff\r\n",
    "a header line of 200 KiB": b"Subject: hold\r\nX-Long: " + b"x " * 100_000 + b"\r\n\r\nbody\r\n",
    "5,000 header lines": b"Subject: hold\r\n" + b"X-A: b\r\n" * 5000 + b"\r\nbody\r\n",
    "no body": b"Subject: hold\r\n",
    "a body without line ends": b"Subject: hold\r\n\r\n" + b"x" * 300_000 + b"\r\n",
    "a header line that never was": b"Subject: hold\r\n: x\r\n =?\r\n\r\n",
}


@pytest.mark.parametrize("odd", _ODD.values(), ids=_ODD)
def test_whatever_a_client_writes_the_guard_sees_the_mail(guard, odd):
    """Else an intruder would know how to get past a guard that fails open."""
    with guard.scene.server.session(ALICE) as smtp:
        smtp.mail(ALICE)
        smtp.rcpt('"odd <\\"> name"@partner.example')
        smtp.rcpt(FRIEND)
        smtp.docmd("DATA")
        smtp.send(odd + b".\r\n")
        assert smtp.getreply()[0] == 250
    guard.scene.server.settle()
    assert list(guard.scene.server.queued().values()) == ["hold"]
    assert len(guard.mails()) == 1
    assert guard.complaints() == ""


def test_a_hundred_megabytes_are_held_in_little_memory(guard):
    line = b"The quick brown fox jumps over the lazy dog, and so on and so on and so on.\r\n"
    begun = guard.most_memory()
    with guard.scene.server.session(ALICE) as smtp:
        smtp.mail(ALICE)
        smtp.rcpt(FRIEND)
        smtp.docmd("DATA")
        smtp.send(letter("huge", "hold"))
        for _ in range(100):
            smtp.send(line * (2**20 // len(line)))
        smtp.send(b".\r\n")
        assert smtp.getreply()[0] == 250
    (shown,) = guard.mails()
    assert shown["size"] > 100_000_000
    assert guard.most_memory() - begun < 4 * 1024
    assert list(guard.scene.server.queued().values()) == ["hold"]


def test_told_to_stop_the_guard_finishes_the_mail_that_is_being_decided_on(guard):
    guard.scene.server.change(otherwise="quarantine")
    guard.start(budget=0.5)
    with guard.scene.server.session(ALICE) as smtp:
        smtp.mail(ALICE)
        smtp.rcpt(FRIEND)
        smtp.docmd("DATA")
        smtp.send(letter("open", "hang") + b".\r\n")
        until(guard.mails, "the guard is asked")
        guard.send(signal.SIGTERM)
        assert smtp.getreply()[0] == 250
    guard.wait()
    assert guard.scene.read().fates("open") == {FRIEND: "delivered"}


# What becomes of mail while the guard is away, by Postfix's default_action: late perhaps, never lost.


def _killed(guard):
    guard.send(signal.SIGKILL)
    guard.wait()


def _stopped(guard):
    guard.send(signal.SIGSTOP)


def _slow(guard):
    """Leave it alone: it hangs over a decision for longer than Postfix waits."""


_AWAY = [
    (_killed, "before"),
    (_stopped, "before"),
    (_killed, "between"),
    (_stopped, "between"),
    (_killed, "deciding"),
    (_stopped, "deciding"),
    (_slow, "deciding"),
]


@pytest.mark.parametrize(("away", "when"), _AWAY)
@pytest.mark.parametrize(("otherwise", "status"), [("accept", "delivered"), ("quarantine", "held")])
def test_no_mail_is_lost_while_the_guard_is_away(guard, away, when, otherwise, status):
    server_ = guard.scene.server
    server_.change(otherwise=otherwise)
    if when == "before":
        away(guard)
    with server_.session(ALICE) as smtp:
        if when == "between":
            smtp.hand_in(ALICE, [FRIEND], letter("guarded", "hold"))
            away(guard)
        smtp.mail(ALICE)
        smtp.rcpt(FRIEND)
        smtp.docmd("DATA")
        smtp.send(letter("first", "hang" if when == "deciding" else "hold") + b".\r\n")
        if when == "deciding":
            until(guard.mails, "the guard is asked")
            away(guard)
        assert smtp.getreply()[0] == 250
        # The session goes on without a guard, and waits for it no more.
        assert smtp.hand_in(ALICE, [FRIEND], letter("second", "hold")).code == 250
    guard.start()
    with server_.session(ALICE) as smtp:
        assert smtp.hand_in(ALICE, [FRIEND], letter("again")).code == 250
    assert [one["message_id"] for one in guard.mails()] == [f"again@pc.{DOMAIN}"]
    server_.settle()
    queued = list(server_.queued().values())
    went = [name for name in ("first", "second", "again") if _went(server_, name)]
    assert (went, queued.count("hold")) == {
        "delivered": (["first", "second", "again"], int(when == "between")),
        "held": (["again"], 2 + int(when == "between")),
    }[status]
    assert set(queued) <= {"hold"}
    evidence = guard.scene.read()
    sent = ["guarded"] * (when == "between") + ["first", "second", "again"]
    assert evidence.rows("messages", "account", "accepted", "held", "message_id") == sorted(
        (ALICE, True, name not in went, named(name)) for name in sent
    )


def test_what_was_only_begun_while_the_guard_is_away_was_not_handed_in(guard):
    guard.scene.server.change(otherwise="quarantine")
    _killed(guard)
    with guard.scene.server.session(ALICE) as smtp:
        smtp.mail(ALICE)
        smtp.rcpt(FRIEND)
        smtp.rset()
        smtp.hand_in(ALICE, [FRIEND, BOB], letter("whole"))
    evidence = guard.scene.read()
    assert [row["message_id"] for row in evidence.table("messages") if row["accepted"]] == [named("whole")]
    assert [row["message_id"] for row in evidence.table("messages") if row["held"]] == [named("whole")]


def _went(server_, name):
    return any(f"<{name}@pc.{DOMAIN}>".encode() in envelope.data for envelope in server_.outside.mails)


@pytest.mark.parametrize("away", [_killed, _stopped])
def test_with_tempfail_people_are_asked_for_their_passwords_while_the_guard_is_away(guard, away):
    """Why the documentation advises against it, though it is what Postfix does unless told otherwise."""
    guard.scene.server.change(otherwise="tempfail")
    away(guard)
    with pytest.raises(smtplib.SMTPAuthenticationError) as refused, guard.scene.server.session(ALICE):
        pass
    assert refused.value.smtp_code == 454
