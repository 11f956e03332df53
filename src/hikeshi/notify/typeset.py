# SPDX-License-Identifier: Apache-2.0
"""Breaks paragraphs into lines for mail: at spaces in English; in Japanese between characters where a line may end.

A number stays with its unit, and an address is never broken. What may not begin or end a line follows JIS X 4051 in its
simple cases.
"""

import re
import textwrap
import unicodedata
from functools import lru_cache
from typing import Final

from hikeshi.notify.lists import Language

#: columns of a line; a Japanese character takes two (RFC 5322 recommends at most 78)
WIDTH: Final = 76
_BULLET: Final = re.compile(r"(・|- )?")
#: never at the beginning of a line, never at its end
_CLOSING: Final = "、。,.)」』】〉》]!?:;ーぁぃぅぇぉっゃゅょゎァィゥェォッャュョヮ々・〕”’…,.)"
_OPENING: Final = "(「『【〈《[第〔“‘約(最"
#: an opening, then a word of ASCII with the units behind it, or one character, then what closes
_UNIT: Final = re.compile(
    rf"[{re.escape(_OPENING)}]*(?:[\x21-\x27\x2a-\x7e]+(?:通|宛先|社|名|年|月|日|時|分|秒|回|件|報|ドメイン)*|.)[{re.escape(_CLOSING)}]*"
)


def typeset(text: str, language: Language) -> str:
    """Give the text in lines of at most `WIDTH` columns where it can be broken, without empty lines in a row."""
    lines: list[str] = []
    for paragraph in re.sub(r"\n{3,}", "\n\n", text.strip()).split("\n"):
        lines += _broken(paragraph.rstrip(), language)
    return "\n".join(lines) + "\n"


@lru_cache(maxsize=1024)  # most paragraphs stand in every letter
def _broken(paragraph: str, language: Language) -> tuple[str, ...]:
    if columns(paragraph) <= WIDTH:
        return (paragraph,)
    found = _BULLET.match(paragraph)
    indent = "" if found is None or not found[0] else " " * columns(found[0])
    if language == "en":
        return tuple(
            textwrap.wrap(paragraph, WIDTH, subsequent_indent=indent, break_long_words=False, break_on_hyphens=False)
        )
    lines, line = [], ""
    for unit in _UNIT.findall(paragraph):
        if line.strip() and columns(line + unit) > WIDTH:
            lines.append(line.rstrip())
            line = indent + unit.lstrip()
        else:
            line += unit
    return (*lines, line)


def columns(text: str) -> int:
    """Give how many columns of a terminal a text takes; what is ambiguous takes two, as in Japanese fonts."""
    return sum(2 if unicodedata.east_asian_width(one) in "WFA" else 1 for one in text)
