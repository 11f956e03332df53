# SPDX-License-Identifier: Apache-2.0
"""Mail that is held: neither lost nor sent, until somebody releases it."""

from scenes import ALICE, BOB, EVE, letter

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


def test_a_mail_of_an_account_whose_mail_is_held_is_held(scene):
    """As `contain` stops an account; Postfix has no queue id yet when it says so."""
    with scene.server.session(EVE, "127.0.0.66") as smtp:
        smtp.hand_in(EVE, [FRIEND, BOB], letter("one"))
        smtp.hand_in(EVE, [FRIEND], letter("two"))
    with scene.server.session(BOB) as smtp:
        smtp.hand_in(BOB, [FRIEND], letter("three"))
    scene.server.settle()
    assert sorted(scene.server.queued().values()) == ["hold", "hold"]
    evidence = scene.read()
    found = [evidence.message(name) for name in ("one", "two", "three")]
    assert [row["held"] for row in found] == [True, True, False]
    assert [row["accepted"] for row in found] == [True, True, True]
    assert len(evidence.table("messages")) == 3


def test_a_mail_of_such_an_account_that_is_released_is_delivered(scene):
    with scene.server.session(EVE, "127.0.0.66") as smtp:
        receipt = smtp.hand_in(EVE, [FRIEND, BOB], letter("let go"))
    scene.server.settle()
    scene.server.release(receipt.queue_id)
    evidence = scene.read()
    assert evidence.fates("let go") == {FRIEND: "delivered", BOB: "delivered"}
    assert not evidence.message("let go")["held"]


def test_a_mail_of_such_an_account_that_is_refused_at_its_end_is_refused_and_not_held(scene):
    with scene.server.session(EVE, "127.0.0.66") as smtp:
        receipt = smtp.hand_in(EVE, [FRIEND], letter("bad", "please reject this"))
    assert receipt.code == 550
    (found,) = scene.read().table("messages")  # refused before its Message-ID was read
    assert (found["direction"], found["accepted"], found["held"]) == ("refused", False, False)
    assert (found["account"], found["client_ip"], found["mail_from"]) == (EVE, "127.0.0.66", EVE)
    assert found["subject"].startswith("header Subject: please reject this from ")
    assert found["subject"].endswith(": 5.7.1 We do not like it")
    assert scene.server.queued() == {}


def test_a_mail_of_such_an_account_that_is_given_up_was_not_handed_in(scene):
    with scene.server.session(EVE) as smtp:
        smtp.mail(EVE)
        smtp.rcpt(FRIEND)
        smtp.rset()
    assert {(row["accepted"], row["held"]) for row in scene.read().table("messages")} <= {(False, False)}


def test_a_mail_without_a_name_is_held_all_the_same(scene):
    with scene.server.session(EVE) as smtp:
        smtp.hand_in(EVE, [FRIEND], b"From: somebody\r\nSubject: hello\r\n\r\nyours\r\n")
    evidence = scene.read()
    assert evidence.rows("messages", "account", "accepted", "held") == [(EVE, True, True)]
