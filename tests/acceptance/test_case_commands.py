# SPDX-License-Identifier: Apache-2.0
"""`hikeshi case` as a user runs it: what stands, corrections, history, the proof, and what more evidence changes."""

import json
import sqlite3

import pytest
from command import hikeshi


@pytest.fixture(scope="module")
def account(company):
    return next(iter(company.truth["attacks"][0]["per_account"]))


@pytest.fixture(scope="module")
def half(company, account, tmp_path_factory):
    """The log up to a hundred mails before the account's last one: somewhere in the attack."""
    (log,) = company.logs
    lines = log.read_text("utf-8").splitlines(keepends=True)
    own = [number for number, line in enumerate(lines) if f"sasl_username={account}" in line]
    path = tmp_path_factory.mktemp("half") / "mail.log"
    path.write_text("".join(lines[: own[-100]]), "utf-8")
    return path


@pytest.fixture
def case(company, half, tmp_path):
    """A case of half of the attack."""
    run = hikeshi("investigate", half, "--case", tmp_path / "case", "--tz", company.truth["zone"])
    assert run.code in (0, 3), run.err
    return tmp_path / "case"


def shown(case):
    run = hikeshi("case", "show", "--case", case, "--json")
    assert run.code == 0, run.err
    return json.loads(run.out)


def facts(case):
    return {one["key"]: one for one in shown(case)["facts"]}


def test_the_story_of_a_case(company, account, tmp_path):
    """In one test, for each step rests on the one before: look, correct, add evidence, look again, prove."""
    whole = tmp_path / "case"
    run = hikeshi("investigate", *company.logs, "--case", whole, "--tz", company.truth["zone"])
    assert run.code == 0, run.err
    key = f"incident/{account}/1/messages"
    truth = company.truth["attacks"][0]["per_account"][account]["messages"]
    assert facts(whole)[key]["value"] == truth
    assert facts(whole)[key]["status"] == "suspected"

    said = hikeshi("case", "correct", key, truth - 1, "--case", whole, "--who", "Aoi", "--why", "one was the owner's")
    assert said.code == 0, said.err
    assert f"computed: {truth:,} mails" in said.out
    verdict = f"incident/{account}/1/verdict"
    assert (
        hikeshi(
            "case", "correct", verdict, "--status", "confirmed", "--case", whole, "--who", "Aoi", "--why", "asked"
        ).code
        == 0
    )

    again = hikeshi("investigate", *company.logs, "--case", whole, "--tz", company.truth["zone"], "--json")
    document = json.loads(again.out)
    assert document["changes"] == []
    assert {one["key"] for one in document["corrections"]} == {key, verdict}
    assert document["incidents"][0]["status"] == "confirmed"
    assert document["incidents"][0]["messages"] == truth
    assert facts(whole)[key] | {"value": truth - 1, "computed": truth, "corrected": True} == facts(whole)[key]
    assert "Aoi" in (whole / "report.html").read_text("utf-8")

    told = [json.loads(line) for line in hikeshi("case", "history", key, "--case", whole).out.splitlines()]
    assert [(one["value"], one["provenance"]) for one in told] == [(truth, "computed"), (truth - 1, "entered")]
    log = [json.loads(line) for line in hikeshi("case", "log", "--case", whole, "--kind", "run").out.splitlines()]
    assert [one["body"]["arguments"][:2] for one in log] == [["case", "correct"], ["case", "correct"]]
    assert all("@" in one["login"] for one in log)


def test_more_evidence_says_what_it_has_changed(company, case, account):
    before = facts(case)
    truth = company.truth["attacks"][0]["per_account"][account]["messages"]
    assert before[f"incident/{account}/1/messages"]["value"] < truth
    run = hikeshi("investigate", *company.logs, "--case", case, "--tz", company.truth["zone"], "--json")
    assert run.code == 0, run.err
    changes = {one["key"]: one for one in json.loads(run.out)["changes"]}
    after = facts(case)
    assert after[f"incident/{account}/1/messages"]["value"] == truth
    changed = {key for key in after if key in before and before[key]["value"] != after[key]["value"]}
    assert f"incident/{account}/1/messages" in changed
    assert changed == set(changes)
    for key in changed:
        assert (changes[key]["before"], changes[key]["after"]) == (before[key]["value"], after[key]["value"])


def triggers(database, verb):
    asked = "SELECT name FROM sqlite_master WHERE type = 'trigger' AND tbl_name = 'ledger' AND sql LIKE ?"
    return [name for (name,) in database.execute(asked, [f"%BEFORE {verb}%"])]


def test_what_was_tampered_with_is_noticed(company, tmp_path):
    case = tmp_path / "case"
    hikeshi("investigate", *company.logs, "--case", case, "--tz", company.truth["zone"])
    whole = hikeshi("case", "verify", "--case", case, "--json")
    assert whole.code == 0, whole.out
    head = json.loads(whole.out)["head"]
    assert hikeshi("case", "verify", "--case", case, "--head", head).code == 0
    with sqlite3.connect(case / "case.db") as database:
        database.execute("UPDATE facts SET value = '7' WHERE key LIKE '%/messages'")
    database.close()
    found = hikeshi("case", "verify", "--case", case)
    assert found.code == 1
    assert "NOT AS WRITTEN" in found.out
    with sqlite3.connect(case / "case.db") as database:
        database.execute("DROP TRIGGER IF EXISTS " + next(iter(triggers(database, "DELETE"))))
        database.execute("DELETE FROM ledger WHERE seq = (SELECT max(seq) FROM ledger)")
    database.close()
    (case / "alarms.jsonl").write_text('{"schema": "hikeshi.alarm/1"}\n')
    cut = hikeshi("case", "verify", "--case", case)
    assert (cut.code, "NOT AS WRITTEN" in cut.out) == (1, True)
    assert hikeshi("case", "verify", "--case", case, "--head", "9999:" + "0" * 64).code == 1


@pytest.fixture(scope="module")
def empty(tmp_path_factory):
    return tmp_path_factory.mktemp("empty")


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("correct", "nothing", "--status", "confirmed", "--who", "A", "--why", "b"), 2, "give a VALUE"),
        (("history", "nothing"), 2, "the case knows no such fact"),
        (("correct", "a", "1", "--who", " ", "--why", "b"), 2, "who corrects and why"),
        (("verify", "--head", "what"), 2, "hikeshi case verify prints it"),
        (("place", "postgresql://u:secret@db.example/x"), 2, "PGPASS"),
        (("place", "mysql://db.example/x"), 2, "postgresql://"),
    ],
)
def test_what_cannot_be_done_is_said(empty, words, code, says):
    run = hikeshi("case", *words, "--case", empty)
    assert run.code == code, run.err
    assert says in run.err
    assert "u:secret" not in run.err


def test_a_case_that_is_not_there_is_not_made(tmp_path):
    run = hikeshi("case", "show", "--case", tmp_path / "none")
    assert run.code == 2
    assert "no such case" in run.err
    assert not (tmp_path / "none").exists()
