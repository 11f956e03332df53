# SPDX-License-Identifier: Apache-2.0
"""A Microsoft Graph that keeps state and misbehaves on request, for the tests of whoever talks to Graph.

    from hikeshi.testing.graph import Fault, Tenant, serve

    tenant = Tenant(roles=["User.Read.All", "User.EnableDisableAccount.All"])
    user = tenant.add_user("anna@example.test")
    tenant.faults.append(Fault("throttled", seconds=3))
    with serve(tenant) as served:
        ...  # any client: authority served.url + "/" + tenant.tenant_id, base URL served.url, CA in served.ca_file

`tenant.state` is the truth to compare with. `app(tenant)` is the ASGI application, `transport(tenant)` the same for an
httpx client without any socket, `bearer(tenant)` a token without asking for it. Names and permissions are those of Microsoft's v1.0 metadata; a test holds them so.
What is not modelled answers 404 with Graph's error shape, never with something invented.
"""

from hikeshi.testing.graph_app import app, transport
from hikeshi.testing.graph_faults import Fault
from hikeshi.testing.graph_server import Served, serve
from hikeshi.testing.graph_tenant import Tenant
from hikeshi.testing.graph_token import bearer

__all__ = ["Fault", "Served", "Tenant", "app", "bearer", "serve", "transport"]
