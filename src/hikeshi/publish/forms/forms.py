# SPDX-License-Identifier: Apache-2.0
"""Fills the items of a form with what the case knows. An authority sees the facts of its own items and nothing else.

The items of laws are those of the clocks' rules (`clocks/rules/*.toml`), those of JPCERT/CC and IPA are in `own.toml`.
"""

import tomllib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from importlib.resources import files
from typing import Any, Final

import msgspec

from hikeshi.basics.errors import HikeshiError, UsageError
from hikeshi.cases.store import Store
from hikeshi.cases.store.facts import Fact, standing
from hikeshi.publish.bulletin.blocks import one_line
from hikeshi.publish.bulletin.sections import LANGUAGES, Language
from hikeshi.publish.clocks.items import Filled, filled
from hikeshi.publish.clocks.rule import Item, Regime, Words
from hikeshi.publish.labels import label, public_key
from hikeshi.publish.private import Private
from hikeshi.publish.public import public_incidents
from hikeshi.wording.facts import INCIDENT, Facts, Said
from hikeshi.wording.lint import Problem
from hikeshi.wording.text import defang, environment
from hikeshi.wording.words import moment, sure

SCHEMA: Final = "hikeshi.form/1"
#: forms by the name that people type: regime and form of the clocks' rules
_OF_RULES: Final = {
    "ppc": ("appi", "nine"),
    "gdpr33": ("gdpr", "authority"),
    "uk": ("uk-gdpr", "authority"),
    "privacy-mark": ("privacy-mark", "report"),
}
_OWN: Final = {
    "jpcert": Words("JPCERT/CC: request for response", "JPCERT/CC インシデント対応依頼"),
    "ipa": Words("IPA: notification of unauthorised access", "IPA コンピュータ不正アクセスの届出"),
}
#: who works on where the attack came from, and so may see it
_INDICATORS: Final = frozenset({"jpcert"})
NAMES: Final = (*_OF_RULES, *_OWN)
_SAYS: Final = {
    "missing": {"ja": "【未記入】{what}", "en": "[still missing] {what}"},
    "unknown": {"ja": "不明(調査中)", "en": "not known (under investigation)"},
    "as_of": {"ja": "{time} 現在", "en": "as of {time}"},
}


class FormLeakError(HikeshiError):
    """A form shows what its reader must not see, so it is not given out."""

    def __init__(self, name: str, problems: Sequence[Problem]) -> None:
        told = "; ".join(sorted({f"{one.where}: {one.says['en']} ({one.rule})" for one in problems}))
        super().__init__(
            f"form {name} is not given out, since it shows what must not be seen: {told}; "
            "say the fact without it: hikeshi case correct KEY VALUE --who NAME --why REASON --case DIR"
        )
        self.problems = problems


@dataclass(frozen=True, slots=True)
class Form:
    """A form as filled at an aware time: its items with the facts behind each."""

    name: str
    title: Words
    at: datetime
    items: tuple[Filled, ...]

    @property
    def unfinished(self) -> list[Filled]:
        """Give the items that lack something."""
        return [one for one in self.items if one.completeness in ("missing", "partial")]


def form(store: Store, facts: Facts, book: Sequence[Regime], name: str, at: datetime) -> Form:
    """Fill a form with what stands.

    Raises:
        UsageError: there is no such form.
        StoreError: the case cannot be read.

    """
    told = tuple(f"{INCIDENT}{one.name}/" for one in public_incidents(facts))
    known = {
        key: one.fact for key, one in standing(store).items() if not key.startswith(INCIDENT) or key.startswith(told)
    }
    if name in _OF_RULES:
        regime_name, form_name = _OF_RULES[name]
        regime = next(one for one in book if one.regime == regime_name)
        return Form(name, regime.title, at, tuple(filled(regime.forms[form_name], known)))
    if name in _OWN:
        return Form(name, _OWN[name], at, tuple(filled(_own()[name], known)))
    raise UsageError(f"{name}: no such form; there are {', '.join(NAMES)}")


def parts(one: Form, facts: Facts, language: Language) -> list[tuple[str, str]]:
    """Give heading and text (in the form of `blocks`) of every item, in a language."""
    return [(_words(each.item, language), _text(each, facts, language)) for each in one.items]


def markdown(one: Form, facts: Facts, secret: Private, language: Language) -> str:
    """Give the form as Markdown.

    Raises:
        FormLeakError: it shows what its reader must not see.
        FactError: a fact cannot be told.

    """
    lines = [f"# {one.title.said(language)}", "", _as_of(one, facts, language), ""]
    for heading, text in parts(one, facts, language):
        lines += [f"## {heading}", ""]
        for line in text.splitlines():
            term, bar, words = line.partition(" | ")
            lines.append(f"- {term}: {words}" if bar else f"- {line.removeprefix('- ')}")
        lines.append("")
    return held(one, secret, "\n".join(lines))


def document(one: Form, facts: Facts, secret: Private) -> dict[str, Any]:
    """Give the form as plain JSON, with its texts in both languages. Raises as `markdown` does."""
    names = [each.name for each in facts.incidents()]
    made = {
        "schema": SCHEMA,
        "form": one.name,
        "title": {language: one.title.said(language) for language in LANGUAGES},
        "at": one.at.astimezone(facts.zone).isoformat(),
        "items": [
            {
                "id": each.item.id,
                "says": {language: _words(each.item, language) for language in LANGUAGES},
                "completeness": each.completeness,
                "missing": list(each.missing),
                "facts": [_fact(key, fact, names) for key, fact in each.facts.items()],
                "text": {language: _text(each, facts, language) for language in LANGUAGES},
            }
            for each in one.items
        ],
    }
    held(one, secret, msgspec.json.encode(made).decode())
    return made


def held(one: Form, secret: Private, text: str) -> str:
    """Give the text, if it shows nothing that its reader must not see. Raises FormLeakError."""
    problems = secret.shown_in(text, indicators=one.name in _INDICATORS)
    if problems:
        raise FormLeakError(one.name, problems)
    return text


def _text(one: Filled, facts: Facts, language: Language) -> str:
    spoken, wording = facts.spoken(language), environment(language, facts)
    lines = []
    for key in one.facts:
        said = spoken[key]
        name = label(key, language) or key
        lines += _lines(name, said, wording.say, language, facts)
    for need in one.missing:
        keys = [key.strip() for key in need.split("|")]
        what = label(keys[0].replace("*", "x"), language) or keys[0]
        lines.append(_SAYS["missing"][language].format(what=what))
    return "\n".join(lines)


def _lines(name: str, said: Said, say: Any, language: Language, facts: Facts) -> list[str]:
    if not said.known:
        return [f"{name} | {_SAYS['unknown'][language]}"]
    if isinstance(said.value, list) and len(said.value) > 1 and not said.number:
        return [f"{name} | {one_line(defang(str(each)))}" for each in said.value]
    if isinstance(said.value, bool):
        return [f"{name} | {sure(said, name, facts.zone, language)}"]
    words = one_line(defang(say(said)))
    if said.status in ("suspected", "not_confirmed") and said.as_of is not None:
        when = moment(said.as_of, facts.zone, language, seconds=False)
        words += f" / {_SAYS['as_of'][language].format(time=when)}"
    return [f"{name} | {words}"]


def _fact(key: str, fact: Fact, names: list[str]) -> dict[str, Any]:
    return {
        "key": public_key(key, names),
        "value": _defanged(fact.value),
        "unit": fact.unit,
        "status": fact.status,
        "as_of": None if fact.as_of is None else fact.as_of.isoformat(),
    }


def _defanged(value: Any) -> Any:
    match value:
        case str():
            return defang(value)
        case list():
            return [_defanged(one) for one in value]
        case _:
            return value


def _as_of(one: Form, facts: Facts, language: Language) -> str:
    return _SAYS["as_of"][language].format(time=moment(one.at, facts.zone, language, seconds=False))


def _words(item: Item, language: Language) -> str:
    return item.ja if language == "ja" else item.en


def _own() -> Mapping[str, tuple[Item, ...]]:
    text = files("hikeshi.publish.forms").joinpath("own.toml").read_text("utf-8")
    return msgspec.convert(tomllib.loads(text), dict[str, tuple[Item, ...]])
