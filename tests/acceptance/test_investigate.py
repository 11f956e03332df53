# SPDX-License-Identifier: Apache-2.0
"""What the command line promises (design.md), held against the truth of an invented company."""

import csv
import gzip
import json
import re
import stat
from datetime import datetime

import pytest
from command import hikeshi

FATES = ("delivered", "bounced", "deferred", "expired", "held", "unknown")


@pytest.fixture(scope="session")
def investigated(company, tmp_path_factory):
    case = tmp_path_factory.mktemp("case") / "c"
    run = hikeshi(
        "investigate",
        *company.logs,
        "--case",
        case,
        "--tz",
        company.truth["zone"],
        "--directory",
        company.folder / "directory.csv",
        "--json",
    )
    assert run.code == 0, run.err
    return case, json.loads(run.out)


@pytest.fixture
def attack(company):
    ((account, told),) = company.truth["attacks"][0]["per_account"].items()
    return account, told


def test_the_incident_is_exact(investigated, attack):
    """Every count of the only incident equals the truth, and the alarm came within five mails."""
    _, document = investigated
    account, told = attack
    (incident,) = document["incidents"]
    assert incident["account"] == account
    assert incident["verdict"] == "takeover"
    assert incident["status"] == "suspected"
    for name in ("messages", "addresses", "domains", "delivered", "bounced", "deferred", "expired", "unknown"):
        assert incident[name] == told[name], name
    assert incident["client_ips"] == told["client_ips"]
    assert 1 <= incident["messages_before_alarm"] <= 5
    for name in ("first_message_at", "last_message_at"):
        assert datetime.fromisoformat(incident[name]) == datetime.fromisoformat(told[name]), name
    assert sum(incident[fate] for fate in FATES) == incident["addresses"]
    assert incident["internal"] + incident["outside"] == incident["addresses"]


def test_the_document_has_the_promised_shape(investigated, company):
    """Names and keys of design.md; times with offset; conservation for every input."""
    _, document = investigated
    assert document["schema"] == "hikeshi.case/1"
    assert {"inputs", "coverage", "incidents", "findings"} <= set(document)
    assert [one["path"] for one in document["inputs"]] == [str(path) for path in company.logs]
    for one in document["inputs"]:
        assert one["records"] == one["taken"] + one["skipped"] + one["set_aside"] > 0
        assert re.fullmatch("[0-9a-f]{64}", one["sha256"])
    for one in document["coverage"]:
        assert one["gaps"] == []
        assert datetime.fromisoformat(one["first"]).utcoffset() is not None
    (incident,) = document["incidents"]
    promised = (
        "account verdict status first_message_at last_message_at alarmed_at messages messages_before_alarm addresses "
        "domains delivered bounced deferred expired held unknown client_ips sessions weights origin"
    )
    assert set(promised.split()) <= set(incident)
    assert {"name", "nats"} == set(incident["weights"][0])
    assert {"store", "addresses", "share", "order"} <= set(incident["origin"][0])


def test_the_directory_explains_the_list(investigated):
    """The intruder worked through the address book from A to Z, and the case says so."""
    _, document = investigated
    best = document["incidents"][0]["origin"][0]
    assert best["store"] == "directory.csv"
    assert best["share"] == 1.0
    assert best["order"] > 0.99 > best["order_by_chance"]


def test_recipients_lead_back_to_their_records(investigated, company, attack):
    """One row an address with the true status, and a provenance whose very line speaks of that address."""
    case, _ = investigated
    _, told = attack
    with (case / "recipients.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert {row["address"]: row["status"] for row in rows} == told["recipients"]
    lines = {str(path): path.read_text("utf-8").splitlines() for path in company.logs}
    for row in rows:
        path, _, record = row["provenance"].rpartition("#")
        assert f"to=<{row['address']}>" in lines[path][int(record) - 1]


def test_the_timeline_is_timesketchs(investigated, attack):
    """message, datetime, timestamp in microseconds, timestamp_desc in every row; every mail of the incident is there."""
    case, _ = investigated
    rows = [json.loads(line) for line in (case / "timeline.jsonl").read_text("utf-8").splitlines()]
    for row in rows:
        moment = datetime.fromisoformat(row["datetime"])
        assert round(moment.timestamp() * 1_000_000) == row["timestamp"]
        assert row["message"]
        assert row["timestamp_desc"]
    sent = [row for row in rows if row["timestamp_desc"] == "Message Submitted"]
    assert sorted(row["message_id"] for row in sent) == sorted(attack[1]["message_ids"])


def test_the_case_is_private(investigated):
    """Nobody but its owner can look into a case."""
    case, _ = investigated
    for path in [case, *case.rglob("*")]:
        assert stat.S_IMODE(path.stat().st_mode) & 0o077 == 0, path


def test_the_report_is_one_file_without_requests(investigated, attack):
    """The page names the account and asks nobody for anything."""
    case, _ = investigated
    page = (case / "report.html").read_text("utf-8")
    assert attack[0] in page
    assert not re.search(r"(?:src|href|action)\s*=\s*[\"']?(?:https?:)?//|@import|url\(\s*[\"']?http", page)


def test_again_on_the_same_case_counts_nothing_twice(company, tmp_path):
    """The same files, a packed copy of one of them, and the same file twice: all the same incident."""
    case = tmp_path / "case"
    first = hikeshi("investigate", *company.logs, "--case", case, "--json")
    packed = tmp_path / "copy.gz"
    packed.write_bytes(gzip.compress(company.logs[0].read_bytes()))
    again = hikeshi("investigate", *company.logs, company.logs[0], packed, "--case", case, "--json")
    once, twice = json.loads(first.out), json.loads(again.out)
    assert once["incidents"] == twice["incidents"]
    assert sum(one["records"] for one in once["inputs"]) == sum(one["records"] for one in twice["inputs"])


def test_day_by_day_is_the_same_as_at_once(company, investigated, tmp_path):
    """A log that grows, read again and again, gives the incident that the whole log gives."""
    case, log = tmp_path / "case", tmp_path / "mail.log"
    lines = b"".join(path.read_bytes() for path in company.logs).splitlines(keepends=True)
    for upto in (len(lines) // 3, len(lines) * 6 // 7, len(lines)):
        log.write_bytes(b"".join(lines[:upto]))
        run = hikeshi(
            "investigate",
            log,
            "--case",
            case,
            "--tz",
            company.truth["zone"],
            "--org",
            *company.truth["org_domains"],
            "--json",
        )
        assert run.code == 0, run.err
    (grown,) = json.loads(run.out)["incidents"]
    (whole,) = investigated[1]["incidents"]
    for name in (
        "account",
        "verdict",
        "messages",
        "messages_before_alarm",
        "addresses",
        *FATES,
        "weights",
        "client_ips",
    ):
        assert grown[name] == whole[name], name
    (one,) = json.loads(run.out)["inputs"]
    assert one["records"] == len(lines)


def test_exit_codes(company, tmp_path):
    """0 done, 1 failed, 2 usage, 3 gaps, 4 an incident where asked to fail on it; each with a message that helps."""
    log = company.logs[-1]
    assert hikeshi("investigate", *company.logs, "--case", tmp_path / "a", "--fail-on-incident").code == 4
    missing = hikeshi("investigate", log, tmp_path / "no.log", "--case", tmp_path / "b")
    assert missing.code == 3
    assert "no.log" in missing.err
    nothing = hikeshi("investigate", tmp_path / "no.log", "--case", tmp_path / "c")
    assert nothing.code == 1
    assert "nothing to read" in nothing.err
    assert hikeshi("investigate", "--case", tmp_path / "d").code == 2
    for option, value in (
        ("--tz", "Mars/Base"),
        ("--false-alarms", "often"),
        ("--directory", tmp_path / "no.csv"),
        ("--as", "exim"),
    ):
        run = hikeshi("investigate", log, "--case", tmp_path / "e", option, value)
        assert run.code == 2, option
        assert str(option) in run.err
    not_a_folder = tmp_path / "file"
    not_a_folder.write_text("x")
    assert hikeshi("investigate", log, "--case", not_a_folder).code in (1, 2)


def test_a_truncated_archive_is_a_gap(company, tmp_path):
    """What is there is read, what is missing is said, and the run ends with 3."""
    cut = tmp_path / "mail.log.gz"
    packed = gzip.compress(company.logs[0].read_bytes())
    cut.write_bytes(packed[: len(packed) * 2 // 3])
    run = hikeshi("investigate", cut, "--case", tmp_path / "case", "--json")
    assert run.code == 3
    assert "truncated" in run.err
    document = json.loads(run.out)
    assert document["inputs"][0]["records"] > 100
    assert any(gap["why"] for one in document["coverage"] for gap in one["gaps"])


def test_a_missing_day_is_said_wherever_a_count_stands(company, tmp_path):
    """Law 8: a hole in the log is a gap, the run ends with 3, and the counts it may cut short get bounds."""
    lines = b"".join(path.read_bytes() for path in company.logs).splitlines(keepends=True)
    first = company.truth["attacks"][0]["per_account"]
    ((_, told),) = first.items()
    begin = datetime.fromisoformat(told["first_message_at"])
    day = begin.strftime("%b %e").encode()
    hole = [line for line in lines if not (line.startswith(day) and 8 <= int(line[7:9]) < begin.hour)]
    assert len(hole) < len(lines) - 50
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join(hole))
    run = hikeshi("investigate", log, "--case", tmp_path / "case", "--tz", company.truth["zone"], "--json")
    assert run.code == 3, run.err
    (incident,) = json.loads(run.out)["incidents"]
    at_least, at_most, why = incident["bounds"]["messages"]
    assert (at_least, at_most) == (incident["messages"], None)
    assert "hole" in why


def test_standard_input_and_another_programs_log(company, tmp_path):
    """`-` reads standard input; a log of another program is taken for what it is and nothing of it is lost."""
    piped = hikeshi("investigate", "-", "--case", tmp_path / "a", "--json", stdin=company.logs[0].read_bytes())
    assert piped.code == 0, piped.err
    assert json.loads(piped.out)["inputs"][0]["path"] == "-"
    apache = tmp_path / "access.log"
    apache.write_text('192.0.2.7 - - [24/Nov/2026:12:00:00 +0900] "GET / HTTP/1.1" 200 12\n' * 9)
    other = hikeshi("investigate", apache, "--case", tmp_path / "b", "--json")
    assert other.code == 3
    assert "no record of a mail server" in other.err
    (one,) = json.loads(other.out)["inputs"]
    assert (one["records"], one["set_aside"]) == (9, 9)
    (kept,) = [path for path in (tmp_path / "b" / "set-aside").iterdir() if path.name != "index.csv"]
    assert kept.read_bytes() == apache.read_bytes()


def test_a_short_log_stays_calm_and_says_so(company, tmp_path):
    """Two hours of honest mail: no incident, and the cold start is told."""
    lines = company.logs[0].read_bytes().splitlines(keepends=True)
    log = tmp_path / "mail.log"
    log.write_bytes(b"".join(lines[:400]))
    run = hikeshi("investigate", log, "--case", tmp_path / "case", "--json")
    document = json.loads(run.out)
    assert document["incidents"] == []
    assert "cold-start" in {one["kind"] for one in document["findings"]}
