# SPDX-License-Identifier: Apache-2.0
"""SQL as readable text: a .sql file beside the module that asks, each query under `-- name: …` and a sentence."""

from functools import cache
from importlib.resources import files


@cache
def queries(package: str, name: str) -> dict[str, str]:
    """Read `name` in `package` and give its queries by name, in the order of the file.

    A query begins at a line `-- name: the-name`; what follows up to the next such line is its text.
    """
    found: dict[str, list[str]] = {}
    lines: list[str] = []
    for line in files(package).joinpath(name).read_text("utf-8").splitlines():
        if line.startswith("-- name: "):
            lines = found.setdefault(line.removeprefix("-- name: ").strip(), [])
        else:
            lines.append(line)
    return {key: "\n".join(text) for key, text in found.items()}


def literal(text: str) -> str:
    """Quote `text` as a SQL string literal."""
    return "'" + text.replace("'", "''") + "'"
