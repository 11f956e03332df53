# SPDX-License-Identifier: Apache-2.0
"""Every kind of Postfix line that means something to us, 3.5 to 3.11, with the row it gives."""

import pytest

HEAD = "Nov 24 12:09:24 mx "
WHENCE = ("time", "host", "tag", "pid", "zone", "input", "record")
Q = "E229775C"


def taken(bench, tag, text):
    """Give the one row that a line gives, and its table."""
    counts = bench.take(f"{HEAD}{tag}[3733]: {text}")
    assert (counts.records, counts.taken) == (1, 1), bench.aside_rows()
    tables = {table: bench.rows(table) for table in ("pieces", "signins")}
    ((table, (row,)),) = [(table, rows) for table, rows in tables.items() if rows]
    return table, {name: value for name, value in row.items() if name not in WHENCE}


def piece(bench, tag, text):
    table, row = taken(bench, tag, text)
    assert table == "pieces"
    return row


def skipped(bench, tag, text):
    counts = bench.take(f"{HEAD}{tag}[3733]: {text}")
    return (counts.records, counts.skipped) == (1, 1)


def test_a_row_says_when_where_and_whence(bench):
    bench.take("not a log line", f"{HEAD}postfix/submission/smtpd[3733]: connect from pc.example.test[192.0.2.7]")
    (row,) = bench.rows("pieces")
    assert str(row.pop("time")) == "2026-11-24 12:09:24"
    assert row == {
        "kind": "connect",
        "host": "mx",
        "tag": "postfix/submission/smtpd",
        "pid": 3733,
        "queue_id": "",
        "zone": "UTC",
        "input": 1,
        "record": 2,
    }


ALICE = {"method": "PLAIN", "account": "alice"}
CLIENTS = {
    "pc.example.test[192.0.2.7], sasl_method=PLAIN, sasl_username=alice": {"client_ip": "192.0.2.7", **ALICE},
    "unknown[192.0.2.7]:51234, sasl_method=PLAIN, sasl_username=alice": {"client_ip": "192.0.2.7", **ALICE},
    "unknown[2001:db8::7]:51234, sasl_method=PLAIN, sasl_username=alice": {"client_ip": "2001:db8::7", **ALICE},
    "unknown[unknown], sasl_method=PLAIN, sasl_username=alice": {"client_ip": "unknown", **ALICE},
    "mail.example.org[198.51.100.9]": {"client_ip": "198.51.100.9"},
    "pc[192.0.2.7], sasl_method=LOGIN, sasl_username=Alice@Example.TEST": {
        "client_ip": "192.0.2.7",
        "method": "LOGIN",
        "account": "alice@example.test",
    },
    "pc[192.0.2.7], sasl_method=PLAIN, sasl_username=alice, sasl_sender=boss@example.test": {
        "client_ip": "192.0.2.7",
        **ALICE,
    },
    "pc[192.0.2.7], sasl_method=PLAIN, sasl_username=Sato, Hanako": {
        "client_ip": "192.0.2.7",
        "method": "PLAIN",
        "account": "sato, hanako",
    },
    "localhost[127.0.0.1], orig_queue_id=4F1A2B3C4D, orig_client=pc[192.0.2.7]": {
        "client_ip": "127.0.0.1",
        "other_id": "4F1A2B3C4D",
    },
    "localhost[127.0.0.1], sasl_method=PLAIN, sasl_username=alice, orig_queue_id=4jYSTJ0sf8znjll, orig_client=pc[192.0.2.7]": {
        "client_ip": "127.0.0.1",
        "other_id": "4jYSTJ0sf8znjll",
        **ALICE,
    },
    # XCLIENT can hand on the name without the method
    "pc[192.0.2.7], sasl_username=alice": {"client_ip": "192.0.2.7", "account": "alice"},
}


@pytest.mark.parametrize("text", CLIENTS)
def test_client(bench, text):
    row = piece(bench, "postfix/submission/smtpd", f"{Q}: client={text}")
    assert row == {"kind": "client", "queue_id": Q, **CLIENTS[text]}


def test_a_long_queue_id(bench):
    row = piece(bench, "postfix/smtpd", "4jYSTJ0sf8znjll: client=pc[192.0.2.7]")
    assert row == {"kind": "client", "queue_id": "4jYSTJ0sf8znjll", "client_ip": "192.0.2.7"}


def test_a_before_queue_filter_has_no_queue_id_yet(bench):
    """With smtpd_proxy_filter the client is logged as NOQUEUE, which is nobody's queue id."""
    row = piece(bench, "postfix/smtpd", "NOQUEUE: client=pc[192.0.2.7], sasl_method=PLAIN, sasl_username=alice")
    assert row == {"kind": "client", "queue_id": "", "client_ip": "192.0.2.7", **ALICE}


MESSAGE_IDS = {
    "<m1@client.example.test>": "m1@client.example.test",
    "m1@client.example.test": "m1@client.example.test",
    "<>": None,
    "": None,
    "<two words@client.example.test>": "two words@client.example.test",
    "<[2001:db8::1].5@[192.0.2.7]>": "[2001:db8::1].5@[192.0.2.7]",
}


@pytest.mark.parametrize("text", MESSAGE_IDS)
def test_message_id(bench, text):
    row = piece(bench, "postfix/cleanup", f"{Q}: message-id={text}")
    found = {"message_id": MESSAGE_IDS[text]} if MESSAGE_IDS[text] else {}
    assert row == {"kind": "message_id", "queue_id": Q, **found}


def test_a_resent_message_id_is_not_the_message_id(bench):
    assert skipped(bench, "postfix/cleanup", f"{Q}: resent-message-id=<r1@client.example.test>")


def test_queued(bench):
    row = piece(bench, "postfix/qmgr", f"{Q}: from=<Alice@example.test>, size=441, nrcpt=2 (queue active)")
    assert row == {"kind": "queued", "queue_id": Q, "mail_from": "Alice@example.test", "size": 441, "nrcpt": 2}


def test_the_null_sender_is_kept_as_empty(bench):
    row = piece(bench, "postfix/qmgr", f"{Q}: from=<>, size=2731, nrcpt=1 (queue active)")
    assert row == {"kind": "queued", "queue_id": Q, "mail_from": "", "size": 2731, "nrcpt": 1}


def test_a_quoted_sender(bench):
    row = piece(bench, "postfix/qmgr", Q + r': from=<"a > b, \"c\""@example.test>, size=441, nrcpt=2 (queue active)')
    assert row["mail_from"] == r'"a > b, \"c\""@example.test'
    assert (row["size"], row["nrcpt"]) == (441, 2)


@pytest.mark.parametrize("how", ["expired", "force-expired"])
def test_expired(bench, how):
    row = piece(bench, "postfix/qmgr", f"{Q}: from=<alice@example.test>, status={how}, returned to sender")
    assert row == {"kind": "expired", "queue_id": Q}


RELAY = "mx.example.org[198.51.100.9]:25"
SENT = {"dsn": "2.0.0", "status": "sent", "relay": RELAY, "reason": "250 2.0.0 Ok: queued as 4F1", "other_id": "4F1"}
TIMES = "delay=0.02, delays=0.01/0.01/0/0"
OK = "dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4F1)"
TWINS = {
    "3.5": f"to=<a@example.org>, relay={RELAY}, {TIMES}, {OK}",
    "3.7 conn_use": f"to=<a@example.org>, relay={RELAY}, conn_use=2, {TIMES}, {OK}",
    "3.11 tls": f"to=<a@example.org>, relay={RELAY}, {TIMES}, tls=may, {OK}",
    "3.11 tls and conn_use": f"to=<a@example.org>, relay={RELAY}, conn_use=17, {TIMES}, tls=dane:encrypt, {OK}",
}


@pytest.mark.parametrize("version", TWINS)
def test_delivery_twins(bench, version):
    """The same delivery, as versions of Postfix write it."""
    row = piece(bench, "postfix/smtp", f"{Q}: {TWINS[version]}")
    assert row == {"kind": "to", "queue_id": Q, "address": "a@example.org", **SENT}


@pytest.mark.parametrize("version", TWINS)
def test_delivery_twins_of_an_alias(bench, version):
    text = TWINS[version].replace(">,", ">, orig_to=<X@Example.TEST>,", 1)
    row = piece(bench, "postfix/smtp", f"{Q}: {text}")
    assert row == {"kind": "to", "queue_id": Q, "address": "a@example.org", "orig_to": "X@Example.TEST", **SENT}


@pytest.mark.parametrize("version", TWINS)
def test_delivery_twins_of_a_quoted_local_part(bench, version):
    text = TWINS[version].replace("<a@", r'<"x > y, \"z\""@', 1).replace("example.org>", "Example.ORG>", 1)
    row = piece(bench, "postfix/smtp", f"{Q}: {text}")
    assert row == {"kind": "to", "queue_id": Q, "address": r'"x > y, \"z\""@example.org', **SENT}


def test_a_quoted_original_address(bench):
    text = TWINS["3.5"].replace(">,", '>, orig_to=<"x > y"@example.test>,', 1)
    row = piece(bench, "postfix/smtp", f"{Q}: {text}")
    assert row == {"kind": "to", "queue_id": Q, "address": "a@example.org", "orig_to": '"x > y"@example.test', **SENT}


ADDRESSES = {
    "Taro.Yamada@EXAMPLE.org": "Taro.Yamada@example.org",
    "taro+news@example.org": "taro+news@example.org",
    "a,b@example.org": "a,b@example.org",
    "root": "root",
    "Root": "root",
    "user@[192.0.2.9]": "user@[192.0.2.9]",
    "用户@例え.example": "用户@例え.example",
    '"With@Sign"@EXAMPLE.org': '"With@Sign"@example.org',
}


@pytest.mark.parametrize("address", ADDRESSES)
def test_the_domain_is_folded_and_the_local_part_kept(bench, address):
    row = piece(bench, "postfix/smtp", f"{Q}: to=<{address}>, relay={RELAY}, {TIMES}, {OK}")
    assert row["address"] == ADDRESSES[address]


@pytest.mark.parametrize(
    "status", ["sent", "bounced", "deferred", "expired", "undeliverable", "deliverable", "SOFTBOUNCE"]
)
def test_every_status_word(bench, status):
    row = piece(bench, "postfix/smtp", f"{Q}: to=<a@b.test>, relay=none, {TIMES}, dsn=4.0.0, status={status} (words)")
    assert row == {
        "kind": "to",
        "queue_id": Q,
        "address": "a@b.test",
        "relay": "none",
        "dsn": "4.0.0",
        "status": status,
        "reason": "words",
    }


REASONS = {
    "host mx.example.org[198.51.100.9] said: 550 5.1.1 <a@b.test>: no (such) user, sorry (in reply to RCPT TO command)": None,
    "connect to mx.example.org[2001:db8::9]:25: Connection timed out": None,
    "delivery temporarily suspended: lost connection (((": None,
    "forwarded as 5A6B7C8D9E": "5A6B7C8D9E",
    "250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as 5A6B7C8D9E": "5A6B7C8D9E",
    "delivered to command: /usr/lib/list/post --to=<x>, status=sent (yes)": None,
    "": None,
}


@pytest.mark.parametrize("reason", REASONS)
def test_reasons_with_brackets_and_commas(bench, reason):
    row = piece(
        bench, "postfix/smtp", f"{Q}: to=<a@b.test>, relay={RELAY}, {TIMES}, dsn=5.1.1, status=bounced ({reason})"
    )
    assert row.get("reason", "") == reason
    assert row.get("other_id") == REASONS[reason]
    assert row["status"] == "bounced"


LOCAL = [
    ("local", "relay=local", "delivered to mailbox"),
    ("pipe", "relay=dovecot", "delivered via dovecot service"),
    ("virtual", "relay=virtual", "delivered to maildir"),
    ("lmtp", "relay=mx.example.test[private/dovecot-lmtp]", "250 2.0.0 <a@b.test> x1/JHQAA Saved"),
    ("error", "relay=none", "User unknown in virtual alias table"),
]


@pytest.mark.parametrize(("daemon", "relay", "reason"), LOCAL)
def test_every_delivery_agent(bench, daemon, relay, reason):
    row = piece(bench, f"postfix/{daemon}", f"{Q}: to=<a@b.test>, {relay}, {TIMES}, dsn=2.0.0, status=sent ({reason})")
    assert (row["relay"], row["reason"]) == (relay.removeprefix("relay="), reason)


def test_a_delivery_that_cannot_be_read_is_set_aside(bench):
    counts = bench.take(f"{HEAD}postfix/smtp[1]: {Q}: to=<a@b.test>, something new, status=sent (250 Ok)")
    assert (counts.taken, counts.skipped, counts.set_aside) == (0, 0, 1)
    assert [row["reason"] for row in bench.aside_rows()] == ["looks like postfix-to but cannot be read as it"]


BARE = {
    ("postfix/qmgr", f"{Q}: removed"): "removed",
    ("postfix/postsuper", f"{Q}: removed"): "deleted",
    ("postfix/postsuper", f"{Q}: requeued"): "requeued",
    ("postfix/postsuper", f"{Q}: placed on hold"): "hold",
    ("postfix/postsuper", f"{Q}: released from hold"): "release",
    ("postfix/submission/smtpd", f"{Q}: canceled"): "canceled",
    (
        "postfix/cleanup",
        f"{Q}: milter-hold: END-OF-MESSAGE from pc[192.0.2.7]: milter triggers HOLD action; from=<m@x.test> to=<l@y.test> proto=ESMTP helo=<pc>",
    ): "hold",
    (
        "postfix/cleanup",
        f"{Q}: milter-hold: END-OF-MESSAGE from pc[192.0.2.7]: hikeshi holds this burst; from=<m@x.test> to=<l@y.test> proto=ESMTP helo=<pc>",
    ): "hold",
    ("postfix/cleanup", f"{Q}: hold: header Subject: x from pc[192.0.2.7]; from=<m@x.test> to=<l@y.test>"): "hold",
    (
        "postfix/smtpd",
        f"{Q}: hold: RCPT from pc[192.0.2.7]: <m>: SASL login name x; from=<m@x.test> to=<l@y.test>",
    ): "hold",
    ("postfix/cleanup", f"{Q}: discard: body x from pc[192.0.2.7]; from=<m@x.test> to=<l@y.test>"): "discarded",
    (
        "postfix/cleanup",
        f"{Q}: milter-discard: END-OF-MESSAGE from pc[192.0.2.7]: milter triggers DISCARD action; from=<m@x.test> to=<l@y.test>",
    ): "discarded",
}


@pytest.mark.parametrize(("tag", "text"), BARE)
def test_what_happens_to_a_message(bench, tag, text):
    assert piece(bench, tag, text) == {"kind": BARE[tag, text], "queue_id": Q}


WORDS = "5.7.1 no; from=<m@x.test> to=<l@y.test> proto=ESMTP helo=<pc>"
HEADER = "header Subject: x from pc[192.0.2.7]; from=<m@x.test> to=<l@y.test>"
REJECTED = {
    f"milter-reject: END-OF-MESSAGE from pc[192.0.2.7]: {WORDS}": ("m@x.test", WORDS, "192.0.2.7"),
    f"milter-reject: END-OF-MESSAGE from unknown[2001:db8::7]:51234: {WORDS}": ("m@x.test", WORDS, "2001:db8::7"),
    "milter-reject: END-OF-MESSAGE from localhost[127.0.0.1]: 4.7.1 later; from=<>": (
        "",
        "4.7.1 later; from=<>",
        "127.0.0.1",
    ),
    'milter-reject: END-OF-MESSAGE from pc[192.0.2.7]: 5.7.1 no; from=<"a > b"@x.test>': (
        '"a > b"@x.test',
        '5.7.1 no; from=<"a > b"@x.test>',
        "192.0.2.7",
    ),
    # what the client calls itself stands behind, and is the client's choice
    f"milter-reject: END-OF-MESSAGE from pc[192.0.2.7]: {WORDS[:-1]} from a; from=<boss@x.test>>": (
        "m@x.test",
        f"{WORDS[:-1]} from a; from=<boss@x.test>>",
        "192.0.2.7",
    ),
    f"reject: {HEADER}: 5.7.1 no": ("m@x.test", f"{HEADER}: 5.7.1 no", None),
    f"reject: {HEADER} proto=ESMTP helo=<pc>: 5.7.1 no": (
        "m@x.test",
        f"{HEADER} proto=ESMTP helo=<pc>: 5.7.1 no",
        None,
    ),
    "reject: mime-header Content-Type: x from local; from=<>: 5.7.1 no": (
        "",
        "mime-header Content-Type: x from local; from=<>: 5.7.1 no",
        None,
    ),
    # what stands before is the mail's own
    "reject: body x from a[203.0.113.9]; from=<boss@x.test> from pc[192.0.2.7]; from=<m@x.test> to=<l@y.test>": (
        "m@x.test",
        "body x from a[203.0.113.9]; from=<boss@x.test> from pc[192.0.2.7]; from=<m@x.test> to=<l@y.test>",
        None,
    ),
}


@pytest.mark.parametrize("text", REJECTED)
def test_a_mail_refused_at_its_end_has_a_sender_and_a_reason(bench, text):
    row = piece(bench, "postfix/cleanup", f"{Q}: {text}")
    assert (row.pop("mail_from"), row.pop("reason"), row.pop("client_ip", None)) == REJECTED[text]
    assert row == {"kind": "rejected", "queue_id": Q}


def test_held_before_there_is_a_queue_id(bench):
    row = piece(
        bench,
        "postfix/smtpd",
        "NOQUEUE: hold: RCPT from pc[192.0.2.7]: <m>: SASL login name x; from=<m@x.test> to=<l@y.test>",
    )
    assert row == {"kind": "hold", "queue_id": ""}


@pytest.mark.parametrize("words", ["reject: me", "discard: me", "milter-reject: x", "status=sent reject: ("])
def test_a_header_cannot_pretend_that_its_message_was_rejected(bench, words):
    assert skipped(bench, "postfix/cleanup", f"{Q}: warning: header From: {words} from pc[192.0.2.7]; from=<m@x.test>")


PICKUPS = {
    "uid=8 from=<b@example.org>": {"mail_from": "b@example.org"},
    "uid=0 from=<root> orig_id=4F1A2B3C4D": {"mail_from": "root", "other_id": "4F1A2B3C4D"},
    "uid=8 from=<>": {"mail_from": ""},
    'uid=8 from=<"a > b"@example.org> orig_id=4jYSTJ0sf8znjll': {
        "mail_from": '"a > b"@example.org',
        "other_id": "4jYSTJ0sf8znjll",
    },
}


@pytest.mark.parametrize("text", PICKUPS)
def test_pickup(bench, text):
    assert piece(bench, "postfix/pickup", f"{Q}: {text}") == {"kind": "pickup", "queue_id": Q, **PICKUPS[text]}


@pytest.mark.parametrize(
    "words",
    ["sender non-delivery", "sender delay", "sender delivery status", "postmaster non-delivery", "postmaster delay"],
)
def test_notifications_name_the_new_message(bench, words):
    row = piece(bench, "postfix/bounce", f"{Q}: {words} notification: 1548578F")
    assert row == {"kind": "notification", "queue_id": Q, "other_id": "1548578F"}


SUBJECTS = [
    "Invoice 4711",
    "=?UTF-8?B?6KuL5rGC5pu4?= =?UTF-8?Q?4711?=",
    "=?ISO-2022-JP?B?GyRCQEE1YTpxGyhC?=",
    "請求書の件",
    "????????",
    "from a[192.0.2.1]; from=<x@y.test> to=<z@y.test>",
    "warning: header Subject: again",
    "a   b",
]


@pytest.mark.parametrize("word", ["warning", "info"])
@pytest.mark.parametrize("subject", SUBJECTS)
def test_subjects(bench, subject, word):
    text = f"{Q}: {word}: header Subject: {subject} from pc[192.0.2.7]; from=<m@x.test> to=<l@y.test> proto=ESMTP helo=<pc>"
    assert piece(bench, "postfix/cleanup", text) == {"kind": "subject", "queue_id": Q, "subject": subject}


def test_a_subject_from_this_machine(bench):
    row = piece(bench, "postfix/cleanup", f"{Q}: warning: header Subject: cron from local; from=<root@x.test>")
    assert row == {"kind": "subject", "queue_id": Q, "subject": "cron"}


WHY = "553 5.7.1 <alice@example.test>: Sender address rejected: not owned by user mallory"
REFUSALS = {
    "3.7": "; from=<alice@example.test> to=<a@example.org> proto=ESMTP helo=<pc>",
    "3.10": "; from=<alice@example.test> to=<a@example.org> proto=ESMTP helo=<pc> sasl_method=PLAIN sasl_username=<Mallory>",
    "3.10 with commas": "; from=<alice@example.test> to=<a@example.org> proto=ESMTP helo=<pc>, sasl_method=PLAIN, sasl_username=Mallory",
}


@pytest.mark.parametrize("version", REFUSALS)
@pytest.mark.parametrize("action", ["reject", "milter-reject"])
def test_refused_twins(bench, version, action):
    text = f"NOQUEUE: {action}: RCPT from pc[192.0.2.7]:51234: {WHY}{REFUSALS[version]}"
    row = piece(bench, "postfix/submission/smtpd", text)
    assert row.pop("reason").startswith(WHY)
    named = {"account": "mallory"} if version.startswith("3.10") else {}
    assert row == {
        "kind": "refused",
        "queue_id": "",
        "client_ip": "192.0.2.7",
        "mail_from": "alice@example.test",
        "address": "a@example.org",
        **named,
    }


def test_refused_before_anybody_is_named(bench):
    row = piece(bench, "postfix/smtpd", "NOQUEUE: reject: CONNECT from unknown[2001:db8::7]: 554 5.7.1 no; proto=SMTP")
    assert row == {"kind": "refused", "queue_id": "", "client_ip": "2001:db8::7", "reason": "554 5.7.1 no; proto=SMTP"}


FAILED = "SASL LOGIN authentication failed"
SIGNINS = {
    f"warning: pc[192.0.2.7]: {FAILED}: (reason unavailable), sasl_username=Alice": {"account": "alice", "tries": 1},
    f"warning: unknown[192.0.2.7]:51234: {FAILED}: UGFzc3dvcmQ6": {"tries": 1},
    f"warning: unknown[192.0.2.7]: {FAILED}: authentication failure, sasl_username=alice@example.test": {
        "account": "alice@example.test",
        "tries": 1,
    },
    f"message repeated 4 times: [ warning: pc[192.0.2.7]: {FAILED}: x, sasl_username=Alice]": {
        "account": "alice",
        "tries": 4,
    },
    f"message repeated 4 times: [ warning: pc[192.0.2.7]: {FAILED}: UGFzc3dvcmQ6]": {"tries": 4},
}


@pytest.mark.parametrize("text", SIGNINS)
def test_failed_sign_ins(bench, text):
    table, row = taken(bench, "postfix/smtps/smtpd", text)
    assert table == "signins"
    expected = {"ip": "192.0.2.7", "protocol": "smtp", "outcome": "failure", "method": "LOGIN"}
    assert row == expected | SIGNINS[text]


SILENT = [
    ("postfix/smtpd", "disconnect from pc[192.0.2.7] ehlo=1 auth=0/2 mail=1 rcpt=0/1 commands=4/5"),
    ("postfix/smtpd", "lost connection after AUTH from unknown[192.0.2.7]"),
    ("postfix/smtpd", f"{Q}: reject: RCPT from pc[192.0.2.7]: 550 5.1.1 <x@y.test>: no; from=<a@b.test> to=<x@y.test>"),
    ("postfix/smtpd", "NOQUEUE: reject_warning: RCPT from pc[192.0.2.7]: 450 no; from=<a@b.test> to=<x@y.test>"),
    ("postfix/smtp", f"{Q}: host mx.example.org[198.51.100.9] said: 450 4.7.1 try again (in reply to RCPT TO command)"),
    ("postfix/smtp", "Untrusted TLS connection established to mx.example.org[198.51.100.9]:25: TLSv1.3"),
    ("postfix/anvil", "statistics: max connection rate 1/60s for (smtp:192.0.2.7) at Nov 24 12:05:00"),
    ("postfix/qmgr", f"{Q}: skipped, still being delivered"),
    ("postfix/postfix-script", "refreshing the Postfix mail system"),
]


@pytest.mark.parametrize(("tag", "text"), SILENT)
def test_known_and_left_alone(bench, tag, text):
    assert skipped(bench, tag, text)


@pytest.mark.parametrize("tag", ["postfix/qmgr", "postfix-out/qmgr", "postfix/out/qmgr", "mail/qmgr", "postfix/nqmgr"])
def test_every_name_of_the_program(bench, tag):
    row = piece(bench, tag, f"{Q}: from=<a@b.test>, size=1, nrcpt=1 (queue active)")
    assert row["kind"] == "queued"
