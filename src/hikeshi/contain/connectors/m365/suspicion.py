# SPDX-License-Identifier: Apache-2.0
"""Which inbox rules serve the intruder: those that carry mail out, or hide what the owner should see.

Graph gives no time of creation, so a rule is judged by what it does and by where mail was seen going.
"""

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any, Final

from hikeshi.contain.connectors.m365.operation import words
from hikeshi.contain.contract import Target, Words

Thing = dict[str, Any]

#: folders where no honest rule files mail, as mailboxes of both languages show them
_OBSCURE: Final = frozenset(
    {
        "rss feeds",
        "rss subscriptions",
        "rss フィード",
        "rss 購読",
        "conversation history",
        "会話の履歴",
        "会話履歴",
        "sync issues",
        "同期の失敗",
        "同期の問題",
        "notes",
        "メモ",
        "journal",
        "履歴",
    }
)
#: folders that honest rules use too, so that only words decide
_QUIET: Final = frozenset(
    {
        "archive",
        "アーカイブ",
        "deleted items",
        "削除済みアイテム",
        "junk email",
        "junk e-mail",
        "迷惑メール",
    }
)
#: words of warnings, answers and bounces, by which intruders hide what would give them away. "spam" is not among them:
#: the honest rule that files what the filter has marked is far too common
_WARNINGS: Final = re.compile(
    r"^(?:re|fw|fwd|aw|wg):|\b(?:password|passwort|security|hack(?:ed|ers?|ing)?|phish(?:ed|ing)?|scam(?:med)?|fraud"
    r"|suspicious|virus|malware|compromised?|helpdesk|mailer-daemon|postmaster|undeliver(?:able|ed)"
    r"|delivery (?:status|failure)|returned mail|out of office|automatic reply)\b"
    r"|パスワード|不審|不正|なりすまし|フィッシング|詐欺|乗っ取り|ウイルス|ウィルス|セキュリティ|返信|自動応答|配信不能"
    r"|配信できません|届かない|エラーメール|情報システム",
    re.IGNORECASE,
)
_TEXTS: Final = ("bodyContains", "bodyOrSubjectContains", "subjectContains", "senderContains", "headerContains")


@dataclass(frozen=True, slots=True)
class Verdict:
    """Whether a rule goes, and why, or why not."""

    suspicious: bool
    reasons: tuple[Words, ...]

    @property
    def why(self) -> Words:
        """All reasons in one text."""
        return words("; ".join(one["en"] for one in self.reasons), "、".join(one["ja"] for one in self.reasons))


def judge(rule: Thing, folders: Mapping[str, str], target: Target) -> Verdict:
    """Judge a messageRule; `folders` gives the name of each folder by its id, small letters, "(hidden)" if it is hidden."""
    actions = rule.get("actions") or {}
    conditions = rule.get("conditions") or {}
    reasons = [*_carries_out(actions, target), *_hides(actions, conditions, folders)]
    if reasons:
        if _nameless(str(rule.get("displayName") or "")):
            reasons.append(words("its name says nothing", "名前に意味がありません"))
        return Verdict(suspicious=True, reasons=tuple(reasons))
    if unclear := [one for one in _recipients(actions) if "@" not in one]:
        return Verdict(
            suspicious=False,
            reasons=(
                words(
                    f"it passes mail on to {', '.join(unclear) or 'nobody'}, which is no address: look at it",
                    f"転送先 {'、'.join(unclear)} はアドレスではありません。確認してください",
                ),
            ),
        )
    return Verdict(
        suspicious=False,
        reasons=(words("it carries no mail out and hides no warnings", "社外へ転送せず、警告を隠してもいません"),),
    )


def _recipients(actions: Thing) -> list[str]:
    lists = (actions.get(name) or () for name in ("forwardTo", "forwardAsAttachmentTo", "redirectTo"))
    mails = [one.get("emailAddress") or {} for some in lists for one in some]
    return [str(mail.get("address") or mail.get("name") or "?") for mail in mails]


def _carries_out(actions: Thing, target: Target) -> list[Words]:
    seen = {one.lower() for one in target.forwards}
    own = {*(one.lower() for one in target.own_domains), target.account.rpartition("@")[2].lower()}
    reasons = []
    for address in _recipients(actions):
        if address.lower() in seen:
            reasons.append(
                words(
                    f"mail was seen going to {address} in the intruder's time",
                    f"侵入期間中に {address} への転送が確認されています",
                )
            )
        elif "@" in address and not _inside(address.rpartition("@")[2].lower(), own):
            reasons.append(words(f"it passes mail on to {address}, outside", f"社外の {address} へ転送します"))
    return reasons


def _inside(domain: str, own: set[str]) -> bool:
    return any(domain == one or domain.endswith("." + one) for one in own)


def _hides(actions: Thing, conditions: Thing, folders: Mapping[str, str]) -> list[Words]:
    folder = folders.get(str(actions.get("moveToFolder") or ""), "")
    if folder in _OBSCURE or folder.endswith("(hidden)"):
        return [
            words(f"it moves mail to {folder}, where nobody looks", f"誰も見ないフォルダー「{folder}」へ移動します")
        ]
    gone = bool(actions.get("delete") or actions.get("permanentDelete") or folder in _QUIET)
    if not gone and not actions.get("markAsRead"):
        return []
    doing = words("deletes, moves away or marks as read", "削除・移動・既読化")
    if gone and not _narrowed(conditions):
        return [words(f"it {doing['en']} all mail", f"すべてのメールを{doing['ja']}します")]
    if found := _warnings(conditions):
        return [
            words(
                f"it {doing['en']} what names {', '.join(found)}",
                f"「{'」「'.join(found)}」を含むメールを{doing['ja']}します",
            )
        ]
    return []


def _narrowed(conditions: Thing) -> bool:
    return any(value not in (None, [], {}, False) for value in conditions.values())


def _warnings(conditions: Thing) -> list[str]:
    texts: Sequence[str] = [text for name in _TEXTS for text in conditions.get(name) or ()]
    texts = [
        *texts,
        *(str(one.get("emailAddress", {}).get("address")) for one in conditions.get("fromAddresses") or ()),
    ]
    return [text for text in texts if _WARNINGS.search(text)]


def _nameless(name: str) -> bool:
    return not any(letter.isalnum() for letter in name) or len(name.strip()) == 1
