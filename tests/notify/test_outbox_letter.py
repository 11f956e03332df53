# SPDX-License-Identifier: Apache-2.0
"""A letter: its identity, its bytes, and what cannot become one."""

from datetime import UTC, datetime
from email import message_from_bytes
from email.policy import SMTP

import dkim
import pytest
from cryptography.hazmat.primitives import serialization
from cryptography.hazmat.primitives.asymmetric import rsa
from hypothesis import given
from hypothesis import strategies as st
from outboxes import SENDER

from hikeshi.basics.errors import UsageError
from hikeshi.basics.secrets import Secret
from hikeshi.notify.outbox import LetterError, identity, letter
from hikeshi.notify.outbox.dkim import Dkim
from hikeshi.notify.outbox.letter import encoded, envelope_sender, tagged

CASE = "00000000-0000-4000-8000-000000000000"
NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


def made(to="hanako@partner.example", **changed):
    said = {"language": "ja", "sender": SENDER, "subject": "お詫びとお知らせ", "text": "本文\n"} | changed
    return letter(CASE, 1, to, **said)


def test_one_person_has_one_letter_a_report_whatever_tag_or_case_the_address_has():
    names = {identity(CASE, 1, to) for to in ("hanako@partner.example", "Hanako+shop@Partner.example")}
    assert len(names) == 1
    assert identity(CASE, 2, "hanako@partner.example") not in names
    assert identity(CASE.replace("4", "5"), 1, "hanako@partner.example") not in names


def test_message_id_and_envelope_sender_lead_back_to_the_letter_and_tell_nothing():
    one = made()
    assert one.message_id == f"<{one.id}.1@example.test>"
    back = envelope_sender("bounces@example.test", one.id)
    assert tagged(back) == tagged(back.upper()) == one.id
    assert tagged("hanako+abc@partner.example") is None
    assert "hanako" not in back + one.message_id


text = st.text(
    st.characters(exclude_categories=("Cs",), exclude_characters="\0\r\x0b\x0c\x1c\x1d\x1e\x85\u2028\u2029"),
    max_size=300,
)


@given(text.filter(str.strip))
def test_any_text_arrives_as_it_was_written(words):
    one = made(text=words)
    raw = encoded(one, NOW)
    message = message_from_bytes(raw, policy=SMTP)
    assert message.get_content().replace("\r\n", "\n") == words.rstrip("\n") + "\n"
    assert message.get_content_type() == "text/plain"
    assert raw.isascii()
    assert max(map(len, raw.split(b"\r\n"))) <= 78
    assert b"\n" not in raw.replace(b"\r\n", b"")


def test_a_letter_has_one_recipient_no_link_to_any_other_mail_and_says_what_made_it():
    message = message_from_bytes(encoded(made(), NOW), policy=SMTP)
    assert sorted(name.lower() for name in message) == sorted(
        "from to subject date message-id auto-submitted content-language content-type content-transfer-encoding mime-version".split()
    )
    assert message["To"] == "hanako@partner.example"
    assert message["Auto-Submitted"] == "auto-generated"
    assert message["Subject"] == "お詫びとお知らせ"
    assert message["From"] == SENDER


def test_a_domain_of_another_script_is_written_in_ascii():
    assert "To: info@xn--" in encoded(made("info@例え.example"), NOW).decode()


@pytest.mark.parametrize(
    ("changed", "says"),
    [
        ({"to": "a@partner.example\nBcc: b@other.example"}, "line break"),
        ({"to": "a@partner.example, b@other.example"}, "no mail address"),
        ({"to": "partner.example"}, "no mail address"),
        ({"to": "花子@partner.example"}, "SMTPUTF8"),
        ({"to": "a@p\u0430rtner.example"}, "scripts"),
        ({"subject": "one\r\nBcc: b@other.example"}, "subject"),
        ({"subject": " "}, "subject"),
        ({"sender": "nobody"}, "org.sender"),
        ({"sender": "a@example.test, b@example.test"}, "org.sender"),
        ({"sender": "a@example.test\nBcc: b@other.example"}, "org.sender"),
        ({"text": " \n"}, "empty"),
        ({"text": "half a character: \ud800"}, "half a character"),
    ],
)
def test_what_cannot_be_sent_as_it_stands_is_said_and_no_letter_comes_of_it(changed, says):
    with pytest.raises(LetterError, match=says) as found:
        made(**changed)
    assert "\n" not in str(found.value)


def test_a_signature_of_ours_holds_and_covers_what_the_reader_sees():
    key = rsa.generate_private_key(public_exponent=65537, key_size=2048)
    pem = key.private_bytes(
        serialization.Encoding.PEM, serialization.PrivateFormat.TraditionalOpenSSL, serialization.NoEncryption()
    ).decode()
    public = key.public_key().public_bytes(serialization.Encoding.PEM, serialization.PublicFormat.SubjectPublicKeyInfo)
    record = b"v=DKIM1; k=rsa; p=" + b"".join(public.splitlines()[1:-1])
    signed = Dkim("example.test", "s1", Secret(pem)).signed(encoded(made(), NOW))

    def known(name, **_):
        return record if name == b"s1._domainkey.example.test." else None

    assert dkim.verify(signed, dnsfunc=known)
    for forged in (
        signed.replace(b"Subject: ", b"Subject: not "),
        signed + b"more\r\n",
        signed.replace(b"To: hanako", b"Cc: x@y.example\r\nTo: hanako"),
    ):
        assert not dkim.verify(forged, dnsfunc=known)
    assert signed.endswith(encoded(made(), NOW))


def test_a_key_that_is_none_is_refused_without_a_word_of_it():
    with pytest.raises(UsageError, match="private key in PEM") as found:
        Dkim("example.test", "s1", Secret("hush-hush")).signed(encoded(made(), NOW))
    assert "hush" not in str(found.value)


def test_without_the_library_it_is_said_which_extra_has_it(monkeypatch):
    monkeypatch.setitem(__import__("sys").modules, "dkim", None)
    with pytest.raises(UsageError, match=r"hikeshi\[dkim\]"):
        Dkim("example.test", "s1", Secret("x")).signed(b"")
