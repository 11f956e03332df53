# SPDX-License-Identifier: Apache-2.0
"""Dovecot's own program on this host, and what its answers mean: measured with Dovecot 2.3.19.

Exit codes: 0 done, 64 usage, 65 no (a script that does not compile), 67 no such user, 68 nothing there, 75 not now, 77 no
permission. A stopped Dovecot is 75, but 0 for `auth cache flush` and 77 for `auth test`: what it complains of counts.
"""

import json
import re
from dataclasses import dataclass
from typing import Final

from hikeshi.contain.contract import ConnectorError, LaterError, RefusedError
from hikeshi.contain.local import Said, run

DATA, NO_USER, NOTHING, NOT_NOW, NO_PERMISSION = 65, 67, 68, 75, 77

_CONFIG: Final = (78, 89)
#: the statistics socket is not ours and not needed
_NO_ANSWER = re.compile(r"^(?!.*stats-writer).*connect\w*\(.*failed: (?P<why>.*)", re.MULTILINE)
#: doveadm takes * and ? for masks, passwd files end a name at a colon; nobody's name begins like an option or a comment
_PLAIN = re.compile(r"[^\s:*?#\x00-\x1f\x7f-][^\s:*?\x00-\x1f\x7f]*")
_EXPANDS = re.compile(r"%(?P<lower>L?)(?P<what>[und])")


@dataclass(frozen=True, slots=True)
class Doveadm:
    """How Dovecot is asked: `program`, the dovecot.conf of the instance, None for the system's, and which deny list."""

    program: str = "doveadm"
    config: str | None = None
    deny: str | None = None

    def run(self, *arguments: str, text: str = "", fine: tuple[int, ...] = ()) -> Said:
        """Run a command; exit codes in `fine` are answers, too.

        Raises:
            LaterError: Dovecot is not running, or cannot just now.
            RefusedError: there is no such user, or nothing there.
            ConnectorError: anything else, for example no permission.

        """
        given = () if self.config is None else ("-c", self.config)
        said = run(self.program, *given, *arguments, text=text)
        what = f"doveadm {' '.join(arguments[:2] if arguments[0] != '-f' else arguments[2:4])}"
        if found := _NO_ANSWER.search(said.err):
            if found["why"] == "Permission denied":
                raise ConnectorError(f"{what}: Dovecot does not let us; run this with sudo")
            raise LaterError(f"{what}: Dovecot does not answer ({found['why']}); start it")
        if said.code == 0 or said.code in fine:
            return said
        if said.code in _CONFIG or "configuration" in said.err:
            raise ConnectorError(f"{what}: {said.last}; give dovecot.conf as the setting config")
        if said.code == NO_USER:
            raise RefusedError(f"{what}: {said.last}", "look under which name Dovecot knows this mailbox")
        if said.code == NOT_NOW:
            raise LaterError(f"{what}: {said.last}")
        raise ConnectorError(f"{what}: {said.last}")

    def ask(self, *arguments: str, fine: tuple[int, ...] = ()) -> list[dict[str, str]]:
        """Run a command and give its rows.

        Raises:
            LaterError: see `run`, and RefusedError, ConnectorError; also where the rows cannot be read.

        """
        said = self.run("-f", "json", *arguments, fine=fine)
        try:
            return [dict(row) for row in json.loads(said.out or "[]")]
        except (ValueError, TypeError) as error:
            raise ConnectorError(
                f"doveadm {arguments[0]}: its answer is not JSON; hikeshi knows Dovecot 2.3"
            ) from error

    def setting(self, name: str) -> str:
        """Give the value of a setting, "" where there is none."""
        return self.run("config", "-h", name, fine=_CONFIG).out.strip()

    def home(self, account: str) -> str | None:
        """Give the home folder of an account, "" where it has none; None: Dovecot does not know the account."""
        said = self.run("user", "-f", "home", account, fine=(NO_USER,))
        return None if said.code == NO_USER else said.out.strip()


def plain(account: str) -> bool:
    """Whether an account's name means itself alone to Dovecot and in its files."""
    return _PLAIN.fullmatch(account) is not None


def expanded(pattern: str, account: str) -> str:
    """Write an account's name in a pattern of Dovecot: %u, %n, %d, with L in lower case.

    Raises:
        RefusedError: the pattern uses another variable.

    """
    local, _, domain = account.partition("@")
    values = {"u": account, "n": local, "d": domain}

    def one(found: re.Match[str]) -> str:
        value = values[found["what"]]
        return value.lower() if found["lower"] else value

    if "%" in _EXPANDS.sub("", pattern):
        raise RefusedError(f"{pattern}: hikeshi knows %u, %n and %d only", "deny the account by hand")
    return _EXPANDS.sub(one, pattern)
