# SPDX-License-Identifier: Apache-2.0
"""Time zones by name, and the zone of this machine."""

import os
from datetime import UTC, tzinfo
from pathlib import Path
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hikeshi.basics.errors import UsageError


def zone(name: str) -> tzinfo:
    """Give the zone called `name` (IANA, for example Asia/Tokyo).

    Raises:
        UsageError: there is no such zone.

    """
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError) as error:
        raise UsageError(f"--tz {name}: no such time zone; give an IANA name such as Asia/Tokyo or UTC") from error


def machine_zone() -> tuple[str, tzinfo]:
    """Give the name and the zone that this machine's clock is set to: TZ, else /etc/localtime, else UTC."""
    named = os.environ.get("TZ", "").lstrip(":")
    if not named:
        target = Path("/etc/localtime").resolve()
        named = str(target).partition("zoneinfo/")[2]
    try:
        return (named, ZoneInfo(named)) if named else ("UTC", UTC)
    except (ZoneInfoNotFoundError, ValueError, IsADirectoryError):
        return "UTC", UTC
