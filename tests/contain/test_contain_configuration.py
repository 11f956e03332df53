# SPDX-License-Identifier: Apache-2.0
"""The connectors file: what it may say, that no secret stands in it, and what the limits mean."""

import re

import pytest
from farside import KAI, MEI, FarSide, Thing

from hikeshi.basics.errors import UsageError
from hikeshi.basics.secrets import Secret
from hikeshi.contain.configuration import connect, read_configuration, settings
from hikeshi.contain.connectors import CONNECTORS, all_plugins
from hikeshi.contain.contract import ConnectorError, Phase, Plugin
from hikeshi.contain.limits import Limits, LimitsError, forbidden, within

FAR = '[far]\nurl = "https://far.example.com"\n'


def plugin(name="far", made=None, **more):
    made = [] if made is None else made

    def make(given):
        if given["url"] == "broken":
            raise ConnectorError("no such place")
        far = FarSide([], name)
        made.append((far, given))
        return far

    kinds = {"url": str, "port": int, "wait": float, "tls": bool, "bases": list}
    return Plugin(name, kinds, make, lambda _: "", lambda _, __: "", ("url",), ("password",), **more)


@pytest.fixture
def read(tmp_path):
    def reading(text, *plugins):
        (tmp_path / "far.toml").write_text(text, encoding="utf-8")
        return read_configuration(tmp_path / "far.toml", plugins or [plugin()])

    return reading


def test_a_connector_gets_its_settings_with_secrets_in_their_hull(read, monkeypatch):
    monkeypatch.setenv("HIKESHI_FAR", "an invented one")
    made = []
    text = FAR + 'port = 636\nwait = 2\ntls = true\nbases = ["dc=example"]\npassword_env = "HIKESHI_FAR"\n'
    (far,) = connect(read(text, plugin(made=made)))
    given = {"url": "https://far.example.com", "port": 636, "wait": 2, "tls": True, "bases": ["dc=example"]}
    assert made == [(far, {**given, "password": Secret("an invented one")})]


def test_secrets_are_only_read_where_they_are_needed(read):
    configuration = read(FAR + 'password_env = "HIKESHI_NONE"\n')
    with pytest.raises(UsageError, match=r"\[far\] password_env: the variable HIKESHI_NONE is not set"):
        settings(configuration, "far")


def test_connectors_may_be_chosen_by_name(read):
    made = []
    plugins = [plugin("one", made), plugin("two", made)]
    configuration = read('[two]\nurl = "b"\n[one]\nurl = "a"\n', *plugins)
    assert [one.name for one in connect(configuration)] == ["two", "one"]
    assert [one.name for one in connect(configuration, ["one"])] == ["one"]
    made.clear()
    with pytest.raises(UsageError, match=r"has no table \[three\]; there are two, one"):
        connect(configuration, ["one", "three"])
    assert made == []


def test_those_made_already_are_let_go_of_when_one_cannot_be_made(read):
    made = []
    configuration = read('[one]\nurl = "a"\n[two]\nurl = "broken"\n', plugin("one", made), plugin("two", made))
    with pytest.raises(ConnectorError, match="no such place"):
        connect(configuration)
    assert [far.closed for far, _ in made] == [True]


def test_limits_have_careful_defaults(read):
    assert read(FAR).limits == Limits((), (), 5, 1000, 1)
    text = '[limits]\nnever = [" @board.example "]\nbreak_glass = ["glass@hinode.example"]\nmost_accounts = 2\n'
    limits = read(FAR + text + "most_mailboxes = 10\npersons = 2\n").limits
    assert limits == Limits(("@board.example",), ("glass@hinode.example",), 2, 10, 2)


@pytest.mark.parametrize(
    ("text", "says"),
    [
        ("[far", "no TOML"),
        ("", "names no connector; write a table of [far]"),
        ("[limits]\n", "names no connector"),
        ("[near]\n", "near is no connector; there are [far], and [limits]"),
        ('far = "https://far.example.com"\n', "far is no connector"),
        ("[far]\n", "[far] needs url"),
        (
            FAR + 'password = "an invented one"\n',
            "[far] password stands in the clear; use password_env or password_file",
        ),
        (FAR + 'ports = "636"\n', "[far] ports is not known; there are url, port, wait, tls, bases, password_env"),
        (FAR + 'port = "636"\n', "[far] port must be a whole number"),
        (FAR + "port = true\n", "[far] port must be a whole number"),
        (FAR + "tls = 1\n", "[far] tls must be true or false"),
        (FAR + 'bases = "dc=example"\n', "[far] bases must be a list"),
        (FAR + "password_env = 5\n", '[far] password_env must be a text in "…"'),
        (FAR + "[limits]\nmost = 5\n", "[limits] most is not known"),
        (FAR + "[limits]\nmost_accounts = 0\n", "[limits] most_accounts must be 1 or more"),
        (FAR + "[limits]\npersons = 3\n", "[limits] persons must be 1 or 2"),
        (FAR + '[limits]\nnever = "@hinode.example"\n', "[limits] never must be a list"),
        (FAR + '[limits]\nnever = ["@"]\n', "[limits] never has '@', which is no account"),
        (FAR + '[limits]\nnever = ["kai hinode"]\n', "which is no account"),
        (FAR + "[limits]\nnever = [5]\n", "which is no account"),
        (FAR + '[limits]\nbreak_glass = ["@hinode.example"]\n', "break_glass has '@hinode.example', a domain"),
    ],
)
def test_what_makes_no_sense_is_said(read, text, says):
    with pytest.raises(UsageError, match=re.escape(says)) as raised:
        read(text)
    assert "an invented one" not in str(raised.value)


def test_a_secret_that_must_be_there_may_come_in_any_way(read):
    needs = Plugin("far", {}, lambda _: FarSide([]), lambda _: "", lambda _, __: "", ("key",), ("key",))
    with pytest.raises(UsageError, match=r"\[far\] needs key_env or key_file or key_keyring"):
        read("[far]\n", needs)
    assert read('[far]\nkey_file = "key"\n', needs).tables == {"far": {"key_file": "key"}}


def test_the_tuple_of_connectors_is_in_order():
    """Each has a name of its own, and no setting that is taken for the way to a secret."""
    names = [one.name for one in CONNECTORS]
    assert len(names) == len(set(names))
    assert all_plugins()[: len(CONNECTORS)] == CONNECTORS
    for one in CONNECTORS:
        ways = {f"{secret}_{way}" for secret in one.secrets for way in ("env", "file", "keyring")}
        assert not ways & set(one.settings)
        assert not set(one.secrets) & set(one.settings)
        assert set(one.required) <= {*one.settings, *one.secrets}
        assert one.name != "limits"


@pytest.mark.parametrize(
    ("entry", "account", "barred"),
    [
        (KAI, KAI, True),
        (KAI, KAI.upper(), True),
        (KAI, "kai+news@hinode.example", True),
        (KAI, "kai", True),
        ("kai", KAI, True),
        (KAI, "kai@other.example", False),
        (KAI, MEI, False),
        ("@hinode.example", KAI, True),
        ("@hinode.example", "KAI@Hinode.Example.", True),
        ("@hinode.example", "kai", True),
        ("@hinode.example", "kai@mail.hinode.example", False),
        ("@other.example", "kai", False),
    ],
)
def test_in_doubt_an_account_is_not_touched(entry, account, barred):
    own = ("hinode.example",)
    assert (forbidden(Limits(never=(entry,)), account, own) is not None) == barred
    if not entry.startswith("@"):
        why = forbidden(Limits(break_glass=(entry,)), account, own)
        assert (why is not None) == barred
        assert why is None or "break-glass" in why["en"]


def steps(*things):
    far = FarSide(things)
    return [far.step(thing) for thing in things]


def test_one_run_touches_so_many_accounts_and_no_more():
    many = steps(*(Thing(f"a{number}@hinode.example", "rule") for number in range(3)))
    within(Limits(most_accounts=3), many)
    with pytest.raises(LimitsError, match=r"3 accounts, and one run may change that of 2: a0@.*--account, or raise"):
        within(Limits(most_accounts=2), many)


def test_mailboxes_with_the_lure_are_counted_apart_from_accounts():
    many = steps(*(Thing(f"a{number}@hinode.example", "lure", phase=Phase.PURGE) for number in range(3)))
    within(Limits(most_accounts=1, most_mailboxes=3), many)
    with pytest.raises(LimitsError, match="3 mailboxes, and one run may do so in 2"):
        within(Limits(most_mailboxes=2), many)
