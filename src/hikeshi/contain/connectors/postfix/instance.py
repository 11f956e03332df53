# SPDX-License-Identifier: Apache-2.0
"""One Postfix of this host: its settings, its services that sign people in, and the map that they ask about logins.

Measured with Postfix 3.7: `check_sasl_access` behind a `permit` of the same list is never reached, so the order counts.
"""

import re
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Final

from hikeshi.contain.contract import ConnectorError, RefusedError
from hikeshi.contain.local import Said, run

#: those that are evaluated when it is known who has signed in
_LISTS: Final = tuple(f"smtpd_{name}_restrictions" for name in ("sender", "relay", "recipient", "data", "end_of_data"))
#: kinds of maps that hikeshi can write, and what a compiled one adds to the name of its file
KINDS: Final[Mapping[str, str]] = {"texthash": "", "hash": ".db", "btree": ".db", "lmdb": ".lmdb", "cdb": ".cdb"}
_WORD = re.compile(r"\{[^}]*\}|[^\s,{}]+(?:\{[^}]*\})?")
_DEEPEST: Final = 5

LINES: Final = """smtpd_sender_restrictions = check_sasl_access texthash:/etc/postfix/hikeshi-held"""


@dataclass(frozen=True, slots=True)
class Access:
    """The map that says what becomes of a login's mail, and the services that ask it."""

    kind: str
    file: Path
    services: tuple[str, ...]

    @property
    def table(self) -> str:
        """Its name as Postfix writes it."""
        return f"{self.kind}:{self.file}"

    @property
    def changed(self) -> float:
        """When it was last written, in seconds since 1970."""
        files = (self.file, Path(f"{self.file}{KINDS[self.kind]}"))
        try:
            return max(one.stat().st_mtime for one in files)
        except OSError as error:
            raise ConnectorError(f"{error.filename}: {error.strerror}; make the map: postmap {self.table}") from error


@dataclass(frozen=True, slots=True)
class Instance:
    """How Postfix is asked: the folder of its main.cf, None for the usual one; and which map, where there are several."""

    config: Path | None = None
    access: str | None = None
    action: str = "hold"

    def run(self, program: str, *arguments: str, fine: tuple[int, ...] = ()) -> Said:
        """Run one of Postfix's programs.

        Raises:
            ConnectorError: it is not there or failed; or LaterError.

        """
        given = () if self.config is None else ("-c", str(self.config))
        said = run(program, *given, *arguments)
        if said.code and said.code not in fine:
            sudo = "; run this with sudo" if "superuser" in said.err or "ermission denied" in said.err else ""
            raise ConnectorError(f"{program}: {said.last}{sudo}")
        return said

    def setting(self, name: str) -> str:
        """Give a setting of main.cf with what it refers to."""
        return self.run("postconf", "-xh", name).out.strip()

    def doors(self) -> dict[str, dict[str, str]]:
        """Give the services of smtpd where people sign in, each with what counts for it of the lists of restrictions."""
        given: dict[str, dict[str, str]] = {}
        for line in self.run("postconf", "-M").out.splitlines():
            words = line.split()
            if len(words) >= 8 and words[7] == "smtpd":
                given[f"{words[0]}/{words[1]}"] = {}
        for line in self.run("postconf", "-Px").out.splitlines():
            where, _, value = line.partition(" = ")
            service, _, name = where.strip().rpartition("/")
            if service in given:
                given[service][name] = value
        usual = {name: self.setting(name) for name in ("smtpd_sasl_auth_enable", *_LISTS)}
        found = {service: usual | options for service, options in given.items()}
        return {service: each for service, each in found.items() if each["smtpd_sasl_auth_enable"].strip() == "yes"}

    def map(self) -> Access:
        """Find the map that every service asks where people sign in.

        Raises:
            RefusedError: there is none; it says what to add.
            ConnectorError: Postfix's configuration cannot be read, or LaterError.

        """
        classes = set(_words(self.setting("smtpd_restriction_classes")))
        doors = self.doors()
        asked = {service: list(self._asked(lists, classes)) for service, lists in doors.items()}
        common = [one for one in next(iter(asked.values()), []) if all(one in each for each in asked.values())]
        for kind, _, file in (one.partition(":") for one in common):
            if kind in KINDS and self.access in (None, file, f"{kind}:{file}"):
                return Access(kind, Path(file), tuple(service.partition("/")[0] for service in doors))
        without = [service for service, tables in asked.items() if not tables] or list(asked)
        raise RefusedError(
            f"Postfix asks no map about logins that hikeshi can write, at {', '.join(without) or 'any port'}",
            f"put this first in main.cf, or in master.cf as -o of each of them, and reload Postfix:\n{LINES}\n",
        )

    def _asked(self, lists: Mapping[str, str], classes: set[str]) -> Iterator[str]:
        for name in _LISTS:
            yield from self._reached(lists[name], classes, 0)

    def _reached(self, restrictions: str, classes: set[str], depth: int) -> Iterator[str]:
        """Give the maps that are asked about logins before anything in the list lets a mail pass."""
        words = iter(_words(restrictions))
        for word in words:
            if word == "check_sasl_access":
                yield next(words, "")
            elif word.startswith("permit"):
                return
            elif word in classes and depth < _DEEPEST:
                yield from self._reached(self.setting(word), classes, depth + 1)


def _words(text: str) -> list[str]:
    return _WORD.findall(text)
