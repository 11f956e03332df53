# SPDX-License-Identifier: Apache-2.0
"""PDF of what was released or drawn up: headings, paragraphs, lists and pairs, tagged for screen readers (PDF/UA-1).

Typst sets it, from one wheel without any library of the system. The text goes in as data and is never read as markup.
"""

import json
from collections.abc import Sequence
from datetime import datetime
from functools import cache
from importlib.resources import files
from typing import Any, Final

from hikeshi.basics.errors import HikeshiError
from hikeshi.publish.bulletin.blocks import blocks

#: fonts in the order in which they are taken; Debian has the first two in fonts-noto-cjk
_FONTS: Final = ("Noto Sans CJK JP", "Noto Sans JP", "Hiragino Sans", "Yu Gothic", "BIZ UDPGothic")


class PdfError(HikeshiError):
    """No PDF could be made; what is missing is said."""


def pdf(
    title: str,
    parts: Sequence[tuple[str, str]],
    *,
    language: str,
    top: str,
    foot: str,
    at: datetime,
    small: bool = False,
) -> bytes:
    """Give a PDF: `parts` are heading and text in the form of `blocks`; `at` (aware) is its date; `small` for one page.

    Raises:
        PdfError: the extra or a font with Japanese is not installed, or Typst refuses.

    """
    typst, fonts, compiler = _typst()
    data: dict[str, Any] = {
        "title": title,
        "language": language,
        "top": top,
        "foot": foot,
        "fonts": fonts,
        "small": small,
        "parts": [{"heading": heading, "blocks": [_block(one) for one in blocks(text)]} for heading, text in parts],
    }
    template = files("hikeshi.publish").joinpath("document.typ").read_bytes()
    try:
        made = compiler.compile(
            template,
            format="pdf",
            sys_inputs={"data": json.dumps(data, ensure_ascii=False)},
            pdf_standards=["ua-1"],
            timestamp=int(at.timestamp()),
        )
    except (typst.TypstError, RuntimeError) as error:
        raise PdfError(f"Typst makes no PDF of {title!r}: {error}") from error
    return bytes(made)


def _typst() -> tuple[Any, list[str], Any]:
    """Give the library, the fonts that are there, and its compiler, which looks for fonts only once."""
    try:
        import typst  # noqa: PLC0415 - an extra, and 80 MB of it
    except ImportError as error:
        raise PdfError(f"a PDF needs its library: pip install 'hikeshi[pdf]' ({error})") from error
    there, compiler = _found(typst)
    fonts = [font for font in _FONTS if font.lower() in there]
    if not fonts:
        raise PdfError("a PDF needs a font with Japanese signs: apt install fonts-noto-cjk")
    return typst, fonts, compiler


@cache
def _found(typst: Any) -> tuple[frozenset[str], Any]:
    fonts = typst.Fonts()
    return frozenset(family.lower() for family in fonts.families()), typst.Compiler(font_paths=fonts)


def _block(one: Any) -> dict[str, Any]:
    return {"kind": one.kind, "lines": list(one.lines), "pairs": [list(pair) for pair in one.pairs]}
