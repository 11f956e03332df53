# SPDX-License-Identifier: Apache-2.0
"""The two notices of May 2020 in our own words: the same facts, the same sections there and not there, another company.

Facts carry over (times, counts, what was and was not said); sentences, name and phone number do not.
"""

from datetime import datetime, timedelta, timezone

from hikeshi.wording.facts import Said
from hikeshi.wording.lint import Document, Lure

JST = timezone(timedelta(hours=9))
_DESK = "0120-000-000"
_TITLE = "【重要】標的型メールによる個人情報流出についてのお詫びとお知らせ"
_LOWER = f"""\
■お客様へのお知らせとお願い
当社を差し出しとする疑わしいメールに書かれた、または添付されたアドレスには、アクセスしないようお願いいたします。
疑わしいメールが届いたときやご不明な点は、下の窓口までお問い合わせください。

■お問い合わせ先
<見本製作所 お客様相談窓口>
受付時間/24時間365日
電話/{_DESK}(フリーダイヤル)
"""
FIRST_TEXT = f"""\
2020.05.13 更新

このたび、当社に届いたフィッシングメールをきっかけとして、お客様とお取引先様のメールアドレスに流出の可能性があることが判明しました。

新しい不正な転送が起きないように対処するとともに、該当する可能性のある皆様には別途個別にご連絡しております。

なお、2020年5月13日現在、二次被害は確認されておりません。今後も全社で再発防止に取り組みます。

皆様にご迷惑をおかけしましたことを深くお詫び申し上げます。

■発生時期
2020年5月8日 17:05:54

■流出の可能性がある情報
お客様・お取引先様のメールアドレス
※そのほかは調査中です。詳しくは追ってこのページでご報告します。

{_LOWER}"""
SECOND_TEXT = f"""\
2020.05.15

2020年5月13日付のお知らせに続き、現時点で確認した内容を次のとおりご報告いたします。

フィッシングメールを受信された皆様にご迷惑をおかけしましたことを深くお詫び申し上げます。
全社をあげて再発防止に取り組んでまいります。

■発生状況
発生:2020年5月8日17:05:54
当社あてのフィッシングメールで社員1名が偽のサイトに誘導され、メールのIDとパスワードを盗取されました。
その後、このIDとパスワードで不正にアクセスされました。

発覚:2020年5月12日11:16:07
該当社員のアドレスから同じようなフィッシングメール1,220件が送信され、受信された方からの通報により発覚しました。

■不正にアクセスされたメールアカウント
当社購買部の部員 1名

■該当社員から送信されたフィッシングメールの件数
1,220件
※現時点では、送信先は法人のお客様とお取引先様であることが分かっております。

■対応状況
①不正にアクセスされたアカウントのパスワードを変更し、アクセスを遮断しました。
②1,220件のフィッシングメールの送信先の皆様に本件をご報告し、同様のメールが届いたら直ちに削除すること、開いたとしてもIDとパスワードを入力しないことをお願い申し上げました。
③公式ホームページにお詫びとお知らせを掲載しました。

{_LOWER}"""


def _time(day):
    return datetime.fromisoformat(day).replace(tzinfo=JST)


_OCCURRED = Said("occurred_at", "2020-05-08T17:05:54+09:00", "time")
_DAY_ONE = Said("report.1.date", "2020-05-13", "time")
_DESK_FACTS = (
    Said("desk.name", "見本製作所 お客様相談窓口"),
    Said("desk.phone", _DESK),
    Said("desk.hours", "24時間365日"),
)


def first():
    return Document(
        kind="bulletin",
        language="ja",
        subject=_TITLE,
        text=FIRST_TEXT,
        facts_used=[
            _OCCURRED,
            _DAY_ONE,
            Said("exposed.items", ["お客様・お取引先様のメールアドレス"], None, "suspected", _time("2020-05-13")),
            Said("secondary_damage", None, None, "not_confirmed", _time("2020-05-13")),
            *_DESK_FACTS,
        ],
        lure=Lure(account="buyer.one@example.test"),
    )


def second():
    return Document(
        kind="bulletin",
        language="ja",
        subject=f"{_TITLE}(第2報)",
        text=SECOND_TEXT,
        facts_used=[
            _OCCURRED,
            _DAY_ONE,
            Said("report.2.date", "2020-05-15", "time"),
            Said("report.number", 2, "report"),
            Said("discovered_at", "2020-05-12T11:16:07+09:00", "time"),
            Said("account.count", 1, "people"),
            Said("lure.sent_count", 1220, "mails"),
            *_DESK_FACTS,
        ],
        lure=Lure(account="buyer.one@example.test"),
        before=first(),
    )
