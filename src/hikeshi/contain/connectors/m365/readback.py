# SPDX-License-Identifier: Apache-2.0
"""The runbook's export read back in: as PowerShell 5 writes it (UTF-8 or UTF-16 with a mark) and as PowerShell 7 does."""

import codecs
import hashlib
from datetime import UTC, datetime
from pathlib import Path
from typing import Any, Final

import msgspec

from hikeshi.basics.errors import HikeshiError

SCHEMA: Final = "hikeshi.m365-runbook/1"
_LARGEST: Final = 10_000_000


class ReadBackError(HikeshiError):
    """The file is no export of the runbook's script."""


class Rule(msgspec.Struct, frozen=True):
    """An inbox rule, hidden ones included, as PowerShell tells it."""

    identity: str
    name: str
    enabled: bool
    description: str = ""


class State(msgspec.Struct, frozen=True, kw_only=True):
    """A mailbox at one moment, `takenAt` in UTC; switches that can be unset are text: "True", "False" or empty."""

    takenAt: str  # noqa: N815 - as the script writes it
    forwardingSmtpAddress: str = ""  # noqa: N815 - as above
    forwardingAddress: str = ""  # noqa: N815 - as above
    forwardingTarget: str = ""  # noqa: N815 - as above
    deliverToMailboxAndForward: bool = False  # noqa: N815 - as above
    smtpClientAuthenticationDisabled: str = ""  # noqa: N815 - as above
    imapEnabled: bool  # noqa: N815 - as above
    popEnabled: bool  # noqa: N815 - as above
    ewsEnabled: str = ""  # noqa: N815 - as above
    activeSyncEnabled: bool  # noqa: N815 - as above
    fullAccess: list[str]  # noqa: N815 - as above
    sendAs: list[str]  # noqa: N815 - as above
    rules: list[Rule]

    @property
    def taken(self) -> datetime:
        """When it was read (aware, UTC)."""
        return datetime.fromisoformat(self.takenAt).astimezone(UTC)

    def plain(self) -> dict[str, Any]:
        """Give it as plain JSON."""
        plain: dict[str, Any] = msgspec.to_builtins(self)
        return plain


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What one run of the script wrote: the state before, and after where it came to its end."""

    schema: str
    account: str
    ownDomains: list[str]  # noqa: N815 - as the script writes it
    executed: bool
    before: State
    after: State | None = None

    @property
    def taken(self) -> datetime:
        """When it was read last (aware, UTC)."""
        return (self.after or self.before).taken


def read_back(content: bytes) -> Export:
    """Read an export.

    Raises:
        ReadBackError: it is none, or not whole.

    """
    if len(content) > _LARGEST:
        raise ReadBackError(f"the export has {len(content)} bytes; an export of the script is far smaller")
    try:
        export = msgspec.json.decode(_text(content), type=Export)
        times = [export.taken, export.before.taken]
    except (ValueError, msgspec.ValidationError) as error:
        raise ReadBackError(
            f"this is no whole export of the script: {error}; run it again and import its file"
        ) from error
    if export.schema != SCHEMA:
        raise ReadBackError(
            f"the export is of schema {export.schema!r}, {SCHEMA!r} is read here; use this version's script"
        )
    if times[0] < times[1]:
        raise ReadBackError("the export was changed: what it read afterwards is older than what it read before")
    return export


def accept(content: bytes, folder: Path) -> Export:
    """Check an export and keep it, private, among those that readings are taken from.

    Raises:
        ReadBackError: it is none.
        OSError: it cannot be kept.

    """
    export = read_back(content)
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    file = folder / f"m365-{hashlib.sha256(content).hexdigest()}.json"
    file.touch(mode=0o600)
    file.write_bytes(content)
    return export


def newest(folder: Path | None, account: str, since: datetime | None, *, oldest: bool = False) -> Export | None:
    """Give the newest (or oldest) export of an account, read at or after `since` (aware); None where there is none.

    Raises:
        ReadBackError: a file in the folder is none of ours.

    """
    files = sorted(folder.glob("m365-*.json")) if folder is not None and folder.is_dir() else []
    exports = [read_back(file.read_bytes()) for file in files]
    fitting = [
        one
        for one in exports
        if one.account.lower() == account.lower()
        # the script writes whole seconds
        and (since is None or one.taken >= since.replace(microsecond=0))
    ]
    return (min if oldest else max)(fitting, key=lambda one: one.taken, default=None)


def _text(content: bytes) -> str:
    for mark, encoding in (
        (codecs.BOM_UTF8, "utf-8-sig"),
        (codecs.BOM_UTF16_LE, "utf-16"),
        (codecs.BOM_UTF16_BE, "utf-16"),
    ):
        if content.startswith(mark):
            return content.decode(encoding)
    return content.decode("utf-8")
