# SPDX-License-Identifier: Apache-2.0
"""The case folder: private, whole files or none, one run at a time, and cells that no spreadsheet runs."""

import csv
import json
import os
import stat

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.basics.errors import CaseError
from hikeshi.cases.folder import CaseFolder, defused

FORMULA = ("=", "+", "-", "@", "\t", "\r")


@pytest.fixture
def folder(tmp_path):
    return CaseFolder(tmp_path / "deep" / "case")


@given(st.one_of(st.text(), st.builds(str.__add__, st.sampled_from(FORMULA), st.text())))
def test_no_text_begins_a_formula(text):
    """A cell never begins as one; a text that does not is left alone, and no text is lost."""
    told = defused(text)
    assert not told.startswith(FORMULA)
    assert told == (f"'{text}" if text.startswith(FORMULA) else text)


@pytest.mark.parametrize(("cell", "told"), [(None, ""), (-3, -3), (0, 0), (2.5, 2.5), (False, False), ("", "")])
def test_what_is_no_text_stays(cell, told):
    """A negative number is a number."""
    assert defused(cell) == told


def test_everything_is_private(folder):
    """Whatever the umask says."""
    before = os.umask(0)
    try:
        made = CaseFolder(folder.path.parent / "other")
        made.write_json("a.json", {})
        made.write_csv("b.csv", ("x",), [])
        made.write_lines("c.jsonl", [{}])
        with made.locked():
            pass
    finally:
        os.umask(before)
    assert stat.S_IMODE(made.path.stat().st_mode) == 0o700
    assert {path.name: stat.S_IMODE(path.stat().st_mode) for path in made.path.iterdir()} == dict.fromkeys(
        ("a.json", "b.csv", "c.jsonl", ".lock"), 0o600
    )


def test_a_file_that_fails_leaves_the_old_one(folder):
    """A reader never sees half of a file."""
    folder.write_json("incident.json", {"messages": 1})

    def rows():
        yield {"n": 1}
        raise RuntimeError("disk full")

    with pytest.raises(RuntimeError):
        folder.write_lines("incident.json", rows())
    assert json.loads((folder.path / "incident.json").read_text("utf-8")) == {"messages": 1}
    folder.write_json("incident.json", {"messages": 2})
    assert json.loads((folder.path / "incident.json").read_text("utf-8")) == {"messages": 2}


def test_a_table_comes_back_as_it_was(folder):
    """Commas, quotes, line ends and Japanese; formulas behind an apostrophe, the header too where it needs none."""
    rows = [["a,b", 'say "x"', "two\nlines"], ["火消し", None, -1], ["=1+1", "+1", "'=1"]]
    folder.write_csv("t.csv", ("one", "two", "three"), rows)
    with (folder.path / "t.csv").open(encoding="utf-8", newline="") as file:
        told = list(csv.reader(file))
    assert told == [
        ["one", "two", "three"],
        ["a,b", 'say "x"', "two\nlines"],
        ["火消し", "", "-1"],
        ["'=1+1", "'+1", "'=1"],
    ]


def test_one_object_a_line(folder):
    """Whatever signs stand in it."""
    rows = [{"x": "a\nb\u2028c\x85d"}, {"x": "火"}]
    folder.write_lines("t.jsonl", rows)
    lines = (folder.path / "t.jsonl").read_bytes().split(b"\n")
    assert [json.loads(line) for line in lines[:-1]] == rows
    assert lines[-1] == b""


def test_one_run_at_a_time(folder):
    """A second run is told so; after the first it may begin."""
    with (
        folder.locked(),
        pytest.raises(CaseError, match="another hikeshi is at work"),
        CaseFolder(folder.path).locked(),
    ):
        pass
    with folder.locked():
        assert (folder.path / ".lock").exists()


def test_a_file_is_no_folder(tmp_path):
    """What is in the way is named."""
    (tmp_path / "case").write_text("x")
    with pytest.raises(CaseError, match=r"--case .*case: .*; give a folder"):
        CaseFolder(tmp_path / "case")
    with pytest.raises(CaseError, match="give a folder"):
        CaseFolder(tmp_path / "case" / "below")


def test_where_things_lie(folder):
    """As design.md promises."""
    assert (folder.evidence, folder.aside) == (folder.path / "evidence", folder.path / "set-aside")
