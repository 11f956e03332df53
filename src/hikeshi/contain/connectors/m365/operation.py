# SPDX-License-Identifier: Apache-2.0
"""What every operation on Microsoft 365 is made of, and the person it is about."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any, Final

from hikeshi.contain.connectors.m365.client import Graph, literal, path
from hikeshi.contain.contract import (
    Answer,
    ConnectorError,
    Look,
    Phase,
    Reading,
    RefusedError,
    Shown,
    Step,
    Target,
    Words,
)

Thing = dict[str, Any]
NAME: Final = "m365"
_SELECT: Final = "id,userPrincipalName,mail,userType,accountEnabled,onPremisesSyncEnabled"


@dataclass(frozen=True, slots=True)
class Person:
    """A user of the tenant: `address` as the case names it, `key` the object id."""

    address: str
    key: str
    enabled: bool
    guest: bool
    synced: bool


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of step. `undo` and `restored` are None where it cannot be taken back."""

    look: Callable[[Graph, Person, Target], Look]
    probe: Callable[[Graph, Step], Reading]
    do: Callable[[Graph, Step, Reading, datetime], Answer]
    verify: Callable[[Graph, Step, Reading, datetime], Reading]
    undo: Callable[[Graph, Step, Reading], Answer] | None = None
    restored: Callable[[Graph, Step, Reading], Reading] | None = None


def person(graph: Graph, address: str) -> Person | None:
    """Find who has an address: by sign-in name, else by any address of the mailbox. None where nobody has.

    Raises:
        ConnectorError: several have it.

    """
    said = graph.call("GET", path("users", address), query={"$select": _SELECT}, accept=(404,))
    user = _by_alias(graph, address) if said.status == 404 else said.body
    if user is None:
        return None
    guest = user.get("userType") == "Guest" or "#EXT#" in user["userPrincipalName"]
    return Person(address, user["id"], bool(user["accountEnabled"]), guest, bool(user.get("onPremisesSyncEnabled")))


def people(graph: Graph, addresses: Sequence[str]) -> dict[str, str]:
    """Give the user's id for each address that somebody here has.

    Raises:
        ConnectorError: several have the same.

    """
    urls = {one: path("users", one) + "?$select=id" for one in addresses}
    said = graph.batch({str(number): url for number, url in enumerate(urls.values())})
    found: dict[str, str] = {}
    for number, one in enumerate(urls):
        user = said[str(number)].body if said[str(number)].status == 200 else _by_alias(graph, one)
        if user is not None:
            found[one] = user["id"]
    return found


def _by_alias(graph: Graph, address: str) -> Thing | None:
    query = {"$select": _SELECT, "$filter": f"proxyAddresses/any(a:a eq {literal(f'smtp:{address}')})"}
    found = graph.items("/users", query)
    if len(found) > 1:
        raise ConnectorError(f"m365: {len(found)} users have the address {address}; name the one by its sign-in name")
    return found[0] if found else None


def words(en: str, ja: str) -> Words:
    """Say something in both languages."""
    return {"en": en, "ja": ja}


def step(
    one: Person,
    operation: str,
    phase: Phase,
    request: str,
    why: Words,
    undo: Words | None,
    *,
    object: str | None = None,  # noqa: A002 - the contract's word
    **detail: Any,
) -> Step:
    """Make a step about a person; `detail` is what the operation needs beside the user's id."""
    return Step(NAME, operation, phase, one.address, object, request, why, undo, {"user": one.key, **detail})


def shown(address: str, thing: str, what: Words, why_not: Words) -> Shown:
    """Show something that is left alone."""
    return Shown(NAME, address, thing, what, why_not)


def time(text: str | None) -> datetime | None:
    """Read a time of Graph (ISO 8601, UTC); None stays None."""
    return datetime.fromisoformat(text).astimezone(UTC) if text else None


def no_undo(one: Step) -> RefusedError:
    """Say that a step cannot be taken back."""
    return RefusedError(f"m365: {one.operation} of {one.account} cannot be taken back", "there is nothing to undo")
