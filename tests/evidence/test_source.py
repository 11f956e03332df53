# SPDX-License-Identifier: Apache-2.0
"""House rules over all sources: what every declaration must keep, whoever wrote it."""

import re

import pytest

from hikeshi.basics.sql import literal
from hikeshi.evidence.intake import STAGED
from hikeshi.evidence.source import Lines
from hikeshi.evidence.sources import SOURCES, all_sources
from hikeshi.evidence.stamps import FORMATS
from hikeshi.evidence.tables import KINDS, PIECES, PROGRAMS, TABLES

ALL = [lines for source in SOURCES for lines in source.lines]
by_name = pytest.mark.parametrize("lines", ALL, ids=lambda lines: lines.name)
GROUP = re.compile(r"\(\?P<(\w+)>")
INTAKE_KNOWS = ("tag", "word", "pid", "text", "time", "host", "zone", "record")


def test_names_are_unique_and_say_the_source():
    assert all_sources()[: len(SOURCES)] == SOURCES
    names = [lines.name for lines in ALL]
    assert len(set(names)) == len(names)
    assert len({source.name for source in SOURCES}) == len(SOURCES)
    for source in SOURCES:
        assert all(lines.name.startswith(f"{source.name}-") for lines in source.lines)


@by_name
def test_patterns_are_anchored_and_have_at_most_four_groups(lines):
    for pattern in lines.takes:
        assert pattern.startswith("^")
        assert re.compile(pattern).groups == len(GROUP.findall(pattern)) <= 4
        assert len(set(GROUP.findall(pattern))) == len(GROUP.findall(pattern))
    for pattern in lines.finds.values():
        assert re.compile(pattern).groups == 1


@by_name
def test_the_engine_takes_every_declaration(bench, lines):
    """Every pattern compiles in RE2 and every expression is SQL over what the intake knows."""
    known = ", ".join(f"NULL::VARCHAR AS {name}" for name in INTAKE_KNOWS)
    fields = ", ".join(f"{expression} AS {name}" for name, expression in lines.fields().items())
    takes = "".join(f", {extract} AS take{turn}" for turn, extract in enumerate(lines.extracts()))
    asked = f"SELECT {lines.ours()}, {fields} FROM (SELECT *{takes} FROM (SELECT {known}))"
    assert len(bench.lake.sql.execute(asked).fetchall()) == 1


@by_name
def test_every_column_named_is_one_of_the_table(lines):
    assert lines.fills in STAGED
    assert set(lines.fields()) <= set(lines.fills.columns)
    assert not lines.must or lines.must in lines.fields()


@by_name
def test_every_declaration_says_what_is_its_own(lines):
    assert lines.begins or lines.holds


@by_name
def test_every_piece_is_of_a_known_kind(lines):
    if lines.fills is PIECES:
        assert lines.fields()["kind"].strip("'") in KINDS


def test_every_kind_has_a_source():
    told = {lines.fields()["kind"].strip("'") for lines in ALL if lines.fills is PIECES}
    assert told == set(KINDS)


@pytest.mark.parametrize("source", SOURCES, ids=lambda source: source.name)
def test_the_gate_is_a_condition_over_the_tag(bench, source):
    asked = f"SELECT {source.gate} FROM (SELECT 'postfix/smtpd' AS tag)"
    assert isinstance(bench.lake.one(asked)[0], bool)


@pytest.mark.parametrize("form", FORMATS, ids=lambda form: form.name)
def test_heads_of_lines_are_anchored_and_have_four_groups(bench, form):
    assert form.head.startswith("^")
    assert form.matcher().groups == 4
    names = "['front', 'tag', 'pid', 'word']"
    assert bench.lake.one(f"SELECT regexp_extract('', {literal(form.head)}, {names}).tag") == ("",)


def test_every_column_has_a_type_and_a_comment():
    for table in TABLES:
        assert list(table.columns)[-3:] == ["zone", "input", "record"]
    for table in (*TABLES, PIECES, PROGRAMS):
        assert all(kind and comment for kind, comment in table.columns.values())


def test_where_a_pattern_fails_a_search_finds():
    lines = Lines(name="x", fills=PIECES, takes=("^a=(?P<account>[a-z]*)",), finds={"account": "b=([a-z]*)"})
    assert "take0.account" in lines.fields()["account"]
    assert "b=([a-z]*)" in lines.fields()["account"]
