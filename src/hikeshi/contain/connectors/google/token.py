# SPDX-License-Identifier: Apache-2.0
"""The service account's key, and the access tokens it gets for standing in for a person (RFC 7523, section 2.1)."""

import json
import time
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, Final

import httpx

from hikeshi.contain.connectors.google.answers import later, send
from hikeshi.contain.contract import ConnectorError, RefusedError

if TYPE_CHECKING:
    from hikeshi.basics.secrets import Secret

_GRANT: Final = "urn:ietf:params:oauth:grant-type:jwt-bearer"
#: seconds that an assertion is good for, and that a token is used before it ends
_LIFE: Final = 600
_MARGIN: Final = 120


class NotDelegatedError(ConnectorError):
    """Domain-wide delegation does not give this scope to the service account."""


class NoSubjectError(RefusedError):
    """Nobody can stand in for this person: suspended, deleted or never there."""


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A service account's key file, read. Its repr shows nothing."""

    email: str
    client_id: str
    token_url: str
    signer: Any


def read_key(secret: "Secret | None", token_url: str | None) -> Key:
    """Read the key file's JSON, as the Cloud console gives it.

    Raises:
        ConnectorError: it is not such a file, or google-auth is not installed.

    """
    if secret is None:
        raise ConnectorError("the connector google has no key; name the service account's key file as key_file")
    try:
        from google.auth import crypt  # noqa: PLC0415 - an extra
    except ImportError:
        raise ConnectorError(
            "the connector google needs the library google-auth; install it with: pip install 'hikeshi[google]'"
        ) from None
    try:
        held = json.loads(secret.reveal())
        signer = crypt.RSASigner.from_service_account_info(held)  # type: ignore[no-untyped-call]
        return Key(held["client_email"], str(held["client_id"]), token_url or held["token_uri"], signer)
    except (ValueError, KeyError, TypeError, AttributeError):
        # `from None`: the library's message may quote what it could not read
        raise ConnectorError(
            "the key of the connector google is not a service account's key; give the JSON file that the Cloud console "
            "makes under IAM, Service accounts, Keys"
        ) from None


@dataclass(slots=True, repr=False)
class Tokens:
    """Access tokens by person and scope, one scope a token: each request can do what it is for and no more."""

    key: Key
    http: httpx.Client
    _held: dict[tuple[str, str], tuple[str, float]] = field(default_factory=dict)

    def get(self, subject: str, scope: str) -> str:
        """Give a token.

        Raises:
            NotDelegatedError: the scope is not delegated.
            NoSubjectError: nobody can stand in for this person.
            LaterError: not now.
            ConnectorError: the key is not taken.

        """
        token, until = self._held.get((subject, scope), ("", 0.0))
        if time.monotonic() < until:
            return token
        answer = self._ask(subject, scope)
        token = answer.get("access_token", "")
        if not isinstance(token, str) or not token:
            raise ConnectorError("Google's token endpoint answered without a token; look at token_url")
        self._held[subject, scope] = token, time.monotonic() + max(0, float(answer.get("expires_in", 0)) - _MARGIN)
        return token

    def drop(self, subject: str, scope: str) -> None:
        """Forget a token that Google no longer takes."""
        self._held.pop((subject, scope), None)

    def _ask(self, subject: str, scope: str) -> Mapping[str, Any]:
        from google.auth import jwt  # noqa: PLC0415 - an extra

        now = int(time.time())
        claims = {"iss": self.key.email, "sub": subject, "scope": scope, "aud": self.key.token_url}
        assertion = jwt.encode(self.key.signer, {**claims, "iat": now, "exp": now + _LIFE})  # type: ignore[no-untyped-call]
        form = {"grant_type": _GRANT, "assertion": assertion.decode()}
        response = send(self.http, "POST", self.key.token_url, data=form)
        if postponed := later(response):
            raise postponed
        try:
            answer = response.json()
        except ValueError:
            answer = None
        if not isinstance(answer, dict):
            raise ConnectorError(f"Google's token endpoint answered {response.status_code} without JSON")
        if response.is_success:
            return answer
        raise _refusal(str(answer.get("error", "")), str(answer.get("error_description", ""))[:200], subject, scope)


def _refusal(error: str, says: str, subject: str, scope: str) -> ConnectorError:
    if error in ("unauthorized_client", "invalid_scope", "access_denied"):
        return NotDelegatedError(
            f"Google gives the service account no token for {scope} ({error}); add the scope in the Admin console under "
            "Security, Access and data control, API controls, Domain-wide delegation"
        )
    if error in ("invalid_grant", "invalid_request") and "JWT" not in says:
        return NoSubjectError(
            f"nobody can stand in for {subject} ({error}: {says})",
            "see in the Admin console whether the account is suspended or deleted",
        )
    return ConnectorError(
        f"Google does not take the service account's key ({error}: {says}); see that it still exists and that this "
        "machine's clock is right"
    )
