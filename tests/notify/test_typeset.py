# SPDX-License-Identifier: Apache-2.0
import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.notify.typeset import WIDTH, columns, typeset

japanese = st.text(alphabet="お使いのメールは、第三者に「不正」使用され。123,4通ab(・ー", min_size=1, max_size=200)
english = st.lists(st.text(alphabet="abc.,-1", min_size=1, max_size=20), min_size=1, max_size=40).map(" ".join)


@given(japanese)
def test_japanese_loses_no_character_and_fits_where_it_can_be_broken(text):
    found = typeset(text, "ja")
    assert re.sub(r"\s", "", found) == re.sub(r"\s", "", text)
    for line in found.splitlines():
        assert columns(line) <= WIDTH or not re.search(r"[぀-ヿ一-鿿].*[぀-ヿ一-鿿]", line[1:-1]) or _stuck(line)


def _stuck(line):
    """Say whether a line is too long because of what must stay together."""
    return bool(re.search(r"[、。」・ー)(「第]{3}|[!-~]{20}", line))


@given(english)
def test_english_loses_no_word_and_no_line_is_too_long(text):
    found = typeset(text, "en")
    assert found.split() == text.split()
    assert all(columns(line) <= WIDTH for line in found.splitlines())


@given(japanese, st.sampled_from(["ja", "en"]))
def test_typesetting_twice_changes_nothing_more(text, language):
    assert typeset(typeset(text, language), language) == typeset(text, language)


@pytest.mark.parametrize("word", ["1,220通", "第1報", "2026年", "notice@works.example", "UTC+09:00)", "0120-000-000"])
def test_a_number_stays_with_its_unit_and_an_address_whole(word):
    for before in range(60):
        assert word in typeset("あ" * before + word + "と書く" * 9, "ja")


def test_no_line_begins_with_what_closes_or_ends_with_what_opens():
    for before in range(45):
        lines = typeset("あ" * before + "「はい」、(いいえ)。ッー" + "い" * 40, "ja").splitlines()
        assert not any(line.startswith(tuple("」、)。ッー")) or line.endswith(("「", "(")) for line in lines)


def test_what_follows_a_bullet_stands_below_its_text():
    assert typeset("- " + "word " * 30, "en").splitlines()[1].startswith("  word")
    assert typeset("・" + "語" * 60, "ja").splitlines()[1].startswith("  語")


def test_empty_lines_do_not_pile_up():
    assert typeset("\n\na\n\n\n\nb\n\n", "en") == "a\n\nb\n"
