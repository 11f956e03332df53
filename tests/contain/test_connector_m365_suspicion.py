# SPDX-License-Identifier: Apache-2.0
"""Which rules serve the intruder, rule by rule, in both languages; and that honest rules stay."""

from datetime import UTC, datetime

import pytest

from hikeshi.contain.connectors.m365.rules import content
from hikeshi.contain.connectors.m365.suspicion import judge
from hikeshi.contain.contract import Target

SINCE = datetime(2026, 11, 2, tzinfo=UTC)
TARGET = Target(
    "anna@example.test", SINCE, SINCE, own_domains=("example.test", "example.co.test"), forwards=("ben@example.test",)
)
FOLDERS = {
    "rss": "rss フィード",
    "history": "conversation history",
    "archive": "archive",
    "deleted": "削除済みアイテム",
    "hidden": "x (hidden)",
    "project": "project x",
}


def rule(name="r", conditions=None, **actions):
    return {"id": "1", "displayName": name, "isEnabled": True, "conditions": conditions, "actions": actions}


def to(*addresses):
    return [{"emailAddress": {"address": one, "name": one}} for one in addresses]


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (rule(forwardTo=to("x@evil.example")), "outside"),
        (rule(redirectTo=to("a@example.test", "x@evil.example")), "x@evil.example, outside"),
        (rule(forwardAsAttachmentTo=to("x@example.test.evil.example")), "outside"),
        (rule(forwardTo=to("x@notexample.test")), "outside"),
        (rule(forwardTo=to("Ben@Example.Test")), "was seen going"),
        (rule(moveToFolder="rss"), "where nobody looks"),
        (rule(moveToFolder="history", conditions={"senderContains": ["boss"]}), "where nobody looks"),
        (rule(moveToFolder="hidden", conditions={"senderContains": ["boss"]}), "where nobody looks"),
        (rule(delete=True), "all mail"),
        (rule(permanentDelete=True, conditions={"hasAttachments": False, "subjectContains": []}), "all mail"),
        (rule(moveToFolder="archive", markAsRead=True), "all mail"),
        (rule(delete=True, conditions={"bodyOrSubjectContains": ["Phishing"]}), "Phishing"),
        (rule(moveToFolder="archive", conditions={"subjectContains": ["RE: invoice"]}), "RE: invoice"),
        (rule(moveToFolder="deleted", conditions={"subjectContains": ["不審なメール"]}), "不審なメール"),
        (rule(markAsRead=True, conditions={"subjectContains": ["パスワード"]}), "パスワード"),
        (rule(delete=True, conditions={"fromAddresses": to("mailer-daemon@example.test")}), "mailer-daemon"),
        (rule(name="..", delete=True), "its name says nothing"),
    ],
)
def test_a_rule_of_the_intruder(bad, reason):
    verdict = judge(bad, FOLDERS, TARGET)
    assert verdict.suspicious
    assert reason in verdict.why["en"]
    assert verdict.why["ja"]


@pytest.mark.parametrize(
    "honest",
    [
        rule(moveToFolder="project", conditions={"subjectContains": ["project x"]}),
        rule(moveToFolder="project", conditions={"subjectContains": ["password"]}),
        rule(moveToFolder="archive", conditions={"fromAddresses": to("news@example.org")}),
        rule(moveToFolder="archive", conditions={"subjectContains": ["store: offers"]}),
        rule(moveToFolder="deleted", conditions={"subjectContains": ["hackathon"]}),
        rule(delete=True, conditions={"subjectContains": ["[SPAM]"]}),
        rule(delete=True, conditions={"senderContains": ["casino"]}),
        rule(markAsRead=True),
        rule(forwardTo=to("chie@example.co.test", "d@mail.example.test")),
        rule(name=".", markAsRead=True, conditions={"senderContains": ["casino"]}),
        rule(assignCategories=["red"]),
    ],
)
def test_a_rule_of_the_owner(honest):
    verdict = judge(honest, FOLDERS, TARGET)
    assert not verdict.suspicious
    assert verdict.why["en"]


def test_the_accounts_own_domain_is_inside_even_if_the_case_names_none():
    target = Target("anna@example.test", SINCE, SINCE)
    assert not judge(rule(forwardTo=to("b@example.test")), {}, target).suspicious
    assert judge(rule(forwardTo=to("b@example.org")), {}, target).suspicious


def test_a_recipient_without_an_address_is_for_people_to_look_at():
    unclear = {"forwardTo": [{"emailAddress": {"name": "Old Contact"}}]}
    verdict = judge({"displayName": "r", "actions": unclear}, {}, TARGET)
    assert not verdict.suspicious
    assert "Old Contact" in verdict.why["en"]


def test_content_is_the_same_however_emptiness_is_written():
    short = rule(delete=True, conditions={"subjectContains": ["x"]})
    long = rule(delete=True, markAsRead=False, moveToFolder=None, forwardTo=[], conditions={"subjectContains": ["x"]})
    other = rule(delete=True, conditions={"subjectContains": ["y"]})
    assert content(short) == content(long | {"id": "2", "sequence": 7, "hasError": False})
    assert content(short) != content(other)
    assert content(rule(forwardTo=to("A@x.test"))) == content(
        rule(forwardTo=[{"emailAddress": {"address": "a@X.test", "name": "Resolved Name"}}])
    )
