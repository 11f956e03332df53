# SPDX-License-Identifier: Apache-2.0
import base64
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.evidence.redact import MARK, redact

HIDDEN = "hunter2(x) y"
PLAIN = base64.b64encode(f"\0alice\0{HIDDEN}".encode()).decode()
HEAD = "Nov 24 12:09:24 mx "

#: lines that hold the secret, and what of them must stay
TOLD = {
    f"{HEAD}dovecot: auth-worker(1): sql(alice,192.0.2.7): Password mismatch (given password: {HIDDEN})": "alice",
    f"{HEAD}dovecot: auth: pam(alice,192.0.2.7,<S>): unknown user (given password: {HIDDEN})": "192.0.2.7",
    f"{HEAD}dovecot: auth: passwd-file(alice,192.0.2.7): Password mismatch (given password: {HIDDEN}": "alice",
    f"{HEAD}dovecot: auth: Debug: sql(alice,192.0.2.7): SHA512-CRYPT({HIDDEN}) != '$6$salt$hunter2hash'": "SHA512-CRYPT",
    f"{HEAD}dovecot: auth: Debug: client in: AUTH\t1\tPLAIN\tservice=imap\tresp={PLAIN}": "service=imap",
    f"{HEAD}dovecot: auth: Debug: client in: AUTH#0111#011PLAIN#011service=imap#011resp={PLAIN}": "service=imap",
    f"{HEAD}dovecot: auth: Debug: client in: CONT\t7\t{PLAIN}": "CONT",
    f"{HEAD}dovecot: auth: Debug: client in: CONT#0117#011{PLAIN}": "CONT",
    f"{HEAD}dovecot: auth: Debug: client passdb out: OK\t1\tuser=alice\tpass={HIDDEN}\tproxy=y": "user=alice",
    f"{HEAD}dovecot: auth: Debug: client passdb out: OK#0111#011user=alice#011pass={HIDDEN}#011proxy=y": "proxy=y",
    f"{HEAD}postfix/smtpd[1]: < pc[192.0.2.7]: AUTH PLAIN {PLAIN}": "AUTH PLAIN",
    f"{HEAD}postfix/smtpd[1]: < pc[192.0.2.7]: AUTH LOGIN {PLAIN}": "AUTH LOGIN",
    f"{HEAD}postfix/smtpd[1]: < pc[192.0.2.7]: AUTH XOAUTH2 {PLAIN}": "192.0.2.7",
    f"{HEAD}postfix/smtpd[1]: < pc[192.0.2.7]: {PLAIN}": "192.0.2.7",
    f"{HEAD}postfix/smtpd[1]: xsasl_dovecot_server_first: sasl_method PLAIN, init_response {PLAIN}": "sasl_method PLAIN",
    "2026-11-24 12:09:24 mx app: login user=alice password=hunter2 ok": "user=alice",
}

#: nothing of these is a secret, whatever it looks like
HARMLESS = [
    f"{HEAD}postfix/smtp[1]: E229775C: to=<compass=a@example.org>, relay=none, delay=1, delays=0/0/0/1, dsn=4.0.0, status=deferred (x)",
    f"{HEAD}postfix/cleanup[1]: E229775C: message-id=<resp=1.pass=2@example.org>",
    f"{HEAD}postfix/smtpd[1]: < pc[192.0.2.7]: MAIL FROM:<alice@example.test>",
    f"{HEAD}postfix/smtpd[1]: NOQUEUE: reject: RCPT from pc[192.0.2.7]: 550 no; from=<a@b.test> to=<x@y.test> proto=ESMTP",
    f"{HEAD}dovecot: auth: Debug: client in: AUTH\t1\tPLAIN\tservice=imap\tresp=<hidden>",
    f"{HEAD}dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, session=<MwdHlQRh1Jt/AAAB>",
]


@pytest.mark.parametrize("line", TOLD)
def test_the_secret_goes_and_the_rest_stays(line):
    found = redact(line.encode() + b"\n")
    assert MARK in found
    assert b"hunter2" not in found
    assert PLAIN.encode() not in found
    assert TOLD[line].encode() in found
    assert found.endswith(b"\n")


@pytest.mark.parametrize("line", HARMLESS)
def test_what_is_no_secret_is_not_touched(line):
    assert redact(line.encode()) == line.encode()


def test_each_line_for_itself():
    lines = list(TOLD)
    together = redact("\n".join(lines).encode())
    assert together.split(b"\n") == [redact(line.encode()) for line in lines]


@given(st.lists(st.one_of(st.sampled_from(list(TOLD)), st.text(max_size=40))).map("\n".join))
def test_the_number_of_lines_stays(text):
    octets = text.encode("utf-8", "replace")
    assert redact(octets).count(b"\n") == octets.count(b"\n")


def everything_under(folder: Path) -> bytes:
    return b"".join(path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file())


def test_no_secret_reaches_the_case(case, tmp_path):
    """Neither as rows nor as what is set aside, whether or not a line begins like one of a log."""
    headless = [line.removeprefix(HEAD) for line in TOLD]
    undated = [line.replace("Nov 24", "Feb 30") for line in TOLD]
    path = tmp_path / "given.log"
    path.write_text("\n".join([*TOLD, *headless, *undated, "x" * 70_000 + f" (given password: {HIDDEN})"]))
    case.read(path)
    assert case.sealed.records == 3 * len(TOLD) + 1
    assert case.sealed.set_aside == len(TOLD)  # one of the headless begins like a log; the long one comes on top
    octets = everything_under(case.evidence) + everything_under(case.aside)
    for table in case.manifest.files:
        rows = case.lake.sql.execute(f"SELECT * FROM {table}").fetchall()
        octets += repr(rows).encode()
    assert b"hunter2" not in octets
    assert PLAIN.encode() not in octets
    assert MARK in octets
