# SPDX-License-Identifier: Apache-2.0
"""A letter: what it is known by, and the bytes that leave.

The id is derived from case, report and person: whoever drafts twice gives the same letter, and Message-ID and envelope
sender lead back to it. It is a digest, so that a stranger who sees a letter learns nothing of the case from it.
"""

import base64
import hashlib
import quopri
import re
from dataclasses import dataclass
from datetime import datetime
from email.errors import MessageError
from email.headerregistry import Address
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import format_datetime
from functools import lru_cache
from typing import Final

from hikeshi.basics.errors import HikeshiError
from hikeshi.notify.addresses import AddressError, mailbox, person_of, shown

_ID: Final = 32
_CONTROL: Final = re.compile(r"[\x00-\x1f\x7f\x85\u2028\u2029]")
_POLICY: Final = SMTP.clone(max_line_length=76)


class LetterError(HikeshiError):
    """A letter cannot be sent as it stands; nothing of it was kept."""


@dataclass(frozen=True, slots=True)
class Letter:
    """One letter to one person. `sender` is an address or `Name <address>`; `text` is plain text; `message_id` has its <>."""

    id: str
    case_id: str
    report: int
    address: str
    language: str
    message_id: str
    subject: str
    sender: str
    text: str

    @property
    def person(self) -> str:
        """Give what the person is known by: one letter a person and report."""
        return person_of(self.address)

    @property
    def sha256(self) -> str:
        """Give the digest over all that the person will see; approval is of that."""
        parts = (self.address, self.language, self.message_id, self.sender, self.subject, self.text)
        return hashlib.sha256("\0".join(parts).encode("utf-8", "surrogatepass")).hexdigest()


def identity(case_id: str, report: int, address: str) -> str:
    """Give the id of the letter of this report to whoever has this address: 32 hexadecimal digits."""
    return hashlib.sha256(f"{case_id}\0{report}\0{person_of(address)}".encode()).hexdigest()[:_ID]


def letter(case_id: str, report: int, address: str, *, language: str, sender: str, subject: str, text: str) -> Letter:
    """Give the letter of a report to an address, its id and Message-ID derived.

    Raises:
        LetterError: a header would not be one, or an address is none.

    """
    name = identity(case_id, report, address)
    sent_from = parsed(sender)
    message_id = f"<{name}.{report}@{sent_from.domain}>"
    made = Letter(name, case_id, report, address, language, message_id, subject, sender, text)
    check(made)
    return made


def check(one: Letter) -> None:
    """Hold that a letter can be sent.

    Raises:
        LetterError: what is wrong, with the letter's address made harmless.

    """
    where = f"report {one.report}, letter to {shown(one.address)}"
    try:
        mailbox(one.address)
    except AddressError as error:
        raise LetterError(f"{where}: {error}; correct the address, or hand the person over to phone or post") from error
    parsed(one.sender)
    if one.id != identity(one.case_id, one.report, one.address):
        raise LetterError(f"{where}: its id is not derived from case, report and person, so it might leave twice")
    if not re.fullmatch(rf"<[^<>\s]*{one.id}[^<>\s]*@[^<>\s@]+>", one.message_id):
        raise LetterError(f"{where}: its Message-ID is not derived from its id, so no log could settle it")
    headers = {"subject": one.subject, "sender": one.sender, "Message-ID": one.message_id, "language": one.language}
    for name, value in headers.items():
        if _CONTROL.search(value) or not value.strip():
            raise LetterError(f"{where}: its {name} is empty or has a line break or control character in it")
    if "\0" in one.text or not one.text.strip():
        raise LetterError(f"{where}: its text is empty or has a NUL in it")
    try:
        f"{one.subject}{one.sender}{one.text}".encode()
    except UnicodeEncodeError as error:
        raise LetterError(f"{where}: it holds half a character, which no mail can carry") from error


@lru_cache(1000)
def parsed(sender: str) -> Address:
    """Give a sender's parts.

    Raises:
        LetterError: it is not one address.

    """
    try:
        message = EmailMessage(policy=_POLICY)
        message["From"] = sender
        (address,) = message["From"].addresses
        plain = mailbox(address.addr_spec)
    except (ValueError, MessageError, AttributeError, IndexError, AddressError) as error:
        raise LetterError(f"sender {shown(sender)}: that is no address to send from; correct org.sender") from error
    return Address(address.display_name, addr_spec=plain)


def envelope_sender(bounces: str, letter_id: str) -> str:
    """Give the address to which a letter comes back, with its id as a tag: bounces@… becomes bounces+ID@…."""
    local, _, domain = mailbox(bounces).rpartition("@")
    return f"{local}+{letter_id}@{domain}"


def tagged(address: str) -> str | None:
    """Give the id of the letter that an address of `envelope_sender` is for, None for another address."""
    found = re.search(rf"\+([0-9a-f]{{{_ID}}})@", address.lower())
    return None if found is None else found[1]


def encoded(one: Letter, time: datetime) -> bytes:
    """Give a letter as it leaves at the aware `time`: To only, plain text, nothing of anybody else.

    `Auto-Submitted: auto-generated` (RFC 3834) lets vacation programs keep silent; a person's reply is not held back by it.
    """
    text = re.sub(r"\r\n?", "\n", one.text).rstrip("\n") + "\n"
    code, body = (
        ("quoted-printable", quopri.encodestring(text.encode()))
        if text.isascii()
        else ("base64", base64.encodebytes(text.replace("\n", "\r\n").encode()))
    )
    head = (
        f"{_header('From', one.sender)}To: {mailbox(one.address)}\r\n{_header('Subject', one.subject)}"
        f"Date: {format_datetime(time)}\r\nMessage-ID: {one.message_id}\r\nAuto-Submitted: auto-generated\r\n"
        f"MIME-Version: 1.0\r\nContent-Type: text/plain; charset=utf-8\r\nContent-Transfer-Encoding: {code}\r\n"
        f"Content-Language: {one.language}\r\n\r\n"
    )
    return head.encode() + body.replace(b"\n", b"\r\n")


@lru_cache(1000)
def _header(name: str, value: str) -> str:
    """Give a header as it stands in a mail; that is the slowest part of a letter, and most letters share theirs."""
    made = _POLICY.header_factory(name, str(parsed(value)) if name == "From" else value)
    return str(made.fold(policy=_POLICY))
