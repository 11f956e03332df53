# SPDX-License-Identifier: Apache-2.0
"""One request as the fake Graph's handlers see it, and how a handler says where and for whom it works."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from hikeshi.testing.graph_odata import Reply
from hikeshi.testing.graph_tenant import State, Tenant

Thing = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Call:
    """A request: `granted` are the token's permissions, `path` has no version, `keys` are the parts that the route names.

    `url` is the address without its query.
    """

    tenant: Tenant
    state: State
    granted: frozenset[str]
    path: str
    url: str
    keys: Mapping[str, str]
    query: Mapping[str, str]
    headers: Mapping[str, str]
    body: Thing


@dataclass(frozen=True, slots=True)
class Route:
    """A method and a path, the application permissions of which one is enough, and who answers.

    `target` says which collection holds the object that a write is about, so that somebody else can delete it before.
    """

    method: str
    pattern: re.Pattern[str]
    permissions: frozenset[str]
    answer: Callable[[Call], Reply]
    target: Callable[[Call], tuple[dict[str, Any], str]] | None = None


def route(
    line: str,
    permissions: str,
    answer: Callable[[Call], Reply],
    target: Callable[[Call], tuple[dict[str, Any], str]] | None = None,
) -> Route:
    """Make a route of "GET /users/{user}" and permissions divided by blanks. Paths compare without case, as Graph's do."""
    method, path = line.split(" ")
    pattern = re.sub(r"\\\{(\w+)\\\}", r"(?P<\1>[^/]+)", re.escape(path))
    return Route(method, re.compile(pattern + "$", re.IGNORECASE), frozenset(permissions.split()), answer, target)
