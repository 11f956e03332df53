# SPDX-License-Identifier: Apache-2.0
"""A thin client of the APIs: one method a call, pages put together, errors as the contract has them."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote

import httpx

from hikeshi.contain.connectors.google.answers import later, refused, send
from hikeshi.contain.connectors.google.calls import Call
from hikeshi.contain.connectors.google.token import Tokens
from hikeshi.contain.contract import ConnectorError

Thing = dict[str, Any]
#: pages of one list; more than this is no mailbox's settings
_MOST_PAGES: Final = 1000
_NONE: Final[Mapping[str, str]] = {}


@dataclass(frozen=True, slots=True)
class Answered:
    """What came: the status, the JSON (empty where Google sends none) and Google's own time (aware, UTC)."""

    status: int
    body: Thing
    time: datetime | None


@dataclass(slots=True, repr=False)
class Client:
    """Speaks for `admin` to the Directory and Reports APIs, and for each mailbox's owner to Gmail."""

    http: httpx.Client
    tokens: Tokens
    admin: str
    bases: Mapping[str, str]

    def call(
        self,
        call: Call,
        owner: str,
        body: Thing | None = None,
        *,
        query: Mapping[str, str] | None = None,
        names: Mapping[str, str] = _NONE,
    ) -> Answered:
        """Make one request about `owner`; `names` fill what else the path has.

        Raises:
            GoneError: 404.
            ExistsError: what was to be made is there already.
            NoSubjectError: nobody can stand in for the mailbox's owner.
            LaterError, RefusedError, ConnectorError: as the contract says.

        """
        subject = owner if call.api == "gmail" else self.admin
        response = self._send(call, subject, owner, body, query, names)
        if response.status_code == 401:
            # ended before its time: a new one, once
            self.tokens.drop(subject, call.scope)
            response = self._send(call, subject, owner, body, query, names)
        if postponed := later(response):
            raise postponed
        if not response.is_success:
            raise refused(response, call.name)
        return Answered(response.status_code, _json(response, call), _date(response))

    def pages(
        self,
        call: Call,
        owner: str,
        key: str,
        query: Mapping[str, str] | None = None,
        names: Mapping[str, str] = _NONE,
    ) -> list[Thing]:
        """Read a list to its end.

        Raises:
            ConnectorError: it has no end. Else as `call`.

        """
        rows: list[Thing] = []
        asked = dict(query or {})
        for _ in range(_MOST_PAGES):
            body = self.call(call, owner, query=asked, names=names).body
            rows += body.get(key, [])
            if not (token := body.get("nextPageToken")):
                return rows
            asked["pageToken"] = str(token)
        raise ConnectorError(f"{call.name}: the list has more than {_MOST_PAGES} pages; look at {owner} by hand")

    def close(self) -> None:
        """Let go of connections."""
        self.http.close()

    def _send(
        self,
        call: Call,
        subject: str,
        owner: str,
        body: Thing | None,
        query: Mapping[str, str] | None,
        names: Mapping[str, str],
    ) -> httpx.Response:
        token = self.tokens.get(subject, call.scope)
        filled = {"userKey": owner, "userId": owner, **names}
        path = call.path.format(**{name: quote(value, safe="") for name, value in filled.items()})
        return send(
            self.http,
            call.method,
            f"{self.bases[call.api]}/{path}",
            params=dict(query) if query else None,
            json=body,
            headers={"authorization": f"Bearer {token}"},
        )


def _json(response: httpx.Response, call: Call) -> Thing:
    """Read the body; a deletion has none."""
    if not response.content:
        return {}
    try:
        body = response.json()
    except ValueError:
        body = None
    if not isinstance(body, dict):
        raise ConnectorError(f"{call.name}: the answer is no JSON object; look at the URLs in the settings")
    return body


def _date(response: httpx.Response) -> datetime | None:
    try:
        then = parsedate_to_datetime(response.headers.get("date", ""))
    except ValueError:
        return None
    return then.astimezone(UTC) if then.tzinfo else None
