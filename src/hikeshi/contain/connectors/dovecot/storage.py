# SPDX-License-Identifier: Apache-2.0
"""Where an account's Sieve scripts lie: in Pigeonhole's storage, or, with older set-ups, in one plain file.

`doveadm sieve` knows nothing of a plain file in the place of the link to the active script, and moves it away when a
script is activated; so a plain file is read and written as a file, with its owner and mode kept.
"""

import os
import re
import tempfile
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from hikeshi.contain.connectors.dovecot.doveadm import NOTHING, Doveadm
from hikeshi.contain.contract import ConnectorError
from hikeshi.contain.local import edit, run, text_of


@dataclass(frozen=True, slots=True)
class Script:
    """A script by name; `file` where it is a plain file. `changed` is when it or its being active changed, aware, UTC.

    None where that cannot be seen.
    """

    name: str
    file: str | None
    changed: datetime | None


def active(doveadm: Doveadm, account: str) -> Script | None:
    """Find the script that works for an account.

    Raises:
        ConnectorError: Dovecot cannot be asked, or LaterError.

    """
    folder, link = _places(doveadm, account)
    names = [row["script"] for row in doveadm.ask("sieve", "list", "-u", account) if row.get("active")]
    if names:
        paths = [path for path in (folder and folder / f"{names[0]}.sieve", link) if path]
        return Script(names[0], None, _changed(paths))
    if link is not None and link.is_file():
        return Script(link.name, str(link), _changed([link]))
    return None


def get(doveadm: Doveadm, account: str, script: Script) -> str | None:
    """Give a script's text, None where it is not there.

    Raises:
        ConnectorError: it cannot be read, or LaterError; RefusedError where Dovecot does not know the account.

    """
    if script.file is not None:
        return text_of(Path(script.file)) if Path(script.file).exists() else None
    said = doveadm.ask("sieve", "get", "-u", account, "--", script.name, fine=(NOTHING,))
    return said[0]["sieve script"] if said else None


def put(doveadm: Doveadm, account: str, script: Script, text: str) -> None:
    """Write a script that Dovecot can compile; whether it is active stays as it is.

    Raises:
        ConnectorError: it does not compile, or cannot be written, or LaterError.

    """
    if script.file is None:
        doveadm.run("sieve", "put", "-u", account, "--", script.name, text=text)
        return
    with tempfile.TemporaryDirectory(prefix="hikeshi-") as folder:
        trial = Path(folder) / "trial.sieve"
        trial.write_bytes(text.encode("utf-8", "surrogateescape"))
        given = () if doveadm.config is None else ("-c", doveadm.config)
        said = run("sievec", *given, str(trial), str(trial.with_suffix(".svbin")))
    if said.code:
        raise ConnectorError(f"{script.file}: without what is suspicious it does not compile: {said.last}")
    edit(Path(script.file), lambda _: text)


def _places(doveadm: Doveadm, account: str) -> tuple[Path | None, Path | None]:
    """Give the folder of an account's scripts and the link to, or file of, the active one; None where not in files."""
    home = doveadm.home(account)
    location = doveadm.setting("plugin/sieve") or "~/.dovecot.sieve"
    kind, _, rest = location.partition(":") if re.match(r"\w+:", location) else ("file", "", location)
    first, *options = rest.split(";")
    if not home or kind != "file":
        return None, None
    named = dict(option.partition("=")[::2] for option in options)
    if "active" in named or Path(_filled(first, account, home)).is_dir():
        return Path(_filled(first, account, home)), Path(
            _filled(named.get("active", "~/.dovecot.sieve"), account, home)
        )
    folder = doveadm.setting("plugin/sieve_dir") or "~/sieve"
    return Path(_filled(folder, account, home)), Path(_filled(first, account, home))


def _filled(path: str, account: str, home: str) -> str:
    local, _, domain = account.partition("@")
    for name, value in (("%u", account), ("%n", local), ("%d", domain), ("%h", home)):
        path = path.replace(name, value)
    return home + path[1:] if path.startswith("~/") else path


def _changed(paths: list[Path]) -> datetime | None:
    times = []
    for path in paths:
        try:
            times.append(os.lstat(path).st_mtime)
        except OSError:
            continue
    return datetime.fromtimestamp(max(times), UTC) if times else None
