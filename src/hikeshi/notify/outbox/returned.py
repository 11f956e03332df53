# SPDX-License-Identifier: Apache-2.0
"""One mail that came back: what it is, whom it speaks of, and which of our letters it may answer.

Read are RFC 3464 delivery reports, bounces in plain words, automatic replies (RFC 3834) and people's replies. Everything in
it comes from a stranger, so nothing raises, and what is taken from it is bounded.
"""

import email.errors
import email.header
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from email.message import Message
from email.policy import compat32
from email.utils import getaddresses
from typing import Final, Literal

from hikeshi.notify.outbox.letter import tagged

Kind = Literal["bounced_hard", "bounced_soft", "delayed", "delivered", "auto_replied", "replied"]

#: bytes of a mail that are read; a report stands at its beginning
_MOST: Final = 1_000_000
#: headers that keep the envelope recipient of a delivered mail
_ENVELOPE: Final = ("Delivered-To", "X-Original-To", "Envelope-To", "X-Envelope-To", "To", "Cc")
_ID: Final = re.compile(r"<[^<>\s]{3,300}@[^<>\s]{1,300}>")
_QUOTED_ID: Final = re.compile(r"^[>\s]*message-id:\s*(<[^<>\s]{3,300}@[^<>\s]{1,300}>)", re.IGNORECASE | re.MULTILINE)
_ADDRESS: Final = re.compile(r"[\w.!#$%&'*+/=?^`{|}~-]{1,64}@[\w-]+(?:\.[\w-]+)+")
#: what programs say who tell of a mail that did not arrive, in the two languages that we meet
_DAEMON: Final = re.compile(r"^(?:mailer-daemon|mail-daemon|mdaemon)@", re.IGNORECASE)
_KEEPER: Final = re.compile(r"^(?:postmaster|microsoftexchange[0-9a-f]+)@", re.IGNORECASE)
_UNDELIVERED: Final = re.compile(
    r"undeliver|delivery (?:status|failure|has failed)|failure notice|returned mail|mail delivery (?:failed|system)"
    r"|could not be delivered|配信(?:不能|できません|エラー|失敗)|送信(?:不能|エラー|できません)|届けられ|不達",
    re.IGNORECASE,
)
_AWAY: Final = re.compile(
    r"^(?:auto(?:matic)?[- ]?(?:reply|response|antwort)|out of (?:the )?office)|自動(?:返信|応答)|不在(?:通知|のお知らせ|連絡)",
    re.IGNORECASE,
)
_CODE: Final = re.compile(r"(?<![\d.])([245])\.\d{1,3}\.\d{1,3}(?![\d.])")
_REPLY_CODE: Final = re.compile(r"(?<![\d.])([45])\d\d[ -]")
_SOFT_WORDS: Final = re.compile(r"mailbox (?:is )?full|quota|over ?quota|temporar|容量|一時的", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Returned:
    """What a mail says. `tags` and `message_ids` are of the letters it may answer, the surest first; `addresses` whom it names."""

    kind: Kind
    says: str
    tags: tuple[str, ...] = ()
    message_ids: tuple[str, ...] = ()
    addresses: tuple[str, ...] = ()


@dataclass(slots=True)
class _Report:
    """What the parts of a delivery report say."""

    action: str = ""
    status: str = ""
    words: str = ""
    addresses: list[str] = field(default_factory=list)
    message_ids: list[str] = field(default_factory=list)
    tags: list[str] = field(default_factory=list)


def understand(raw: bytes) -> Returned:
    """Say what a mail is. Never raises, whatever it is."""
    message = email.message_from_bytes(raw[:_MOST], policy=compat32)
    text = _text(message)
    report = _report(message)
    subject = _decoded(message.get("Subject", ""))
    author = next((address.lower() for _, address in _addresses(message, "From")), "")
    bounce = bool(report.action) or _is_bounce(message, author, subject)
    own = _ids(message, "In-Reply-To", "References")
    tags = [tag for name in _ENVELOPE for _, address in _addresses(message, name) if (tag := tagged(address))]
    quoted = _QUOTED_ID.findall(text) if bounce else []
    named = report.addresses or ([one.lower() for one in _ADDRESS.findall(text)][:50] if bounce else [author])
    if bounce:
        kind, says = _fate(report, text), report.words or _line(text) or subject
    else:
        kind, says = ("auto_replied" if _is_automatic(message, subject) else "replied"), subject
    return Returned(
        kind,
        says,
        _once([*tags, *report.tags]),
        _once([*report.message_ids, *quoted, *own]),
        _once(one for one in named if one),
    )


def _fate(report: _Report, text: str) -> Kind:
    if report.action in ("delayed", "delivered", "relayed", "expanded"):
        return "delayed" if report.action == "delayed" else "delivered"
    if report.action and report.status[:1] in ("4", "5"):
        return "bounced_soft" if report.status.startswith("4") else "bounced_hard"
    codes = _CODE.findall(text) or _REPLY_CODE.findall(text)
    if codes:
        return "bounced_soft" if "5" not in codes else "bounced_hard"
    return "bounced_soft" if _SOFT_WORDS.search(text) else "bounced_hard"


def _report(message: Message) -> _Report:
    """Read the machine's part of a report and the letter that it brings back (RFC 3462, 3464, 6533)."""
    found = _Report()
    for part in message.walk():
        kind = part.get_content_type()
        if kind in ("message/delivery-status", "message/global-delivery-status"):
            _status(part, found)
        elif part is not message and kind in ("message/rfc822", "message/global"):
            for inner in _messages(part):
                _original(inner, found)
        elif kind in ("text/rfc822-headers", "message/global-headers", "message/rfc822-headers"):
            _original(email.message_from_string(_body(part), policy=compat32), found)
    return found


def _status(part: Message, found: _Report) -> None:
    for block in _messages(part):
        if (envelope := tagged(str(block.get("Original-Envelope-Id", "")))) is not None:
            found.tags.append(envelope)
        action = str(block.get("Action", "")).strip().lower()
        if not action:
            continue
        # One report, one letter, one recipient; where a list was expanded behind it, the worst counts.
        if not found.action or action == "failed":
            found.action, found.status = action, str(block.get("Status", "")).strip()
            found.words = " ".join(str(block.get("Diagnostic-Code", "")).split()) or found.status
        for name in ("Original-Recipient", "Final-Recipient"):
            address = _decoded(block.get(name, "")).rpartition(";")[2].strip().lower()
            if "@" in address:
                found.addresses.append(address)


def _original(inner: Message, found: _Report) -> None:
    found.message_ids += _ids(inner, "Message-ID")
    found.tags += [tag for _, address in _addresses(inner, "Return-Path") if (tag := tagged(address))]


def _messages(part: Message) -> Iterator[Message]:
    inner = part.get_payload()
    if isinstance(inner, list):
        yield from (one for one in inner if isinstance(one, Message))


def _is_bounce(message: Message, author: str, subject: str) -> bool:
    empty = str(message.get("Return-Path", "")).strip() == "<>"
    daemon = bool(_DAEMON.match(author))
    failed = message.get("X-Failed-Recipients") is not None
    # An automatic reply has the null sender as well (RFC 3834, 3.3), so the subject must say it or a program must have sent it.
    return (
        failed or ((daemon or empty) and bool(_UNDELIVERED.search(subject))) or (daemon and not _AWAY.search(subject))
    )


def _is_automatic(message: Message, subject: str) -> bool:
    said = str(message.get("Auto-Submitted", "no")).split(";")[0].strip().lower()
    return (
        said not in ("no", "")
        or any(message.get(name) is not None for name in ("X-Autoreply", "X-Autorespond", "X-Auto-Reply-From"))
        or str(message.get("Precedence", "")).strip().lower() in ("auto_reply", "auto-reply", "bulk", "junk")
        or str(message.get("Return-Path", "")).strip() == "<>"
        or bool(_AWAY.search(subject))
    )


def _text(message: Message) -> str:
    """Give the words of a mail, those of the first text part for people."""
    for part in message.walk():
        if part.get_content_type() in ("text/plain", "text/html") and not part.is_multipart():
            return _body(part)
    return ""


def _body(part: Message) -> str:
    data = part.get_payload(decode=True)
    if not isinstance(data, bytes):
        return ""
    try:
        return data.decode(part.get_content_charset() or "utf-8", "replace")
    except LookupError:
        return data.decode("utf-8", "replace")


def _line(text: str) -> str:
    """Give the line of a bounce that says why, if one has a code."""
    lines = [" ".join(line.split()) for line in text.splitlines()]
    return next((line for line in lines if _CODE.search(line) or _REPLY_CODE.search(line)), "")[:500]


def _decoded(header: object) -> str:
    text = str(header)
    try:
        return str(email.header.make_header(email.header.decode_header(text)))
    except (ValueError, LookupError, UnicodeError, email.errors.MessageError):
        return text


def _addresses(message: Message, name: str) -> list[tuple[str, str]]:
    try:
        return getaddresses([str(one) for one in message.get_all(name, [])])[:100]
    except (ValueError, IndexError, TypeError):
        return []


def _ids(message: Message, *names: str) -> list[str]:
    return [found for name in names for one in message.get_all(name, []) for found in _ID.findall(str(one))][:100]


def _once(texts: Iterable[str]) -> tuple[str, ...]:
    return tuple(dict.fromkeys(texts))
