# SPDX-License-Identifier: Apache-2.0
"""How to give the application what it needs, and how to take it away again."""

from pathlib import Path
from typing import Any, Final

import httpx
import jinja2

from hikeshi.contain.connectors.m365.client import Graph, path
from hikeshi.contain.connectors.m365.operation import Thing
from hikeshi.contain.connectors.m365.options import Options, options
from hikeshi.contain.connectors.m365.permissions import OF_MAILBOXES, OPERATIONS, needed
from hikeshi.contain.connectors.m365.runbook import literal
from hikeshi.contain.contract import RefusedError, Settings

_TEMPLATE: Final = Path(__file__).with_name("setup.txt.j2")
#: AppRoleAssignment.ReadWrite.All: the same id in every tenant; with it the application may take its own rights away
_LAST: Final = "06b708a9-e830-4db3-a914-8e69da51d44f"


def setup(settings: Settings) -> str:
    """Say which permissions these settings need and how to give them. Asks nobody.

    Raises:
        ConnectorError: the settings are none.

    """
    chosen = options(settings)
    return _text("setup", chosen)


def _text(part: str, chosen: Options, **more: Any) -> str:
    least = needed(chosen.operations)
    mailbox = [one for one in least if one in OF_MAILBOXES]
    engine = jinja2.Environment(
        undefined=jinja2.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
        keep_trailing_newline=True,
        autoescape=False,  # noqa: S701 - a text for a terminal, no HTML
    )
    engine.filters["ps"] = literal
    return engine.from_string(_TEMPLATE.read_text("utf-8")).render(
        part=part,
        client_id=chosen.client_id,
        tenant=chosen.tenant,
        why={one: [name for name in chosen.operations if one in OPERATIONS[name]] for one in least},
        entra=[one for one in least if not (chosen.exchange_rbac and one in OF_MAILBOXES)],
        mailbox=mailbox,
        scoped=chosen.exchange_rbac,
        **more,
    )


def teardown(settings: Settings, execute: bool, transport: httpx.BaseTransport | None = None) -> str:
    """Say how to take the permissions away; with `execute` take away what Graph lets the application itself take away.

    The right to take away goes last. What is left is read afterwards, with the token that we still hold, and named.

    Raises:
        ConnectorError: the settings are none, or Graph does not let us in; LaterError where it is to be run again.

    """
    chosen = options(settings)
    if not execute:
        return _text("teardown", chosen, taken=(), left=None, refused="")
    graph = Graph(chosen, transport)
    try:
        taken, refused = _take_away(graph)
        left = _left(graph)
    finally:
        graph.close()
    return _text("teardown", chosen, taken=taken, left=left, refused=refused)


def _held(graph: Graph) -> tuple[str, list[Thing]]:
    """Give our own service principal, as the token names it, and its assignments."""
    own = str(graph.tokens.claims().get("oid"))
    return own, graph.items(path("servicePrincipals", own, "appRoleAssignments"))


def _name(assignment: Thing) -> str:
    role = "AppRoleAssignment.ReadWrite.All" if assignment["appRoleId"] == _LAST else assignment["appRoleId"]
    return f"{assignment.get('resourceDisplayName')}: {role}"


def _take_away(graph: Graph) -> tuple[list[str], str]:
    taken: list[str] = []
    try:
        own, held = _held(graph)
        for one in sorted(held, key=lambda one: one["appRoleId"] == _LAST):
            graph.call("DELETE", path("servicePrincipals", own, "appRoleAssignments", one["id"]), accept=(404,))
            taken.append(_name(one))
    except RefusedError as error:
        return taken, str(error)
    return taken, ""


def _left(graph: Graph) -> list[str] | None:
    """Give what we still hold, None where it cannot be read any more."""
    try:
        return sorted(_name(one) for one in _held(graph)[1])
    except RefusedError:
        return None
