# SPDX-License-Identifier: Apache-2.0
"""A whole connection without its sockets: what a mail server says, and the mails that come of it."""

import tracemalloc
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import GO_ON, client, frame, macros, mail, options, quit_

from hikeshi.guard.mail import Mail
from hikeshi.guard.port.dialogue import MOST_RECIPIENTS, Dialogue
from hikeshi.guard.port.milter import ProtocolError
from hikeshi.guard.weighing.score import place_of

NOW = 1_795_489_764.25


def _talk(*pieces: bytes) -> list[bytes | Mail]:
    dialogue = Dialogue(lambda: NOW)
    return [step for piece in pieces for step in dialogue.feed(piece)]


def _mails(*pieces: bytes) -> list[Mail]:
    return [step for step in _talk(options(), client(), *pieces) if isinstance(step, Mail)]


def test_a_mail_is_all_that_the_mail_server_said_of_it():
    (found,) = _mails(mail(account="Alice@Example.Test", recipients=("Friend@Partner.Example", "b@x.example")))
    assert found == Mail(
        account="alice@example.test",
        time=NOW,
        place=place_of("192.0.2.7"),
        client_ip="192.0.2.7",
        session=f"192.0.2.7:51234@{NOW:.6f}",
        sender="alice@example.test",
        recipients=("Friend@partner.example", "b@x.example"),
        size=len(b"Subject: the plan\r\nMessage-ID: <m1@pc.example.test>\r\n\r\nGood morning\r\n"),
        subject="the plan",
        fingerprint=found.fingerprint,
        message_id="m1@pc.example.test",
        queue_id="4jYSTJ0sf8znjll",
    )
    assert found.fingerprint


def test_nothing_but_the_options_is_answered_before_the_end_of_a_mail():
    first, *rest = _talk(options(), client(), mail())
    assert first[4:5] == b"O"
    assert [type(step) for step in rest] == [Mail]


def test_what_the_server_will_wait_for_is_answered():
    """A server that offers no way of not waiting."""
    steps = _talk(options(steps=0), client(), frame(b"H", b"pc"), mail(headers=(), body=(b"x",)), frame(b"A"), quit_())
    assert [step for step in steps[1:] if isinstance(step, bytes)] == [GO_ON] * 5


def test_a_mail_that_nobody_signed_in_for_goes_and_is_not_shown():
    assert _talk(options(), client(b"127.0.0.1"), mail(account=""))[1:] == [GO_ON]


def test_who_signed_in_for_one_mail_has_not_signed_in_for_the_next():
    assert [found.account for found in _mails(mail("eve@example.test"), mail(""), mail("bob@example.test"))] == [
        "eve@example.test",
        "bob@example.test",
    ]


def test_a_mail_that_is_given_up_leaves_nothing_behind():
    given_up = mail(recipients=("gone@x.example",), headers=((b"Subject", b"gone"),)).removesuffix(
        macros(b"E", i="4jYSTJ0sf8znjll") + frame(b"E")
    )
    whole = mail(headers=())
    (found,) = _mails(given_up, frame(b"A"), whole)
    assert found == _mails(whole)[0]


def test_each_recipient_is_counted_once_whatever_the_case_of_its_domain():
    (found,) = _mails(mail(recipients=("b@X.example", "a@x.example", "b@x.EXAMPLE", "B@x.example")))
    assert found.recipients == ("b@x.example", "a@x.example", "B@x.example")


def test_a_thousand_recipients_are_a_thousand():
    (found,) = _mails(mail(recipients=tuple(f"u{number}@x.example" for number in range(1000))))
    assert len(found.recipients) == 1000


def test_recipients_without_end_are_not_kept():
    dialogue = Dialogue()
    list(dialogue.feed(options() + client() + frame(b"M", b"<a@x.example>")))
    for number in range(MOST_RECIPIENTS):
        list(dialogue.feed(frame(b"R", b"<%d@x.example>" % number)))
    with pytest.raises(ProtocolError, match="recipients"):
        list(dialogue.feed(frame(b"R", b"<one-more@x.example>")))


def test_the_first_subject_and_message_id_are_those_that_count():
    headers = ((b"subject", b"one"), (b"Subject", b"two"), (b"MESSAGE-ID", b"<1@x>"), (b"Message-ID", b"<2@x>"))
    (found,) = _mails(mail(headers=headers))
    assert (found.subject, found.message_id) == ("one", "1@x")


def test_a_mail_without_subject_message_id_body_and_queue_id_has_none():
    bare = frame(b"M", b"<>") + frame(b"R", b"<b@x.example>") + frame(b"E")
    (found,) = _mails(macros(b"M", auth_authen="alice"), bare)
    assert (found.subject, found.message_id, found.fingerprint, found.queue_id) == (None, None, None, None)
    assert (found.sender, found.size) == ("", 2)


def test_the_last_piece_of_a_body_may_come_with_the_end():
    head = macros(b"M", auth_authen="alice") + frame(b"M", b"<a@x.example>")
    split = head + frame(b"B", raw=b"Good ") + frame(b"E", raw=b"morning")
    whole = head + frame(b"B", raw=b"Good morning") + frame(b"E")
    assert _mails(split) == _mails(whole)


def test_a_client_that_another_mail_server_vouches_for_takes_the_place_of_the_first():
    (found,) = _mails(client(b"IPv6:2001:db8:1:2::7", 25, b"6"), mail())
    assert (found.client_ip, found.place) == ("2001:db8:1:2::7", place_of("2001:db8:1:2::7"))


def test_a_mail_from_no_host_at_all_has_no_place():
    steps = _talk(options(), frame(b"C", raw=b"localhost\0U"), mail())
    assert [(one.client_ip, one.place) for one in steps if isinstance(one, Mail)] == [("", "")]


def test_a_connection_may_be_used_for_another_client():
    steps = _talk(options(), client(), mail(), frame(b"K"), options(), client(b"192.0.2.8"), mail())
    assert [one.client_ip for one in steps if isinstance(one, Mail)] == ["192.0.2.7", "192.0.2.8"]


def test_after_quit_it_is_over():
    dialogue = Dialogue()
    list(dialogue.feed(options() + client() + quit_()))
    assert dialogue.over
    with pytest.raises(ProtocolError, match="QUIT"):
        list(dialogue.feed(client()))


def test_a_mail_is_open_until_it_has_been_answered():
    dialogue = Dialogue()
    list(dialogue.feed(options() + client()))
    assert not dialogue.within_mail
    for step in dialogue.feed(mail()):
        assert isinstance(step, Mail)
        assert dialogue.within_mail
    assert not dialogue.within_mail


@pytest.mark.parametrize(
    "said",
    [
        client(),
        options() + options(),
        options() + frame(b"R", b"<b@x.example>"),
        options() + frame(b"L", b"Subject", b"x"),
        options() + frame(b"B", raw=b"x"),
        options() + frame(b"E"),
        options() + frame(b"Z"),
        options() + frame(b"c"),
        b"GET / HTTP/1.1\r\n\r\n",
        b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03",
    ],
)
def test_what_has_no_place_is_refused(said):
    with pytest.raises(ProtocolError):
        _talk(said + bytes(100))


def test_a_hundred_megabytes_need_no_more_memory_than_one_piece():
    dialogue = Dialogue()
    whole = mail(body=(b"",))
    begin, end = whole[: -len(macros(b"E", i="4jYSTJ0sf8znjll") + frame(b"E"))], whole[-5:]
    list(dialogue.feed(options() + client() + begin))
    piece = frame(b"B", raw=b"x" * 65535)
    tracemalloc.start()
    for _ in range(1600):
        list(dialogue.feed(piece))
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    (found,) = dialogue.feed(end)
    assert found.size > 100_000_000
    assert peak < 300_000


_ADDRESS = st.text("abcXYZ.@é", min_size=1, max_size=12)
_BYTES = st.binary(max_size=40).map(lambda text: text.replace(b"\0", b""))
_MAIL = st.builds(
    mail,
    account=st.sampled_from(["", "alice@example.test", "JÜRGEN@example.test"]),
    recipients=st.lists(_ADDRESS, min_size=1, max_size=4).map(tuple),
    headers=st.lists(st.tuples(st.sampled_from([b"Subject", b"Message-ID", b"X-\xff"]), _BYTES), max_size=4).map(tuple),
    body=st.lists(st.binary(max_size=200), max_size=4).map(tuple),
)


@given(st.lists(_MAIL, max_size=4), st.lists(st.integers(0)))
def test_a_dialogue_is_understood_the_same_however_it_is_cut(mails, cuts):
    data = b"".join((options(), client(), *mails, quit_()))
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    parts = [data[begin:end] for begin, end in pairwise(places)]
    whole = _talk(data)
    assert _talk(*parts) == whole
    assert len(whole) == 1 + len(mails)


_SAID = st.one_of(
    st.binary(max_size=40),
    st.builds(lambda command, payload: frame(command, raw=payload), st.sampled_from(
        [bytes((letter,)) for letter in b"ODCHMRTULNBEAQKZ"]), st.binary(max_size=40)),
    st.sampled_from([options(), client(), mail(), frame(b"A"), frame(b"M", b"<a@x.example>")]),
)  # fmt: skip


@given(st.lists(_SAID, max_size=12))
def test_whatever_is_said_only_the_protocols_own_error_is_raised(said):
    dialogue = Dialogue()
    for piece in (options(), client(), *said):
        try:
            list(dialogue.feed(piece))
        except ProtocolError:
            return
