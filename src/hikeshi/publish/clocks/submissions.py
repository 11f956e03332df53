# SPDX-License-Identifier: Apache-2.0
"""What was handed in: when, by whom, with which proof, and which facts stood then.

The proof is a file, copied into the case under its digest, or a text such as the number of a receipt.
"""

import hashlib
import os
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

from hikeshi.basics.errors import CaseError, UsageError
from hikeshi.cases.store import Draft, Entry, Store
from hikeshi.cases.store.facts import Fact
from hikeshi.publish.clocks.rule import Rule

#: the folder of proofs in a case; a proof's name is the SHA-256 of its bytes
PROOFS: Final = "submissions"
KIND: Final = "submission"
_BLOCK: Final = 1 << 20


@dataclass(frozen=True, slots=True)
class Submission:
    """One report as handed in. `at` is aware; `facts_up_to` is the number of the last entry of a fact that it could hold."""

    seq: int
    rule: str
    version: str
    at: datetime
    who: str
    why: str
    proof: Mapping[str, Any]
    facts_up_to: int


def submit(store: Store, case: Path, rule: Rule, *, at: datetime, proof: str, who: str, why: str) -> Submission:
    """Write down that a report was handed in at `at` (aware); `proof` is a file's path, or a text.

    Raises:
        UsageError: nobody, no reason or no proof is given; the time lies in the future; the file cannot be read.
        CaseError: the proof cannot be kept.
        StoreError: it could not be written.

    """
    if not who.strip() or not why.strip() or not proof.strip():
        raise UsageError("a submission needs who handed it in, why (for example: first report), and a proof")
    if at > datetime.now(UTC):
        raise UsageError(f"--at {at.isoformat()}: lies in the future; give the time at which it was handed in")
    kept = _kept(case, proof.strip())
    known = [one.seq for one in store.entries("fact") if one.time <= at]
    (entry,) = store.append(
        Draft(
            KIND,
            {
                "rule": rule.id,
                "version": rule.version,
                "at": at.isoformat(),
                "why": why.strip(),
                "proof": kept,
                "facts_up_to": max(known, default=0),
            },
            who.strip(),
        )
    )
    return _submission(entry)


def submissions(store: Store) -> dict[str, list[Submission]]:
    """Give what was handed in by rule, earliest first.

    Raises:
        StoreError: it cannot be read.

    """
    found: dict[str, list[Submission]] = {}
    for entry in store.entries(KIND):
        found.setdefault(entry.body["rule"], []).append(_submission(entry))
    return {rule: sorted(those, key=lambda one: (one.at, one.seq)) for rule, those in found.items()}


def facts_at(store: Store, seq: int) -> dict[str, Fact]:
    """Give what stood of every key up to the entry with the number `seq`: a person's last word, else what was computed.

    Raises:
        StoreError: it cannot be read.

    """
    found: dict[str, Fact] = {}
    for entry in store.entries("fact"):
        fact = _fact(entry)
        past = found.get(fact.key)
        if entry.seq <= seq and (past is None or past.provenance != "entered" or fact.provenance == "entered"):
            found[fact.key] = fact
    return found


def _fact(entry: Entry) -> Fact:
    as_of = entry.body["as_of"]
    return Fact(**{**entry.body, "as_of": as_of and datetime.fromisoformat(as_of), "seq": entry.seq})


def _submission(entry: Entry) -> Submission:
    body = entry.body
    return Submission(
        entry.seq,
        body["rule"],
        body["version"],
        datetime.fromisoformat(body["at"]),
        entry.who,
        body["why"],
        body["proof"],
        body["facts_up_to"],
    )


def _kept(case: Path, proof: str) -> dict[str, Any]:
    path = Path(proof)
    if os.path.isfile(path):  # noqa: PTH113 - a text may be longer than a path can be, on which Path raises
        digest, size = _copied(path, case / PROOFS)
        return {"file": path.name, "sha256": digest, "bytes": size}
    # A mistyped path must not pass for the text of a receipt.
    if "/" in proof or (path.suffix[1:].isalpha() and " " not in proof):
        raise UsageError(
            f"--proof {proof}: no file that you may read; a text is a few words without a slash, such as: receipt 4711"
        )
    return {"text": proof, "sha256": hashlib.sha256(proof.encode("utf-8", "surrogateescape")).hexdigest()}


def _copied(path: Path, folder: Path) -> tuple[str, int]:
    """Copy a file into `folder` under its digest, private; give digest and size in bytes."""
    digest, size = hashlib.sha256(), 0
    fresh = folder / f".{os.getpid()}.new"
    try:
        source = path.open("rb")
    except OSError as error:
        raise UsageError(f"--proof {path}: {error.strerror}; give a file that you may read") from error
    try:
        with source:
            folder.mkdir(mode=0o700, exist_ok=True)
            with suppress(FileNotFoundError):
                fresh.unlink()
            with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as file:  # noqa: PTH123 - private from birth
                while block := source.read(_BLOCK):
                    digest.update(block)
                    size += len(block)
                    file.write(block)
                file.flush()
                os.fsync(file.fileno())
        fresh.replace(folder / digest.hexdigest())
    except OSError as error:
        raise CaseError(
            f"{folder}: {error.strerror}; the proof could not be kept, and nothing was written down"
        ) from error
    return digest.hexdigest(), size
