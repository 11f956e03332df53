# SPDX-License-Identifier: Apache-2.0
"""What hikeshi may do in a Google Workspace: the least, held at each start; how it is given, and how it is taken away."""

from typing import Final

from hikeshi.contain.connectors.google.calls import ACTIVITIES, GET_USER, SCOPES, TOO_MUCH
from hikeshi.contain.connectors.google.client import Client
from hikeshi.contain.connectors.google.token import NotDelegatedError
from hikeshi.contain.contract import ConnectorError

_WHERE: Final = "Admin console > Security > Access and data control > API controls > Domain-wide delegation"


def check(client: Client) -> None:
    """Hold that each scope is delegated, and none of those that could do far more; and that the administrator may act.

    Google lists no delegation, so each scope is asked for by itself, and the dangerous ones as well.

    Raises:
        ConnectorError: a scope too few, one too many, or an administrator with too few rights.
        LaterError: Google cannot be asked now.

    """
    missing = [scope for scope in SCOPES if not _given(client, scope)]
    if missing:
        listed = "\n".join(f"  {scope}  to {SCOPES[scope]}" for scope in missing)
        raise ConnectorError(
            f"the service account lacks scopes of domain-wide delegation; add under {_WHERE}:\n{listed}"
        )
    if more := [scope for scope in TOO_MUCH if _given(client, scope)]:
        raise ConnectorError(
            f"the service account's key could do more than hikeshi needs ({', '.join(more)}), and a tool that could should "
            f"not run; take these scopes away under {_WHERE}, or give hikeshi a service account of its own"
        )
    client.call(GET_USER, client.admin)
    client.call(ACTIVITIES, client.admin, query={"maxResults": "1"}, names={"applicationName": "admin"})


def _given(client: Client, scope: str) -> bool:
    try:
        client.tokens.get(client.admin, scope)
    except NotDelegatedError:
        return False
    # a token for something that is not needed is not kept a moment longer than it takes to see that it was given
    if scope in TOO_MUCH:
        client.tokens.drop(client.admin, scope)
    return True


def setup(client_id: str, admin: str) -> str:
    """Say in words which permissions are needed, and how to give them."""
    scopes = "\n".join(f"    {scope}\n        {why}" for scope, why in SCOPES.items())
    return f"""Google Workspace: what hikeshi needs, and nothing more

1. In the Cloud console make a project of its own, turn on the Admin SDK API and the Gmail API, make a service account
   without any role, and give it one key (JSON). Keep the file with mode 0600; name it as key_file in the connectors file.
2. {_WHERE}: add
   client ID {client_id} with exactly these scopes:

{scopes}

   In one line, to paste:
   {",".join(SCOPES)}
3. {admin} is whom hikeshi acts for in the Directory and Reports APIs. Let it be an administrator of its own with a role of
   its own: Users (read, update, suspend), User security management, Reports. It need not be a super administrator, and then Google
   itself refuses whatever touches one.
4. Try it: `hikeshi contain check`. It refuses to start with a scope too few, or with one of these:
   {", ".join(TOO_MUCH)}
"""


def teardown(client_id: str) -> str:
    """Say how the permissions are taken away; no API lets the service account do it itself."""
    return f"""Google Workspace: how to take hikeshi's permissions away

1. {_WHERE}: delete client ID {client_id}.
2. Cloud console > IAM > Service accounts: delete the key, then the service account.
3. Admin console: delete the administrator that hikeshi acted for, and its role, if they serve nothing else.
4. Delete the key file on this machine.
"""


def left(client: Client) -> str:
    """Ask for each scope once more and say what Google still gives. A reading, no answer to a deletion.

    Raises:
        LaterError, ConnectorError: Google cannot be asked, so nothing is known.

    """
    still = [scope for scope in (*SCOPES, *TOO_MUCH) if _given(client, scope)]
    if still:
        return "Google STILL gives tokens for:\n" + "".join(f"  {scope}\n" for scope in still)
    return "Read just now: Google refuses every scope to the service account.\n"
