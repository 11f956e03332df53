# SPDX-License-Identifier: Apache-2.0
"""`hikeshi publish` as its users type it: nothing is kept, released or written unless they say so."""

import json
import os
import re
import signal
import subprocess
import sys
import urllib.request

import founding
import pytest
from click.testing import CliRunner

from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import correct
from hikeshi.cli.publish import publish_command
from hikeshi.publish.bulletin.released import bulletins


@pytest.fixture
def known(case):
    with open_store(case) as store:
        founding.enter_first(store)
    return case


@pytest.fixture
def run(known):
    def ran(*words):
        return CliRunner().invoke(publish_command, [*words, "--case", str(known)])

    return ran


def kept(run):
    done = run("draft", "--keep", "--json")
    assert done.exit_code == 0, done.stderr
    return json.loads(done.stdout)["id"]


def entries(case, *kinds):
    with open_store(case) as store:
        return len(store.entries(*kinds))


def test_a_draft_is_shown_and_not_kept(run, known):
    before = entries(known)
    done = run("draft", "--lang", "ja")
    assert done.exit_code == 0
    assert "■ まずお願いしたいこと" in done.stdout
    assert "warning S10" in done.stderr
    assert "--keep writes it" in done.stderr
    assert entries(known) == before


def test_from_draft_to_page(run, known, tmp_path):
    name = kept(run)
    assert "approved by Rin" in run("approve", name, "--who", "Rin", "--why", "read it").stdout
    assert "--execute releases it" in run("release", "--who", "Rin").stdout
    assert "no report yet" not in run("list").stdout
    with open_store(known) as store:
        assert bulletins(store).released == ()
    done = run("release", "--who", "Rin", "--execute")
    assert done.exit_code == 0
    assert done.stdout.startswith("report 1 is released as of ")
    done = run("build", "--out", str(tmp_path / "site"), "--pdf")
    assert done.exit_code == 0, done.stderr
    assert (tmp_path / "site" / "report-1.en.pdf").read_bytes().startswith(b"%PDF")
    assert "released" in run("list").stdout
    assert json.loads(run("list", "--json").stdout)["released"][0]["approved_by"] == ["Rin"]


def test_a_draft_with_an_error_is_not_kept(run, known):
    with open_store(known) as store:
        correct(store, "measures.done", "二次被害はありません。個人情報の流出はありません。", who="Rin", why="hasty")
    done = run("draft", "--keep", "--lang", "ja")
    assert done.exit_code == 1
    assert re.search(r"error\s+L10", done.stderr)
    assert "cannot be kept" in done.stderr
    assert entries(known, "bulletin") == 0


def test_only_the_draft_that_stands_is_approved(run):
    name = kept(run)
    done = run("approve", "0" * 12, "--who", "Rin", "--why", "read it")
    assert (done.exit_code, f"the draft is {name}" in done.stderr) == (2, True)
    assert run("approve", name, "--why", "read it").exit_code == 2
    assert run("refuse", name, "--who", "Kai", "--why", "no").exit_code == 0
    assert "approved by nobody" in run("release", "--who", "Rin", "--execute").stderr


def test_a_second_report_comes_after_a_first(run):
    assert run("draft", "--stage", "second").exit_code == 2
    run("approve", kept(run), "--who", "Rin", "--why", "read it")
    assert run("release", "--who", "Rin", "--execute").exit_code == 0
    assert run("draft", "--stage", "first").exit_code == 2
    assert json.loads(run("draft", "--json").stdout)["bulletin"]["stage"] == "second"


def test_a_time_needs_its_zone(run):
    done = run("draft", "--at", "2026-03-02T11:16:07")
    assert (done.exit_code, "is no time with an offset" in done.stderr) == (2, True)


def test_a_missing_desk_is_told_with_the_command_that_enters_it(case):
    done = CliRunner().invoke(publish_command, ["draft", "--case", str(case)])
    assert done.exit_code == 1
    assert "hikeshi case correct desk.name" in done.stderr


def test_a_form_goes_to_stdout_and_what_it_lacks_to_stderr(run, tmp_path):
    done = run("form", "ppc", "--lang", "ja")
    assert done.exit_code == 3
    assert done.stdout.startswith("# 個人情報保護委員会")
    assert re.search(r"missing\s+persons: enter exposed.persons", done.stderr)
    assert json.loads(run("form", "gdpr33", "--json").stdout)["schema"] == "hikeshi.form/1"
    paper = tmp_path / "form.pdf"
    assert run("form", "ipa", "--pdf", str(paper)).exit_code == 3
    assert paper.read_bytes().startswith(b"%PDF")
    assert paper.stat().st_mode & 0o777 == 0o600


def test_the_brief_is_printed_or_saved(run, tmp_path):
    assert "What we do not know" in run("brief").stdout
    paper = tmp_path / "brief.pdf"
    assert run("brief", "--lang", "ja", "--pdf", str(paper)).exit_code == 0
    assert paper.read_bytes().startswith(b"%PDF")


def test_a_preview_is_served_until_it_is_ended(run, known):
    kept(run)
    code = "from hikeshi.cli.publish import publish_command; publish_command()"
    serving = subprocess.Popen(
        [sys.executable, "-u", "-c", code, "preview", "--case", str(known)],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    )
    try:
        address = serving.stdout.readline().strip()
        with urllib.request.urlopen(address, timeout=20) as answer:  # noqa: S310 - our own server on loopback
            assert "下書き(未公表)" in answer.read().decode("utf-8")
        serving.send_signal(signal.SIGINT)
        _, told = serving.communicate(timeout=20)
        assert (serving.returncode, "ended" in told) == (0, True)
    finally:
        if serving.poll() is None:
            serving.kill()
            serving.communicate()
