# SPDX-License-Identifier: Apache-2.0
"""One request to the fake Google, and the routes that may answer it."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import TYPE_CHECKING

from hikeshi.testing.google_domain import Domain
from hikeshi.testing.google_shapes import GoogleError, Reply, Thing

if TYPE_CHECKING:
    from datetime import datetime


@dataclass(frozen=True, slots=True)
class Call:
    """One request that is allowed. `users` is what it sees: the truth, or what was before where a write is late."""

    domain: Domain
    subject: str
    path: Mapping[str, str]
    query: Mapping[str, str]
    body: Thing
    users: dict[str, Thing]
    audit: list[Thing]
    time: "datetime"

    def person(self, key: str) -> Thing:
        """Find a person by address, alias or id.

        Raises:
            GoogleError: there is none.

        """
        for held in self.users.values():
            user = held["user"]
            if key.lower() in (user["primaryEmail"], user["id"], *user.get("aliases", ())):
                found: Thing = held
                return found
        raise GoogleError(404, "notFound", "Resource Not Found: userKey")

    def mailbox(self) -> Thing:
        """Give the mailbox that the request is about: only its own person may be stood for.

        Raises:
            GoogleError: somebody else's mailbox, or none at all.

        """
        key = self.path["userId"]
        if key not in ("me", self.subject):
            raise GoogleError(403, "forbidden", f"Delegation denied for {self.subject}")
        held = self.person(self.subject)
        if not held["user"]["isMailboxSetup"]:
            raise GoogleError(400, "failedPrecondition", "Mail service not enabled")
        return held


@dataclass(frozen=True)
class Route:
    """One method of Google's, by its name in the discovery document, with all scopes that the document allows."""

    name: str
    method: str
    path: str
    scopes: tuple[str, ...]
    answer: Callable[[Call], Reply]

    @cached_property
    def pattern(self) -> re.Pattern[str]:
        """Give the path as a pattern with a named group a parameter."""
        return re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", self.path))
