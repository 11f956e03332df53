# SPDX-License-Identifier: Apache-2.0
"""Counting rules, each after a failure of a peer: messages, addresses, people, and senders that keep a schedule.

The logs are literal: a small office whose people write to their own few correspondents, and what a test adds.
"""

import csv
import json
from datetime import datetime, timedelta
from random import Random

import pytest
from command import hikeshi

from hikeshi.evidence.collect import Reading
from hikeshi.playbook import Question, investigate

START = datetime.fromisoformat("2026-03-02T08:00:00")
OURS = "hinode-works.example"
VICTIM = f"p03@{OURS}"
STRANGE = "203.0.113.77"
FATES = ("delivered", "bounced", "deferred", "expired", "held", "unknown")
SUBMISSION = "postfix/submission/smtpd"


class Log:
    """A mail server's log in the making: mails in any order, lines in the order of time."""

    def __init__(self):
        self.lines = []
        self.mails = 0

    def mail(self, time, account, ip, to, *, size=None, tag=SUBMISSION, fate="sent", dsn="2.0.0"):
        """Let `account` hand in one mail to `to`."""
        self.mails += 1
        queue_id, pid = f"{0xA00000 + self.mails:X}", 1000 + self.mails
        size = size or 2000 + self.mails * 7919 % 90_000
        relay = "relay=mx.far.example[198.51.100.9]:25, delay=1, delays=0.1/0/0.4/0.5"
        told = [
            (f"{tag}[{pid}]", f"connect from unknown[{ip}]"),
            (f"{tag}[{pid}]", f"{queue_id}: client=unknown[{ip}], sasl_method=PLAIN, sasl_username={account}"),
            ("postfix/cleanup[77]", f"{queue_id}: message-id=<{self.mails}.abc@{OURS}>"),
            ("postfix/qmgr[78]", f"{queue_id}: from=<{account}>, size={size}, nrcpt={len(to)} (queue active)"),
            *(
                ("postfix/smtp[79]", f"{queue_id}: to=<{one}>, {relay}, dsn={dsn}, status={fate} (so it was)")
                for one in to
            ),
            ("postfix/qmgr[78]", f"{queue_id}: removed"),
        ]
        self.lines += [(time, len(self.lines), f"{time:%b %e %H:%M:%S} mail {tag}: {text}") for tag, text in told]

    def office(self, days, people=10, tag=SUBMISSION):
        """Let everybody write three or four mails on every day to seven people, the odd new one among them."""
        for person in range(people):
            rng = Random(person)
            for day in range(days):
                for turn in range(3 + (person + day) % 2):
                    time = START + timedelta(days=day, hours=2 * turn, minutes=rng.randrange(100), seconds=person)
                    stranger = rng.random() < 0.08
                    to = (
                        f"new{day}.{turn}@firm{person}.example"
                        if stranger
                        else f"c{rng.randrange(7)}@firm{person}.example"
                    )
                    self.mail(time, f"p{person:02d}@{OURS}", f"192.0.2.{10 + person}", [to], tag=tag)
        return self

    def write(self, path):
        """Write what was logged."""
        path.write_text("".join(f"{text}\n" for _, _, text in sorted(self.lines)), "utf-8")
        return path


def asked(log, folder):
    """Investigate `log` and give incident.json."""
    path = log.write(folder / "mail.log")
    return investigate(Question([str(path)], folder / "case", reading=Reading("UTC", 2026)), lambda _: None).document


def recipients(folder):
    with (folder / "case" / "recipients.csv").open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


@pytest.fixture
def office():
    """Twelve honest days."""
    return Log().office(12)


def later(**after):
    return START + timedelta(days=11, hours=9) + timedelta(**after)


def burst(log, mails, *, minutes=0, tag=SUBMISSION, **more):
    """Send the lure from a strange place to strangers, three a minute."""
    for turn in range(mails):
        to = [f"r{turn}@two.example"]
        log.mail(later(minutes=minutes, seconds=20 * turn), VICTIM, STRANGE, to, tag=tag, size=14_000, **more)


def test_the_office_alone_is_calm(office, tmp_path):
    """What the other tests add is what alarms."""
    document = asked(office, tmp_path)
    assert document["incidents"] == []
    assert document["norm"]["mails"] == office.mails > 400


def test_one_message_with_fifteen_hundred_recipients(office, tmp_path):
    """T3: one message, 1,500 addresses, every one of them in the case; nothing stops at a thousand."""
    to = [f"r{number}@d{number % 211}.example" for number in range(1500)]
    burst(office, 14)
    office.mail(later(minutes=9), VICTIM, STRANGE, to, size=14_000)
    (incident,) = asked(office, tmp_path)["incidents"]
    assert (incident["account"], incident["verdict"]) == (VICTIM, "takeover")
    assert (incident["messages"], incident["addresses"], incident["domains"]) == (15, 1514, 212)
    assert (incident["delivered"], sum(incident[fate] for fate in FATES)) == (1514, 1514)
    rows = recipients(tmp_path)
    assert sorted(row["address"] for row in rows if "@two." not in row["address"]) == sorted(to)
    assert len(rows) == 1514


def test_recipients_that_the_log_does_not_show_are_a_bound(office, tmp_path):
    """Where the queue manager counted more than the log shows, the count is at least and at most."""
    burst(office, 30, minutes=-60)
    office.lines = [line for line in office.lines if "to=<r7@" not in line[2] and "to=<r8@" not in line[2]]
    office.mail(later(), f"p05@{OURS}", "192.0.2.15", ["c1@firm5.example"])
    (incident,) = asked(office, tmp_path)["incidents"]
    assert (incident["messages"], incident["addresses"]) == (30, 28)
    at_least, at_most, why = incident["bounds"]["addresses"]
    assert (at_least, at_most) == (28, 30)
    assert why.startswith("2 recipients")


def test_a_plus_address_is_an_address_of_its_own_and_the_same_person(office, tmp_path):
    """T14: tags and spellings of a domain; messages and recipients are never one number for the other."""
    burst(office, 30)
    office.mail(later(minutes=11), VICTIM, STRANGE, ["kai@one.example", "kai+news@one.example"], size=14_000)
    office.mail(later(minutes=12), VICTIM, STRANGE, ["kai+shop@ONE.example", "kai+news@One.example"], size=14_000)
    (incident,) = asked(office, tmp_path)["incidents"]
    assert (incident["messages"], incident["addresses"]) == (32, 33)
    assert (incident["people"], incident["domains"]) == (31, 2)
    rows = {row["address"]: row for row in recipients(tmp_path) if row["domain"] == "one.example"}
    assert {address: row["messages"] for address, row in rows.items()} == {
        "kai@one.example": "1",
        "kai+news@one.example": "2",
        "kai+shop@one.example": "1",
    }


def test_the_local_part_keeps_its_case(office, tmp_path):
    """Only the domain is lower-cased: two spellings of a local part are two addresses and one person."""
    burst(office, 30)
    office.mail(later(minutes=11), VICTIM, STRANGE, ["Kai@one.example"], size=14_000)
    office.mail(later(minutes=12), VICTIM, STRANGE, ["kai@One.Example"], size=14_000)
    (incident,) = asked(office, tmp_path)["incidents"]
    assert (incident["messages"], incident["addresses"], incident["people"]) == (32, 32, 31)


def test_whoever_got_one_copy_is_reached(office, tmp_path):
    """An address that bounced once and was delivered once is one delivered address, and the best fate is told."""
    burst(office, 30, fate="bounced", dsn="5.1.1")
    for turn in range(10):
        fate, dsn = ("sent", "2.0.0") if turn < 6 else ("deferred", "4.4.1")
        time = later(minutes=20, seconds=20 * turn)
        office.mail(time, VICTIM, STRANGE, [f"r{turn}@two.example"], fate=fate, dsn=dsn, size=14_000)
    (incident,) = asked(office, tmp_path)["incidents"]
    assert (incident["messages"], incident["addresses"]) == (40, 30)
    assert {fate: incident[fate] for fate in FATES if incident[fate]} == {"delivered": 6, "deferred": 4, "bounced": 20}
    assert sorted(row["messages"] for row in recipients(tmp_path)) == ["1"] * 20 + ["2"] * 10


def digest(log, days, *, readers=20, first_day=0, batches=1):
    """Send the same report to the same people every morning, `batches` times over on the last day."""
    for day in range(first_day, days):
        for batch in range(batches if day == days - 1 else 1):
            for reader in range(readers):
                time = START + timedelta(days=day, hours=6 * batch, seconds=2 * reader)
                to = f"p{reader % 10:02d}@{OURS}" if batch == 0 else f"x{batch}.{reader}@list.example"
                log.mail(time, f"report@{OURS}", "10.0.3.9", [to], size=48_000 + day % 3)


def test_a_daily_digest_stays_quiet(tmp_path):
    """T15: the same report to the same people every morning for thirty days is nobody's incident."""
    log = Log().office(30)
    digest(log, 30)
    document = asked(log, tmp_path)
    assert document["incidents"] == []
    assert not [one for one in document["findings"] if one["account"] == f"report@{OURS}"]


def test_a_digest_that_turns_to_strangers_alarms(tmp_path):
    """T15, the other half: being scheduled is no licence; batches to 200 strangers on the last day alarm."""
    log = Log().office(30)
    digest(log, 30, readers=20, batches=11)
    (incident,) = asked(log, tmp_path)["incidents"]
    assert (incident["account"], incident["verdict"]) == (f"report@{OURS}", "unusual-bulk")
    assert incident["outside"] == 200


@pytest.mark.parametrize(
    "tag",
    ["postfix/submission/smtpd", "postfix/smtps/smtpd", "postfix-out/submission/smtpd"],
)
def test_names_of_submission_services(tag, tmp_path):
    """T16: a service named in master.cf stands between postfix and smtpd; instances have names of their own."""
    log = Log().office(12, tag=tag)
    burst(log, 30, tag=tag)
    if tag.startswith("postfix-out"):
        log.lines = [(time, turn, text.replace(" postfix/", " postfix-out/")) for time, turn, text in log.lines]
    document = asked(log, tmp_path)
    (incident,) = document["incidents"]
    assert (incident["messages"], incident["addresses"], incident["client_ips"]) == (30, 30, [STRANGE])
    (one,) = document["inputs"]
    assert (one["set_aside"], one["taken"], one["source"]) == (0, one["records"], "postfix")


@pytest.mark.parametrize("prefix", ["iso", "rfc5424", "pri"])
def test_prefixes_of_lines(prefix, office, tmp_path):
    """T16: whatever syslog puts before the program, the numbers are the same."""
    burst(office, 30)

    def dressed(time, text):
        tag, _, rest = text[len("Mar  2 08:00:00 mail ") :].partition(": ")
        program, _, pid = tag.rstrip("]").partition("[")
        return {
            "iso": f"{time.isoformat()}.000000+00:00 mail {tag}: {rest}",
            "rfc5424": f"<22>1 {time.isoformat()}.000000Z mail {program} {pid} - - {rest}",
            "pri": f"<22>{text}",
        }[prefix]

    office.lines = [(time, turn, dressed(time, text)) for time, turn, text in office.lines]
    document = asked(office, tmp_path)
    (one,) = document["inputs"]
    assert one["taken"] == one["records"] == len(office.lines)
    (incident,) = document["incidents"]
    assert (incident["account"], incident["messages"], incident["addresses"]) == (VICTIM, 30, 30)
    assert datetime.fromisoformat(incident["first_message_at"]).replace(tzinfo=None) == later()


def test_the_command_says_the_same(office, tmp_path):
    """What the playbook answers is what the command prints and writes."""
    burst(office, 30)
    path = office.write(tmp_path / "mail.log")
    run = hikeshi("investigate", path, "--case", tmp_path / "case", "--tz", "UTC", "--year", "2026", "--json")
    assert run.code == 0, run.err
    document = json.loads(run.out)
    assert document == json.loads((tmp_path / "case" / "incident.json").read_text("utf-8"))
    assert (document["incidents"][0]["messages"], document["incidents"][0]["addresses"]) == (30, 30)
    assert {row["incident"] for row in recipients(tmp_path)} == {"1"}
