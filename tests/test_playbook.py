# SPDX-License-Identifier: Apache-2.0
"""The story as code: what may be asked, what an answer holds, and what makes it incomplete."""

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.basics.errors import CaseError, NothingToReadError, UsageError
from hikeshi.cases.folder import CaseFolder
from hikeshi.evidence.collect import Reading
from hikeshi.playbook import FALSE_ALARMS, Question, false_alarms, investigate

LINE = (
    "Mar  2 10:00:0{second} mail postfix/submission/smtpd[9]: A{second}: client=unknown[192.0.2.7], sasl_method=PLAIN, "
    "sasl_username={account}\n"
    "Mar  2 10:00:0{second} mail postfix/qmgr[8]: A{second}: from=<{account}>, size=900, nrcpt=1 (queue active)\n"
)
LOG = LINE.format(second=1, account="kai@hinode.example") + LINE.format(second=2, account="mai@hinode.example")


@pytest.fixture
def ask(tmp_path):
    def asked(*inputs, **more):
        question = Question([str(one) for one in inputs], tmp_path / "case", reading=Reading("UTC", 2026), **more)
        return investigate(question, lambda _: None)

    return asked


@pytest.fixture
def log(tmp_path):
    path = tmp_path / "mail.log"
    path.write_text(LOG)
    return path


@given(st.integers(1, 1000), st.integers(1, 10**7))
def test_a_rate_of_false_alarms_is_read(alarms, more):
    """N in so many account-days, whole or with decimals, fewer alarms than days."""
    assert false_alarms(f"{alarms}/{alarms + more}") == (alarms, alarms + more)
    assert false_alarms(f"{alarms / 8}/{alarms + more}") == (alarms / 8, alarms + more)


@pytest.mark.parametrize(
    "text", ["", "often", "1", "1/", "/5", "0/5", "-1/5", "5/5", "6/5", "1/0", "1/2/3", "nan/5", "1/nan", "x/y"]
)
def test_what_is_no_rate(text):
    """Refused with an example of what to give."""
    with pytest.raises(UsageError, match=f"for example {FALSE_ALARMS}"):
        false_alarms(text)


def test_the_default_is_a_rate():
    """And a rare one."""
    alarms, days = false_alarms(FALSE_ALARMS)
    assert days / alarms >= 100_000


def test_a_calm_answer(ask, log, tmp_path):
    """The document is the file, nothing is incomplete, and the short log is said to be short."""
    answer = ask(log)
    assert (answer.incidents, answer.gaps) == (0, [])
    assert answer.document == json.loads((tmp_path / "case" / "incident.json").read_text("utf-8"))
    (cold,) = answer.document["findings"]
    assert (cold["kind"], cold["account"], cold["time"]) == ("cold-start", None, None)
    assert "too short to know what is normal" in cold["says"]["en"]
    assert {path.name for path in (tmp_path / "case").iterdir()} >= {
        "incident.json",
        "report.html",
        "recipients.csv",
        "findings.csv",
        "timeline.jsonl",
        "evidence",
    }


def test_the_threshold_follows_the_wish(ask, log):
    """Ten times as many false alarms cost a log of ten less."""
    rare, often = (ask(log, false_alarms=text).document["norm"]["threshold"] for text in ("1/1000000", "10/1000000"))
    assert rare - often == pytest.approx(math.log(10), abs=0.011)


@pytest.mark.parametrize(("org", "told"), [((), ["hinode.example"]), (("@Far.example",), ["far.example"])])
def test_whose_domains(org, told, ask, log):
    """The user's word before the log's."""
    assert ask(log, org=org).document["org_domains"] == told


def test_nothing_to_read(ask, tmp_path):
    """An empty file and a missing one: an error that says both, and no report that looks like an answer."""
    (tmp_path / "empty.log").touch()
    with pytest.raises(NothingToReadError, match=r"none\.log.*for example /var/log"):
        ask(tmp_path / "empty.log", tmp_path / "none.log")
    assert not (tmp_path / "case" / "report.html").exists()


def test_what_cannot_be_read_is_a_gap(ask, log, tmp_path):
    """One failing input does not stop the others (T7), and the answer says so."""
    answer = ask(log, tmp_path / "none.log")
    (gap,) = answer.gaps
    assert gap.startswith(f"{tmp_path / 'none.log'}: ")
    assert answer.document["norm"]["accounts"] == 2


def test_a_file_of_another_kind_is_a_gap(ask, tmp_path):
    """An empty answer is not "nothing happened" (T1)."""
    (tmp_path / "poem.txt").write_text("the frog\njumps in\n")
    answer = ask(tmp_path / "poem.txt")
    assert "were these the right files?" in answer.gaps[-1]


def test_a_wrong_directory_stops_before_a_case_is_made(ask, log, tmp_path):
    """A mistake of the call leaves nothing behind."""
    (tmp_path / "book.csv").write_text("nobody\n")
    with pytest.raises(UsageError, match="--directory"):
        ask(log, directory=tmp_path / "book.csv")
    with pytest.raises(UsageError, match="--false-alarms"):
        ask(log, false_alarms="never")
    assert not (tmp_path / "case").exists()


def test_a_case_that_another_run_holds(ask, log, tmp_path):
    """Is left alone."""
    with CaseFolder(tmp_path / "case").locked(), pytest.raises(CaseError, match="another hikeshi"):
        ask(log)
    assert not (tmp_path / "case" / "incident.json").exists()
