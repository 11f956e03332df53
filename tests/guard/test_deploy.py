# SPDX-License-Identifier: Apache-2.0
"""What is deployed is what there is: units whose command lines our own parser takes, hardened, and without a secret."""

import re
import shlex
from pathlib import Path

import click
import pytest

from hikeshi.cli import main

ROOT = Path(__file__).parents[2]
DEPLOY = ROOT / "deploy"
UNITS = ("hikeshi-guard.service", "hikeshi-watch.service")
COMMAND = "/opt/hikeshi/bin/hikeshi"

#: what a service needs that talks to strangers' mail and to nobody else: directive and one of its values
HARDENED = {
    "NoNewPrivileges": "yes",
    "CapabilityBoundingSet": "",
    "AmbientCapabilities": "",
    "ProtectSystem": "strict",
    "ProtectHome": "yes",
    "PrivateTmp": "yes",
    "PrivateDevices": "yes",
    "ProtectClock": "yes",
    "ProtectControlGroups": "yes",
    "ProtectHostname": "yes",
    "ProtectKernelLogs": "yes",
    "ProtectKernelModules": "yes",
    "ProtectKernelTunables": "yes",
    "RestrictAddressFamilies": "AF_INET AF_INET6 AF_UNIX",
    "RestrictNamespaces": "yes",
    "RestrictRealtime": "yes",
    "RestrictSUIDSGID": "yes",
    "LockPersonality": "yes",
    "SystemCallArchitectures": "native",
    "SystemCallFilter": "@system-service",
    "IPAddressDeny": "any",
    "IPAddressAllow": "localhost",
    "UMask": "0077",
    "StateDirectoryMode": "0700",
}

#: names of what may hold a secret, when something stands behind them; `_env` and `_file` name where it is
_SECRET = re.compile(r"(?i)(?:password|passwd|secret|token|api[-_]?key)\w*\s*[=:]\s*\S")


def unit(name):
    """Read a unit: section → directive → its values, as systemd does; a line that is no unit's fails."""
    sections, here = {}, None
    for line in (DEPLOY / name).read_text().splitlines():
        if not line or line.startswith(("#", ";")):
            continue
        if found := re.fullmatch(r"\[(\w+)\]", line):
            here = sections.setdefault(found[1], {})
            continue
        directive, equals, value = line.partition("=")
        assert equals, line
        assert re.fullmatch(r"[A-Za-z]+", directive), line
        here.setdefault(directive, []).append(value)
    return sections


def parsed(words):
    """Let click parse a command line of ours without running it; give the command's name and its parameters."""
    name, *arguments = words
    command = main.get_command(click.Context(main), name)
    return name, command.make_context(name, arguments).params


def words(line, **variables):
    """Split a command line as systemd does: a variable of its own becomes words."""
    return [
        word for one in shlex.split(line, posix=True)
        for word in (variables[one[1:]].split() if one.startswith("$") else [one])
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("name", "variables", "command"),
    [
        ("hikeshi-guard.service", {"OPTIONS": ""}, "guard"),
        ("hikeshi-guard.service", {"OPTIONS": "--mode hold --channels /etc/hikeshi/channels.toml"}, "guard"),
        ("hikeshi-watch.service", {"OPTIONS": "", "LOGS": "/var/log/mail.log"}, "watch"),
        ("hikeshi-watch.service", {"OPTIONS": "--journal --tz Asia/Tokyo", "LOGS": ""}, "watch"),
    ],
)
def test_the_command_line_of_a_unit_is_one_of_ours(name, variables, command):
    (line,) = unit(name)["Service"]["ExecStart"]
    program, *rest = words(line, **variables)
    assert program == COMMAND
    found, given = parsed(rest)
    assert found == command
    assert given["state"] == "/var/lib/hikeshi/state"
    assert given["case"] == Path("/var/lib/hikeshi/case")
    assert given["metrics"].startswith("127.0.0.1:")
    if command == "guard":
        assert given["listen"] == "inet:127.0.0.1:8892"


def test_closed_doors_are_read_again_by_a_command_of_ours():
    """Every five minutes, and it changes nothing: `verify` only reads."""
    (line,) = unit("hikeshi-verify.service")["Service"]["ExecStart"]
    program, *rest = words(line)
    assert program == COMMAND
    assert rest[:2] == ["contain", "verify"]
    group = main.get_command(click.Context(main), "contain")
    given = group.get_command(click.Context(group), "verify").make_context("verify", rest[2:]).params
    assert given["due"]
    assert given["case"] == Path("/var/lib/hikeshi/case")
    service = unit("hikeshi-verify.service")["Service"]
    assert (service["Type"], service["UMask"], service["NoNewPrivileges"]) == (["oneshot"], ["0077"], ["yes"])
    assert unit("hikeshi-verify.timer")["Timer"]["OnUnitActiveSec"] == ["5min"]


def test_an_option_that_we_do_not_have_would_be_noticed():
    with pytest.raises(click.NoSuchOption):
        parsed(["watch", "x.log", "--state", "s", "--case", "c", "--no-such-option"])


@pytest.mark.parametrize("name", UNITS)
def test_options_that_a_unit_suggests_are_ours(name):
    suggested = re.findall(r'# .*?OPTIONS="([^"]*)"', (DEPLOY / name).read_text())
    assert suggested
    command = name.removeprefix("hikeshi-").removesuffix(".service")
    for one in suggested:
        needed = ["x.log"] if command == "watch" else ["--listen", "inet:127.0.0.1:8892"]
        assert parsed([command, *needed, "--state", "s", "--case", "c", *one.split()])[0] == command


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_is_hardened(name):
    service = unit(name)["Service"]
    missing = {one: value for one, value in HARDENED.items() if value not in service.get(one, ())}
    assert missing == {}
    assert any("@privileged" in one and one.startswith("~") for one in service["SystemCallFilter"])
    assert service["User"] == service["Group"] == ["hikeshi"]
    assert "MemoryMax" in service
    assert "TasksMax" in service


@pytest.mark.parametrize("name", UNITS)
def test_a_unit_keeps_its_things_where_it_may_write_and_comes_back(name):
    service = unit(name)["Service"]
    assert service["StateDirectory"] == ["hikeshi"]
    (line,) = service["ExecStart"]
    _, given = parsed(words(line, OPTIONS="", LOGS="mail.log")[1:])
    assert [Path(given[one]).parent for one in ("state", "case")] == [Path("/var/lib/hikeshi")] * 2
    assert service["Restart"] == ["always"]
    assert unit(name)["Install"]["WantedBy"] == ["multi-user.target"]


def test_the_two_units_do_not_stand_in_each_others_way():
    """One may run both on one host: then they have different ports, and must have different states."""
    lines = [unit(name)["Service"]["ExecStart"][0] for name in UNITS]
    ports = [re.search(r"--metrics (\S+)", line)[1] for line in lines]
    assert len(set(ports)) == 2


@pytest.mark.parametrize("path", sorted(DEPLOY.iterdir()), ids=lambda path: path.name)
def test_no_secret_is_deployed(path):
    assert _SECRET.findall(path.read_text()) == []


def test_the_search_for_secrets_finds_one():
    assert _SECRET.search("Environment=HIKESHI_STATE_PASSWORD=hunter2")
    assert not _SECRET.search("secrets of channels as HIKESHI_… variables")


def test_the_container_is_made_of_files_that_there_are():
    lines = re.sub(r"\\\n", " ", (DEPLOY / "Containerfile").read_text()).splitlines()
    for line in lines:
        if line.startswith(("COPY ", "ADD ")):
            *sources, _ = [word for word in line.split()[1:] if not word.startswith("--")]
            for source in sources:
                assert list(ROOT.glob(source)) if source != "." else (ROOT / "pyproject.toml").exists(), line
    text = "\n".join(lines)
    assert f'ENTRYPOINT ["{COMMAND}"]' in text
    assert "USER hikeshi" in text
    for path in re.findall(r"-f (deploy/\S+)", text):
        assert (ROOT / path).exists()


def test_the_command_line_of_the_container_is_one_of_ours():
    text = (DEPLOY / "Containerfile").read_text()
    (line,) = re.findall(r"^#\s+(guard --listen .*)$", text, re.MULTILINE)
    assert parsed(shlex.split(line))[0] == "guard"


def test_the_container_runs_a_python_that_we_support():
    (version,) = re.findall(r"^FROM python:3\.(\d+)", (DEPLOY / "Containerfile").read_text(), re.MULTILINE)
    assert int(version) >= 11


def test_the_page_for_administrators_names_files_that_there_are():
    page = (ROOT / "docs" / "guard.md").read_text()
    named = set(re.findall(r"deploy/[\w.-]+", page))
    assert {"deploy/hikeshi-guard.service", "deploy/hikeshi-watch.service", "deploy/Containerfile"} <= named
    for one in named:
        assert (ROOT / one).exists(), one
