# SPDX-License-Identifier: Apache-2.0
"""Lock an account, give it a password that nobody knows, take a forward away: at every server, and read at every server.

An account is known by what never changes of it (entryUUID, objectGUID), so one that was moved or renamed since the plan
is still the same, and another in its old place is not. A server that does not answer is not counted as shut.
"""

from collections.abc import Callable, Iterable, Mapping
from datetime import datetime
from typing import Any, Final

from hikeshi.contain.connectors.ldap.activedirectory import AD
from hikeshi.contain.connectors.ldap.flavours import SKEW, Flavour
from hikeshi.contain.connectors.ldap.looking import NAME, look
from hikeshi.contain.connectors.ldap.openldap import OPENLDAP
from hikeshi.contain.connectors.ldap.options import Options
from hikeshi.contain.connectors.ldap.rights import hold
from hikeshi.contain.connectors.ldap.server import PATIENCE, ChangedError, Server
from hikeshi.contain.contract import (
    Answer,
    ConnectorError,
    LaterError,
    Look,
    Reading,
    RefusedError,
    State,
    Step,
    Target,
)

FLAVOURS: Final[Mapping[str, Flavour]] = {"openldap": OPENLDAP, "ad": AD}
#: how often an entry is read anew when somebody else changes it at the same moment
_TRIES: Final = 3


class Ldap:
    """A directory with its servers; `patience` is how many seconds one has to answer."""

    name = NAME

    def __init__(self, options: Options, patience: float = PATIENCE) -> None:
        self._options, self._flavour = options, FLAVOURS[options.flavour]
        self._servers = [Server(url, options, patience) for url in options.urls]

    def check(self) -> None:
        """Hold that a server answers and that our account is neither too weak nor too mighty at any that does."""
        silent: list[LaterError] = []
        for server in self._servers:
            try:
                hold(server, self._options, self._flavour)
            except LaterError as error:
                silent.append(error)
        if len(silent) == len(self._servers):
            raise silent[0]

    def look(self, target: Target) -> Look:
        """Find the account of a target at the first server that answers."""
        silent: list[LaterError] = []
        for server in self._servers:
            try:
                return look(server, self._options, self._flavour, target)
            except LaterError as error:
                silent.append(error)
        raise silent[0]

    def probe(self, step: Step) -> Reading:
        """Read the account at every server, as it is before anything is done."""
        states = self._states(step)
        if all("unread" in state for state in states.values()):
            raise LaterError("; ".join(str(state["unread"]) for state in states.values()))
        # When the password was set before says nothing of whether it must be set now.
        reached = False if step.operation == "password" else _all(self._stands(step, one) for one in states.values())
        return Reading(reached, {"servers": states}, self._words(states))

    def do(self, step: Step, before: Reading, since: datetime) -> Answer:
        """Do it at every server that takes changes and where it does not stand yet."""

        def once(server: Server) -> str:
            now = self._state(server, step)
            if step.operation == "password":
                if self._is_set(step, server.url, now, before, since):
                    return "was set already"
                self._flavour.set_password(server, now)
                return "a new password was set"
            changes = self._changes(step, now)
            if changes:
                server.modify(now["dn"], changes)
            if step.operation == "lock":
                _hold_heeded(server, self._flavour, self._state(server, step))
            return "changed" if changes else "was so already"

        return self._everywhere(once)

    def verify(self, step: Step, before: Reading, since: datetime) -> Reading:
        """Read the account anew at every server."""
        states = self._states(step)
        reached = (
            (self._is_set(step, url, state, before, since) for url, state in states.items())
            if step.operation == "password"
            else (self._stands(step, state) for state in states.values())
        )
        return Reading(_all(list(reached)), {"servers": states}, self._words(states))

    def undo(self, step: Step, before: Reading) -> Answer:
        """Bring back what was read before, at every server that takes changes."""
        if step.operation == "password":
            raise RefusedError(
                "nobody knows the old password but the one who stole it", "the help desk gives a new one"
            )

        def once(server: Server) -> str:
            now = self._state(server, step)
            changes = self._back(step, now, _of(before, server))
            if changes is None:
                raise RefusedError(
                    f"{server.url}: somebody else has changed it since", "look at the entry, and decide by hand"
                )
            if changes:
                server.modify(now["dn"], changes)
            return "brought back" if changes else "was so already"

        return self._everywhere(once)

    def restored(self, step: Step, before: Reading) -> Reading:
        """Read at every server whether what was read before stands again."""
        states = self._states(step)
        reached: list[bool | None] = []
        for url, state in states.items():
            if "unread" in state or "gone" in state:
                reached.append(None)
            elif step.operation == "password":
                reached.append(False)
            else:
                reached.append(self._back(step, state, _of_url(before, url)) == [])
        return Reading(_all(reached), {"servers": states}, self._words(states))

    def close(self) -> None:
        """Let go of all connections."""
        for server in self._servers:
            server.close()

    def _everywhere(self, once: Callable[[Server], str]) -> Answer:
        """Do something at every server; it is enough that one took it, for the reading counts them all.

        Raises:
            RefusedError, LaterError: no server took it.

        """
        says: list[str] = []
        failed: list[ConnectorError] = []
        for server in self._servers:
            try:
                says.append(f"{server.url}: {_persistently(once, server)}")
            except ConnectorError as error:
                failed.append(error)
        if not says:
            raise next((error for error in failed if isinstance(error, (LaterError, RefusedError))), failed[0])
        return Answer("; ".join([*says, *map(str, failed)]))

    def _states(self, step: Step) -> dict[str, State]:
        """Read the account at every server; one that does not answer is named with what it said."""
        states: dict[str, State] = {}
        for server in self._servers:
            try:
                states[server.url] = self._state(server, step)
            except GoneError as error:
                states[server.url] = {"gone": str(error)}
            except ConnectorError as error:
                states[server.url] = {"unread": str(error)}
        return states

    def _state(self, server: Server, step: Step) -> dict[str, Any]:
        """Read the account at one server.

        Raises:
            GoneError: there is none with this identity any more.

        """
        if step.operation == "forward":
            name, wanted = step.detail["attribute"], step.detail["value"]
            found = self._flavour.read(server, self._options.base, step.detail["id"])
            if found is not None:
                entry = server.search(found["dn"], "(objectClass=*)", (name,), only_base=True)
                return {"dn": found["dn"], "forwards": bool(entry) and wanted in entry[0].texts(name)}
        else:
            found = self._flavour.read(server, self._options.base, step.detail["id"])
            if found is not None:
                return dict(found)
        raise GoneError(
            f"{server.url} has no entry {step.detail['id']} below {self._options.base}",
            f"it was {step.detail['dn']}: see whether it was deleted, or moved away and must be locked there",
        )

    def _stands(self, step: Step, state: State) -> bool | None:
        """Tell whether the goal of a lock or a forward stands in a state."""
        if "unread" in state or "gone" in state:
            return None
        return not state["forwards"] if step.operation == "forward" else self._flavour.locked(state)

    def _is_set(self, step: Step, url: str, now: State, before: Reading, since: datetime) -> bool | None:
        """Tell whether the password was set for this step: at another time than read before, and not long before `since`."""
        if "unread" in now or "gone" in now:
            return None
        if step.object is not None and _of_url(before, url) is not before.state["servers"].get(url):
            # What was set here may have been the first of the two: this server was silent when the second was begun.
            return None
        at = self._flavour.password_set(now)
        if at is None or at == self._flavour.password_set(_of_url(before, url)):
            return False
        return True if (at - since).total_seconds() > -SKEW else None

    def _changes(self, step: Step, now: State) -> list[Any]:
        if step.operation == "lock":
            return self._flavour.lock(now)
        value = step.detail["value"].encode()
        return [(step.detail["attribute"], (value,), ())] if now["forwards"] else []

    def _back(self, step: Step, now: State, before: State) -> list[Any] | None:
        if step.operation == "lock":
            return self._flavour.unlock(now, before)
        value = step.detail["value"].encode()
        return [(step.detail["attribute"], (), (value,))] if before["forwards"] and not now["forwards"] else []

    def _words(self, states: Mapping[str, State]) -> str:
        return "; ".join(
            f"{url}: "
            + ", ".join(f"{key} {value}" for key, value in state.items() if key != "dn" and value is not None)
            for url, state in states.items()
        )


class GoneError(RefusedError):
    """There is no entry with this identity any more: deleted, or moved to where we do not look."""


def _persistently(once: Callable[[Server], str], server: Server) -> str:
    """Do it, anew from the reading if somebody else changed the entry in between."""
    for _ in range(_TRIES - 1):
        try:
            return once(server)
        except ChangedError:
            continue
    try:
        return once(server)
    except ChangedError as error:
        raise LaterError(f"somebody else keeps changing the entry: {error}") from error


def _hold_heeded(server: Server, flavour: Flavour, state: State) -> None:
    """Hold that the server itself heeds a lock that has been written.

    Raises:
        RefusedError: it lets the account in all the same, or does not say.

    """
    if not flavour.locked(state):
        raise RefusedError(
            f"{server.url}: the lock is written, but the server does not say that it keeps the account out",
            "the ppolicy overlay must stand over this database with a policy that has pwdLockout TRUE, and hikeshi's "
            "account needs what its setup prints; the lock then counts at once",
        )


def _of(before: Reading, server: Server) -> State:
    return _of_url(before, server.url)


def _of_url(before: Reading, url: str) -> State:
    """Give what was read before at a server; if it did not answer then, what another said."""
    states: Mapping[str, State] = before.state["servers"]
    read = [state for state in states.values() if "unread" not in state and "gone" not in state]
    own = states.get(url)
    return own if own in read else read[0]


def _all(each: Iterable[bool | None]) -> bool | None:
    """Give False if any is, else None if any is not known, else True."""
    each = list(each)
    return False if False in each else None if None in each else True
