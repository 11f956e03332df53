# SPDX-License-Identifier: Apache-2.0
import re
from itertools import pairwise

import pytest

from hikeshi.drill.events import (
    BOUNCED,
    DAY,
    INBOUND,
    LATER,
    PICKUP,
    SECOND,
    SENT,
    STUCK,
    SUBMISSION,
    Client,
    Knock,
    Login,
    Mail,
)
from hikeshi.drill.queue_ids import long_id_time
from hikeshi.drill.render import Renderer
from hikeshi.drill.style import LogStyle

BEGIN = 1_588_900_000 * SECOND
NOW = BEGIN + 600 * SECOND
OFFICE = Client("192.0.2.10", "gw10.hinode-works.example[192.0.2.10]")
ALICE = "alice@hinode-works.example"


def mail(to=("b@acme-parts.example",), **changes):
    one = Mail(NOW, SUBMISSION, ALICE, ALICE, to, 4321, OFFICE, "outlook", "Order 7")
    return one._replace(**changes)


def render(*events, style=LogStyle(), days=8):  # noqa: B008
    renderer = Renderer(style, "hinode-works.example", (BEGIN, BEGIN + days * DAY), 1)
    lines = [line for chunk in renderer.chunks(events) for host in chunk for line in host]
    assert all(one[0] <= other[0] for one, other in pairwise(lines))
    return renderer.tally, [text for _, text in lines if "anvil" not in text]


def test_a_mail_to_outside():
    tally, lines = render(mail())
    client = (
        r"client=gw10.hinode-works.example\[192.0.2.10\], sasl_method=PLAIN, sasl_username=alice@hinode-works.example"
    )
    relay = r"relay=\S+acme-parts.example\[198.19.\S+\]:25, delay=[\d.]+, delays=[\d./]+"
    shapes = [
        r"mail postfix/submission/smtpd\[\d+\]: connect from gw10.hinode-works.example\[192.0.2.10\]",
        rf"mail postfix/submission/smtpd\[\d+\]: [0-9A-F]+: {client}",
        r"mail postfix/cleanup\[\d+\]: [0-9A-F]+: message-id=<\S+@hinode-works.example>",
        r"mail postfix/qmgr\[\d+\]: [0-9A-F]+: from=<alice@hinode-works.example>, size=4321, nrcpt=1 \(queue active\)",
        r"mail postfix/submission/smtpd\[\d+\]: disconnect from \S+ ehlo=2 starttls=1 auth=1 mail=1 rcpt=1 .*",
        rf"mail postfix/smtp\[\d+\]: [0-9A-F]+: to=<b@acme-parts.example>, {relay}, dsn=2.0.0, status=sent \(250 .*\)",
        r"mail postfix/qmgr\[\d+\]: [0-9A-F]+: removed",
    ]
    assert len(lines) == len(shapes)
    assert all(any(re.fullmatch(shape, line) for line in lines) for shape in shapes)
    assert (tally.messages, tally.submitted, tally.deliveries) == (1, 1, 1)


def test_a_mail_to_a_colleague_is_stored_by_dovecot():
    _, lines = render(mail(to=("bob@hinode-works.example",)))
    assert any("[private/dovecot-lmtp], delay=" in line and "status=sent (250 2.0.0 <bob@" in line for line in lines)
    assert any(
        re.match(r"mail dovecot: lmtp\(bob@.*: sieve: msgid=<.*>: stored mail into mailbox", line) for line in lines
    )


def test_a_bounce_sends_a_notice_to_the_sender():
    tally, lines = render(mail(fates=(BOUNCED,), tag=0))
    (notice,) = [line for line in lines if "sender non-delivery notification: " in line]
    notice_id = notice.rsplit(" ", 1)[1]
    shapes = [f"{notice_id}: message-id=<", f"{notice_id}: from=<>, size=", f"{notice_id}: to=<{ALICE}>"]
    assert all(any(shape in line for line in lines) for shape in shapes)
    assert tally.sent[0].fates == {"b@acme-parts.example": "bounced"}
    assert (tally.messages, tally.submitted, tally.deliveries) == (2, 1, 2)


def test_a_delay_ends_in_delivery():
    tally, lines = render(mail(fates=(LATER,), tag=0))
    statuses = [re.search(r"status=(\w+)", line)[1] for line in lines if "status=" in line]
    assert statuses[0] == "deferred"
    assert statuses[-1] == "sent"
    assert tally.sent[0].fates == {"b@acme-parts.example": "delivered"}
    assert tally.deliveries == 1


def test_a_stuck_mail_expires_or_outlives_the_log():
    tally, lines = render(mail(fates=(STUCK,), tag=0))
    assert any(line.endswith(f"from=<{ALICE}>, status=expired, returned to sender") for line in lines)
    assert tally.sent[0].fates == {"b@acme-parts.example": "expired"}
    tally, lines = render(mail(fates=(STUCK,), tag=0), days=3)
    assert not any("expired" in line or "removed" in line for line in lines)
    assert tally.sent[0].fates == {"b@acme-parts.example": "deferred"}


def test_what_the_log_does_not_show_is_not_told():
    renderer, lines = render(mail(time=BEGIN + DAY - 20_000, tag=0), days=1)
    assert not any("to=<" in line for line in lines)
    assert renderer.sent[0].fates == {"b@acme-parts.example": "unknown"}
    tally, lines = render(mail(time=BEGIN - 100_000, tag=0))
    assert (tally.messages, tally.sent) == (0, [])
    assert any("to=<b@acme-parts.example>" in line for line in lines)


def test_the_content_filter_makes_two_queue_ids():
    style = LogStyle(content_filter=True, queue_ids="long", stamps="iso")
    tally, lines = render(mail(fates=(SENT,), tag=0), style=style)
    (handed,) = [line for line in lines if "127.0.0.1[127.0.0.1]:10024" in line]
    second = re.search(r"250 2.0.0 from MTA\(smtp:\[127.0.0.1\]:10025\): 250 2.0.0 Ok: queued as (\w+)\)", handed)[1]
    assert any(f"{second}: client=localhost[127.0.0.1]" in line for line in lines)
    assert len({re.search(r"message-id=<(.*)>", line)[1] for line in lines if "message-id=" in line}) == 1
    assert any("amavis" in line and f"queued_as: {second}" in line for line in lines)
    assert (tally.messages, tally.deliveries) == (1, 1)
    assert abs(long_id_time(second) - NOW) < 5 * SECOND


def test_long_ids_carry_the_time_of_the_line():
    renderer = Renderer(LogStyle(queue_ids="long"), "hinode-works.example", (BEGIN, BEGIN + DAY), 1)
    for chunk in renderer.chunks([mail(), mail(time=NOW + 77 * SECOND)]):
        for time, text in chunk[0]:
            if found := re.search(r": (\w+): client=", text):
                assert 0 < time - long_id_time(found[1]) < 1000


@pytest.mark.parametrize(
    ("version", "words"), [("2.3", "imap-login: Login: user=<"), ("2.4", "imap-login: Logged in: user=<")]
)
def test_dovecot_speaks_two_dialects(version, words):
    style = LogStyle(dovecot_version=version)
    _, lines = render(Login(NOW, ALICE, "192.0.2.10", "imap", 60, 7, 12_345), style=style)
    assert any(words in line for line in lines)
    assert any("body_count=7 body_bytes=12345" in line for line in lines)
    _, lines = render(Login(NOW, ALICE, "192.0.2.10", "imap", 0, 0, 0, accepted=False), style=style)
    assert any("Password mismatch" in line for line in lines)
    assert any("auth failed, 1 attempts in 2 secs" in line for line in lines)


def test_without_dovecot_there_is_no_line_of_it():
    style = LogStyle(dovecot=False)
    _, lines = render(
        mail(to=("bob@hinode-works.example",)), Login(NOW, ALICE, "192.0.2.10", "pop3", 1, 1, 1), style=style
    )
    assert not any("dovecot:" in line for line in lines)


def test_knocks_leave_no_message():
    kinds = ("auth", "hello", "relay", "blocked", "unknown")
    tally, lines = render(*(Knock(NOW, kind, Client("198.19.200.1", "unknown[198.19.200.1]"), ALICE) for kind in kinds))
    assert tally.messages == 0
    for part in (
        "SASL PLAIN authentication failed",
        "lost connection after EHLO",
        "Relay access denied",
        "blocked using",
        "User unknown",
    ):
        assert any(part in line for line in lines)


def test_rfc5424_puts_the_process_id_apart():
    _, lines = render(mail(to=("bob@hinode-works.example",)), style=LogStyle(stamps="rfc5424"))
    assert all(re.match(r"mail (postfix/[\w/]+ \d+|dovecot -) - - \S", line) for line in lines)


def test_subjects_and_chatter_are_optional():
    _, lines = render(mail(), style=LogStyle(subjects=True, chatty=True))
    assert any("warning: header Subject: Order 7 from gw10" in line for line in lines)
    assert any("Anonymous TLS connection established from gw10" in line for line in lines)


def test_one_connection_may_carry_several_mails():
    tally, lines = render(mail(closes=False), mail(time=NOW + SECOND, opens=False))
    assert sum(": connect from" in line for line in lines) == 1
    assert sum("disconnect from" in line for line in lines) == 1
    assert len({re.search(r"smtpd\[(\d+)\]", line)[1] for line in lines if "smtpd[" in line}) == 1
    assert tally.submitted == 2


def test_inbound_and_local_mail():
    far = Client("198.19.3.4", "mx1.acme-parts.example[198.19.3.4]")
    inbound = mail(to=(ALICE,), way=INBOUND, account="", sender="b@acme-parts.example", client=far)
    tally, lines = render(inbound, inbound._replace(time=NOW + SECOND, way=PICKUP, sender="root@hinode-works.example"))
    assert any(line.endswith(": client=mx1.acme-parts.example[198.19.3.4]") for line in lines)
    assert any("pickup[" in line and ": uid=8 from=<root@hinode-works.example>" in line for line in lines)
    assert (tally.messages, tally.submitted) == (2, 0)
