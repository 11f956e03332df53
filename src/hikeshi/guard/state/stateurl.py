# SPDX-License-Identifier: Apache-2.0
"""Where a shared state is: redis://host:port/db, rediss:// with TLS, unix:///path?db=n; and its password.

A password comes from the environment variable HIKESHI_STATE_PASSWORD, or from the private file that
HIKESHI_STATE_PASSWORD_FILE names (as systemd's LoadCredential gives it), and never stands in the address: arguments
are seen by everybody on the host.
"""

import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final
from urllib.parse import parse_qs, unquote, urlsplit

from hikeshi.guard.state.store import StateError

PASSWORD: Final = "HIKESHI_STATE_PASSWORD"  # noqa: S105 - the name of a variable
PASSWORD_FILE: Final = "HIKESHI_STATE_PASSWORD_FILE"  # noqa: S105 - the name of a variable
_FORMS: Final = "redis://HOST:PORT/DB, rediss://HOST:PORT/DB or unix:///PATH?db=DB"


def settings(text: str, environment: Mapping[str, str] = os.environ) -> dict[str, Any]:
    """Give the connection settings of the address `text`, as the redis library names them.

    Raises:
        StateError: it is no such address, it holds a password, or the password's file cannot be used.

    """
    try:
        parts = urlsplit(text)
        port, database = parts.port, parse_qs(parts.query, strict_parsing=bool(parts.query))
    except ValueError:
        raise StateError(f"--state: no address of a shared state; write {_FORMS}") from None
    if parts.password is not None or "password" in database:
        raise StateError(f"--state: a password in an argument is seen by all; put it into the variable {PASSWORD}")
    found: dict[str, Any] = {"username": unquote(parts.username)} if parts.username else {}
    if parts.scheme == "unix":
        found["path"] = unquote(parts.netloc.rpartition("@")[2] + parts.path)
        numbers = database.pop("db", ["0"])
    else:
        found |= {"host": parts.hostname or "localhost", "port": port or 6379}
        numbers = [parts.path.strip("/") or "0"]
    if (
        parts.scheme not in {"redis", "rediss", "unix"}
        or database
        or not numbers[0].isdecimal()
        or not all(found.values())
    ):
        raise StateError(f"--state: no address of a shared state; write {_FORMS}")
    found["db"] = int(numbers[0])
    if (secret := _password(environment)) is not None:
        found["password"] = secret
    return found


def _password(environment: Mapping[str, str]) -> str | None:
    if (secret := environment.get(PASSWORD)) is not None:
        return secret
    if (name := environment.get(PASSWORD_FILE)) is None:
        return None
    path = Path(name)
    try:
        with path.open(encoding="utf-8") as file:
            if stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise StateError(f"{PASSWORD_FILE} {path}: others may read it; chmod 600 {path}")
            return file.read().rstrip("\r\n")
    except (OSError, UnicodeDecodeError) as error:
        raise StateError(f"{PASSWORD_FILE} {path}: {error}; name a file that holds the password alone") from error
