# SPDX-License-Identifier: Apache-2.0
"""To whom the lure went, out of the case folder: recipients.csv, and the subjects out of the evidence behind it."""

import csv
import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from hikeshi.basics.errors import CaseError
from hikeshi.cases.folder import CaseFolder
from hikeshi.evidence import lake as lakes
from hikeshi.evidence import seal
from hikeshi.notify.lists import undefused
from hikeshi.notify.person import OUTCOMES, Outcome


@dataclass(frozen=True, slots=True)
class Row:
    """One address of one incident, as recipients.csv has it. Times are aware; `incident` counts from 1."""

    incident: int
    address: str
    messages: int
    status: Outcome
    first: datetime
    last: datetime


def recipients(case: Path, incidents: Sequence[Mapping[str, Any]]) -> Iterator[Row]:
    """Give the rows of recipients.csv; `incidents` are those of the last investigation, as the ledger has them.

    Raises:
        CaseError: the file is not there, or has not as many addresses of each incident as the ledger counts: nobody
            is told out of a file that lacks somebody.

    """
    path = case / "recipients.csv"
    counted = dict.fromkeys(range(1, len(incidents) + 1), 0)
    try:
        with path.open(encoding="utf-8", newline="") as file:
            for row in csv.DictReader(file):
                found = _row(row)
                counted[found.incident] += 1
                yield found
    except (OSError, KeyError, ValueError, TypeError, csv.Error) as error:
        raise CaseError(f"{path}: cannot be read as it was written ({error}); run hikeshi investigate again") from error
    for number, one in enumerate(incidents, start=1):
        if counted[number] != one["addresses"]:
            raise CaseError(
                f"{path}: has {counted[number]:,} addresses of {one['id']}, and the ledger counts {one['addresses']:,}; "
                "run hikeshi investigate again"
            )


def subjects(case: Path, incidents: Mapping[int, Mapping[str, Any]]) -> dict[str, tuple[str, ...]]:
    """Give the subjects of the mails of these incidents by address, as far as the evidence has subjects.

    Raises:
        CaseError: timeline.jsonl of the case cannot be read.

    """
    if not any(one.get("subjects") for one in incidents.values()):
        return {}
    manifest = seal.load(CaseFolder(case).evidence)
    with lakes.opened(case / "evidence", manifest.files) as lake:
        lake.sql.execute("CREATE TEMP TABLE told (message_id VARCHAR, time TIMESTAMP)")
        for batch in _batches(_sent(case, incidents), 5_000):
            lake.sql.executemany("INSERT INTO told VALUES (?, ?)", batch)
        found = lake.sql.execute(_SUBJECTS).fetchall()
    return {address: tuple(named) for address, named in found}


_SUBJECTS = """
    SELECT deliveries.address, list(DISTINCT messages.subject ORDER BY messages.subject)
    FROM messages SEMI JOIN told ON told.message_id = messages.message_id AND told.time = messages.time
    JOIN deliveries USING (message_key)
    WHERE messages.subject IS NOT NULL
    GROUP BY deliveries.address"""


def _sent(case: Path, incidents: Mapping[int, Mapping[str, Any]]) -> Iterator[tuple[str, datetime]]:
    path = case / "timeline.jsonl"
    try:
        with path.open(encoding="utf-8") as file:
            for one in map(json.loads, file):
                if one.get("incident") in incidents and one.get("message_id"):
                    yield (
                        one["message_id"],
                        datetime.fromisoformat(one["datetime"]).astimezone(UTC).replace(tzinfo=None),
                    )
    except (OSError, ValueError, AttributeError) as error:
        raise CaseError(f"{path}: cannot be read as it was written; run hikeshi investigate again") from error


def _batches(rows: Iterator[tuple[str, datetime]], size: int) -> Iterator[list[tuple[str, datetime]]]:
    batch: list[tuple[str, datetime]] = []
    for row in rows:
        batch.append(row)
        if len(batch) == size:
            yield batch
            batch = []
    if batch:
        yield batch


def _row(row: Mapping[str, str]) -> Row:
    if row["status"] not in OUTCOMES:
        raise ValueError(f"{row['status']!r} is no fate")
    first, last = datetime.fromisoformat(row["first_time"]), datetime.fromisoformat(row["last_time"])
    return Row(int(row["incident"]), undefused(row["address"]), int(row["messages"]), row["status"], first, last)
