# SPDX-License-Identifier: Apache-2.0
"""The fake Graph as an ASGI application, and as a transport for an httpx client: one request in, one answer out."""

import copy
import json
from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import parse_qsl, unquote, urlsplit
from uuid import uuid4

import httpx

from hikeshi.testing import graph_directory, graph_mail, graph_token
from hikeshi.testing.graph_call import Call, Route
from hikeshi.testing.graph_faults import Fault, next_fault
from hikeshi.testing.graph_odata import GraphError, Reply
from hikeshi.testing.graph_tenant import State, Tenant

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.types import Receive, Scope, Send

_ROUTES: Final = (*graph_directory.ROUTES, *graph_mail.ROUTES)
_BATCH_LIMIT: Final = 20


def respond(tenant: Tenant, method: str, url: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Answer one request; `headers` have small names. This is all of the fake but the socket."""
    parts = urlsplit(url)
    base, path = f"{parts.scheme}://{parts.netloc}", unquote(parts.path)
    if path == f"/{tenant.tenant_id}/v2.0/.well-known/openid-configuration":
        return graph_token.discovery(tenant, base)
    if path == f"/{tenant.tenant_id}/oauth2/v2.0/token":
        return graph_token.token(tenant, base, dict(parse_qsl(body.decode())))
    if not path.startswith("/v1.0/"):
        return GraphError(400, "BadRequest", "Only v1.0 is here.").reply
    given = graph_token.roles(tenant, headers.get("authorization", ""))
    if given is None:
        return GraphError(401, "InvalidAuthenticationToken", "Access token is missing, empty or too old.").reply
    try:
        reply = _faulty(tenant, given, method, f"{base}{parts.path}", parts.query, headers, json.loads(body or b"{}"))
    except GraphError as error:
        reply = error.reply
    return replace(reply, headers={"request-id": str(uuid4()), **reply.headers})


def _faulty(
    tenant: Tenant, given: set[str], method: str, url: str, query: str, headers: Mapping[str, str], body: dict[str, Any]
) -> Reply:
    path = unquote(urlsplit(url).path).removeprefix("/v1.0")
    tenant.requests.append((method, path))
    fault = next_fault(tenant.faults, method, path)
    kind = fault.kind if fault else None
    _refuse(fault)
    if kind == "drop-before":
        return Reply(200, broken=True)
    if path == "/$batch":
        return _batch(tenant, given, url, body, partial=kind == "partial")
    found, keys = _find(method, path)
    if not found.permissions & given:
        raise GraphError(403, "Authorization_RequestDenied", "Insufficient privileges to complete the operation.")
    state = _state(tenant, method, kind)
    asked = dict(parse_qsl(query))
    call = Call(tenant, state, frozenset(given), path, url, keys, asked, headers, body)
    if kind == "vanishes" and found.target is not None:
        things, key = found.target(call)
        things.pop(key, None)
    reply = found.answer(call)
    if kind == "late" and fault is not None:
        tenant.shadow_reads = fault.reads
    if kind == "drop-after":
        return Reply(200, broken=True)
    if kind == "fails-after":
        raise GraphError(503, "ServiceUnavailable", "The service is unavailable.")
    return copy.deepcopy(reply)


def _refuse(fault: Fault | None) -> None:
    if fault is not None and fault.kind in {"throttled", "unavailable"}:
        status, code = (429, "TooManyRequests") if fault.kind == "throttled" else (503, "ServiceUnavailable")
        raise GraphError(status, code, "Please retry again later.", {"retry-after": f"{fault.seconds:g}"})


def _state(tenant: Tenant, method: str, kind: str | None) -> State:
    """Give the state that this request sees: the truth, a copy that nobody looks at again, or what was before."""
    if kind == "lies":
        return copy.deepcopy(tenant.state)
    if kind == "late":
        tenant.shadow = copy.deepcopy(tenant.state.directory)
        return tenant.state
    if method == "GET" and tenant.shadow is not None and tenant.shadow_reads > 0:
        tenant.shadow_reads -= 1
        return State(tenant.shadow, tenant.state.exchange)
    return tenant.state


def _find(method: str, path: str) -> tuple[Route, dict[str, str]]:
    for one in _ROUTES:
        match = one.pattern.match(path) if one.method == method else None
        if match:
            return one, match.groupdict()
    raise GraphError(404, "BadRequest", f"Nothing is modelled at {method} {path}.")


def _batch(tenant: Tenant, given: set[str], url: str, body: dict[str, Any], *, partial: bool) -> Reply:
    requests = body.get("requests", [])
    if not 0 < len(requests) <= _BATCH_LIMIT:
        raise GraphError(400, "BadRequest", f"A batch holds 1 to {_BATCH_LIMIT} requests.")
    answers = []
    for number, one in enumerate(requests):
        address = urlsplit(url.removesuffix("/$batch") + one["url"])
        small = {name.lower(): value for name, value in one.get("headers", {}).items()}
        try:
            _refuse(Fault("throttled") if partial and number % 2 else None)
            target = f"{address.scheme}://{address.netloc}{address.path}"
            reply = _faulty(tenant, given, one["method"], target, address.query, small, one.get("body", {}))
        except GraphError as error:
            reply = error.reply
        if reply.broken:
            return reply
        answers.append({"id": one["id"], "status": reply.status, "headers": dict(reply.headers), "body": reply.body})
    return Reply(200, {"responses": answers[::-1]})  # Graph promises no order


def app(tenant: Tenant) -> "Starlette":
    """Make the ASGI application of a tenant; it serves Graph and the token endpoint under one address."""
    from starlette.applications import Starlette  # noqa: PLC0415 - only who serves needs the extra
    from starlette.routing import Mount  # noqa: PLC0415 - as above

    return Starlette(routes=[Mount("/", app=_Endpoint(tenant))])


class _Endpoint:
    def __init__(self, tenant: Tenant) -> None:
        self._tenant = tenant

    async def __call__(self, scope: "Scope", receive: "Receive", send: "Send") -> None:
        from starlette.requests import Request  # noqa: PLC0415 - only who serves needs the extra

        request = Request(scope, receive)
        reply = respond(self._tenant, request.method, str(request.url), request.headers, await request.body())
        body = b"" if reply.body is None else json.dumps(reply.body).encode()
        # a promise of bytes that never come is how an application can make its server break a connection
        length = len(body) + (1000 if reply.broken else 0)
        sizes = [] if reply.status == 204 else [(b"content-length", str(length).encode())]  # 204: RFC 9110, 8.6
        pairs = [*sizes, *((name.encode(), value.encode()) for name, value in reply.headers.items())]
        pairs += [(b"content-type", b"application/json")] if body else []
        await send({"type": "http.response.start", "status": reply.status, "headers": pairs})
        if not reply.broken:
            await send({"type": "http.response.body", "body": body})


def transport(tenant: Tenant) -> httpx.MockTransport:
    """Make a transport that answers an httpx client without a socket."""

    def answer(request: httpx.Request) -> httpx.Response:
        headers = {name.lower(): value for name, value in request.headers.items()}
        reply = respond(tenant, request.method, str(request.url), headers, request.read())
        if reply.broken:
            raise httpx.RemoteProtocolError("the connection broke", request=request)
        return httpx.Response(reply.status, json=reply.body, headers=dict(reply.headers))

    return httpx.MockTransport(answer)
