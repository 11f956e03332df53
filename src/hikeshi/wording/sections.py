# SPDX-License-Identifier: Apache-2.0
"""The sections of a bulletin (disclosure.md 3.4a), known by what they say and not by how they are called.

A section has parts. Each part is found by patterns that accept paraphrases, in a text of `flow`; a part whose label stands
there with "unknown" behind it is there: the reader is told that nobody knows.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from hikeshi.wording.document import Document, Problem, Severity, Stage
from hikeshi.wording.flow import Block, blocks, flow

_NEEDED: Final[Mapping[str, Severity]] = {"!": "error", "?": "warning"}
_STAGES: Final = ("first", "second", "final")


@dataclass(frozen=True, slots=True)
class Part:
    """One thing that a section must say. `needs` has a mark for each stage: ! must, ? should, - need not yet."""

    section: str
    name: str
    en: str
    ja: str
    needs: str
    found: Mapping[str, re.Pattern[str]]

    @property
    def id(self) -> str:
        """Give its name among all parts."""
        return f"{self.section}.{self.name}"


def _part(id_: str, needs: str, says: tuple[str, str], ja: str, en: str) -> Part:
    section, _, name = id_.partition(".")
    flags = re.IGNORECASE
    return Part(section, name, *says, needs, {"ja": re.compile(ja, flags), "en": re.compile(en, flags)})


#: a day or time, or that it is not known
_WHEN_JA: Final = r"(?:\d|不明|未定|調査中|判明して(?:い|お)(?:ない|りません|ません))"
_WHEN_EN: Final = r"(?:\d|not (?:yet )?known|unknown|under investigation|to be confirmed)"

PARTS: Final = (
    _part(
        "S01.number",
        "?!!",
        ("the number of the report", "第何報か"),
        r"第\s*[\d一二三四五六七八九十]+\s*報|最終報",
        r"\b(?:(?:report|bulletin|notice)\s*(?:no\.?|number|#)?\s*\d|(?:first|second|third|final) (?:report|bulletin|notice))",
    ),
    _part(
        "S01.date",
        "!!!",
        ("the day of the report", "発表の日"),
        r"\d{4}\s*[年./-]\s*\d{1,2}\s*[月./-]\s*\d{1,2}",
        r"\d{1,2} [A-Z][a-z]{2,12} \d{4}|\b[A-Z][a-z]{2,12} \d{1,2}, \d{4}|\d{4}-\d\d-\d\d",
    ),
    _part("S02.apology", "!!!", ("an apology", "お詫び"), r"お?詫び|謝罪|申し訳(?:ござい|あり)", r"apolog|\bsorry\b"),
    _part(
        "S04.sender",
        "???",
        ("who the mails seem to come from", "該当メールの差出人"),
        r"差出人|送信者(?:名|の)|送信元(?:の)?(?:メール)?アドレス\s*[::は]|From",
        r"\b(?:sender|from (?:address|line)|appear(?:s|ed)? to come from|sent from (?:our|the|an) \S*\s?\S*@)",
    ),
    _part(
        "S04.subject",
        "!!!",
        ("the subject of the mails", "該当メールの件名"),
        r"件名|題名|タイトルは",
        r"\bsubject(?:s| line)?\b",
    ),
    _part(
        "S04.window",
        "!!!",
        ("from when to when the mails were sent", "該当メールが送信された時間帯"),
        rf"送信(?:された)?(?:日時|時間帯|期間|時刻|時間)[^。\n]{{0,12}}{_WHEN_JA}|\d\s*(?:分|秒|日|頃|ごろ|\))*\s*(?:\([^)]*\))?\s*(?:から|~|〜|より)[^。\n]{{0,60}}(?:まで|\d)[^。\n]{{0,40}}送信",
        rf"\bsent (?:between|from|on)\b[^.\n]{{0,30}}{_WHEN_EN}|(?:sent|sending|send) (?:time|window|period)[^.\n]{{0,12}}{_WHEN_EN}|(?:first|last) (?:was )?sent[^.\n]{{0,12}}{_WHEN_EN}",
    ),
    _part(
        "S04.link",
        "???",
        ("where the mails lead to", "該当メールの誘導先(無害化したドメイン)"),
        r"hxxp|\[\.\]|(?:誘導先|リンク先|接続先|偽サイト(?:の|は))[^。\n]{0,20}(?:ドメイン|URL|アドレス|不明|調査中)",
        r"hxxp|\[\.\]|\b(?:link|page|site)s?\b[^.\n]{0,30}\b(?:domain|not (?:yet )?known|unknown)",
    ),
    _part(
        "S05.occurred",
        "!!!",
        ("when it happened", "発生の日時"),
        rf"(?:発生|侵入|不正(?:な)?(?:アクセス|サインイン|ログイン))(?:の|した|が)?(?:時期|日時?|年月日|時刻|確認された)?[^。\n]{{0,16}}?{_WHEN_JA}",
        rf"\b(?:occur|happen|took place|began|started|occurrence|signed in|accessed)[a-z]*[^.\n]{{0,40}}?{_WHEN_EN}",
    ),
    _part(
        "S05.discovered",
        "!!!",
        ("when it was discovered, apart from when it happened", "発覚の日時(発生とは別に)"),
        rf"(?:発覚|覚知|認知|探知|気付|気づ|把握)(?:の|した|しました|き)?(?:日時?|年月日|時刻)?[^。\n]{{0,16}}{_WHEN_JA}|\d[^。\n]{{0,40}}(?:発覚|覚知|認知|探知|気付|気づ|把握)(?:し|き)",
        rf"\b(?:discover|detect|notic|became aware|learn)[a-z]*[^.\n]{{0,40}}{_WHEN_EN}|\d[^.\n]{{0,40}}\bwe (?:discovered|noticed|detected|learn|became aware)",
    ),
    _part(
        "S05.channel",
        "!!!",
        ("how it was found", "発覚の経緯(誰からの連絡か)"),
        r"(?:通報|ご?連絡|お問い?合わ?せ|ご?指摘|申告)(?:を(?:いただ|受け|頂)|により|で(?:発覚|判明)|があ)|(?:監視|検知|警報|アラート|配信不能|不達)[^。\n]{0,30}(?:発覚|判明|気付|気づ|検知し)|発覚(?:の)?(?:経緯|契機|きっかけ)",
        r"\b(?:report(?:s|ed)?|call(?:s|ed)?|inquir\w+|contact(?:ed)?|notif\w+|alert\w*|monitoring|told)\b[^.\n]{0,20}\b(?:by|from|to us|us)\b|(?:discover|detect|notic|found|came to light)\w*[^.\n]{0,30}\b(?:through|by|because|when|after)\b|how (?:it|this) was (?:found|discovered)",
    ),
    _part(
        "S06.cause",
        "-!!",
        ("the cause", "原因"),
        r"原因|(?:偽|不正)の?(?:サイト|ページ|画面)[^。\n]{0,30}(?:誘導|入力)|(?:盗取|窃取|詐取|盗まれ)",
        r"\bcause[ds]?\b|\b(?:fake|fraudulent|phishing) (?:site|page|website)|\bstolen\b",
    ),
    _part(
        "S07.accounts",
        "-!!",
        ("how many mailboxes were misused, and of what role", "不正に利用されたアカウントの数"),
        r"\d\s*(?:名|アカウント|件の(?:メール)?アカウント)|アカウント(?:数|の数)?[^。\n]{0,10}(?:\d|不明)",
        r"\b(?:\d+|one|two|three) (?:\w+ ){0,3}(?:accounts?|mailbox(?:es)?)",
    ),
    _part(
        "S07.messages",
        "-!!",
        ("how many mails were sent", "送信されたメールの数"),
        r"\d\s*通|\d\s*件[^。\n]{0,20}メール|メール(?:の)?(?:件数|通数|数)|通数[^。\n]{0,10}(?:不明|調査中)",
        r"\b[\d,]+ (?:\w+ ){0,3}(?:e-?mails|mails|messages|e-?mail)\b(?! address)|(?:number|count) of (?:e-?mails|messages)[^.\n]{0,20}(?:unknown|not (?:yet )?known)",
    ),
    _part(
        "S07.addresses",
        "-??",
        ("how many different addresses they went to", "異なる宛先の数"),
        r"\d\s*宛先|\d\s*件の(?:宛先|(?:メール)?アドレス)|宛先(?:の)?数|(?:宛先|送信先)(?:の数)?は?[^。\n]{0,6}(?:不明|調査中)",
        r"\b[\d,]+ (?:\w+ ){0,2}(?:e-?mail addresses|addresses|recipients)|(?:addresses|recipients)[^.\n]{0,20}(?:unknown|not (?:yet )?known)",
    ),
    _part(
        "S07.organisations",
        "-??",
        ("how many organisations received them", "受信された会社・団体の数"),
        r"\d\s*(?:社|団体|法人)|(?:会社|社|団体)(?:の)?数は?[^。\n]{0,6}(?:不明|調査中)",
        r"\b[\d,]+ (?:\w+ ){0,2}(?:organi[sz]ations|companies)|(?:organi[sz]ations|companies)[^.\n]{0,20}(?:unknown|not (?:yet )?known)",
    ),
    _part(
        "S07.persons",
        "-??",
        ("how many persons are concerned", "ご本人の数"),
        r"(?:ご本人|対象(?:者|となる方)|個人)(?:の)?(?:人?数|は|が)?[^。\n]{0,12}(?:\d|不明|調査中)|\d\s*(?:名|人)(?:分|の(?:方|個人|お客))",
        r"\b[\d,]+ (?:\w+ ){0,2}(?:people|persons|individuals)|(?:people|persons|individuals)[^.\n]{0,30}(?:unknown|not (?:yet )?known)",
    ),
    _part(
        "S08.data",
        "!!!",
        ("which information may have been exposed", "漏えいの可能性がある情報の項目"),
        r"(?:漏えい|漏洩|流出|閲覧|外部に知られた)[^。\n]{0,20}(?:可能性|おそれ|恐れ|否定でき)[^。\n]{0,12}(?:情報|項目|データ|内容)|(?:対象(?:となる|の)?|含まれる|該当する)(?:個人)?(?:情報|データ)(?:の項目)?\s*[::]|個人(?:情報|データ)の項目",
        r"\b(?:information|data|categories)\b[^.\n]{0,60}\b(?:may|might|could|possibly|concerned|involved|affected|exposed)|\bwhat (?:information|data)\b",
    ),
    _part(
        "S08.period",
        "???",
        ("of what period that information is", "その情報の期間"),
        r"(?:保存|閲覧|漏えい|漏洩|流出|送受信|対象)[^。\n]{0,20}期間|期間\s*[::]|\d年分|過去\d",
        r"\bperiod\b|\bdating from\b|\b(?:past|last) \d+ (?:years?|months?)",
    ),
    _part(
        "S09.secondary",
        "!!!",
        ("whether there is secondary damage, as of when", "二次被害の有無(いつ現在か)"),
        r"[二2]次(?:的な?)?被害|(?:情報|データ)(?:の|が|を)悪用",
        r"\bsecondary (?:damage|harm)|\bmisuse of (?:the |this |your )?(?:data|information)|\b(?:further|resulting) (?:damage|harm)|been misused",
    ),
    _part(
        "S10.actions",
        "!!!",
        ("what was done", "対応の状況"),
        r"(?:変更|遮断|停止|無効化?|削除|隔離|対処|報告|連絡|依頼|開始|調査)[^。\n]{0,8}(?:しました|いたしました|済み|しており|申し上げました|完了)|するとともに",
        r"\bwe (?:have |immediately |then )*(?:changed|blocked|reset|closed|signed|revoked|disabled|removed|told|notified|informed|stopped|checked)|\bhas been (?:changed|blocked|reset|closed|revoked|disabled)",
    ),
    _part(
        "S10.password",
        "???",
        ("whether the password was changed", "パスワードの変更"),
        r"パスワード[^。\n]{0,12}(?:変更し|変更済|変更いたし|再設定|リセット|無効)",
        r"\bpassword[^.\n]{0,20}\b(?:changed|reset)|(?:changed|reset)[^.\n]{0,30}password",
    ),
    _part(
        "S10.sessions",
        "???",
        ("whether sessions were ended", "サインイン中のセッションの失効"),
        r"セッション|サインアウト|ログアウト|トークン",
        r"\bsessions?\b|\bsigned? (?:it |everyone |all )?out|\btokens?\b",
    ),
    _part(
        "S10.rules",
        "???",
        ("whether forwarding and rules were checked", "転送設定・仕分けルールの確認"),
        r"(?:自動)?転送(?:設定|の設定|ルール)|(?:仕分け|受信トレイの?|メール)ルール",
        r"\bforward(?:ing|s)\b[^.\n]{0,30}|\b(?:inbox|mail) rules?\b",
    ),
    _part(
        "S10.mfa",
        "???",
        ("whether multi-factor authentication was turned on", "多要素認証"),
        r"多要素|[二2]段階認証|[二2]要素",
        r"\bmulti-?factor|\bMFA\b|\btwo-(?:factor|step)|\b2FA\b",
    ),
    _part(
        "S10.others",
        "???",
        ("whether other accounts were looked at", "他のアカウントの確認"),
        r"(?:他|ほか|その他|全て|すべて|全社)の?(?:社員|従業員|役職員)?の?(?:メール)?アカウント",
        r"\b(?:other|all) (?:of our )?(?:\w+ )?(?:accounts|mailboxes)",
    ),
    _part(
        "S11.authorities",
        "?!!",
        ("which authorities were told, or that none was yet", "関係機関への報告"),
        r"個人情報保護委員会|警察|監督(?:官庁|当局)|JPCERT|IPA|関係(?:機関|省庁|当局)|所轄",
        r"\bauthorit(?:y|ies)|\bregulator|\bpolice\b|\bcommission(?:er)?\b|\bJPCERT|\bCERT\b",
    ),
    _part(
        "S12.prevention",
        "-?!",
        ("what will prevent it in future", "再発防止策"),
        r"再発(?:を)?防止(?:策|の(?:ため|施策|取(?:り)?組)|のための|措置)|再発防止(?:として|に向けて)[^。\n]{0,60}(?:導入|義務|実施|強化)",
        r"\bprevent(?:ion|ing|ive)?\b[^.\n]{0,60}|\bin (?:the )?future\b",
    ),
    _part(
        "S13.next",
        "!!!",
        ("when the next report comes, or that this is the last", "次回の報告の予定日(または最終であること)"),
        r"(?:次回|次報|続報|次の(?:ご)?(?:報告|お知らせ))[^。\n]{0,24}(?:\d|未定|決まり次第)|最終報|最後の(?:ご)?(?:報告|お知らせ)",
        r"\bnext (?:report|update|bulletin|notice)\b[^.\n]{0,40}(?:\d|not (?:yet )?(?:known|fixed|set))|\b(?:last|final) (?:report|update|bulletin|notice)\b",
    ),
    _part(
        "S15.changes",
        "-!!",
        ("what has changed since the report before", "前回の報告からの変更・訂正"),
        r"(?:前回|前報|第[\d一二三四五]+報)[^。\n]{0,20}(?:変更|訂正|追加|更新|新た)|変更(?:点|・訂正)|訂正",
        r"\bchange[ds]?\b[^.\n]{0,20}\b(?:since|from)\b[^.\n]{0,30}\b(?:report|bulletin|notice|update)|\bcorrections?\b|\bnew since\b",
    ),
)
#: headings by section, for what must stand in the right place
_ACTIONS: Final = re.compile(
    r"対応(?:状況|内容|の状況|について)|(?:弊社|当社)の対応|what we (?:have done|are doing|did)|actions?|our response",
    re.IGNORECASE,
)
_DATED: Final = re.compile(r"\d\s*(?:月|日|時|:\d)|\d{4}|\b\d{1,2} [A-Z][a-z]{2,}", re.IGNORECASE)


def said(document: Document) -> set[str]:
    """Give the ids of the parts that a document says."""
    # what a heading begins, the line under it goes on with
    under = [f"{one.heading}: {one.body}" if one.heading else one.body for one in blocks(flow(document.text))]
    text = "\n".join((flow(document.subject), *under))
    return {part.id for part in PARTS if part.found[document.language].search(text)}


def stage(document: Document) -> Stage:
    """Give which report it is."""
    return document.stage or ("first" if document.before is None else "second")


def missing(document: Document) -> list[Problem]:
    """Give what a bulletin must say at its stage and does not, by the sections' rules S01 to S15."""
    there = said(document)
    at = _STAGES.index(stage(document))
    found = [
        Problem(
            part.section,
            _NEEDED[part.needs[at]],
            part.name,
            {
                "en": f"it does not say {part.en}, not even that this is unknown",
                "ja": f"{part.ja}の記載がありません(不明の場合もその旨を記載)",
            },
        )
        for part in PARTS
        if part.needs[at] in _NEEDED and part.id not in there
    ]
    actions = [one for one in blocks(flow(document.text)) if is_actions(one)]
    if actions and not any(_DATED.search(one.body) for one in actions):
        found.append(
            Problem(
                "S10", "warning", "times", {"en": "no action has a time", "ja": "対応にいつ行ったかの記載がありません"}
            )
        )
    return sorted(found, key=lambda one: one.rule)


def is_actions(block: Block) -> bool:
    """Say whether a block tells what was done."""
    return bool(_ACTIONS.search(block.heading))
