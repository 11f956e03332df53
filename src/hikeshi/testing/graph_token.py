# SPDX-License-Identifier: Apache-2.0
"""The fake Entra token endpoint: client credentials by a signed assertion, as msal sends it (RFC 7521, RFC 7523)."""

import base64
import json
from collections.abc import Mapping, Sequence
from typing import Any, Final

from hikeshi.testing.graph_odata import Reply
from hikeshi.testing.graph_tenant import GRAPH_APP_ID, Tenant

_JWT_BEARER: Final = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"
_LIFE: Final = 3600


def discovery(tenant: Tenant, base: str) -> Reply:
    """Answer what the OpenID configuration says: where tokens are given."""
    here = f"{base}/{tenant.tenant_id}"
    return Reply(
        200,
        {
            "issuer": f"{here}/v2.0",
            "authorization_endpoint": f"{here}/oauth2/v2.0/authorize",
            "token_endpoint": f"{here}/oauth2/v2.0/token",
        },
    )


def token(tenant: Tenant, base: str, form: Mapping[str, str]) -> Reply:
    """Answer a token whose `roles` are the application permissions, or invalid_client in Entra's words."""
    wrong = _wrong(tenant, f"{base}/{tenant.tenant_id}/oauth2/v2.0/token", form)
    if wrong:
        return Reply(401, {"error": "invalid_client", "error_description": f"AADSTS700027: {wrong}"})
    return Reply(200, {"token_type": "Bearer", "expires_in": _LIFE, "access_token": bearer(tenant)})


def bearer(tenant: Tenant, permissions: Sequence[str] | None = None) -> str:
    """Make an access token that the tenant takes, with `permissions` or those of the application."""
    claims = {"aud": GRAPH_APP_ID, "appid": tenant.client_id, "tid": tenant.tenant_id, "oid": tenant.own_principal}
    lives = {"exp": int(tenant.clock().timestamp()) + _LIFE, "roles": list(permissions or tenant.roles)}
    return ".".join((_packed({"alg": "none", "typ": "JWT"}), _packed(claims | lives), "unsigned"))


def roles(tenant: Tenant, authorization: str) -> set[str] | None:
    """Give the roles of a bearer token of ours, None where it is no token, of another tenant, or too old."""
    try:
        claims = unpacked(authorization.removeprefix("Bearer ").split(".")[1])
        good = claims["tid"] == tenant.tenant_id and claims["exp"] > tenant.clock().timestamp()
        return set(claims["roles"]) if good else None
    except (IndexError, KeyError, TypeError, ValueError):
        return None


def unpacked(part: str) -> dict[str, Any]:
    """Read one part of a JWT.

    Raises:
        TypeError, ValueError: it is none.

    """
    claims = json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4)))
    return dict(claims)


def _packed(claims: Mapping[str, Any]) -> str:
    return base64.urlsafe_b64encode(json.dumps(claims).encode()).rstrip(b"=").decode()


def _wrong(tenant: Tenant, audience: str, form: Mapping[str, str]) -> str:
    if form.get("grant_type") != "client_credentials" or form.get("client_assertion_type") != _JWT_BEARER:
        return "only a client assertion is taken here."
    try:
        head, claims = (unpacked(part) for part in form["client_assertion"].split(".")[:2])
    except (KeyError, TypeError, ValueError):
        return "the assertion cannot be read."
    print_of = head.get("x5t#S256") or head.get("x5t")
    if head.get("alg") not in {"RS256", "PS256"} or not print_of:
        return "the assertion names no certificate."
    known = bytes.fromhex(tenant.thumbprint) if tenant.thumbprint else None
    if known and base64.urlsafe_b64decode(print_of + "==") != known:
        return "the key was not found."
    owner = {claims.get("iss"), claims.get("sub"), form.get("client_id", tenant.client_id)} == {tenant.client_id}
    lives = claims.get("exp", 0) > tenant.clock().timestamp()
    return "" if owner and lives and claims.get("aud") == audience else "the assertion is not for here and now."
