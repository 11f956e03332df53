# SPDX-License-Identifier: Apache-2.0
"""Mail, webhook and syslog, against servers on loopback."""

import asyncio
import hashlib
import hmac
import json
import socket
from email.utils import parsedate_to_datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from listeners import hook, inbox, syslog
from notices import ALICE, notice

from hikeshi.guard.people.channels import SIGNATURE, ChannelError, Mail, Syslog, Webhook

SECRET = "an invented one"  # noqa: S105 - so it is
ADMINS = ("admin@example.com", "second@example.com")


def mailed(told=None, **how):
    """Send one notice; give (envelope sender, envelope recipients, mail) and the server."""

    async def main():
        async with inbox() as server:
            await Mail("hikeshi@example.com", ADMINS, port=server.port, **how).send(told or notice())
            (found,) = server.mails
            return found, server

    return asyncio.run(main())


def failed(channel):
    with pytest.raises(ChannelError) as raised:
        asyncio.run(channel.send(notice()))
    return raised.value


def nobody():
    """Give a port where nobody listens."""
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        return trial.getsockname()[1]


def test_a_notice_is_a_mail_that_no_robot_answers():
    (sender, to, mail), _ = mailed()
    assert (sender, to) == ("<>", list(ADMINS))
    assert (mail["From"], mail["To"]) == ("hikeshi@example.com", ", ".join(ADMINS))
    assert mail["Auto-Submitted"] == "auto-generated"
    assert mail["Message-ID"].endswith("@example.com>")
    assert parsedate_to_datetime(mail["Date"]).utcoffset() is not None
    assert mail["Subject"] == "[hikeshi] alice@example.test のメール12通を保留中 / 12 mails on hold"
    assert mail.get_content_type() == "text/plain"
    assert "請求書 4711" in mail.get_content()


def test_an_envelope_sender_may_be_set():
    (sender, _, _), _ = mailed(envelope_from="bounces@example.com")
    assert sender == "bounces@example.com"


def test_the_owner_reads_a_question():
    (_, _, mail), _ = mailed(owner=True)
    assert "Did you send these mails?" in mail.get_content()


def test_a_password_signs_in():
    _, server = mailed(user="hikeshi", password=SECRET)
    assert server.signed_in == [("hikeshi", SECRET)]


def test_a_password_never_goes_in_the_clear_to_another_host(monkeypatch):
    """Every host but loopback has to offer TLS; what looks like one from afar here is loopback by another name."""

    async def main():
        async with inbox() as server:
            monkeypatch.setattr(socket, "getaddrinfo", lambda *_, **__: [(2, 1, 6, "", ("127.0.0.1", server.port))])
            channel = Mail(
                "hikeshi@example.com", ADMINS, host="mx.example.com", port=server.port, user="u", password=SECRET
            )
            with pytest.raises(ChannelError):
                await channel.send(notice())
            assert server.signed_in == []
            await Mail("hikeshi@example.com", ADMINS, host="mx.example.com", port=server.port).send(notice())
            assert len(server.mails) == 1

    asyncio.run(main())


@settings(max_examples=20, deadline=None)
@given(st.text(max_size=80), st.text(max_size=80))
def test_no_account_and_no_subject_adds_a_header_or_a_recipient(account, subject):
    (_, to, mail), _ = mailed(
        notice(account=f"{account}\r\nBcc: x@example.org", subjects=(f"{subject}\nBcc: y@example.org",))
    )
    assert to == list(ADMINS)
    assert mail["Bcc"] is None
    assert sorted(mail.keys()) == sorted(
        [
            "From",
            "To",
            "Subject",
            "Date",
            "Message-ID",
            "Auto-Submitted",
            "MIME-Version",
            "Content-Type",
            "Content-Transfer-Encoding",
        ]
    )


@pytest.mark.parametrize(("answer", "lasting"), [("451 4.3.0 later", False), ("554 5.7.1 never, x@example.org", True)])
def test_what_a_server_says_decides_whether_it_is_tried_again(answer, lasting):
    async def main():
        async with inbox() as server:
            server.answers.append(answer)
            with pytest.raises(ChannelError) as raised:
                await Mail("hikeshi@example.com", ADMINS, port=server.port).send(notice())
            return raised.value

    error = asyncio.run(main())
    assert error.lasting is lasting
    assert "example.org" not in str(error)


def test_one_refused_address_does_not_keep_the_others_from_being_told():
    async def main():
        async with inbox() as server:
            server.refuses.add(ADMINS[0])
            with pytest.raises(ChannelError, match="refused 1 of the addresses") as raised:
                await Mail("hikeshi@example.com", ADMINS, port=server.port).send(notice())
            assert raised.value.lasting
            assert [to for _, to, _ in server.mails] == [[ADMINS[1]]]
            server.refuses.add(ADMINS[1])
            with pytest.raises(ChannelError, match="refused every address") as raised:
                await Mail("hikeshi@example.com", ADMINS, port=server.port).send(notice())
            assert raised.value.lasting

    asyncio.run(main())


def test_a_server_that_is_not_there_is_tried_again():
    assert not failed(Mail("hikeshi@example.com", ADMINS, port=nobody())).lasting


def program(path, text):
    path.write_text(f"#!/bin/sh\n{text}\n")
    path.chmod(0o755)
    return Mail("hikeshi@example.com", ADMINS, sendmail=str(path))


def test_a_program_takes_the_mail_and_the_envelope(tmp_path):
    channel = program(tmp_path / "sendmail", f'echo "$*" > {tmp_path}/arguments; cat > {tmp_path}/mail')
    asyncio.run(channel.send(notice()))
    assert (tmp_path / "arguments").read_text() == f"-i -f <> -- {' '.join(ADMINS)}\n"
    assert b"\r" not in (tmp_path / "mail").read_bytes()
    assert b"To: admin@example.com, second@example.com\n" in (tmp_path / "mail").read_bytes()


@pytest.mark.parametrize(("code", "lasting"), [(75, False), (64, True)])
def test_a_program_that_fails_says_by_its_code_whether_to_try_again(tmp_path, code, lasting):
    assert failed(program(tmp_path / "sendmail", f"cat > /dev/null; exit {code}")).lasting is lasting


def test_a_program_that_is_not_there_is_said(tmp_path):
    assert "No such file" in str(failed(Mail("hikeshi@example.com", ADMINS, sendmail=str(tmp_path / "none"))))


def test_a_program_that_hangs_is_ended(tmp_path, monkeypatch):
    monkeypatch.setattr("hikeshi.guard.people.channels._MAIL", 0.1)
    error = failed(program(tmp_path / "sendmail", "exec sleep 1000"))
    assert "did not end" in str(error)
    assert not error.lasting


def test_a_webhook_gets_json_with_a_signature_over_the_body():
    async def main():
        async with hook() as there:
            await Webhook(there.url, "the secret").send(notice())
            return there.asked[0]

    fields, body = asyncio.run(main())
    assert fields["content-type"] == "application/json"
    assert fields[SIGNATURE.lower()] == "sha256=" + hmac.new(b"the secret", body, hashlib.sha256).hexdigest()
    assert json.loads(body) == notice().document()
    assert "請求書" in body.decode()


def test_without_a_secret_nothing_is_signed():
    async def main():
        async with hook() as there:
            await Webhook(there.url).send(notice())
            return there.asked[0][0]

    assert SIGNATURE.lower() not in asyncio.run(main())


@pytest.mark.parametrize(
    ("status", "lasting"),
    [
        ("500 Oops", False),
        ("503 Busy", False),
        ("429 Slow down", False),
        ("400 What", True),
        ("403 No", True),
        ("302 There", True),
    ],
)
def test_what_a_webhook_answers_decides_whether_it_is_tried_again(status, lasting):
    async def main():
        async with hook() as there:
            there.answers.append(status)
            with pytest.raises(ChannelError) as raised:
                await Webhook(there.url).send(notice())
            assert len(there.asked) == 1
            return raised.value

    error = asyncio.run(main())
    assert error.lasting is lasting
    assert str(error) == f"127.0.0.1 answered {status[:3]}"


def test_a_webhook_that_never_answers_is_left_and_tried_again(monkeypatch):
    monkeypatch.setattr("hikeshi.guard.people.channels._WEBHOOK", 0.2)

    async def main():
        async with hook() as there:
            there.deaf = True
            with pytest.raises(ChannelError) as raised:
                await Webhook(there.url).send(notice())
            return raised.value

    assert not asyncio.run(main()).lasting


def test_an_error_does_not_tell_the_rest_of_the_url():
    error = failed(Webhook(f"http://127.0.0.1:{nobody()}/hooks/a-token"))
    assert "a-token" not in str(error)
    assert not error.lasting


def test_syslog_gets_a_line_of_its_facility(tmp_path):
    with syslog(tmp_path / "log") as taking:
        asyncio.run(Syslog("auth", str(tmp_path / "log")).send(notice()))
        line = taking.recv(10_000).decode()
    assert line.startswith(f"<{4 * 8 + 1}>hikeshi[")
    assert f"{ALICE} is under suspicion" in line


def test_a_syslog_that_is_not_there_is_tried_again(tmp_path):
    assert not failed(Syslog("auth", str(tmp_path / "none"))).lasting
