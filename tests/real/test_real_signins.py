# SPDX-License-Identifier: Apache-2.0
"""Who signed in from where, who tried to, and how much was read."""

import imaplib
import poplib
import smtplib

import pytest
from clients import Imap, Pop3, Sender
from configuration import DOMAIN
from scenes import ACCOUNTS, ALICE, BOB, CAROL, letter

FRIEND = "friend@partner.example"
TOLD = ("account", "ip", "protocol", "outcome", "tries")


def test_a_wrong_password_for_sending_is_a_failure_of_its_account(scene):
    for mechanism in ("PLAIN", "LOGIN"):
        with (
            Sender(scene.server.ports["submission"], "127.0.0.66") as smtp,
            pytest.raises(smtplib.SMTPAuthenticationError),
        ):
            smtp.sign_in(ALICE, "guessed", mechanism)
    evidence = scene.read()
    assert evidence.rows("signins", *TOLD, "method") == [
        (ALICE, "127.0.0.66", "smtp", "failure", 1, "LOGIN"),
        (ALICE, "127.0.0.66", "smtp", "failure", 1, "PLAIN"),
    ]
    assert evidence.table("messages") == []


def test_a_sign_in_that_is_broken_off_is_a_failure_of_nobody(scene):
    with Sender(scene.server.ports["submission"], "127.0.0.66") as smtp:
        smtp.docmd("AUTH LOGIN")
        assert smtp.docmd("*")[0] >= 500
        assert smtp.docmd("AUTH", "PLAIN !!!")[0] >= 500
    evidence = scene.read()
    assert {row[:4] for row in evidence.rows("signins", *TOLD)} == {(None, "127.0.0.66", "smtp", "failure")}


def test_a_password_that_is_guessed_at_last_is_failures_and_a_success(scene):
    with Sender(scene.server.ports["submission"], "127.0.0.66") as smtp:
        for guess in ("123456", "password", "alice"):
            with pytest.raises(smtplib.SMTPAuthenticationError):
                smtp.sign_in(ALICE, guess)
        smtp.sign_in(ALICE, ACCOUNTS[ALICE])
        smtp.hand_in(ALICE, [FRIEND], letter("guessed"))
    evidence = scene.read()
    assert sorted(evidence.rows("signins", *TOLD)) == [
        *[(ALICE, "127.0.0.66", "smtp", "failure", 1)] * 3,
        (ALICE, "127.0.0.66", "smtp", "success", 1),
    ]
    success = [row for row in evidence.table("signins") if row["outcome"] == "success"]
    assert [row["session"] for row in success] == [evidence.message("guessed")["session"]]


def test_imap_is_read_with_its_session_and_the_bodies_that_were_fetched(scene):
    scene.server.receive(FRIEND, [CAROL], letter("one", body="x" * 70 + "\r\n"))
    for number in range(2, 6):
        scene.server.receive(FRIEND, [CAROL], letter(str(number)))
    scene.server.settle()
    with scene.server.imap(CAROL, "127.0.0.7") as imap:
        _, (count,) = imap.select()
        assert int(count) >= 5
        imap.fetch(f"{int(count) - 4}:{int(count) - 2}", "(RFC822)")
        imap.fetch(count.decode(), "(FLAGS)")
    with scene.server.imap(CAROL, "127.0.0.8") as imap:
        imap.select()
    evidence = scene.read()
    assert evidence.rows("signins", *TOLD, "method") == [
        (CAROL, "127.0.0.7", "imap", "success", 1, "PLAIN"),
        (CAROL, "127.0.0.8", "imap", "success", 1, "PLAIN"),
    ]
    reads = {row["session"]: row for row in evidence.table("reads")}
    ips = {row["session"]: row["ip"] for row in evidence.table("signins")}
    assert {ips[session]: (row["account"], row["operation"], row["items"]) for session, row in reads.items()} == {
        "127.0.0.7": (CAROL, "imap", 3),
        "127.0.0.8": (CAROL, "imap", 0),
    }
    fetched = {ips[session]: row["bytes"] for session, row in reads.items()}
    assert fetched["127.0.0.7"] > fetched["127.0.0.8"] > 0


def test_pop3_is_read_with_its_session_and_the_mails_that_were_fetched(scene):
    for number in range(3):
        scene.server.receive(FRIEND, [ALICE], letter(f"p{number}"))
    scene.server.settle()
    with scene.server.pop3(ALICE, "127.0.0.7") as pop3:
        count, _ = pop3.stat()
        fetched = [pop3.retr(count - number) for number in range(2)]
        pop3.top(1, 0)
    evidence = scene.read()
    (signin,) = evidence.table("signins")
    assert (signin["account"], signin["ip"], signin["protocol"]) == (ALICE, "127.0.0.7", "pop3")
    (read,) = evidence.table("reads")
    assert (read["account"], read["operation"], read["items"]) == (ALICE, "pop3", 2)
    assert read["session"] == signin["session"]
    # Dovecot counts the octets of RETR with the line of the reply and the dot that ends it.
    assert read["bytes"] - sum(octets for _, _, octets in fetched) in range(60)


def test_wrong_passwords_for_reading_are_failures(scene):
    imap = Imap(scene.server.ports["imap"], "127.0.0.66")
    for guess in ("123456", "password"):
        with pytest.raises(imaplib.IMAP4.error):
            imap.login(ALICE, guess)
    imap.logout()
    with pytest.raises(imaplib.IMAP4.error), Imap(scene.server.ports["imap"], "127.0.0.67") as imap:
        imap.login(f"nobody@{DOMAIN}", "123456")
    pop3 = Pop3(scene.server.ports["pop3"], "127.0.0.68")
    pop3.user(BOB)
    with pytest.raises(poplib.error_proto):
        pop3.pass_("123456")
    pop3.close()
    evidence = scene.read()
    assert evidence.rows("signins", *TOLD) == [
        (ALICE, "127.0.0.66", "imap", "failure", 2),
        (BOB, "127.0.0.68", "pop3", "failure", 1),
        (f"nobody@{DOMAIN}", "127.0.0.67", "imap", "failure", 1),
    ]
    assert evidence.table("reads") == []


def test_failures_before_a_success_on_the_same_connection_are_not_lost(scene):
    imap = Imap(scene.server.ports["imap"], "127.0.0.66")
    with pytest.raises(imaplib.IMAP4.error):
        imap.login(ALICE, "123456")
    imap.login(ALICE, ACCOUNTS[ALICE])
    imap.logout()
    assert (ALICE, "127.0.0.66", "imap", "success", 1) in scene.read().rows("signins", *TOLD)


def test_dovecot_submission_with_a_wrong_password_is_a_failure(scene):
    with (
        Sender(scene.server.ports["dovecot_submission"], "127.0.0.66") as smtp,
        pytest.raises(smtplib.SMTPAuthenticationError),
    ):
        smtp.sign_in(ALICE, "guessed")
    assert scene.read().rows("signins", *TOLD) == [(ALICE, "127.0.0.66", "submission", "failure", 1)]


def test_the_case_of_an_account_makes_no_second_account(scene):
    with Sender(scene.server.ports["submission"], "127.0.0.5") as smtp:
        smtp.sign_in("Alice@Example.TEST", ACCOUNTS[ALICE])
        smtp.hand_in(ALICE, [FRIEND], letter("shouted"))
    evidence = scene.read()
    assert evidence.message("shouted")["account"] == ALICE
    assert evidence.rows("signins", "account") == [(ALICE,)]


@pytest.mark.parametrize("service", ["imap", "pop3"])
def test_a_connection_that_breaks_is_read_like_one_that_ends(scene, service):
    scene.server.receive(FRIEND, [BOB], letter("broken"))
    scene.server.settle()
    client = Imap if service == "imap" else Pop3
    broken = client(scene.server.ports[service], "127.0.0.7")
    if service == "imap":
        broken.login(BOB, ACCOUNTS[BOB])
        broken.select()
        broken.fetch("1", "(BODY[])")
        broken.shutdown()
    else:
        broken.user(BOB)
        broken.pass_(ACCOUNTS[BOB])
        broken.retr(1)
        broken.close()
    evidence = scene.read()
    assert evidence.rows("reads", "account", "operation", "items") == [(BOB, service, 1)]
    assert evidence.rows("signins", "account", "ip", "protocol") == [(BOB, "127.0.0.7", service)]
