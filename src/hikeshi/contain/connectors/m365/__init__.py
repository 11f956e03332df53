# SPDX-License-Identifier: Apache-2.0
"""Microsoft 365 by Graph v1.0. Start reading at `connector.py`; `permissions.py` has the least permissions.

Each operation is a file: account (disable, password, sessions, risk), rules, grants, methods, copies; what Graph cannot do
is a script for a person (`runbook.py`), whose export `readback.py` reads.
"""

from pathlib import Path
from typing import Final

from hikeshi.contain.connectors.m365.connector import M365
from hikeshi.contain.connectors.m365.operation import NAME
from hikeshi.contain.connectors.m365.options import KEYS, REQUIRED, SECRETS, options
from hikeshi.contain.connectors.m365.readback import accept
from hikeshi.contain.connectors.m365.runbook import write
from hikeshi.contain.connectors.m365.setup import setup, teardown
from hikeshi.contain.contract import Connector, Plugin, Settings, Step


def _connect(settings: Settings) -> Connector:
    return M365(options(settings))


def _script(step: Step, folder: Path) -> Path | None:
    return write(step, folder) if step.operation == "runbook" else None


PLUGIN: Final = Plugin(
    name=NAME,
    settings=KEYS,
    connect=_connect,
    setup=setup,
    teardown=teardown,
    required=REQUIRED,
    secrets=SECRETS,
    script=_script,
    accept=accept,
)
