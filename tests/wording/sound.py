# SPDX-License-Identifier: Apache-2.0
"""Bulletins and letters of an invented case that keep every rule, in both languages, for tests to break."""

from dataclasses import replace
from datetime import datetime, timedelta, timezone

from hikeshi.wording.asks import TEXTS
from hikeshi.wording.facts import Facts, Said
from hikeshi.wording.lint import Document, Doing, Lure

JST = timezone(timedelta(hours=9))
NOW = datetime(2026, 3, 3, 9, 0, tzinfo=JST)
LURE = Lure(
    subjects=["請求書の再送について"], account="taro.yamada@example.test", urls=["https://login.example.net/owa/?id=7"]
)


def _facts():
    told = [
        Said("org.name", "見本製作所"),
        Said("org.name.en", "Mihon Works"),
        Said("org.sender", "incident@example.test"),
        Said("org.zone", "Asia/Tokyo"),
        Said("desk.name", "お客様相談窓口"),
        Said("desk.name.en", "the customer desk"),
        Said("desk.phone", "0120-000-000"),
        Said("desk.hours", "24時間365日"),
        Said("desk.hours.en", "24/7 (Japan time)"),
        Said("occurred_at", "2026-03-01T17:05:54+09:00", "time"),
        Said("discovered_at", "2026-03-02T11:16:07+09:00", "time"),
        Said("contained_at", "2026-03-02T11:40:00+09:00", "time"),
        Said("first", "2026-03-01T17:10:00+09:00", "time"),
        Said("last", "2026-03-01T18:20:00+09:00", "time"),
        Said("report.date", "2026-03-03", "time"),
        Said("report.next_date", "2026-03-10", "time"),
        Said("report.number", 1, "report"),
        Said("account.count", 1, "accounts"),
        Said("messages", 1220, "mails"),
        Said("addresses", 1180, "addresses"),
        Said("exposed.organisations", 640, "organisations"),
        Said("exposed.persons", 1150, "people"),
        Said("exposed.items", ["氏名", "メールアドレス"], None, "suspected", NOW),
        Said("secondary_damage", None, None, "not_confirmed", NOW),
        Said("recipient.copies", 2, "mails"),
    ]
    return {one.key: one for one in told}


FACTS = Facts.made(_facts())

_BULLETIN_JA = """\
発表日:2026年3月3日(火)
発信者:見本製作所

■要旨とお詫び
当社のメールアドレスから、フィッシングメールが送信されました。
受信された皆様に、深くお詫び申し上げます。

■まずお願いしたいこと
{asks}

■該当するメールの見分け方
差出人:当社購買部のメールアドレス
件名:「請求書の再送について」
送信日時:2026年3月1日(日)17時10分00秒から18時20分00秒まで(日本時間)
誘導先のドメイン:login[.]example[.]net

■経緯
発生:2026年3月1日(日)17時05分54秒(日本時間)
発覚:2026年3月2日(月)11時16分07秒(日本時間)
受信された方からの通報により発覚しました。

■原因
社員が偽のページに誘導され、パスワードを盗まれました。

■影響の範囲
不正に利用されたアカウント:1アカウント
送信されたメール:1,220通
異なる宛先:1,180宛先
受信された会社・団体:640社
対象となる方:1,150名

■漏えいの可能性がある情報
氏名、メールアドレスの漏えいの可能性を否定できません。
対象期間は不明です。

■二次被害
二次被害は、2026年3月3日(火)9時00分(日本時間)現在、確認されていません。

■対応状況
2026年3月2日(月)11時40分00秒(日本時間)にパスワードを変更し、すべてのセッションを失効させました。
転送設定と仕分けルールを確認しました。
多要素認証を有効にしました。
他のアカウントについても確認しました。

■関係機関への報告
個人情報保護委員会と警察に報告しました。

■再発防止策
全社で多要素認証を導入します。

■今後の予定
次回の報告は、2026年3月10日(火)の予定です。

■お問い合わせ先
お客様相談窓口 電話 0120-000-000 受付時間 24時間365日
"""
_BULLETIN_EN = """\
Date: Tuesday, 3 March 2026
From: Mihon Works

Summary and apology

Phishing emails were sent from one of our mailboxes. We apologise to everyone who received them.

What we ask you to do

{asks}

How to recognise the emails

Sender: our purchasing department
Subject: 請求書の再送について
Sent between Sunday, 1 March 2026, 17:10:00 (JST, UTC+09:00) and 18:20:00 (JST).
The link leads to the domain login[.]example[.]net.

What happened

It occurred on Sunday, 1 March 2026, 17:05:54 (JST, UTC+09:00).
We discovered it on Monday, 2 March 2026, 11:16:07 (JST, UTC+09:00), when recipients called us.

Cause

An employee was led to a fake page, and the password was stolen.

Scope

Mailboxes misused: 1 account
Sent: 1,220 emails
To: 1,180 email addresses
Received by: 640 organisations
Concerned: 1,150 people

Information that may have been exposed

We cannot rule out that names and email addresses were seen. The period is not known.

Secondary damage

As of Tuesday, 3 March 2026, 09:00 (JST, UTC+09:00), secondary damage has not been confirmed.

What we have done

On Monday, 2 March 2026, 11:40:00 (JST, UTC+09:00) we changed the password and ended all sessions.
We checked forwarding and inbox rules.
We turned on multi-factor authentication.
We checked all other accounts.

Authorities

We have told the regulator and the police.

Prevention

To prevent this in future we are introducing multi-factor authentication for everyone.

Next report

The next report is planned for Tuesday, 10 March 2026.

Contact

Call the customer desk: 0120-000-000, open 24/7 (Japan time).
"""
_LETTER_JA = """\
見本製作所です。
2026年3月1日(日)17時10分00秒(日本時間)に、当社のメールアドレス taro.yamada@example.test から、
件名「請求書の再送について」のメールが2通送信されました。これは当社が送ったものではありません。
ご迷惑をおかけしましたことを、深くお詫び申し上げます。

■お願い
{asks}

■当社からの通知であることの確認
当社ホームページの「重要なお知らせ」に、同じ内容と同じ電話番号を掲載しています。
"""
_LETTER_EN = """\
This is Mihon Works.
On Sunday, 1 March 2026, 17:10:00 (JST, UTC+09:00), 2 emails with the subject 請求書の再送について
were sent to you from our mailbox taro.yamada@example.test. We did not send them, and we apologise.

What we ask you to do

{asks}

How to check that this is from us

The page "Important notices" of our home page says the same and gives the same phone number.
"""
_TEXTS = {
    ("bulletin", "ja"): _BULLETIN_JA,
    ("bulletin", "en"): _BULLETIN_EN,
    ("letter", "ja"): _LETTER_JA,
    ("letter", "en"): _LETTER_EN,
}
_SUBJECTS = {
    ("bulletin", "ja"): "メールアカウントの不正利用に関するお詫びとお知らせ(第1報)",
    ("bulletin", "en"): "Misuse of a mailbox: apology and notice (Report 1)",
    ("letter", "ja"): "【見本製作所】お詫びとお知らせ(第1報)",
    ("letter", "en"): "Mihon Works: apology and notice (Report 1)",
}


def sound(kind, language, **changes):
    """Give a document that keeps every rule."""
    spoken = FACTS.spoken(language)
    phone, hours = "0120-000-000", spoken["desk.hours"].value
    asked = [one.format(name=spoken["desk.name"].value, phone=phone, hours=hours) for one in TEXTS[language].values()]
    headers = {"From": "Mihon Works <incident@example.test>", "To": "hanako@example.com"} if kind == "letter" else {}
    document = Document(
        kind=kind,
        language=language,
        subject=_SUBJECTS[kind, language],
        text=_TEXTS[kind, language].format(asks="\n".join(asked)),
        headers=headers,
        facts_used=list(FACTS.all.values()),
        to="hanako@example.com" if kind == "letter" else None,
        lure=LURE,
    )
    return replace(document, **changes)


def careful(**changes):
    """Give how a letter is sent by all rules."""
    doing = Doing(
        send=True, page_live_at=NOW, page_report=1, page_phone="0120-000-000", report=1, per_minute=60, resumable=True,
        in_ledger=True, bounces_suppressed=True, approved_by=["Rin", "Sora"], drafted_by="Aoi", dkim_aligned=True,
    )  # fmt: skip
    return replace(doing, **changes)
