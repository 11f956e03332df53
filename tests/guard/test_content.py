# SPDX-License-Identifier: Apache-2.0
"""What of a mail's content is kept: Subject, Message-ID and fingerprint."""

from itertools import pairwise

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.guard.port.content import FINGERPRINTED, SUBJECT, Fingerprint, read_message_id, read_subject


def _fingerprint(*pieces: bytes) -> str | None:
    body = Fingerprint()
    for piece in pieces:
        body.add(piece)
    return body.read()


@given(st.binary(max_size=2000), st.lists(st.integers(0, 2000), max_size=5))
def test_a_fingerprint_is_the_same_however_the_body_is_cut(body, cuts):
    places = [0, *sorted(cuts), len(body)]
    assert _fingerprint(*(body[a:b] for a, b in pairwise(places))) == _fingerprint(body)


_PARTS = (
    b"--{boundary}\r\nContent-Type: multipart/related;\r\n boundary={inner}\r\n\r\n--{inner}\r\n"
    b"Content-Type: text/html\r\n\r\nPlease pay invoice {number} of {date}.<img src=3D'cid:{part}'>\r\n"
    b"--{inner}\r\nContent-ID: <{part}>\r\n\r\nAAAA\r\n--{inner}--\r\n--{boundary}--\r\n"
)  # fmt: skip


def _merged(**values: str) -> bytes:
    body = _PARTS
    for name, value in values.items():
        body = body.replace(b"{%s}" % name.encode(), value.encode())
    return body


_WORD = st.text("abcdefABCDEF0123456789_", min_size=1, max_size=20)


@given(_WORD, _WORD, _WORD, st.integers(0, 10**9))
def test_what_mail_programs_change_from_mail_to_mail_is_not_seen(boundary, inner, part, number):
    values = {"boundary": boundary, "inner": inner, "part": part, "number": str(number), "date": "2026-11-24"}
    other = {"boundary": "b1", "inner": "b2", "part": "part1.XY@pc", "number": "4711", "date": "2026-11-25"}
    assert _fingerprint(_merged(**values)) == _fingerprint(_merged(**other))


@given(st.lists(st.text("abcxyz", min_size=1), min_size=1), st.lists(st.sampled_from([" ", "\r\n", "\t", "=\r\n"])))
def test_where_lines_break_is_not_seen(words, spaces):
    spaces = [*spaces, *[" "] * len(words)]
    told = "".join(word + space for word, space in zip(words, spaces, strict=False))
    assert _fingerprint(told.encode()) == _fingerprint(" ".join(words).encode())


def test_other_words_make_another_fingerprint():
    assert _fingerprint(b"Please pay the invoice") != _fingerprint(b"Please pay the invoices")
    assert _fingerprint(b"QUJD") != _fingerprint(b"qujd")


@pytest.mark.parametrize("body", [b"", b" \r\n\r\n", b"0123", b"\n--x\n"])
def test_a_body_that_says_nothing_has_no_fingerprint(body):
    assert _fingerprint(body) is None


def test_of_a_large_body_only_the_beginning_is_kept():
    body = Fingerprint()
    for _ in range(1000):
        body.add(b"x" * 65536)
    assert len(body._kept) == FINGERPRINTED
    assert body.read() == _fingerprint(b"x" * FINGERPRINTED)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"the plan", "the plan"),
        (b"=?utf-8?B?6KuL5rGC5pu4?=", "請求書"),
        (b"=?iso-2022-jp?B?GyRCQEE1YT1xGyhC?=", "請求書"),
        (b"=?utf-8?Q?caf=C3=A9?=\n =?utf-8?Q?_au_lait?=", "café au lait"),
        (b"Re: =?utf-8?Q?caf=C3=A9?= now", "Re: café now"),
        ("請求書".encode(), "請求書"),
        (b"folded\n  over\tlines", "folded over lines"),
        (b"=?no-such?Q?x?=", "=?no-such?Q?x?="),
        (b"=?utf-8?B?a?=", "=?utf-8?B?a?="),
        (b"a\x00b\x1b[31m", "a\N{REPLACEMENT CHARACTER}b\N{REPLACEMENT CHARACTER}[31m"),
        (b"\xff", "\\xff"),
        (b"", ""),
    ],
)
def test_a_subject_is_read_as_people_see_it(written, read):
    assert read_subject(written) == read


@given(st.one_of(st.binary(), st.text("=?utf8Bbq-_ \n").map(str.encode), st.text().map(str.encode)))
def test_any_subject_is_one_short_printable_line(value):
    text = read_subject(value)
    assert text.isprintable()
    assert len(text.encode()) <= SUBJECT


def test_a_long_subject_is_cut_between_letters():
    assert read_subject("請".encode() * 1000) == "請" * (SUBJECT // 3)


@pytest.mark.parametrize(
    ("written", "read"),
    [
        (b"<m1@pc.example.test>", "m1@pc.example.test"),
        (b" <M1@pc.example.test> (comment)", "M1@pc.example.test"),
        (b"m1@pc.example.test", "m1@pc.example.test"),
        (b"<>", None),
        (b"", None),
    ],
)
def test_a_message_id_is_read_without_its_brackets(written, read):
    assert read_message_id(written) == read
