# SPDX-License-Identifier: Apache-2.0
"""A Sieve script as a tree whose commands know where in the text they stand: the grammar of RFC 5228, section 8.

Every extension keeps to that grammar, so none has to be known to read a script, and taking out one command leaves every
other byte as it was.
"""

import re
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import Final

from hikeshi.contain.contract import ConnectorError

#: what is put before every line that is taken out
NOTE: Final = "# taken out by hikeshi: "

_TOKEN = re.compile(
    r"""
      (?P<space> \s+ | \#[^\n]*(?:\n|$) | /\*.*?\*/ )
    | (?P<multi> text:[ \t]*(?:\#[^\n]*)?\r?\n (?P<lines>(?:(?!\.\r?(?:\n|$))[^\n]*\n)*) \.\r?(?:\n|$) )
    | (?P<quoted> "(?:[^"\\]|\\.)*" )
    | (?P<tag> :[A-Za-z_]\w* )
    | (?P<number> \d+[KMGkmg]? )
    | (?P<name> [A-Za-z_]\w* )
    | (?P<mark> [\[\](){},;] )
    """,
    re.VERBOSE | re.DOTALL | re.ASCII,
)
#: more blocks or tests in one another than anybody writes; also what keeps us from Python's own limit
_DEEPEST: Final = 50


class NotSieveError(ConnectorError):
    """A text is no Sieve script."""


@dataclass(frozen=True, slots=True)
class Test:
    """A condition: its name in lower case, its tags and strings in order, and the tests inside."""

    name: str
    tags: tuple[str, ...]
    strings: tuple[tuple[str, ...], ...]
    tests: tuple["Test", ...]


@dataclass(frozen=True, slots=True)
class Command:
    """A command and where its text begins and ends. `strings` has a tuple for each string or list of strings."""

    name: str
    begin: int
    end: int
    tags: tuple[str, ...]
    strings: tuple[tuple[str, ...], ...]
    tests: tuple[Test, ...]
    block: tuple["Command", ...]


@dataclass(frozen=True, slots=True)
class _Token:
    kind: str
    value: str
    begin: int
    end: int


def parsed(text: str) -> tuple[Command, ...]:
    """Read a script.

    Raises:
        NotSieveError: it is none.

    """
    reader = _Reader(list(_tokens(text)))
    commands = reader.commands(0)
    if reader.next is not None:
        raise _wrong(reader.next.begin)
    return commands


def without(text: str, commands: Sequence[Command]) -> str:
    """Turn commands into comments; all else stays, byte for byte."""
    for one in sorted(commands, key=lambda each: each.begin, reverse=True):
        lines = text[one.begin : one.end].replace("\r\n", "\n").split("\n")
        taken = "".join(f"{NOTE}{line}\n" for line in lines)
        start = "" if one.begin == 0 or text[one.begin - 1] == "\n" else "\n"
        text = text[: one.begin] + start + taken + text[one.end :].removeprefix("\n")
    return text


def _tokens(text: str) -> Iterator[_Token]:
    place = 0
    while place < len(text):
        found = _TOKEN.match(text, place)
        if found is None:
            raise _wrong(place)
        # The lines inside a multi-line text are a group of their own and may be the last that matched.
        kind = "multi" if found["multi"] is not None else str(found.lastgroup)
        if kind != "space":
            yield _Token(kind, _value(kind, found), place, found.end())
        place = found.end()


def _value(kind: str, found: re.Match[str]) -> str:
    if kind == "quoted":
        return re.sub(r"\\(.)", r"\1", found["quoted"][1:-1], flags=re.DOTALL)
    if kind == "multi":
        return re.sub(r"^\.\.", ".", found["lines"], flags=re.MULTILINE)
    return found[0].lower() if kind in ("name", "tag") else found[0]


def _wrong(place: int) -> NotSieveError:
    return NotSieveError(f"not a Sieve script that hikeshi can read: character {place}; look at it by hand")


class _Reader:
    """Reads tokens as RFC 5228 8.2 puts them together."""

    def __init__(self, tokens: list[_Token]) -> None:
        self._tokens = tokens
        self._at = 0

    @property
    def next(self) -> _Token | None:
        return self._tokens[self._at] if self._at < len(self._tokens) else None

    def commands(self, depth: int) -> tuple[Command, ...]:
        found = []
        while (token := self.next) is not None and token.kind == "name":
            found.append(self._command(token, depth))
        return tuple(found)

    def _command(self, name: _Token, depth: int) -> Command:
        self._at += 1
        tags, strings, tests = self._arguments(depth)
        block: tuple[Command, ...] = ()
        end = self._take("{;")
        if end.value == "{":
            block = self.commands(self._deeper(depth, end))
            end = self._take("}")
        return Command(name.value, name.begin, end.end, tags, strings, tests, block)

    def _arguments(self, depth: int) -> tuple[tuple[str, ...], tuple[tuple[str, ...], ...], tuple[Test, ...]]:
        tags: list[str] = []
        strings: list[tuple[str, ...]] = []
        tests: list[Test] = []
        while (token := self.next) is not None:
            if token.kind == "tag":
                tags.append(token.value)
            elif token.kind in ("quoted", "multi"):
                strings.append((token.value,))
            elif token.value == "[":
                strings.append(self._list(token))
                continue
            elif token.kind != "number":
                break
            self._at += 1
        if token is not None and token.kind == "name":
            tests.append(self._test(token, depth))
        elif token is not None and token.value == "(":
            tests.extend(self._tests(token, depth))
        return tuple(tags), tuple(strings), tuple(tests)

    def _test(self, name: _Token, depth: int) -> Test:
        self._at += 1
        return Test(name.value, *self._arguments(self._deeper(depth, name)))

    def _tests(self, opening: _Token, depth: int) -> list[Test]:
        found = []
        while opening.value != ")":
            self._at += 1
            if (token := self.next) is None or token.kind != "name":
                raise _wrong(opening.end)
            found.append(self._test(token, depth))
            opening = self._see(",)")
        self._at += 1
        return found

    def _list(self, opening: _Token) -> tuple[str, ...]:
        found = []
        while opening.value != "]":
            self._at += 1
            if (token := self.next) is None or token.kind not in ("quoted", "multi"):
                raise _wrong(opening.end)
            found.append(token.value)
            self._at += 1
            opening = self._see(",]")
        self._at += 1
        return tuple(found)

    def _see(self, marks: str) -> _Token:
        token = self.next
        if token is None or token.kind != "mark" or token.value not in marks:
            raise _wrong(token.begin if token else self._tokens[-1].end)
        return token

    def _take(self, marks: str) -> _Token:
        token = self._see(marks)
        self._at += 1
        return token

    def _deeper(self, depth: int, token: _Token) -> int:
        if depth >= _DEEPEST:
            raise _wrong(token.begin)
        return depth + 1
