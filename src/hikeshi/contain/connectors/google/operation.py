# SPDX-License-Identifier: Apache-2.0
"""What one kind of step is made of, and how a request is written down for people."""

import json
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from hikeshi.contain.connectors.google.calls import Call
from hikeshi.contain.connectors.google.client import Client, Thing
from hikeshi.contain.contract import Step, Words

NAME: Final = "google"
#: whether the goal stands (None: cannot be told), and that in words
Goal = tuple[bool | None, str]


@dataclass(frozen=True, slots=True)
class Operation:
    """One kind of step.

    `read` gives the state as plain JSON free of secrets; it gets what was read before anything was done, None the first
    time, and when the step was begun (aware, UTC). `goal` judges a state. `same` judges after an undo. `undo` and `same`
    are None where it cannot be taken back.
    """

    read: Callable[[Client, Step, Thing | None, datetime], Thing]
    goal: Callable[[Thing, Thing | None], Goal]
    do: Callable[[Client, Step, Thing], str]
    undo: Callable[[Client, Step, Thing], str] | None = None
    same: Callable[[Thing, Thing], Goal] | None = None


def words(en: str, ja: str) -> Words:
    """Give a text in both languages."""
    return {"en": en, "ja": ja}


def owner(step: Step) -> str:
    """Give the primary address that Google knows the step's account by."""
    found: str = step.detail.get("user", step.account)
    return found


def asked(call: Call, user: str, body: Thing | None = None, names: Mapping[str, str] | None = None) -> str:
    """Write a request as it will be asked, readable: a secret in `body` must come as <secret> already."""
    path = call.path.format(**{"userKey": user, "userId": user, **(names or {})})
    return f"{call.method} /{path}" + (f" {json.dumps(body, ensure_ascii=False)}" if body is not None else "")


def instant(text: str) -> datetime:
    """Read a time as Google's reports and our states write it."""
    return datetime.fromisoformat(text)


def written(time: datetime) -> str:
    """Write an aware UTC time as the Reports API takes it (RFC 3339, milliseconds)."""
    return time.strftime("%Y-%m-%dT%H:%M:%S.%f")[:-3] + "Z"
