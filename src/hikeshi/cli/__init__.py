# SPDX-License-Identifier: Apache-2.0
"""The command line: one subcommand a room, in story order. Data on stdout, progress and messages on stderr.

Exit codes: 0 done, incident or not; 1 failed; 2 usage; 3 finished with gaps; 4 an incident, with --fail-on-incident.
"""

from importlib import import_module
from typing import Final

import click

#: each command and the module that has it as NAME_command; loaded when it is asked for, so that the guard at the port
#: carries no database and no cloud
COMMANDS: Final = {
    "investigate": "investigate",
    "case": "case",
    "contain": "contain",
    "notify": "notify",
    "publish": "publish",
    "clocks": "clocks",
    "guard": "guard",
    "watch": "guard",
    "drill": "investigate",
}


class _Commands(click.Group):
    """The commands in story order, each loaded when it is used."""

    def list_commands(self, _context: click.Context) -> list[str]:
        return list(COMMANDS)

    def get_command(self, _context: click.Context, name: str) -> click.Command | None:
        if name not in COMMANDS:
            return None
        found: click.Command = getattr(import_module(f"hikeshi.cli.{COMMANDS[name]}"), f"{name}_command")
        return found


@click.group(cls=_Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hikeshi")
def main() -> None:
    """Put out a mailbox takeover: from the logs you have to the exact incident."""
