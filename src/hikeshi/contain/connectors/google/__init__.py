# SPDX-License-Identifier: Apache-2.0
"""Google Workspace: password, sign-out, grants, mailbox settings, the lure's copies, suspension. Needs `hikeshi[google]`."""

from typing import Final

import httpx

from hikeshi.contain.connectors.google import permissions
from hikeshi.contain.connectors.google.client import Client
from hikeshi.contain.connectors.google.connector import Google
from hikeshi.contain.connectors.google.operation import NAME
from hikeshi.contain.connectors.google.token import Tokens, read_key
from hikeshi.contain.contract import ConnectorError, Plugin, Settings

#: seconds for one request; a list of a large domain takes some
_TIMEOUT: Final = 30.0
_BASES: Final = {"directory": "https://admin.googleapis.com", "gmail": "https://gmail.googleapis.com"}


def connect(settings: Settings) -> Google:
    """Make the connector; asks nothing yet.

    Raises:
        ConnectorError: the key cannot be read, or a URL is not safe.

    """
    return Google(_client(settings))


def _client(settings: Settings) -> Client:
    bases = {api: _url(str(settings.get(f"{api}_url") or default)) for api, default in _BASES.items()}
    key = read_key(settings.get("key"), settings.get("token_url"))
    _url(key.token_url)
    http = httpx.Client(timeout=_TIMEOUT)
    return Client(http, Tokens(key, http), str(settings["admin"]), bases)


def _url(text: str) -> str:
    """Hold that tokens travel by TLS; loopback, as tests have it, needs none.

    Raises:
        ConnectorError: otherwise.

    """
    try:
        url = httpx.URL(text)
    except httpx.InvalidURL:
        url = httpx.URL("")
    if url.scheme == "https" or (url.scheme == "http" and url.host in ("127.0.0.1", "::1", "localhost")):
        return text.rstrip("/")
    raise ConnectorError(f"the URL {text!r} of the connector google is not https; tokens must not travel in the clear")


def setup(settings: Settings) -> str:
    """Say which permissions are needed; the key is read for its client ID only."""
    return permissions.setup(read_key(settings.get("key"), None).client_id, str(settings["admin"]))


def teardown(settings: Settings, execute: bool) -> str:
    """Say how to take the permissions away; with `execute`, read what Google still gives after that."""
    client = _client(settings)
    try:
        says = permissions.teardown(client.tokens.key.client_id)
        return says + (f"\n{permissions.left(client)}" if execute else "")
    finally:
        client.close()


PLUGIN: Final = Plugin(
    NAME,
    {"admin": str, "token_url": str, "directory_url": str, "gmail_url": str},
    connect,
    setup,
    teardown,
    required=("admin", "key"),
    secrets=("key",),
)
