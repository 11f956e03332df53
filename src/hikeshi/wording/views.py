# SPDX-License-Identifier: Apache-2.0
"""Every way in which a mail client, or a person with a decoder, would read a text: so that nothing hides in an encoding.

RFC 2047 encoded words, quoted-printable, base64, percent signs, HTML entities and tags, compatibility forms and characters
without width, and MIME parts of whole messages. Each is tried on what the others give, a few times over.
"""

import base64
import binascii
import email
import email.policy
import html
import re
import unicodedata
from collections.abc import Callable, Iterator
from email.header import decode_header, make_header
from functools import lru_cache
from typing import Final
from urllib.parse import unquote

#: encodings inside encodings that are followed
DEPTH: Final = 4
_ENCODED_WORD: Final = re.compile(r"=\?[^?\s]+\?[bBqQ]\?[^?]*\?=(?:\s+=\?[^?\s]+\?[bBqQ]\?[^?]*\?=)*")
_SOFT_BREAK: Final = re.compile(r"=[ \t]*\r?\n")
_QUOTED_PRINTABLE: Final = re.compile(r"(?:=[0-9A-Fa-f]{2})+")
_PERCENT: Final = re.compile(r"%[0-9A-Fa-f]{2}")
_BASE64: Final = re.compile(r"(?<![\w+/=-])(?:[A-Za-z0-9+/_-]{4}[\r\n]*){3,}[A-Za-z0-9+/_-]*={0,2}")
_TAG: Final = re.compile(r"</?[A-Za-z!][^<>@]*>")
#: what is in a text and is not seen: format characters, variation selectors, joiners
_INVISIBLE: Final = re.compile(
    "[\u00ad\u034f\u0600-\u0605\u061c\u06dd\u070f\u0890\u0891\u08e2\u115f\u1160\u17b4\u17b5\u180b-\u180f\u200b-\u200f\u202a-\u202e"
    "\u2060-\u206f\u3164\ufe00-\ufe0f\ufeff\uffa0\ufff9-\ufffb\U000110bd\U000110cd\U0001bca0-\U0001bca3\U0001d173-\U0001d17a"
    "\U000e0000-\U000e0fff]"
)
_DEFANGED: Final = (
    (re.compile(r"\[\.\]|\(\.\)|\{\.\}|\s?[\[({]\s?(?:dot|ドット)\s?[\])}]\s?", re.IGNORECASE), "."),
    (re.compile(r"\s?[\[({]\s?(?:@|at|アット(?:マーク)?)\s?[\])}]\s?", re.IGNORECASE), "@"),
    (re.compile(r"\bh(?:xx|\*\*)p", re.IGNORECASE), "http"),
    (re.compile(r"\[:\]"), ":"),
)


def folded(text: str) -> str:
    """Give a text in compatibility form, without characters that have no width, and without case."""
    if text.isascii():
        return text.lower()
    shown = _INVISIBLE.sub("", unicodedata.normalize("NFKC", text))
    return unicodedata.normalize("NFKC", shown.casefold())


def squeezed(text: str) -> str:
    """Give a text without its white space: what was broken over lines is whole again."""
    return "".join(text.split())


@lru_cache(maxsize=64)
def views(text: str, *, defanged: bool = True) -> tuple[str, ...]:
    """Give every reading of a text, folded, each once; `defanged`: also that of hxxp, [.] and (at) as what they stand for."""
    found = {text: None}
    fresh = [text]
    for _ in range(DEPTH):
        fresh = list(dict.fromkeys(new for one in fresh for change in _DECODERS if (new := change(one)) not in found))
        if not fresh:
            break
        found.update(dict.fromkeys(fresh))
    shown = dict.fromkeys(folded(one) for one in found)
    if defanged:
        shown.update(dict.fromkeys([_refanged(one) for one in shown]))
    return tuple(shown)


def parts(raw: bytes) -> Iterator[str]:
    """Give the texts of a whole message: its bytes as they are, each header, each part decoded, names of files."""
    yield raw.decode("utf-8", "replace")
    if not raw.isascii():
        yield raw.decode("latin-1")
    for part in email.message_from_bytes(raw, policy=email.policy.compat32).walk():
        for name, value in part.items():
            yield f"{name}: {value}"
        if part.get_filename():
            yield str(part.get_filename())
        payload = part.get_payload(decode=True)
        if isinstance(payload, bytes):
            yield _text(payload, part.get_content_charset())


def _text(payload: bytes, charset: str | None) -> str:
    try:
        return payload.decode(charset or "utf-8", "replace")
    except LookupError:
        return payload.decode("utf-8", "replace")


def _words(text: str) -> str:
    if "=?" not in text:
        return text
    return _ENCODED_WORD.sub(lambda found: _word(found[0]), text)


def _word(word: str) -> str:
    try:
        return str(make_header(decode_header(word)))
    except (ValueError, LookupError, UnicodeError, email.errors.MessageError):
        return word


def _quoted(text: str) -> str:
    if "=" not in text:
        return text
    # A soft line break may stand between the bytes of one character.
    whole = _SOFT_BREAK.sub("", text)
    return _QUOTED_PRINTABLE.sub(
        lambda found: bytes.fromhex(found[0].replace("=", "")).decode("utf-8", "replace"), whole
    )


def _percent(text: str) -> str:
    return unquote(text) if _PERCENT.search(text) else text


def _entities(text: str) -> str:
    return html.unescape(text) if "&" in text else text


def _untagged(text: str) -> str:
    return _TAG.sub("", text) if "<" in text else text


def _base64(text: str) -> str:
    return _BASE64.sub(lambda found: _decoded(found[0]), text)


def _decoded(run: str) -> str:
    letters = "".join(run.split()).rstrip("=").replace("-", "+").replace("_", "/")
    try:
        payload = base64.b64decode(letters + "=" * (-len(letters) % 4), validate=True)
    except (binascii.Error, ValueError):
        return run
    for charset in ("utf-8", "utf-16-le" if b"\0" in payload else "iso2022_jp"):
        try:
            text = payload.decode(charset)
        except UnicodeDecodeError:
            continue
        if text and all(one.isprintable() or one.isspace() for one in text):
            return f" {text} "
    return run


def _refanged(text: str) -> str:
    for pattern, plain in _DEFANGED:
        text = pattern.sub(plain, text)
    return text


_DECODERS: Final[list[Callable[[str], str]]] = [_words, _quoted, _percent, _entities, _untagged, _base64]
