# SPDX-License-Identifier: Apache-2.0
"""Whether everybody can read it (L14): short sentences, headings, nothing that only a colour says, a phone that is read out."""

import re
from collections.abc import Iterator
from typing import Final

from hikeshi.wording.document import Document, Problem, error, warning
from hikeshi.wording.flow import blocks, flow, sentences

#: longest sentence: characters in Japanese, words in English
LONGEST: Final = {"ja": 120, "en": 35}
_COLOUR: Final = re.compile(
    r"(?:赤|青|緑|黄色|朱)(?:字|い文字|い部分|色の(?:文字|部分|箇所)|枠)|色(?:付き|が付いた|のついた)の?(?:部分|箇所|文字)|\b(?:in|highlighted in|marked in|the) (?:red|green|blue|yellow|colou?r)\b",
    re.IGNORECASE,
)
_RUN_TOGETHER: Final = re.compile(r"(?<![\d.,-])0\d{9,10}(?![\d-])")


def unreadable(document: Document) -> Iterator[Problem]:
    """Give what makes a text hard to read, or unreadable to some."""
    text = flow(document.text)
    for sentence in sentences(text):
        length = len(sentence.strip()) if document.language == "ja" else len(sentence.split())
        if length > LONGEST[document.language]:
            yield warning(
                "L14", f"text, {sentence.strip()[:30]}", "a long sentence; part it", "一文が長すぎます。分けてください"
            )
    if _COLOUR.search(text):
        yield error("L14", "text", "only a colour says which part is meant", "色だけで示している箇所があります")
    if _RUN_TOGETHER.search(text):
        yield warning(
            "L14",
            "text",
            "a phone number without separators is read out as one large number",
            "電話番号に区切りがありません(読み上げに支障)",
        )
    if document.kind == "bulletin" and sum(1 for one in blocks(text) if one.heading) < 3:
        yield warning("L14", "text", "it has hardly any headings", "見出しがほとんどありません")
