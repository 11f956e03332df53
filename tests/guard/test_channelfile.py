# SPDX-License-Identifier: Apache-2.0
"""The file that names channels: what it may say, and that no secret stands in it."""

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.guard.people import channelfile
from hikeshi.guard.people.channels import Mail, Syslog, Webhook

MAIL = '[mail]\nfrom = "hikeshi@example.com"\nto = ["admin@example.com"]\n'
HOOK = '[webhook]\nurl = "https://chat.example.com/hooks/a"\n'


@pytest.fixture
def read(tmp_path):
    def reading(text):
        (tmp_path / "channels.toml").write_text(text, encoding="utf-8")
        return channelfile.read(tmp_path / "channels.toml")

    return reading


def private(path, text):
    path.write_text(text)
    path.chmod(0o600)
    return path


def test_all_three_may_be_named(read, monkeypatch):
    monkeypatch.setenv("HIKESHI_WEBHOOK_SECRET", "an invented one")
    found = read(MAIL + HOOK + 'secret_env = "HIKESHI_WEBHOOK_SECRET"\n[syslog]\nfacility = "local3"\n')
    assert found.mail == Mail("hikeshi@example.com", ("admin@example.com",))
    assert found.webhook == Webhook("https://chat.example.com/hooks/a", "an invented one")
    assert found.syslog == Syslog("local3")


def test_each_may_be_left_out(read):
    found = read(HOOK)
    assert (found.mail, found.owners, found.syslog) == (None, None, None)
    assert read("[syslog]\n").syslog == Syslog("auth")


def test_mail_may_go_by_another_host_or_by_a_program(read, tmp_path):
    private(tmp_path / "password", "an invented one\n")
    host = 'host = "mx.example.com"\nport = 587\nuser = "hikeshi"\npassword_file = "password"\nenvelope_from = "bounces@example.com"\n'
    found = read(MAIL + host).mail
    assert (found.host, found.port, found.user, found.password) == ("mx.example.com", 587, "hikeshi", "an invented one")
    assert found.envelope_from == "bounces@example.com"
    assert read(MAIL + 'sendmail = "/usr/sbin/sendmail"\n').mail.sendmail == "/usr/sbin/sendmail"


def test_owners_are_read_with_or_without_a_head_line(read, tmp_path):
    for head in ("", "account,address\n", "\ufeffAccount, Address\n"):
        (tmp_path / "owners.csv").write_text(
            f"{head}Alice@example.test,alice@home.example\n\nbob,bob@home.example\n", encoding="utf-8"
        )
        assert read(MAIL + 'owners = "owners.csv"\n').owners == {
            "alice@example.test": "alice@home.example",
            "bob": "bob@home.example",
        }


def test_a_url_that_is_a_secret_may_stand_in_a_private_file(read, tmp_path):
    private(tmp_path / "url", "https://chat.example.com/hooks/token\n")
    assert read('[webhook]\nurl_file = "url"\n').webhook == Webhook("https://chat.example.com/hooks/token")


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604])
def test_a_secret_that_others_may_read_is_refused(read, tmp_path, mode):
    private(tmp_path / "secret", "an invented one").chmod(mode)
    with pytest.raises(UsageError, match=r"a secret that others may read; chmod 600 .*secret"):
        read(HOOK + 'secret_file = "secret"\n')


@pytest.mark.parametrize(
    ("text", "says"),
    [
        (
            MAIL + 'password = "an invented one"\n',
            r"\[mail\] password stands in the clear; use password_file or password_env",
        ),
        (HOOK + 'secret = "an invented one"\n', r"\[webhook\] secret stands in the clear"),
        ("", "names no channel"),
        ("[mail", "no TOML"),
        ("[pager]\n", "pager is no channel"),
        ('mail = "admin@example.com"\n', "mail is no channel"),
        ("[mail]\n", r"needs from = "),
        ('[mail]\nfrom = "a@example.com"\nto = []\n', r"needs from = "),
        (MAIL + "port = true\n", r"\[mail\] port must be a int"),
        (MAIL + "ports = 25\n", r"\[mail\] ports is not known; there are host, port"),
        (MAIL + 'sendmail = "/usr/sbin/sendmail"\nhost = "mx"\n', "not by both"),
        ('[mail]\nfrom = "a@example.com"\nto = ["a@example.com\\r\\nBcc: b@example.com"]\n', "is no plain address"),
        ('[mail]\nfrom = "Hikeshi <a@example.com>"\nto = ["a@example.com"]\n', "is no plain address"),
        ('[mail]\nfrom = "a@example.com"\nto = [25]\n', "is no plain address"),
        (MAIL + 'envelope_from = "nobody"\n', "is no plain address"),
        (MAIL + 'owners = "none.csv"\n', "none.csv: No such file"),
        (MAIL + 'password_env = "HIKESHI_NONE"\n', "the variable HIKESHI_NONE is not set"),
        (HOOK + 'secret_file = "none"\n', "none: No such file"),
        ("[webhook]\n", "needs url, url_file or url_env"),
        ('[webhook]\nurl = "chat.example.com"\n', "must begin with https://"),
        ('[webhook]\nurl = "file:///etc/passwd"\n', "must begin with https://"),
        ('[syslog]\nfacility = "auths"\n', "facility 'auths' is none; there are "),
    ],
)
def test_what_makes_no_sense_is_said(read, monkeypatch, text, says):
    monkeypatch.delenv("HIKESHI_NONE", raising=False)
    with pytest.raises(UsageError, match=says) as raised:
        read(text)
    assert "an invented one" not in str(raised.value)


@pytest.mark.parametrize("row", ["alice", "alice,", ",a@home.example", "alice,a@home.example,more", "alice,nobody"])
def test_a_row_of_owners_that_makes_no_sense_is_said_with_its_line(read, tmp_path, row):
    (tmp_path / "owners.csv").write_text(f"account,address\n{row}\n")
    with pytest.raises(UsageError, match=r"owners\.csv:2: not account,address"):
        read(MAIL + 'owners = "owners.csv"\n')


def test_a_file_that_is_not_there_or_no_text_is_said(tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        channelfile.read(tmp_path / "none.toml")
    (tmp_path / "some.toml").write_bytes(b"\xff\xfe")
    with pytest.raises(UsageError, match="not in UTF-8"):
        channelfile.read(tmp_path / "some.toml")
