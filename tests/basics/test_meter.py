# SPDX-License-Identifier: Apache-2.0
"""The progress bar: an end only where it is known, and silence where nobody looks."""

import io
import sys
from dataclasses import dataclass

import pytest

from hikeshi.basics.meter import Meter, _total


@dataclass
class Progress:
    path: str
    read: int
    records: int


class Terminal(io.StringIO):
    def isatty(self):
        return True


def test_the_total_is_known_for_plain_files(tmp_path):
    """A file, and a folder with what lies below it."""
    (tmp_path / "deep").mkdir()
    (tmp_path / "deep" / "mail.log").write_bytes(b"x" * 30)
    (tmp_path / "mail.log").write_bytes(b"x" * 12)
    assert _total([str(tmp_path / "mail.log")]) == 12
    assert _total([str(tmp_path)]) == 42


@pytest.mark.parametrize("paths", [["-"], ["{}/none.log"], ["{}/mail.log", "{}/old.gz"], []])
def test_there_is_no_end_where_nobody_knows_it(paths, tmp_path):
    """Standard input, what is not there, and files that hold more than their size says."""
    (tmp_path / "mail.log").write_bytes(b"x" * 12)
    (tmp_path / "old.gz").write_bytes(b"x" * 12)
    assert _total([path.format(tmp_path) for path in paths]) is None


def test_it_is_silent_without_a_terminal(tmp_path, capsys):
    """Logs of a cron job stay readable."""
    (tmp_path / "mail.log").write_bytes(b"x" * 12)
    with Meter([str(tmp_path / "mail.log")]) as meter:
        meter.watch(Progress("mail.log", 12, 3))
    captured = capsys.readouterr()
    assert captured.out + captured.err == ""


def test_it_tells_a_terminal_how_far_it_is(tmp_path, monkeypatch):
    """The file being read and the records so far, on stderr only."""
    (tmp_path / "mail.log").write_bytes(b"x" * 5000)
    screen = Terminal()
    monkeypatch.setattr(sys, "stderr", screen)
    monkeypatch.setenv("COLUMNS", "160")
    monkeypatch.setenv("TERM", "xterm")
    with Meter([str(tmp_path / "mail.log")]) as meter:
        meter.watch(Progress("/var/log/mail.log", 2500, 1234))
    assert "mail.log" in screen.getvalue()
    assert "1,234 records" in screen.getvalue()
