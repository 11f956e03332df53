# SPDX-License-Identifier: Apache-2.0
"""The settings of the Microsoft 365 connector, checked."""

from dataclasses import dataclass
from pathlib import Path
from typing import Any, Final
from urllib.parse import urlsplit

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.m365.permissions import DEFAULT_OPERATIONS, OPERATIONS
from hikeshi.contain.contract import ConnectorError, Settings

#: keys of the connector's table and their types
KEYS: Final[dict[str, type]] = {
    "tenant": str,
    "client_id": str,
    "thumbprint": str,
    "authority": str,
    "graph": str,
    "ca_file": str,
    "operations": list,
    "exchange_rbac": bool,
    "imports": str,
}
REQUIRED: Final = ("tenant", "client_id", "thumbprint")
SECRETS: Final = ("certificate",)


@dataclass(frozen=True, slots=True)
class Options:
    """How to reach a tenant, and what to do there.

    `certificate` is the application's private key in PEM, `thumbprint` its certificate's SHA-1 in hex. `authority` and `graph`
    are the addresses of a sovereign cloud where it is not the worldwide one. `exchange_rbac` says that mailbox permissions
    come from RBAC for Applications and so stand in no token. `imports` is the folder of what runbooks exported.
    """

    tenant: str
    client_id: str
    thumbprint: str
    certificate: Secret
    authority: str = "https://login.microsoftonline.com"
    graph: str = "https://graph.microsoft.com"
    ca_file: str | None = None
    operations: tuple[str, ...] = DEFAULT_OPERATIONS
    exchange_rbac: bool = False
    imports: Path | None = None


def options(settings: Settings) -> Options:
    """Read the connector's table.

    Raises:
        ConnectorError: an address is no https address, or an operation is not known.

    """
    given: dict[str, Any] = {name: settings[name] for name in (*KEYS, *SECRETS) if settings.get(name) is not None}
    for name in ("authority", "graph"):
        if name in given:
            given[name] = _https(name, given[name])
    if "operations" in given:
        given["operations"] = _known(given["operations"])
    if "imports" in given:
        given["imports"] = Path(given["imports"])
    return Options(**given)


def _https(name: str, address: str) -> str:
    parts = urlsplit(address)
    if parts.scheme != "https" or not parts.hostname or parts.query or parts.fragment:
        raise ConnectorError(f"m365: {name} = {address!r} is no https address; a token must not travel in the clear")
    return address.rstrip("/")


def _known(operations: list[str]) -> tuple[str, ...]:
    unknown = [one for one in operations if one not in OPERATIONS]
    if unknown or not operations:
        raise ConnectorError(f"m365: operations = {operations!r}: choose from {', '.join(OPERATIONS)}")
    return tuple(one for one in OPERATIONS if one in operations)
