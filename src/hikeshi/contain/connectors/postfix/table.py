# SPDX-License-Identifier: Apache-2.0
"""The text of a Postfix map, changed by one entry; comments, order and every other byte stay.

An entry is a line and those after it that begin with a blank; keys are the same in upper and lower case (postmap(1)).
"""

import re
from collections.abc import Iterator

_KEY = re.compile(r'"(?P<quoted>(?:[^"\\]|\\.)*)"|(?P<bare>\S+)')


def entry(text: str, key: str) -> str | None:
    """Give the lines of a key's first entry, None where it has none."""
    return next((lines for name, lines in _entries(text) if name == key.lower()), None)


def changed(text: str, key: str, lines: str | None) -> str:
    """Put `lines` in the place of a key's entry, or at the end where it has none; None takes the entry out."""
    pieces, done = [], False
    for name, each in _entries(text):
        ours = name == key.lower() and not done
        done = done or ours
        pieces.append(each if not ours else lines or "")
    if not done and lines is not None:
        pieces.append(lines if not text or text.endswith("\n") else f"\n{lines}")
    return "".join(pieces)


def _entries(text: str) -> Iterator[tuple[str | None, str]]:
    """Give key and lines of every entry, and what stands between them with None for a key."""
    key: str | None = None
    lines = ""
    for line in re.findall(r"[^\n]*\n|[^\n]+$", text):
        empty = not line.strip() or line.lstrip().startswith("#")
        if line[0] in " \t" and not empty and key is not None:
            lines += line
            continue
        if lines:
            yield key, lines
        key, lines = (None if empty or line[0] in " \t" else _key(line)), line
    if lines:
        yield key, lines


def _key(line: str) -> str:
    found = _KEY.match(line)
    bare = found and (found["bare"] or re.sub(r"\\(.)", r"\1", found["quoted"]))
    return (bare or "").lower()
