# SPDX-License-Identifier: Apache-2.0
"""`hikeshi clocks` as people type it: table, JSON, calendar, decisions, submissions, and errors with what to do."""

import json
import re

import pytest
from click.testing import CliRunner
from icalendar import Calendar
from insurer import OWN

from hikeshi.cases.store import open_store
from hikeshi.cli.clocks import clocks_command

AT = ("--at", "2026-03-03T09:00:00+09:00")
RIN = ("--who", "Rin", "--why", "on the telephone")


@pytest.fixture
def hikeshi(case, knew, monkeypatch):
    """Run hikeshi clocks in a case of which somebody knew; gives (exit code, stdout, stderr)."""
    monkeypatch.setenv("TZ", "Asia/Tokyo")
    knew("reported", "2026-03-02T11:16:07+09:00")

    def run(*arguments, case=case):
        ran = CliRunner().invoke(clocks_command, [*arguments, "--case", str(case)], catch_exceptions=False)
        return ran.exit_code, ran.stdout, ran.stderr

    return run


def document(hikeshi, *arguments):
    code, out, _ = hikeshi("--json", *AT, *arguments)
    assert code == 0
    told = json.loads(out)
    return told, {one["rule"]: one for one in told["clocks"]}


def row(out, rule):
    (line,) = (line for line in out.splitlines() if re.search(rf"  {rule}  ", line))
    return line


def test_the_table_has_a_line_a_duty_and_says_who_judges(hikeshi):
    code, out, _ = hikeshi(*AT)
    assert code == 0
    assert "people to decide" in out
    assert row(out, "gdpr-authority").startswith("2026-03-05 11:16:07 +09:00 Thu  2 d 2 h   ")
    assert "reported: first report from outside [clock/start/reported]" in out
    assert "HYPOTHETICAL" not in out
    assert "Is the company an essential" not in out


def test_a_regime_is_shown_with_its_source_questions_and_items(hikeshi):
    _, out, _ = hikeshi(*AT, "--regime", "appi")
    assert "gdpr" not in out
    for text in (
        "施行規則8条2項",
        "1,000 exactly is not more",
        "number of persons",
        "missing [exposed.persons]",
        "unsure:",
    ):
        assert text in out
    assert "= 2026-03-06T14:59:59Z; better by 2026-03-04 23:59:59 +09:00 Wed" in out


def test_the_table_is_there_in_japanese(hikeshi):
    _, out, _ = hikeshi(*AT, "--lang", "ja", "--regime", "appi")
    for text in (
        "報告の要否は人が決めます",
        "速報 → 個人情報保護委員会",
        "進行中",
        "3日14時間",
        "(3) 本人の数",
        "未決定",
    ):
        assert text in out
    english = [line for line in out.splitlines() if re.search("[A-Za-z]{3,} [a-z]{3,} [a-z]{3,}", line)]
    assert not [line for line in english if "hikeshi clocks" not in line]


def test_columns_stand_below_each_other_in_japanese(hikeshi):
    from rich.cells import cell_len  # noqa: PLC0415 - what a terminal takes

    _, out, _ = hikeshi(*AT, "--lang", "ja")
    lines = out.splitlines()
    head = next(number for number, line in enumerate(lines) if line.startswith("期限"))
    rows = lines[head : lines.index("", head)]
    ids = {
        cell_len(line[: line.index(found[1])])
        for line in rows[1:]
        if (found := re.search(r"  ([a-z0-9-]{3,})  ", line))
    }
    assert ids == {cell_len(rows[0][: rows[0].index("規則")])}


def test_json_has_every_candidate_clock_and_item(hikeshi):
    told, found = document(hikeshi)
    assert (told["schema"], told["hypothetical"], told["proposed"]) == ("hikeshi.clocks/1", None, ["gdpr-omnibus"])
    one = found["gdpr-authority"]
    assert one["due"]["local"] == "2026-03-05T11:16:07+09:00"
    assert one["due"]["utc"] == "2026-03-05T02:16:07Z"
    assert one["remaining_seconds"] == 2 * 86_400 + 2 * 3600 + 16 * 60 + 7
    assert (one["state"], one["needed"], one["start"]["name"]) == ("running", None, "reported")
    assert set(one["questions"]) == {"scope", "risk", "processor"}
    outline = next(each for each in found["appi-preliminary"]["items"] if each["id"] == "outline")
    assert outline["facts"]["clock/start/reported"]["provenance"] == "entered"
    assert "discovery.channel" in outline["missing"]


def test_json_of_an_old_case_by_the_rules_of_today_says_that_it_is_hypothetical(hikeshi):
    told, _ = document(hikeshi, "--as-if", "2021-06-01")
    assert told["hypothetical"] == "2021-06-01"
    assert "appi-endeavour" in {one["rule"] for one in told["clocks"]}
    assert "HYPOTHETICAL: by the rules of 2021-06-01" in hikeshi(*AT, "--as-if", "2021-06-01")[1]


def test_the_calendar_comes_on_stdout(hikeshi):
    code, out, _ = hikeshi("--ics", *AT)
    assert code == 0
    assert len(Calendar.from_ical(out).walk("VEVENT")) == 13


def test_a_decision_stands_with_name_and_reason_in_the_ledger(hikeshi, case):
    assert hikeshi("decide", "nis2-warning", "--choice", "not-needed", *RIN)[0] == 0
    _, found = document(hikeshi)
    assert found["nis2-warning"]["state"] == "not needed"
    assert "not needed, decided by Rin on" in hikeshi(*AT, "--regime", "nis2")[1]
    with open_store(case) as store:
        (entry,) = store.entries("decision")
        assert (entry.who, entry.body["why"]) == ("Rin", "on the telephone")
        assert len(store.entries("run")) == 1


@pytest.mark.parametrize("missing", ["--who", "--why"])
def test_a_decision_without_a_name_or_a_reason_is_a_mistake(hikeshi, missing):
    given = [one for pair in zip(RIN[::2], RIN[1::2], strict=True) if pair[0] != missing for one in pair]
    code, _, says = hikeshi("decide", "nis2-warning", "--choice", "not-needed", *given)
    assert (code, missing in says) == (2, True)


def test_another_start_is_chosen_with_a_reason(hikeshi):
    code, out, _ = hikeshi("start", "gdpr-authority", "2026-03-02T18:00:00+09:00", *RIN)
    assert (code, "2026-03-02T18:00:00+09:00" in out) == (0, True)
    _, found = document(hikeshi)
    start = found["gdpr-authority"]["start"]
    assert (start["name"], start["decided"]["who"]) == ("decided", "Rin")
    assert "chosen by Rin: on the telephone" in hikeshi(*AT, "--regime", "gdpr")[1]
    assert hikeshi("start", "gdpr-authority", "earliest", *RIN)[0] == 0
    assert document(hikeshi)[1]["gdpr-authority"]["start"]["name"] == "reported"


@pytest.mark.parametrize("choice", ["whenever", "2026-03-02T18:00:00"])
def test_a_start_that_is_none_is_a_mistake_and_not_written_down(hikeshi, choice):
    code, _, says = hikeshi("start", "gdpr-authority", choice, *RIN)
    assert (code, "reported, investigated" in says or "reported, earliest" in says) == (2, True)
    assert document(hikeshi)[1]["gdpr-authority"]["start"]["decided"] is None


def test_a_report_is_handed_in_with_its_proof(hikeshi, tmp_path):
    proof = tmp_path / "receipt.txt"
    proof.write_text("accepted")
    code, out, _ = hikeshi(
        "submitted", "appi-preliminary", "--at", "2026-03-03T08:00:00+09:00", "--proof", str(proof), *RIN
    )
    assert (code, "the file receipt.txt, SHA-256 " in out) == (0, True)
    _, found = document(hikeshi)
    one = found["appi-preliminary"]
    assert (one["state"], one["late_seconds"], one["remaining_seconds"]) == ("met", None, None)
    assert one["submissions"][0]["proof"]["file"] == "receipt.txt"
    assert {each["key"] for each in one["changed_since_submission"]} == {"clock/start/reported"}
    _, text, _ = hikeshi(*AT, "--regime", "appi")
    assert "clock/start/reported: – → 2026-03-02T11:16:07+09:00 (confirmed)" in text


def test_rules_of_ones_own_run_beside_ours(hikeshi, tmp_path, knew):
    knew("confirmed", "2026-03-06T10:00:00+09:00")
    folder = tmp_path / "rules"
    folder.mkdir()
    (folder / "insurer.toml").write_text(OWN, "utf-8")
    _, found = document(hikeshi, "--rules", str(folder))
    assert found["insurer-notice"]["due"]["day"] == "2026-03-10"
    (folder / "insurer.toml").write_text(OWN.replace("[rules.source]", "[rules.sauce]"), "utf-8")
    code, _, says = hikeshi("--rules", str(folder))
    assert (code, "insurer.toml" in says, "sauce" in says) == (1, True, True)


def test_what_people_enter_cannot_steer_a_terminal(hikeshi):
    hikeshi("decide", "nis2-warning", "--choice", "needed", "--who", "Rin", "--why", "a\n\x1b[2Jb")
    _, out, _ = hikeshi(*AT, "--regime", "nis2")
    assert "\x1b" not in out
    assert ": a  [2Jb" in out


@pytest.mark.parametrize(
    ("arguments", "says"),
    [
        (("--at", "yesterday"), "no time with an offset"),
        (("--at", "2026-03-03T09:00:00"), "no time with an offset"),
        (("--regime", "hipaa"), "uk-gdpr"),
        (("--ics", "--json"), "one of them"),
        (("--rules", "/nowhere/rules"), "one file a regime"),
        (("decide", "nis3", "--choice", "needed", *RIN), "nis2-warning"),
        (("decide", "nis2-warning", "--choice", "maybe", *RIN), "not-needed"),
        (("submitted", "nis2-warning", "--at", "2026-03-03", "--proof", "x y", *RIN), "offset"),
        (("submitted", "nis2-warning", "--at", "2026-03-03T09:00:00+09:00", "--proof", "x.pdf", *RIN), "no file"),
    ],
)
def test_a_mistake_is_told_with_what_to_do(hikeshi, arguments, says):
    code, out, told = hikeshi(*arguments)
    assert (code, out, says in told) == (2, "", True), told


def test_a_case_that_is_not_there_is_a_mistake(hikeshi, tmp_path):
    code, _, says = hikeshi(case=tmp_path / "other")
    assert (code, "no such case" in says) == (2, True)
    assert CliRunner().invoke(clocks_command, []).exit_code == 2
