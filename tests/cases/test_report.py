# SPDX-License-Identifier: Apache-2.0
"""The report page: whole, quiet, in both languages, and nothing from a log can break it."""

import base64
import hashlib
import re
from datetime import datetime, timedelta
from html.parser import HTMLParser
from typing import Any

import pytest

from hikeshi.cases import report
from hikeshi.cases.report import cut, many, nats, number, percent, render

BUYER = "buyer@hinode-works.example"
FIRST = datetime.fromisoformat("2020-05-08T17:05:54+09:00")
LAST = datetime.fromisoformat("2020-05-08T19:34:53+09:00")
HOSTILE = "<script>alert(1)</script>\"'&\u202egpj.exe\x00\udcff"
WEIGHTS = ("new place", "new recipients", "nobody twice", "same content", "pace", "many recipients", "bounces")


def recipients(count: int) -> list[dict[str, Any]]:
    statuses = ["delivered"] * 1128 + ["bounced"] * 78 + ["deferred"] * 14
    gap = (LAST - FIRST) / 1219
    return [
        {
            "address": f"person{number:04d}@partner{number % 299:03d}.example",
            "domain": f"partner{number % 299:03d}.example",
            "messages": 1,
            "status": statuses[(number * 7) % 1220],
            "first_time": (FIRST + number % 1220 * gap).isoformat(timespec="microseconds"),
            "last_time": (FIRST + number % 1220 * gap).isoformat(timespec="microseconds"),
        }
        for number in range(count)
    ]


def series() -> dict[str, Any]:
    """Eight or nine mails a minute for two and a half hours, and the clerk's own mails of three days."""
    points: dict[datetime, list[int]] = {}
    for number in range(1220):
        minute = (FIRST + number * (LAST - FIRST) / 1219).replace(second=0, microsecond=0)
        points.setdefault(minute, [0, 0])[0] += 1
    for day in range(6, 9):
        for number in range(23):
            minute = FIRST.replace(day=day, hour=9, minute=0, second=0) + timedelta(minutes=(number * 53 + day) % 510)
            points.setdefault(minute, [0, 0])[1] += 1 + number % 2
    return {"step_seconds": 60, "points": [[time.isoformat(), *counts] for time, counts in sorted(points.items())]}


def signins() -> list[dict[str, Any]]:
    office = [
        {"time": FIRST.replace(day=day, hour=8, minute=52).isoformat(), "place": "192.0.2.10", "protocol": "imap"}
        for day in range(6, 9)
    ] + [
        {"time": FIRST.replace(day=day, hour=13, minute=4).isoformat(), "place": "192.0.2.10", "protocol": "imap"}
        for day in range(6, 9)
    ]
    strange = [
        {"time": (FIRST + timedelta(minutes=minute)).isoformat(), "place": "203.0.113.77", "protocol": "smtp"}
        for minute in (-9, -8, -6, -1, 20, 61, 110)
    ]
    return [one | {"outcome": "success", "foreign": False} for one in office] + [
        one | {"outcome": "failure" if number < 2 else "success", "foreign": True} for number, one in enumerate(strange)
    ]


def takeover() -> dict[str, Any]:
    return {
        "account": BUYER,
        "verdict": "takeover",
        "status": "suspected",
        "first_message_at": FIRST.isoformat(),
        "last_message_at": LAST.isoformat(),
        "alarmed_at": (FIRST + timedelta(seconds=15)).isoformat(),
        "messages": 1220,
        "messages_before_alarm": 3,
        "addresses": 1220,
        "domains": 299,
        "people": 1218,
        "delivered": 1128,
        "bounced": 78,
        "deferred": 14,
        "expired": 0,
        "held": 0,
        "unknown": 0,
        "internal": 0,
        "outside": 1220,
        "freemail": 37,
        "company_domains": 294,
        "known_before": 211,
        "client_ips": ["203.0.113.77"],
        "sessions": ["a1", "a2", "a3", "a4", "a5"],
        "subjects": ["【重要】お支払い条件の変更について（ご確認のお願い）"],
        "weights": [
            {"name": name, "nats": value}
            for name, value in zip(WEIGHTS, (3.7, 6.9, 1.1, 4.4, 2.9, 0.0, -0.4), strict=True)
        ],
        "hands": [
            {
                "kind": "new place",
                "nats": 3.7,
                "says": {
                    "en": "sent from 203.0.113.77, where this account had never sent from before",
                    "ja": "このアカウントが一度も送信に使ったことのない場所（203.0.113.77）から送信されています",
                },
            },
            {
                "kind": "nothing else from there",
                "nats": 0.7,
                "says": {
                    "en": "nothing but these mails came from there, before or since",
                    "ja": "そこからは、これらのメール以外は前にも後にも送られていません",
                },
            },
        ],
        "threshold": 14.2,
        "score": 5219.6,
        "mails_bound": 2.4,
        "bounds": {},
        "origin": [
            {
                "store": "address book of buyer@",
                "entries": 1310,
                "addresses": 1196,
                "share": 0.9803,
                "order": 0.99,
                "order_by_chance": 0.06,
                "says": {
                    "en": "1,196 of the 1,220 addresses stand in the mailbox's address book, and the mails follow its order",
                    "ja": "宛先1,220件のうち1,196件はメールボックスのアドレス帳にあり、送信順もその並びと一致します",
                },
            },
            {
                "store": "global address list",
                "entries": 84,
                "addresses": 0,
                "share": 0.0,
                "order": None,
                "order_by_chance": None,
                "says": {
                    "en": "none of the addresses stand in the global address list",
                    "ja": "全社のアドレス一覧には、該当する宛先がありません",
                },
            },
        ],
        "series": series(),
        "signins": signins(),
        "recipients": recipients(1220),
        "top_domains": [
            {"domain": f"partner{number:03d}.example", "addresses": 25 - 2 * number, "delivered": 24 - 2 * number}
            for number in range(8)
        ],
    }


def bulk() -> dict[str, Any]:
    return takeover() | {
        "account": "soumu@hinode-works.example",
        "verdict": "unusual-bulk",
        "messages": 42,
        "messages_before_alarm": 6,
        "addresses": 42,
        "domains": 40,
        "people": 42,
        "delivered": 41,
        "bounced": 1,
        "deferred": 0,
        "outside": 40,
        "internal": 2,
        "freemail": 1,
        "company_domains": 38,
        "known_before": 9,
        "first_message_at": "2020-05-07T10:00:01+09:00",
        "last_message_at": "2020-05-07T10:19:44+09:00",
        "alarmed_at": "2020-05-07T10:03:12+09:00",
        "client_ips": ["192.0.2.10"],
        "sessions": ["b1"],
        "subjects": ["夏季休業のお知らせ"],
        "hands": [],
        "score": 61.3,
        "mails_bound": None,
        "bounds": {
            "messages": [42, None, "the log ends while mails were still going out"],
            "addresses": [42, 45, "3 recipients that the queue manager counted have no delivery line in the log"],
        },
        "origin": [],
        "series": {
            "step_seconds": 60,
            "points": [[f"2020-05-07T10:{minute:02d}:00+09:00", 2 + minute % 2, 0] for minute in range(20)],
        },
        "signins": [],
        "recipients": recipients(42),
        "top_domains": [],
    }


def document() -> dict[str, Any]:
    return {
        "schema": "hikeshi.case/1",
        "inputs": [
            {
                "path": f"/srv/logs/mail.log.{number}.gz",
                "sha256": hashlib.sha256(bytes([number])).hexdigest(),
                "source": "postfix+dovecot",
                "records": 400_000 + number,
                "taken": 151_204,
                "skipped": 248_796,
                "set_aside": number,
            }
            for number in range(3)
        ],
        "coverage": [
            {
                "source": "postfix",
                "host": "mx1",
                "first": "2020-04-05T15:00:02+00:00",
                "last": "2020-05-12T04:10:00+00:00",
                "records": 980_121,
                "gaps": [
                    {
                        "first": "2020-04-20T00:00:00+00:00",
                        "last": "2020-04-20T05:00:00+00:00",
                        "why": "no records, where this log usually has about 812",
                    }
                ],
            },
            {
                "source": "dovecot",
                "host": "mx1",
                "first": "2020-04-05T15:00:11+00:00",
                "last": "2020-05-12T04:09:50+00:00",
                "records": 219_882,
                "gaps": [],
            },
        ],
        "incidents": [],
        "findings": [],
    }


def view(*incidents: dict[str, Any]) -> dict[str, Any]:
    return {
        "title": "株式会社日の出ワークス／Hinode Works",
        "made_at": "2020-05-12T13:20:00+09:00",
        "zone": "Asia/Tokyo",
        "zone_note": {
            "en": "assumed from this machine, because the logs do not state one.",
            "ja": "ログに時間帯の記載がないため、この端末の設定から仮定しています。",
        },
        "org_domains": ["hinode-works.example"],
        "document": document(),
        "incidents": list(incidents),
        "findings": [
            {
                "kind": "new-place",
                "account": BUYER,
                "time": "2020-05-08T16:56:54+09:00",
                "says": {
                    "en": "2 failed sign-ins, then a success from 203.0.113.77",
                    "ja": "203.0.113.77からサインインに2回失敗したのち、成功しています",
                },
                "count": 3,
                "evidence": ["mail.log.1#120331", "mail.log.1#120340"],
            }
        ],
        "unknowns": [
            {
                "en": "Whether mails in the mailbox were read is not known: the logs hold no record of reading.",
                "ja": "メールボックス内のメールが読まれたかどうかは分かりません。閲覧の記録がログにないためです。",
            }
        ],
        "norm": {
            "accounts": 80,
            "account_days": 2960.0,
            "mails": 52_110,
            "days": 37.0,
            "false_alarms": "1/100000",
            "threshold": 14.2,
        },
    }


def hostile() -> dict[str, Any]:
    """Every text that a log or a file name can bring, as bad as it can be."""
    long = HOSTILE + "x" * 5000
    says = {"en": long, "ja": long}
    incident = takeover() | {
        "account": HOSTILE,
        "client_ips": [HOSTILE] * 30,
        "sessions": [HOSTILE],
        "subjects": [long, *[HOSTILE] * 12],
        "weights": [{"name": HOSTILE, "nats": -3.0}],
        "hands": [{"kind": HOSTILE, "nats": 1.0, "says": says}],
        "bounds": {"messages": [1220, None, HOSTILE], HOSTILE: [1, 2, {"en": HOSTILE, "ja": HOSTILE}]},
        "origin": [takeover()["origin"][0] | {"store": long, "says": says}],
        "signins": [one | {"place": HOSTILE, "protocol": HOSTILE, "outcome": HOSTILE} for one in signins()],
        "recipients": [one | {"address": long, "domain": HOSTILE, "status": HOSTILE} for one in recipients(60)],
        "top_domains": [{"domain": long, "addresses": 3, "delivered": 2}],
    }
    page = view(incident) | {
        "title": HOSTILE,
        "zone": HOSTILE,
        "zone_note": says,
        "org_domains": [HOSTILE],
        "unknowns": [says],
        "findings": [
            {"kind": HOSTILE, "account": long, "time": None, "says": says, "count": 1, "evidence": [long] * 9}
        ],
    }
    page["document"]["inputs"][0] |= {"path": long, "sha256": HOSTILE, "source": HOSTILE}
    page["document"]["coverage"][0] |= {"source": HOSTILE, "host": HOSTILE}
    page["document"]["coverage"][0]["gaps"][0]["why"] = HOSTILE
    return page


PAGES = {
    "founding": lambda: view(takeover()),
    "bulk": lambda: view(bulk()),
    "both": lambda: view(bulk(), takeover()),
    "empty": lambda: view(),
    "hostile": hostile,
}
