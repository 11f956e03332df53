# SPDX-License-Identifier: Apache-2.0
"""Lists and forwards: one mail, and the addresses that it really went to."""

from configuration import DOMAIN, LISTS
from scenes import ALICE, BOB, CAROL, DAVE, letter

TEAM = f"team@{DOMAIN}"


def test_a_list_is_expanded_to_its_members(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [TEAM], letter("to the team"))
    evidence = scene.read()
    found = evidence.deliveries("to the team")
    assert {address: (row["orig_to"], row["status"]) for address, row in found.items()} == {
        BOB: (TEAM, "delivered"),
        CAROL: (TEAM, "delivered"),
        "friend@partner.example": (TEAM, "delivered"),
    }
    assert evidence.message("to the team")["nrcpt"] == 3


def test_a_forward_reaches_the_mailbox_and_the_other_address(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [DAVE], letter("to dave"))
    evidence = scene.read()
    found = evidence.deliveries("to dave")
    assert {address: row["status"] for address, row in found.items()} == {
        DAVE: "delivered",
        "dave@home.example": "delivered",
    }
    assert found["dave@home.example"]["orig_to"] == DAVE


def test_who_is_addressed_twice_is_one_address(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [TEAM, "friend@partner.example", BOB], letter("twice"))
    assert scene.read().fates("twice") == {
        BOB: "delivered",
        CAROL: "delivered",
        "friend@partner.example": "delivered",
    }


def test_a_list_that_local_expands_is_one_mail_with_its_members(scene):
    staff = f"staff@{LISTS}"
    with scene.server.session(ALICE, "127.0.0.9") as smtp:
        smtp.hand_in(ALICE, [staff, "friend@partner.example"], letter("to the staff"))
    evidence = scene.read()
    assert evidence.fates("to the staff") == {
        BOB: "delivered",
        "everybody@partner.example": "delivered",
        "friend@partner.example": "delivered",
    }
    assert evidence.rows("messages", "account", "client_ip", "direction") == [(ALICE, "127.0.0.9", "submitted")]


def test_a_member_of_a_list_that_cannot_be_reached_has_bounced(scene):
    scene.server.outside.answers["everybody@partner.example"] = "550 5.1.1 No such user"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [f"staff@{LISTS}"], letter("half"))
    evidence = scene.read()
    assert evidence.fates("half") == {BOB: "delivered", "everybody@partner.example": "bounced"}
    assert sorted(evidence.rows("messages", "direction")) == [("notification",), ("submitted",)]
