# SPDX-License-Identifier: Apache-2.0
"""Mail that is held: neither lost nor sent, until somebody releases it."""

import pytest
from conftest import ALICE, BOB, letter, running

BUSY, FRIEND = "busy@partner.example", "friend@partner.example"


def test_a_mail_that_is_held_on_its_way_in_is_held(scene):
    with scene.server.session(ALICE, "127.0.0.66") as smtp:
        smtp.hand_in(ALICE, [FRIEND, BOB], letter("waits", "please hold this"))
    evidence = scene.read()
    found = evidence.message("waits")
    assert (found["held"], found["accepted"], found["cut"]) == (True, True, "end")
    assert (found["account"], found["client_ip"], found["direction"]) == (ALICE, "127.0.0.66", "submitted")
    assert "delivered" not in evidence.fates("waits").values()
    assert scene.server.outside.mails == []


def test_a_mail_that_is_released_goes_its_way(scene):
    with scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND, BOB], letter("waited", "please hold this"))
    scene.server.settle()
    assert scene.server.queued()[receipt.queue_id] == "hold"
    scene.server.release(receipt.queue_id)
    evidence = scene.read()
    found = evidence.message("waited")
    assert (found["held"], found["accepted"], found["cut"], found["nrcpt"]) == (False, True, None, 2)
    assert evidence.fates("waited") == {FRIEND: "delivered", BOB: "delivered"}


def test_what_was_not_delivered_when_it_was_held_is_held(scene):
    scene.server.outside.answers[BUSY] = "451 4.7.1 Later"
    with scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND, BUSY], letter("stopped"))
    scene.server.settle()
    scene.server.hold(receipt.queue_id)
    evidence = scene.read()
    assert evidence.fates("stopped") == {FRIEND: "delivered", BUSY: "held"}
    assert evidence.message("stopped")["held"]
    scene.server.outside.answers.clear()
    scene.server.release(receipt.queue_id)
    evidence = scene.read()
    assert evidence.fates("stopped") == {FRIEND: "delivered", BUSY: "delivered"}
    assert not evidence.message("stopped")["held"]


def test_a_held_mail_that_is_deleted_is_held_no_more(scene):
    with scene.server.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND], letter("binned", "please hold this"))
    scene.server.settle()
    scene.server.command("postsuper", "-d", receipt.queue_id)
    evidence = scene.read()
    assert not evidence.message("binned")["held"]
    assert "delivered" not in evidence.fates("binned").values()


@pytest.fixture(scope="module")
def watched():
    """A host that holds everything of an account, as `contain` does it."""
    with running(submission={"smtpd_sender_restrictions": f"check_sasl_access inline:{{ {{{ALICE} = HOLD case 12}} }}"}) as server:
        yield server


def test_a_mail_of_an_account_whose_mail_is_held_is_held(watched, scene_of):
    scene = scene_of(watched)
    with watched.session(ALICE, "127.0.0.66") as smtp:
        smtp.hand_in(ALICE, [FRIEND, BOB], letter("one"))
        smtp.hand_in(ALICE, [FRIEND], letter("two"))
    with watched.session(BOB) as smtp:
        smtp.hand_in(BOB, [FRIEND], letter("three"))
    scene.logs()
    assert sorted(watched.queued().values()) == ["hold", "hold"]
    evidence = scene.read()
    assert sorted(row["message_id"] or "" for row in evidence.table("messages")) == [
        "one@pc.example.test",
        "three@pc.example.test",
        "two@pc.example.test",
    ]
    assert [evidence.message(name)["held"] for name in ("one", "two", "three")] == [True, True, False]
