# SPDX-License-Identifier: Apache-2.0
"""A case folder as an investigation leaves it, made in a moment: incidents in the ledger, recipients.csv, a timeline."""

import json

import pytest

from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import Draft, open_store
from hikeshi.cases.store.facts import Fact, correct, record

TAKEN = "rin@works.example"
FIRST, LAST = "2026-03-02T17:05:54+09:00", "2026-03-02T17:40:00+09:00"
#: what a person enters before letters can be written, in both languages
ENTERED = {
    "org.name": "日の出工業株式会社",
    "org.name.en": "Hinode Works",
    "org.sender": "notice@works.example",
    "org.home": "日の出工業の公式ホームページ",
    "org.home.en": "the home page of Hinode Works",
    "org.public_page": "重要なお知らせ",
    "org.public_page.en": "Important notices",
    "org.zone": "Asia/Tokyo",
    "occurred_at": FIRST,
    "occurred_at.meaning": "不審なメールの送信が始まった日時",
    "occurred_at.meaning.en": "when the deceptive emails began to be sent",
    "discovered_at": "2026-03-03T11:16:07+09:00",
    "discovery.channel": "受信された方からのご連絡",
    "discovery.channel.en": "recipients told us",
    "cause": "社員1名が偽のサイトに誘導され、メールのIDとパスワードを窃取されました",
    "cause.en": "an employee was led to a fake site, where the mail ID and password were stolen",
    "measures.done": ["メールアカウントのパスワードを変更し、すべてのセッションを無効にしました"],
    "measures.done.en": ["We changed the password of the mailbox and ended all its sessions"],
    "desk.name": "お客様相談窓口",
    "desk.name.en": "Customer desk",
    "desk.phone": "0120-000-000",
    "desk.hours": "24時間365日(日本時間)",
    "desk.hours.en": "24 hours a day, every day (JST)",
}


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def store(case):
    with open_store(case) as store:
        yield store


@pytest.fixture
def investigated(store, case):
    """Leave a case whose incident reached these: investigated(("a@x.example", 1, "delivered"), …); give the incident's id."""

    def leave(*rows, verdict="takeover", status="confirmed", account=TAKEN, also=(), counted=None):
        incident = {
            "id": f"{account}/1",
            "account": account,
            "verdict": verdict,
            "first_message_at": FIRST,
            "last_message_at": LAST,
            "addresses": len(rows) if counted is None else counted,
            "subjects": [],
            "foothold": {"also": list(also)},
        }
        store.append(Draft("investigation", {"incidents": [incident], "org_domains": ["works.example"]}))
        record(store, [Fact(f"incident/{incident['id']}/verdict", verdict, None, "suspected")])
        if status != "suspected":
            correct(
                store, f"incident/{incident['id']}/verdict", verdict, who="Rin", why="she was called", status=status
            )
        header = ("incident", "address", "domain", "messages", "status", "first_time", "last_time", "provenance")
        cells = [(1, to, to.rpartition("@")[2], copies, fate, FIRST, FIRST, "mail.log#1") for to, copies, fate in rows]
        CaseFolder(case).write_csv("recipients.csv", header, cells)
        (case / "timeline.jsonl").write_text(json.dumps({"message": "none"}) + "\n")
        return incident["id"]

    return leave


@pytest.fixture
def entered(store):
    """Enter what letters need, but for the keys that are named."""

    def enter(*without, **more):
        for key, value in {**ENTERED, **more}.items():
            if key not in without and key.removesuffix(".en") not in without:
                correct(store, key, value, who="Rin", why="sample")
        if "secondary_damage" not in without:
            correct(store, "secondary_damage", None, who="Rin", why="nobody has reported any", status="not_confirmed")

    return enter


@pytest.fixture
def brought(store, case, tmp_path):
    """Bring a list in: brought("exposed", text)."""

    def bring(name, text):
        from hikeshi.notify.lists import bring_in  # noqa: PLC0415 - only tests of lists need it

        file = tmp_path / f"{name}.csv"
        file.write_text(text, encoding="utf-8")
        return bring_in(store, case, name, file, who="Rin", why="from the mailbox")

    return bring
