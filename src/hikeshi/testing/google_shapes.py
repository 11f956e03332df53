# SPDX-License-Identifier: Apache-2.0
"""The shape of Google's answers: errors, pages, times."""

import base64
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Thing = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer; without a body where Google sends none. `broken` means that the connection goes before it arrives."""

    status: int
    body: Thing | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False


class GoogleError(Exception):
    """An answer of refusal, in the shape of Google's APIs."""

    def __init__(self, status: int, reason: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        detail = {"message": message, "domain": "usageLimits" if "xceeded" in reason else "global", "reason": reason}
        body = {"error": {"code": status, "message": message, "errors": [detail]}}
        self.reply = Reply(status, body, headers or {})


class TokenError(Exception):
    """An answer of refusal of the token endpoint, in the shape of RFC 6749, section 5.2."""

    def __init__(self, status: int, error: str, description: str) -> None:
        super().__init__(description)
        self.reply = Reply(status, {"error": error, "error_description": description})


def stamp(time: datetime) -> str:
    """Write an aware time as Google's reports do: UTC, milliseconds."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"


def milliseconds(time: datetime) -> str:
    """Write an aware time as the Directory API does: milliseconds since 1970, as text."""
    return str(int(time.timestamp() * 1000))


def page(things: Sequence[Thing], name: str, query: Mapping[str, str], most: int) -> Thing:
    """Give one page of things under `name`; as Google does, the key is missing where there is nothing.

    Raises:
        GoogleError: the page token is not one of ours.

    """
    size = min(int(query.get("maxResults", most)), most)
    start = 0
    if token := query.get("pageToken"):
        try:
            start = int(base64.urlsafe_b64decode(token.encode()))
        except ValueError:
            raise GoogleError(400, "badRequest", "Invalid pageToken") from None
    body: Thing = {name: list(things[start : start + size])} if things[start : start + size] else {}
    if start + size < len(things):
        body["nextPageToken"] = base64.urlsafe_b64encode(str(start + size).encode()).decode()
    return body
