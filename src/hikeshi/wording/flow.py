# SPDX-License-Identifier: Apache-2.0
"""A text as it is read: lines that were only wrapped are joined, and headings part it into blocks."""

import re
import unicodedata
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache
from typing import Final

#: columns from which on a line may have been wrapped
_WRAPPED: Final = 54
_MARK: Final = re.compile(r"^\s*(?:[■□◆◇●○▼▶・※*#<【\[>-]|\d{1,2}[.)、]|[①-⑳]|\(\d{1,2}\))")
_HEADING: Final = re.compile(r"^\s*(?:[■□◆◇●▼▶#]+|【[^】]+】\s*$|\d{1,2}[.)]\s)\s*(.+?)\s*#*$")
_RULE: Final = re.compile(r"^\s*[-=_*─━]{3,}\s*$")
_CIRCLED: Final = re.compile(r"[①-⑳]")


@dataclass(frozen=True, slots=True)
class Block:
    """A heading, empty where there is none, and what stands under it, as it is read."""

    heading: str
    body: str


@lru_cache(maxsize=64)
def flow(text: str) -> str:
    """Give a text in compatibility form with its wrapped lines joined. A list's numbers in circles become marks."""
    lines: list[str] = []
    joins = False
    for raw in text.splitlines():
        line = unicodedata.normalize("NFKC", _CIRCLED.sub("・", raw)).rstrip()
        if joins and line.strip() and not _MARK.match(raw):
            lines[-1] += _glue(lines[-1], line.lstrip()) + line.lstrip()
        else:
            lines.append(line)
        joins = width(line) >= _WRAPPED
    return "\n".join(lines)


def width(line: str) -> int:
    """Give how many columns a line takes."""
    return sum(2 if unicodedata.east_asian_width(one) in "WFA" else 1 for one in line)


def blocks(text: str) -> list[Block]:
    """Part a text by its headings: marked lines, underlined ones, short ones that stand alone and end no sentence."""
    return [Block(heading, "\n".join(lines).strip()) for heading, lines in _parted(text.splitlines())]


def sentences(text: str) -> list[str]:
    """Give the sentences of a text of `flow`."""
    return [one for one in re.split(r"(?<=[。!?])|(?<=[.!?])\s+|\n", text) if one.strip()]


def _parted(lines: list[str]) -> Iterator[tuple[str, list[str]]]:
    heading, body = "", list[str]()
    for number, line in enumerate(lines):
        following = lines[number + 1] if number + 1 < len(lines) else ""
        alone = number == 0 or not lines[number - 1].strip()
        found = _HEADING.match(line)
        if (found and width(line) <= 60 and not line.rstrip().endswith(("。", "."))) or _titled(
            line, following, alone=alone
        ):
            if heading or body:
                yield heading, body
            heading, body = (found[1] if found else line.strip()), []
        elif not _RULE.match(line):
            body.append(line)
    yield heading, body


def _titled(line: str, following: str, *, alone: bool) -> bool:
    short = bool(line.strip()) and width(line) <= 60 and not line.rstrip().endswith(("。", ".", "、", ",", ":", ";"))
    if not short or _MARK.match(line):
        return False
    return bool(_RULE.match(following)) or (alone and not following.strip() and line.isascii() and line[0].isupper())


def _glue(before: str, after: str) -> str:
    return " " if before[-1:].isascii() and after[:1].isascii() else ""
