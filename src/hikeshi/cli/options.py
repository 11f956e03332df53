# SPDX-License-Identifier: Apache-2.0
"""Options that several commands share, exit codes, and how an error reaches a person."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import click

from hikeshi.basics.errors import HikeshiError
from hikeshi.evidence.sources import all_sources
from hikeshi.playbook import FALSE_ALARMS

FAILED: Final = 1
WITH_GAPS: Final = 3
INCIDENT: Final = 4

#: where guard and watch keep things, as the units in deploy/ have it
HOME = Path("/var/lib/hikeshi")
STATE = click.option(
    "--state",
    default=str(HOME / "state"),
    show_default=True,
    metavar="STATE",
    help="File of the guard's state, or redis://HOST:PORT/DB where several servers share one.",
)
CASE = click.option(
    "--case",
    default=HOME / "case",
    show_default=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Case folder for alarms and receipts.",
)
OPEN_CASE = click.option(
    "--case",
    required=True,
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Case folder.",
)
CHANNELS = click.option(
    "--channels",
    type=click.Path(path_type=Path, dir_okay=False),
    metavar="FILE.toml",
    help="Who is told, and how: mail, webhook, syslog.",
)
METRICS = click.option("--metrics", metavar="HOST:PORT", help="Serve /metrics and /healthz there, on loopback.")
POSTFIX = click.option(
    "--postfix",
    type=click.Path(path_type=Path, file_okay=False),
    metavar="DIR",
    help="Postfix's configuration folder, where it is not the usual one.",
)
WHO = click.option("--who", metavar="NAME", help="Who decides; goes into the receipt. Default: who is signed in.")
RATE = click.option(
    "--false-alarms",
    "rate",
    default=FALSE_ALARMS,
    show_default=True,
    metavar="N/account-days",
    help="How often you accept a false alarm.",
)
TZ = click.option(
    "--tz",
    metavar="ZONE",
    help="Zone of stamps that state none, for example Asia/Tokyo. Default: inferred, else this machine's.",
)
YEAR = click.option(
    "--year", type=click.IntRange(1980, 2200), metavar="YYYY", help="Year of stamps that state none. Default: inferred."
)
SOURCE = click.option(
    "--as",
    "source",
    type=click.Choice([one.name for one in all_sources()]),
    help="Take inputs for this source instead of looking.",
)
JSON = click.option("--json", "as_json", is_flag=True, help="Print the result as JSON on stdout.")
LANG = click.option(
    "--lang", type=click.Choice(["en", "ja"]), default="en", show_default=True, help="Language for people."
)


@contextmanager
def errors() -> Iterator[None]:
    """Tell a person what went wrong, and leave with the exit code for it."""
    try:
        yield
    except HikeshiError as error:
        click.echo(f"hikeshi: {error}", err=True)
        sys.exit(error.exit_code)
