# SPDX-License-Identifier: Apache-2.0
"""The script for what Graph cannot do: no value leaves its quotes, and only a reading of its export counts."""

import codecs
import contextlib
import json
import re
import stat
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st
from m365_stage import ANNA, Stage

from hikeshi.contain.connectors.m365.readback import ReadBackError, accept, newest, read_back
from hikeshi.contain.connectors.m365.runbook import literal, script, write
from hikeshi.contain.contract import ConnectorError, Phase, RefusedError, Step

QUOTES = "'\u2018\u2019\u201a\u201b"
NOW = datetime(2026, 11, 2, 10, 0, tzinfo=UTC)


def step(account=ANNA, domains=("example.test",)):
    return Step("m365", "runbook", Phase.CLEAN, account, None, "", {}, {}, {"own_domains": list(domains)})


def unquoted(text):
    """Read a PowerShell single-quoted literal at the start of a text; give its value and what follows it."""
    assert text[0] in QUOTES
    value, at = [], 1
    while at < len(text):
        if text[at] in QUOTES:
            if at + 1 >= len(text) or text[at + 1] not in QUOTES:
                return "".join(value), text[at + 1 :]
            at += 1
        value.append(text[at])
        at += 1
    raise AssertionError("never closed")


WILD = st.text(
    st.one_of(st.characters(min_codepoint=32, exclude_characters="\x7f"), st.sampled_from(QUOTES + '`$();"'))
)


@given(WILD)
def test_a_value_cannot_leave_its_quotes(text):
    value, rest = unquoted(literal(text) + " ; next")
    assert (value, rest) == (text, " ; next")


@given(account=WILD, domain=WILD)
def test_a_script_differs_from_another_only_inside_of_literals(account, domain):
    made, plain = script(step(account, [domain])), script(step("x", ["y"]))
    before, _, _ = plain.partition("$Account = ")
    head, _, tail = made.partition("$Account = ")
    assert unquoted(tail)[0] == account
    rest = unquoted(tail)[1]
    assert rest.startswith("\n$OwnDomains = @(")
    value, end = unquoted(rest.removeprefix("\n$OwnDomains = @("))
    assert value == domain
    assert end == plain.partition("$OwnDomains = @('y'")[2]
    stem = re.compile(r"'hikeshi-[A-Za-z0-9.@_-]*'")
    assert stem.sub("", head) == stem.sub("", before)


@pytest.mark.parametrize("bad", ["a\nb@example.test", "a\rb", "a\x00b", "\x7f"])
def test_control_characters_do_not_go_into_a_script(bad):
    with pytest.raises(ConnectorError, match="control characters"):
        script(step(bad))


def test_the_script_reads_first_acts_on_request_and_reads_again():
    text = script(step())
    assert text.index("before = Get-HikeshiState") < text.index("if ($Execute) {") < text.index("$report.after = ")
    changing = re.findall(r"^\s*((?:Set|Remove|Add)-\w+)", text, re.MULTILINE)
    acting = text[text.index("if ($Execute) {") : text.index("$report.after = ")]
    assert len(changing) >= 8
    assert all(acting.count(name) == text.count(f"{name} ") for name in set(changing) - {"Set-StrictMode"})
    assert "Test-Path -LiteralPath $Output" in text


def test_the_file_is_private_and_powershell_5_reads_it(tmp_path):
    file = write(step("佐藤@example.test"), tmp_path)
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    assert content.startswith(codecs.BOM_UTF8)
    assert "'佐藤@example.test'" in content.decode("utf-8-sig")
    assert file.parent == tmp_path


def state(taken=NOW, **more):
    return {
        "takenAt": taken.strftime("%Y-%m-%dT%H:%M:%SZ"),
        "forwardingSmtpAddress": "",
        "forwardingAddress": "",
        "forwardingTarget": "",
        "deliverToMailboxAndForward": False,
        "smtpClientAuthenticationDisabled": "True",
        "imapEnabled": False,
        "popEnabled": False,
        "ewsEnabled": "False",
        "activeSyncEnabled": False,
        "fullAccess": [],
        "sendAs": [],
        "rules": [],
    } | more


OPEN = {"forwardingSmtpAddress": "smtp:drop@evil.example", "imapEnabled": True, "smtpClientAuthenticationDisabled": ""}


def export(account=ANNA, before=None, after=None, **more):
    return {
        "schema": "hikeshi.m365-runbook/1",
        "account": account,
        "ownDomains": ["example.test"],
        "executed": True,
        "before": before or state(),
        "after": after,
    } | more


def as_bytes(document):
    return json.dumps(document, ensure_ascii=False).encode()


@pytest.mark.parametrize(
    "encode",
    [
        lambda text: text.encode(),
        lambda text: text.encode("utf-8-sig"),
        lambda text: codecs.BOM_UTF16_LE + text.encode("utf-16-le"),
        lambda text: codecs.BOM_UTF16_BE + text.encode("utf-16-be"),
    ],
)
def test_an_export_is_read_however_powershell_writes_it(encode):
    document = export(before=state(fullAccess=["佐藤@example.test"]), after=state(NOW + timedelta(minutes=1)))
    read = read_back(encode(json.dumps(document, ensure_ascii=False)))
    assert read.before.fullAccess == ["佐藤@example.test"]
    assert read.taken == NOW + timedelta(minutes=1)


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b"\xff\xfe\x00",
        b"[]",
        as_bytes(export())[:-9],
        as_bytes(export(schema="other/1")),
        as_bytes(export(after=state(NOW - timedelta(hours=1)))),
        as_bytes(export(before=state(takenAt="yesterday"))),
        as_bytes(export(before=state(imapEnabled="no"))),
        b" " * 10_000_001,
    ],
)
def test_what_is_no_export_is_refused(content):
    with pytest.raises(ReadBackError):
        read_back(content)


@given(st.binary(max_size=300))
def test_no_bytes_at_all_raise_anything_else(content):
    with contextlib.suppress(ReadBackError):
        read_back(content)


def test_exports_are_kept_private_and_once(tmp_path):
    folder = tmp_path / "imports"
    for _ in range(2):
        accept(as_bytes(export()), folder)
    (file,) = folder.iterdir()
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    assert stat.S_IMODE(folder.stat().st_mode) == 0o700
    assert newest(folder, ANNA.upper(), None) is not None
    assert newest(folder, "ben@example.test", None) is None
    assert newest(folder, ANNA, NOW + timedelta(seconds=1)) is None


def test_the_runbook_step_is_refused_until_an_export_shows_it_done(tmp_path):
    stage = Stage()
    connector = stage.connector(operations=["runbook"], imports=str(tmp_path))
    (one,) = connector.look(stage.target).steps
    before, since = connector.probe(one), NOW - timedelta(hours=1)
    assert before.reached is None
    with pytest.raises(RefusedError, match="contain import"):
        connector.do(one, before, since)

    accept(as_bytes(export(before=state(NOW - timedelta(hours=2), **OPEN))), tmp_path)
    assert connector.verify(one, before, since).reached is None, "older than the step"
    accept(as_bytes(export(before=state(**OPEN), after=None)), tmp_path)
    before = connector.probe(one)
    assert connector.verify(one, before, since).reached is False
    assert "forwarding outside, IMAP, SMTP AUTH" in connector.verify(one, before, since).says

    closed = export(before=state(**OPEN), after=state(NOW + timedelta(minutes=5)))
    accept(as_bytes(closed), tmp_path)
    assert connector.verify(one, before, since).reached
    assert "was run" in connector.do(one, before, since).says

    with pytest.raises(RefusedError, match="-Undo"):
        connector.undo(one, before)
    undone = export(before=state(NOW + timedelta(minutes=9)), after=state(NOW + timedelta(minutes=9), **OPEN))
    accept(as_bytes(undone), tmp_path)
    assert connector.restored(one, before).reached
    assert "was run" in connector.undo(one, before).says
    connector.close()


@pytest.mark.parametrize(
    "door",
    [
        {"forwardingTarget": "smtp:drop@evil.example", "forwardingAddress": "Contact"},
        {"popEnabled": True},
        {"smtpClientAuthenticationDisabled": "False"},
    ],
)
def test_each_open_door_is_seen(tmp_path, door):
    stage = Stage()
    connector = stage.connector(operations=["runbook"], imports=str(tmp_path))
    (one,) = connector.look(stage.target).steps
    accept(as_bytes(export(before=state(**door))), tmp_path)
    assert connector.probe(one).reached is False
    connector.close()
