# SPDX-License-Identifier: Apache-2.0
"""Letters through a real Postfix: each arrives once, its log settles what a kill left open, and what bounces comes home."""

import contextlib
import os
import signal
import smtplib
import subprocess
import sys
import time
from collections import Counter
from datetime import UTC, datetime
from email import message_from_bytes, policy

import pytest
from scenes import ALICE, ZONE, running
from servers import until

from hikeshi.basics.secrets import Secret
from hikeshi.cases.store import open_store
from hikeshi.cases.store.verify import verify
from hikeshi.notify.outbox import bounces, letter
from hikeshi.notify.outbox.approval import approve, batch
from hikeshi.notify.outbox.audit import audit
from hikeshi.notify.outbox.book import counts, put, standings
from hikeshi.notify.outbox.letter import encoded
from hikeshi.notify.outbox.maillog import read
from hikeshi.notify.outbox.relay import Relay, RelayError
from hikeshi.notify.outbox.run import Logs, run
from hikeshi.notify.outbox.send import Sending
from hikeshi.notify.outbox.settle import settle
from hikeshi.notify.outbox.turns import Backoff

#: as many as the founding case has mails; fewer where somebody is in a hurry
LETTERS = int(os.environ.get("HIKESHI_LETTERS", "1220"))
SENDING = Sending(ALICE, connections=8, backoff=Backoff(0.0, 0.0, 100))
#: sends what a case has, until it is killed
_SENDER = """
import sys
from pathlib import Path
from hikeshi.cases.store import open_store
from hikeshi.notify.outbox.relay import Relay
from hikeshi.notify.outbox.run import Logs, run
from hikeshi.notify.outbox.send import Sending
case, port, log, zone, bounces = sys.argv[1:]
with open_store(Path(case)) as store:
    run(store, Relay("127.0.0.1", int(port)), Sending(bounces), logs=Logs([log], zone, grace=1.0))
"""


@pytest.fixture(scope="module")
def host():
    with running() as server:
        yield server


@pytest.fixture
def store(tmp_path, host):
    with open_store(tmp_path / "case") as opened:
        yield opened
        assert verify(opened).deviations == []
        assert audit(opened) == []
    host.outside.answers.clear()
    host.empty()


def approved(store, addresses):
    sender, subject = "総務部 <notice@example.test>", "お詫びとお知らせ(第1報)"
    text = "{} 様\n\n弊社の名をかたる不審なメールが届いております。開かずに削除してください。\n"
    letters = [
        letter(store.case_id, 1, to, language="ja", sender=sender, subject=subject, text=text.format(to))
        for to in addresses
    ]
    put(store, letters)
    approve(store, batch(store, 1), who="Sato", why="read them all")
    return {one.address: one for one in letters}


def arrived(host, letters):
    """Give what arrived outside of these letters, by recipient."""
    mine = {one.message_id for one in letters.values()}
    mails = [mail for mail in host.outside.mails if message_from_bytes(mail.data)["Message-ID"] in mine]
    return Counter(mail.recipients[0] for mail in mails), mails


def logs(host):
    return Logs([str(host.mail_log)], ZONE, grace=1.0)


def test_every_letter_is_handed_in_by_itself_arrives_once_and_holds_nobody_else(host, store, record_property):
    letters = approved(store, [f"p{number}@company{number % 40}.example" for number in range(LETTERS)])
    began = time.monotonic()
    ran = run(store, Relay("127.0.0.1", host.ports["back"]), SENDING)
    record_property("seconds", time.monotonic() - began)
    assert ran.outcomes == {"accepted": LETTERS}
    until(lambda: not host.queued(), "the queue is empty", 120)
    count, mails = arrived(host, letters)
    assert count == dict.fromkeys(letters, 1)
    everybody = {address.encode(): address for address in letters}
    for mail in mails:
        (to,) = mail.recipients
        message = message_from_bytes(mail.data, policy=policy.SMTP)
        whole = mail.data + message.get_content().encode() + mail.sender.encode()
        found = {everybody[word] for word in whole.replace(b"<", b" ").replace(b">", b" ").split() if word in everybody}
        assert found == {to}
        assert message["To"] == to
        assert (message["Cc"], message["Bcc"]) == (None, None)
    host.settle()
    found = settle(store, logs(host).paths, tz=ZONE)
    assert (found.missing, found.fates) == (0, LETTERS)
    assert {one.fate for one in standings(store)} == {"delivered"}


def test_a_sender_that_is_killed_while_postfix_listens_is_settled_from_its_log(host, store, tmp_path):
    letters = approved(store, [f"q{number}@company{number % 40}.example" for number in range(400)])
    command = [tmp_path / "case", host.ports["back"], host.mail_log, ZONE, ALICE]
    for part in range(1, 5):
        with subprocess.Popen([sys.executable, "-c", _SENDER, *map(str, command)]) as process:
            until(lambda many=60 * part: counts(store).get("accepted", 0) >= many, "letters leave", 90)
            process.send_signal(signal.SIGKILL)
    ran = run(store, Relay("127.0.0.1", host.ports["back"]), SENDING, logs=logs(host))
    assert ran.states == {"accepted": 400}
    until(lambda: not host.queued(), "the queue is empty", 60)
    assert arrived(host, letters)[0] == dict.fromkeys(letters, 1)


def test_a_message_that_postfix_saw_and_did_not_take_is_not_taken_for_one_that_it_took(host, store):
    """Its log names the Message-ID of a mail whose end never came."""
    letters = approved(store, ["gone@partner.example", "whole@partner.example"])
    half, whole = (encoded(letters[to], datetime.now(UTC)) for to in ("gone@partner.example", "whole@partner.example"))
    with smtplib.SMTP("127.0.0.1", host.ports["back"]) as smtp:
        smtp.sendmail(ALICE, ["whole@partner.example"], whole)
    with contextlib.closing(smtplib.SMTP("127.0.0.1", host.ports["back"])) as smtp:
        smtp.ehlo()
        smtp.mail(ALICE)
        smtp.rcpt("gone@partner.example")
        smtp.docmd("DATA")
        smtp.send(half + b"on and on\r\n" * 10_000)  # more than Postfix keeps to itself before cleanup gets it
        gone = letters["gone@partner.example"].message_id
        until(lambda: gone in host.mail_log.read_text(), "cleanup logs it")
    host.settle()
    found = read(logs(host).paths, [one.message_id for one in letters.values()], tz=ZONE)
    assert found.taken == {letters["whole@partner.example"].message_id}


def test_what_bounces_comes_home_to_its_letter_and_the_log_says_the_same(host, store):
    letters = approved(store, ["gone@partner.example", "full@partner.example", "here@partner.example"])
    host.outside.answers["gone@partner.example"] = "550 5.1.1 No such user here"
    host.outside.answers["full@partner.example"] = "552 5.2.2 Mailbox full"
    run(store, Relay("127.0.0.1", host.ports["back"]), SENDING)
    host.settle()
    box = host._home(ALICE) / "Maildir"
    until(lambda: len(list((box / "new").glob("*"))) >= 2, "Postfix tells of both")
    found = bounces.read(store, [box])
    assert found.kinds == {"bounced_hard": 2}
    assert found.unmatched == []
    told = {one.letter.address: (one.fate, one.fate_says) for one in standings(store)}
    assert told["here@partner.example"] == (None, None)
    assert told["gone@partner.example"][0] == told["full@partner.example"][0] == "bounced_hard"
    assert "No such user here" in told["gone@partner.example"][1]
    assert settle(store, logs(host).paths, tz=ZONE).missing == 0
    assert {one.letter.address: one.fate for one in standings(store)} == {
        "gone@partner.example": "bounced_hard",
        "full@partner.example": "bounced_hard",
        "here@partner.example": "delivered",
    }
    assert bounces.read(store, [box]).new == 0
    assert len(letters) == 3


def test_a_relay_that_asks_who_we_are_is_told_and_a_wrong_password_sends_nothing(host, store):
    letters = approved(store, ["known@partner.example"])
    port = host.ports["submission"]
    with pytest.raises(RelayError, match=r"does not let us in \(535\)") as found:
        run(store, Relay("127.0.0.1", port, user=ALICE, password=Secret("wrong-horse")), SENDING)
    assert "wrong-horse" not in str(found.value)
    assert counts(store) == {"approved": 1}
    secret = Secret(host.accounts[ALICE])
    assert run(store, Relay("127.0.0.1", port, user=ALICE, password=secret), SENDING).states == {"accepted": 1}
    host.settle()
    assert arrived(host, letters)[0] == {"known@partner.example": 1}
