# SPDX-License-Identifier: Apache-2.0
"""Guard and watch on the command line, as a user meets them: every error says what, where, and what to do."""

import json
import os
import socket
import sqlite3
import struct
import subprocess
import sys
import time
import urllib.request
from contextlib import closing, contextmanager

import pytest
from command import hikeshi

ALICE = "alice@example.test"


def until(met, what, patience=60):
    end = time.monotonic() + patience
    while not met():
        assert time.monotonic() < end, f"waited in vain: {what}"
        time.sleep(0.05)


def free_port():
    with socket.create_server(("127.0.0.1", 0)) as trial:
        return trial.getsockname()[1]


def reachable(port):
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", port)) == 0


def answers(port):
    """Say whether a milter is at work there; it waits for its answer to the first frame of every conversation."""
    hello = struct.pack("!IcIII", 13, b"O", 6, 0x1FF, 0x1FFFFF)
    try:
        with socket.create_connection(("127.0.0.1", port), timeout=30) as talk:
            talk.sendall(hello)
            return talk.recv(1) == b"\0"
    except ConnectionError:
        return False


class Place:
    """Where a guard has its things, and the options that say so."""

    def __init__(self, folder):
        self.folder, self.state, self.case, self.port = folder, folder / "state", folder / "case", free_port()

    @property
    def kept(self):
        return ("--state", self.state, "--case", self.case)

    @property
    def options(self):
        return ("--listen", f"inet:127.0.0.1:{self.port}", *self.kept)

    @contextmanager
    def running(self, *words):
        """Run the guard, or another command, and end it by SIGTERM, which it must take for a good end."""
        with (self.folder / "said").open("wb") as said:
            process = subprocess.Popen(
                [sys.executable, "-m", "hikeshi.cli", *map(str, words)], stdout=said, stderr=said,
                env={**os.environ, "TZ": "UTC"},
            )  # fmt: skip
            try:
                yield process
                process.terminate()
                assert process.wait(30) == 0, self.said
            finally:
                if process.poll() is None:
                    process.kill()
                    process.wait()

    @contextmanager
    def guarding(self, *options):
        with self.running("guard", *self.options, *options) as process:
            until(lambda: answers(self.port) or process.poll() is not None, "the guard is at work")
            assert process.poll() is None, self.said
            yield process

    @property
    def said(self):
        return (self.folder / "said").read_text()


@pytest.fixture
def place(tmp_path):
    return Place(tmp_path)


def refused(run, code, *words):
    """Hold that a command ended with `code` and told each of `words`, without a traceback."""
    assert run.code == code, run
    assert "Traceback" not in run.err
    assert run.out == ""
    for one in words:
        assert str(one) in run.err


def test_a_guard_that_is_told_nothing_says_what_it_needs():
    refused(hikeshi("guard"), 2, "--listen", "learn, held, release, drop")


@pytest.mark.parametrize(
    ("listen", "words"),
    [
        ("inet:192.0.2.1:8892", "loopback only"),
        ("inet:0.0.0.0:8892", "loopback only"),
        ("8892", "write inet:127.0.0.1:PORT or unix:PATH"),
        ("inet:127.0.0.1:mail", "write inet:127.0.0.1:PORT"),
        ("unix:/no/such/folder/socket", "choose another place"),
    ],
)
def test_a_place_where_nobody_may_listen_is_refused(place, listen, words):
    refused(hikeshi("guard", "--listen", listen, *place.kept), 2, listen, words)


def test_a_port_that_somebody_uses_is_said(place):
    with socket.create_server(("127.0.0.1", place.port)):
        refused(hikeshi("guard", *place.options), 2, place.port, "in use", "choose another place")


@pytest.mark.parametrize("command", ["guard", "learn", "watch"])
def test_a_state_in_a_folder_that_is_not_there_says_how_to_make_it(place, tmp_path, command):
    place.state = tmp_path / "not there" / "state"
    log = tmp_path / "mail.log"
    log.write_text("Jan 15 08:40:59 mx postfix/qmgr[1]: 460BF401001: removed\n")
    run = {
        "guard": lambda: hikeshi("guard", *place.options),
        "learn": lambda: hikeshi("guard", "learn", log, "--state", place.state),
        "watch": lambda: hikeshi("watch", log, *place.kept),
    }[command]()
    refused(run, 1, place.state, "mkdir")


def test_a_foreign_file_is_no_state_and_stays_as_it_is(place):
    place.state.write_text("Dear diary\n" * 100)
    refused(hikeshi("guard", *place.options), 1, place.state, "no state of hikeshi", "give another file")
    assert place.state.read_text() == "Dear diary\n" * 100


def test_a_foreign_database_is_no_state_and_stays_as_it_is(place):
    with closing(sqlite3.connect(place.state)) as file:
        file.execute("CREATE TABLE diary (dear TEXT)")
    before = place.state.read_bytes()
    refused(hikeshi("guard", *place.options), 1, place.state, "no state of hikeshi", "give another file")
    assert place.state.read_bytes() == before


@pytest.mark.parametrize("command", ["held", "release", "drop"])
def test_what_is_held_in_a_state_that_is_not_there_is_an_error(place, command):
    more = {"held": (), "release": ("--all",), "drop": ("--all", "--who", "admin", "--why", "a lure")}[command]
    refused(hikeshi("guard", command, *more, *place.kept), 1, place.state, "no state yet")
    assert not place.state.exists()


def test_nobody_learns_into_the_state_of_a_running_guard(place, company):
    with place.guarding():
        run = hikeshi("guard", "learn", *company.logs, "--state", place.state)
        refused(run, 1, place.state, "another hikeshi guard is at work", "stop it")
    assert "records" not in run.err, "it is said before the logs are read"


def test_two_guards_have_no_state_in_common(place):
    with place.guarding():
        other = ("--listen", f"inet:127.0.0.1:{free_port()}", *place.kept)
        refused(hikeshi("guard", *other), 1, place.state, "another hikeshi guard is at work", "redis://")


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ('[mail]\nfrom = "a@example.com"\nto = ["b@example.com"]\nuser = "a"\npassword = "hunter2"\n', "stands in the clear"),
        ("[mail\n", "no TOML"),
        ("", "names no channel"),
        ('[pigeon]\nname = "Fred"\n', "pigeon is no channel"),
        ('[webhook]\nsecret_env = "X"\n', "needs url"),
    ],
)  # fmt: skip
@pytest.mark.parametrize("command", ["guard", "watch"])
def test_channels_that_make_no_sense_are_refused_and_secrets_are_not_repeated(place, tmp_path, command, content, words):
    path = tmp_path / "channels.toml"
    path.write_text(content)
    given = {"guard": ("guard", *place.options), "watch": ("watch", tmp_path / "mail.log", *place.kept)}[command]
    run = hikeshi(*given, "--channels", path)
    refused(run, 2, path, words)
    assert "hunter2" not in run.err


def test_channels_that_are_not_there_are_an_error(place, tmp_path):
    refused(hikeshi("guard", *place.options, "--channels", tmp_path / "none.toml"), 2, "none.toml", "can be read")


@pytest.mark.parametrize("where", ["nonsense", "127.0.0.1:99999", "192.0.2.1:9892"])
@pytest.mark.parametrize("command", ["guard", "watch"])
def test_metrics_that_nobody_can_serve_are_refused(place, tmp_path, command, where):
    given = {"guard": ("guard", *place.options), "watch": ("watch", tmp_path / "mail.log", *place.kept)}[command]
    refused(hikeshi(*given, "--metrics", where), 2, f"--metrics {where}", "give HOST:PORT")


@pytest.mark.parametrize("rate", ["seldom", "1", "0/100", "5/1", "1/0", "nan/5"])
@pytest.mark.parametrize("command", ["guard", "watch"])
def test_a_rate_of_false_alarms_that_is_none_is_refused(place, tmp_path, command, rate):
    given = {"guard": ("guard", *place.options), "watch": ("watch", tmp_path / "mail.log", *place.kept)}[command]
    refused(hikeshi(*given, "--false-alarms", rate), 2, f"--false-alarms {rate}", "for example 1/100000")


@pytest.mark.parametrize("command", ["learn", "watch"])
def test_a_zone_that_there_is_not_is_refused(place, company, command):
    given = {
        "learn": ("guard", "learn", *company.logs, "--state", place.state),
        "watch": ("watch", *company.logs, *place.kept),
    }[command]
    refused(hikeshi(*given, "--tz", "Mars/Olympus"), 2, "--tz Mars/Olympus", "such as Asia/Tokyo")


def test_a_watch_of_nothing_is_refused(place):
    refused(hikeshi("watch", *place.kept), 2, "give log files to follow, or --journal")


def test_a_watch_of_a_folder_is_refused(place, tmp_path):
    refused(hikeshi("watch", tmp_path, *place.kept), 2, tmp_path, "log file")


def test_a_case_that_cannot_be_made_is_an_error(place, tmp_path):
    place.case = tmp_path / "file" / "case"
    (tmp_path / "file").write_text("no folder")
    for given in (("guard", *place.options), ("watch", tmp_path / "mail.log", *place.kept)):
        refused(hikeshi(*given), 1, place.case, "give a folder")


@pytest.mark.parametrize("missing", ["--who", "--why"])
def test_nothing_is_dropped_without_a_name_and_a_reason(place, missing):
    given = {"--who": "admin", "--why": "a lure"}
    del given[missing]
    more = [word for pair in given.items() for word in pair]
    refused(hikeshi("guard", "drop", "--all", *place.kept, *more), 2, missing)


def test_nothing_is_dropped_for_an_empty_reason(place):
    with place.guarding():
        pass
    hold(place)
    run = hikeshi("guard", "drop", "--all", *place.kept, "--who", "admin", "--why", " ")
    refused(run, 2, "--who NAME", "--why REASON")


@pytest.mark.parametrize("command", ["release", "drop"])
@pytest.mark.parametrize("which", [(), ("460BF401001", "--all"), ("--account", ALICE, "--all")])
def test_which_mails_are_meant_is_said_in_one_way(place, command, which):
    more = ("--who", "admin", "--why", "a lure") if command == "drop" else ()
    refused(hikeshi("guard", command, *which, *place.kept, *more), 2, "queue ids, --account ADDRESS, or --all")


def hold(place, account=ALICE):
    """Write down that the guard has held a mail."""
    one = {
        "queue_id": "460BF401001", "account": account, "sender": account, "time": time.time(), "place": "203.0.113.77",
        "session": "mx/7/1", "recipients": 3, "subject": "Invoice", "reason": "burst from a new place", "score": 21.5,
    }  # fmt: skip
    with closing(sqlite3.connect(place.state)) as file:
        file.execute(
            "INSERT INTO holds (identity, account, time, hold) VALUES ('one', ?, ?, ?)",
            (account, one["time"], json.dumps(one)),
        )
        file.commit()


@pytest.mark.parametrize("command", ["held", "release", "drop"])
def test_where_there_is_no_postfix_nothing_is_done_and_it_is_said(place, tmp_path, command):
    with place.guarding():
        pass
    hold(place)
    more = {"held": (), "release": ("--account", ALICE), "drop": ("--all", "--who", "admin", "--why", "a lure")}[
        command
    ]
    run = hikeshi("guard", command, *more, *place.kept, "--postfix", tmp_path / "none")
    refused(run, 1, "postqueue: ")
    # With Postfix on this host its configuration is missing, without it its programs are.
    assert "give the folder where Postfix's main.cf lies" in run.err or "run this on the host" in run.err
    with closing(sqlite3.connect(place.state)) as file:
        assert file.execute("SELECT count(*) FROM holds WHERE outcome IS NULL").fetchone() == (1,)
        assert file.execute("SELECT count(*) FROM orders").fetchone() == (0,)


def test_an_account_of_which_nothing_is_held_can_be_taken_as_honest_without_postfix(place, tmp_path):
    with place.guarding():
        postfix = ("--postfix", tmp_path / "none")
        run = hikeshi("guard", "release", "--account", ALICE.upper(), *place.kept, *postfix, "--why", "our newsletter")
        assert (run.code, run.err) == (0, "")
        assert "nothing was on hold" in run.out
        (path,) = (place.case / "receipts").iterdir()
        receipt = json.loads(path.read_text())
        assert (receipt["verb"], receipt["why"], receipt["mails"]) == ("release", "our newsletter", [])
        until(lambda: f"release of {ALICE} taken over" in place.said, "the guard takes it over")
    run = hikeshi("guard", "release", "--account", ALICE, *place.kept, *postfix, "--json")
    assert json.loads(run.out)["mails"] == []


@pytest.mark.parametrize("given", [("--all",), ("460BF401001",)])
def test_without_an_account_nothing_held_stays_an_error(place, given):
    with place.guarding():
        pass
    refused(hikeshi("guard", "release", *given, *place.kept), 2, "held", "see hikeshi guard held")
    drop = ("--who", "admin", "--why", "a lure")
    refused(hikeshi("guard", "drop", "--account", ALICE, *place.kept, *drop), 2, ALICE, "see hikeshi guard held")


def test_learning_tells_what_was_learnt_and_twice_that_it_was_known(place, company):
    first = hikeshi("guard", "learn", *company.logs, "--state", place.state, "--tz", "Asia/Tokyo")
    assert first.code == 0, first.err
    told = first.out.split()
    assert told[0] == "learnt"
    assert int(told[1].replace(",", "")) > 100
    assert "; 0 were known" in first.out
    again = hikeshi("guard", "learn", *company.logs, "--state", place.state, "--tz", "Asia/Tokyo")
    assert again.out == first.out.replace("0 were known", f"{told[1]} were known").replace(told[1], "0", 1)


def test_learning_from_what_is_no_log_of_a_mail_server_says_so(place, tmp_path):
    (tmp_path / "notes").write_text("nothing here\n")
    run = hikeshi("guard", "learn", tmp_path / "notes", "--state", place.state)
    assert run.code == 3
    assert "were these the right files?" in run.err
    run = hikeshi("guard", "learn", tmp_path / "none.log", "--state", place.state)
    assert run.code in (1, 2)
    assert "none.log" in run.err


def got(port, path):
    with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=30) as answer:
        return answer.read().decode()


def test_a_guard_answers_for_its_health_and_ends_well(place):
    port = free_port()
    with place.guarding("--metrics", f"127.0.0.1:{port}"):
        assert got(port, "/healthz") == "ok\n"
        assert "hikeshi_mails_total" in got(port, "/metrics")
    assert oct(place.state.stat().st_mode)[-3:] == "600"
    assert oct(place.case.stat().st_mode)[-3:] == "700"
    assert json.loads(place.said.splitlines()[0])["event"] == "guarding"


def test_a_watch_answers_for_its_health_and_ends_well(place, tmp_path):
    port = free_port()
    with place.running("watch", tmp_path / "mail.log", *place.kept, "--metrics", f"127.0.0.1:{port}") as process:
        until(lambda: reachable(port) or process.poll() is not None, "the watch answers")
        assert got(port, "/healthz") == "ok\n"
        assert "hikeshi_log_lines_total" in got(port, "/metrics")
