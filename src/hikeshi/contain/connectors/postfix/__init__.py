# SPDX-License-Identifier: Apache-2.0
"""Postfix on this host, by its own programs: hold what an account hands in, and what of it waits in the queue.

It runs on the mail server as root, for postsuper, postfix reload and ss -K take root. Settings: `config` (folder of the
main.cf, default the usual one), `access` (the map, where logins are looked up in several), `action` (hold or reject).
"""

from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Final, Protocol

from hikeshi.contain.connectors.postfix import aliases, sender, waiting
from hikeshi.contain.connectors.postfix.instance import LINES, Instance
from hikeshi.contain.contract import (
    Answer,
    ConnectorError,
    Look,
    Plugin,
    Reading,
    RefusedError,
    Settings,
    Step,
    Target,
    Words,
)
from hikeshi.contain.local import run

_LOCAL: Final[Words] = {
    "en": "Mail handed in on this host by the sendmail command, as some webmails do, has no login and is not held.",
    "ja": "このホストで sendmail コマンドから出されるメール (一部の Web メールなど) は保留されません。",
}


class _Operation(Protocol):
    """What each module of an operation has."""

    def probe(self, instance: Instance, step: Step, /) -> Reading: ...
    def do(self, instance: Instance, step: Step, before: Reading, /) -> Answer: ...
    def verify(self, instance: Instance, step: Step, before: Reading, /) -> Reading: ...
    def undo(self, instance: Instance, step: Step, before: Reading, /) -> Answer: ...
    def restored(self, instance: Instance, step: Step, before: Reading, /) -> Reading: ...


_OPERATIONS: Final[Mapping[str, _Operation]] = {sender.OPERATION: sender, waiting.OPERATION: waiting}


class Postfix:
    """The Postfix of this host; see `contract.Connector`."""

    name = "postfix"

    def __init__(self, settings: Settings) -> None:
        config, action = settings.get("config"), settings.get("action", "hold")
        if action not in ("hold", "reject"):
            raise ConnectorError(f"postfix: action = {action!r} is neither hold nor reject")
        self._instance = Instance(None if config is None else Path(config), settings.get("access"), action)

    def check(self) -> None:
        """Hold that Postfix's programs answer us, and that its ports ask a map about logins."""
        self._instance.map()
        self._instance.run("postqueue", "-j", fine=(69,))
        run("ss", "-V")

    def look(self, target: Target) -> Look:
        """Find what is to be done for a target."""
        if not sender.PLAIN.fullmatch(target.account):
            says = f"{target.account!r} cannot be a key of a Postfix map"
            return Look(gaps=({"en": f"{says}; hold its mail by hand.", "ja": f"{says}。手動で止めてください。"},))
        gaps, steps = [_LOCAL], []
        try:
            steps.append(sender.planned(self._instance, target.account))
        except RefusedError as error:
            gaps.append({"en": f"New mail is not held: {error}", "ja": f"新しいメールを保留できません: {error}"})
        steps.append(waiting.planned(target))
        return Look(tuple(steps), tuple(aliases.shown(self._instance, target)), tuple(gaps))

    def probe(self, step: Step) -> Reading:
        """Read what an undo will need."""
        return _OPERATIONS[step.operation].probe(self._instance, step)

    def do(self, step: Step, before: Reading, since: datetime) -> Answer:
        """Do it."""
        del since
        return _OPERATIONS[step.operation].do(self._instance, step, before)

    def verify(self, step: Step, before: Reading, since: datetime) -> Reading:
        """Ask Postfix anew."""
        del since
        return _OPERATIONS[step.operation].verify(self._instance, step, before)

    def undo(self, step: Step, before: Reading) -> Answer:
        """Bring back what was there."""
        return _OPERATIONS[step.operation].undo(self._instance, step, before)

    def restored(self, step: Step, before: Reading) -> Reading:
        """Read whether it is there again."""
        return _OPERATIONS[step.operation].restored(self._instance, step, before)

    def close(self) -> None:
        """Nothing stays open."""


def _setup(settings: Settings) -> str:
    config = settings.get("config", "/etc/postfix")
    lines = LINES.replace("/etc/postfix", config)
    return f"""Postfix, on the mail server itself. hikeshi runs there as root, by sudo, and needs no password and no network:
  visudo -f /etc/sudoers.d/hikeshi:   responder ALL=(root) /usr/local/bin/hikeshi
Least of what it uses: postconf, postmap, postqueue, postcat, postsuper -h and -H, postkick, postfix reload, and ss (of
iproute2) to end connections that were open before; it writes the map below.

1. touch {config}/hikeshi-held
2. in main.cf, first in its list, before every permit; in master.cf as -o where a port has its own list:
  {lines}
   Where the list has something already: check_sasl_access texthash:{config}/hikeshi-held, THE REST
3. postfix reload
Maps of the kinds hash, btree, lmdb and cdb do as well; hikeshi runs postmap for them.
"""


def _teardown(settings: Settings, execute: bool) -> str:
    del execute
    config = settings.get("config", "/etc/postfix")
    return f"""Undo what is to be undone first: hikeshi contain undo. Then, on the mail server:
1. take check_sasl_access texthash:{config}/hikeshi-held out of main.cf and master.cf; postfix reload
2. rm {config}/hikeshi-held   (whoever is in it can send again)
3. rm /etc/sudoers.d/hikeshi
hikeshi takes nothing of this away by itself: the files are the server's.
"""


PLUGIN: Final = Plugin(
    name="postfix",
    settings={"config": str, "access": str, "action": str},
    connect=Postfix,
    setup=_setup,
    teardown=_teardown,
)
