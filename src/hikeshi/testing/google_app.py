# SPDX-License-Identifier: Apache-2.0
"""The fake Google's door: tokens, scopes, faults, and the same application over ASGI and without any socket."""

import copy
import json
from collections.abc import Mapping
from email.utils import format_datetime
from typing import TYPE_CHECKING, Any, Final, cast
from urllib.parse import parse_qsl, unquote
from uuid import uuid4

import httpx

from hikeshi.testing import google_directory, google_gmail
from hikeshi.testing.google_call import Call, Route
from hikeshi.testing.google_domain import Domain
from hikeshi.testing.google_faults import Fault, next_fault
from hikeshi.testing.google_shapes import GoogleError, Reply, TokenError

if TYPE_CHECKING:
    from starlette.applications import Starlette
    from starlette.requests import Request
    from starlette.types import Receive, Scope, Send

TOKEN_PATH: Final = "/token"  # noqa: S105 - a path
_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
ROUTES: Final = (*google_directory.ROUTES, *google_gmail.ROUTES)


def answer(domain: Domain, method: str, target: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Answer one request as Google would, or as the next fault of the schedule has it."""
    path, _, query = target.partition("?")
    token = path == TOKEN_PATH
    domain.requests.append((method, path))
    fault = next_fault(domain.faults, method, token=token)
    try:
        if fault and (refused := _refused(fault)):
            reply = refused
        elif token:
            reply = _grant(domain, method, body)
        else:
            reply = _faulty(domain, fault, method, path, query, headers, body)
    except (GoogleError, TokenError) as error:
        reply = error.reply
    date = format_datetime(domain.now(), usegmt=True)
    return Reply(reply.status, reply.body, {"date": date, **reply.headers}, reply.broken)


def _refused(fault: Fault) -> Reply | None:
    """Give the answer of a fault that does nothing."""
    headers = {} if fault.seconds is None else {"retry-after": str(fault.seconds)}
    match fault.kind:
        case "throttled":
            return GoogleError(429, "rateLimitExceeded", "Too many concurrent requests for user", headers).reply
        case "rate-limited":
            return GoogleError(403, "rateLimitExceeded", "Rate Limit Exceeded").reply
        case "over-quota":
            return GoogleError(403, "quotaExceeded", "Quota exceeded for quota metric 'Queries'").reply
        case "unavailable":
            return GoogleError(503, "backendError", "Service unavailable. Please try again", headers).reply
        case "drop-before":
            return Reply(200, broken=True)
        case _:
            return None


def _faulty(
    domain: Domain, fault: Fault | None, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes
) -> Reply:
    """Answer with a fault that does something, or with none."""
    kind = fault.kind if fault else None
    truth = copy.deepcopy(domain.state) if kind in ("lies", "late") else None
    if kind == "vanishes":
        _route(domain, method, path, query, headers, body)
    try:
        reply = _route(domain, method, path, query, headers, body)
    finally:
        if kind == "lies" and truth is not None:
            domain.state = truth
    if kind == "late" and fault and truth is not None and domain.behind is None:
        domain.behind = (truth, fault.reads)
    if kind == "fails-after":
        return GoogleError(503, "backendError", "Service unavailable. Please try again").reply
    return Reply(200, broken=True) if kind == "drop-after" else reply


def _grant(domain: Domain, method: str, body: bytes) -> Reply:
    """Give an access token for a signed assertion (RFC 7523, section 2.1) whose person may be stood for.

    Raises:
        TokenError: otherwise.

    """
    asked = dict(parse_qsl(body.decode()))
    if method != "POST" or asked.get("grant_type") != _GRANT:
        raise TokenError(400, "unsupported_grant_type", "Invalid grant_type: " + asked.get("grant_type", ""))
    claims = domain.key.read(asked.get("assertion", ""))
    now = domain.now().timestamp()
    if claims is None or claims.get("iss") != domain.key.email or not str(claims.get("aud", "")).endswith(TOKEN_PATH):
        raise TokenError(400, "invalid_grant", "Invalid JWT Signature.")
    if not claims["iat"] - 300 <= now <= claims["exp"] <= claims["iat"] + 3600:
        raise TokenError(400, "invalid_grant", "Invalid JWT: Token must be a short-lived token (60 minutes)")
    wanted = tuple(claims.get("scope", "").split())
    if not wanted or not set(wanted) <= set(domain.scopes):
        says = "Client is unauthorized to retrieve access tokens using this method, or client not authorized for any "
        raise TokenError(401, "unauthorized_client", says + "of the scopes requested.")
    held = domain.state["users"].get(claims.get("sub"))
    if held is None or held["user"]["suspended"]:
        raise TokenError(400, "invalid_grant", "Invalid email or User ID")
    made = f"ya29.{uuid4().hex}"
    domain.tokens[made] = (claims["sub"], wanted)
    return Reply(200, {"access_token": made, "expires_in": 3599, "token_type": "Bearer"})


def _route(domain: Domain, method: str, path: str, query: str, headers: Mapping[str, str], body: bytes) -> Reply:
    """Find what answers, and hold that the caller may ask it.

    Raises:
        GoogleError: no such method, no token, or a scope too few.

    """
    for route in ROUTES:
        found = route.pattern.fullmatch(path.removeprefix("/"))
        if found and route.method == method:
            subject = _allowed(domain, route, headers)
            state = _seen(domain) if method == "GET" else domain.state
            call = Call(
                domain,
                subject,
                {name: unquote(value) for name, value in found.groupdict().items()},
                dict(parse_qsl(query)),
                json.loads(body) if body else {},
                state["users"],
                state["audit"],
                domain.now(),
            )
            # what goes out is a copy: nobody outside holds the truth in hands
            return copy.deepcopy(route.answer(call))
    raise GoogleError(404, "notFound", "Not Found")


def _allowed(domain: Domain, route: Route, headers: Mapping[str, str]) -> str:
    kind, _, token = headers.get("authorization", "").partition(" ")
    subject, scopes = domain.tokens.get(token, ("", ()))
    held = domain.state["users"].get(subject)
    if kind != "Bearer" or held is None or held["user"]["suspended"]:
        raise GoogleError(401, "authError", "Invalid Credentials")
    if not set(scopes) & set(route.scopes):
        says = "Request had insufficient authentication scopes."
        raise GoogleError(403, "insufficientPermissions", says)
    return subject


def _seen(domain: Domain) -> dict[str, Any]:
    """Give what a reader sees: for some reads after a late write, what was before."""
    if domain.behind is None:
        return domain.state
    state, reads = domain.behind
    domain.behind = (state, reads - 1) if reads > 1 else None
    return state


def app(domain: Domain) -> "Starlette":
    """Give the domain as an ASGI application. Needs starlette (extra `testing`)."""
    from starlette.applications import Starlette  # noqa: PLC0415 - an extra
    from starlette.requests import Request  # noqa: PLC0415 - an extra
    from starlette.routing import Mount  # noqa: PLC0415 - an extra

    async def serve(scope: "Scope", receive: "Receive", send: "Send") -> None:
        request = Request(scope, receive)
        await _send(answer(domain, request.method, _target(request), request.headers, await request.body()), send)

    return Starlette(routes=[Mount("/", app=serve)])


def _target(request: "Request") -> str:
    raw = cast("bytes", request.scope["raw_path"]).decode().partition("?")[0]
    return raw + (f"?{request.url.query}" if request.url.query else "")


async def _send(reply: Reply, send: "Send") -> None:
    content = b"" if reply.body is None else json.dumps(reply.body).encode()
    headers = {**({"content-type": "application/json; charset=UTF-8"} if content else {}), **reply.headers}
    if reply.broken:
        # more is promised than comes: the server closes, and the client cannot take it for an answer
        headers["content-length"] = "100"
    elif reply.status != 204:
        headers["content-length"] = str(len(content))
    raw = [(name.encode(), value.encode()) for name, value in headers.items()]
    await send({"type": "http.response.start", "status": reply.status, "headers": raw})
    await send({"type": "http.response.body", "body": content, "more_body": reply.broken})


class _Transport(httpx.BaseTransport):
    def __init__(self, domain: Domain) -> None:
        self._domain = domain

    def handle_request(self, request: httpx.Request) -> httpx.Response:
        reply = answer(self._domain, request.method, request.url.raw_path.decode(), request.headers, request.read())
        if reply.broken:
            raise httpx.ReadError("the connection broke", request=request)
        content = b"" if reply.body is None else json.dumps(reply.body).encode()
        return httpx.Response(reply.status, headers=dict(reply.headers), content=content)


def transport(domain: Domain) -> httpx.BaseTransport:
    """Give the domain as a transport of an httpx client, without any socket."""
    return _Transport(domain)
