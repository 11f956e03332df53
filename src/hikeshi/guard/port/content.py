# SPDX-License-Identifier: Apache-2.0
"""What of a mail's content is kept: its Subject as people read it, its Message-ID, and a fingerprint of its body."""

import email.errors
import hashlib
import re
from email.header import decode_header
from typing import Final

#: how much of a body enters its fingerprint, and so all of it that is ever in memory, in bytes: enough for what people
#: read, which stands before attachments; more would only make every mail wait
FINGERPRINTED: Final = 32 * 1024
#: how long a Subject may be before and after decoding, in bytes; the rest is cut off
RAW_SUBJECT, SUBJECT = 4096, 1024
_MESSAGE_ID = 998

#: What a mail program makes anew for every mail in parts: boundaries, the lines that name parts, references to them.
_BOUNDARY = b"\n--"
_MADE_ANEW = (
    re.compile(rb"\n(?:--|Content-(?:ID|Id|id|Location):|X-Attachment-Id:)[^\n]*"),
    re.compile(rb"boundary=[^\n]*"),
    re.compile(rb"cid:[^\s\"'>)]*"),
)
#: a soft line end of quoted-printable, which moves with the length of a name
_SOFT_END = b"=\r\n"
_WHITE_AND_DIGITS = b" \t\r\n\f\v\0" + b"0123456789"


class Fingerprint:
    """A fingerprint of a body that comes in pieces. Bounded: it keeps the first FINGERPRINTED bytes and no more.

    Two bodies have the same one if they differ only in what mail programs and mail merge change from mail to mail:
    MIME boundaries, names of parts and references to them, white space and where lines break, all digits (dates,
    times, invoice and tracking numbers), and whatever comes after the first 32 KiB. Letters keep their case, for base64
    tells them apart. A salutation by name makes another fingerprint.
    """

    def __init__(self) -> None:
        self._kept = bytearray()

    def add(self, piece: bytes) -> None:
        """Take the next piece of the body."""
        if (room := FINGERPRINTED - len(self._kept)) > 0:
            self._kept += piece[:room]

    def read(self) -> str | None:
        """Give the fingerprint, 32 hexadecimal digits; None where nothing is left to tell a body by."""
        left = b"\n" + self._kept.replace(_SOFT_END, b"")
        if _BOUNDARY in left:
            for pattern in _MADE_ANEW:
                left = pattern.sub(b"", left)
        left = left.translate(None, _WHITE_AND_DIGITS)
        return hashlib.sha256(left).hexdigest()[:32] if left else None


def read_subject(value: bytes) -> str:
    """Give a Subject decoded (RFC 2047) as one line of printable text, at most SUBJECT bytes of UTF-8.

    What cannot be decoded stays as it was written.
    """
    raw = value[:RAW_SUBJECT].decode("utf-8", "backslashreplace")
    text = _decoded(raw) if "=?" in raw else raw
    text = "".join(letter if letter.isprintable() else "\N{REPLACEMENT CHARACTER}" for letter in " ".join(text.split()))
    return text.encode("utf-8", "replace")[:SUBJECT].decode("utf-8", "ignore")


def _decoded(raw: str) -> str:
    try:
        parts = decode_header(raw)
        return "".join(
            part if isinstance(part, str) else part.decode(charset or "latin-1", "replace") for part, charset in parts
        )
    except (email.errors.HeaderParseError, LookupError, ValueError):
        return raw


def read_message_id(value: bytes) -> str | None:
    """Give a Message-ID as the evidence keeps it: without its angle brackets."""
    text = value[:_MESSAGE_ID].decode("utf-8", "backslashreplace")
    return " ".join(text.lstrip(" <").partition(">")[0].split()) or None
