# SPDX-License-Identifier: Apache-2.0
"""The LDAP connector without a directory: its settings, its arithmetic, and what it prints."""

import re
import string
from datetime import UTC, datetime
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.ldap import PLUGIN
from hikeshi.contain.connectors.ldap import server as server_module
from hikeshi.contain.connectors.ldap.activedirectory import AD
from hikeshi.contain.connectors.ldap.flavours import new_password
from hikeshi.contain.connectors.ldap.openldap import OPENLDAP
from hikeshi.contain.connectors.ldap.options import checked
from hikeshi.contain.contract import ConnectorError

LOCKED = "000001010000Z"


def settings(**more: object) -> dict[str, Any]:
    return {
        "urls": ["ldaps://dc1.example.test"],
        "flavour": "ad",
        "bind": "hikeshi@example.test",
        "password": Secret("of the test"),
        "base": "DC=example,DC=test",
        **more,
    }


@pytest.mark.parametrize("url", ["ldap://dc1.example.test", "ldap://192.0.2.7:389", "ldap://localhost.example.test"])
def test_a_password_is_not_sent_in_the_clear_over_a_network(url):
    with pytest.raises(ConnectorError, match="in the clear"):
        checked(settings(urls=[url], starttls=False))
    assert checked(settings(urls=[url])).starttls is True


@pytest.mark.parametrize("url", ["ldap://127.0.0.1:389", "ldap://[::1]", "ldap://localhost", "ldapi://%2Frun%2Fldapi"])
def test_this_machine_may_be_asked_without_tls(url):
    assert checked(settings(urls=[url], starttls=False)).urls == (url,)


@pytest.mark.parametrize("url", ["http://dc1.example.test", "dc1.example.test", "ldaps://", ""])
def test_what_is_no_address_of_a_directory_is_refused(url):
    with pytest.raises(ConnectorError, match="no address of a server"):
        checked(settings(urls=[url]))


@pytest.mark.parametrize(
    ("more", "says"),
    [({"flavour": "novell"}, "flavour"), ({"urls": []}, "no server"), ({"mail_attributes": [1]}, "list of texts")],
)
def test_settings_that_make_no_sense_say_which(more, says):
    with pytest.raises(ConnectorError, match=says):
        checked(settings(**more))


def test_without_the_extra_the_error_names_it(monkeypatch):
    def missing(_name: str) -> None:
        raise ImportError

    monkeypatch.setattr(server_module.importlib, "import_module", missing)
    with pytest.raises(ConnectorError, match=re.escape("pip install 'hikeshi[ldap]'")):
        PLUGIN.connect(settings())


@given(st.integers(0, 2**31 - 1))
def test_disabling_and_enabling_touches_one_flag_and_comes_back(control):
    before = {"dn": "CN=a", "userAccountControl": str(control), "pwdLastSet": "0"}
    changes = AD.lock(before)
    assert AD.locked(before) is (changes == [])
    after = {**before, "userAccountControl": changes[0][2][0].decode() if changes else str(control)}
    assert int(after["userAccountControl"]) == control | 0x2
    assert all(gone == (str(control).encode(),) for _, gone, _ in changes)
    back = AD.unlock(after, before)
    assert (int(back[0][2][0]) if back else int(after["userAccountControl"])) == control


@given(st.integers(0, 2**31 - 1), st.integers(0, 2**31 - 1))
def test_an_undo_keeps_every_other_flag_as_it_is_now(control, now):
    before = {"dn": "CN=a", "userAccountControl": str(control)}
    changes = AD.unlock({"dn": "CN=a", "userAccountControl": str(now)}, before)
    result = int(changes[0][2][0]) if changes else now
    assert result == (now & ~0x2) | (control & 0x2)


_TIMES = st.datetimes(datetime(2000, 1, 1), datetime(2100, 1, 1)).map(lambda time: time.strftime("%Y%m%d%H%M%SZ"))  # noqa: DTZ001 - written as UTC


@given(st.one_of(st.none(), st.just(LOCKED), _TIMES))
def test_a_lock_of_openldap_comes_back_as_it_was_and_twice_is_as_once(value):
    before = {"dn": "cn=a", "pwdAccountLockedTime": value}
    changes = OPENLDAP.lock(before)
    after = {**before, "pwdAccountLockedTime": LOCKED}
    assert [gone for _, gone, _ in changes] == ([] if value == LOCKED else [(value.encode(),) if value else ()])
    assert OPENLDAP.lock(after) == []
    back = OPENLDAP.unlock(after, before)
    assert back == ([] if value == LOCKED else [("pwdAccountLockedTime", (LOCKED.encode(),), changes[0][1])])
    assert OPENLDAP.unlock(before, before) == []


@given(_TIMES, _TIMES)
def test_a_lock_that_somebody_else_has_set_is_not_undone(theirs, value):
    now = {"dn": "cn=a", "pwdAccountLockedTime": theirs}
    before = {"dn": "cn=a", "pwdAccountLockedTime": value}
    assert OPENLDAP.unlock(now, before) == ([] if theirs == value else None)


@pytest.mark.parametrize(
    ("lock", "overlay", "usable", "locked"),
    [
        (LOCKED, True, False, True),
        (LOCKED, True, None, None),
        (LOCKED, True, True, False),
        (LOCKED, False, None, False),
        (None, True, True, False),
        ("20260101000000Z", True, False, False),
    ],
)
def test_the_attribute_alone_proves_no_lock(lock, overlay, usable, locked):
    assert OPENLDAP.locked({"pwdAccountLockedTime": lock, "overlay": overlay, "usable": usable}) is locked


@pytest.mark.parametrize(
    ("answer", "usable"),
    [
        ("8001ff", True),
        ("a10f8001008101008201008301ff8401ff", False),
        # A lock that ends in 600 seconds, and a password that has run out: no door that stays shut.
        ("a1108001008101008201008301ff84020258", None),
        ("a10c8001008101008201ff830100", None),
        ("", None),
    ],
)
def test_only_a_lock_without_an_end_is_read_as_not_usable(answer, usable):
    assert server_module._usable(bytes.fromhex(answer)) is usable


def test_windows_time_is_read_as_utc():
    state = {"pwdLastSet": "134400684607078310"}
    assert AD.password_set(state) == datetime(2026, 11, 25, 8, 21, 0, 707831, tzinfo=UTC)
    assert AD.password_set({"pwdLastSet": "0"}) is None


def test_new_passwords_are_long_have_every_class_and_are_never_the_same():
    made = {new_password() for _ in range(200)}
    assert len(made) == 200
    for password in made:
        assert len(password) == 32
        assert all(
            set(password) & set(kind) for kind in (string.ascii_lowercase, string.ascii_uppercase, string.digits)
        )


@pytest.mark.parametrize("flavour", ["openldap", "ad"])
def test_setup_and_teardown_name_the_account_and_no_secret(flavour):
    given_settings = settings(flavour=flavour, forward_attributes=["mailForwardingAddress"])
    for words in (PLUGIN.setup(given_settings), PLUGIN.teardown(given_settings, False)):
        assert "hikeshi@example.test" in words
        assert "of the test" not in words
    assert "mailForwardingAddress" in PLUGIN.setup(given_settings)
    assert "Nothing was taken away" in PLUGIN.teardown(given_settings, True)


def test_setup_of_active_directory_gives_no_right_to_passwords_where_they_are_left_alone():
    assert "Reset Password" in PLUGIN.setup(settings())
    words = PLUGIN.setup(settings(reset_password=False))
    assert "Reset Password" not in words
    assert "CR;" not in words


def test_the_plugin_names_what_its_settings_need():
    assert PLUGIN.name == "ldap"
    assert set(PLUGIN.required) <= set(PLUGIN.settings)
    assert not set(PLUGIN.secrets) & set(PLUGIN.settings)
