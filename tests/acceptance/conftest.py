# SPDX-License-Identifier: Apache-2.0
"""One invented company with a takeover, to run the command on."""

import json
from dataclasses import dataclass
from pathlib import Path

import pytest

from hikeshi.drill.attacks import attack
from hikeshi.drill.scenarios import Scenario, write


@dataclass(frozen=True)
class Company:
    """The logs of an invented company and the truth about them."""

    folder: Path
    truth: dict

    @property
    def logs(self) -> list[Path]:
        """Give the log files, the oldest first."""
        return sorted((self.folder / "logs").rglob("*.*"), key=lambda path: path.stat().st_mtime)


@pytest.fixture(scope="session")
def company(tmp_path_factory) -> Company:
    """Twenty people, three weeks, one mailbox taken over on the eighteenth day."""
    folder = tmp_path_factory.mktemp("company")
    write(Scenario("small", 20, 21, 4, attacks=(attack("fast", day=18, mails=200),)), folder)
    return Company(folder, json.loads((folder / "truth.json").read_text("utf-8")))
