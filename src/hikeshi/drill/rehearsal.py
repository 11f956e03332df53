# SPDX-License-Identifier: Apache-2.0
"""A rehearsal: the logs of a scenario written to a folder, and the question that a user would ask of them."""

import json
from dataclasses import dataclass
from pathlib import Path

from hikeshi.basics.errors import UsageError
from hikeshi.drill.scenarios import FOUNDING_CASE, SCENARIOS, write
from hikeshi.evidence.collect import Reading
from hikeshi.playbook import Question


@dataclass(frozen=True, slots=True)
class Rehearsal:
    """What has been written where; `zone` is that of the invented servers' clocks."""

    logs: Path
    directory: Path
    zone: str

    def question(self, case: Path) -> Question:
        """Ask of these logs what `hikeshi investigate` asks of a user's."""
        return Question([str(self.logs)], case, reading=Reading(tz=self.zone), directory=self.directory)


def rehearse(name: str, folder: Path) -> Rehearsal:
    """Write the scenario called `name` into `folder`.

    Raises:
        UsageError: there is no such scenario.

    """
    scenarios = {one.name: one for one in (FOUNDING_CASE, *SCENARIOS)}
    if name not in scenarios:
        raise UsageError(f"drill {name}: no such scenario; there are {', '.join(scenarios)}")
    write(scenarios[name], folder)
    zone = json.loads((folder / "truth.json").read_text("utf-8"))["zone"]
    return Rehearsal(folder / "logs", folder / "directory.csv", zone)
