# SPDX-License-Identifier: Apache-2.0
"""Messages out of records: what belongs together, what does not, and what became of every address."""

from collections import Counter
from datetime import datetime, timedelta

import pytest

RELAY = "mx.example.org[198.51.100.9]:25"
FILTER = "127.0.0.1[127.0.0.1]:10024"
START = datetime.fromisoformat("2026-11-24T12:00:00")


class Log:
    """Writes the lines of one mail server, a second apart unless told otherwise."""

    def __init__(self, host="mx", tag="postfix", start=START):
        self.host, self.tag, self.now, self.lines = host, tag, start, []

    def after(self, **span):
        self.now += timedelta(**span)
        return self

    def say(self, daemon, text, pid=100):
        stamp = f"{self.now:%b} {self.now.day:2d} {self.now:%H:%M:%S}"
        self.lines.append(f"{stamp} {self.host} {self.tag}/{daemon}[{pid}]: {text}")
        self.now += timedelta(seconds=1)
        return self

    def connect(self, ip="192.0.2.7", pid=100):
        return self.say("smtpd", f"connect from pc[{ip}]", pid)

    def client(self, qid, account=None, ip="192.0.2.7", pid=100, more=""):
        signed = f", sasl_method=PLAIN, sasl_username={account}" if account else ""
        return self.say("smtpd", f"{qid}: client=pc[{ip}]{signed}{more}", pid)

    def named(self, qid, message_id=None):
        return self.say("cleanup", f"{qid}: message-id=<{f'{qid}@x.test' if message_id is None else message_id}>")

    def queued(self, qid, sender="alice@example.test", nrcpt=1):
        return self.say("qmgr", f"{qid}: from=<{sender}>, size=441, nrcpt={nrcpt} (queue active)")

    def to(self, qid, address, status="sent", reason="250 2.0.0 Ok", relay=RELAY, orig="", daemon="smtp"):
        dsn = {"sent": "2.0.0", "bounced": "5.1.1"}.get(status, "4.0.0")
        orig = f"orig_to=<{orig}>, " if orig else ""
        words = f"delay=1, delays=0/0/0/1, dsn={dsn}, status={status} ({reason})"
        return self.say(daemon, f"{qid}: to=<{address}>, {orig}relay={relay}, {words}")

    def removed(self, qid):
        return self.say("qmgr", f"{qid}: removed")

    def begin(self, qid, account="alice", message_id=None, nrcpt=1, pid=100):
        return self.client(qid, account, pid=pid).named(qid, message_id).queued(qid, nrcpt=nrcpt)

    def mail(self, qid, *addresses, account="alice", message_id=None, pid=100):
        self.begin(qid, account, message_id, len(addresses), pid)
        for address in addresses:
            self.to(qid, address)
        return self.removed(qid)


def fates(case):
    return dict(case.rows("deliveries", "address", "status"))


def test_one_message(case):
    case.lines(*Log().connect().mail("A1B2C3D4", "a@example.org", "b@example.org").lines)
    row = case.row("messages")
    assert row == {
        "time": START + timedelta(seconds=1),
        "ended": START + timedelta(seconds=6),
        "message_key": "mx/postfix/A1B2C3D4/1795521601",
        "account": "alice",
        "mail_from": "alice@example.test",
        "message_id": "A1B2C3D4@x.test",
        "client_ip": "192.0.2.7",
        "session": row["session"],
        "method": "PLAIN",
        "size": 441,
        "nrcpt": 2,
        "direction": "submitted",
        "accepted": True,
        "held": False,
        "host": "mx",
        "instance": "postfix",
        "queue_id": "A1B2C3D4",
        "zone": "UTC",
        "input": 1,
        "record": 2,
    }
    assert row["session"].startswith("mx/100/2026-11-24T12:00:00Z")
    assert fates(case) == {"a@example.org": "delivered", "b@example.org": "delivered"}


DIRECTIONS = {
    "submitted": Log().mail("A1B2C3D4", "a@example.org"),
    "received": Log().mail("A1B2C3D4", "alice@example.test", account=None),
    "notification": Log().named("A1B2C3D4").queued("A1B2C3D4", "").to("A1B2C3D4", "a@b.test").removed("A1B2C3D4"),
}


@pytest.mark.parametrize("direction", DIRECTIONS)
def test_directions(case, direction):
    assert case.lines(*DIRECTIONS[direction].lines).rows("messages", "direction") == [direction]


def test_mail_from_this_machine_is_submitted_by_nobody(case):
    log = Log().say("pickup", "A1B2C3D4: uid=8 from=<root>").named("A1B2C3D4").queued("A1B2C3D4", "root@example.test")
    case.lines(*log.to("A1B2C3D4", "a@b.test").removed("A1B2C3D4").lines)
    row = case.row("messages")
    assert (row["direction"], row["mail_from"], row.get("account")) == ("submitted", "root@example.test", None)


def test_queue_ids_are_used_again_and_again(case):
    log = Log()
    for number in range(60):
        log.mail("A1B2C3D4", f"a{number}@example.org", account=f"user{number}", message_id="same@x.test")
    case.lines(*log.lines)
    assert len(set(case.rows("messages", "message_key"))) == 60
    assert Counter(case.rows("messages", "account")) == Counter(f"user{number}" for number in range(60))
    joined = case.lake.sql.execute(
        "SELECT account, address FROM messages JOIN deliveries USING (message_key)"
    ).fetchall()
    assert sorted(joined) == sorted((f"user{number}", f"a{number}@example.org") for number in range(60))
    assert set(case.rows("messages", "cut")) == {None}


def test_a_queue_id_used_again_without_the_end_of_the_first(case):
    """The line with `removed` was lost; the next client= is another message all the same."""
    case.lines(*Log().begin("A1B2C3D4").to("A1B2C3D4", "a@b.test").mail("A1B2C3D4", "c@d.test").lines)
    assert case.rows("messages", "accepted") == [True, True]
    assert fates(case) == {"a@b.test": "delivered", "c@d.test": "delivered"}


def test_interleaved_messages(case):
    one, two = Log().mail("AAAAAAA1", "a@b.test", account="one"), Log().mail("BBBBBBB2", "c@d.test", account="two")
    case.lines(*(line for pair in zip(one.lines, two.lines, strict=True) for line in pair))
    assert case.rows("messages", "account", "queue_id") == [("one", "AAAAAAA1"), ("two", "BBBBBBB2")]


def test_the_same_queue_id_on_two_hosts_and_two_instances(case):
    logs = [
        Log("mx1").mail("A1B2C3D4", "a@b.test", account="one"),
        Log("mx2").mail("A1B2C3D4", "c@d.test", account="two"),
        Log("mx1", "postfix-out").mail("A1B2C3D4", "e@f.test", account="three"),
        Log("mx1", "postfix/in").mail("A1B2C3D4", "g@h.test", account="four"),
    ]
    case.lines(*(line for lines in zip(*(log.lines for log in logs), strict=True) for line in lines))
    assert case.rows("messages", "account", "host", "instance") == [
        ("four", "mx1", "postfix/in"),
        ("one", "mx1", "postfix"),
        ("three", "mx1", "postfix-out"),
        ("two", "mx2", "postfix"),
    ]


def test_services_share_the_queue_of_their_instance(case):
    lines = Log().mail("A1B2C3D4", "a@b.test").lines
    case.lines(lines[0].replace("postfix/smtpd", "postfix/submission/smtpd"), *lines[1:])
    row = case.row("messages")
    assert (row["account"], row["instance"], row["nrcpt"]) == ("alice", "postfix", 1)


def filtered(final="sent", end=True, address="a@example.org", first="A1B2C3D4", second="E5F6A7B8"):
    log = Log().begin(first)
    log.client(second, ip="127.0.0.1").named(second, f"{first}@x.test").queued(second)
    log.to(
        first,
        address,
        relay=FILTER,
        reason=f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {second}",
    )
    log.removed(first)
    if end:
        log.to(second, address, final, "words").removed(second)
    return log


@pytest.mark.parametrize(
    ("final", "fate"), [("sent", "delivered"), ("bounced", "bounced"), ("deferred", "deferred"), ("expired", "expired")]
)
@pytest.mark.parametrize("address", ["a@example.org", '"a > b"@example.org'])
def test_a_content_filter_is_one_message_with_the_final_fate(case, final, fate, address):
    case.lines(*filtered(final, address=address).lines)
    row = case.row("messages")
    assert (row["queue_id"], row["account"], row["direction"]) == ("A1B2C3D4", "alice", "submitted")
    assert case.rows("deliveries", "address", "status", "reason") == [(address, fate, "words")]


def test_behind_a_filter_the_end_of_the_log_leaves_the_fate_unknown(case):
    case.lines(*filtered(end=False).lines)
    row = case.row("messages")
    assert (row["account"], row["cut"]) == ("alice", "end")
    assert fates(case) == {"a@example.org": "unknown"}


def test_a_filter_whose_other_side_is_not_in_the_log(case):
    lines = [line for line in filtered().lines if ": E5F6A7B8: " not in line]
    case.lines(*lines)
    assert fates(case) == {"a@example.org": "unknown"}


def test_a_filter_that_names_the_first_queue_id(case):
    """XFORWARD tells the queue id before the filter, so the Message-ID may change."""
    log = filtered()
    lines = [
        line.replace("client=pc[127.0.0.1]", "client=localhost[127.0.0.1], orig_queue_id=A1B2C3D4")
        for line in log.lines
    ]
    case.lines(*(line.replace("E5F6A7B8: message-id=<A1", "E5F6A7B8: message-id=<new") for line in lines))
    assert len(case.rows("messages")) == 1
    assert fates(case) == {"a@example.org": "delivered"}


def test_addresses_expanded_behind_the_filter(case):
    log = Log().begin("A1B2C3D4")
    log.client("E5F6A7B8", ip="127.0.0.1").named("E5F6A7B8", "A1B2C3D4@x.test").queued("E5F6A7B8", nrcpt=2)
    log.to("A1B2C3D4", "sales@example.test", relay=FILTER, reason="250 2.0.0 Ok: queued as E5F6A7B8").removed(
        "A1B2C3D4"
    )
    log.to("E5F6A7B8", "a@example.test", orig="sales@example.test").to(
        "E5F6A7B8", "b@example.test", orig="sales@example.test"
    )
    case.lines(*log.removed("E5F6A7B8").lines)
    assert fates(case) == {"a@example.test": "delivered", "b@example.test": "delivered"}


@pytest.mark.parametrize("order", [1, -1])
def test_two_servers_with_a_log_each(case, order):
    inside, edge = Log("inside"), Log("edge")
    inside.begin("A1B2C3D4", nrcpt=2)
    edge.after(seconds=4).client("E5F6A7B8", ip="192.0.2.50").named("E5F6A7B8", "A1B2C3D4@x.test").queued(
        "E5F6A7B8", nrcpt=2
    )
    for address in ("a@example.org", "b@example.org"):
        inside.to(
            "A1B2C3D4", address, relay="edge.example.test[192.0.2.51]:25", reason="250 2.0.0 Ok: queued as E5F6A7B8"
        )
    inside.removed("A1B2C3D4")
    edge.to("E5F6A7B8", "a@example.org").to("E5F6A7B8", "b@example.org", "bounced", "550 no").removed("E5F6A7B8")
    paths = [case.write(log.lines, f"{log.host}.log") for log in (inside, edge)]
    case.read(*paths[::order])
    row = case.row("messages")
    assert (row["host"], row["account"]) == ("inside", "alice")
    assert fates(case) == {"a@example.org": "delivered", "b@example.org": "bounced"}


def test_without_the_log_of_the_next_server_its_word_counts(case):
    log = (
        Log()
        .begin("A1B2C3D4")
        .to("A1B2C3D4", "a@b.test", relay="edge.example.test[192.0.2.51]:25", reason="250 Ok: queued as E5F6A7B8")
    )
    case.lines(*log.removed("A1B2C3D4").lines)
    assert fates(case) == {"a@b.test": "delivered"}


def test_a_forward_is_the_same_message(case):
    log = Log().begin("A1B2C3D4", account=None)
    log.named("E5F6A7B8", "A1B2C3D4@x.test").queued("E5F6A7B8")
    log.to("A1B2C3D4", "alice@example.test", relay="local", reason="forwarded as E5F6A7B8", daemon="local").removed(
        "A1B2C3D4"
    )
    case.lines(*log.to("E5F6A7B8", "alice@home.example", orig="alice@example.test").removed("E5F6A7B8").lines)
    assert len(case.rows("messages")) == 1
    assert fates(case) == {"alice@home.example": "delivered"}


def test_a_bounce_message_is_another_message(case):
    log = Log().begin("A1B2C3D4").to("A1B2C3D4", "a@b.test", "bounced", "550 no")
    log.named("E5F6A7B8").say("bounce", "A1B2C3D4: sender non-delivery notification: E5F6A7B8").queued("E5F6A7B8", "")
    log.removed("A1B2C3D4").to("E5F6A7B8", "alice@example.test", relay="local", daemon="local").removed("E5F6A7B8")
    case.lines(*log.lines)
    assert case.rows("messages", "direction", "mail_from") == [
        ("notification", ""),
        ("submitted", "alice@example.test"),
    ]
    assert fates(case) == {"a@b.test": "bounced", "alice@example.test": "delivered"}


def hold(log, qid):
    words = "milter-hold: END-OF-MESSAGE from pc[192.0.2.7]: milter triggers HOLD action; from=<a@b.test> to=<c@d.test>"
    return log.client(qid, "alice").named(qid).say("cleanup", f"{qid}: {words}")


def test_held(case):
    case.lines(*hold(Log(), "A1B2C3D4").lines)
    row = case.row("messages")
    assert (row["held"], row["accepted"], row["cut"]) == (True, True, "end")


def test_held_for_weeks_then_released(case):
    log = hold(Log(), "A1B2C3D4").after(days=20).say("postsuper", "A1B2C3D4: released from hold")
    case.lines(*log.queued("A1B2C3D4").to("A1B2C3D4", "a@b.test").removed("A1B2C3D4").lines)
    row = case.row("messages")
    assert (row["held"], row["account"], row.get("cut")) == (False, "alice", None)
    assert fates(case) == {"a@b.test": "delivered"}


def test_put_on_hold_while_waiting(case):
    log = (
        Log()
        .begin("A1B2C3D4")
        .to("A1B2C3D4", "a@b.test", "deferred", "later")
        .say("postsuper", "A1B2C3D4: placed on hold")
    )
    case.lines(*log.lines)
    assert case.row("messages")["held"]
    assert fates(case) == {"a@b.test": "held"}


def test_held_at_the_first_recipient_before_there_is_a_queue_id(case):
    log = (
        Log()
        .connect()
        .say("smtpd", "NOQUEUE: hold: RCPT from pc[192.0.2.7]: <m>: SASL login name x; from=<m@x.test> to=<l@y.test>")
    )
    case.lines(*log.client("A1B2C3D4", "alice").named("A1B2C3D4").lines)
    row = case.row("messages")
    assert (row["queue_id"], row["held"], row["accepted"]) == ("A1B2C3D4", True, True)


def test_deleted_by_the_postmaster(case):
    log = Log().begin("A1B2C3D4").to("A1B2C3D4", "a@b.test", "deferred", "later").say("postsuper", "A1B2C3D4: removed")
    case.lines(*log.lines)
    assert case.row("messages").get("cut") is None


def test_requeued_is_the_same_message(case):
    log = Log().begin("A1B2C3D4").to("A1B2C3D4", "a@b.test", "deferred", "later").say("postsuper", "A1B2C3D4: requeued")
    log.say("pickup", "E5F6A7B8: uid=0 from=<alice@example.test> orig_id=A1B2C3D4").named("E5F6A7B8", "A1B2C3D4@x.test")
    case.lines(*log.queued("E5F6A7B8").to("E5F6A7B8", "a@b.test").removed("E5F6A7B8").lines)
    row = case.row("messages")
    assert (row["queue_id"], row["account"], row.get("cut")) == ("A1B2C3D4", "alice", None)
    assert case.rows("deliveries", "address", "status", "attempts") == [("a@b.test", "delivered", 2)]


def test_deferred_for_days_then_sent(case):
    log = Log().begin("A1B2C3D4")
    for _ in range(9):
        log.to("A1B2C3D4", "a@b.test", "deferred", "later").after(hours=12)
    case.lines(*log.to("A1B2C3D4", "a@b.test").removed("A1B2C3D4").lines)
    assert case.rows("deliveries", "status", "attempts", "first_time", "time") == [
        ("delivered", 10, START + timedelta(seconds=3), START + timedelta(days=4.5, seconds=12))
    ]
    assert case.row("messages").get("cut") is None


@pytest.mark.parametrize("how", ["expired", "force-expired"])
def test_deferred_until_it_expires(case, how):
    log = Log().begin("A1B2C3D4", nrcpt=2).to("A1B2C3D4", "a@b.test", "deferred", "later").to("A1B2C3D4", "c@d.test")
    log.after(days=5).to("A1B2C3D4", "a@b.test", "deferred", "later")
    log.say("qmgr", f"A1B2C3D4: from=<alice@example.test>, status={how}, returned to sender")
    case.lines(*log.removed("A1B2C3D4").lines)
    assert fates(case) == {"a@b.test": "expired", "c@d.test": "delivered"}


STATUSES = {
    "sent": "delivered",
    "bounced": "bounced",
    "deferred": "deferred",
    "expired": "expired",
    "undeliverable": "bounced",
    "deliverable": "unknown",
    "SOFTBOUNCE": "deferred",
}


@pytest.mark.parametrize("word", STATUSES)
def test_every_status_word(case, word):
    case.lines(*Log().begin("A1B2C3D4").to("A1B2C3D4", "a@b.test", word, "x").lines)
    assert fates(case) == {"a@b.test": STATUSES[word]}


LINES = Log().mail("A1B2C3D4", "a@b.test").lines
CUTS = {
    (0, 5): None,
    (0, 4): "end",
    (0, 3): "end",
    (1, 5): None,  # its name is there; who handed it in is not
    (2, 5): "start",
    (3, 5): "start",
    (2, 4): "both",
    (3, 4): "both",
}


@pytest.mark.parametrize("part", CUTS)
def test_cut_by_an_end_of_the_log(case, part):
    case.lines(*LINES[slice(*part)])
    assert case.row("messages").get("cut") == CUTS[part]


def test_one_message_with_1500_recipients(case):
    addresses = [f"user{number}@dom{number % 97}.example" for number in range(1500)]
    case.lines(*Log().mail("A1B2C3D4", *addresses).lines)
    assert case.row("messages")["nrcpt"] == 1500
    assert sorted(case.rows("deliveries", "address")) == sorted(addresses)
    assert set(case.rows("deliveries", "status")) == {"delivered"}


def test_addresses_are_counted_by_the_rules(case):
    """Plus-addresses apart, domains without case, local parts with it."""
    given = ["a@B.test", "a@b.TEST", "A@b.test", "a+x@b.test", "a+y@b.test"]
    case.lines(*Log().mail("A1B2C3D4", *given).lines)
    assert case.rows("deliveries", "address", "attempts") == [
        ("A@b.test", 1),
        ("a+x@b.test", 1),
        ("a+y@b.test", 1),
        ("a@b.test", 2),
    ]


def test_what_was_canceled_is_no_message(case):
    case.lines(*Log().client("A1B2C3D4", "alice").say("smtpd", "A1B2C3D4: canceled").lines)
    assert case.rows("messages") == []
    assert case.rows("signins", "account", "outcome") == [("alice", "success")]


def test_a_refusal_is_a_try(case):
    words = (
        "NOQUEUE: reject: RCPT from pc[192.0.2.7]: 553 5.7.1 no; from=<alice@example.test> to=<a@b.test> proto=ESMTP"
    )
    case.lines(*Log().say("smtpd", words).say("smtpd", words).lines)
    assert case.rows("messages", "direction", "accepted", "mail_from", "client_ip") == [
        ("refused", False, "alice@example.test", "192.0.2.7"),
        ("refused", False, "alice@example.test", "192.0.2.7"),
    ]
    assert len(set(case.rows("messages", "message_key"))) == 2
    assert case.rows("deliveries") == []


def test_a_session_is_one_sign_in(case):
    log = Log().connect()
    for number in range(3):
        log.mail(f"A1B2C3D{number}", "a@b.test")
    log.connect().mail("E5F6A7B8", "a@b.test")
    case.lines(*log.lines)
    assert (
        case.rows("signins", "account", "ip", "protocol", "outcome", "method", "tries")
        == [("alice", "192.0.2.7", "smtp", "success", "PLAIN", 1)] * 2
    )
    assert Counter(Counter(case.rows("messages", "session")).values()) == {3: 1, 1: 1}
    assert set(case.rows("signins", "session")) == set(case.rows("messages", "session"))


def test_processes_do_not_share_sessions(case):
    log = Log().connect(pid=1).connect(pid=2).mail("A1B2C3D4", "a@b.test", pid=1).mail("E5F6A7B8", "a@b.test", pid=2)
    case.lines(*log.lines)
    found = case.rows("messages", "session")
    assert [session.split("/")[1] for session in found] == ["1", "2"]


def test_a_subject_stays_with_its_message(case):
    log = Log().client("A1B2C3D4", "alice")
    log.say("cleanup", "A1B2C3D4: warning: header Subject: 請求書 from pc[192.0.2.7]; from=<a@b.test> to=<c@d.test>")
    case.lines(*log.named("A1B2C3D4").queued("A1B2C3D4").to("A1B2C3D4", "a@b.test").removed("A1B2C3D4").lines)
    assert case.row("messages")["subject"] == "請求書"
