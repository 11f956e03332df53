# SPDX-License-Identifier: Apache-2.0
"""`hikeshi notify` as people use it, from a case to a table that closes."""

import csv
import json
from pathlib import Path

import pytest
from click.testing import CliRunner
from relays import Relay

from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import correct as correct_fact
from hikeshi.cases.store.verify import verify
from hikeshi.cli.notify import notify_command

WHO = ("--who", "Rin", "--why", "it is right")


@pytest.fixture
def notify(case):
    """Run a command on the case: notify("status", "--json"); give exit code, stdout and stderr."""

    def run(command, *words, code=0):
        result = CliRunner().invoke(notify_command, [command, *words, "--case", str(case)])
        assert result.exit_code == code, result.output
        return result.stdout, result.stderr

    return run


@pytest.fixture(autouse=True)
def _told(investigated, entered):
    investigated(
        ("aiko@x.example", 1, "delivered"), ("ben@y.example.jp", 2, "deferred"), ("back@x.example", 1, "bounced"),
        ("noreply@x.example", 1, "delivered"),
    )  # fmt: skip
    entered()


@pytest.fixture
def relay(tmp_path):
    """A relay on loopback, and the file that says where it is."""
    folder = tmp_path / "relay"
    folder.mkdir()
    with Relay(folder) as sink:
        file = tmp_path / "letters.toml"
        file.write_text(
            f'[relay]\nhost = "127.0.0.1"\nport = {sink.port}\n[letters]\nbounces = "bounces@works.example"\n'
        )
        yield sink, file


def test_from_the_people_to_a_table_that_closes(notify, relay, case):
    sink, file = relay
    out, _ = notify("people", "--json")
    assert json.loads(out)["people"] == 4
    out, _ = notify("preview", "--address", "Aiko@x.example", "--report", "1")
    assert "To: aiko@x.example" in out
    assert "ben@" not in out
    out, _ = notify("draft", "--report", "1")
    assert "2 letters (2 new)" in out
    notify("send", "--relay", str(file))
    assert sink.taken == []
    notify("approve", *WHO)
    notify("send", "--relay", str(file))
    assert sorted(one["recipient"] for one in sink.taken) == ["aiko@x.example", "ben@y.example.jp"]
    notify("send", "--relay", str(file))
    assert len(sink.taken) == 2

    out, _ = notify("status", "--json", code=3)
    assert json.loads(out)["closes"] is False
    notify("worklist")
    with (case / "worklist.csv").open(encoding="utf-8", newline="") as rows:
        waiting = [row["person"] for row in csv.DictReader(rows)]
    assert sorted(waiting) == ["back@x.example", "noreply@x.example"]
    for person in waiting:
        notify("handed-over", person, "--by", "phone", *WHO)
    out, _ = notify("status", "--json")
    whole = json.loads(out)["reconciliation"][-1]
    assert (whole["scoped"], whole["told"], whole["handed over"], whole["open"]) == (4, 2, 2, 0)
    with open_store(case) as store:
        assert verify(store).deviations == []


def test_what_breaks_a_rule_blocks_all_with_rule_and_place(notify, case):
    with open_store(case) as store:
        correct_fact(store, "cause.en", "see https://evil.example/x", who="Rin", why="sample")
    _, err = notify("draft", "--report", "1", code=1)
    assert "ERROR  L02" in err
    assert "none of 2 letters was kept" in err
    _, err = notify("approve", *WHO, code=2)
    assert "no letters are drafted yet" in err
    notify("preview", "--address", "aiko@x.example", code=1)


def test_where_two_must_approve_one_is_not_enough(notify, relay, case):
    sink, file = relay
    with open_store(case) as store:
        correct_fact(store, "letters.approvers", 2, who="Rin", why="our rule")
    notify("draft", "--report", "1")
    out, _ = notify("approve", *WHO)
    assert "another person must approve" in out
    notify("send", "--relay", str(file))
    assert sink.taken == []


def test_who_is_to_be_told_otherwise_gets_no_letter_that_was_approved_before(notify, relay):
    sink, file = relay
    notify("draft", "--report", "1")
    notify("approve", *WHO)
    out, _ = notify("correct", "ben@y.example.jp", "--reach", "phone", *WHO)
    assert "1 letters to them that had not left are taken back" in out
    notify("send", "--relay", str(file))
    assert [one["recipient"] for one in sink.taken] == ["aiko@x.example"]


def test_a_decision_shows_in_the_people_and_in_the_next_draft(notify):
    out, _ = notify("correct", "ben@y.example.jp", "--language", "en", "--reach", "post", *WHO)
    assert "ben@y.example.jp: post, en; it is right (Rin)" in out
    out, _ = notify("correct", "aiko@x.example", "--leave-out", *WHO)
    assert "left-out" in out
    out, _ = notify("draft", "--report", "1")
    assert "0 letters (none)" in out
    assert "4 people cannot" not in out
    _, err = notify("preview", "--address", "ben@y.example.jp", code=2)
    assert "gets no letter by mail, but post" in err


@pytest.mark.parametrize(
    ("words", "says"),
    [
        (("correct", "nobody@x.example", "--reach", "phone", *WHO), "nobody of that address is concerned"),
        (("correct", "aiko@x.example", *WHO), "say what is decided"),
        (("correct", "aiko@x.example", "--leave-out", "--reach", "phone", *WHO), "give one of them"),
        (("people", "--exposed", "none.csv"), "brought in by somebody"),
        (("people", "--exposed", "none.csv", *WHO), "No such file"),
        (("send", "--relay", "none.toml"), "No such file"),
        (("handed-over", "aiko@x.example\nBcc: x@y.example", "--by", "phone", *WHO), "nobody of that address"),
    ],
)
def test_what_makes_no_sense_is_said_and_changes_nothing(notify, case, words, says):
    _, err = notify(*words, code=2)
    assert says in err
    with open_store(case) as store:
        assert store.entries("audience", "list", "letters") == []


def test_tables_for_people_are_in_both_languages(notify):
    out, _ = notify("people", "--lang", "ja")
    assert "不審メールのみ" in out
    out, _ = notify("status", "--lang", "ja", code=3)
    assert out.splitlines()[0].split()[:6] == ["区分", "対象", "通知済み", "引継済み", "対象外", "未了"]
    assert out.splitlines()[-1].split()[:6] == ["計", "4", "0", "0", "0", "4"]


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[relay]\n", "needs [relay] host"),
        ("[mail]\n", "mail is no table"),
        ('[relay]\nhost = "h"\npassword = "x"\n', "stands in the clear"),
        ('[relay]\nhost = "h"\nport = "25"\n', "port must be a int"),
        ('[relay]\nhost = "h"\nother = 1\n', "other is not known"),
        ('[relay]\nhost = "h"\ntls = "no"\n[letters]\nbounces = "b@x.example"\n', "tls 'no' is none"),
        ('[relay]\nhost = "h"\n[letters]\nbounces = "b@x.example"\n[logs]\n', "needs paths"),
        ('[relay]\nhost = "h"\n[letters]\nbounces = "b@x.example"\n[logs]\ntz = "UTC"\n', "needs paths"),
        (
            '[relay]\nhost = "h"\n[letters]\nbounces = "b@x.example"\n[dkim]\ndomain = "x.example"\n',
            "needs domain, selector",
        ),
        ('[relay]\nhost = "h"\n[letters]\nbounces = "b@x.example"\nminute = 0\n', "letters a minute"),
        ("no toml", "no TOML"),
    ],
)
def test_a_file_of_the_relay_that_makes_no_sense_is_refused(notify, tmp_path, text, says):
    file = Path(tmp_path / "letters.toml")
    file.write_text(text)
    _, err = notify("send", "--relay", str(file), code=2)
    assert says in err
