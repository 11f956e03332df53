# SPDX-License-Identifier: Apache-2.0
"""Hostile logs: what strangers put into subjects, names and addresses runs nowhere, and no record of it is lost."""

import csv
import json
import re
from datetime import datetime, timedelta
from html import unescape
from html.parser import HTMLParser
from random import Random

import pytest

from hikeshi.evidence.collect import Reading
from hikeshi.playbook import Question, investigate

START = datetime.fromisoformat("2026-03-02T08:00:00")
OURS = "hinode-works.example"
VICTIM = f"p03@{OURS}"
STRANGE = "203.0.113.77"
SUBJECT = "<script>alert('1')</script>\"><img src=x onerror=alert(2)> invoice"
#: what a spreadsheet runs, a terminal turns around, or a parser takes for an end
RECIPIENTS = (
    "=cmd|'/C calc'!A0@evil.example",
    "=1+1@evil.example",
    "+49123@evil.example",
    "-2+3@evil.example",
    "@sum(1+1)@evil.example",
    '"a, b>c"@evil.example',
    '"say ""x"""@evil.example',
    "o'neil@evil.example",
    "&lt;b&gt;bold@evil.example",
    "\u202egpj.exe@evil.example",
    "line\u2028sep\u2029par\x85nel\x0bvt\x0cff@evil.example",
    "nul\x00in@evil.example",
    "tab\tin@evil.example",
    "\u00fc\u65e5\u672c@evil.example",
    "100%25s{0}${x}@evil.example",
)
FORMULA = ("=", "+", "-", "@", "\t", "\r")


def lines_of(number, time, account, ip, to, *, size, subject=None):
    """Give the lines that Postfix writes for one mail, as bytes."""
    queue_id = f"{0xA00000 + number:X}"
    relay = "relay=mx.far.example[198.51.100.9]:25, delay=1, delays=0.1/0/0.4/0.5, dsn=2.0.0"
    header = (
        f"{queue_id}: warning: header Subject: {subject} from unknown[{ip}]; from=<{account}> to=<{to[0]}> proto=ESMTP"
    )
    told = [
        ("postfix/submission/smtpd", f"{queue_id}: client=unknown[{ip}], sasl_method=PLAIN, sasl_username={account}"),
        *([("postfix/cleanup", header)] if subject else []),
        ("postfix/cleanup", f"{queue_id}: message-id=<{number}.abc@{OURS}>"),
        ("postfix/qmgr", f"{queue_id}: from=<{account}>, size={size}, nrcpt={len(to)} (queue active)"),
        *(("postfix/smtp", f"{queue_id}: to=<{one}>, {relay}, status=sent (250 <b>ok</b>)") for one in to),
        ("postfix/qmgr", f"{queue_id}: removed"),
    ]
    return [f"{time:%b %e %H:%M:%S} mail {program}[{900 + number}]: {text}".encode() for program, text in told]


def office(days=12, people=8):
    """Give the lines of honest days, mail by mail in the order of time, and how many mails they are."""
    mails = []
    for person in range(people):
        rng = Random(person)
        for day in range(days):
            for turn in range(4):
                time = START + timedelta(days=day, hours=2 * turn, minutes=rng.randrange(100), seconds=person)
                to = f"c{rng.randrange(7)}@firm{person}.example" if rng.random() > 0.08 else f"n{day}{turn}@w.example"
                mails.append(
                    (time, f"p{person:02d}@{OURS}", f"192.0.2.{10 + person}", [to], rng.randrange(2000, 90_000))
                )
    return [
        line
        for number, (time, account, ip, to, size) in enumerate(sorted(mails))
        for line in lines_of(number, time, account, ip, to, size=size)
    ]


def burst(recipients, *, subject=None, first=5000):
    """Give the lines of a takeover of one mail each, three a minute."""
    begin = START + timedelta(days=11, hours=9)
    return [
        line
        for turn, to in enumerate(recipients)
        for line in lines_of(
            first + turn, begin + timedelta(seconds=20 * turn), VICTIM, STRANGE, [to], size=14_000, subject=subject
        )
    ]


def asked(folder, lines, end=b"\n"):
    """Investigate lines of bytes and give incident.json."""
    path = folder / "mail.log"
    path.write_bytes(b"".join(line + end for line in lines))
    return investigate(Question([str(path)], folder / "case", reading=Reading("UTC", 2026)), lambda _: None).document


def rows(path):
    with path.open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


class Page(HTMLParser):
    """Collects the elements and the text of a page."""

    def __init__(self, text):
        super().__init__(convert_charrefs=True)
        self.tags, self.handlers, self.words = [], [], []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append(tag)
        self.handlers += [name for name, _ in attrs if name.startswith("on")]

    def handle_data(self, data):
        self.words.append(data)


STRANGERS = [f"r{turn}@two.example" for turn in range(30)]


@pytest.fixture(scope="module")
def honest():
    return office()


@pytest.fixture(scope="module")
def attacked(honest, tmp_path_factory):
    """A takeover whose subject and recipients are hostile."""
    folder = tmp_path_factory.mktemp("hostile")
    document = asked(folder, honest + burst([*STRANGERS, *RECIPIENTS], subject=SUBJECT))
    return folder / "case", document


@pytest.fixture(scope="module")
def calm_page(honest, tmp_path_factory):
    """The page of the same takeover with nothing hostile in it."""
    folder = tmp_path_factory.mktemp("plain")
    plain = [f"s{number}@evil.example" for number in range(len(RECIPIENTS))]
    asked(folder, honest + burst([*STRANGERS, *plain], subject="Invoice"))
    return Page((folder / "case" / "report.html").read_text("utf-8"))


def test_no_hostile_mail_is_lost(attacked):
    """Every record is counted, every mail belongs to the incident, every recipient is an address of it."""
    _, document = attacked
    (one,) = document["inputs"]
    assert one["records"] == one["taken"] + one["skipped"] + one["set_aside"]
    (incident,) = document["incidents"]
    assert (incident["account"], incident["verdict"]) == (VICTIM, "takeover")
    assert incident["messages"] == len(STRANGERS) + len(RECIPIENTS)
    assert incident["addresses"] == len(STRANGERS) + len(RECIPIENTS)
    assert incident["subjects"] == [SUBJECT]


def test_no_cell_of_a_table_is_a_formula(attacked):
    """Addresses that begin as formulas stand in the tables behind an apostrophe, and are otherwise unchanged."""
    case, _ = attacked
    told = rows(case / "recipients.csv")
    assert not [cell for row in told for cell in row.values() if cell.startswith(FORMULA)]
    assert {row["address"].removeprefix("'") for row in told} >= {one for one in RECIPIENTS if one[0] in "=+-@"}
    assert {row["address"] for row in told if row["address"].startswith("'")} == {
        f"'{one}" for one in RECIPIENTS if one[0] in "=+-@"
    }
    assert not [cell for row in rows(case / "findings.csv") for cell in row.values() if cell.startswith(FORMULA)]


def test_the_page_gains_no_element_and_no_handler(attacked, calm_page):
    """The hostile page has the elements of the calm one and no other: nothing from the log became markup."""
    case, _ = attacked
    text = (case / "report.html").read_text("utf-8")
    page = Page(text)
    assert set(page.tags) == set(calm_page.tags)
    assert page.tags.count("script") == calm_page.tags.count("script")
    assert page.tags.count("img") == calm_page.tags.count("img")
    assert page.handlers == calm_page.handlers
    assert "<script>alert" not in text
    assert "alert('1')" in unescape("".join(page.words))


def test_the_page_shows_no_invisible_sign(attacked):
    """No override of direction, no NUL and no other control sign reaches the reader's eye unseen."""
    case, _ = attacked
    text = (case / "report.html").read_text("utf-8")
    assert not re.search("[\u202a-\u202e\u2066-\u2069\u2028\u2029\x00-\x08\x0b\x0c\x0e-\x1f\x85]", text)
    assert "gpj.exe@evil.example" in text


def test_the_timeline_is_one_object_a_line(attacked):
    """Signs that look like newlines to some readers break no line of JSON."""
    case, document = attacked
    told = [json.loads(line) for line in (case / "timeline.jsonl").read_bytes().split(b"\n") if line]
    sent = [row for row in told if row["timestamp_desc"] == "Message Submitted"]
    assert len(sent) == document["incidents"][0]["messages"]


@pytest.mark.parametrize(
    "name", ["=1+1", "+p", "-p", "@p", "<script>alert`3`</script>", '"p"', "p\u202eq", "p,q", "p%00{x}"]
)
def test_names_that_are_tried_lead_nowhere(name, tmp_path):
    """Anybody may try to sign in under any name; the name is data, and the record is counted."""
    time = f"{START:%b %e %H:%M:%S} mail"
    lines = [
        f"{time} postfix/submission/smtpd[9]: warning: unknown[{STRANGE}]: SASL LOGIN authentication failed: "
        f"UGFzc3dvcmQ6, sasl_username={name}".encode(),
        f"{time} postfix/submission/smtpd[9]: A1: client=unknown[{STRANGE}], sasl_method=PLAIN, sasl_username={name}".encode(),
        f"{time} dovecot: imap-login: Login: user=<{name}>, method=PLAIN, rip={STRANGE}, lip=192.0.2.1, session=<ab>".encode(),
        f"{time} dovecot: imap({name})<7><ab>: sieve: msgid=<1@x>: discard action: Marked message to be discarded".encode(),
    ]
    document = asked(tmp_path, lines)
    (one,) = document["inputs"]
    assert (one["records"], one["set_aside"]) == (4, 0)
    cells = [cell for row in rows(tmp_path / "case" / "findings.csv") for cell in row.values()]
    assert not [cell for cell in cells if cell.startswith(FORMULA)]
    assert any(one["kind"] == "mail-redirected" for one in document["findings"])
    assert "<script>alert" not in (tmp_path / "case" / "report.html").read_text("utf-8")


def aside(folder):
    return b"".join(
        path.read_bytes() for path in sorted((folder / "case" / "set-aside").glob("*")) if path.name != "index.csv"
    )


def test_lines_that_are_no_lines(honest, tmp_path):
    """A line of 10 MB, a line of Latin-1, NULs, an empty line: each is counted once, and the mails around them are exact."""
    long = b"Mar 13 17:00:01 mail postfix/smtp[9]: " + b"A" * (10 << 20)
    latin = "Mar 13 17:00:02 mail postfix/smtp[9]: connect to f\u00fcr.example: Zeit\u00fcberschreitung".encode(
        "latin-1"
    )
    nuls = b"\0" * 4096
    lines = burst(STRANGERS)
    mixed = honest + lines[:50] + [long, latin, b"", nuls] + lines[50:]
    document = asked(tmp_path, mixed)
    (one,) = document["inputs"]
    assert one["records"] == len(mixed)
    assert one["records"] == one["taken"] + one["skipped"] + one["set_aside"]
    (incident,) = document["incidents"]
    assert (incident["messages"], incident["addresses"]) == (30, 30)
    kept = aside(tmp_path)
    assert long in kept
    assert nuls in kept


def test_a_latin1_address_is_an_address(honest, tmp_path):
    """Octets that are no UTF-8 inside an address lose neither the record nor the address."""
    lines = honest + burst(STRANGERS)
    hostile = [line.replace(b"to=<r7@", b"to=<m\xfcller@") for line in lines]
    document = asked(tmp_path, hostile)
    (one,) = document["inputs"]
    assert one["taken"] + one["skipped"] + one["set_aside"] == one["records"] == len(lines)
    (incident,) = document["incidents"]
    assert (incident["messages"], incident["addresses"], one["set_aside"]) == (30, 30, 0)
    (mine,) = [row["address"] for row in rows(tmp_path / "case" / "recipients.csv") if "ller@" in row["address"]]
    assert mine.startswith("m")


def test_lines_of_another_system_end_otherwise(honest, tmp_path):
    """Lines that end with CR LF give the numbers of lines that end with LF."""
    document = asked(tmp_path, honest + burst(STRANGERS), end=b"\r\n")
    (incident,) = document["incidents"]
    assert (incident["messages"], incident["addresses"], incident["delivered"]) == (30, 30, 30)
    assert document["inputs"][0]["set_aside"] == 0


def test_a_forged_line_inside_a_subject_is_no_line(honest, tmp_path):
    """A subject that looks like a delivery makes no delivery and no recipient."""
    forged = "x Mar 13 17:00:00 mail postfix/smtp[9]: A01388: to=<ghost@evil.example>, relay=x, delay=1, delays=1, dsn=2.0.0, status=sent (ok)"
    document = asked(tmp_path, honest + burst(STRANGERS, subject=forged))
    (incident,) = document["incidents"]
    assert (incident["messages"], incident["addresses"]) == (30, 30)
    assert "ghost@evil.example" not in (tmp_path / "case" / "recipients.csv").read_text("utf-8")
