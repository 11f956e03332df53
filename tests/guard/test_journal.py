# SPDX-License-Identifier: Apache-2.0
"""The systemd journal is followed as a log: a journalctl of ours writes what the real one writes, form for form."""

import json
import sys
import time
from datetime import UTC, datetime
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi import playbook
from hikeshi.basics.errors import UsageError
from hikeshi.guard.logs import journal
from hikeshi.guard.logs.journal import JOURNAL, Journal, JournalError, export
from hikeshi.playbook import Inquiry

#: what the fake one is: entries of a file behind the cursor or the time, then what is added, until the file `end` is there
JOURNALCTL = """#!{python}
import json, pathlib, sys, time

folder = pathlib.Path({folder!r})
with (folder / "calls").open("a") as calls:
    calls.write(json.dumps(sys.argv[1:]) + "\\n")
given = dict(one.partition("=")[::2] for one in sys.argv[1:])
if "SYSLOG_FACILITY" not in given or given["--output"] != "json":
    sys.exit(2)
fields = given["--output-fields"].split(",")
entries = folder / "entries"
behind, since = given.get("--after-cursor", ""), float(given.get("--since", "@0")[1:]) * 1e6
known = [json.loads(one)["__CURSOR"] for one in entries.read_text().splitlines()]
if behind and behind not in known:
    sys.exit("Failed to seek to cursor: Invalid argument")
told = known.index(behind) + 1 if behind else 0
out = sys.stdout
while True:
    if (folder / "half").exists():
        out.write('{{"MESSAGE":"460BF4')
        out.flush()
        (folder / "half").unlink()
        break
    lines = entries.read_text().splitlines()
    for line in lines[told:]:
        entry = json.loads(line)
        if entry.pop("facility", "2") == "2" and int(entry["__REALTIME_TIMESTAMP"]) >= since:
            kept = {{name: value for name, value in entry.items() if name in fields or name.startswith("__")}}
            out.write(json.dumps(kept) + "\\n")
    out.flush()
    told = len(lines)
    if "--follow" not in given or (folder / "end").exists():
        break
    time.sleep(0.01)
"""

BEGUN = 1_795_589_242
ALICE = "alice@example.test"
SUBMITTED = f"460BF401001: client=pc.example.test[192.0.2.5], sasl_method=PLAIN, sasl_username={ALICE}"


class Systemd:
    """A journal, and the journalctl that reads it."""

    def __init__(self, folder):
        self.folder, self.number = folder, 0
        (folder / "entries").touch()
        program = folder / "journalctl"
        program.write_text(JOURNALCTL.format(python=sys.executable, folder=str(folder)))
        program.chmod(0o755)

    def log(self, message=SUBMITTED, tag="postfix/submission/smtpd", **more):
        """Write an entry; a field that is None is left out."""
        self.number += 1
        entry = {
            "__CURSOR": f"s=a41d;i={self.number:x};b=1709;m=40d2;t=6611;x=1d90", "__REALTIME_TIMESTAMP": str((BEGUN + self.number) * 1_000_000 + 5),
            "__MONOTONIC_TIMESTAMP": "17400627620", "_BOOT_ID": "1709", "_HOSTNAME": "mx", "SYSLOG_IDENTIFIER": tag,
            "SYSLOG_PID": "4711", "_PID": "12", "_SOURCE_REALTIME_TIMESTAMP": str((BEGUN + self.number) * 1_000_000), "MESSAGE": message,
        } | more  # fmt: skip
        with (self.folder / "entries").open("a") as file:
            file.write(json.dumps({name: value for name, value in entry.items() if value is not None}) + "\n")

    def tell(self, word):
        (self.folder / word).touch()

    def calls(self):
        return [json.loads(line) for line in (self.folder / "calls").read_text().splitlines()]


@pytest.fixture
def systemd(tmp_path, monkeypatch):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr(journal, "_AGAIN", 0.0)
    return Systemd(tmp_path)


@pytest.fixture
def opened():
    """Follow the journal, until the test ends."""
    logs = []

    def follow(kept=None, since=0.0):
        logs.append(Journal(kept, since))
        return logs[-1]

    yield follow
    for one in logs:
        one.close()


def lines(log, count, patience=30):
    """Read until there are so many lines."""
    found, end = [], time.monotonic() + patience
    while len(found) < count:
        assert time.monotonic() < end, f"waited in vain: {found}"
        chunk = log.read()
        if chunk is None:
            time.sleep(0.01)
            continue
        found += chunk.block.data.decode().splitlines()
    return found


def stamp(number, micros=0):
    return datetime.fromtimestamp(BEGUN + number, UTC).replace(microsecond=micros).isoformat(timespec="microseconds")


def test_an_entry_becomes_a_line_with_stamp_host_program_and_process(systemd, opened):
    systemd.log()
    assert lines(opened(), 1) == [f"{stamp(1)} mx postfix/submission/smtpd[4711]: {SUBMITTED}"]


@pytest.mark.parametrize(
    ("more", "line"),
    [
        ({"SYSLOG_PID": None}, " mx dovecot[12]: hello"),
        ({"SYSLOG_PID": None, "_PID": None}, " mx dovecot: hello"),
        ({"_HOSTNAME": None}, " - dovecot[4711]: hello"),
        ({"SYSLOG_IDENTIFIER": None}, " mx -[4711]: hello"),
        ({"SYSLOG_IDENTIFIER": "my prog[1]: x"}, " mx my_prog_1]__x[4711]: hello"),
        ({"MESSAGE": None}, " mx dovecot[4711]: "),
        ({"MESSAGE": "two\nlines"}, " mx dovecot[4711]: two lines"),
        ({"MESSAGE": [52, 54, 233, 255, 32, 108]}, " mx dovecot[4711]: 46\\xe9\\xff l"),
        ({"MESSAGE": ["first", "second"]}, " mx dovecot[4711]: first"),
        ({"MESSAGE": [[104, 105, 255], [104]]}, " mx dovecot[4711]: hi\\xff"),
        ({"MESSAGE": "請求書"}, " mx dovecot[4711]: 請求書"),
        ({"MESSAGE": "\ud800 half a character"}, " mx dovecot[4711]: ? half a character"),
    ],
)
def test_fields_that_are_missing_or_repeated_or_no_text_make_one_line(systemd, opened, more, line):
    systemd.log("hello", "dovecot", **more)
    assert lines(opened(), 1) == [stamp(1) + line]


def test_without_the_senders_clock_the_journals_own_is_the_stamp(systemd, opened):
    systemd.log("hello", "dovecot", _SOURCE_REALTIME_TIMESTAMP=None)
    assert lines(opened(), 1) == [f"{stamp(1, 5)} mx dovecot[4711]: hello"]


@given(
    st.lists(
        st.one_of(st.none(), st.text(), st.lists(st.integers(0, 255)), st.lists(st.text(), min_size=1)), max_size=5
    )
)
def test_every_entry_is_exactly_one_line_whatever_is_in_it(messages):
    for message in messages:
        entry = {"__CURSOR": "s=1", "__REALTIME_TIMESTAMP": str(BEGUN * 1_000_000), "MESSAGE": message}
        entry |= {"SYSLOG_IDENTIFIER": message, "_HOSTNAME": message}
        line = journal._line(entry)
        assert (line.count(b"\n"), line[-1:]) == (1, b"\n")
        assert line.startswith(stamp(0).encode() + b" ")


def test_only_mail_is_asked_for_and_only_what_is_newer(systemd, opened):
    systemd.log("old")
    systemd.log("no mail", facility="3")
    systemd.log("new")
    assert [line.rpartition(" ")[2] for line in lines(opened(since=BEGUN + 2), 1)] == ["new"]
    (call,) = systemd.calls()
    assert {"--follow", "--no-tail", "--all", "--output=json", f"--since=@{BEGUN + 2}", "SYSLOG_FACILITY=2"} < set(call)


def test_what_is_written_later_is_read_as_it_comes(systemd, opened):
    log = opened()
    assert log.read() is None
    for number in range(3):
        systemd.log(f"line {number}")
        assert lines(log, 1)[0].endswith(f"line {number}")
    assert len(systemd.calls()) == 1


def test_another_journal_goes_on_behind_the_position_of_the_first(systemd, opened):
    systemd.log("one")
    first = opened()
    lines(first, 1)
    kept = json.loads(json.dumps(first.position()))
    first.close()
    systemd.log("two")
    assert [line.rpartition(" ")[2] for line in lines(opened(kept), 1)] == ["two"]
    assert systemd.calls()[1][-2].startswith("--after-cursor=s=a41d;i=1;")


def test_a_position_stands_in_front_of_its_lines(systemd, opened):
    log = opened()
    for number in range(4):
        systemd.log(f"line {number}")
    lines(log, 4)
    systemd.log("line 4")
    chunk = None
    while chunk is None:
        chunk = log.read()
    assert chunk.block.first == 5
    again = opened(chunk.before)
    assert lines(again, 1) == chunk.block.data.decode().splitlines()
    assert again.position() == log.position()


def test_a_journalctl_that_ends_is_started_again_behind_what_was_read(systemd, opened):
    systemd.log("one")
    systemd.tell("end")
    log = opened()
    assert lines(log, 1)[0].endswith("one")
    systemd.log("two")
    systemd.log("three")
    (systemd.folder / "end").unlink()
    assert [line.rpartition(" ")[2] for line in lines(log, 2)] == ["two", "three"]
    assert len(systemd.calls()) >= 2


def test_half_an_entry_at_the_end_of_journalctl_comes_whole_from_the_next(systemd, opened):
    systemd.log("one")
    systemd.tell("half")
    log = opened()
    assert [line.rpartition(" ")[2] for line in lines(log, 1)] == ["one"]
    assert len(systemd.calls()) == 2


def test_journalctl_is_not_started_again_and_again_at_once(systemd, opened, monkeypatch):
    monkeypatch.setattr(journal, "_AGAIN", 3600.0)
    systemd.log("one")
    systemd.tell("end")
    log = opened()
    lines(log, 1)
    while log._process is not None:
        assert log.read() is None
    assert [log.read() for _ in range(50)] == [None] * 50
    assert len(systemd.calls()) == 1


def test_a_journal_that_cannot_be_read_is_said_once(systemd, opened):
    systemd.log("one")
    log = opened({"cursor": "s=of another machine", "record": 7})
    end = time.monotonic() + 30
    while len(systemd.calls() if (systemd.folder / "calls").exists() else ()) < 3:
        assert time.monotonic() < end
        assert log.read() is None
    (told,) = log.lost
    assert "journalctl ended with 1" in told
    assert "hikeshi investigate" in told


def test_without_journalctl_it_is_said_what_to_do(tmp_path, monkeypatch, opened):
    monkeypatch.setenv("PATH", str(tmp_path))
    with pytest.raises(UsageError, match="no journalctl here; name the log files"):
        opened().read()
    with pytest.raises(UsageError, match="no journalctl here; name the log files"):
        export(tmp_path / "out.log", 1)


def test_closing_leaves_no_journalctl_behind(systemd, opened):
    systemd.log()
    log = opened()
    lines(log, 1)
    process = log._process
    log.close()
    assert process.poll() is not None
    log.close()


def mail(systemd, number, recipient="friend@partner.example"):
    """Write what Postfix and Dovecot write of one mail and one sign-in."""
    queue_id = f"460BF4{number:05X}"
    systemd.log("connect from pc.example.test[192.0.2.5]")
    systemd.log(f"{queue_id}: client=pc.example.test[192.0.2.5], sasl_method=PLAIN, sasl_username={ALICE}")
    systemd.log(f"{queue_id}: message-id=<{number}@pc.example.test>", "postfix/cleanup")
    systemd.log(f"{queue_id}: from=<{ALICE}>, size=1349, nrcpt=1 (queue active)", "postfix/qmgr")
    systemd.log(
        f"{queue_id}: to=<{recipient}>, relay=mx.partner.example[198.51.100.9]:25, delay=0.4, delays=0.1/0/0.1/0.2, "
        "dsn=2.0.0, status=sent (250 2.0.0 Ok)",
        "postfix/smtp",
    )
    systemd.log(f"{queue_id}: removed", "postfix/qmgr")
    systemd.log(
        f"imap-login: Login: user=<{ALICE}>, method=PLAIN, rip=192.0.2.{number}, lip=192.0.2.2, mpid=26353, TLS, "
        f"session=<PWb/vf5nuPlyVap{number}>",
        "dovecot",
    )


def test_what_is_exported_is_read_as_a_log_of_postfix_and_dovecot(systemd, lake_of, monkeypatch):
    monkeypatch.setattr(journal.time, "time", lambda: BEGUN + 86400.0)
    for number in (1, 2, 3):
        mail(systemd, number)
    export(systemd.folder / "journal.log", 1)
    lake = lake_of(systemd.folder / "journal.log", "UTC")
    found = lake.sql.execute(
        "SELECT account, client_ip, size, message_id, address, status, epoch(messages.time)"
        " FROM messages JOIN deliveries USING (message_key) ORDER BY messages.time"
    ).fetchall()
    assert [row[:6] for row in found] == [
        (ALICE, "192.0.2.5", 1349, f"{number}@pc.example.test", "friend@partner.example", "delivered")
        for number in (1, 2, 3)
    ]
    assert found[0][6] == BEGUN + 2
    signins = lake.sql.execute("SELECT ip FROM signins WHERE protocol = 'imap' ORDER BY time").fetchall()
    assert signins == [("192.0.2.1",), ("192.0.2.2",), ("192.0.2.3",)]


def test_what_is_exported_is_what_is_followed(systemd, opened, monkeypatch):
    monkeypatch.setattr(journal.time, "time", lambda: BEGUN + 86400.0)
    for number in (1, 2):
        mail(systemd, number)
    export(systemd.folder / "journal.log", 1)
    assert lines(opened(), 14) == (systemd.folder / "journal.log").read_text().splitlines()


def test_an_export_that_journalctl_refuses_is_an_error(systemd, tmp_path):
    (systemd.folder / "entries").unlink()
    with pytest.raises(JournalError, match="journalctl ended with 1"):
        export(tmp_path / "journal.log", 1)


def test_a_case_of_the_watch_is_made_from_the_journal(systemd, tmp_path, monkeypatch, caplog):
    caplog.set_level("INFO")
    monkeypatch.setattr(journal.time, "time", lambda: BEGUN + 86400.0)
    mail(systemd, 1)
    Inquiry([JOURNAL], tmp_path / "case", "UTC", "1/100000").open()
    (read,) = json.loads((tmp_path / "case" / "incident.json").read_text())["inputs"]
    assert (read["taken"], read["set_aside"], Path(read["path"]).name) == (7, 0, "journal.log")
    assert "a case is open with 0 incidents" in caplog.text


@pytest.mark.parametrize(
    "error", [OSError(28, "No space left on device"), RuntimeError("a defect"), UsageError("no such file")]
)
def test_a_case_that_cannot_be_made_is_said_and_the_watch_goes_on(tmp_path, monkeypatch, caplog, error):
    def fail(*_):
        raise error

    monkeypatch.setattr(playbook, "investigate", fail)
    Inquiry([str(tmp_path / "mail.log")], tmp_path / "case", "UTC", "1/100000").open()
    assert "no case: " in caplog.text
