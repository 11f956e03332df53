# SPDX-License-Identifier: Apache-2.0
"""The milter protocol on the wire: frames from any pieces, values from frames, answers to bytes."""

import struct
from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st
from wire import client, frame, macros, options

from hikeshi.guard.port import milter
from hikeshi.guard.port.milter import Actions, Client, Frames, ProtocolError, Steps

_PIECES = st.lists(st.binary(max_size=30), max_size=20)


def _parts(data: bytes, cuts: list[int]) -> list[bytes]:
    places = [0, *sorted(cut % (len(data) + 1) for cut in cuts), len(data)]
    return [data[begin:end] for begin, end in pairwise(places)]


@given(st.lists(st.tuples(st.binary(min_size=1, max_size=1), st.binary(max_size=300))), st.lists(st.integers(0)))
def test_frames_are_the_same_however_the_bytes_are_cut(wanted, cuts):
    data = b"".join(frame(command, raw=payload) for command, payload in wanted)
    frames = Frames()
    assert [one for part in _parts(data, cuts) for one in frames.feed(part)] == wanted
    assert not frames.partial


def test_a_frame_that_has_begun_is_told():
    frames = Frames()
    assert list(frames.feed(frame(b"B", raw=b"half")[:-1])) == []
    assert frames.partial
    assert list(frames.feed(b"f")) == [(b"B", b"half")]
    assert not frames.partial


@pytest.mark.parametrize("length", [0, milter.LARGEST_FRAME + 1, 2**32 - 1])
def test_a_length_that_no_frame_has_is_refused_at_once(length):
    with pytest.raises(ProtocolError, match=str(length)):
        list(Frames().feed(struct.pack("!I", length)))


def test_the_largest_frame_is_taken():
    payload = bytes(milter.LARGEST_FRAME - 1)
    assert list(Frames().feed(frame(b"B", raw=payload))) == [(b"B", payload)]


@given(_PIECES)
def test_whatever_bytes_come_only_the_protocols_own_error_is_raised(pieces):
    frames = Frames()
    readers = (
        milter.read_options, milter.read_macros, milter.read_client, milter.read_address, milter.read_header,
    )  # fmt: skip
    for piece in pieces:
        try:
            list(frames.feed(piece))
        except ProtocolError:
            frames = Frames()
        for read in readers:
            try:
                read(piece)
            except ProtocolError:
                continue


def _payload(data: bytes) -> bytes:
    return data[5:]


@pytest.mark.parametrize(
    ("said", "understood"),
    [
        (client(), Client("192.0.2.7", 51234)),
        (client(b"IPv6:2001:db8::7", 25, b"6"), Client("2001:db8::7", 25)),
        (client(b"2001:DB8:0::7", 25, b"6"), Client("2001:db8::7", 25)),
        (client(b"::ffff:192.0.2.7", 25, b"6"), Client("192.0.2.7", 25)),
        (frame(b"C", raw=b"localhost\0U"), Client("", 0)),
        (frame(b"C", raw=b"localhost\0L\0\0/run/x\0"), Client("", 0)),
    ],
)
def test_a_client_is_an_address_and_a_port(said, understood):
    assert milter.read_client(_payload(said)) == understood


@pytest.mark.parametrize(
    "payload",
    [b"", b"name", b"name\0", b"name\x004", b"name\x004\0\x19", b"name\x004\0\x19192.0.2.7", b"n\x004\0\0x\0"],
)
def test_a_client_that_is_none_is_refused(payload):
    with pytest.raises(ProtocolError):
        milter.read_client(payload)


def test_macros_lose_their_braces_and_keep_what_is_not_ascii():
    said = macros(b"M", auth_authen="jürgen@example.test", i="4jYS")
    assert milter.read_macros(_payload(said)) == {"auth_authen": "jürgen@example.test", "i": "4jYS"}
    assert milter.read_macros(b"Ma\0\xff\0") == {"a": "\\xff"}
    assert milter.read_macros(b"M") == {}


@pytest.mark.parametrize("payload", [b"Ma\0", b"Ma\0b", b"Ma"])
def test_a_macro_without_a_value_is_refused(payload):
    with pytest.raises(ProtocolError):
        milter.read_macros(payload)


@pytest.mark.parametrize(
    ("payload", "address"),
    [
        (b"<a@example.test>\0SIZE=3\0BODY=8BITMIME\0", "a@example.test"),
        (b"<>\0", ""),
        (b"a@example.test\0", "a@example.test"),
        ("<用户@例.example>\0".encode(), "用户@例.example"),
    ],
)
def test_an_address_is_what_stands_between_the_brackets(payload, address):
    assert milter.read_address(payload) == address


def test_options_ask_for_what_is_used_and_for_no_waiting():
    reply, agreed = milter.options((6, Actions(0x1FF), Steps(0x1FFFFF)))
    (length,) = struct.unpack_from("!I", reply)
    assert (length, reply[4:5]) == (len(reply) - 4, b"O")
    assert struct.unpack_from("!III", reply, 5) == (6, Actions.QUARANTINE | Actions.SETSYMLIST, milter.WANTED)
    assert agreed == milter.WANTED
    asked = {}
    rest = reply[17:]
    while rest:
        names, _, after = rest[4:].partition(b"\0")
        asked[rest[3]] = names.decode()
        rest = after
    assert asked == milter.MACROS


@given(st.integers(0, 2**32 - 1), st.integers(0, 2**32 - 1))
def test_options_never_ask_for_more_than_is_offered(actions, steps):
    offered = milter.read_options(_payload(options(6, actions | Actions.QUARANTINE, steps)))
    reply, agreed = milter.options(offered)
    _, asked_actions, asked_steps = struct.unpack_from("!III", reply, 5)
    assert asked_actions & ~(actions | Actions.QUARANTINE) == 0
    assert asked_steps & ~steps == 0
    assert agreed == asked_steps


def test_a_server_that_cannot_hold_mail_is_refused():
    with pytest.raises(ProtocolError, match="quarantine"):
        milter.options((6, Actions(0x1), Steps(0x1FFFFF)))


def test_a_hold_is_a_quarantine_and_then_go_on():
    assert milter.hold("case 12") == frame(b"q", b"case 12") + frame(b"c")


def test_a_refusal_is_a_code_and_words_with_percent_signs_doubled():
    assert milter.refuse("100 % sure") == frame(b"y", b"550 5.7.1 100 %% sure")


@given(st.text())
def test_the_words_of_an_answer_are_one_line_that_smtp_can_carry(words):
    for reply in (milter.hold(words), milter.refuse(words)):
        (_, payload), *_ = Frames().feed(reply)
        assert payload.endswith(b"\0")
        assert all(0x20 <= byte < 0x7F for byte in payload[:-1])
        assert len(payload) <= 811
