# SPDX-License-Identifier: Apache-2.0
"""Templates that can print a fact only in words: with its unit, its zone, its certainty. What they print is written down."""

import re
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import date, time
from typing import Any, Final

import jinja2
from jinja2 import pass_environment

from hikeshi.wording import words
from hikeshi.wording.facts import FactError, Facts, Language, Said

_SCHEME: Final = re.compile(r"\bhttp(s?)://", re.IGNORECASE)
_HOST: Final = re.compile(
    r"(?<![\w./-])(?:\w[\w-]*\.)+(?:[^\W\d_]{2,63}|xn--[\w-]+)\b|(?<=://)[^\s/?#、。「」]+|(?<=@)[^\s/?#、。「」<>()]+"
)


class Wording(jinja2.Environment):
    """An environment for one language over the facts of one case, in templates `facts`.

    `used` are the facts printed since the last `write`. What is printed goes through a fact: a template that prints a bare
    number or time raises FactError, and one that asks for a fact that the case has not MissingFactError.
    """

    def __init__(self, language: Language, facts: Facts, loader: jinja2.BaseLoader | None, *, html: bool) -> None:
        super().__init__(
            loader=loader,
            autoescape=html,
            undefined=jinja2.StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
            keep_trailing_newline=True,
            finalize=self._printed,
        )
        self.language, self.facts = language, facts.spoken(language)
        self.used: list[Said] = []
        self.globals.update(facts=self.facts, language=language)
        self.filters.update(n=_n, time=_time, sure=_sure, as_of=_as_of, defang=_defang, listed=_listed)

    def take(self, said: Said) -> Said:
        """Note that a fact is printed."""
        if said not in self.used:
            self.used.append(said)
        return said

    def _printed(self, value: Any) -> Any:
        if isinstance(value, Said):
            return self.say(value)
        if isinstance(value, (int, float, date, time)):
            raise FactError(f"a template prints {value!r} bare; every number and time goes through a fact (text.said)")
        if value is None:
            raise FactError("a template prints nothing where it wanted something; ask `facts.known(KEY)` first")
        return value

    def say(self, said: Said) -> str:
        """Write a fact as its kind asks for, and note it."""
        self.take(said)
        if said.unit == "time":
            return words.time(said, self.facts.zone, self.language)
        if said.number:
            return words.number(said, self.language)
        return words.plain(said, self.language)


@dataclass(frozen=True, slots=True)
class Written:
    """A text, and the facts it prints, each once, in the order in which they come."""

    text: str
    used: tuple[Said, ...]


def environment(
    language: Language, facts: Facts, loader: jinja2.BaseLoader | None = None, *, html: bool = False
) -> Wording:
    """Give an environment for templates in a language; `html` escapes what is printed."""
    return Wording(language, facts, loader, html=html)


def write(wording: Wording, template: str, **context: Any) -> Written:
    """Fill the template of that name. An environment serves one caller at a time.

    Raises:
        FactError: a fact is missing, or cannot be told.
        jinja2.TemplateError: the template is not there or not right.

    """
    wording.used.clear()
    text = wording.get_template(template).render(**context)
    return Written(text, tuple(wording.used))


def said(key: str, value: Any, unit: str | None = None, **more: Any) -> Said:
    """Make a fact that is none of the case's store, for example for one reader; `more` are other fields of Said."""
    return Said(key, value, unit, **more)


def defang(text: str) -> str:
    """Write addresses so that nothing makes them links: hxxp for http, [.] for the dots of hosts."""
    return _HOST.sub(lambda found: found[0].replace(".", "[.]"), _SCHEME.sub(r"hxxp\1://", text))


@pass_environment
def _n(wording: Wording, value: Any) -> str:
    return words.number(wording.take(_fact(value, "n")), wording.language)


@pass_environment
def _time(wording: Wording, value: Any) -> str:
    return words.time(wording.take(_fact(value, "time")), wording.facts.zone, wording.language)


@pass_environment
def _sure(wording: Wording, value: Any, of: str) -> str:
    return words.sure(wording.take(_fact(value, "sure")), of, wording.facts.zone, wording.language)


@pass_environment
def _as_of(wording: Wording, value: Any) -> str:
    return words.as_of(wording.take(_fact(value, "as_of")), wording.facts.zone, wording.language)


@pass_environment
def _defang(wording: Wording, value: Any) -> Any:
    """Defang a text, or a fact that is a text or a list of texts."""
    return _each(wording, value, defang)


@pass_environment
def _listed(wording: Wording, value: Any) -> str:
    if isinstance(value, Said):
        return words.plain(wording.take(value), wording.language)
    return words.listed([wording.say(one) if isinstance(one, Said) else _texts(one) for one in value], wording.language)


def _each(wording: Wording, value: Any, change: Callable[[str], str]) -> Any:
    if isinstance(value, Said):
        return change(wording.say(value))
    if isinstance(value, Sequence) and not isinstance(value, str):
        return [change(_texts(one)) for one in value]
    return change(_texts(value))


def _texts(value: Any) -> str:
    if not isinstance(value, str):
        raise FactError(f"{value!r} is no text; numbers and times go through a fact (text.said)")
    return value


def _fact(value: Any, name: str) -> Said:
    if not isinstance(value, Said):
        raise FactError(f"the filter {name} takes a fact, not {value!r}; make one with text.said")
    return value
