# SPDX-License-Identifier: Apache-2.0
"""SQL as texts: queries by name in the order of the file, and literals that stay literals."""

import duckdb
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.basics.sql import literal, queries


def test_queries_are_read_by_name(tmp_path, monkeypatch):
    """What stands before the first name is for readers; comments inside a query stay with it."""
    (tmp_path / "sqlroom").mkdir()
    (tmp_path / "sqlroom" / "__init__.py").touch()
    (tmp_path / "sqlroom" / "some.sql").write_text(
        "-- About it.\n\n-- name: two\n-- A sentence.\nSELECT 2\n\n-- name: one\nSELECT 'ü'\n", "utf-8"
    )
    monkeypatch.syspath_prepend(tmp_path)
    told = queries("sqlroom", "some.sql")
    assert list(told) == ["two", "one"]
    assert told["two"].strip() == "-- A sentence.\nSELECT 2"
    assert duckdb.sql(told["one"]).fetchall() == [("ü",)]


def test_every_file_of_ours_has_names_and_sentences():
    """Each query of the rooms begins with a sentence for its reader."""
    for package, name in (
        ("hikeshi.detect", "weights.sql"),
        ("hikeshi.scope", "reach.sql"),
        ("hikeshi.evidence", "assembly.sql"),
    ):
        told = queries(package, name)
        assert told
        assert [key for key, text in told.items() if not text.startswith("-- ")] == []


@given(st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")))
def test_a_literal_is_its_text(text):
    """Whatever stands in it, quotes and line ends included."""
    assert duckdb.sql(f"SELECT {literal(text)}").fetchall() == [(text,)]
