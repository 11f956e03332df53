# SPDX-License-Identifier: Apache-2.0
"""Fuzz the line sources with atheris: whatever the bytes, conservation holds and nothing crashes.

`make fuzz` runs it; a crash leaves its input in the working folder.
"""

import sys
import tempfile
from contextlib import ExitStack
from pathlib import Path

import atheris

with atheris.instrument_imports(include=["hikeshi"]):
    from hikeshi.evidence import lake as lakes
    from hikeshi.evidence.collect import Reading, collect
    from hikeshi.evidence.seal import Manifest

_PREFIXES = (
    b"Nov 24 12:09:24 mx postfix/smtp[3740]: E229775C: ",
    b"2026-11-24T12:09:24.123456+09:00 mx postfix/submission/smtpd[3733]: E229775C: ",
    b"<22>1 2026-11-24T03:09:24.123456Z mx postfix/qmgr 3728 - - E229775C: ",
    b"Nov 24 12:09:24 mx dovecot: imap-login: ",
)


def one_input(data: bytes) -> None:
    """Give the fuzzer's bytes as a log, half of the lines behind a prefix that a source takes for its own."""
    lines = data.split(b"\n")
    log = b"\n".join(_PREFIXES[place % 8] + line if place % 8 < 4 else line for place, line in enumerate(lines))
    with ExitStack() as stack:
        folder = Path(stack.enter_context(tempfile.TemporaryDirectory()))
        (folder / "mail.log").write_bytes(log)
        lake = stack.enter_context(lakes.opened(folder / "evidence", {}))
        manifest = Manifest()
        collect(lake, manifest, [str(folder / "mail.log")], Reading(tz="UTC"), folder / "aside", lambda _: None)
        records = sum(one.records for one in manifest.inputs)
        expected = log.count(b"\n") + (not log.endswith(b"\n") and bool(log))
        if records != expected:
            raise AssertionError(f"{records} records of {expected} lines")


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
