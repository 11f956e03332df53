# SPDX-License-Identifier: Apache-2.0
"""What a source of log lines is: declarations that the engine runs over columns, never a loop over lines.

A line is split once into stamp, host, tag, process, word and text (`stamps`); a source then says which texts are
its own by literals, and takes fields by patterns. RE2 runs a pattern in one pass only if it is anchored, never has
two ways to go on, and has at most four groups: hence several short patterns instead of a long one.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field

from hikeshi.basics.sql import literal
from hikeshi.evidence.tables import Table

_GROUP = re.compile(r"\(\?P<(\w+)>")


@dataclass(frozen=True, slots=True)
class Lines:
    """One kind of line of one program.

    `tag` is how the program's tag ends ('/qmgr') and `word` the queue-id-like word before the text; `begins` and
    `holds` are the literals that make a text ours. `takes` are patterns over the text, anchored; `finds` are
    patterns searched anywhere in it, one group each, where no `takes` gave the column; `sets` are SQL expressions over all of these. `must` names the
    group that cannot be empty where the line has been understood: ours but unreadable is set aside. `common` kinds
    are taken in the one pass over all lines; the others wait with their text for a second look.
    """

    name: str
    fills: Table
    begins: str = ""
    tag: str = ""
    word: str = ""
    holds: tuple[str, ...] = ()
    takes: tuple[str, ...] = ()
    finds: Mapping[str, str] = field(default_factory=dict)
    sets: Mapping[str, str] = field(default_factory=dict)
    must: str = ""
    common: bool = False

    def ours(self) -> str:
        """Give the SQL condition over (tag, word, text) that makes a line ours."""
        # The text comes first: it tells most lines apart at its first letter.
        tests = [f"starts_with(text, {literal(self.begins)})"] if self.begins else []
        tests += [f"word = {literal(self.word)}"] if self.word else []
        tests += [f"ends_with(tag, {literal(self.tag)})"] if self.tag else []
        tests += [f"contains(text, {literal(part)})" for part in self.holds]
        return " AND ".join(tests)

    def fields(self) -> dict[str, str]:
        """Give the SQL expression of every column that this source knows of its table."""
        found: dict[str, str] = {}
        for number, pattern in enumerate(self.takes):
            found |= {name: f"nullif(take{number}.{name}, '')" for name in _GROUP.findall(pattern)}
        for name, pattern in self.finds.items():
            searched = f"nullif(regexp_extract(text, {literal(pattern)}, 1), '')"
            # CASE, since only that keeps the engine from searching where there is no need
            found[name] = (
                f"CASE WHEN {found[name]} IS NULL THEN {searched} ELSE {found[name]} END" if name in found else searched
            )
        found |= self.sets
        return found

    def extracts(self) -> list[str]:
        """Give the SQL expressions that run `takes` over `text`: one struct of strings a pattern."""
        parts = []
        for pattern in self.takes:
            names = ", ".join(literal(name) for name in _GROUP.findall(pattern))
            parts.append(f"regexp_extract(text, {literal(_GROUP.sub('(', pattern))}, [{names}])")
        return parts


@dataclass(frozen=True, slots=True)
class Source:
    """A program whose log we read: its name, the cheap test of `tag` that says *ours*, its lines in order of trial.

    `gate` is an SQL condition over `tag`: what it lets in and no line claims says nothing to us and is skipped.
    """

    name: str
    gate: str
    lines: tuple[Lines, ...]
