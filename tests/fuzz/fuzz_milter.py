# SPDX-License-Identifier: Apache-2.0
"""Fuzz the milter codec with atheris: whatever the bytes and however they are cut, only ProtocolError is raised.

The bytes are cut in two at a place of the fuzzer's choice; what comes of them must be the same as uncut.
"""

import sys

import atheris

with atheris.instrument_imports(include=["hikeshi.guard"]):
    from hikeshi.guard.mail import Mail
    from hikeshi.guard.port.dialogue import Dialogue
    from hikeshi.guard.port.milter import ProtocolError

#: the options and a client, so that the fuzzer need not find them out
_BEGUN = bytes.fromhex("0000000d4f00000006000001ff001fffff 00000011436d78003400193139322e302e322e3700")


def one_input(data: bytes) -> None:
    """Let the fuzzer's bytes be what a mail server says, in half of the cases after a good beginning."""
    if not data:
        return
    said = (_BEGUN if data[0] & 1 else b"") + data[1:]
    cut = data[0] % (len(said) + 1)
    if _understood([said]) != _understood([said[:cut], said[cut:]]):
        raise AssertionError(f"cut at {cut} it says something else")


def _understood(pieces: list[bytes]) -> list[bytes | Mail | str]:
    dialogue, steps = Dialogue(lambda: 0.0), []
    try:
        for piece in pieces:
            steps.extend(dialogue.feed(piece))
    except ProtocolError as error:
        steps.append(str(error))
    return steps


if __name__ == "__main__":
    atheris.Setup(sys.argv, one_input)
    atheris.Fuzz()
