# SPDX-License-Identifier: Apache-2.0
"""Who handed in what, from where and to whom, as real Postfix logs it."""

import pytest
from clients import Sender
from configuration import DOMAIN
from scenes import ALICE, BOB, CAROL, letter, named


def test_a_mail_is_read_with_all_that_the_server_knows_of_it(scene):
    with scene.server.session(ALICE, "127.0.0.5") as smtp:
        receipt = smtp.hand_in(ALICE, ["friend@partner.example"], letter("m1", "the plan"))
    evidence = scene.read()
    (sent,) = scene.server.outside.mails
    found = evidence.message("m1")
    assert scene.when(found.pop("time"))
    assert scene.when(found.pop("ended"))
    assert {name: found[name] for name in _KNOWN} == {
        "account": ALICE,
        "mail_from": ALICE,
        "client_ip": "127.0.0.5",
        "method": "PLAIN",
        "size": sent.size,
        "nrcpt": 1,
        "subject": "the plan",
        "direction": "submitted",
        "accepted": True,
        "held": False,
        "cut": None,
        "host": "mx",
        "instance": "postfix",
        "queue_id": receipt.queue_id,
        "zone": "Asia/Tokyo",
    }
    assert sent.size == len(sent.data)
    (delivery,) = evidence.table("deliveries")
    assert delivery["message_key"] == found["message_key"]
    assert {name: delivery[name] for name in ("address", "orig_to", "status", "dsn", "reason", "attempts")} == {
        "address": "friend@partner.example",
        "orig_to": None,
        "status": "delivered",
        "dsn": "2.0.0",
        "reason": "250 2.0.0 OK  00000001 outside",
        "attempts": 1,
    }


_KNOWN = (
    "account", "mail_from", "client_ip", "method", "size", "nrcpt", "subject", "direction", "accepted", "held", "cut",
    "host", "instance", "queue_id", "zone",
)  # fmt: skip


def test_mails_of_one_connection_share_a_session_and_other_connections_have_their_own(scene):
    """All of them come through one server process, within a second or two: the process number alone tells nothing."""
    for account, source, mechanism, names in (
        (ALICE, "127.0.0.5", "PLAIN", ("first", "second")),
        (ALICE, "127.0.0.6", "LOGIN", ("elsewhere",)),
        (BOB, "127.0.0.5", "PLAIN", ("bob's",)),
    ):
        with scene.server.session(account, source, mechanism=mechanism) as smtp:
            for name in names:
                smtp.hand_in(account, [CAROL], letter(name))
        scene.server.settle()
    evidence = scene.read()
    found = {name: evidence.message(name) for name in ("first", "second", "elsewhere", "bob's")}
    sessions = [row["session"] for row in found.values()]
    assert sessions[0] == sessions[1]
    assert len(set(sessions)) == 3
    assert [(row["account"], row["client_ip"], row["method"]) for row in found.values()] == [
        (ALICE, "127.0.0.5", "PLAIN"),
        (ALICE, "127.0.0.5", "PLAIN"),
        (ALICE, "127.0.0.6", "LOGIN"),
        (BOB, "127.0.0.5", "PLAIN"),
    ]
    assert evidence.rows("signins", "account", "ip", "protocol", "outcome", "method", "tries") == [
        (ALICE, "127.0.0.5", "smtp", "success", "PLAIN", 1),
        (ALICE, "127.0.0.6", "smtp", "success", "LOGIN", 1),
        (BOB, "127.0.0.5", "smtp", "success", "PLAIN", 1),
    ]
    assert {row["session"] for row in evidence.table("signins")} == set(sessions)


def test_connections_at_the_same_time_are_told_apart(scene):
    with (
        scene.server.session(ALICE, "127.0.0.5") as here,
        scene.server.session(ALICE, "127.0.0.66") as there,
    ):
        for number in range(3):
            here.hand_in(ALICE, [BOB], letter(f"here{number}"))
            there.hand_in(ALICE, [BOB], letter(f"there{number}"))
    evidence = scene.read()
    places = {(row["session"], row["client_ip"]) for row in evidence.table("messages")}
    assert len(places) == 2
    assert {evidence.message(f"there{number}")["client_ip"] for number in range(3)} == {"127.0.0.66"}


def test_a_long_list_of_recipients_is_one_mail_and_all_its_addresses(scene):
    addresses = [f"person{number:03d}@firm{number % 7}.example" for number in range(120)]
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, addresses, letter("circular"))
    evidence = scene.read()
    assert evidence.message("circular")["nrcpt"] == 120
    assert evidence.fates("circular") == dict.fromkeys(addresses, "delivered")
    assert len(evidence.table("messages")) == 1


def test_addresses_are_kept_as_written_save_for_the_case_of_the_domain(scene):
    asked = ["friend+tag@partner.example", "Friend@Partner.EXAMPLE", '"a, b>c"@partner.example', f"bob+work@{DOMAIN}"]
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, asked, letter("odd"))
    assert scene.read().fates("odd") == {
        "friend+tag@partner.example": "delivered",
        "Friend@partner.example": "delivered",
        '"a, b>c"@partner.example': "delivered",
        f"bob+work@{DOMAIN}": "delivered",
    }


@pytest.mark.parametrize(
    "subject",
    [
        "=?utf-8?B?44GK5pSv5omV44GE44Gu44GU5qGI5YaF?=",
        "hello from unknown[192.0.2.1]; from=<x@example.org> to=<y@example.org> proto=ESMTP helo=<z>",
        "warning: header Subject: twice",
    ],
)
def test_a_subject_is_kept_as_it_was_logged(scene, subject):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BOB], letter("subject", subject))
    assert scene.read().message("subject")["subject"] == subject


def test_refused_recipients_are_no_addresses_of_the_mail(scene):
    with scene.server.session(ALICE, "127.0.0.5") as smtp:
        receipt = smtp.hand_in(ALICE, [f"nobody@{DOMAIN}", BOB], letter("partly"))
        nowhere = smtp.hand_in(ALICE, [f"nobody@{DOMAIN}"], letter("not at all"))
    assert list(receipt.refused) == list(nowhere.refused) == [f"nobody@{DOMAIN}"]
    evidence = scene.read()
    assert evidence.message("partly")["nrcpt"] == 1
    assert evidence.fates("partly") == {BOB: "delivered"}
    assert evidence.rows("messages", "direction", "accepted", "mail_from", "client_ip") == [
        ("refused", False, ALICE, "127.0.0.5"),
        ("refused", False, ALICE, "127.0.0.5"),
        ("submitted", True, ALICE, "127.0.0.5"),
    ]


def test_nobody_relays_without_signing_in(scene):
    receipt = scene.server.receive("spam@bad.example", ["friend@partner.example"], letter("relayed"), "127.0.0.66")
    assert receipt.queue_id is None
    evidence = scene.read()
    assert evidence.rows("messages", "direction", "accepted", "account", "mail_from", "client_ip") == [
        ("refused", False, None, "spam@bad.example", "127.0.0.66")
    ]
    assert evidence.table("deliveries") == []


def test_mail_from_outside_is_received_and_submitted_by_nobody(scene):
    scene.server.receive("friend@partner.example", [BOB, CAROL], letter("inbound"), "127.0.0.25")
    evidence = scene.read()
    found = evidence.message("inbound")
    assert (found["direction"], found["account"], found["session"]) == ("received", None, None)
    assert (found["client_ip"], found["mail_from"], found["accepted"]) == ("127.0.0.25", "friend@partner.example", True)
    assert evidence.fates("inbound") == {BOB: "delivered", CAROL: "delivered"}
    assert evidence.table("signins") == []


def test_a_mail_that_is_broken_off_was_never_handed_in(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.mail(ALICE)
        smtp.rcpt(BOB)
        smtp.rset()
        smtp.hand_in(ALICE, [BOB], letter("second try"))
    evidence = scene.read()
    assert [row["message_id"] for row in evidence.table("messages") if row["accepted"]] == [named("second try")]
    assert evidence.rows("deliveries", "address", "status") == [(BOB, "delivered")]


def test_a_connection_that_breaks_within_a_mail_hands_in_nothing(scene):
    smtp = Sender(scene.server.ports["submission"], "127.0.0.66")
    smtp.sign_in(ALICE, scene.server.accounts[ALICE])
    smtp.mail(ALICE)
    smtp.rcpt(BOB)
    smtp.docmd("DATA")
    smtp.send(letter("half")[:60])
    smtp.close()
    with scene.server.session(BOB) as smtp:
        smtp.hand_in(BOB, [ALICE], letter("whole"))
    evidence = scene.read()
    assert [row["message_id"] for row in evidence.table("messages") if row["accepted"]] == [named("whole")]
    assert evidence.rows("deliveries", "address", "status") == [(ALICE, "delivered")]


def test_an_address_in_another_script_is_kept(scene):
    """Our outside world has no SMTPUTF8, so Postfix itself sends the mail back."""
    with scene.server.session(ALICE) as smtp:
        smtp.command_encoding = "utf-8"
        smtp.mail(ALICE, ["SMTPUTF8"])
        smtp.rcpt("用戸@partner.example")
        smtp.data(letter("utf8", "件名"))
    evidence = scene.read()
    assert evidence.fates("utf8") == {"用戸@partner.example": "bounced"}
    assert evidence.deliveries("utf8")["用戸@partner.example"]["dsn"] == "5.6.7"


def test_what_comes_by_sendmail_on_the_host_has_no_account(scene):
    mail = letter("cron").decode().replace("\r\n", "\n")
    scene.server.command("sendmail", "-f", f"root@{DOMAIN}", "friend@partner.example", text=mail)
    evidence = scene.read()
    found = evidence.message("cron")
    assert (found["account"], found["client_ip"], found["mail_from"]) == (None, None, f"root@{DOMAIN}")
    assert (found["direction"], found["accepted"]) == ("submitted", True)
    assert evidence.fates("cron") == {"friend@partner.example": "delivered"}


def test_dovecot_submission_hands_on_account_and_address(scene):
    with scene.server.session(ALICE, "127.0.0.77", "dovecot_submission") as smtp:
        smtp.hand_in(ALICE, ["friend@partner.example"], letter("by dovecot"))
    evidence = scene.read()
    found = evidence.message("by dovecot")
    assert (found["account"], found["client_ip"], found["direction"]) == (ALICE, "127.0.0.77", "submitted")
    assert evidence.fates("by dovecot") == {"friend@partner.example": "delivered"}
    assert (ALICE, "127.0.0.77", "submission", "success") in evidence.rows(
        "signins", "account", "ip", "protocol", "outcome"
    )
    assert evidence.table("reads") == []
