# SPDX-License-Identifier: Apache-2.0
"""One entry of the ledger: what it says, how it is written down, and what its digest is taken over."""

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hikeshi.cases.store.canonical import JSON, encoded


@dataclass(frozen=True, slots=True)
class Draft:
    """What an entry should say: its kind, its body as plain JSON, and who says so, None for whoever types."""

    kind: str
    body: Mapping[str, JSON]
    who: str | None = None


@dataclass(frozen=True, slots=True)
class Entry:
    """An entry as it stands. `time` is aware, UTC; `login` is name@host; `previous` and `digest` are SHA-256 in hex."""

    seq: int
    time: datetime
    kind: str
    who: str
    login: str
    body: dict[str, Any]
    previous: str
    digest: str


def written(time: datetime) -> str:
    """Write an aware time as all times of the store are: UTC, microseconds, Z."""
    return time.astimezone(UTC).strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def digest_of(row: Mapping[str, Any]) -> str:
    """Give the digest of a row of the ledger.

    It is SHA-256 over the JSON object (RFC 8785) of all its columns but `digest`: `seq` is a number, the others are texts, the
    body too, just as it is stored. `case_id` is among them, so that no entry moves from one case to another.
    """
    said = {key: row[key] for key in ("case_id", "seq", "time", "kind", "who", "login", "body", "previous")}
    return hashlib.sha256(encoded(said).encode()).hexdigest()


def entry_of(row: Mapping[str, Any]) -> Entry:
    """Give the entry that a row of the ledger is."""
    return Entry(
        seq=row["seq"],
        time=datetime.fromisoformat(row["time"]),
        kind=row["kind"],
        who=row["who"],
        login=row["login"],
        body=json.loads(row["body"]),
        previous=row["previous"],
        digest=row["digest"],
    )
