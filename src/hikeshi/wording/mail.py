# SPDX-License-Identifier: Apache-2.0
"""The hygiene of a message itself: plain, no link, from us, to one, asking for nothing, not like the lure (L01 to L09)."""

import email
import email.policy
import re
from collections.abc import Iterator
from email.message import Message
from typing import Final

from hikeshi.wording.document import Document, Problem, error, warning
from hikeshi.wording.flow import flow
from hikeshi.wording.leaks import addresses_in, leaks, live
from hikeshi.wording.letterhead import addressed, header
from hikeshi.wording.views import parts, views

_HTML: Final = re.compile(r"<(?:html|body|img|a|p|br|div|span|table|script|style|iframe)\b[^<>]{0,400}>", re.IGNORECASE)
_SHORTENERS: Final = re.compile(
    r"(?<![\w.-])(?:bit\.ly|t\.co|tinyurl\.com|goo\.gl|ow\.ly|is\.gd|buff\.ly|x\.gd|lnkd\.in|rebrand\.ly|00m\.in|qr\.paps\.jp|cutt\.ly)\b",
    re.IGNORECASE,
)
_ATTACHED: Final = re.compile(
    r"添付(?:の|した|いたしました|しました)?(?:PDF|ファイル|資料|書面|文書)?(?:を|に)[^。\n]{0,10}(?:ご?(?:確認|参照|覧|査収)|お読み)|(?:see|find|open|read) (?:the )?attached|attached (?:PDF|file|document)",
    re.IGNORECASE,
)
#: what mail clients make links of
_LINK: Final = re.compile(
    r"(?<![a-z0-9])(?!hxxps?:)[a-z][a-z0-9+.-]{1,12}://\S|(?<![a-z0-9])mailto:|(?<![a-z0-9_@.-])www\.[\w-]|(?<![a-z0-9_@.-])(?:[\w-]{1,63}\.){1,8}[a-z]{2,24}/[\w?#]"
    r"|(?<![a-z0-9_@.-])(?:[a-z0-9-]{1,63}\.){1,8}(?:com|net|org|info|biz|jp|cn|io|app|dev|eu|de|uk|fr|us|me|co|cc|ly|gd|top|xyz|shop|online|site|club|example|test|invalid)\b(?!@|\.\w)",
    re.IGNORECASE,
)
_ADDRESS: Final = re.compile(r"(?<![^\s<>():/、。「」])[^\s<>():/、。「」@]++@[\w.-]+")
_CREDENTIALS_JA: Final = re.compile(
    r"(?:ID|パスワード|暗証番号|認証(?:情報|コード)|口座番号|カード番号|マイナンバー|生年月日|ご?住所|お?電話番号|個人情報)[^。\n]{0,24}(?:ご?入力|お知らせ|ご?返信|ご?送付|お送り|ご?記入|お教え|教えて|ご?登録)(?:して|に|を|く|のうえ)?(?:ください|下さい|いただ(?:け|き)|お願い|願います)"
    r"|(?:アカウント|ご?本人)(?:の)?(?:ご?確認|認証|照合)(?:を|の(?:手続|ため|お手続))[^。\n]{0,24}(?:お願い|ください|入力|ログイン|サインイン)|(?:ログイン|サインイン)して[^。\n]{0,20}(?:ください|確認)"
)
_CREDENTIALS_EN: Final = re.compile(
    r"(?:(?:please|kindly|you must|need to|required to)\s+(?:\w+\s+){0,3}?)(?:enter|provide|send|confirm|verify|reply with|submit|tell us|update)\s+(?:us\s+)?(?:your|the)\s+(?:\w+\s+){0,3}?(?:passwords?|credentials|ID|account|PIN|card|bank details|personal (?:data|information)|date of birth|address|identity)"
    r"|\b(?:confirm|verify|validate) your (?:account|identity|password)|\b(?:log|sign) in to (?:confirm|verify|check)",
    re.IGNORECASE,
)
_NEGATED_EN: Final = re.compile(r"\b(?:never|not|don't|no one|nobody)\b[^.\n]{0,40}$", re.IGNORECASE)
_QUOTED: Final = re.compile(
    r"^[ \t]*>|^-{2,}\s*(?:original message|元のメッセージ|転送)|^(?:from|差出人)\s*:.*\n(?:sent|date|送信日時|日時)\s*:",
    re.IGNORECASE | re.MULTILINE,
)
_GAPS: Final = re.compile(
    r"(?:監視|検知|記録|ログ)[^。\n]{0,16}(?:できなかった|できていな|していな|残っていな|不足|不備|対象外|保存期間)|(?:多要素認証|対策)[^。\n]{0,12}(?:未導入|導入していな|していませんでした)"
    r"|\b(?:not|never|no)\b[^.\n]{0,20}\b(?:monitored|logged|recorded|monitoring|logging)\b|\blogs? (?:retention|are kept)\b|\bdid not have (?:MFA|multi)",
    re.IGNORECASE,
)
_ROLES: Final = frozenset(
    [
        "abuse",
        "admin",
        "billing",
        "contact",
        "customer",
        "desk",
        "enquiry",
        "help",
        "helpdesk",
        "hr",
        "info",
        "inquiry",
        "jinji",
        "keiri",
        "koho",
        "koubai",
        "kobai",
        "mail",
        "marketing",
        "news",
        "noreply",
        "no-reply",
        "office",
        "order",
        "orders",
        "postmaster",
        "press",
        "privacy",
        "purchase",
        "purchasing",
        "recruit",
        "reception",
        "sales",
        "security",
        "service",
        "shop",
        "soumu",
        "staff",
        "support",
        "team",
        "web",
        "webmaster",
    ]
)


def hygiene(document: Document) -> Iterator[Problem]:
    """Give what is wrong with a message, or a bulletin's text, whatever it says."""
    text = flow(document.text)
    yield from _plain(document, text)
    yield from _links(document)
    if document.kind == "letter":
        yield from addressed(document)
    yield from _asks_for_nothing(document, text)
    yield from _no_lure(document)
    yield from _leaks(document, text)


def _plain(document: Document, text: str) -> Iterator[Problem]:
    found = _HTML.search(text)
    if found:
        yield error(
            "L01",
            f"text, {found[0][:20]}",
            "it has HTML in it; plain text only",
            "HTMLが含まれています。プレーンテキストにしてください",
        )
    if _ATTACHED.search(text):
        yield error(
            "L01",
            "text",
            "it sends its reader to an attachment; say it in the text",
            "添付を読むよう求めています。本文に記載してください",
        )
    if any(_SHORTENERS.search(one) for one in views(document.text)):
        yield error("L01", "text", "it has a shortened address", "短縮URLが含まれています")
    kind = header(document, "content-type")
    if kind and not kind.casefold().startswith("text/plain"):
        yield error("L01", "Content-Type", "it is not plain text", "プレーンテキストではありません")
    if document.raw is not None:
        yield from _plain_parts(email.message_from_bytes(document.raw, policy=email.policy.compat32))


def _plain_parts(message: Message) -> Iterator[Problem]:
    if message.is_multipart() or message.get_content_type() != "text/plain":
        yield error(
            "L01",
            "Content-Type",
            "it is not one plain text: parts, HTML or attachments",
            "一つのプレーンテキストではありません(複数パート、HTML、添付)",
        )
    if any(part.get_content_disposition() == "attachment" or part.get_filename() for part in message.walk()):
        yield error("L01", "Content-Disposition", "it has an attachment", "添付ファイルがあります")
    if any(part.get_content_type() == "message/rfc822" for part in message.walk()):
        yield error("L08", "Content-Type", "it has another mail attached", "別のメールが添付されています")


def _links(document: Document) -> Iterator[Problem]:
    for where, said in (("subject", document.subject), ("text", document.text)):
        # an address of mail is no link, but what stands behind its @ looks like one
        readings = [_ADDRESS.sub(" ", one) for one in views(said, defanged=False)]
        if any(_LINK.search(one) for one in readings):
            yield error(
                "L02",
                where,
                "it has a link, or what mail clients make one of; name the home page instead",
                "リンク(またはリンクになる文字列)があります。ホームページの名称だけを記載してください",
            )


def _asks_for_nothing(document: Document, text: str) -> Iterator[Problem]:
    pattern = _CREDENTIALS_JA if document.language == "ja" else _CREDENTIALS_EN
    for one in pattern.finditer(text):
        if not _NEGATED_EN.search(text[: one.start()]):
            yield error(
                "L06",
                f"text, {one[0][:30]}",
                "it asks its reader for something that only a lure asks for",
                "認証情報や個人情報を求める表現です",
            )


def _no_lure(document: Document) -> Iterator[Problem]:
    if _QUOTED.search(document.text):
        yield error("L08", "text", "it quotes a mail", "メールを引用しています")
    if live(f"{document.subject}\n{document.text}", document.lure.urls):
        yield error(
            "L08",
            "text",
            "the lure's address still works as a link; defang it",
            "誘導先のURLがリンクとして機能します。無害化してください",
        )


def _leaks(document: Document, text: str) -> Iterator[Problem]:
    allowed = [one for one in (document.to, *_own(document)) if one]
    sources = [f"{name}: {value}" for name, value in document.headers.items()] + [document.subject, document.text]
    yield from leaks(f"{document.subject}\n{document.text}", document.names, document.inner)
    if document.raw is not None:
        sources += parts(document.raw)
    readings = dict.fromkeys(reading for one in sources for reading in views(one))
    for address in addresses_in(list(readings), document.others, allowed):
        local, _, domain = address.rpartition("@")
        yield error(
            "L05",
            f"{local[:1]}…@{domain}",
            "another recipient's address is in it",
            "他の受信者のメールアドレスが含まれています",
        )
    account = document.lure.account
    personal = account and account.partition("@")[0].casefold() not in _ROLES
    if document.kind == "bulletin" and account and personal and addresses_in(list(readings), [account]):
        yield error(
            "L09",
            "text",
            "it shows the address of the person who was deceived; name the department",
            "被害に遭った担当者のメールアドレスが含まれています。部署名としてください",
        )
    if _GAPS.search(text):
        yield warning("L09", "text", "it tells what we could not see", "検知や記録の弱点に触れています")


def _own(document: Document) -> list[str]:
    return [
        said.value
        for said in document.facts_used
        if said.key in ("org.sender", "desk.mail") and isinstance(said.value, str)
    ]
