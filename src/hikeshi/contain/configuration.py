# SPDX-License-Identifier: Apache-2.0
"""Reads the connectors file, TOML: one table a connector, and [limits]. No secret stands in it, only where each one is.

A connector's secret NAME is NAME_env (a variable), NAME_file (a private file) or NAME_keyring ("service/user").
"""

import tomllib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, fields
from pathlib import Path
from typing import Any, Final

from hikeshi.basics.errors import UsageError
from hikeshi.basics.secrets import WAYS, resolve, text_of
from hikeshi.contain.connectors import all_plugins
from hikeshi.contain.contract import Connector, Plugin, Settings
from hikeshi.contain.limits import Limits

_LIMITS: Final = "limits"
#: what the table [limits] may have, and of which type it is
_LIMIT_TYPES: Final[Mapping[str, type]] = {
    one.name: list if one.name in ("never", "break_glass") else int for one in fields(Limits)
}


@dataclass(frozen=True, slots=True)
class Configuration:
    """What the connectors file says. `tables` are checked, and secrets in them not read yet: only `connect` needs them."""

    path: Path
    plugins: Mapping[str, Plugin]
    tables: Mapping[str, Mapping[str, Any]]
    limits: Limits


def read_configuration(path: Path, plugins: Sequence[Plugin] | None = None) -> Configuration:
    """Read the connectors file; `plugins` are ours and those of other packages where none are given.

    Raises:
        UsageError: it cannot be read or makes no sense.

    """
    known = {plugin.name: plugin for plugin in (all_plugins() if plugins is None else plugins)}
    try:
        tables = tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--connectors {path}: no TOML: {error}") from error
    names = ", ".join(f"[{name}]" for name in known)
    for name, table in tables.items():
        if (name not in known and name != _LIMITS) or not isinstance(table, dict):
            raise UsageError(f"--connectors {path}: {name} is no connector; there are {names}, and [{_LIMITS}]")
    limits = _limits(path, tables.pop(_LIMITS, {}))
    if not tables:
        raise UsageError(f"--connectors {path}: names no connector; write a table of {names}")
    for name, table in tables.items():
        _check(path, known[name], table)
    return Configuration(path, known, tables, limits)


def settings(configuration: Configuration, name: str, imports: Path | None = None) -> Settings:
    """Give a connector's settings with its secrets, each a `Secret`, which are read now.

    `imports` is where what people bring in is kept, where the file says nothing else.

    Raises:
        UsageError: the file has no such table, or a secret is not where it says.

    """
    _hold_there(configuration, name)
    path, plugin, table = configuration.path, configuration.plugins[name], configuration.tables[name]
    found = {key: value for key, value in table.items() if key in plugin.settings}
    if imports is not None and "imports" in plugin.settings:
        found.setdefault("imports", str(imports))
    for secret in plugin.secrets:
        value = resolve(table, secret, _begin(path, name), path.parent)
        if value is not None:
            found[secret] = value
    return found


def connect(
    configuration: Configuration, names: Collection[str] | None = None, imports: Path | None = None
) -> list[Connector]:
    """Give the connectors of the file, all or those of `names`, in the file's order. The caller closes them.

    `imports` as in `settings`.

    Raises:
        UsageError: a name is none of the file's, or a secret is not where it says.
        ConnectorError: a connector cannot be made of its settings.

    """
    for name in names or ():
        _hold_there(configuration, name)
    made: list[Connector] = []
    try:
        for name in configuration.tables if names is None else [one for one in configuration.tables if one in names]:
            made.append(configuration.plugins[name].connect(settings(configuration, name, imports)))  # noqa: PERF401 - as far as it came
    except BaseException:
        for one in made:
            one.close()
        raise
    return made


def _hold_there(configuration: Configuration, name: str) -> None:
    if name not in configuration.tables:
        there = ", ".join(configuration.tables)
        raise UsageError(f"--connectors {configuration.path}: has no table [{name}]; there are {there}")


def _check(path: Path, plugin: Plugin, table: Mapping[str, Any]) -> None:
    """Hold that a connector's table has only what it may have, each of its type, and all that it must have."""
    begin = _begin(path, plugin.name)
    ways = {f"{secret}_{way}": str for secret in plugin.secrets for way in WAYS}
    for key in table:
        if key in plugin.secrets:
            raise UsageError(f"{begin} {key} stands in the clear; use {_either(key)}")
    _check_types(begin, table, {**plugin.settings, **ways})
    for key in plugin.required:
        if key in plugin.secrets:
            if not any(f"{key}_{way}" in table for way in WAYS):
                raise UsageError(f"{begin} needs {_either(key)}")
        elif key not in table:
            raise UsageError(f"{begin} needs {key}")


def _check_types(begin: str, table: Mapping[str, Any], types: Mapping[str, type]) -> None:
    for key, value in table.items():
        if key not in types:
            raise UsageError(f"{begin} {key} is not known; there are {', '.join(types)}")
        kind = types[key]
        if type(value) is not kind and not (kind is float and type(value) is int):
            raise UsageError(f"{begin} {key} must be {_KINDS.get(kind, kind.__name__)}")


_KINDS: Final[Mapping[type, str]] = {
    str: 'a text in "…"',
    int: "a whole number",
    float: "a number",
    bool: "true or false",
    list: 'a list as ["…", "…"]',
    dict: "a table",
}


def _limits(path: Path, table: Mapping[str, Any]) -> Limits:
    begin = _begin(path, _LIMITS)
    _check_types(begin, table, _LIMIT_TYPES)
    for key in ("most_accounts", "most_mailboxes"):
        if table.get(key, 1) < 1:
            raise UsageError(f"{begin} {key} must be 1 or more")
    if table.get("persons", 1) not in (1, 2):
        raise UsageError(f"{begin} persons must be 1 or 2")
    for key in ("never", "break_glass"):
        for entry in table.get(key, []):
            if (
                not isinstance(entry, str)
                or not entry.strip().lstrip("@")
                or any(one.isspace() for one in entry.strip())
            ):
                raise UsageError(f'{begin} {key} has {entry!r}, which is no account; write "name@example.com"')
            if key == "break_glass" and entry.strip().startswith("@"):
                raise UsageError(f"{begin} break_glass has {entry!r}, a domain; name each account")
    lists = {key: tuple(one.strip() for one in table.get(key, [])) for key in ("never", "break_glass")}
    return Limits(**{**table, **lists})


def _either(secret: str) -> str:
    return " or ".join(f"{secret}_{way}" for way in WAYS)


def _begin(path: Path, name: str) -> str:
    return f"--connectors {path}: [{name}]"
