# SPDX-License-Identifier: Apache-2.0
"""The deny list that Dovecot asks first: where it is configured, and whether it can bar every sign-in.

A deny passdb behind one that lets in bars nobody who has the password, although a wrong password is then answered like a
denied one (seen with Dovecot 2.3.19). So the order is read from the configuration, never concluded from an answer.
"""

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hikeshi.contain.connectors.dovecot.doveadm import Doveadm, expanded
from hikeshi.contain.contract import RefusedError

#: the protocols that sign people in; smtp is Postfix, which asks Dovecot
SERVICES: Final = ("imap", "pop3", "smtp", "submission", "sieve")
_LETS_ON: Final = ("continue", "continue-ok", "continue-fail")
_BLOCK = re.compile(r"^(?:pass|user)db\b.*?\{\n(.*?)^\}", re.MULTILINE | re.DOTALL)
_LINE = re.compile(r"^\s+(\w+) = (.*)$", re.MULTILINE)

LINES: Final = """passdb {
  driver = passwd-file
  deny = yes
  args = /etc/dovecot/hikeshi-denied
}
"""


@dataclass(frozen=True, slots=True)
class DenyList:
    """The file whose names are refused, how a name is written in it, and one protocol of each way of signing in."""

    file: Path
    pattern: str
    login: str
    services: tuple[str, ...]

    def key(self, account: str) -> str:
        """Write an account's name as the file has it.

        Raises:
            RefusedError: the configuration writes names in a way that hikeshi does not know.

        """
        return expanded(self.pattern, expanded(self.login, account) if self.login else account)


def deny_list(doveadm: Doveadm) -> DenyList:
    """Find the deny list that every protocol asks before anything that lets in, `doveadm.deny` where there are several.

    Raises:
        RefusedError: there is none, or it does not bar everybody everywhere; it says what to add.
        ConnectorError: Dovecot's configuration cannot be read, or LaterError.

    """
    ways: dict[str, str] = {}
    for service in SERVICES:
        ways.setdefault(doveadm.run("config", "-f", f"service={service}", "passdb").out, service)
    found = {service: _first_deny(told, doveadm.deny, service) for told, service in ways.items()}
    lists = set(found.values())
    if len(lists) > 1:
        raise RefusedError(f"Dovecot asks different deny lists for {', '.join(found)}", "give one to all of them")
    _keeps_mailboxes(doveadm.run("config", "userdb").out)
    file, pattern = lists.pop()
    if not Path(file).is_file():
        raise RefusedError(f"{file}: Dovecot's deny list is not there, so it denies nobody", f"create it: touch {file}")
    return DenyList(Path(file), pattern, doveadm.setting("auth_username_format"), tuple(found))


def _keeps_mailboxes(told: str) -> None:
    """Hold that whoever is denied stays known as a recipient.

    A static userdb asks the passdbs whether an account exists, and takes a denied one for none: mail to it would bounce
    (seen with Dovecot 2.3.19).
    """
    for userdb in (dict(_LINE.findall(block)) for block in _BLOCK.findall(told)):
        if userdb.get("driver") == "static" and "allow_all_users=yes" not in userdb.get("args", "").split():
            raise RefusedError(
                "Dovecot would no longer know a denied account, and mail to it would bounce",
                "add allow_all_users=yes to the args of userdb static, if Postfix refuses unknown recipients itself",
            )


def _first_deny(told: str, wanted: str | None, service: str) -> tuple[str, str]:
    """Give path and name pattern of the first deny list that stands before everything that lets in."""
    for passdb in (dict(_LINE.findall(block)) for block in _BLOCK.findall(told)):
        if passdb.get("deny") == "yes" and passdb.get("driver") == "passwd-file" and _for_all(passdb):
            path, pattern = _file_and_pattern(passdb)
            if wanted in (None, path):
                return path, pattern
        elif passdb.get("deny") != "yes" and _lets_in(passdb):
            break
    raise RefusedError(
        f"Dovecot asks no deny list before it lets {service} in",
        f"add these lines before every other passdb and reload Dovecot:\n{LINES}",
    )


def _for_all(passdb: dict[str, str]) -> bool:
    return not passdb.get("mechanisms") and not passdb.get("username_filter") and passdb.get("skip", "never") == "never"


def _lets_in(passdb: dict[str, str]) -> bool:
    return passdb.get("master") != "yes" and passdb.get("result_success", "return-ok") not in _LETS_ON


def _file_and_pattern(passdb: dict[str, str]) -> tuple[str, str]:
    words = passdb.get("args", "").split() or [passdb.get("passwd_file_path", "")]
    given = dict(word.partition("=")[::2] for word in words[:-1])
    if "%" in words[-1]:
        raise RefusedError(f"{words[-1]}: a deny list for each domain", "name one file without variables")
    return words[-1], given.get("username_format", "%u")
