# SPDX-License-Identifier: Apache-2.0
"""A content filter: what goes through the queue twice is one mail, and what came of it is told by the second time."""

import pytest
from configuration import DOMAIN, LISTS
from scenes import ALICE, BOB, CAROL, DAVE, letter

TEAM = f"team@{DOMAIN}"
FRIEND, GONE = "friend@partner.example", "gone@partner.example"


@pytest.fixture(params=[True, False], ids=["xforward", "plain"])
def scene(request, scene):
    """A filter that passes on who the client was, and one that does not."""
    scene.server.filter.xforward = request.param
    yield scene
    scene.server.filter.reset()
    scene.server.filter.back = scene.server.ports["back"]


def test_a_filtered_mail_is_counted_once_with_its_final_fates(scene):
    scene.server.outside.answers[GONE] = "550 5.1.1 No such user"
    with scene.server.session(ALICE, "127.0.0.66", "filtered") as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND, GONE, BOB], letter("filtered", "the plan"))
    evidence = scene.read()
    found = evidence.message("filtered")
    assert (found["account"], found["client_ip"], found["queue_id"]) == (ALICE, "127.0.0.66", receipt.queue_id)
    assert (found["nrcpt"], found["subject"], found["cut"]) == (3, "the plan", None)
    assert evidence.fates("filtered") == {FRIEND: "delivered", GONE: "bounced", BOB: "delivered"}
    assert sorted(evidence.rows("messages", "direction")) == [("notification",), ("submitted",)]
    assert len(evidence.table("signins")) == 1


def test_a_list_is_expanded_before_the_filter(scene):
    with scene.server.session(ALICE, port="filtered") as smtp:
        smtp.hand_in(ALICE, [TEAM], letter("to the team"))
    evidence = scene.read()
    assert evidence.fates("to the team") == {FRIEND: "delivered", BOB: "delivered", CAROL: "delivered"}
    assert [row["direction"] for row in evidence.table("messages")] == ["submitted"]


def test_what_the_filter_refuses_has_bounced(scene):
    scene.server.filter.verdict = lambda _: "554 5.7.0 Reject, id=1-01 - INFECTED: Eicar"
    with scene.server.session(ALICE, port="filtered") as smtp:
        smtp.hand_in(ALICE, [FRIEND], letter("infected"))
    scene.server.settle()
    assert scene.server.outside.mails == []
    scene.server.filter.verdict = lambda _: None
    assert scene.read().fates("infected") == {FRIEND: "bounced"}


def test_what_the_filter_swallows_has_reached_nobody(scene):
    scene.server.filter.verdict = lambda _: "250 2.7.0 Ok, discarded, id=1-01 - SPAM"
    with scene.server.session(ALICE, port="filtered") as smtp:
        smtp.hand_in(ALICE, [FRIEND], letter("swallowed"))
    assert scene.read().fates("swallowed")[FRIEND] != "delivered"


def test_what_waits_behind_the_filter_is_deferred(scene):
    scene.server.outside.answers[GONE] = "451 4.7.1 Later"
    with scene.server.session(ALICE, port="filtered") as smtp:
        smtp.hand_in(ALICE, [GONE, FRIEND], letter("waits"))
    evidence = scene.read()
    assert evidence.fates("waits") == {GONE: "deferred", FRIEND: "delivered"}
    assert evidence.message("waits")["cut"] == "end"


def test_many_mails_at_once_find_their_own_way_through_the_filter(scene):
    asked = {f"m{number}": f"person{number}@partner.example" for number in range(20)}
    with scene.server.session(ALICE, port="filtered") as smtp:
        for name, address in asked.items():
            smtp.hand_in(ALICE, [address], letter(name))
    evidence = scene.read()
    assert {name: evidence.fates(name) for name in asked} == {
        name: {address: "delivered"} for name, address in asked.items()
    }


def test_mails_of_the_same_message_id_stay_apart(scene):
    with scene.server.session(ALICE, port="filtered") as smtp:
        for number in range(5):
            smtp.hand_in(ALICE, [f"person{number}@partner.example"], letter("the same"))
    evidence = scene.read()
    assert [row["direction"] for row in evidence.table("messages")] == ["submitted"] * 5
    assert evidence.rows("deliveries", "address", "status") == [
        (f"person{number}@partner.example", "delivered") for number in range(5)
    ]
    assert len({row["message_key"] for row in evidence.table("deliveries")}) == 5


def test_a_mail_without_a_message_id_goes_through_the_filter_too(scene):
    with scene.server.session(ALICE, "127.0.0.66", "filtered") as smtp:
        for number in range(3):
            smtp.hand_in(ALICE, [f"person{number}@partner.example"], b"Subject: no name\r\n\r\nHello\r\n")
    evidence = scene.read()
    assert evidence.rows("messages", "account", "client_ip", "message_id") == [(ALICE, "127.0.0.66", None)] * 3
    assert evidence.rows("deliveries", "address", "status") == [
        (f"person{number}@partner.example", "delivered") for number in range(3)
    ]


def test_a_filter_may_hand_back_a_mail_in_parts(scene):
    scene.server.filter.split = True
    with scene.server.session(ALICE, "127.0.0.66", "filtered") as smtp:
        smtp.hand_in(ALICE, [FRIEND, "other@partner.example", BOB], letter("parts"))
    evidence = scene.read()
    assert evidence.rows("messages", "account", "direction") == [(ALICE, "submitted")]
    assert evidence.rows("deliveries", "address", "status") == [
        (BOB, "delivered"),
        (FRIEND, "delivered"),
        ("other@partner.example", "delivered"),
    ]


def test_a_list_is_expanded_behind_the_filter(scene):
    scene.server.filter.back = scene.server.ports["back_last"]
    with scene.server.session(ALICE, port="filtered_first") as smtp:
        smtp.hand_in(ALICE, [TEAM, DAVE, "other@partner.example"], letter("to the team"))
    evidence = scene.read()
    assert evidence.fates("to the team") == dict.fromkeys(
        (FRIEND, BOB, CAROL, DAVE, "dave@home.example", "other@partner.example"), "delivered"
    )
    assert [row["direction"] for row in evidence.table("messages")] == ["submitted"]


def test_a_list_that_local_expands_behind_the_filter(scene):
    with scene.server.session(ALICE, "127.0.0.66", "filtered") as smtp:
        smtp.hand_in(ALICE, [f"staff@{LISTS}", FRIEND], letter("to the staff"))
    evidence = scene.read()
    assert evidence.fates("to the staff") == dict.fromkeys((BOB, "everybody@partner.example", FRIEND), "delivered")
    assert evidence.rows("messages", "account", "client_ip") == [(ALICE, "127.0.0.66")]


def test_a_mail_that_is_filtered_before_the_queue_is_its_senders(scene):
    with scene.server.session(ALICE, "127.0.0.66", "proxied") as smtp:
        smtp.hand_in(ALICE, [FRIEND, BOB], letter("one"))
        smtp.hand_in(ALICE, [FRIEND], letter("two"))
    evidence = scene.read()
    assert len(evidence.table("messages")) == 2
    assert evidence.fates("one") == {FRIEND: "delivered", BOB: "delivered"}
    found = [evidence.message(name) for name in ("one", "two")]
    assert [(row["account"], row["client_ip"], row["direction"]) for row in found] == [
        (ALICE, "127.0.0.66", "submitted"),
        (ALICE, "127.0.0.66", "submitted"),
    ]
    assert found[0]["session"] == found[1]["session"]
    assert evidence.rows("signins", "account", "ip") == [(ALICE, "127.0.0.66")]
