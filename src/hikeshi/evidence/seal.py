# SPDX-License-Identifier: Apache-2.0
"""The manifest: every input with its digests and counts, and which files of the lake count.

Written last and by renaming, so that evidence is either sealed or not there. An input is known by its content: the
same file under another name is not read twice, and a log that has grown is read on from where it was.
"""

import hashlib
import json
import os
from collections.abc import Iterable
from dataclasses import asdict, dataclass, field
from pathlib import Path

from hikeshi.basics.errors import CaseError

SCHEMA = "hikeshi.evidence/1"
#: the first bytes of the unpacked content, to tell cheaply that two inputs are different
HEAD = 4096


@dataclass(slots=True)
class Sealed:
    """One input as it stands in the manifest. `sha256` is of the file, `content_sha256` of what was unpacked."""

    number: int
    path: str
    sha256: str = ""
    content_sha256: str = ""
    content_bytes: int = 0
    head_sha256: str = ""
    head_bytes: int = 0
    whole_last_line: bool = True
    source: str = ""
    records: int = 0
    taken: int = 0
    skipped: int = 0
    set_aside: int = 0
    set_aside_bytes: int = 0
    first: str | None = None
    last: str | None = None
    zone: str = ""
    zone_basis: str = ""
    year_basis: str = ""
    problems: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Manifest:
    """What evidence/manifest.json holds. `unreadable` lists what was asked for and could not be read at all."""

    inputs: list[Sealed] = field(default_factory=list)
    files: dict[str, list[str]] = field(default_factory=dict)
    unreadable: list[dict[str, str]] = field(default_factory=list)
    settled: str | None = None
    schema: str = SCHEMA

    def next_number(self) -> int:
        """Give the number of the next input; numbers are never used twice."""
        return max((one.number for one in self.inputs), default=0) + 1

    def with_content(self, sha256: str) -> Sealed | None:
        """Find the input with this unpacked content."""
        return next((one for one in self.inputs if one.content_sha256 == sha256), None)


def load(folder: Path) -> Manifest:
    """Read the manifest of an evidence folder; an empty one where there is none yet.

    Raises:
        CaseError: it is there and cannot be understood.

    """
    path = folder / "manifest.json"
    if not path.exists():
        return Manifest()
    try:
        data = json.loads(path.read_text("utf-8"))
        if data["schema"] != SCHEMA:
            raise CaseError(f"{path}: made by another version of hikeshi ({data['schema']}); use a new --case folder")
        return Manifest(**{**data, "inputs": [Sealed(**one) for one in data["inputs"]]})
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise CaseError(f"{path}: cannot be read as a manifest ({error}); use a new --case folder") from error


def save(manifest: Manifest, folder: Path) -> None:
    """Seal: write the manifest beside the old one and put it in its place in one step."""
    fresh = folder / "manifest.json.new"
    with open(os.open(fresh, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, 0o600), "w", encoding="utf-8") as file:  # noqa: PTH123 - private from birth
        json.dump(asdict(manifest), file, indent=1, ensure_ascii=False)
        file.flush()
        os.fsync(file.fileno())
    fresh.replace(folder / "manifest.json")


def beginning(stream: Iterable[bytes], size: int) -> tuple[str, bool]:
    """Give the SHA-256 of the first `size` bytes of `stream` ('' where it is shorter) and whether more follows."""
    digest, left = hashlib.sha256(), size
    for block in stream:
        if not left:
            return digest.hexdigest(), True
        digest.update(block[:left])
        if len(block) > left:
            return digest.hexdigest(), True
        left -= len(block)
    return ("" if left else digest.hexdigest()), False
