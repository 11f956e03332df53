# SPDX-License-Identifier: Apache-2.0
"""The founding case's facts of May 2020 as they were known on each day. Facts carry over, sentences do not.

Its public text names no time zone: that all of it is Japan's time is an assumption, which stands as a fact of its own.
"""

from datetime import datetime

from hikeshi.cases.store.facts import Fact, record
from hikeshi.publish.bulletin.compose import compose
from hikeshi.publish.bulletin.released import approve, bulletins, keep, release
from hikeshi.wording.facts import Facts

ACCOUNT = "purchasing@maker.example"
INCIDENT = f"incident/{ACCOUNT}/1"
FIRST = datetime.fromisoformat("2020-05-13T18:00:00+09:00")
SECOND = datetime.fromisoformat("2020-05-15T18:00:00+09:00")
OCCURRED = "2020-05-08T17:05:54+09:00"
DISCOVERED = "2020-05-12T11:16:07+09:00"
PHONE = "0120-964-998"
MEANS_NOTHING = "unspecified"


def _known(key, value, at, status="confirmed", unit=None):
    return Fact(key, value, unit, status, as_of=at, provenance="external")


#: what the first report had: no discovery, no counts
OF_THE_FIRST = (
    _known("org.name", "マウスコンピューター", FIRST),
    _known("org.name.en", "MouseComputer", FIRST),
    _known("org.zone", "Asia/Tokyo", FIRST, "suspected"),
    _known("org.public_page", "重要なお知らせ", FIRST),
    _known("incident.label", "標的型攻撃メール(フィッシングメール)", FIRST),
    _known("incident.label.en", "phishing emails sent in our name", FIRST),
    _known("occurred_at", OCCURRED, FIRST, unit="time"),
    _known("occurred_at.meaning", MEANS_NOTHING, FIRST),
    _known("exposed.items", ["お客様・お取引先様のメールアドレス"], FIRST, "suspected"),
    _known("exposed.items.en", ["email addresses of customers and partners"], FIRST, "suspected"),
    _known("secondary_damage", False, FIRST, "not_confirmed"),
    _known("measures.done", ["新たな不正転送が生じないよう対処しました。", "個別の連絡を進めています。"], FIRST),
    _known(
        "measures.done.en",
        [
            "We have taken steps against new unauthorised forwarding.",
            "We have notified, and are still notifying, those concerned one by one.",
        ],
        FIRST,
    ),
    _known("desk.name", "お客様相談窓口", FIRST),
    _known("desk.name.en", "Customer Desk", FIRST),
    _known("desk.phone", PHONE, FIRST),
    _known("desk.hours", "24時間365日", FIRST),
    _known("desk.hours.en", "24 hours a day, 365 days a year", FIRST),
)
#: what the second report had beside it
OF_THE_SECOND = (
    _known("discovered_at", DISCOVERED, SECOND, unit="time"),
    _known("discovery.channel", "受信者からの通報", SECOND),
    _known("discovery.channel.en", "recipients told us", SECOND),
    _known("incident.vector", "社員1名が偽のサイトへ誘導され、メールのIDとパスワードを盗取されました。", SECOND),
    _known("incident.vector.en", "An employee was led to a fake site, where mail ID and password were taken.", SECOND),
    _known("account.count", 1, SECOND, unit="accounts"),
    _known("account.role", "購買部部員", SECOND),
    _known("account.role.en", "member of the purchasing department", SECOND),
    _known("recipients.kind", "法人のお客様・お取引先様", SECOND),
    _known("recipients.kind.en", "corporate customers and partners", SECOND),
    _known(
        "measures.done",
        [
            "不正アクセスを受けたアカウントのパスワードを変更し、不正アクセスを遮断しました。",
            "送信先のお客様・お取引先様へ、削除と、IDとパスワードを入力しないことを個別にお願いしました。",
            "2020年5月13日、公式Webページでのお知らせを始めました。",
        ],
        SECOND,
    ),
    _known(
        "measures.done.en",
        [
            "We changed the password of the account and cut off the unauthorised access.",
            "We told the destinations one by one to delete the emails and never to enter an ID or a password.",
            "We opened a notice on the official web page on 13 May 2020.",
        ],
        SECOND,
    ),
)
#: the one count that the second report gave: mails, and nothing else
SENT = _known(f"{INCIDENT}/messages", 1220, SECOND, unit="mails")
#: what the text does not say and nobody may fill in
NEVER_KNOWN = (
    "lure.subject",
    "lure.url",
    "exposed.persons",
    "exposed.organisations",
    "exposed.period",
    "contained_at",
    "authority.reports",
    "report.next_date",
    "measures.planned",
)


def enter_first(store):
    record(store, OF_THE_FIRST)


def enter_second(store, *more):
    record(store, (*OF_THE_SECOND, *more))


def released(store):
    """Draw and release both reports as of their days; give them as they stand in the ledger."""
    enter_first(store)
    for stage, at in (("first", FIRST), ("second", SECOND)):
        if stage == "second":
            enter_second(store, SENT)
        one = compose(store, Facts.of(store), bulletins(store), stage=stage, as_of=at)
        keep(store, one)
        approve(store, one, who="Rin Mori", why="read it word by word")
        release(store, who="Rin Mori", at=at)
    return [one.bulletin for one in bulletins(store).released]
