# SPDX-License-Identifier: Apache-2.0
"""Reads which channels there are from a TOML file: tables [mail], [webhook] and [syslog], each optional.

No secret stands in it: `password_file`, `secret_file` and `url_file` name private files, `password_env`,
`secret_env` and `url_env` variables of the environment.
"""

import csv
import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from logging.handlers import SysLogHandler
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from hikeshi.basics.errors import UsageError
from hikeshi.basics.secrets import resolve, text_of
from hikeshi.guard.people.channels import Mail, Syslog, Webhook

#: what may stand in each table, and of which type it is
_KNOWN: Final[Mapping[str, Mapping[str, type]]] = {
    "mail": {
        "host": str,
        "port": int,
        "sendmail": str,
        "from": str,
        "to": list,
        "owners": str,
        "user": str,
        "password_file": str,
        "password_env": str,
        "envelope_from": str,
    },
    "webhook": {"url": str, "url_file": str, "url_env": str, "secret_file": str, "secret_env": str},
    "syslog": {"facility": str},
}
_ADDRESS = re.compile(r"[^\s@<>(),;:\\\"]+@[^\s@<>(),;:\\\"]+", re.ASCII)


@dataclass(frozen=True, slots=True)
class Channels:
    """The channels there are. `owners` is account → another address of its owner, who is told by `mail` too."""

    mail: Mail | None = None
    owners: Mapping[str, str] | None = None
    webhook: Webhook | None = None
    syslog: Syslog | None = None


def read(path: Path) -> Channels:
    """Read the channels; secrets are read too, once.

    Raises:
        UsageError: the file, or one that it names, cannot be read or makes no sense.

    """
    try:
        tables = tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--channels {path}: no TOML: {error}") from error
    if not tables:
        raise UsageError(f"--channels {path}: names no channel; write a table [mail], [webhook] or [syslog]")
    for name, table in tables.items():
        _check(path, name, table)
    mail, webhook, syslog = (tables.get(name) for name in _KNOWN)
    return Channels(
        mail=None if mail is None else _mail(path, mail),
        owners=None if mail is None or "owners" not in mail else _owners(path.parent / mail["owners"]),
        webhook=None if webhook is None else _webhook(path, webhook),
        syslog=None if syslog is None else _syslog(path, syslog),
    )


def _check(path: Path, name: str, table: Any) -> None:
    """Hold that a table has only what it may have, each of its type."""
    if name not in _KNOWN or not isinstance(table, dict):
        raise UsageError(f"--channels {path}: {name} is no channel; there are [mail], [webhook] and [syslog]")
    for key, value in table.items():
        if key in ("password", "secret"):
            raise UsageError(f"--channels {path}: [{name}] {key} stands in the clear; use {key}_file or {key}_env")
        if key not in _KNOWN[name]:
            raise UsageError(f"--channels {path}: [{name}] {key} is not known; there are {', '.join(_KNOWN[name])}")
        if type(value) is not _KNOWN[name][key]:
            raise UsageError(f"--channels {path}: [{name}] {key} must be a {_KNOWN[name][key].__name__}")


def _mail(path: Path, table: dict[str, Any]) -> Mail:
    if "from" not in table or not table.get("to"):
        raise UsageError(f'--channels {path}: [mail] needs from = "ADDRESS" and to = ["ADDRESS", …]')
    if "sendmail" in table and table.keys() & {"host", "port", "user"}:
        raise UsageError(f"--channels {path}: [mail] goes by sendmail or by host and port, not by both")
    envelope = [table["envelope_from"]] if table.get("envelope_from") else []
    for address in [table["from"], *table["to"], *envelope]:
        if not isinstance(address, str) or not _ADDRESS.fullmatch(address):
            raise UsageError(f"--channels {path}: [mail] {address!r} is no plain address as name@example.com")
    given = {key: table[key] for key in ("host", "port", "sendmail", "user", "envelope_from") if key in table}
    return Mail(table["from"], tuple(table["to"]), password=_secret(path, "mail", table, "password"), **given)


def _webhook(path: Path, table: dict[str, Any]) -> Webhook:
    url = table.get("url") or _secret(path, "webhook", table, "url")
    if url is None:
        raise UsageError(f"--channels {path}: [webhook] needs url, url_file or url_env")
    parts = urlsplit(url)
    if parts.scheme not in ("https", "http") or not parts.hostname:
        raise UsageError(f"--channels {path}: the url of [webhook] must begin with https:// and name a host")
    return Webhook(url, _secret(path, "webhook", table, "secret"))


def _syslog(path: Path, table: dict[str, Any]) -> Syslog:
    facility = table.get("facility", "auth")
    if facility not in SysLogHandler.facility_names:
        names = ", ".join(SysLogHandler.facility_names)
        raise UsageError(f"--channels {path}: [syslog] facility {facility!r} is none; there are {names}")
    return Syslog(facility)


def _secret(path: Path, name: str, table: dict[str, Any], what: str) -> str | None:
    """Read a secret from the variable or the private file that the table names; None where it names neither."""
    secret = resolve(table, what, f"--channels {path}: [{name}]", path.parent)
    return None if secret is None else secret.reveal()


def _owners(path: Path) -> dict[str, str]:
    """Read account,address; a head line of these words may stand first."""
    found = {}
    for number, row in enumerate(csv.reader(text_of(path).splitlines()), 1):
        cells = [cell.strip() for cell in row]
        if not any(cells) or (number == 1 and [cell.lower() for cell in cells] == ["account", "address"]):
            continue
        if len(cells) != 2 or not cells[0] or not _ADDRESS.fullmatch(cells[1]):
            raise UsageError(f"{path}:{number}: not account,address with a plain address as name@example.com")
        found[cells[0].lower()] = cells[1]
    return found
