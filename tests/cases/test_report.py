# SPDX-License-Identifier: Apache-2.0
"""The report page: whole, quiet, in both languages, and nothing from a log can break it."""

import base64
import hashlib
import re
from datetime import datetime, timedelta
from functools import cache
from html.parser import HTMLParser
from typing import Any

import pytest

from hikeshi.cases import report
from hikeshi.cases.report import cut, many, nats, percent, render

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
        "foothold": {
            "since": (FIRST - timedelta(minutes=6)).isoformat(),
            "also": ["mei@hinode-works.example"],
            "forwards": ["collect@far.example"],
            "copies": {"mei@hinode-works.example": ["a@x.example"], "rin@hinode-works.example": ["b@x.example"]},
        },
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
        "foothold": {"since": "2020-05-07T10:00:01+09:00", "also": [], "forwards": [], "copies": {}},
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
        "changes": [{"key": f"incident/{BUYER}/1/messages", "before": 1100, "after": 1220, "unit": "mails"}],
        "corrections": [
            {
                "key": f"incident/{BUYER}/1/messages",
                "value": 1219,
                "computed": 1220,
                "status": "confirmed",
                "who": "Aoi",
                "why": "one was the owner's own",
            }
        ],
        "ledger": {"entries": 42, "head": hashlib.sha256(b"head").hexdigest()},
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
        "foothold": takeover()["foothold"] | {"also": [long], "forwards": [HOSTILE] * 30, "copies": {long: [HOSTILE]}},
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
    page["document"]["changes"][0] |= {"key": long, "before": HOSTILE, "after": [HOSTILE]}
    page["document"]["ledger"]["head"] = HOSTILE
    page["document"]["corrections"][0] |= dict.fromkeys(("key", "value", "computed", "status", "who", "why"), long)
    page["document"]["coverage"][0]["gaps"][0]["why"] = HOSTILE
    return page


PAGES = {
    "founding": lambda: view(takeover()),
    "bulk": lambda: view(bulk()),
    "both": lambda: view(bulk(), takeover()),
    "empty": view,
    "hostile": hostile,
}


class Page(HTMLParser):
    """A page as its reader gets it: every text with the language that it stands in, and every tag."""

    VOID = frozenset({"meta", "input", "br", "link"})

    def __init__(self, text: str) -> None:
        super().__init__()
        self.stack: list[tuple[str, dict[str, str | None], list[tuple[str, str]]]] = [("", {}, [])]
        self.texts: list[tuple[str, str, tuple[str, ...]]] = []
        self.tags: list[tuple[str, dict[str, str | None]]] = []
        self.siblings: list[list[tuple[str, str]]] = []
        self.feed(text)
        self.close()

    def handle_starttag(self, tag, attrs):
        values = dict(attrs)
        self.tags.append((tag, values))
        if tag in self.VOID:
            return
        if values.get("lang") and tag != "html":
            self.stack[-1][2].append((values["lang"] or "", ""))
        self.stack.append((tag, values, []))

    def handle_endtag(self, tag):
        name, _, inside = self.stack.pop()
        assert name == tag, f"<{name}> closed by </{tag}>"
        if inside:
            self.siblings.append(inside)

    def handle_startendtag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        if data.strip():
            self.texts.append((data, self.lang(), tuple(entry[0] for entry in self.stack)))
            for depth, (_, values, _) in enumerate(self.stack):
                if values.get("lang") and depth and self.stack[depth - 1][2]:
                    lang, text = self.stack[depth - 1][2][-1]
                    self.stack[depth - 1][2][-1] = (lang, text + data)

    def lang(self) -> str:
        marked = [values["lang"] or "" for tag, values, _ in self.stack if "lang" in values and tag != "html"]
        return marked[-1] if marked else ""

    def words(self, lang: str) -> str:
        """Give what a reader of one language reads, in one line."""
        return re.sub(
            r"\s+",
            " ",
            "".join(
                text for text, own, path in self.texts if own in (lang, "") and not {"style", "script"} & set(path)
            ),
        )


parsed = cache(Page)


@pytest.fixture(scope="module")
def pages() -> dict[str, str]:
    return {name: render(made()) for name, made in PAGES.items()}


@pytest.fixture(params=PAGES)
def page(request, pages) -> str:
    return pages[request.param]


@pytest.fixture(params=["founding", "bulk", "both", "empty"])
def plain(request, pages) -> Page:
    return parsed(pages[request.param])


def big_numbers(html: str) -> list[str]:
    cells = re.findall(r'<dd class="big">(.*?)</dd>', html, re.DOTALL)
    return [re.sub(r"<small>.*?</small>", "", cell).strip() for cell in cells]


def test_page_asks_nothing_of_the_network(page):
    for tag, values in parsed(page).tags:
        assert tag not in {"link", "img", "iframe", "object", "embed", "base", "form", "video", "audio", "use", "image"}
        for name in ("src", "href", "xlink:href", "action", "data", "poster", "srcset", "background"):
            assert values.get(name, "#").startswith("#")
    assert not re.search(r"url\s*\(|@import|https?:", page, re.IGNORECASE)


def test_policy_allows_our_style_and_script_and_nothing_else(page):
    policy = next(
        values["content"] for _, values in parsed(page).tags if values.get("http-equiv") == "Content-Security-Policy"
    )
    allowed = dict(rule.strip().split(" ", 1) for rule in policy.split(";"))
    for name in ("style", "script"):
        (text,) = re.findall(rf"<{name}>(.*?)</{name}>", page, re.DOTALL)
        digest = base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
        assert allowed.pop(f"{name}-src") == f"'sha256-{digest}'"
    assert allowed == {"default-src": "'none'", "base-uri": "'none'", "form-action": "'none'"}


def test_no_inline_style_or_handler_that_the_policy_would_refuse(page):
    for _, values in parsed(page).tags:
        assert "style" not in values
        assert not [name for name in values if name.startswith("on")]


def test_hostile_texts_stay_texts(pages):
    html = pages["hostile"]
    html.encode("utf-8")
    assert html.count("<script") == 1
    assert "alert(1)" in html
    assert "<script>alert" not in html
    assert not re.search("[\x00-\x08\x0b-\x1f\u202a-\u202e\u2066-\u2069\ud800-\udfff]", html)
    assert "⟨U+202E⟩gpj.exe⟨U+0000⟩⟨U+DCFF⟩" in html
    assert [tag for tag, _ in parsed(html).tags].count("script") == 1


def test_endless_texts_are_cut_and_say_so(pages):
    assert "x" * 401 not in pages["hostile"]
    assert cut("y" * 1000, 400) == "y" * 400 + "… (+600)"
    assert cut("short") == "short"
    assert cut(None) == "–"


def test_every_sentence_stands_in_both_languages(plain):
    loose = {
        text
        for text, lang, path in plain.texts
        if not lang
        and not {"bdi", "code", "time", "script", "style", "title"} & set(path)
        and re.search(r"[^\W\d_]", text)
    }
    assert loose == set()


def test_languages_come_in_pairs(plain):
    assert len(plain.siblings) > 20
    for inside in plain.siblings:
        assert [lang for lang, _ in inside] == ["en", "ja"] * (len(inside) // 2), inside
        for (_, en), (_, ja) in zip(inside[::2], inside[1::2], strict=True):
            assert bool(en.strip()) == bool(ja.strip())


def test_japanese_is_japanese(plain):
    for text, lang, path in plain.texts:
        if lang == "ja" and not {"bdi", "code"} & set(path) and len(re.findall(r"[A-Za-z]", text)) > 20:
            assert re.search(r"[ぁ-んァ-ヶ一-龯]", text), text


def test_ids_are_unique_and_all_references_hit(page):
    tags = parsed(page).tags
    ids = [values["id"] for _, values in tags if "id" in values]
    assert len(ids) == len(set(ids))
    for _, values in tags:
        for name in ("aria-labelledby", "for"):
            assert set((values.get(name) or "").split()) <= set(ids)
        if (values.get("href") or "").startswith("#"):
            assert values["href"][1:] in ids


def test_founding_case_in_one_sentence(pages):
    page = parsed(pages["founding"])
    assert (
        "Somebody other than its owner appears to have sent 1,220 mails from buyer@hinode-works.example to 1,220 addresses, "
        "on 8 May 2020 from 17:05:54 to 19:34:53; the alarm comes with mail no. 3."
    ) in page.words("en")
    assert (
        "buyer@hinode-works.example から、本来の利用者ではない第三者が、2020年5月8日 17:05:54から19:34:53までの間に、"
        "1,220通のメールを1,220件の宛先へ送信した疑いがあります。警報が出るのは3通目です。"
    ) in page.words("ja")


def test_big_numbers_are_the_views(pages):
    assert big_numbers(pages["founding"]) == ["1,220", "1,220", "299", "1,128", "14"]
    assert big_numbers(pages["bulk"]) == ["42", "42", "40", "41", "0"]
    assert big_numbers(pages["empty"]) == []


def test_every_count_of_the_view_is_on_the_page():
    counts = {
        "messages": 2001,
        "addresses": 2111,
        "domains": 303,
        "people": 2099,
        "delivered": 1004,
        "bounced": 505,
        "deferred": 306,
        "expired": 107,
        "held": 108,
        "unknown": 81,
        "internal": 110,
        "outside": 2001,
        "freemail": 112,
        "company_domains": 213,
        "known_before": 114,
    }
    html = render(view(takeover() | counts))
    words = parsed(html).words("en")
    assert big_numbers(html) == ["2,001", "2,111", "303", "1,004", f"{306 + 108 + 81:,}"]
    for status, word in (("delivered", "Delivered"), ("bounced", "Bounced"), ("expired", "Given up"), ("held", "Held")):
        assert re.search(rf"{word}\s*{counts[status]:,}\s*{percent(counts[status] / 2111)}", words)
    facts = dict(re.findall(r"<dt>([\d,]+)</dt><dd><span lang=\"en\">(.*?)</span>", html))
    assert [*facts] == ["2,001", "110", "213", "112", "114", "1,997"]
    assert "2,099 people" in words
    assert "213 of outside organisations" in words
    assert "306 deferred, 108 held, 81 unknown" in words


def test_status_parts_of_the_bar_follow_the_counts(pages):
    (bar,) = re.findall(r'<svg class="stacked".*?</svg>', pages["founding"])
    assert re.findall(r'class="(s-\w+)"', bar) == ["s-delivered", "s-deferred", "s-bounced"]


def test_weights_threshold_score_and_bound_are_told(pages):
    words = parsed(pages["founding"]).words("en")
    assert re.findall(r'<span class="nats">([+−]?[\d.]+)</span>', pages["founding"]) == [
        *("+3.7", "+6.9", "+1.1", "+4.4", "+2.9", "0.0", "−0.4")
    ]
    assert "An alarm is given above 14.2 nats; the highest score here is 5,219.6." in words
    assert "one false alarm in 100,000 account-days, which for the 80 accounts here is one in 3.4 years" in words
    assert "No detector with this false-alarm rate can, on average, be faster than 2.4 mails; this one took 3." in words


def test_unknown_bound_is_said_to_be_unknown(pages):
    words = parsed(pages["bulk"]).words("en")
    assert "How fast an alarm could be at best cannot be said here. This one took 6 mails." in words


def test_unusual_bulk_accuses_nobody(pages):
    words = parsed(pages["bulk"]).words("en")
    assert "nothing says that it was not the owner" in words
    assert "Ask the sender first" in words
    assert "Somebody other than its owner" not in words
    assert "suspected" not in words
    assert "第三者が、" not in parsed(pages["bulk"]).words("ja")


def test_uncertain_counts_say_at_least_and_why(pages):
    page = parsed(pages["bulk"])
    assert "at least 42 mails to at least 42 addresses" in page.words("en")
    assert "mails: at least 42, at most not known. the log ends while mails were still going out." in page.words("en")
    assert "少なくとも42通のメールが少なくとも42件の宛先へ" in page.words("ja")
    assert "多くて45件です。配信記録のない宛先が3件あります" in page.words("ja")
    assert pages["bulk"].count("<small><span") == 2


def test_empty_view_is_calm_and_proves_nothing(pages):
    words = parsed(pages["empty"]).words("en")
    assert "Nothing in these logs crossed the threshold." in words
    assert "52,110 mails sent by 80 accounts, in records from 6 Apr 2020 00:00:02 to 12 May 2020 13:10:00" in words
    assert "This is not proof that nothing happened." in words


def test_empty_in_every_respect_still_renders():
    page = view() | {"unknowns": [], "findings": [], "org_domains": []}
    page["document"] |= {"inputs": [], "coverage": []}
    page["norm"] |= {"accounts": 0, "account_days": 0, "mails": 0, "days": 0}
    words = parsed(render(page)).words("en")
    assert "0 records = 0 taken + 0 skipped + 0 set aside" in words
    assert "No open question is on record." in words


def test_worst_incident_comes_first(pages):
    html = pages["both"]
    assert "2 accounts crossed the threshold" in html
    assert html.index('id="incident-1"') < html.index('class="incident bulk" id="incident-2"')
    assert '<a href="#incident-1"><bdi>buyer@hinode-works.example</bdi></a>' in html


@pytest.mark.parametrize(
    ("status", "en", "ja"),
    [
        ("confirmed", "Somebody other than its owner sent", "送信したことを確認しています"),
        ("not_confirmed", "It is not confirmed that", "確認されていません"),
        ("ruled_out", "It has been ruled out that", "可能性は否定されています"),
        ("unknown", "It is not known whether", "分かっていません"),
    ],
)
def test_headline_follows_the_status(status, en, ja):
    page = parsed(render(view(takeover() | {"status": status})))
    assert en in page.words("en")
    assert ja in page.words("ja")


def test_conservation_is_shown_and_its_breach_shouted():
    kept, broken = view(), view()
    broken["document"]["inputs"][0]["taken"] -= 1
    assert "1,200,003 records = 453,612 taken + 746,388 skipped + 3 set aside" in parsed(render(kept)).words("en")
    words = parsed(render(broken)).words("en")
    assert "1,200,003 records ≠ 453,611 taken" in words
    assert "Do not rely on this page." in words


def test_inputs_problems_and_unreadable_files_are_told():
    page = view()
    page["document"]["inputs"][0] |= {
        "source": None,
        "problems": ["truncated gzip: its end is missing; what is there was read"],
    }
    page["document"]["unreadable"] = [{"path": "/srv/logs/locked.log", "reason": "permission denied"}]
    shown = parsed(render(page))
    assert page["document"]["inputs"][1]["sha256"] in shown.words("en")
    assert "truncated gzip: its end is missing" in shown.words("en")
    assert "gzipの圧縮データの末尾が欠けています" in shown.words("ja")
    assert "/srv/logs/locked.log: permission denied" in shown.words("en")


def test_gaps_stand_among_what_is_not_known_in_the_zone_of_the_page(pages):
    assert (
        "postfix (mx1): from 20 Apr 2020 09:00:00 to 20 Apr 2020 14:00:00. no records, where this log usually has about 812."
    ) in parsed(pages["empty"]).words("en")
    assert "通常は約812件の記録がある時間帯に、記録がありません" in parsed(pages["empty"]).words("ja")


@pytest.mark.parametrize(("count", "folded"), [(50, False), (51, True)])
def test_long_lists_are_folded(count, folded):
    html = render(view(takeover() | {"recipients": recipients(count)}))
    assert ('<details class="recipients">' in html) is folded
    assert ("not printed here" in html) is folded
    assert html.count("@partner") >= count


def test_more_recipients_than_shown_are_announced():
    words = parsed(render(view(takeover() | {"recipients_more": 7000}))).words("en")
    assert "8,220 addresses" in words
    assert "The first 1,220 stand here; 7,000 more are in recipients.csv." in words


def test_five_thousand_recipients_all_stand_there():
    html = render(view(takeover() | {"recipients": recipients(5000)}))
    assert html.count("<tr><td><bdi>person") == 5000


def test_origin_unknown_is_said(pages):
    assert "Not known. No address book or mailbox" in parsed(pages["bulk"]).words("en")
    words = parsed(pages["founding"]).words("en")
    assert "Explains 1,196 of 1,220, holds 1,310. Order 0.99, by chance up to ±0.06." in words
    assert "Explains 0 of 1,220, holds 84." in words


def test_many_findings_are_cut_with_a_note():
    page = view()
    page["findings"] = page["findings"] * 201
    words = parsed(render(page)).words("en")
    assert words.count("2 failed sign-ins, then a success") == 200
    assert "all 201 are in findings.csv" in words


def test_an_incident_is_not_told_again_as_a_finding():
    page = view(takeover())
    page["findings"] = [page["findings"][0] | {"kind": "takeover"}]
    assert "2 failed sign-ins, then a success" not in render(page)
    page["findings"][0]["account"] = "other@hinode-works.example"
    assert "2 failed sign-ins, then a success" in render(page)


def test_quicker_than_the_mean_is_explained():
    words = parsed(render(view(takeover() | {"mails_bound": 4.1}))).words("en")
    assert "faster than 4.1 mails; this one took 3. That is a statement about the average" in words


def test_too_few_addresses_say_nothing_about_order():
    few = takeover()["origin"][0] | {"addresses": 4, "order": 0.4, "order_by_chance": 1.13}
    words = parsed(render(view(takeover() | {"origin": [few]}))).words("en")
    assert "Too few to tell an order from chance." in words
    assert "1.13" not in words


def test_findings_lead_back_to_their_records(pages):
    assert "<code>mail.log.1#120331</code>, <code>mail.log.1#120340</code>" in pages["founding"]


def test_a_full_list_of_signins_is_said_to_be_cut():
    words = parsed(render(view(takeover() | {"signins": signins()[:1] * 400}))).words("en")
    assert "At least 400 sign-ins from 1 place" in words
    assert "show only the first 400 sign-ins; all are in timeline.jsonl." in words


def test_zone_without_a_name_falls_back_to_the_offset():
    html = render(view(takeover()) | {"zone": "UTC+09:00"})
    assert "on 8 May 2020 from 17:05:54 to 19:34:53" in parsed(html).words("en")


def test_short_incident_gets_a_close_up_and_a_long_one_does_not(pages):
    assert "Close up." in pages["founding"]
    assert "Close up." not in pages["bulk"]
    assert pages["founding"].count('<svg class="timeline"') == 4
    assert pages["bulk"].count('<svg class="timeline"') == 2


def test_script_free_page_shows_english_and_hides_the_filter(pages):
    html = pages["founding"]
    assert 'id="lang-en" checked' in html
    assert '<html lang="en">' in html
    assert '<div class="filter" hidden>' in html


class TestWords:
    def test_numbers(self):
        assert report.number(1234567) == "1,234,567"
        assert [many(1, "mail"), many(2, "mail"), many(2, "address", "addresses")] == [
            "1 mail",
            "2 mails",
            "2 addresses",
        ]

    def test_nats(self):
        assert [nats(3.66), nats(-0.42), nats(0.04), nats(-0.04), nats(1234.5)] == [
            "+3.7",
            "−0.4",
            "0.0",
            "0.0",
            "+1,234.5",
        ]

    def test_shares_are_whole_only_when_they_are(self):
        shares = [percent(share) for share in (0, 0.0004, 0.5, 0.925, 0.9996, 1)]
        assert shares == ["0%", "<0.1%", "50%", "92.5%", ">99.9%", "100%"]

    def test_spans_over_midnight_name_both_days(self):
        when = report._When(FIRST.tzinfo)
        later = (FIRST + timedelta(days=3, hours=18, minutes=10, seconds=13)).isoformat()
        assert when.span(FIRST.isoformat(), later, "en") == "from 8 May 2020 17:05:54 to 12 May 2020 11:16:07"
        assert when.span(FIRST.isoformat(), later, "ja") == "2020年5月8日 17:05:54から2020年5月12日 11:16:07まで"
        assert when.lasting(FIRST.isoformat(), later, "en") == "3 d 18 h 10 min 13 s"
        assert when.lasting(FIRST.isoformat(), later, "ja") == "3日18時間10分13秒"
        assert when.lasting(later, later, "ja") == "1秒未満"

    def test_missing_times_are_said(self):
        when = report._When(FIRST.tzinfo)
        assert [when.short(None), when.full(None, "en"), when.full(None, "ja")] == ["–", "not known", "不明"]

    def test_reasons(self):
        reason = report._Reason(FIRST.tzinfo)
        hole = "the log has a hole from 2020-05-08T08:00:00+00:00 to 2020-05-08T09:00:00+00:00 (no records)"
        assert reason(hole, "en") == "the log has a hole from 2020-05-08 17:00:00 to 2020-05-08 18:00:00 (no records)"
        assert (
            reason(hole, "ja") == "ログに2020-05-08 17:00:00から2020-05-08 18:00:00までの欠落があります（no records）"
        )
        assert reason({"en": "a", "ja": "い"}, "ja") == "い"

    @pytest.mark.parametrize("stated", ["", "often", "0/100", "1/"])
    def test_rate_that_is_no_rate_is_left_out(self, stated):
        page = view(takeover())
        page["norm"]["false_alarms"] = stated
        assert "account-days, which" not in render(page)
