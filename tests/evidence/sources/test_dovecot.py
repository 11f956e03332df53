# SPDX-License-Identifier: Apache-2.0
"""Every kind of Dovecot line that means something to us, 2.3 and 2.4, through syslog and in Dovecot's own file."""

import pytest

WHENCE = ("time", "zone", "input", "record")
#: how the same words stand in a log: by syslog, in Dovecot's own file, and there without the level
WAYS = {
    "syslog": "Nov 24 12:09:24 mx dovecot: {}",
    "syslog with a process": "Nov 24 12:09:24 mx dovecot[812]: {}",
    "syslog with the level": "Nov 24 12:09:24 mx dovecot: {info}",
    "own file": "Nov 24 12:09:24 {info}",
    "own file with ISO stamps": "2026-11-24 12:09:24 {info}",
    "iso": "2026-11-24T12:09:24+00:00 mx dovecot: {}",
    "rfc5424": "<22>1 2026-11-24T12:09:24Z mx dovecot 812 - - {}",
}


def line(text, way="syslog"):
    program, _, rest = text.partition(": ")
    return WAYS[way].format(text, info=f"{program}: Info: {rest}")


def taken(bench, text, way="syslog"):
    """Give the one row that a line gives, and its table."""
    counts = bench.take(line(text, way))
    assert (counts.records, counts.taken) == (1, 1), bench.aside_rows()
    tables = {table: bench.rows(table) for table in ("signins", "changes", "reads")}
    ((table, (row,)),) = [(table, rows) for table, rows in tables.items() if rows]
    assert str(row["time"]) == "2026-11-24 12:09:24"
    return table, {name: value for name, value in row.items() if name not in WHENCE}


USUAL = "user=<Alice>, method=PLAIN, rip=192.0.2.7, lip=203.0.113.2, mpid=3742, TLS, session=<MwdHlQRh1Jt/AAAB>"
ALICE = {"account": "alice", "method": "PLAIN", "ip": "192.0.2.7", "session": "MwdHlQRh1Jt/AAAB", "protocol": "imap"}
IN = {"outcome": "success", "tries": 1}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("words", ["Login", "Logged in"])
def test_sign_in_twins(bench, words, way):
    """2.3 says Login, 2.4 says Logged in."""
    assert taken(bench, f"imap-login: {words}: {USUAL}", way) == ("signins", ALICE | IN)


@pytest.mark.parametrize("protocol", ["imap", "pop3", "managesieve", "submission"])
def test_every_protocol(bench, protocol):
    assert taken(bench, f"{protocol}-login: Login: {USUAL}") == ("signins", ALICE | IN | {"protocol": protocol})


ELEMENTS = {
    "rip=192.0.2.7, user=<alice>, session=<MwdHlQRh1Jt/AAAB>, method=PLAIN": {},
    "method=PLAIN, rip=192.0.2.7, user=<alice>, TLS, session=<MwdHlQRh1Jt/AAAB>": {},
    "session=<MwdHlQRh1Jt/AAAB>, user=<alice>, rip=192.0.2.7, method=PLAIN, secured": {},
    "user=<alice>, method=XOAUTH2, rip=2001:db8::7, lip=2001:db8::1, session=<MwdHlQRh1Jt/AAAB>": {
        "method": "XOAUTH2",
        "ip": "2001:db8::7",
    },
    # the name is the visitor's own choice, the address is not
    "user=<x, rip=192.0.2.1>, method=PLAIN, rip=192.0.2.7, lip=203.0.113.2, session=<MwdHlQRh1Jt/AAAB>": {
        "account": "x, rip=192.0.2.1"
    },
    "user=<x, rip=192.0.2.1>, rip=192.0.2.7, method=PLAIN, session=<MwdHlQRh1Jt/AAAB>": {"account": "x, rip=192.0.2.1"},
    "user=<x, method=EVIL, session=<y>, rip=192.0.2.7, method=PLAIN, session=<MwdHlQRh1Jt/AAAB>": {
        "account": "x, method=evil, session=<y"
    },
}


@pytest.mark.parametrize("elements", ELEMENTS)
def test_elements_in_any_order(bench, elements):
    assert taken(bench, f"imap-login: Login: {elements}") == ("signins", ALICE | IN | ELEMENTS[elements])


def test_a_login_of_nobody(bench):
    row = taken(bench, "imap-login: Login: user=<>, method=ANONYMOUS, rip=192.0.2.7, session=<a>")[1]
    assert "account" not in row
    assert row["outcome"] == "success"


FAILED = {
    "Disconnected: Connection closed (auth failed, 1 attempts in 2 secs)": 1,
    "Disconnected (auth failed, 2 attempts in 12 secs)": 2,
    "Aborted login (auth failed, 3 attempts in 4 secs)": 3,
    "Login aborted: Connection closed (auth failed, 3 attempts in 16 secs) (auth_failed)": 3,
    "Disconnected: Inactivity (auth failed, 10 attempts in 180 secs)": 10,
}


@pytest.mark.parametrize("way", WAYS)
@pytest.mark.parametrize("words", FAILED)
def test_failed_sign_in_twins(bench, words, way):
    row = taken(bench, f"imap-login: {words}: {USUAL}", way)
    assert row == ("signins", ALICE | {"outcome": "failure", "tries": FAILED[words]})


def test_a_repeated_failure_is_told_once_by_syslog(bench):
    text = f"message repeated 3 times: [ imap-login: Disconnected (auth failed, 2 attempts in 12 secs): {USUAL}]"
    row = taken(bench, text)
    assert row == ("signins", ALICE | {"outcome": "failure", "tries": 6})


VISITORS = [
    "imap-login: Disconnected (no auth attempts in 0 secs): user=<>, rip=192.0.2.7, lip=203.0.113.2, session=<a>",
    "imap-login: Disconnected: Connection closed (no auth attempts in 0 secs): user=<>, rip=192.0.2.7, session=<a>",
    "imap-login: Login aborted: Connection closed (no auth attempts in 0 secs) (no_auth_attempts): user=<>, rip=192.0.2.7",
    "imap-login: Aborted login (tried to use disallowed plaintext auth): user=<>, rip=192.0.2.7, session=<a>",
    "imap-login: Disconnected (client didn't finish SASL auth, waited 2 secs): user=<>, method=PLAIN, rip=192.0.2.7",
    "auth-worker(123): conn unix:auth-worker: auth-worker<4>: sql(alice,192.0.2.7,<S>): Password mismatch",
    "auth(alice@example.test,192.0.2.7,sasl:login)<SESSION>: sql: Password mismatch",
    "lmtp(3744): Connect from local",
    "lmtp(alice@example.test)<3744><EGKC>: sieve: msgid=<m2@ext.example.org>: stored mail into mailbox 'INBOX'",
    "master: Dovecot v2.3.19 starting up for imap, lmtp",
    "anvil: Warning: Anvil queue is full",
]


@pytest.mark.parametrize("way", ["syslog", "own file"])
@pytest.mark.parametrize("text", VISITORS)
def test_known_and_left_alone(bench, text, way):
    counts = bench.take(line(text, way))
    assert (counts.records, counts.skipped) == (1, 1), bench.aside_rows()


COUNTS = "in=32 out=788 deleted=0 expunged=0 trashed=0 hdr_count=4 hdr_bytes=90 body_count=3 body_bytes=512"
ENDED = [
    "Disconnected: Logged out",
    "Logged out",
    "Disconnected: Connection closed",
    "Disconnected: Inactivity - no input for 1800 secs",
    "Disconnected for inactivity",
    "Connection closed (IDLE running for 0.001 + waiting input for 3 secs, 2 B in + 10 B out)",
    "Disconnected: Too many invalid IMAP commands.",
    "Server shutting down.",
]
READ = {"account": "alice", "actor": "alice", "operation": "imap", "bytes": 788}


@pytest.mark.parametrize("words", ENDED)
def test_what_a_session_read(bench, words):
    row = taken(bench, f"imap(Alice)<3742><MwdHlQRh1Jt/AAAB>: {words} {COUNTS}")
    assert row == ("reads", READ | {"session": "MwdHlQRh1Jt/AAAB", "items": 3})


@pytest.mark.parametrize("way", ["syslog", "own file"])
def test_what_a_session_read_without_more_counts(bench, way):
    assert taken(bench, "imap(alice): Disconnected: Logged out in=32 out=788", way) == ("reads", READ)


def test_what_a_pop3_session_read(bench):
    text = "pop3(alice@example.test)<12><abc>: Disconnected: Logged out top=1/300, retr=2/8000, del=0/2, size=9000"
    who = "alice@example.test"
    expected = {"account": who, "actor": who, "session": "abc", "operation": "pop3", "items": 2, "bytes": 8000}
    assert taken(bench, text) == ("reads", expected)


RULES = {
    "redirect action: forwarded to <drop@evil.example>": ("rule.redirect", "drop@evil.example"),
    "discard action: Marked message to be discarded if not explicitly delivered (discard action)": (
        "rule.discard",
        None,
    ),
    "fileinto action: stored mail into mailbox 'RSS Feeds'": ("rule.fileinto", "RSS Feeds"),
    "fileinto action: stored mail into mailbox 'it's mine'": ("rule.fileinto", "it's mine"),
}


@pytest.mark.parametrize("way", ["syslog", "own file", "iso"])
@pytest.mark.parametrize("words", RULES)
def test_rules_at_work(bench, words, way):
    operation, after = RULES[words]
    text = f"lmtp(Alice@example.test)<3744><EGKC>: sieve: msgid=<m2@ext.example.org>: {words}"
    who = "alice@example.test"
    expected = {"account": who, "actor": who, "operation": operation, "what": "m2@ext.example.org"}
    assert taken(bench, text, way) == ("changes", expected | ({"after": after} if after else {}))


def test_a_rule_at_work_on_a_mail_without_message_id(bench):
    row = taken(bench, "lda(alice)<1><x>: sieve: msgid=unspecified: redirect action: forwarded to <d@evil.example>")[1]
    assert (row["what"], row["after"]) == ("unspecified", "d@evil.example")


def test_a_login_that_cannot_be_read_is_set_aside(bench):
    counts = bench.take(line("imap(no end: Disconnected: Logged out in=1 out=2"))
    assert (counts.taken, counts.skipped, counts.set_aside) == (0, 0, 1)
    assert [row["reason"] for row in bench.aside_rows()] == [
        "looks like dovecot-session-ended but cannot be read as it"
    ]
