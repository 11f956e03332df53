# SPDX-License-Identifier: Apache-2.0
"""What is suspicious about a setting that Google gives no time for, and why: pure judgement over plain data.

Two signs count: mail leaves the organisation, or it is kept from the owner's eyes in the way of mailbox takeovers.
Everything else is left alone and shown. Each judgement gives the reason in words, for the plan.
"""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any, Final

from hikeshi.contain.connectors.google.operation import words
from hikeshi.contain.contract import Target, Words

#: words of the mails that intruders hide: warnings, answers of those who were reached, money, bounces
_HIDDEN: Final = re.compile(
    r"phish|scam|fraud|spam|hack|virus|malware|compromis|password|suspicious|security|verif|sign.?in|log.?in|unusual"
    r"|invoice|payment|wire|bank|iban|remit|payroll"
    r"|undeliver|delivery (status|fail|incomplete)|bounce|mailer-daemon|postmaster|abuse|help.?desk"
    r"|フィッシング|詐欺|なりすまし|乗っ取り|不正|不審|迷惑|ウイルス|怪しい|偽|パスワード|セキュリティ|警告|確認コード|ログイン"
    r"|請求|振込|送金|入金|口座|支払|配信不能|配信エラー|届きません|お問い合わせ",
    re.IGNORECASE,
)
#: where such a mail can be put out of sight
_AWAY: Final = frozenset({"TRASH", "SPAM"})
#: criteria that say whose or which mail; without any of them a filter takes all mail
_NARROW: Final = ("from", "to", "subject", "query", "hasAttachment")
_LINK: Final = re.compile(r"https?://|href\s*=|www\.", re.IGNORECASE)


@dataclass(frozen=True, slots=True)
class Judged:
    """Whether it is suspicious, and why or why not."""

    suspicious: bool
    why: Words


def _suspect(en: str, ja: str) -> Judged:
    return Judged(suspicious=True, why=words(en, ja))


def _harmless(en: str, ja: str) -> Judged:
    return Judged(suspicious=False, why=words(en, ja))


def own_domains(target: Target) -> tuple[str, ...]:
    """Give the organisation's domains; the account's own is always one."""
    return tuple({one.lower() for one in (*target.own_domains, _domain(target.account))})


def outside(address: str, target: Target) -> bool:
    """Tell whether an address is of another organisation."""
    domain = _domain(address)
    return not any(domain == own or domain.endswith(f".{own}") for own in own_domains(target))


def _domain(address: str) -> str:
    return address.strip().strip("<>").rpartition("@")[2].lower()


def destination(address: str, target: Target) -> Judged:
    """Judge where mail goes, or who may read or send in the owner's name."""
    if address.lower() in {one.lower() for one in target.forwards}:
        return _suspect(
            f"mail was seen going to {address} in the time in question",
            f"当該期間に {address} への転送が記録されています",
        )
    if outside(address, target):
        return _suspect(f"{address} is outside the organisation", f"{address} は組織外のアドレスです")
    return _harmless(
        f"{address} is inside the organisation, and Google gives no time for it; ask the owner",
        f"{address} は組織内のアドレスで、Google は作成時刻を示しません。本人に確認してください",
    )


def filter_(found: dict[str, Any], target: Target) -> Judged:
    """Judge a filter: whether it forwards outside, or hides mail as takeovers do."""
    criteria, action = found.get("criteria") or {}, found.get("action") or {}
    if to := action.get("forward"):
        judged = destination(to, target)
        if judged.suspicious:
            return judged
    if not (_AWAY & set(action.get("addLabelIds", ())) or "INBOX" in action.get("removeLabelIds", ())):
        return _harmless(
            "it neither forwards outside nor keeps mail from the inbox",
            "組織外への転送も、受信トレイから隠す動作もありません",
        )
    return _hides(criteria, target)


def _hides(criteria: dict[str, Any], target: Target) -> Judged:
    """Judge whose mail is kept from the inbox."""
    if not any(_tells(criteria.get(name)) for name in _NARROW):
        return _suspect("it keeps all mail from the inbox", "すべてのメールを受信トレイから隠します")
    text = " ".join(str(criteria.get(name, "")) for name in ("from", "to", "subject", "query"))
    if word := _HIDDEN.search(text):
        return _suspect(
            f"it keeps mail about “{word[0]}” from the inbox, as takeovers do",
            f"乗っ取りでよく見られるように「{word[0]}」に関するメールを受信トレイから隠します",
        )
    senders = re.findall(r"[\w.+-]*@[\w.-]+", str(criteria.get("from", "")))
    if senders and any(not outside(one, target) for one in senders):
        return _suspect(
            "it keeps mail of colleagues from the inbox", "同じ組織の人からのメールを受信トレイから隠します"
        )
    return _harmless(
        "it keeps some mail from the inbox, but neither all, nor by words that takeovers use, nor of colleagues; "
        "ask the owner",
        "一部のメールを受信トレイから隠しますが、全件でも、乗っ取りに特有の語でも、同僚のメールでもありません。本人に確認してください",
    )


def _tells(value: Any) -> bool:
    """Tell whether a criterion narrows anything: “*” and “@” fit every mail."""
    return value not in (None, "", False, "*", "@", "*@*", "in:anywhere", "is:unread")


def has_link(texts: Iterable[str | None]) -> bool:
    """Tell whether an automatic reply carries a link."""
    return any(_LINK.search(one or "") for one in texts)
