# SPDX-License-Identifier: Apache-2.0
"""The command line: one subcommand a room, in story order. Data on stdout, progress and messages on stderr.

Exit codes: 0 done, incident or not; 1 failed; 2 usage; 3 finished with gaps; 4 an incident, with --fail-on-incident.
"""

import click

from hikeshi.cli.case import case_command
from hikeshi.cli.clocks import clocks_command
from hikeshi.cli.contain import contain_command
from hikeshi.cli.guard import guard_command, watch_command
from hikeshi.cli.investigate import drill_command, investigate_command


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="hikeshi")
def main() -> None:
    """Put out a mailbox takeover: from the logs you have to the exact incident."""


for command in (
    investigate_command, case_command, contain_command, clocks_command, guard_command, watch_command, drill_command,
):  # fmt: skip
    main.add_command(command)
