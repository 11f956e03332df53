# SPDX-License-Identifier: Apache-2.0
"""Secrets: where they may come from, and that none is shown by accident."""

import copy
import dataclasses
import json
import logging
import pickle
import sys
import traceback
from types import ModuleType

import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.basics.secrets import Secret, resolve, text_of

TEXT = "an invented one"
WHERE = "--connectors far.toml: [far]"


@dataclasses.dataclass(frozen=True)
class Settings:
    url: str
    password: Secret


def private(path, text=TEXT + "\n", mode=0o600):
    path.write_text(text)
    path.chmod(mode)
    return path


def test_only_reveal_gives_it():
    assert Secret(TEXT).reveal() == TEXT


@pytest.mark.parametrize(
    "show",
    [
        str,
        repr,
        lambda secret: f"{secret}",
        lambda secret: f"{secret!r:>20} {secret:<20}",
        lambda secret: "%s %r" % (secret, secret),  # noqa: UP031 - logging does so
        lambda secret: "{0} {1}".format(secret, [secret]),  # noqa: UP030, UP032 - as others may write
        lambda secret: repr({"password": secret, "all": [secret]}),
        lambda secret: repr(Settings("ldaps://dir.example.com", secret)),
        lambda secret: repr(dataclasses.asdict(Settings("", secret))),
        lambda secret: repr(copy.copy(secret)) + repr(copy.deepcopy({"a": secret})),
        lambda secret: repr(vars(Settings("", secret))),
    ],
)
def test_nothing_that_is_printed_or_formatted_shows_it(show):
    found = show(Secret(TEXT))
    assert "<secret>" in found
    assert "invented" not in found


@pytest.mark.parametrize("write", [pickle.dumps, json.dumps, lambda secret: pickle.dumps(Settings("", secret))])
def test_it_is_not_written_down(write):
    with pytest.raises(TypeError) as raised:
        write(Secret(TEXT))
    assert "invented" not in str(raised.value)


def broken(settings):
    raise ValueError(settings, settings.password)


def test_a_traceback_and_a_log_line_of_settings_do_not_show_it(caplog):
    settings = Settings("ldaps://dir.example.com", Secret(TEXT))
    try:
        broken(settings)
    except ValueError as error:
        told = "".join(traceback.TracebackException.from_exception(error, capture_locals=True).format())
        logging.getLogger("hikeshi.test").exception("it broke: %s", settings)
    assert "<secret>" in told
    assert "invented" not in told
    assert "<secret>" in caplog.text
    assert "invented" not in caplog.text


def test_two_of_one_text_are_equal_and_it_equals_no_text():
    assert Secret(TEXT) == Secret(TEXT)
    assert Secret(TEXT) != Secret("another")
    assert Secret(TEXT) != TEXT
    assert len({Secret(TEXT), Secret(TEXT)}) == 1


def test_it_comes_from_the_environment(tmp_path, monkeypatch):
    monkeypatch.setenv("HIKESHI_FAR", TEXT)
    assert resolve({"password_env": "HIKESHI_FAR"}, "password", WHERE, tmp_path) == Secret(TEXT)


def test_it_comes_from_a_private_file_beside_the_settings_or_anywhere(tmp_path):
    place = private(tmp_path / "password")
    assert resolve({"password_file": "password"}, "password", WHERE, tmp_path) == Secret(TEXT)
    assert resolve({"password_file": str(place)}, "password", WHERE, tmp_path / "elsewhere") == Secret(TEXT)


@pytest.fixture
def keyring(monkeypatch):
    """Put a keyring in the library's place that holds one secret; the library's own would ask the desktop."""
    library, errors = ModuleType("keyring"), ModuleType("keyring.errors")
    errors.KeyringError = type("KeyringError", (Exception,), {})
    library.get_password = lambda service, user: TEXT if (service, user) == ("a/hikeshi", "far") else None
    monkeypatch.setitem(sys.modules, "keyring", library)
    monkeypatch.setitem(sys.modules, "keyring.errors", errors)
    return library, errors


@pytest.mark.usefixtures("keyring")
def test_it_comes_from_the_keyring(tmp_path):
    assert resolve({"password_keyring": "a/hikeshi/far"}, "password", WHERE, tmp_path) == Secret(TEXT)


def test_the_real_keyring_library_is_asked_by_its_own_names(tmp_path):
    backends = pytest.importorskip("keyring.backends.fail")
    import keyring  # noqa: PLC0415 - it may not be installed

    known = keyring.get_keyring()
    keyring.set_keyring(backends.Keyring())
    try:
        with pytest.raises(UsageError, match=r"password_keyring: the keyring does not answer \(NoKeyringError\)"):
            resolve({"password_keyring": "hikeshi/far"}, "password", WHERE, tmp_path)
    finally:
        keyring.set_keyring(known)


def test_a_keyring_that_is_locked_or_missing_is_said(tmp_path, keyring, monkeypatch):
    library, errors = keyring

    def locked(_service, _user):
        raise errors.KeyringError(TEXT)

    library.get_password = locked
    with pytest.raises(UsageError, match=r"the keyring does not answer \(KeyringError\)") as raised:
        resolve({"password_keyring": "hikeshi/far"}, "password", WHERE, tmp_path)
    assert "invented" not in str(raised.value)
    monkeypatch.setitem(sys.modules, "keyring", None)
    with pytest.raises(UsageError, match=r"pip install 'hikeshi\[keyring\]'"):
        resolve({"password_keyring": "hikeshi/far"}, "password", WHERE, tmp_path)


def test_nothing_named_is_none(tmp_path):
    assert resolve({"user": "far"}, "password", WHERE, tmp_path) is None


@pytest.mark.parametrize(
    ("table", "says"),
    [
        ({"password_env": "HIKESHI_NONE"}, "password_env: the variable HIKESHI_NONE is not set"),
        ({"password_env": "HIKESHI_EMPTY"}, "password_env: the variable HIKESHI_EMPTY is not set"),
        ({"password_env": 5}, "password_env: must be a text"),
        ({"password_file": "none"}, "none: No such file"),
        ({"password_file": "empty"}, "password_file: .*empty is empty"),
        ({"password_file": "."}, "Is a directory"),
        ({"password_keyring": "hikeshi"}, "password_keyring: write it as .*service/user"),
        ({"password_keyring": "hikeshi/nobody"}, "nothing there; put it in with: keyring set hikeshi nobody"),
        ({"password_env": "A", "password_file": "b"}, "named more than once; keep one of password_env, password_file"),
    ],
)
@pytest.mark.usefixtures("keyring")
def test_what_makes_no_sense_is_said(tmp_path, monkeypatch, table, says):
    monkeypatch.delenv("HIKESHI_NONE", raising=False)
    monkeypatch.setenv("HIKESHI_EMPTY", "")
    private(tmp_path / "empty", " \n")
    with pytest.raises(UsageError, match=says):
        resolve(table, "password", WHERE, tmp_path)


@pytest.mark.parametrize("mode", [0o644, 0o640, 0o604, 0o620])
def test_a_file_that_others_may_read_or_write_is_refused(tmp_path, mode):
    private(tmp_path / "password", mode=mode)
    with pytest.raises(UsageError, match=r"a secret that others may read; chmod 600 .*password") as raised:
        resolve({"password_file": "password"}, "password", WHERE, tmp_path)
    assert "invented" not in str(raised.value)


def test_a_secret_that_is_no_text_is_not_shown_by_the_error(tmp_path):
    (tmp_path / "password").write_bytes(b"\xffan invented one")
    (tmp_path / "password").chmod(0o600)
    with pytest.raises(UsageError, match="not in UTF-8") as raised:
        text_of(tmp_path / "password", private=True)
    told = "".join(traceback.TracebackException.from_exception(raised.value).format())
    assert "invented" not in told
