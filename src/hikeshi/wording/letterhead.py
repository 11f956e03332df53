# SPDX-License-Identifier: Apache-2.0
"""Who a letter is from, whom it goes to, and its subject: from us, to one, not like the lure (L03, L05, L07)."""

import re
from collections.abc import Iterator
from email.utils import getaddresses
from typing import Final

from hikeshi.wording.document import Document, Problem, error
from hikeshi.wording.flow import flow
from hikeshi.wording.leaks import Known
from hikeshi.wording.views import folded, squeezed

_FROM: Final = (
    "from",
    "sender",
    "reply-to",
    "return-path",
    "resent-from",
    "resent-sender",
    "disposition-notification-to",
)
_MANY: Final = ("cc", "bcc", "resent-to", "resent-cc", "resent-bcc", "apparently-to")
_THREAD: Final = ("in-reply-to", "references", "thread-index", "thread-topic")
_URGENT: Final = re.compile(
    r"至急|緊急|今すぐ|直ちに|要確認|ただちに|重要なお手続|\burgent|\bimmediate(?:ly)?\b|action required|act now|click|クリック",
    re.IGNORECASE,
)
_APOLOGY: Final = {
    "ja": re.compile(r"お?詫び|お?知らせ"),
    "en": re.compile(r"apolog|notice|information|sorry", re.IGNORECASE),
}
_REPORT: Final = {
    "ja": re.compile(r"第\s*[\d一二三四五六七八九十]+\s*報|最終報"),
    "en": re.compile(
        r"\b(?:report|bulletin|notice)\s*(?:no\.?\s*)?\d|\b(?:first|second|third|final) (?:report|bulletin|notice)",
        re.IGNORECASE,
    ),
}
_PREFIX: Final = re.compile(r"^(?:\s*(?:re|fwd?|aw|wg|tr|sv|vs|antw|転送|返信)(?:\[\d+\])?\s*[::]\s*)+", re.IGNORECASE)


def addressed(document: Document) -> Iterator[Problem]:
    """Give what is wrong with a letter's headers."""
    yield from _sender(document)
    yield from _one_recipient(document)
    yield from _subject(document)


def header(document: Document, name: str) -> str:
    """Give the value of a header, of any case; empty where there is none."""
    return next((value for key, value in document.headers.items() if key.casefold() == name), "")


def _sender(document: Document) -> Iterator[Problem]:
    compromised = Known([document.lure.account] if document.lure.account else [])
    senders = {name: address for name in _FROM for _, address in getaddresses([header(document, name)]) if address}
    for name, address in senders.items():
        if address in compromised:
            yield error("L03", name.title(), "it is the mailbox that was taken over", "乗っ取られたメールアドレスです")
    if document.headers and "from" not in senders:
        yield error("L03", "From", "it has no sender", "差出人がありません")
    known = [said.value for said in document.facts_used if said.key == "org.sender" and isinstance(said.value, str)]
    if known and senders.get("from") and folded(senders["from"]) != folded(known[0]):
        yield error(
            "L03",
            "From",
            "it is not the address that letters come from (org.sender)",
            "差出人が org.sender と異なります",
        )
    if any(header(document, name) for name in _THREAD):
        yield error(
            "L07",
            "References",
            "it stands in a thread; a letter begins its own",
            "返信の形になっています。新しいメールとして送ってください",
        )


def _one_recipient(document: Document) -> Iterator[Problem]:
    for name in _MANY:
        if any(name == key.casefold() for key in document.headers):
            yield error("L05", name.title(), "a letter goes To one only", "宛先はToの一件だけにしてください")
    to = [address for _, address in getaddresses([header(document, "to")]) if address]
    if len(to) > 1 or header(document, "to").count("@") > 1:
        yield error("L05", "To", "it has more than one recipient", "宛先が複数あります")
    elif document.to is not None and to and to != [document.to] and folded(to[0]) != folded(document.to):
        yield error("L05", "To", "it is not addressed to its recipient", "宛先が本来の受取人ではありません")


def _subject(document: Document) -> Iterator[Problem]:
    subject, language = flow(document.subject), document.language
    names = [said.value for said in document.facts_used if said.key.removesuffix(f".{language}") == "org.name"]
    if not any(isinstance(one, str) and folded(one) in folded(subject) for one in names):
        yield error("L07", "subject", "it does not name us", "件名に社名がありません")
    if not _APOLOGY[language].search(subject):
        yield error(
            "L07",
            "subject",
            "it does not say that it is an apology or a notice",
            "件名に「お詫びとお知らせ」がありません",
        )
    if not _REPORT[language].search(subject):
        yield error("L07", "subject", "it has no report number", "件名に報番号がありません")
    if _URGENT.search(subject):
        yield error("L07", "subject", "it presses its reader as a lure does", "件名が急がせる表現になっています")
    if _PREFIX.match(subject):
        yield error("L07", "subject", "it begins as a reply or a forwarded mail", "件名が返信・転送の形です")
    if any(_like(subject, one) for one in document.lure.subjects):
        yield error("L07", "subject", "it is the lure's subject", "件名が該当メールの件名と同じです")


def _like(subject: str, lure: str) -> bool:
    mine, theirs = (squeezed(folded(_PREFIX.sub("", one))) for one in (subject, lure))
    return bool(theirs) and (mine == theirs or (len(theirs) >= 6 and theirs in mine))
