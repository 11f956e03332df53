# SPDX-License-Identifier: Apache-2.0
"""Where directories differ: how an account is named for good, locked, given a new password, and read.

A flavour is functions over plain data. A `State` is what one server says of an account, as JSON; it is what is kept for
the undo, so there is nothing secret in it.
"""

import secrets
import string
from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.ldap.server import Change, Found, Server
from hikeshi.contain.contract import State, Words


@dataclass(frozen=True, slots=True)
class Flavour:
    """A kind of directory.

    `accounts` is a filter, `no_accounts` are object classes (in small letters) of entries that have an address and do not
    sign in. `read` gives the state of the account with this id below a base, None where there is none. `locked` says whether a
    state is one in which nobody signs in (None: the server does not tell), `lock` the changes that lead there, `unlock`
    those that bring back what `before` read (none where it stands already, None where somebody else has changed it since).
    `password_set` is when the password was set (aware, UTC), None where it is not said;
    it has to be set `resets` times before the old one is let in nowhere.
    """

    name: str
    identity: str
    accounts: str
    no_accounts: frozenset[str]
    changed: str
    reads: tuple[str, ...]
    groups: tuple[str, ...]
    forwards: tuple[str, ...]
    identify: Callable[[Found], str]
    read: Callable[[Server, str, str], State | None]
    locked: Callable[[State], bool | None]
    lock: Callable[[State], list[Change]]
    unlock: Callable[[State, State], list[Change] | None]
    password_set: Callable[[State], datetime | None]
    set_password: Callable[[Server, State], None]
    stamp: Callable[[datetime], str]
    lock_request: str
    reset_request: str
    resets: int
    gaps: tuple[Words, ...]
    undo_lock: Words


def new_password() -> str:
    """Make a password that nobody knows or will know: 190 bits, with every class of characters a policy may ask for."""
    letters = string.ascii_letters + string.digits + "-_.+"
    needed = (string.ascii_lowercase, string.ascii_uppercase, string.digits, "-_.+")
    return "".join([secrets.choice(letters) for _ in range(28)] + [secrets.choice(kind) for kind in needed])


#: the password is set once it was set after the step began; a server's clock may differ from ours by this many seconds
SKEW: Final = 300.0
