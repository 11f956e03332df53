# SPDX-License-Identifier: Apache-2.0
"""What followed logs tell of accounts, turn by turn: each mail once, in order, with its recipients, and no line too much kept."""

import json
import os
from contextlib import ExitStack
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.evidence import lake as lakes
from hikeshi.guard.logs import tail as tails
from hikeshi.guard.logs.follow import FileLog
from hikeshi.guard.logs.tail import Tail

ALICE, BOB, FRIEND = "alice@example.test", "bob@example.test", "friend@partner.example"
BEGUN = datetime(2026, 9, 14, 8, 0, tzinfo=UTC)
ZONE = ZoneInfo("UTC")


class Paper:
    """A log file to write lines into. `at` is in seconds since the beginning."""

    def __init__(self, path):
        self.path = path
        path.touch()

    def write(self, at, program, text):
        stamp = (BEGUN + timedelta(seconds=at)).isoformat(timespec="microseconds")
        with self.path.open("a") as file:
            file.write(f"{stamp} mx {program}: {text}\n")

    def client(self, at, queue_id, account=ALICE, ip="192.0.2.5"):
        """Begin to hand in a mail."""
        self.write(
            at, "postfix/submission/smtpd[71]",
            f"{queue_id}: client=pc.example.test[{ip}], sasl_method=PLAIN, sasl_username={account}",
        )  # fmt: skip

    def accept(self, at, queue_id, account=ALICE, count=1):
        self.write(at, "postfix/cleanup[72]", f"{queue_id}: message-id=<{queue_id}@pc.example.test>")
        self.write(at, "postfix/qmgr[73]", f"{queue_id}: from=<{account}>, size=1349, nrcpt={count} (queue active)")

    def fate(self, at, queue_id, recipient=FRIEND, status="sent", dsn="2.0.0"):
        self.write(
            at, "postfix/smtp[74]",
            f"{queue_id}: to=<{recipient}>, relay=mx.partner.example[198.51.100.9]:25, delay=0.4, delays=0.1/0/0.1/0.2, "
            f"dsn={dsn}, status={status} (it was said)",
        )  # fmt: skip

    def hold(self, at, queue_id):
        self.write(at, "postfix/cleanup[72]", f"{queue_id}: message-id=<{queue_id}@pc.example.test>")
        self.write(
            at, "postfix/cleanup[72]",
            f"{queue_id}: milter-hold: END-OF-MESSAGE from pc.example.test[192.0.2.5]: milter triggers HOLD action; "
            f"from=<{ALICE}> to=<{FRIEND}> proto=ESMTP helo=<pc>",
        )  # fmt: skip

    def removed(self, at, queue_id):
        self.write(at, "postfix/qmgr[73]", f"{queue_id}: removed")

    def mail(self, at, queue_id, account=ALICE, recipients=(FRIEND,)):
        """Hand in a mail, deliver it at once, and forget it."""
        self.client(at, queue_id, account)
        self.accept(at + 0.1, queue_id, account, len(recipients))
        for recipient in recipients:
            self.fate(at + 0.2, queue_id, recipient)
        self.removed(at + 0.3, queue_id)

    def signin(self, at, account=ALICE, ip="192.0.2.5", outcome="Login", more=""):
        self.write(
            at, "dovecot",
            f"imap-login: {outcome}: user=<{account}>, method=PLAIN, rip={ip}, lip=192.0.2.2, mpid=26353, TLS, session=<PWb{at}>{more}",
        )  # fmt: skip


@pytest.fixture
def paper(tmp_path):
    return Paper(tmp_path / "mail.log")


@pytest.fixture
def follow(tmp_path):
    """Follow files from the positions that are given, until the test ends."""
    with ExitStack() as stack:
        number = 0

        def make(*papers, kept=None):
            nonlocal number
            number += 1
            lake = stack.enter_context(lakes.opened(tmp_path / f"lake{number}", {}))
            logs = [FileLog(one.path, (kept or {}).get(str(one.path))) for one in papers]
            for log in logs:
                stack.callback(log.close)
            return Tail(lake, logs, ZONE, "UTC")

        yield make


@pytest.fixture(autouse=True)
def clock(monkeypatch):
    """The clock of waiting, in seconds, which stands until a test moves it."""

    class Clock:
        now = 1000.0

    monkeypatch.setattr(tails.time, "monotonic", lambda: Clock.now)
    return Clock


def told(tail):
    """Take one turn; give what it tells: kind, who, and of mails the queue id and the recipients."""
    return [
        (event.kind, event.account, event.mail.queue_id, event.mail.recipients) if event.mail else (event.kind, event.account)
        for _, event in tail.turn()
    ]  # fmt: skip


def mail(queue_id, *recipients, account=ALICE):
    return ("mail", account, queue_id, recipients)


def seconds(event):
    return round(event.time - BEGUN.timestamp(), 3)


def test_a_mail_is_told_once_its_recipients_have_a_first_fate(paper, follow):
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(1, "4A01", count=2)
    assert told(tail) == []
    paper.fate(2, "4A01", FRIEND)
    assert told(tail) == []
    paper.fate(3, "4A01", BOB, "deferred", "4.7.1")
    assert told(tail) == [mail("4A01", BOB, FRIEND)]
    paper.fate(303, "4A01", BOB)
    paper.removed(303, "4A01")
    assert told(tail) == []


def test_a_mail_waits_for_its_recipients_no_longer_than_its_patience(paper, follow, clock, monkeypatch):
    monkeypatch.setattr(tails, "PATIENCE", 7.0)
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(1, "4A01", count=2)
    paper.fate(2, "4A01", FRIEND)
    assert told(tail) == []
    clock.now += 6.9
    assert told(tail) == []
    clock.now += 0.2
    assert told(tail) == [mail("4A01", FRIEND)]
    assert told(tail) == []


def test_a_mail_that_is_not_accepted_is_never_told(paper, follow, clock):
    tail = follow(paper)
    paper.client(0, "4A01")
    assert told(tail) == []
    clock.now += 100
    paper.write(1, "postfix/submission/smtpd[71]", "lost connection after DATA from pc.example.test[192.0.2.5]")
    assert told(tail) == []


def test_mails_of_an_account_are_told_in_their_order_and_nobody_elses_wait(paper, follow):
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(0.1, "4A01")
    paper.mail(1, "4A02")
    paper.mail(2, "4B01", BOB)
    assert told(tail) == [mail("4B01", FRIEND, account=BOB)]
    paper.fate(3, "4A01")
    assert told(tail) == [mail("4A01", FRIEND), mail("4A02", FRIEND)]


def test_a_mail_that_waits_long_holds_up_the_later_ones_no_longer(paper, follow, clock):
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(0.1, "4A01")
    paper.mail(1, "4A02")
    assert told(tail) == []
    clock.now += tails.PATIENCE
    assert told(tail) == [mail("4A01"), mail("4A02", FRIEND)]


def test_nothing_that_waits_behind_another_is_lost_where_a_long_log_is_caught_up(paper, follow):
    """Hours of log in one turn: what was finished long before the last line leaves the tables with that turn."""
    tail = follow(paper)
    paper.client(0, "4A00")
    paper.hold(0.1, "4A00")
    for number in range(1, 20):
        paper.mail(60 * number, f"4A{number:02d}")
    # By the clock of the log nobody waits any more, though no second has passed here.
    assert [queue_id for _, _, queue_id, _ in told(tail)] == [f"4A{number:02d}" for number in range(20)]
    for number in range(20, 40):
        paper.mail(60 * number, f"4A{number:02d}")
    assert [queue_id for _, _, queue_id, _ in told(tail)] == [f"4A{number:02d}" for number in range(20, 40)]


def test_what_waits_behind_a_mail_that_goes_out_slowly_is_not_lost_either(paper, follow):
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(0.1, "4A01", count=3)
    paper.fate(1, "4A01", FRIEND)
    paper.mail(10, "4A02")
    paper.fate(600, "4A01", BOB)
    assert told(tail) == []
    paper.fate(601, "4A01", "carol@example.test")
    assert told(tail) == [mail("4A01", BOB, "carol@example.test", FRIEND), mail("4A02", FRIEND)]
    assert told(tail) == []


def test_recipients_that_are_known_too_late_are_told_once(paper, follow, clock):
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(0.1, "4A01", count=2)
    paper.fate(1, "4A01", BOB)
    assert told(tail) == []
    clock.now += tails.PATIENCE
    assert told(tail) == [mail("4A01", BOB)]
    paper.fate(9, "4A01", FRIEND)
    paper.removed(9, "4A01")
    ((key, late),) = tail.turn()
    assert (key, late.kind, late.account, late.addresses, seconds(late)) == (None, "late", ALICE, (FRIEND,), 0.0)
    known = {FRIEND: 5.0}
    late.tell(None, known, None)
    assert known == {FRIEND: BEGUN.timestamp()}
    paper.signin(10)
    assert told(tail) == [("signin", ALICE)]


def test_a_turn_ends_though_more_is_written_while_it_works(paper, follow, monkeypatch):
    tail = follow(paper)
    take = tails.Intake.take

    def slow(intake, block):
        take(intake, block)
        paper.signin(intake.counts.records)

    monkeypatch.setattr(tails.Intake, "take", slow)
    monkeypatch.setattr(tails, "TURN", 2000)
    paper.signin(0)
    assert told(tail) == [("signin", ALICE)]
    assert tail.taken == 1


def test_a_bounce_is_not_told_before_its_mail(paper, follow, clock):
    clock.now += 1
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(0.1, "4A01")
    paper.client(1, "4A02")
    paper.accept(1.1, "4A02")
    paper.fate(2, "4A02", FRIEND, "bounced", "5.1.1")
    assert told(tail) == []
    paper.fate(3, "4A01", BOB)
    assert told(tail) == [mail("4A01", BOB), mail("4A02", FRIEND), ("bounce", ALICE)]


def test_connects_of_yesterdays_processes_leave_the_tables(paper, follow):
    tail = follow(paper)
    for number in range(50):
        paper.write(3600 * number, f"postfix/smtpd[{number + 100}]", "connect from pc.example.test[192.0.2.5]")
    tail.turn()
    assert tail.lake.one("SELECT count(*) FROM carried") == (25,)


def test_a_bounce_is_told_once_after_its_mail(paper, follow):
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(0.1, "4A01", count=2)
    paper.fate(1, "4A01", BOB)
    paper.fate(2, "4A01", FRIEND, "bounced", "5.1.1")
    assert told(tail) == [mail("4A01", BOB, FRIEND), ("bounce", ALICE)]
    paper.write(2.1, "postfix/bounce[75]", "4A01: sender non-delivery notification: 4A02")
    paper.removed(2.2, "4A01")
    paper.mail(60, "4A03")
    assert told(tail) == [mail("4A03", FRIEND)]
    assert told(tail) == []


def test_a_deferred_mail_that_bounces_at_last_is_a_bounce_then(paper, follow):
    tail = follow(paper)
    paper.client(0, "4A01")
    paper.accept(0.1, "4A01")
    paper.fate(1, "4A01", FRIEND, "deferred", "4.7.1")
    assert told(tail) == [mail("4A01", FRIEND)]
    paper.fate(3600, "4A01", FRIEND, "bounced", "5.7.1")
    assert told(tail) == [("bounce", ALICE)]


def test_sign_ins_are_told_and_those_that_fail_or_hand_in_mail_are_not(paper, follow):
    tail = follow(paper)
    paper.signin(0)
    paper.signin(1, BOB, "203.0.113.9", "Disconnected (auth failed, 1 attempts in 2 secs)")
    paper.signin(2, BOB, "198.51.100.4")
    events = [event for _, event in tail.turn()]
    assert [(one.kind, one.account, one.place, seconds(one)) for one in events] == [
        ("signin", ALICE, "192.0.2.5", 0.0),
        ("signin", BOB, "198.51.100.4", 2.0),
    ]
    paper.mail(3, "4A01")
    assert told(tail) == [mail("4A01", FRIEND)]


def test_logs_side_by_side_are_told_in_the_order_of_time(paper, follow, tmp_path):
    dovecot = Paper(tmp_path / "dovecot.log")
    tail = follow(paper, dovecot)
    paper.mail(10, "4A01")
    dovecot.signin(5)
    dovecot.signin(15, BOB)
    paper.mail(20, "4A02")
    assert [(event.kind, seconds(event)) for _, event in tail.turn()] == [
        ("signin", 5.0), ("mail", 10.0), ("signin", 15.0), ("mail", 20.0)
    ]  # fmt: skip
    assert tail.taken == 12


def test_two_servers_that_use_one_queue_id_hand_in_two_mails(tmp_path, follow):
    logs = [Paper(tmp_path / f"mail{number}.log") for number in (1, 2)]
    tail = follow(*logs)
    for number, one in enumerate(logs):
        one.write = lambda at, program, text, one=one, number=number: Paper.write(
            one, at, program.replace("postfix", f"postfix-{number}"), text
        )
        one.mail(number, "4A01")
    assert told(tail) == [mail("4A01", FRIEND)] * 2


def kept(tail):
    return json.loads(json.dumps(tail.positions()))


def test_a_position_stands_in_front_of_a_mail_that_is_not_told_yet(paper, follow):
    tail = follow(paper)
    paper.mail(0, "4A01")
    assert told(tail) == [mail("4A01", FRIEND)]
    told(tail)
    paper.client(60, "4A02")
    paper.accept(60.1, "4A02")
    assert told(tail) == []
    again = follow(paper, kept=kept(tail))
    told(again)
    paper.fate(61, "4A02")
    assert mail("4A02", FRIEND) in told(again)


def test_a_position_stands_in_front_of_a_client_that_has_not_handed_in_yet(paper, follow):
    tail = follow(paper)
    paper.client(0, "4A01")
    assert told(tail) == []
    paper.signin(1)
    assert told(tail) == [("signin", ALICE)]
    again = follow(paper, kept=kept(tail))
    told(again)
    paper.accept(30, "4A01")
    paper.fate(31, "4A01")
    assert told(again) == [mail("4A01", FRIEND)]


def test_a_position_stands_in_front_of_what_has_left_the_tables_and_waits_still(paper, follow, tmp_path):
    other = Paper(tmp_path / "other.log")
    tail = follow(paper, other)
    other.client(0, "4B01")
    other.accept(0.1, "4B01")
    paper.mail(1, "4A02")
    for number in (3, 4):
        paper.mail(200 * number, f"4A0{number}", BOB)
        assert told(tail) == [mail(f"4A0{number}", FRIEND, account=BOB)]
    positions = kept(tail)
    assert [one["offset"] for one in positions.values()] == [0, 0]
    again = follow(paper, other, kept=positions)
    other.fate(801, "4B01")
    assert [one for one in told(again) if one[1] == ALICE] == [mail("4B01", FRIEND), mail("4A02", FRIEND)]


def test_a_position_is_at_the_end_where_all_is_told(paper, follow):
    tail = follow(paper)
    for number in range(5):
        paper.mail(number, f"4A0{number}")
        told(tail)
    (position,) = kept(tail).values()
    assert position["offset"] == paper.path.stat().st_size


def test_nothing_is_missed_wherever_a_watch_dies(paper, follow):
    """After every line a tail goes away; the one after it begins at its positions. Keys know what was told before."""
    source = Paper(paper.path.with_name("source"))
    for number in range(2):
        source.client(20 * number, f"4A{number:02d}")
        source.client(20 * number + 1, f"4B{number:02d}", BOB)
        source.accept(20 * number + 2, f"4A{number:02d}", count=2)
        source.accept(20 * number + 3, f"4B{number:02d}", BOB)
        source.fate(20 * number + 4, f"4A{number:02d}", FRIEND)
        source.fate(20 * number + 5, f"4B{number:02d}", FRIEND, "bounced", "5.1.1")
        source.fate(20 * number + 6, f"4A{number:02d}", BOB)
        source.removed(20 * number + 7, f"4A{number:02d}")
        source.removed(20 * number + 8, f"4B{number:02d}")
    found, positions = {}, {}
    for line in source.path.read_text().splitlines(keepends=True):
        with paper.path.open("a") as file:
            file.write(line)
        tail = follow(paper, kept=positions)
        for key, event in tail.turn():
            found.setdefault(key, event)
        positions = kept(tail)
    mails = [event.mail for event in found.values() if event.mail]
    assert [(one.queue_id, one.recipients) for one in mails if one.account == ALICE] == [
        (f"4A{number:02d}", (BOB, FRIEND)) for number in range(2)
    ]
    assert [one.queue_id for one in mails if one.account == BOB] == [f"4B{number:02d}" for number in range(2)]
    assert [event.account for event in found.values() if event.kind == "bounce"] == [BOB] * 2


def test_the_tables_hold_only_what_is_recent(paper, follow, clock):
    tail = follow(paper)
    carried, count, most = [], 0, 0
    for minute in range(60):
        for number in range(10):
            paper.mail(60 * minute + 5 * number, f"4A{minute:02d}{number}")
            paper.signin(60 * minute + 5 * number + 1, BOB)
        clock.now += 60
        count += sum(event.kind == "mail" for _, event in tail.turn())
        (rows,) = tail.lake.one("SELECT count(*) FROM carried")
        carried.append(rows)
        most = max(most, len(tail._told), len(tail._heard))
    assert count == 600
    # A mail is six pieces; of those of the last three minutes and the minute at hand some are still there.
    assert max(carried) <= 6 * 40 + 10
    assert carried[-1] <= max(carried[:10])
    assert most < 1100
    for table in ("pieces", "signins", "reads", "changes", "activity"):
        assert tail.lake.one(f"SELECT count(*) FROM staged_{table}") == (0,)
    (position,) = kept(tail).values()
    assert position["offset"] == paper.path.stat().st_size


def test_lines_that_cannot_be_read_are_passed_over(paper, follow):
    tail = follow(paper)
    with paper.path.open("ab") as file:
        file.write(b"\xff\xfe\0 rubbish\n\n" + b"x" * 100_000 + b"\n")
    paper.mail(0, "4A01")
    assert told(tail) == [mail("4A01", FRIEND)]
    assert tail.taken == 8


def test_a_log_that_may_not_be_read_is_said_with_what_to_do(paper, follow, monkeypatch):
    real = os.open

    def refuse(path, *more):
        if path == paper.path:
            raise PermissionError(13, "Permission denied")
        return real(path, *more)

    tail = follow(paper)
    monkeypatch.setattr(os, "open", refuse)
    with pytest.raises(UsageError, match=r"mail[.]log: Permission denied; .* group adm"):
        tail.turn()
