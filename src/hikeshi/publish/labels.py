# SPDX-License-Identifier: Apache-2.0
"""What readers know a fact as, in both languages; those of an incident by the last part of their key."""

import re
from typing import Final

_LABELS: Final = {
    "occurred_at": ("発生の日時", "Time of occurrence"),
    "occurred_at.meaning": ("発生の日時が指すもの", "What that time is of"),
    "discovered_at": ("発覚の日時", "Time of discovery"),
    "clock/start/reported": ("外部からの連絡を受けた日時", "Time of the first report from outside"),
    "clock/start/noticed": ("社内で気づいた日時", "Time at which it was noticed inside"),
    "discovery.channel": ("発覚の経緯", "How it was discovered"),
    "contained_at": ("不正な使用を遮断した日時", "Time at which the misuse was stopped"),
    "cause": ("原因", "Cause"),
    "incident.vector": ("手口", "How it was done"),
    "account.count": ("不正に使用されたアカウントの数", "Accounts misused"),
    "account.role": ("アカウントの所属・役割", "Role of the account"),
    "exposed.items": ("漏えいの可能性がある情報", "Information that may have leaked"),
    "exposed.kinds": ("本人の種別", "Kinds of persons"),
    "exposed.period": ("対象の期間", "Period"),
    "exposed.persons": ("情報が漏えいした可能性のある方の数", "People whose information may have leaked"),
    "exposed.records": ("記録の数", "Records"),
    "exposed.organisations": ("宛先の組織の数", "Organisations"),
    "recipients.kind": ("宛先の種別", "Who the recipients are"),
    "secondary_damage": ("二次被害", "Further harm"),
    "secondary_damage.reports": ("被害のお申し出", "Reports of harm"),
    "consequences": ("予想される影響", "Likely consequences"),
    "response.persons": ("本人への対応", "What was done for the persons"),
    "publication": ("公表", "Publication"),
    "measures.done": ("実施済みの措置", "Measures taken"),
    "measures.planned": ("予定している措置", "Measures planned"),
    "authority.reports": ("関係機関への報告", "Authorities told"),
    "report.reference": ("その他参考となる事項", "Other reference"),
    "report.appi-case": ("規則第7条の該当号", "Case of art. 7 of the rules"),
    "report.next_date": ("次の報告の予定", "Next report"),
    "dpo.contact": ("データ保護責任者", "Data protection officer"),
    "desk.name": ("窓口", "Desk"),
    "desk.phone": ("窓口の電話", "Phone of the desk"),
    "lure.subject": ("不審なメールの件名", "Subject of the lure"),
    "lure.url": ("誘導先", "Where the lure leads to"),
    "system": ("メールの環境", "Mail system"),
    "messages": ("送信された不審なメールの数", "Phishing emails sent"),
    "addresses": ("宛先のメールアドレスの数", "Recipient addresses"),
    "delivered": ("相手のサーバーが受け取った宛先の数", "Addresses whose server accepted it"),
    "first_message_at": ("送信開始の日時", "First phishing email sent"),
    "last_message_at": ("送信終了の日時", "Last phishing email sent"),
    "client_ips": ("送信に使われた接続元", "Where it was sent from"),
}
_INCIDENT: Final = re.compile(r"incident/(.+)/([a-z_]+)$")


def label(key: str, language: str) -> str | None:
    """Give what readers know a fact as; None for one that they do not know by itself."""
    found = _INCIDENT.match(key)
    ja, en = _LABELS.get(found[2] if found else key.removesuffix(f".{language}"), (None, None))
    return ja if language == "ja" else en


def public_key(key: str, incidents: list[str]) -> str:
    """Give a key without the mailbox that it names: the incidents of a case (`incidents`, by name) are numbered."""
    found = _INCIDENT.match(key)
    return f"incident/{incidents.index(found[1]) + 1}/{found[2]}" if found and found[1] in incidents else key
