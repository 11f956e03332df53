# SPDX-License-Identifier: Apache-2.0
"""A content filter: what goes through the queue twice is one mail, and what came of it is told by the second time."""

import pytest
from conftest import ALICE, BOB, CAROL, FORWARDS, letter, running
from servers import DOMAIN

FRIEND, GONE = "friend@partner.example", "gone@partner.example"


@pytest.fixture(scope="module", params=[True, False], ids=["xforward", "plain"])
def filtered(request):
    with running(filtered="after", xforward=request.param, forwards=FORWARDS) as server:
        yield server


@pytest.fixture
def scene(filtered, scene_of):
    yield scene_of(filtered)
    filtered.filter.verdict = lambda _: None
    filtered.outside.answers.clear()
    filtered.empty()


def test_a_filtered_mail_is_counted_once_with_its_final_fates(scene):
    scene.server.outside.answers[GONE] = "550 5.1.1 No such user"
    with scene.server.session(ALICE, "127.0.0.66") as smtp:
        receipt = smtp.hand_in(ALICE, [FRIEND, GONE, BOB], letter("filtered", "the plan"))
    evidence = scene.read()
    found = evidence.message("filtered")
    assert (found["account"], found["client_ip"], found["queue_id"]) == (ALICE, "127.0.0.66", receipt.queue_id)
    assert (found["nrcpt"], found["subject"], found["cut"]) == (3, "the plan", None)
    assert evidence.fates("filtered") == {FRIEND: "delivered", GONE: "bounced", BOB: "delivered"}
    assert sorted(evidence.rows("messages", "direction")) == [("notification",), ("submitted",)]
    assert len(evidence.table("signins")) == 1


def test_a_list_is_expanded_before_the_filter(scene):
    team = f"team@{DOMAIN}"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [team], letter("to the team"))
    evidence = scene.read()
    assert evidence.fates("to the team") == {FRIEND: "delivered", BOB: "delivered", CAROL: "delivered"}
    assert [row["direction"] for row in evidence.table("messages")] == ["submitted"]


def test_what_the_filter_refuses_has_bounced(scene):
    scene.server.filter.verdict = lambda _: "554 5.7.0 Reject, id=1-01 - INFECTED: Eicar"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [FRIEND], letter("infected"))
    scene.server.settle()
    assert scene.server.outside.mails == []
    scene.server.filter.verdict = lambda _: None
    assert scene.read().fates("infected") == {FRIEND: "bounced"}


def test_what_the_filter_swallows_has_reached_nobody(scene):
    scene.server.filter.verdict = lambda _: "250 2.7.0 Ok, discarded, id=1-01 - SPAM"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [FRIEND], letter("swallowed"))
    assert scene.read().fates("swallowed")[FRIEND] != "delivered"


def test_what_waits_behind_the_filter_is_deferred(scene):
    scene.server.outside.answers[GONE] = "451 4.7.1 Later"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [GONE, FRIEND], letter("waits"))
    evidence = scene.read()
    assert evidence.fates("waits") == {GONE: "deferred", FRIEND: "delivered"}
    assert evidence.message("waits")["cut"] == "end"


def test_many_mails_at_once_find_their_own_way_through_the_filter(scene):
    asked = {f"m{number}": f"person{number}@partner.example" for number in range(20)}
    with scene.server.session(ALICE) as smtp:
        for name, address in asked.items():
            smtp.hand_in(ALICE, [address], letter(name))
    evidence = scene.read()
    assert {name: evidence.fates(name) for name in asked} == {
        name: {address: "delivered"} for name, address in asked.items()
    }


def test_mails_of_the_same_message_id_stay_apart(scene):
    with scene.server.session(ALICE) as smtp:
        for number in range(5):
            smtp.hand_in(ALICE, [f"person{number}@partner.example"], letter("the same"))
    evidence = scene.read()
    assert [row["direction"] for row in evidence.table("messages")] == ["submitted"] * 5
    assert evidence.rows("deliveries", "address", "status") == [
        (f"person{number}@partner.example", "delivered") for number in range(5)
    ]
    assert len({row["message_key"] for row in evidence.table("deliveries")}) == 5


@pytest.fixture(scope="module")
def late_expansion():
    with running(
        filtered="after", forwards=FORWARDS, submission={"receive_override_options": "no_address_mappings"},
        back={"receive_override_options": "no_unknown_recipient_checks"},
    ) as server:  # fmt: skip
        yield server


def test_a_list_is_expanded_behind_the_filter(late_expansion, scene_of):
    scene = scene_of(late_expansion)
    with late_expansion.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [f"team@{DOMAIN}"], letter("to the team"))
    evidence = scene.read()
    assert evidence.fates("to the team") == {FRIEND: "delivered", BOB: "delivered", CAROL: "delivered"}
    assert [row["direction"] for row in evidence.table("messages")] == ["submitted"]


@pytest.fixture(scope="module", params=[True, False], ids=["xforward", "plain"])
def proxied(request):
    with running(filtered="before", xforward=request.param) as server:
        yield server


def test_a_mail_that_is_filtered_before_the_queue_is_its_senders(proxied, scene_of):
    scene = scene_of(proxied)
    with proxied.session(ALICE, "127.0.0.66") as smtp:
        smtp.hand_in(ALICE, [FRIEND, BOB], letter("one"))
        smtp.hand_in(ALICE, [FRIEND], letter("two"))
    evidence = scene.read()
    assert len(evidence.table("messages")) == 2
    assert evidence.fates("one") == {FRIEND: "delivered", BOB: "delivered"}
    found = evidence.message("one")
    assert (found["account"], found["client_ip"], found["direction"]) == (ALICE, "127.0.0.66", "submitted")
