# SPDX-License-Identifier: Apache-2.0
"""What came back: every mail tells one letter, or is listed; nothing counts twice; nothing makes it stumble."""

import mailbox
from email.message import EmailMessage

import pytest
from hypothesis import given
from hypothesis import strategies as st
from outboxes import address, approved, hold_whole, sending
from relays import Relay as Sink

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import open_store
from hikeshi.notify.outbox.book import standings
from hikeshi.notify.outbox.bounces import read, unmatched
from hikeshi.notify.outbox.relay import Relay
from hikeshi.notify.outbox.returned import understand
from hikeshi.notify.outbox.run import run


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "case") as opened:
        yield opened
        hold_whole(opened)


@pytest.fixture
def letters(store, tmp_path):
    sent = approved(store, 8)
    with Sink(tmp_path) as sink:
        run(store, Relay("127.0.0.1", sink.port), sending())
    return sent


def verp(letter):
    return f"bounces+{letter.id}@example.test"


def report(to, *, action="failed", status="5.1.1", names=None, returns=None, envelope=None, says="No such user"):
    """Give a delivery report as RFC 3464 has it; a part that is None is not there."""
    status_part = "Reporting-MTA: dns; mx.partner.example\r\n"
    status_part += f"Original-Envelope-Id: {envelope}\r\n" if envelope else ""
    status_part += "\r\n"
    status_part += f"Final-Recipient: rfc822; {names}\r\n" if names else "Final-Recipient: unknown;\r\n"
    status_part += f"Action: {action}\r\nStatus: {status}\r\nDiagnostic-Code: smtp; 550 {status} {says}\r\n"
    back = (
        f"--B\r\nContent-Type: text/rfc822-headers\r\n\r\nMessage-ID: {returns}\r\nTo: somebody\r\n\r\n"
        if returns
        else ""
    )
    return (
        f"Return-Path: <>\r\nFrom: MAILER-DAEMON@mx.partner.example\r\nTo: {to}\r\nSubject: Undelivered Mail\r\n"
        "MIME-Version: 1.0\r\nContent-Type: multipart/report; report-type=delivery-status; boundary=B\r\n\r\n"
        "--B\r\nContent-Type: text/plain\r\n\r\nSorry.\r\n"
        f"--B\r\nContent-Type: message/delivery-status\r\n\r\n{status_part}\r\n{back}--B--\r\n"
    ).encode()


def plain(subject, body, author="someone@partner.example", to="notice@example.test", **headers):
    message = EmailMessage()
    message["From"], message["To"], message["Subject"] = author, to, subject
    for name, value in headers.items():
        message[name.replace("_", "-")] = value
    message.set_content(body)
    return message.as_bytes()


def of(store, letter):
    (found,) = [one for one in standings(store) if one.letter.id == letter.id]
    return found.fate, found.reply


def folder(tmp_path, *mails):
    place = tmp_path / "back"
    place.mkdir(exist_ok=True)
    for number, raw in enumerate(mails):
        (place / f"{number}.eml").write_bytes(raw)
    return place


@pytest.mark.parametrize(
    ("action", "status", "fate"),
    [
        ("failed", "5.1.1", "bounced_hard"),
        ("failed", "4.4.7", "bounced_soft"),
        ("delayed", "4.4.1", "deferred"),
        ("delivered", "2.0.0", "delivered"),
        ("relayed", "2.0.0", "delivered"),
    ],
)
def test_a_delivery_report_sets_the_fate_of_its_letter_and_of_no_other(store, letters, tmp_path, action, status, fate):
    found = read(store, [folder(tmp_path, report(verp(letters[0]), action=action, status=status))])
    assert (found.new, found.unmatched) == (1, [])
    assert of(store, letters[0]) == (fate, None)
    assert {of(store, other) for other in letters[1:]} == {(None, None)}


@pytest.mark.parametrize("by", ["tag", "message-id", "envelope", "returned tag"])
def test_a_report_that_names_nobody_is_matched_by_what_it_brings_back(store, letters, tmp_path, by):
    letter = letters[3]
    raw = {
        "tag": report(verp(letter)),
        "message-id": report("notice@example.test", returns=letter.message_id),
        "envelope": report("notice@example.test", envelope=verp(letter)),
        "returned tag": report("notice@example.test", returns=f"<x@y.example>\r\nReturn-Path: <{verp(letter)}>"),
    }[by]
    assert read(store, [folder(tmp_path, raw)]).unmatched == []
    assert of(store, letter) == ("bounced_hard", None)


def test_a_report_that_says_nothing_at_all_is_listed_and_nobody_is_lost(store, letters, tmp_path):
    found = read(
        store, [folder(tmp_path, report("notice@example.test"), report(verp(letters[0])), b"", b"\0\xff" * 50)]
    )
    assert found.new == 4
    assert [one.file.rpartition("/")[2] for one in found.unmatched] == ["0.eml", "2.eml", "3.eml"]
    assert found.unmatched[0].says == "smtp; 550 5.1.1 No such user"
    assert read(store, [folder(tmp_path)]).unmatched == unmatched(store) == found.unmatched


def test_what_was_read_before_counts_once_wherever_it_lies(store, letters, tmp_path):
    raw = report(verp(letters[0]))
    read(store, [folder(tmp_path, raw)])
    head = store.head()
    (tmp_path / "moved.eml").write_bytes(raw)
    found = read(store, [folder(tmp_path, raw), tmp_path / "moved.eml"])
    assert (found.new, found.known) == (0, 2)
    assert store.head() == head


@pytest.mark.parametrize(
    ("body", "fate"),
    [
        ("<{to}>: 550 5.1.1 user unknown", "bounced_hard"),
        ("The mailbox of {to} is full (452 4.2.2)", "bounced_soft"),
        ("{to} のメールボックスの容量が不足しています", "bounced_soft"),
        ("{to} は存在しません", "bounced_hard"),
    ],
)
def test_a_bounce_in_plain_words_is_understood_and_matched_by_the_address_it_names(
    store, letters, tmp_path, body, fate
):
    raw = plain("配信不能", body.format(to=letters[2].address), "Mailer-Daemon@partner.example", Return_Path="<>")
    assert read(store, [folder(tmp_path, raw)]).unmatched == []
    assert of(store, letters[2]) == (fate, None)


def test_a_bounce_in_plain_words_is_matched_by_the_message_id_it_quotes(store, letters, tmp_path):
    body = f"Undelivered.\n\n> From: x\n> Message-ID: {letters[5].message_id}\n> Subject: y\n"
    read(store, [folder(tmp_path, plain("failure notice", body, "MAILER-DAEMON@x.example"))])
    assert of(store, letters[5]) == ("bounced_hard", None)


@pytest.mark.parametrize(
    ("subject", "headers", "reply"),
    [
        ("Re: お詫びとお知らせ", {}, "replied"),
        ("Automatic reply: notice", {}, "auto_replied"),
        ("不在のお知らせ", {}, "auto_replied"),
        ("x", {"Auto_Submitted": "auto-replied"}, "auto_replied"),
        ("x", {"Auto_Submitted": "auto-replied (vacation)", "Return_Path": "<>"}, "auto_replied"),
        ("x", {"X_Autoreply": "yes"}, "auto_replied"),
        ("x", {"Precedence": "bulk"}, "auto_replied"),
        ("x", {"Auto_Submitted": "no"}, "replied"),
    ],
)
def test_people_and_programs_that_answer_are_told_apart(store, letters, tmp_path, subject, headers, reply):
    raw = plain(subject, "I did click.", In_Reply_To=letters[1].message_id, **headers)
    read(store, [folder(tmp_path, raw)])
    assert of(store, letters[1]) == (None, reply)


def test_a_persons_reply_outweighs_a_programs_and_a_bounce_is_not_taken_back(store, letters, tmp_path):
    auto = plain("out of office", "back soon", In_Reply_To=letters[1].message_id)
    person = plain("Re: hello", "thank you", References=f"<x@y.example> {letters[1].message_id}")
    mails = [person, auto, report(verp(letters[1])), report(verp(letters[1]), action="delivered", status="2.0.0")]
    read(store, [folder(tmp_path, *mails)])
    assert of(store, letters[1]) == ("bounced_hard", "replied")


def test_an_answer_from_a_person_with_several_letters_is_not_guessed(store, tmp_path):
    approved(store, 2, report=1)
    approved(store, 2, report=2)
    with Sink(tmp_path) as sink:
        run(store, Relay("127.0.0.1", sink.port), sending())
    found = read(store, [folder(tmp_path, plain("hello", "who are you?", author=address(1)))])
    assert [one.kind for one in found.unmatched] == ["replied"]


def test_a_letter_that_comes_back_had_left(store, tmp_path):
    letters = approved(store, 1)
    with Sink(tmp_path, lambda *_: "reset-taken") as sink:
        assert run(store, Relay("127.0.0.1", sink.port), sending()).open == 1
    read(store, [folder(tmp_path, report(verp(letters[0])))])
    (found,) = standings(store)
    assert (found.state, found.fate) == ("accepted", "bounced_hard")


def test_a_letter_that_has_not_left_gets_no_fate(store, tmp_path):
    letters = approved(store, 1)
    assert len(read(store, [folder(tmp_path, report(verp(letters[0])))]).unmatched) == 1


@pytest.mark.parametrize("kind", ["maildir", "mbox", "file", "folder"])
def test_a_maildir_an_mbox_a_mail_and_a_folder_are_read_and_left_as_they_are(store, letters, tmp_path, kind):
    mails = [report(verp(letter)).replace(b"\r\n", b"\n") for letter in letters[:3]]
    place = tmp_path / "box"
    if kind == "maildir":
        box = mailbox.Maildir(place)
        for raw in mails:
            box.add(raw)
        box.close()
    elif kind == "mbox":
        box = mailbox.mbox(place)
        for raw in mails:
            box.add(raw)
        box.close()
    elif kind == "file":
        place, mails = tmp_path / "one.eml", mails[:1]
        place.write_bytes(mails[0])
    else:
        place = folder(tmp_path, *mails)
    before = {path: path.read_bytes() for path in [place, *place.rglob("*")] if path.is_file()}
    assert read(store, [place]).kinds == {"bounced_hard": len(mails)}
    assert read(store, [place]).new == 0
    assert {path: path.read_bytes() for path in [place, *place.rglob("*")] if path.is_file()} == before
    assert [of(store, letter)[0] for letter in letters[: len(mails)]] == ["bounced_hard"] * len(mails)


def test_a_mailbox_that_is_not_there_is_said(store, tmp_path):
    with pytest.raises(UsageError, match="give a Maildir, an mbox or mails"):
        read(store, [tmp_path / "none"])


WHOLE = report("bounces+" + "0" * 32 + "@example.test", names="a@b.example", returns="<x@y.example>")


@given(st.binary(max_size=2000))
def test_no_bytes_make_it_stumble(raw):
    understand(raw)


@given(
    st.lists(st.tuples(st.integers(0, len(WHOLE) - 1), st.integers(0, 255)), max_size=12), st.integers(0, len(WHOLE))
)
def test_no_damage_to_a_report_makes_it_stumble(changes, length):
    raw = bytearray(WHOLE[:length] or b"x")
    for place, byte in changes:
        raw[place % len(raw)] = byte
    found = understand(bytes(raw))
    assert len(found.tags) + len(found.message_ids) + len(found.addresses) <= 300
