# SPDX-License-Identifier: Apache-2.0
"""The part of OData that the fake Graph speaks: errors, $select, $filter with eq and any, paging."""

import base64
import re
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any, Final
from urllib.parse import urlencode
from uuid import uuid4

Thing = dict[str, Any]
_EQ: Final = re.compile(r"(?P<name>\w+) eq (?:'(?P<text>(?:[^']|'')*)'|(?P<bare>true|false|null))")
_ANY: Final = re.compile(r"(?P<name>\w+)/any\((?P<var>\w+):(?P=var) eq '(?P<text>(?:[^']|'')*)'\)")


@dataclass(frozen=True, slots=True)
class Reply:
    """One answer. `broken` means that the connection goes before it arrives."""

    status: int
    body: Thing | None = None
    headers: Mapping[str, str] = field(default_factory=dict)
    broken: bool = False


class GraphError(Exception):
    """An answer of refusal, in Graph's shape."""

    def __init__(self, status: int, code: str, message: str, headers: Mapping[str, str] | None = None) -> None:
        super().__init__(message)
        request = str(uuid4())
        inner = {"date": datetime.now(UTC).strftime("%Y-%m-%dT%H:%M:%S"), "request-id": request}
        body = {"error": {"code": code, "message": message, "innerError": inner}}
        self.reply = Reply(status, body, {"request-id": request, **(headers or {})})


def not_found(kind: str, key: str) -> GraphError:
    """Refuse for want of an object: Exchange and Entra word it differently."""
    if kind in {"rule", "message", "folder"}:
        return GraphError(404, "ErrorItemNotFound", "The specified object was not found in the store.")
    return GraphError(404, "Request_ResourceNotFound", f"Resource '{key}' does not exist.")


def condition(text: str) -> Callable[[Thing], bool]:
    """Read a $filter made of `eq` and `any`, joined by `and`.

    Raises:
        GraphError: it is something else.

    """
    tests: list[Callable[[Thing], bool]] = []
    rest = text.strip()
    while rest:
        if found := _ANY.match(rest):
            tests.append(_holds(found["name"], _plain(found["text"])))
        elif found := _EQ.match(rest):
            tests.append(_equals(found["name"], _value(found)))
        else:
            raise GraphError(400, "Request_UnsupportedQuery", f"Unsupported or invalid query filter clause: {rest}")
        rest = rest[found.end() :].removeprefix(" and ").strip()
    return lambda thing: all(test(thing) for test in tests)


def select(thing: Thing, query: Mapping[str, str], default: Iterable[str] | None = None) -> Thing:
    """Keep what $select names; an unknown name is refused, as Graph does."""
    names = query["$select"].split(",") if "$select" in query else default
    if names is None:
        return dict(thing)
    unknown = [name for name in names if name not in thing] if "$select" in query else []
    if unknown:
        raise GraphError(400, "BadRequest", f"Could not find a property named '{unknown[0]}'.")
    return {name: thing[name] for name in names if name in thing}


def page(things: Iterable[Thing], query: Mapping[str, str], url: str, size: int) -> Thing:
    """Answer one page of a collection, with @odata.nextLink where there is more."""
    if "$filter" in query:
        wanted = condition(query["$filter"])
        things = [thing for thing in things if wanted(thing)]
    rows = [select(thing, query) for thing in things]
    token = query.get("$skiptoken", "")
    begin = int(base64.urlsafe_b64decode(token)) if token else 0
    body: Thing = {"value": rows[begin : begin + size]}
    if begin + size < len(rows):
        following = base64.urlsafe_b64encode(str(begin + size).encode()).decode()
        asked = {**query, "$skiptoken": following}
        body["@odata.nextLink"] = f"{url}?{urlencode(asked, safe='$')}"
    return body


def _plain(text: str) -> str:
    return text.replace("''", "'")


def _value(found: re.Match[str]) -> Any:
    if found["text"] is not None:
        return _plain(found["text"])
    return {"true": True, "false": False, "null": None}[found["bare"]]


def _equals(name: str, value: Any) -> Callable[[Thing], bool]:
    return lambda thing: _folded(thing.get(name)) == _folded(value)


def _holds(name: str, value: str) -> Callable[[Thing], bool]:
    return lambda thing: value.lower() in {str(one).lower() for one in thing.get(name) or ()}


def _folded(value: Any) -> Any:
    return value.lower() if isinstance(value, str) else value
