# SPDX-License-Identifier: Apache-2.0
"""The little a bulletin's text is made of: paragraphs, lists and pairs of a term and what is said of it.

A line is a paragraph; one that begins with "- " is a point of a list; "term | words" is a pair. The same text becomes plain
text, HTML and PDF, so that all three say the same.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from itertools import groupby
from typing import Literal


@dataclass(frozen=True, slots=True)
class Block:
    """A paragraph (`lines` has one), a list, or pairs (`pairs`)."""

    kind: Literal["paragraph", "list", "pairs"]
    lines: tuple[str, ...] = ()
    pairs: tuple[tuple[str, str], ...] = ()


def blocks(text: str) -> list[Block]:
    """Take a section's text apart."""
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return [block for kind, group in groupby(lines, _kind) for block in _made(kind, list(group))]


def _kind(line: str) -> str:
    return "list" if line.startswith("- ") else "pairs" if " | " in line else "paragraph"


def _made(kind: str, lines: list[str]) -> Iterator[Block]:
    if kind == "list":
        yield Block("list", tuple(line.removeprefix("- ").strip() for line in lines))
    elif kind == "pairs":
        split = [line.partition(" | ") for line in lines]
        yield Block("pairs", pairs=tuple((term.strip(), said.strip()) for term, _, said in split))
    else:
        yield from (Block("paragraph", (line,)) for line in lines)


def plain(text: str, language: str) -> str:
    """Give a section's text as plain text for people: "term: words" instead of the bar."""
    colon = ":" if language == "ja" else ": "
    point = "・" if language == "ja" else "- "
    said = []
    for block in blocks(text):
        match block.kind:
            case "list":
                said += [f"{point}{line}" for line in block.lines]
            case "pairs":
                said += [f"{point}{term}{colon}{words}" for term, words in block.pairs]
            case _:
                said += block.lines
    return "\n".join(said)


def one_line(text: str) -> str:
    """Give what a person entered as one line that cannot pass for another block."""
    flat = " ".join(text.split()).replace(" | ", " / ")
    return flat.removeprefix("- ").removeprefix("| ")
