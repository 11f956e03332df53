# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.notify.addresses import AddressError, kind_of, mailbox, mixed_scripts, person_of, shown


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("Aiko@Example.com", "aiko@example.com"),
        ("aiko+news@example.com", "aiko@example.com"),
        ("aiko@例え.example", "aiko@xn--r8jz45g.example"),
        (" aiko@example.com ", "aiko@example.com"),
    ],
)
def test_addresses_of_one_person_are_one_person(one, other):
    assert person_of(one) == person_of(other)


def test_a_tag_alone_is_a_local_part_of_its_own():
    assert person_of("+x@example.com") != person_of("+y@example.com")


@given(st.text(max_size=40))
def test_naming_a_person_twice_changes_nothing_more(text):
    assert person_of(person_of(text)) == person_of(text)


@pytest.mark.parametrize(
    "address",
    [
        "aiko@example.com\nBcc: all@example.com",
        "aiko\r\n@example.com",
        "aiko@exam\x00ple.com",
        "aiko@example.com\u2028x",
        "aiko\u200b@example.com",
        "aiko",
        "@example.com",
        "aiko@",
        "aiko@localhost",
        "aiko@-x.example",
        "a..b@example.com",
        "aiko@example.com, rin@example.com",
        "Aiko <aiko@example.com>",
        "愛子@example.com",
        "aiko@p\u0430ypal.example",
        "aiko@" + "x" * 64 + ".example",
    ],
)
def test_what_no_mail_can_be_sent_to_is_refused_and_shown_harmless(address):
    with pytest.raises(AddressError) as error:
        mailbox(address)
    assert str(error.value).isprintable()
    assert set(error.value.says) == {"en", "ja"}


def test_an_internationalised_domain_is_written_to_in_ascii():
    assert mailbox("Aiko@例え.Example") == "Aiko@xn--r8jz45g.example"
    assert mailbox("Aiko@xn--r8jz45g.example") == "Aiko@xn--r8jz45g.example"


@given(st.text(max_size=30), st.text(max_size=30))
def test_whatever_is_let_through_is_one_line_of_ascii(local, domain):
    try:
        found = mailbox(f"{local}@{domain}")
    except AddressError:
        return
    assert found.isascii()
    assert found.isprintable()
    assert " " not in found
    assert found.count("@") == 1


@pytest.mark.parametrize(
    ("address", "kind"),
    [
        ("aiko@example.com", "person"),
        ("info@example.com", "shared"),
        ("postmaster@example.com", "shared"),
        ("no-reply@example.com", "unread"),
        ("NoReply+x@example.com", "unread"),
        ("mailer-daemon@example.com", "unread"),
        ("bounces-42@example.com", "unread"),
        ("sales-ml@example.com", "list"),
        ("all@example.com", "list"),
        ("owner-news@example.com", "list"),
        ("aiko@lists.example.com", "list"),
    ],
)
def test_what_stands_behind_an_address_shows_in_its_name(address, kind):
    assert kind_of(address) == kind


@pytest.mark.parametrize(("name", "mixed"), [
    ("山田 Taro", False), ("Ольга Smith", False), ("P\u0430ul", True), ("ο\u0440a", True), ("カナKana", False), ("Paul", False),
])  # fmt: skip
def test_a_word_that_mixes_letters_which_look_alike_is_seen(name, mixed):
    assert mixed_scripts(name) is mixed


@given(st.text(max_size=50))
def test_what_is_shown_moves_no_cursor(text):
    assert shown(text).isprintable()
