# SPDX-License-Identifier: Apache-2.0
"""How letters leave, out of a TOML file: [relay], [letters], [dkim], [logs]. No secret stands in it (`basics/secrets.py`)."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final

from hikeshi.basics.errors import UsageError
from hikeshi.basics.secrets import resolve, text_of
from hikeshi.notify.outbox.dkim import Dkim
from hikeshi.notify.outbox.relay import Relay
from hikeshi.notify.outbox.run import Logs
from hikeshi.notify.outbox.send import Sending

#: what may stand in each table, and of which type it is
_KNOWN: Final[Mapping[str, Mapping[str, tuple[type, ...]]]] = {
    "relay": {
        "host": (str,),
        "port": (int,),
        "tls": (str,),
        "user": (str,),
        "cafile": (str,),
        **dict.fromkeys(("password_file", "password_env", "password_keyring"), (str,)),
    },
    "letters": {
        "bounces": (str,),
        "connections": (int,),
        "minute": (int, float),
        "domain_minute": (int, float),
    },
    "dkim": {"domain": (str,), "selector": (str,), **dict.fromkeys(("key_file", "key_env", "key_keyring"), (str,))},
    "logs": {"paths": (list,), "tz": (str,), "year": (int,), "grace": (int, float)},
}
_TLS: Final = ("auto", "none", "starttls", "implicit")


@dataclass(frozen=True, slots=True)
class Configuration:
    """Where letters are handed in, how, and which logs settle what is open."""

    relay: Relay
    sending: Sending
    logs: Logs | None


def read_configuration(path: Path) -> Configuration:
    """Read it; secrets are read too, once.

    Raises:
        UsageError: the file, or one that it names, cannot be read or makes no sense.

    """
    try:
        tables = tomllib.loads(text_of(path))
    except tomllib.TOMLDecodeError as error:
        raise UsageError(f"--relay {path}: no TOML: {error}") from error
    for name, table in tables.items():
        _check(path, name, table)
    relay, letters, dkim, logs = (dict(tables.get(name, {})) for name in _KNOWN)
    if "host" not in relay or "bounces" not in letters:
        raise UsageError(f'--relay {path}: needs [relay] host = "HOST" and [letters] bounces = "ADDRESS"')
    if relay.get("tls", "auto") not in _TLS:
        raise UsageError(f"--relay {path}: [relay] tls {relay['tls']!r} is none; there are {', '.join(_TLS)}")
    password = resolve(relay, "password", f"--relay {path}: [relay]", path.parent)
    plain = {key: relay[key] for key in ("host", "port", "tls", "user", "cafile") if key in relay}
    return Configuration(
        Relay(**plain, password=password),
        Sending(**letters, dkim=_dkim(path, dkim) if "dkim" in tables else None),
        _logs(path, logs) if "logs" in tables else None,
    )


def _check(path: Path, name: str, table: Any) -> None:
    """Hold that a table has only what it may have, each of its type."""
    if name not in _KNOWN or not isinstance(table, dict):
        raise UsageError(
            f"--relay {path}: {name} is no table of it; there are {', '.join(f'[{one}]' for one in _KNOWN)}"
        )
    for key, value in table.items():
        if key in ("password", "key"):
            raise UsageError(
                f"--relay {path}: [{name}] {key} stands in the clear; use {key}_file, {key}_env or {key}_keyring"
            )
        if key not in _KNOWN[name]:
            raise UsageError(f"--relay {path}: [{name}] {key} is not known; there are {', '.join(_KNOWN[name])}")
        if type(value) not in _KNOWN[name][key]:
            raise UsageError(f"--relay {path}: [{name}] {key} must be a {_KNOWN[name][key][-1].__name__}")


def _dkim(path: Path, table: Mapping[str, Any]) -> Dkim:
    key = resolve(table, "key", f"--relay {path}: [dkim]", path.parent)
    if key is None or "domain" not in table or "selector" not in table:
        raise UsageError(f"--relay {path}: [dkim] needs domain, selector and key_file, key_env or key_keyring")
    return Dkim(table["domain"], table["selector"], key)


def _logs(path: Path, table: Mapping[str, Any]) -> Logs:
    paths = table.get("paths") or []
    if not paths or not all(isinstance(one, str) for one in paths):
        raise UsageError(f'--relay {path}: [logs] needs paths = ["/var/log/mail.log"]')
    return Logs(tuple(paths), **{key: table[key] for key in ("tz", "year", "grace") if key in table})
