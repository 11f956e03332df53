# SPDX-License-Identifier: Apache-2.0
"""A Google Workspace that keeps state and misbehaves on request, for the tests of whoever talks to Google.

    from hikeshi.testing.google import Domain, Fault, serve

    domain = Domain(scopes=["https://www.googleapis.com/auth/admin.directory.user"])
    domain.add_user("admin@example.test", isAdmin=True)
    domain.add_user("anna@example.test")
    domain.faults.append(Fault("throttled", seconds=3))
    with serve(domain) as served:
        ...  # any client: base URL served.url, key file domain.key.text(served.token_url)

`domain.state` is the truth to compare with. `app(domain)` is the ASGI application, `transport(domain)` the same for an
httpx client without any socket. Paths, scopes and properties are those of Google's discovery documents; a test holds
them so. What is not modelled answers 404 in Google's shape, never with something invented. Documented habits are
kept: nobody can stand for a suspended person, a new password ends application passwords and what applications may do
with mail, an outside address waits for its owner's word, a mail brought back from the bin is not in the inbox.
"""

from hikeshi.testing.google_app import TOKEN_PATH, app, transport
from hikeshi.testing.google_domain import Domain
from hikeshi.testing.google_faults import Fault
from hikeshi.testing.google_server import Served, serve

__all__ = ["TOKEN_PATH", "Domain", "Fault", "Served", "app", "serve", "transport"]
