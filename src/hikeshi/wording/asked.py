# SPDX-License-Identifier: Apache-2.0
"""Whether a text asks what it must (ASK1 to ASK7), by meaning: each ask is parts, found by patterns that accept paraphrases.

What a report tells to have asked of others, among its actions, is not asked of its reader.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hikeshi.wording.document import Document, Problem, error, warning
from hikeshi.wording.facts import Language
from hikeshi.wording.flow import blocks, flow
from hikeshi.wording.sections import is_actions


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that an ask says. Without one that `must` be there the ask is none."""

    ask: str
    name: str
    must: bool
    ja: re.Pattern[str]
    en: re.Pattern[str]


def _part(ask: str, name: str, must: str, ja: str, en: str) -> Part:
    return Part(ask, name, must == "must", re.compile(ja, re.IGNORECASE), re.compile(en, re.IGNORECASE))


#: what asks not to do something, after the thing itself
_NOT_JA: Final = r"(?:ない(?!場合|方|とき)|ず(?!に済)|お?控え|避け|なさらな|ご遠慮|無用|しません[ように])"
_NOT_EN: Final = r"(?:do not|don't|never|please avoid|avoid|refrain from|must not|should not|without)"

PARTS: Final = (
    _part(
        "ASK1",
        "delete",
        "must",
        r"(?:削除|消去|破棄)(?:して(?:ください|下さい|いただ|頂)|を?(?:お願い|いただ|頂)|のうえ|願|ください|すること|し、)",
        r"\bdelete\b|\bremove (?:it|the (?:e-?mail|message))",
    ),
    _part(
        "ASK1",
        "do not open",
        "must",
        rf"(?:メール|もの|添付)[^。\n]{{0,20}}(?:開か|開封せ|開封し|閲覧し|開く)[^。\n]{{0,8}}{_NOT_JA}|開かず|未開封のまま",
        rf"{_NOT_EN}[^.\n]{{0,30}}\bopen(?:ing)?\b",
    ),
    _part(
        "ASK1",
        "tell your own IT first",
        "should",
        r"(?:情報システム|システム|IT|セキュリティ|社内の)(?:の)?(?:ご)?(?:担当|部門|管理者|部)",
        r"\b(?:IT|security|help ?desk|administrators?)\b",
    ),
    _part(
        "ASK2",
        "links",
        "must",
        rf"(?:URL|リンク|アドレス|サイト|添付)[^。\n]{{0,40}}(?:開|クリック|アクセス|押|タップ|接続|参照)[^。\n]{{0,12}}{_NOT_JA}",
        rf"{_NOT_EN}[^.\n]{{0,50}}\b(?:links?|attach\w+|URLs?)\b",
    ),
    _part(
        "ASK2",
        "attachments",
        "should",
        rf"添付[^。\n]{{0,40}}(?:開|クリック|アクセス|実行|保存)[^。\n]{{0,12}}{_NOT_JA}",
        rf"{_NOT_EN}[^.\n]{{0,80}}\b(?:attach\w+|files?)\b",
    ),
    _part(
        "ASK3",
        "enter nothing",
        "must",
        rf"(?:ID|パスワード|認証情報|アカウント情報)[^。\n]{{0,20}}(?:入力|記入|送信)[^。\n]{{0,16}}{_NOT_JA}",
        rf"{_NOT_EN}[^.\n]{{0,30}}\b(?:enter|type|give|submit|provide|fill in)(?:ing)?\b[^.\n]{{0,40}}\b(?:passwords?|IDs?|credentials?|log-?ins?)\b",
    ),
    _part(
        "ASK4",
        "if entered",
        "must",
        r"入力(?:を)?(?:され|し|なさっ|済)[^。\n]{0,14}(?:場合|方|とき|際|なら)",
        r"\bif you\b[^.\n]{0,30}\b(?:entered|typed|gave|submitted|provided)|\b(?:already|have) (?:entered|typed|given|submitted)",
    ),
    _part(
        "ASK4",
        "change the password",
        "must",
        r"パスワード[^。\n]{0,12}変更(?![^。\n]*(?:ました|済))",
        r"\bchange\b[^.\n]{0,40}(?:\bpasswords?\b|\bit\b|\bthem\b)|\bchange everywhere",
    ),
    _part(
        "ASK4",
        "change it elsewhere",
        "should",
        r"(?:他|ほか|別|同じ)の?[^。\n]{0,24}(?:サービス|サイト|システム)",
        r"\b(?:every|any|all|other)\b[^.\n]{0,20}\b(?:services?|sites?|accounts?|where)\b",
    ),
    _part(
        "ASK4",
        "multi-factor authentication",
        "should",
        r"多要素認証|[二2]段階認証|[二2]要素認証",
        r"\bmulti-?factor|\bMFA\b|\btwo-(?:factor|step)",
    ),
    _part(
        "ASK4",
        "sign-in history and forwarding",
        "should",
        r"(?:サインイン|ログイン|利用)の?履歴|転送の?設定|セッション",
        r"\bsign-?in (?:history|log|activity)|\bforwarding\b|\bsessions?\b",
    ),
    _part(
        "ASK4",
        "call us",
        "should",
        r"窓口|ご?連絡|お問い?合わ?せ|お電話",
        r"\b(?:call|contact|tell|phone|let us know)\b",
    ),
    _part(
        "ASK5",
        "do not reply or forward",
        "must",
        r"(?:返信|転送)(?:(?:や|・|、|も|または|及び|および)(?:返信|転送))?(?:は|を|も)?(?:一切|決して)?(?:しない(?!場合|方)|なさらない|せず(?!に済)|行わない|お?控え|ご遠慮|ご無用)",
        rf"{_NOT_EN}[^.\n]{{0,20}}\b(?:reply|replying|respond|answer|forward)",
    ),
    _part(
        "ASK5",
        "check payment changes by phone",
        "should",
        r"(?:振込|振り込み|支払|送金|口座)[^。\n]{0,60}(?:電話|確認)",
        r"\b(?:bank|payment|account|transfer)\b[^.\n]{0,80}\b(?:phone|call)|\b(?:phone|call)[^.\n]{0,80}\b(?:bank|payment)",
    ),
    _part(
        "ASK6",
        "we never ask for passwords",
        "must",
        r"(?:当社|弊社|私ども|わたくしども|当方|当行|当院|本学|当組合)[^。\n]{0,40}(?:パスワード|暗証番号|認証情報)[^。\n]{0,24}(?:尋ね|聞き|伺い|求め|お願い|要求|照会)[^。\n]{0,24}(?:ありません|ございません|いたしません|しません|ない)",
        r"\bwe\b[^.\n]{0,20}\b(?:never|do not|don't|will not|won't)\b[^.\n]{0,20}\bask\b[^.\n]{0,40}\b(?:passwords?|credentials?)",
    ),
    _part(
        "ASK7",
        "phone",
        "must",
        r"(?:\(?0\d{1,4}\)?[-‐–ー(\s]\d{1,4}[-‐–ー)\s]\d{3,4}|\+\d[\d\s-]{7,})",
        r"\+?\(?\d[\d\s()-]{6,}\d",
    ),
    _part(
        "ASK7",
        "hours",
        "must",
        r"(?:受付|営業|対応|開設)(?:時間)?[^。\n]{0,16}\d|24時間|平日[^。\n]{0,12}\d|\d{1,2}(?:時|:\d\d)[^。\n]{0,6}(?:から|~|〜|-|–)\s?\d{1,2}",
        r"\bhours?\b[^.\n]{0,30}\d|\bopen\b[^.\n]{0,40}\d|\d{1,2}(?::\d\d)?\s*(?:am|pm)?\s*(?:to|-|–|until)\s*\d|\b24/7|around the clock",
    ),
    _part(
        "ASK7",
        "the zone of the hours",
        "must",
        r"24時間\s*(?:365日|年中無休|毎日|、)|年中無休|日本時間|UTC|JST",
        r"\b24/7|24 hours a day|around the clock|\bUTC|\bGMT|\bJST|\bC?EST?\b|\btime zone|\blocal time|\b[A-Z][a-z]{2,15} time\b",
    ),
    _part(
        "ASK7",
        "name",
        "should",
        r"窓口|コールセンター|ヘルプデスク|相談室|事務局|お客様(?:相談|センター)|担当|係",
        r"\bdesk\b|\bline\b|\bcent(?:er|re)\b|\bteam\b|\boffice\b|\bcontact\b",
    ),
)
_ENTERED: Final = next(part for part in PARTS if part.name == "if entered")
#: how far on from there is still said to those who have entered something
_NEAR: Final[Mapping[str, int]] = {"ja": 300, "en": 600}
_NAMES_JA: Final[Mapping[str, str]] = {
    "delete": "削除の依頼", "do not open": "メールを開かないこと", "tell your own IT first": "削除の前に所属先の情報システム担当へ連絡すること",
    "links": "URL・リンクを開かないこと", "attachments": "添付ファイルを開かないこと", "enter nothing": "IDやパスワードを入力しないこと",
    "if entered": "すでに入力した場合の手順", "change the password": "パスワードの変更", "change it elsewhere": "同じパスワードを使う他サービスでの変更",
    "multi-factor authentication": "多要素認証", "sign-in history and forwarding": "サインイン履歴・転送設定の確認", "call us": "入力した場合の窓口への連絡",
    "do not reply or forward": "返信・転送をしないこと", "check payment changes by phone": "振込先変更などの電話での確認",
    "we never ask for passwords": "当社がパスワードを尋ねないこと", "phone": "窓口の電話番号", "hours": "窓口の受付時間",
    "the zone of the hours": "受付時間の時間帯", "name": "窓口の名称",
}  # fmt: skip


def asked(text: str, language: Language) -> set[tuple[str, str]]:
    """Give what a text asks: pairs of an ask and a part of it."""
    read = flow(text)
    entered = [read[one.start() : one.start() + _NEAR[language]] for one in _pattern(_ENTERED, language).finditer(read)]
    # What is said of passwords elsewhere does not tell what to do for those who have entered one.
    places = {"ASK4": entered}
    return {
        (part.ask, part.name)
        for part in PARTS
        if any(_pattern(part, language).search(one) for one in places.get(part.ask, [read]))
    }


def to_readers(document: Document) -> str:
    """Give the text without what it tells to have done."""
    parted = blocks(flow(document.text))
    return "\n".join(f"{one.heading}\n{one.body}" for one in parted if not is_actions(one))


def whole(there: set[tuple[str, str]], ask: str) -> bool:
    """Say whether an ask is asked."""
    return all((ask, part.name) in there for part in PARTS if part.ask == ask and part.must)


def unasked(document: Document) -> list[Problem]:
    """Give the asks that a document must have and has not, or not in full."""
    anywhere = asked(document.text, document.language)
    there = asked(to_readers(document), document.language) if document.kind == "bulletin" else anywhere
    found: list[Problem] = []
    for part in PARTS:
        if part.ask not in document.asks or (part.ask, part.name) in there:
            continue
        ja = _NAMES_JA[part.name]
        if part.must and (part.ask, part.name) in anywhere:
            found.append(
                error(
                    part.ask,
                    f"actions, {part.name}",
                    "it is asked only where the actions are told; ask it of every reader",
                    f"「{ja}」が対応状況の中にしかありません。お願いの欄にも記載してください",
                )
            )
        elif part.must:
            found.append(
                error(part.ask, part.name, f"it does not ask this: {part.name}", f"「{ja}」の記載がありません")
            )
        elif whole(there, part.ask):
            found.append(warning(part.ask, part.name, f"it might also say: {part.name}", f"「{ja}」も記載してください"))
    return found


def _pattern(part: Part, language: Language) -> re.Pattern[str]:
    return part.ja if language == "ja" else part.en
