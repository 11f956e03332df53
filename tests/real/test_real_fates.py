# SPDX-License-Identifier: Apache-2.0
"""What became of every address: delivered, bounced, deferred, expired, and the notices that go back."""

import pytest
from scenes import ALICE, BOB, letter, named

GONE, BUSY, FRIEND = "gone@partner.example", "busy@partner.example", "friend@partner.example"
NO_SUCH_USER = "550 5.1.1 <gone@partner.example>: Recipient address rejected: No such user (in partner.example), sorry"
TRY_LATER = "451 4.7.1 Greylisted, try again in 300 seconds"


@pytest.fixture
def scene(scene):
    scene.server.outside.answers.update({GONE: NO_SUCH_USER, BUSY: TRY_LATER})
    return scene


def test_every_address_has_its_own_fate(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [FRIEND, GONE, BUSY, BOB], letter("mixed"))
    evidence = scene.read()
    assert evidence.fates("mixed") == {FRIEND: "delivered", GONE: "bounced", BUSY: "deferred", BOB: "delivered"}
    found = evidence.deliveries("mixed")
    assert {address: row["dsn"] for address, row in found.items()} == {
        FRIEND: "2.0.0",
        GONE: "5.1.1",
        BUSY: "4.7.1",
        BOB: "2.0.0",
    }
    assert NO_SUCH_USER in found[GONE]["reason"]
    assert TRY_LATER in found[BUSY]["reason"]
    assert evidence.message("mixed")["cut"] == "end"


def test_a_bounce_goes_back_to_the_sender_as_a_notification(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [GONE], letter("in vain"))
    evidence = scene.read()
    (notice,) = [row for row in evidence.table("messages") if row["direction"] == "notification"]
    assert (notice["mail_from"], notice["account"], notice["client_ip"], notice["accepted"]) == ("", None, None, True)
    deliveries = [row for row in evidence.table("deliveries") if row["message_key"] == notice["message_key"]]
    assert [(row["address"], row["status"]) for row in deliveries] == [(ALICE, "delivered")]
    assert evidence.message("in vain")["cut"] is None
    assert [row["message_id"] for row in evidence.table("messages") if row["direction"] == "submitted"] == [
        named("in vain")
    ]


def test_a_bounce_to_an_outside_sender_is_not_submitted_either(scene):
    scene.server.outside.answers["dave@home.example"] = NO_SUCH_USER
    scene.server.receive(FRIEND, ["dave@example.test"], letter("forwarded in vain"))
    evidence = scene.read()
    assert evidence.fates("forwarded in vain") == {"dave@example.test": "delivered", "dave@home.example": "bounced"}
    assert sorted(row["direction"] for row in evidence.table("messages")) == ["notification", "received"]


def test_what_is_deferred_and_delivered_later_is_delivered(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BUSY, FRIEND], letter("patience"))
    assert scene.read().fates("patience") == {BUSY: "deferred", FRIEND: "delivered"}
    del scene.server.outside.answers[BUSY]
    scene.server.flush()
    evidence = scene.read()
    found = evidence.deliveries("patience")
    assert {address: (row["status"], row["attempts"]) for address, row in found.items()} == {
        BUSY: ("delivered", 2),
        FRIEND: ("delivered", 1),
    }
    assert evidence.message("patience")["cut"] is None


def test_what_is_deferred_and_refused_later_is_bounced(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BUSY], letter("patience"))
    scene.server.settle()
    scene.server.outside.answers[BUSY] = "550 5.7.1 Enough"
    scene.server.flush()
    assert scene.read().fates("patience") == {BUSY: "bounced"}


def test_what_the_server_gives_up_has_expired(scene):
    with scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [BUSY, FRIEND], letter("too late"))
    scene.server.settle()
    scene.server.command("postsuper", "-f", receipt.queue_id)
    scene.server.flush()
    evidence = scene.read()
    assert evidence.fates("too late") == {BUSY: "expired", FRIEND: "delivered"}
    assert evidence.message("too late")["cut"] is None


def test_what_is_deleted_from_the_queue_reached_nobody_more(scene):
    with scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [BUSY, FRIEND], letter("pulled"))
    scene.server.settle()
    scene.server.command("postsuper", "-d", receipt.queue_id)
    evidence = scene.read()
    assert evidence.fates("pulled") == {BUSY: "deferred", FRIEND: "delivered"}
    assert evidence.message("pulled")["cut"] is None


def test_a_refusal_of_the_whole_mail_bounces_every_address(scene):
    scene.server.outside.refuse_content = "554 5.7.1 Spam"
    try:
        with scene.server.session(ALICE) as smtp:
            smtp.hand_in(ALICE, [FRIEND, "other@partner.example"], letter("spam"))
        evidence = scene.read()
    finally:
        scene.server.outside.refuse_content = None
    assert evidence.fates("spam") == {FRIEND: "bounced", "other@partner.example": "bounced"}


def test_the_fates_of_two_mails_to_one_address_stay_apart(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BUSY], letter("before"))
        scene.server.settle()
        scene.server.outside.answers.clear()
        smtp.hand_in(ALICE, [BUSY], letter("after"))
    evidence = scene.read()
    assert (evidence.fates("before"), evidence.fates("after")) == ({BUSY: "deferred"}, {BUSY: "delivered"})


def test_a_confirmation_that_was_asked_for_is_a_notification(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.mail(ALICE)
        smtp.rcpt(BOB, ["NOTIFY=SUCCESS"])
        smtp.data(letter("confirm"))
    evidence = scene.read()
    assert evidence.fates("confirm") == {BOB: "delivered"}
    assert sorted(evidence.rows("messages", "direction", "mail_from")) == [("notification", ""), ("submitted", ALICE)]


@pytest.mark.parametrize("order", ["reject this", "discard this"])
def test_what_the_header_checks_stop_reaches_nobody(scene, order):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [FRIEND], letter("stopped", f"please {order}"))
        smtp.hand_in(ALICE, [FRIEND], letter("passed"))
    evidence = scene.read()
    assert [row["message_id"] for row in evidence.table("messages") if row["accepted"]] == [named("passed")]
    assert evidence.rows("deliveries", "address", "status") == [(FRIEND, "delivered")]


def test_a_mail_that_is_queued_anew_is_one_mail_of_its_sender(scene):
    with scene.server.session(ALICE, "127.0.0.66") as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND, BUSY], letter("anew"))
    scene.server.settle()
    scene.server.outside.answers.clear()
    scene.server.command("postsuper", "-r", receipt.queue_id)
    scene.server.wake()
    evidence = scene.read()
    assert evidence.rows("messages", "account", "client_ip", "direction") == [(ALICE, "127.0.0.66", "submitted")]
    assert evidence.fates("anew") == {FRIEND: "delivered", BUSY: "delivered"}
