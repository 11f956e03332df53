# SPDX-License-Identifier: Apache-2.0
"""Where a shared state is, in one argument that holds no secret."""

import pytest

from hikeshi.guard.state.stateurl import PASSWORD, PASSWORD_FILE, settings
from hikeshi.guard.state.store import StateError


@pytest.mark.parametrize(
    ("text", "found"),
    [
        ("redis://", {"host": "localhost", "port": 6379, "db": 0}),
        ("redis://cache.example.test", {"host": "cache.example.test", "port": 6379, "db": 0}),
        ("redis://192.0.2.7:7000/3", {"host": "192.0.2.7", "port": 7000, "db": 3}),
        ("rediss://[2001:db8::1]:7000/", {"host": "2001:db8::1", "port": 7000, "db": 0}),
        ("redis://hi%40keshi@cache.example.test", {"username": "hi@keshi", "host": "cache.example.test", "port": 6379, "db": 0}),
        ("unix:///run/valkey/valkey.sock", {"path": "/run/valkey/valkey.sock", "db": 0}),
        ("unix:///run/a%20b?db=2", {"path": "/run/a b", "db": 2}),
        ("unix://Here/Sock", {"path": "Here/Sock", "db": 0}),
    ],
)  # fmt: skip
def test_an_address_is_read(text, found):
    assert settings(text, {}) == found


@pytest.mark.parametrize(
    "text",
    [
        "http://cache.example.test", "redis://cache.example.test:port", "redis://cache.example.test/one", "unix://",
        "redis://cache.example.test/1/2", "redis://cache.example.test/-1", "redis://h?ssl_cert_reqs=none", "redis://h?db",
        "unix:///s?db=x", "redis://h:99999999", "redis://[", "postgres://h/db",
    ],
)  # fmt: skip
def test_what_is_no_address(text):
    with pytest.raises(StateError, match=r"no address of a shared state; write redis://HOST:PORT/DB, rediss:"):
        settings(text, {})


@pytest.mark.parametrize(
    "text", ["redis://:ember@h", "rediss://me:ember@h:1/2", "unix:///s?password=ember", "redis://:@h"]
)
def test_a_password_in_an_argument_is_refused_and_not_repeated(text):
    with pytest.raises(StateError, match=rf"a password in an argument is seen by all; .* {PASSWORD}") as caught:
        settings(text, {})
    assert "ember" not in str(caught.value)


def test_the_password_comes_from_the_environment_or_a_private_file(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("em ber\r\n")
    secret.chmod(0o400)
    found = [settings("redis://", {PASSWORD_FILE: str(secret)} | more) for more in ({}, {PASSWORD: "smoke"})]
    assert [one["password"] for one in found] == ["em ber", "smoke"]


def test_a_password_file_that_others_may_read_is_refused(tmp_path):
    secret = tmp_path / "secret"
    secret.write_text("ember")
    secret.chmod(0o640)
    with pytest.raises(StateError, match=r"others may read it; chmod 600") as caught:
        settings("redis://", {PASSWORD_FILE: str(secret)})
    assert "ember" not in str(caught.value)


@pytest.mark.parametrize("content", [None, b"\xff\xfe"])
def test_a_password_file_that_cannot_be_read(tmp_path, content):
    secret = tmp_path / "secret"
    if content is not None:
        secret.write_bytes(content)
        secret.chmod(0o600)
    with pytest.raises(StateError, match=rf"{PASSWORD_FILE} .*; name a file that holds the password alone"):
        settings("redis://", {PASSWORD_FILE: str(secret)})
