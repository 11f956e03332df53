# SPDX-License-Identifier: Apache-2.0
"""What Google's answers mean: not now, not at all, gone, there already."""

from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final

import httpx

from hikeshi.contain.contract import ConnectorError, LaterError, RefusedError

#: reasons with which a 403 means "not now"
_TOO_OFTEN: Final = frozenset(
    {"rateLimitExceeded", "userRateLimitExceeded", "quotaExceeded", "dailyLimitExceeded", "RATE_LIMIT_EXCEEDED"}
)
_BUSY: Final = frozenset({408, 429, 500, 502, 503, 504})
_SHORT: Final = 200


class GoneError(RefusedError):
    """What was asked for is not there (404)."""


class ExistsError(RefusedError):
    """What was to be made is there already."""


def send(http: httpx.Client, method: str, url: str, **more: Any) -> httpx.Response:
    """Send a request.

    Raises:
        LaterError: no whole answer came; whether it was done is not known.

    """
    try:
        return http.request(method, url, **more)
    except httpx.HTTPError as error:
        # the error's own text may hold the request's URL, but never its headers; the type says enough
        host = httpx.URL(url).host
        raise LaterError(f"no whole answer from {host} ({type(error).__name__})") from None


def later(response: httpx.Response) -> LaterError | None:
    """Give the error of an answer that means "not now", None for any other."""
    reason, says = _reason(response)
    if response.status_code not in _BUSY and not (response.status_code == 403 and reason in _TOO_OFTEN):
        return None
    return LaterError(f"Google says not now ({response.status_code} {reason}: {says})", wait(response.headers))


def wait(headers: Mapping[str, str], now: datetime | None = None) -> float | None:
    """Read Retry-After (RFC 9110, section 10.2.3): seconds, or a date. Gives seconds, None where it does not say."""
    text = headers.get("retry-after", "").strip()
    if text.isascii() and text.isdigit():
        return float(text)
    try:
        then = parsedate_to_datetime(text)
    except ValueError:
        return None
    if then.tzinfo is None:
        return None
    return max(0.0, (then - (now or datetime.now(UTC))).total_seconds())


def refused(response: httpx.Response, what: str) -> ConnectorError:
    """Give the error of an answer that is no success and does not mean "not now"."""
    status, (reason, says) = response.status_code, _reason(response)
    text = f"{what}: Google answers {status} {reason}: {says}"
    if status == 404:
        return GoneError(text, "look whether it was removed by somebody else")
    if status == 409 or "already exists" in says.lower():
        return ExistsError(text, "nothing is to be made")
    if status == 401 or reason in ("insufficientPermissions", "ACCESS_TOKEN_SCOPE_INSUFFICIENT"):
        return ConnectorError(f"{text}; see `hikeshi contain setup google` for the scopes that are needed")
    if status == 403:
        return RefusedError(text, "the administrator it acts for has too few rights over this account; act by hand")
    if 400 <= status < 500:
        return RefusedError(text, "do it in the Admin console or in the mailbox")
    return ConnectorError(f"{text}; this is no answer of Google's API, look at the URLs in the settings")


def _reason(response: httpx.Response) -> tuple[str, str]:
    """Read the reason and the words of an error, shortened; Google's error texts hold no token."""
    try:
        error = response.json()["error"]
        if isinstance(error, str):
            return error, ""
        listed = error.get("errors") or [{}]
        return str(listed[0].get("reason") or error.get("status") or ""), str(error.get("message", ""))[:_SHORT]
    except (ValueError, KeyError, TypeError, AttributeError, IndexError):
        return "", ""
