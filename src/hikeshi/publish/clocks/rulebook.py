# SPDX-License-Identifier: Apache-2.0
"""Reads the rules: ours, one TOML file a regime, and a user's own in a folder. What is wrong is said, with its place."""

import tomllib
from collections import Counter
from collections.abc import Iterable, Iterator, Sequence
from datetime import date
from graphlib import CycleError, TopologicalSorter
from itertools import pairwise
from pathlib import Path
from typing import Final

import msgspec

from hikeshi.basics.errors import HikeshiError, UsageError
from hikeshi.basics.zones import zone
from hikeshi.publish.clocks.closed import openness
from hikeshi.publish.clocks.rule import Period, Regime, Rule

OURS: Final = Path(__file__).with_name("rules")
#: the start that stands for whatever shows that somebody knew
KNOWLEDGE: Final = "knowledge"


class RuleError(HikeshiError):
    """A rule cannot be counted by: which file, which rule, what to write instead."""


def rulebook(own: Path | None = None) -> tuple[Regime, ...]:
    """Read our rules, and those in the folder `own` beside them; all are checked.

    Raises:
        UsageError: the folder is none, or has no rules.
        RuleError: a file is no TOML, lacks something (a source, for example), or contradicts itself or another.

    """
    files = sorted(OURS.glob("*.toml"))
    if own is not None:
        mine = sorted(own.glob("*.toml")) if own.is_dir() else []
        if not mine:
            raise UsageError(f"--rules {own}: no *.toml in it; give a folder with one file a regime")
        files += mine
    book = tuple(_read(path) for path in files)
    for path, regime in zip(files, book, strict=True):
        for rule in regime.rules:
            for problem in _problems(regime, rule):
                raise RuleError(f"{path}: rule {rule.id}: {problem}")
    _agree(book, files)
    return book


def known(book: Sequence[Regime], names: Iterable[str]) -> frozenset[str]:
    """Give the names of regimes that are asked for, all where none is.

    Raises:
        UsageError: there is none of this name.

    """
    asked, there = frozenset(names), frozenset(one.regime for one in book)
    if strange := asked - there:
        raise UsageError(f"--regime {min(strange)}: no such regime; there are {', '.join(sorted(there))}")
    return asked or there


def versions(book: Sequence[Regime], rule_id: str) -> list[tuple[Regime, Rule]]:
    """Give the versions of a rule, oldest first.

    Raises:
        UsageError: there is no such rule.

    """
    found = [(regime, rule) for regime, rule in _all(book) if rule.id == rule_id]
    if not found:
        there = ", ".join(sorted({rule.id for _, rule in _all(book)}))
        raise UsageError(f"{rule_id}: no such rule; there are {there}")
    return sorted(found, key=lambda one: one[1].valid_from)


def in_force(rule: Rule, on: date) -> bool:
    """Say whether a rule is law, or what else its force is, on a day."""
    return rule.status == "in_force" and rule.valid_from <= on <= rule.valid_to


def _all(book: Sequence[Regime]) -> Iterator[tuple[Regime, Rule]]:
    return ((regime, rule) for regime in book for rule in regime.rules)


def _read(path: Path) -> Regime:
    try:
        return msgspec.convert(tomllib.loads(path.read_text("utf-8")), Regime)
    except OSError as error:
        raise RuleError(f"{path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise RuleError(f"{path}: is not UTF-8 ({error.reason} at byte {error.start})") from error
    except tomllib.TOMLDecodeError as error:
        raise RuleError(f"{path}: is no TOML: {error}") from error
    except msgspec.ValidationError as error:
        raise RuleError(f"{path}: {error}; the files in {OURS} show every key") from error


def _problems(regime: Regime, rule: Rule) -> Iterator[str]:
    """Say in words what is wrong with a rule."""
    if bool(rule.starts) == (rule.after is not None):
        yield f'say what starts it: starts = ["{KNOWLEDGE}"], or after = the rule whose report starts it'
    if rule.valid_to < rule.valid_from:
        yield f"valid_to {rule.valid_to} lies before valid_from {rule.valid_from}"
    if rule.form is not None and rule.form not in regime.forms:
        yield f"form {rule.form} is not in the file; there are {', '.join(regime.forms) or 'none'}"
    if strange := set(rule.asks) - set(regime.questions):
        yield f"asks {min(strange)}, which is not among the file's questions"
    try:
        openness(rule.closed)
        if rule.zone is not None:
            zone(rule.zone)
    except ValueError as error:
        yield f"closed.{error}"
    except UsageError:
        yield f"zone {rule.zone} is none; give an IANA name such as Asia/Tokyo"
    if rule.period is not None:
        yield from _miscounted(rule, rule.period)


def _miscounted(rule: Rule, period: Period) -> Iterator[str]:
    if period.unit == "hours" and (period.roll != "none" or period.first_day is not None):
        yield "period: hours run on from the moment; leave out roll and first_day"
    if period.unit != "hours" and period.first_day is None:
        yield 'period.first_day: say whether the first day counts, "included" or "excluded"'
    if period.early is not None and period.early >= period.length:
        yield f"period.early {period.early} must be less than its length {period.length}"
    if rule.closed is None and (period.unit == "business_days" or period.roll == "next_open_day"):
        yield "closed: say which days are closed, since it counts by open days"


def _agree(book: Sequence[Regime], files: Sequence[Path]) -> None:
    """Refuse what contradicts itself over several rules: names that are taken, versions that overlap, starts in a circle."""
    twice = [name for name, times in Counter(one.regime for one in book).items() if times > 1]
    if twice:
        where = ", ".join(str(path) for path, one in zip(files, book, strict=True) if one.regime == twice[0])
        raise RuleError(f"{where}: both are the regime {twice[0]}; give one another name")
    homes: dict[str, str] = {}
    for regime, rule in _all(book):
        if homes.setdefault(rule.id, regime.regime) != regime.regime:
            raise RuleError(f"rule {rule.id} of {regime.regime} is one of {homes[rule.id]} already; give it another id")
        for item, times in Counter(one.id for one in regime.form(rule)).items():
            if times > 1:
                raise RuleError(f"{regime.regime}: form {rule.form} has the item {item} {times} times")
    for rule_id in homes:
        for (_, old), (_, new) in pairwise(versions(book, rule_id)):
            if old.status == new.status and new.valid_from <= old.valid_to:
                raise RuleError(f"rule {rule_id}: versions {old.version} and {new.version} hold on the same days")
    _follow(book, set(homes))


def _follow(book: Sequence[Regime], there: set[str]) -> None:
    after = {rule.id: rule.after for _, rule in _all(book) if rule.after}
    if strange := {parent for parent in after.values() if parent not in there}:
        raise RuleError(f"after {min(strange)}: no such rule, so nothing would ever start by it")
    try:
        order(book)
    except CycleError as error:
        raise RuleError(f"rules that start after one another in a circle: {' → '.join(error.args[1])}") from error


def order(book: Sequence[Regime]) -> list[str]:
    """Give the ids of all rules, each behind the one that starts it.

    Raises:
        CycleError: there is no such order; `rulebook` has made sure that there is.

    """
    graph: dict[str, set[str]] = {}
    for _, rule in _all(book):
        graph.setdefault(rule.id, set()).update({rule.after} if rule.after else set())
    return list(TopologicalSorter(graph).static_order())
