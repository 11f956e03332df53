# SPDX-License-Identifier: Apache-2.0
"""The log: an object a line for machines, text for people, and never a word of a mail."""

import io
import json
import logging
from datetime import datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.guard.health import log


@pytest.fixture
def logs():
    """Give back the logging of the test runner afterwards."""
    root = logging.getLogger()
    handlers, level = list(root.handlers), root.level
    for handler in handlers:
        root.removeHandler(handler)
    yield logging.getLogger("hikeshi.guard.trial")
    for handler in list(root.handlers):
        root.removeHandler(handler)
        handler.close()
    for handler in handlers:
        root.addHandler(handler)
    root.setLevel(level)


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.fixture
def stream(monkeypatch):
    monkeypatch.delenv("JOURNAL_STREAM", raising=False)
    return io.StringIO()


def test_a_line_is_an_object_with_the_event_apart_from_its_values(logs, stream):
    log.start(stream)
    logs.warning("held %d mails", 12, extra={"account": "alice@example.test", "score": 31.5})
    line = json.loads(stream.getvalue())
    assert datetime.fromisoformat(line.pop("time")).utcoffset().total_seconds() == 0
    assert line == {
        "level": "warning", "part": "guard.trial", "event": "held %d mails", "message": "held 12 mails",
        "account": "alice@example.test", "score": 31.5,
    }  # fmt: skip


def test_an_event_may_be_named(logs, stream):
    log.start(stream)
    logs.info("whatever", extra={"event": "alarm"})
    assert json.loads(stream.getvalue())["event"] == "alarm"


def test_a_field_that_is_not_known_is_left_out(logs, stream):
    log.start(stream)
    logs.info("held", extra={"subject": "Invoice 4711", "recipients": ["a@example.org"], "password": "secret"})
    assert not {"Invoice 4711", "a@example.org", "secret"} & set(json.loads(stream.getvalue()).values())
    assert "Invoice" not in stream.getvalue()


def test_an_exception_is_told_by_kind_and_place_and_not_in_its_words(logs, stream):
    log.start(stream)
    try:
        int("Subject: Invoice 4711")
    except ValueError:
        logs.exception("defect")
    assert json.loads(stream.getvalue())["exception"].startswith("ValueError in test_log.py:")
    assert "Invoice" not in stream.getvalue()


@given(st.text(), st.text())
def test_whatever_is_logged_is_one_line_that_can_be_read(words, account):
    record = logging.LogRecord("hikeshi.guard", logging.ERROR, "", 0, "%s", (words,), None)
    record.account = account
    line = log.Json(priorities=True).format(record)
    assert line.startswith("<3>{")
    assert line.isascii()
    assert len(line.splitlines()) == 1
    assert json.loads(line[3:])["message"] == words


@given(st.text())
def test_at_a_terminal_nothing_moves_the_cursor(words):
    record = logging.LogRecord("hikeshi.guard", logging.ERROR, "", 0, "%s", (words,), None)
    assert log.Readable().format(record).isprintable()


def test_at_a_terminal_it_is_text(logs, monkeypatch):
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    stream = Terminal()
    log.start(stream)
    logs.error("channel failed", extra={"channel": "mail"})
    assert stream.getvalue().endswith("error   channel failed  channel=mail\n")


@pytest.mark.parametrize(
    ("level", "prefix"),
    [(logging.CRITICAL, "<2>"), (logging.ERROR, "<3>"), (logging.WARNING, "<4>"), (logging.INFO, "<6>")],
)
def test_the_journal_is_told_how_grave_it_is(logs, stream, monkeypatch, level, prefix):
    monkeypatch.setenv("JOURNAL_STREAM", "8:1")
    log.start(stream)
    logs.log(level, "so it is")
    assert stream.getvalue().startswith(prefix + "{")


@pytest.mark.parametrize("library", ["httpx", "httpcore", "aiosmtplib"])
@pytest.mark.usefixtures("logs")
def test_libraries_do_not_tell_what_they_carry(stream, library):
    log.start(stream)
    logging.getLogger(library).info("HTTP Request: POST https://chat.example.com/hooks/token")
    assert stream.getvalue() == ""


def test_what_is_started_twice_logs_once(logs, stream):
    log.start(io.StringIO())
    log.start(stream)
    logs.info("once")
    assert stream.getvalue().count("\n") == 1
