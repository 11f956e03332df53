# SPDX-License-Identifier: Apache-2.0
"""A thin client of Microsoft Graph v1.0: says what Graph said, and whether it may be asked again."""

import ssl
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from email.utils import parsedate_to_datetime
from typing import Any, Final
from urllib.parse import quote, urlencode

import httpx

from hikeshi.contain.connectors.m365.options import Options
from hikeshi.contain.connectors.m365.token import Tokens
from hikeshi.contain.contract import ConnectorError, LaterError, RefusedError

Thing = dict[str, Any]

_TIMEOUT: Final = httpx.Timeout(30)
_LATER: Final = frozenset({408, 423, 425, 429, 500, 502, 503, 504, 509})
_BATCH: Final = 20
#: Entra writes whole seconds, and our clock may be a little ahead of its
_SLACK: Final = timedelta(seconds=2)
#: ids that stay the same when a mail is moved
IMMUTABLE: Final = {"Prefer": 'IdType="ImmutableId"'}


@dataclass(frozen=True, slots=True)
class Said:
    """One answer of Graph: `status` as in HTTP, `request` its request-id."""

    status: int
    body: Thing
    request: str

    @property
    def says(self) -> str:
        """Give the answer in a line for a receipt."""
        return f"{self.status} (request-id {self.request})"


def path(*parts: str) -> str:
    """Put a path together; whatever stands in a part cannot leave it."""
    return "/" + "/".join(quote(part, safe="") for part in parts)


def literal(text: str) -> str:
    """Write an OData string literal."""
    return "'" + text.replace("'", "''") + "'"


def address(where: str, query: Mapping[str, str] | None) -> str:
    """Put a path and its query together."""
    return where + (f"?{urlencode(query, safe='$')}" if query else "")


class Graph:
    """One tenant's Graph. Not for use by several threads. `transport` is for tests and proxies of one's own."""

    def __init__(self, options: Options, transport: httpx.BaseTransport | None = None) -> None:
        verify = _trust(options.ca_file) if options.ca_file else True
        self._http = httpx.Client(timeout=_TIMEOUT, verify=verify, transport=transport)
        self._base = f"{options.graph}/v1.0"
        self._ahead = timedelta(0)
        self.tokens = Tokens(options, self._http)

    def close(self) -> None:
        """Let go of connections."""
        self._http.close()

    def theirs(self, time: datetime) -> datetime:
        """Give our time on Graph's clock, as early as it may be there."""
        return time + self._ahead - _SLACK

    def call(
        self,
        method: str,
        where: str,
        body: Thing | None = None,
        *,
        query: Mapping[str, str] | None = None,
        headers: Mapping[str, str] | None = None,
        accept: Sequence[int] = (),
        hide: str | None = None,
    ) -> Said:
        """Ask Graph; a refusal whose status is in `accept` is an answer. `hide` is a secret that no text may show.

        Raises:
            LaterError: throttled, broken off, or a fault of theirs; whether it was done, nobody knows.
            RefusedError: Graph will not.
            ConnectorError: our token is not taken.

        """
        url = f"{self._base}{address(where, query)}"
        said = self._send(method, url, body, headers)
        if said.status == httpx.codes.UNAUTHORIZED:
            self.tokens.forget()
            said = self._send(method, url, body, headers)
        return _judged(said, f"{method} {where}", accept, hide)

    def items(self, where: str, query: Mapping[str, str] | None = None, *, hint: bool = False) -> list[Thing]:
        """Read a collection to its last page; `hint` asks for immutable ids.

        Raises:
            ConnectorError: a next page lies elsewhere or goes in a circle; else as `call`.

        """
        url: str | None = f"{self._base}{address(where, query)}"
        seen: set[str] = set()
        found: list[Thing] = []
        while url:
            if url in seen or not url.startswith(self._base + "/"):
                raise ConnectorError(f"m365: Graph names a next page of {where} that is none of its own")
            seen.add(url)
            said = _judged(self._send("GET", url, None, IMMUTABLE if hint else None), f"GET {where}", (), None)
            found += said.body.get("value", [])
            url = said.body.get("@odata.nextLink")
        return found

    def batch(self, wanted: Mapping[str, str], *, hint: bool = False) -> dict[str, Said]:
        """Read several things at once, by a name of ours each; 404 is an answer, and whatever else is refused too.

        Raises:
            LaterError: one inside was throttled, though the batch was not; else as `call`.

        """
        answers: dict[str, Said] = {}
        for some in _chunks(list(wanted.items()), _BATCH):
            inner = {"headers": dict(IMMUTABLE)} if hint else {}
            requests = [{"id": name, "method": "GET", "url": where, **inner} for name, where in some]
            said = self.call("POST", "/$batch", {"requests": requests})
            got = {one["id"]: one for one in said.body.get("responses", [])}
            for name, where in some:
                if name not in got:
                    raise LaterError(f"m365: Graph left GET {where} out of its answer to a batch")
                one = got[name]
                heads = {key.lower(): value for key, value in (one.get("headers") or {}).items()}
                part = Said(one["status"], one.get("body") or {}, heads.get("request-id", said.request))
                if part.status in _LATER:
                    raise LaterError(_told(part, f"GET {where}", None), _seconds(heads.get("retry-after")))
                answers[name] = part
        return answers

    def _send(self, method: str, url: str, body: Thing | None, headers: Mapping[str, str] | None) -> Said:
        bearer = {"Authorization": f"Bearer {self.tokens.get()}", **(headers or {})}
        try:
            answer = self._http.request(method, url, json=body, headers=bearer)
            content = answer.json() if answer.content else {}
        except (httpx.HTTPError, ValueError) as error:
            # `from None`: the exception holds the request, and the request the token
            raise LaterError(f"m365: {method} {url.partition('?')[0]} broke off: {type(error).__name__}") from None
        self._ahead = _ahead(answer.headers.get("date"))
        said = Said(answer.status_code, content if isinstance(content, dict) else {}, _request_id(answer))
        if said.status in _LATER:
            raise LaterError(
                _told(said, f"{method} {url.partition('?')[0].removeprefix(self._base)}", None),
                _seconds(answer.headers.get("retry-after")),
            )
        return said


def _trust(ca_file: str) -> ssl.SSLContext:
    try:
        return ssl.create_default_context(cafile=ca_file)
    except OSError as error:
        raise ConnectorError(
            f"m365: ca_file = {ca_file!r} cannot be used: {error}; name a file of PEM certificates"
        ) from error


def _judged(said: Said, what: str, accept: Sequence[int], hide: str | None) -> Said:
    if said.status < httpx.codes.BAD_REQUEST or said.status in accept:
        return said
    told = _told(said, what, hide)
    if said.status == httpx.codes.UNAUTHORIZED:
        raise ConnectorError(f"m365: {told}")
    if said.status == httpx.codes.FORBIDDEN:
        raise RefusedError(
            f"m365: {told}",
            "hold the permissions of `hikeshi contain setup m365`; for the account of an administrator the"
            " application also needs an Entra role, or a person does it by hand",
        )
    if said.status == httpx.codes.NOT_FOUND:
        raise RefusedError(f"m365: {told}", "look whether the account still exists and has a mailbox")
    raise RefusedError(f"m365: {told}", "do it by hand in the admin centre, then verify")


def _told(said: Said, what: str, hide: str | None) -> str:
    error = said.body.get("error") or {}
    text = f"{what}: {said.status} {error.get('code', '')} {str(error.get('message', ''))[:200]} ({said.request})"
    return text.replace(hide, "<secret>") if hide else text


def _request_id(answer: httpx.Response) -> str:
    return str(answer.headers.get("request-id") or answer.headers.get("client-request-id") or "none given")


def _seconds(text: str | None) -> float | None:
    """Read Retry-After: seconds or an HTTP date (RFC 9110, 10.2.3)."""
    if text is None:
        return None
    try:
        return max(0.0, float(text))
    except ValueError:
        pass
    try:
        return max(0.0, (parsedate_to_datetime(text) - datetime.now(UTC)).total_seconds())
    except (TypeError, ValueError):
        return None


def _ahead(date: str | None) -> timedelta:
    """How far their clock is ahead of ours; a second or so is only their writing whole seconds."""
    try:
        ahead = parsedate_to_datetime(date) - datetime.now(UTC) if date else timedelta(0)
    except (TypeError, ValueError):
        return timedelta(0)
    return ahead if abs(ahead) > _SLACK else timedelta(0)


def _chunks(things: list[tuple[str, str]], size: int) -> Iterator[list[tuple[str, str]]]:
    for begin in range(0, len(things), size):
        yield things[begin : begin + size]
