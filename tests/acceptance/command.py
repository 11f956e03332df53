# SPDX-License-Identifier: Apache-2.0
"""The real command as a user runs it."""

import os
import subprocess
import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Run:
    """How a command ended."""

    code: int
    out: str
    err: str


def hikeshi(*arguments, stdin=b"", cwd=None) -> Run:
    """Run the command in a process of its own."""
    done = subprocess.run(
        [sys.executable, "-m", "hikeshi.cli", *map(str, arguments)],
        input=stdin,
        capture_output=True,
        check=False,
        cwd=cwd,
        env={**os.environ, "TZ": "UTC"},
    )
    return Run(done.returncode, done.stdout.decode(), done.stderr.decode())
