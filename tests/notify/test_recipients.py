# SPDX-License-Identifier: Apache-2.0
"""To whom the lure went: rows of recipients.csv, and the subjects out of the evidence behind them."""

import json
from datetime import UTC, datetime

import pytest

from hikeshi.basics.errors import CaseError
from hikeshi.cases.folder import CaseFolder
from hikeshi.evidence import lake as lakes
from hikeshi.evidence import seal
from hikeshi.evidence.tables import TABLES
from hikeshi.notify.recipients import recipients, subjects

HEADER = ("incident", "address", "domain", "messages", "status", "first_time", "last_time", "provenance")
TIME = "2026-03-02T17:05:54+09:00"
TABLE = {table.name: table for table in TABLES}


def rows_of(case, *rows, counted):
    CaseFolder(case).write_csv("recipients.csv", HEADER, rows)
    return list(recipients(case, [{"id": "rin@works.example/1", "addresses": counted}]))


def test_an_address_that_a_spreadsheet_would_run_comes_back_as_it_was(case):
    (row,) = rows_of(case, (1, "+me@x.example", "x.example", 2, "held", TIME, TIME, "log#1"), counted=1)
    assert (row.address, row.messages, row.status) == ("+me@x.example", 2, "held")
    assert row.first == row.last == datetime(2026, 3, 2, 8, 5, 54, tzinfo=UTC)


@pytest.mark.parametrize(
    "row",
    [
        (1, "a@x.example", "x.example", 1, "lost", TIME, TIME, "log#1"),
        (1, "a@x.example", "x.example", "many", "held", TIME, TIME, "log#1"),
        (2, "a@x.example", "x.example", 1, "held", TIME, TIME, "log#1"),
        (1, "a@x.example", "x.example", 1, "held", "yesterday", TIME, "log#1"),
    ],
)
def test_a_row_that_is_none_stops_it_instead_of_losing_somebody(case, row):
    with pytest.raises(CaseError, match="investigate again"):
        rows_of(case, row, counted=1)


def test_each_address_has_the_subjects_of_the_incidents_mails_to_it_and_of_no_other_mail(case):
    mails = [("m1", 0, "First"), ("m2", 1, "Second"), ("m3", 2, "of another day"), ("m4", 3, None)]
    sent = [
        ("m1", "a@x.example"),
        ("m2", "a@x.example"),
        ("m2", "b@x.example"),
        ("m3", "b@x.example"),
        ("m4", "c@x.example"),
    ]
    manifest = seal.Manifest()
    with lakes.opened(case / "evidence", {}) as lake:
        _fill(lake, "messages", [
            {"message_key": key, "message_id": key, "time": f"2026-03-02 08:00:0{second}", "subject": subject}
            for key, second, subject in mails
        ])  # fmt: skip
        _fill(lake, "deliveries", [{"message_key": key, "address": address} for key, address in sent])
        manifest.files = lake.files
    seal.save(manifest, case / "evidence")
    with (case / "timeline.jsonl").open("w") as file:
        for key, second, _ in mails:
            incident = {} if key == "m3" else {"incident": 1}
            file.write(
                json.dumps({"message_id": key, "datetime": f"2026-03-02T08:00:0{second}+00:00", **incident}) + "\n"
            )
    assert subjects(case, {1: {"subjects": ["First", "Second"]}}) == {
        "a@x.example": ("First", "Second"),
        "b@x.example": ("Second",),
    }
    assert subjects(case, {1: {"subjects": []}}) == {}


def _fill(lake, name, rows):
    table = TABLE[name]
    for row in rows:
        values = ", ".join(
            f"{'NULL' if row.get(column) is None else repr(row[column])}::{kind} AS {column}"
            for column, (kind, _) in table.columns.items()
        )
        lake.add(table, f"SELECT {values}")
