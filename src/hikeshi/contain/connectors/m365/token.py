# SPDX-License-Identifier: Apache-2.0
"""Tokens of the application itself: by certificate, kept in memory only, shown nowhere."""

import base64
import json
from collections.abc import Mapping
from typing import Any

import httpx

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.m365.options import Options
from hikeshi.contain.contract import ConnectorError, LaterError


class Tokens:
    """Gets tokens by msal over the given client. `msal` is imported when the first is asked for."""

    def __init__(self, options: Options, http: httpx.Client) -> None:
        self._options = options
        self._http = http
        self._app: Any = None

    def __repr__(self) -> str:
        return "Tokens()"

    def get(self) -> str:
        """Give a token that lives.

        Raises:
            LaterError: the authority does not answer.
            ConnectorError: it refuses us, or msal is not installed, or the key cannot be read.

        """
        try:
            answer = self._application().acquire_token_for_client([f"{self._options.graph}/.default"])
        except httpx.HTTPError as error:
            raise LaterError(f"m365: {self._options.authority} did not answer: {type(error).__name__}") from None
        except ValueError as error:
            raise ConnectorError(f"m365: no token: {error}; check authority, tenant and thumbprint") from None
        if "access_token" not in answer:
            says = f"{answer.get('error')}: {str(answer.get('error_description', '')).splitlines()[:1]}"
            if answer.get("error") in {"temporarily_unavailable", "server_error"}:
                raise LaterError(f"m365: the authority says {says}")
            raise ConnectorError(f"m365: no token for {self._options.client_id} in {self._options.tenant}: {says}")
        return str(answer["access_token"])

    def forget(self) -> None:
        """Ask anew the next time, not the cache."""
        self._app = None

    def roles(self) -> tuple[str, ...]:
        """Give the application permissions that the token names; raises as `claims`."""
        return tuple(self.claims().get("roles", ()))

    def claims(self) -> dict[str, Any]:
        """Give what the token says of the application.

        Raises:
            ConnectorError: the token cannot be read; LaterError as `get`.

        """
        try:
            part = self.get().split(".")[1]
            return dict(json.loads(base64.urlsafe_b64decode(part + "=" * (-len(part) % 4))))
        except (IndexError, ValueError, TypeError):
            raise ConnectorError("m365: the token has no readable claims, so its permissions cannot be held") from None

    def _application(self) -> Any:
        if self._app is None:
            try:
                import msal  # noqa: PLC0415 - an extra
            except ImportError:
                raise ConnectorError("m365: msal is not installed: pip install 'hikeshi[m365]'") from None
            options = self._options
            _hold_key(options.certificate)
            self._app = msal.ConfidentialClientApplication(
                options.client_id,
                authority=f"{options.authority}/{options.tenant}",
                client_credential={"private_key": options.certificate.reveal(), "thumbprint": options.thumbprint},
                http_client=_Http(self._http),
                # the address is the user's own choice; nobody else is asked whether it is a good one
                instance_discovery=False,
            )
        return self._app


def _hold_key(certificate: Secret) -> None:
    """Hold that it is an RSA key, before msal fails on it in ways of its own. No reason is given: it could quote the key."""
    from cryptography.exceptions import UnsupportedAlgorithm  # noqa: PLC0415 - comes with msal, an extra
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.serialization import load_pem_private_key  # noqa: PLC0415 - as above

    try:
        good = isinstance(load_pem_private_key(certificate.reveal().encode(), None), RSAPrivateKey)
    except (ValueError, TypeError, UnsupportedAlgorithm):
        good = False
    if not good:
        raise ConnectorError(
            "m365: certificate is no unencrypted RSA private key in PEM; name the key file of the certificate"
            " that was uploaded to the application"
        ) from None


class _Http:
    """What msal asks of an HTTP client, by the one that we have: one proxy, one trust, one place to close."""

    def __init__(self, http: httpx.Client) -> None:
        self._http = http

    def get(self, url: str, params: Mapping[str, str] | None = None, **rest: Any) -> httpx.Response:
        return self._http.get(url, params=params, headers=rest.get("headers"))

    def post(self, url: str, params: Mapping[str, str] | None = None, data: Any = None, **rest: Any) -> httpx.Response:
        # msal signs to bytes, which httpx would write as Python does
        form = {name: value.decode() if isinstance(value, bytes) else value for name, value in (data or {}).items()}
        return self._http.post(url, params=params, data=form, headers=rest.get("headers"))

    def close(self) -> None:
        """Nothing: the client is closed by who made it."""
