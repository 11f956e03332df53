# SPDX-License-Identifier: Apache-2.0
"""The linter on the two notices of May 2020: exactly the weaknesses that people found in them (disclosure.md, table 3.1).

Beside that table it finds what later rules of the paper ask for: no time names its zone (L12), nothing is said on
never asking for passwords (ASK6) and on not replying (ASK5), and what else is said to be good to have.
"""

import pytest
from historical import first, second

from hikeshi.wording.compare import compare
from hikeshi.wording.lint import lint


def found(document, severity):
    return {(one.rule, one.where.removeprefix("actions, ")) for one in lint(document) if one.severity == severity}


#: rows of the table, by the row's name; what both reports lack
_BOTH = {
    "title asserts a leak, the body a possibility": {("L10", "subject")},
    "asks: delete, unopened": {("ASK1", "delete"), ("ASK1", "do not open")},
    "asks: enter no ID or password": {("ASK3", "enter nothing")},
    "if already entered: missing in both": {("ASK4", "if entered"), ("ASK4", "change the password")},
    "no time window, no subject": {("S04", "subject"), ("S04", "window")},
    "no date of the next report": {("S13", "next")},
    "later rule: zone": {("L12", "text, 17:05:54")},
    "later rules: no reply, no password asked for": {
        ("ASK5", "do not reply or forward"), ("ASK6", "we never ask for passwords"),
    },
}  # fmt: skip
_FIRST = {
    "time of occurrence only": {("S05", "discovered")},
    "how found: not said": {("S05", "channel")},
}
_SECOND = {
    "information concerned: section gone": {("L13", "section/S08.data"), ("S08", "data")},
    "secondary damage: not mentioned": {("L13", "section/S09.secondary"), ("S09", "secondary")},
    "authorities": {("S11", "authorities")},
    "changes since the report before": {("S15", "changes")},
    "later rule: zone": {("L12", "text, 11:16:07")},
}


@pytest.mark.parametrize(("document", "rows"), [(first(), _FIRST), (second(), _SECOND)], ids=["first", "second"])
def test_the_errors_of_each_report_are_those_of_the_table_and_no_others(document, rows):
    expected = set().union(*_BOTH.values(), *rows.values())
    assert found(document, "error") == expected


_MISSING_ACTIONS = {("S10", "sessions"), ("S10", "rules"), ("S10", "mfa"), ("S10", "others")}
_MISSING_MARKS = {("S04", "sender"), ("S04", "link"), ("S08", "period")}


def test_the_warnings_of_the_first_report():
    assert found(first(), "warning") == {
        *_MISSING_ACTIONS, *_MISSING_MARKS, ("S01", "number"), ("S10", "password"), ("S11", "authorities"),
        ("L10", "text, このたび、当社に届いたフィッシングメールをきっかけとして、お"),
    }  # fmt: skip


def test_the_warnings_of_the_second_report():
    assert found(second(), "warning") == {
        *_MISSING_ACTIONS, *_MISSING_MARKS, ("S10", "times"), ("S12", "prevention"),
        ("S07", "addresses"), ("S07", "organisations"), ("S07", "persons"),
    }  # fmt: skip


def test_the_second_report_regresses_in_two_sections_and_in_nothing_else():
    assert {one.id for one in compare(first(), second()) if one.grave} == {"section/S08.data", "section/S09.secondary"}


def test_asks_that_stand_only_among_the_actions_are_told_from_asks_that_stand_nowhere():
    where = {one.where for one in lint(second()) if one.rule in ("ASK1", "ASK3", "ASK4")}
    assert {"actions, delete", "actions, enter nothing", "do not open", "if entered"} <= where


def test_the_desk_is_found_to_be_as_it_should():
    assert not [one for document in (first(), second()) for one in lint(document) if one.rule == "ASK7"]


def test_a_correction_that_names_the_dropped_sections_is_an_explanation():
    from dataclasses import replace  # noqa: PLC0415 - here alone

    corrected = replace(second(), corrections=["section/S08.data", "section/S09.secondary"])
    assert not [one for one in lint(corrected) if one.rule == "L13"]
