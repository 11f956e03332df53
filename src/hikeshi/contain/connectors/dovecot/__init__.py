# SPDX-License-Identifier: Apache-2.0
"""Dovecot on this host, by doveadm: refuse sign-ins, end sessions, clean the Sieve script, put the lure away.

It runs on the mail server as root: doveadm's sockets, the users' mailboxes and the deny list belong to different users.
Settings: `config` (dovecot.conf, default the system's), `doveadm` (the program), `deny` (which deny list, where there are
several), `quarantine` (folder of each mailbox for the lure's copies).
"""

from collections.abc import Mapping
from datetime import datetime
from typing import Final, Protocol

from hikeshi.contain.connectors.dovecot import deny, kick, quarantine, sieve
from hikeshi.contain.connectors.dovecot.doveadm import Doveadm
from hikeshi.contain.connectors.dovecot.looking import looked
from hikeshi.contain.connectors.dovecot.passdb import LINES, deny_list
from hikeshi.contain.contract import Answer, Look, Plugin, Reading, Settings, Step, Target

QUARANTINE: Final = "hikeshi-quarantine"


class _Operation(Protocol):
    """What each module of an operation has."""

    def probe(self, doveadm: Doveadm, step: Step, /) -> Reading: ...
    def do(self, doveadm: Doveadm, step: Step, before: Reading, /) -> Answer: ...
    def verify(self, doveadm: Doveadm, step: Step, before: Reading, /) -> Reading: ...
    def undo(self, doveadm: Doveadm, step: Step, before: Reading, /) -> Answer: ...
    def restored(self, doveadm: Doveadm, step: Step, before: Reading, /) -> Reading: ...


_OPERATIONS: Final[Mapping[str, _Operation]] = {
    deny.OPERATION: deny,
    kick.OPERATION: kick,
    sieve.OPERATION: sieve,
    quarantine.OPERATION: quarantine,
}


class Dovecot:
    """The Dovecot of this host; see `contract.Connector`."""

    name = "dovecot"

    def __init__(self, settings: Settings) -> None:
        self._doveadm = Doveadm(settings.get("doveadm", "doveadm"), settings.get("config"), settings.get("deny"))
        self._folder: str = settings.get("quarantine", QUARANTINE)

    def check(self) -> None:
        """Hold that Dovecot answers us, and that its deny list bars everybody."""
        self._doveadm.run("who", "-1")
        deny_list(self._doveadm)

    def look(self, target: Target) -> Look:
        """Find what is to be done for a target."""
        return looked(self._doveadm, self._folder, target)

    def probe(self, step: Step) -> Reading:
        """Read what an undo will need."""
        return _OPERATIONS[step.operation].probe(self._doveadm, step)

    def do(self, step: Step, before: Reading, since: datetime) -> Answer:
        """Do it."""
        del since
        return _OPERATIONS[step.operation].do(self._doveadm, step, before)

    def verify(self, step: Step, before: Reading, since: datetime) -> Reading:
        """Ask Dovecot anew."""
        del since
        return _OPERATIONS[step.operation].verify(self._doveadm, step, before)

    def undo(self, step: Step, before: Reading) -> Answer:
        """Bring back what was there."""
        return _OPERATIONS[step.operation].undo(self._doveadm, step, before)

    def restored(self, step: Step, before: Reading) -> Reading:
        """Read whether it is there again."""
        return _OPERATIONS[step.operation].restored(self._doveadm, step, before)

    def close(self) -> None:
        """Nothing stays open."""


def _setup(settings: Settings) -> str:
    file = settings.get("deny", "/etc/dovecot/hikeshi-denied")
    lines = LINES.replace("/etc/dovecot/hikeshi-denied", file)
    folder = settings.get("quarantine", QUARANTINE)
    return f"""Dovecot, on the mail server itself. hikeshi runs there as root, by sudo, and needs no password and no network:
  visudo -f /etc/sudoers.d/hikeshi:   responder ALL=(root) /usr/local/bin/hikeshi
Least of what it uses: doveadm who, kick, user, auth test, auth cache flush, sieve list/get/put, fetch, move, flags and
mailbox create/delete; it writes the deny list and, where a Sieve script is a plain file, that file.

1. The deny list, empty, readable by Dovecot alone:
  touch {file} && chown root:dovecot {file} && chmod 640 {file}
2. These lines before every other passdb, in every file that has any (10-auth.conf):
{lines}3. doveadm reload
In Dovecot 2.4 the passdb reads: passdb deny {{ driver = passwd-file  deny = yes  passwd_file_path = {file} }}
The lure's copies go to the folder {folder} of each mailbox, which its owner can see; an ACL can hide it.
"""


def _teardown(settings: Settings, execute: bool) -> str:
    del execute
    file = settings.get("deny", "/etc/dovecot/hikeshi-denied")
    return f"""Undo what is to be undone first: hikeshi contain undo. Then, on the mail server:
1. take the passdb with deny = yes and {file} out of Dovecot's configuration, unless others use it; doveadm reload
2. rm {file}   (whoever is in it can sign in again)
3. rm /etc/sudoers.d/hikeshi
hikeshi takes nothing of this away by itself: the files are the server's.
"""


PLUGIN: Final = Plugin(
    name="dovecot",
    settings={"config": str, "doveadm": str, "deny": str, "quarantine": str},
    connect=Dovecot,
    setup=_setup,
    teardown=_teardown,
)
