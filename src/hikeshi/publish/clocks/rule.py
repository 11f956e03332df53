# SPDX-License-Identifier: Apache-2.0
"""What a rule is: who must report to whom, from what on, within how long, counted how, and which items the form has.

A file of rules is one regime. Every key of the TOML is a field here; what is not, is an error.
"""

from datetime import date
from typing import Annotated, Literal

import msgspec

#: how binding a rule is. An endeavour is a duty to try, without a sanction; a yardstick is what an authority expects.
Force = Literal["statute", "guideline", "endeavour", "contract", "voluntary"]
Unit = Literal["hours", "calendar_days", "business_days", "months"]
Weekday = Literal["mon", "tue", "wed", "thu", "fri", "sat", "sun"]

_Text = Annotated[str, msgspec.Meta(min_length=1)]
_Name = Annotated[str, msgspec.Meta(pattern=r"^[a-z0-9]+(?:-[a-z0-9]+)*$")]


class Words(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """A text in both languages."""

    en: _Text
    ja: _Text

    def said(self, lang: str) -> str:
        """Give the text in `lang`, en or ja."""
        return self.ja if lang == "ja" else self.en


class Source(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Where a rule stands. `unsure` tells what of it nobody has read at the source yet."""

    law: _Text
    article: _Text
    url: Annotated[str, msgspec.Meta(pattern=r"^https://[^\s]+$")]
    verified_on: date
    guideline: str | None = None
    unsure: Words | None = None


class Closed(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """Days that do not count, or that no period ends on.

    `holidays` is a country's public holidays as the library holidays names it, JP or DE, with a part of it as in DE-BY;
    `days` are days of every year as MM-DD.
    """

    weekdays: tuple[Weekday, ...] = ()
    holidays: str | None = None
    days: tuple[Annotated[str, msgspec.Meta(pattern=r"^\d\d-\d\d$")], ...] = ()


class Period(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """How long, and how it is counted.

    Hours run through nights and holidays, from the moment. Days and months are counted in the rule's zone and end with
    the last day. `first_day` says whether the day on which it starts is day 1. `early` is the near end of a band (day 3 of
    3 to 5), in the same unit. `roll` moves an end on a closed day to the next open one.
    """

    length: Annotated[int, msgspec.Meta(ge=1, le=3660)]
    unit: Unit
    first_day: Literal["included", "excluded"] | None = None
    early: Annotated[int, msgspec.Meta(ge=1)] | None = None
    roll: Literal["none", "next_open_day"] = "none"


class Item(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """An item of a form. `facts` are keys of facts that it needs, each with alternatives after a bar; * is any text."""

    id: _Name
    en: _Text
    ja: _Text
    facts: Annotated[tuple[_Text, ...], msgspec.Meta(min_length=1)]


class Question(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """What people have to ask themselves to know whether a rule applies; the tool never answers it."""

    en: _Text
    ja: _Text
    valid_from: date = date.min
    valid_to: date = date.max


class Rule(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One duty: a stage of a regime, in one version.

    It starts with the earliest of what `starts` names, `knowledge` for whatever shows that somebody knew, or with the report
    that `after` names. No `period` is a duty without a number of days. No `zone` is the organisation's own. `form` is
    the list of items, of which a report needs all, or what is known by then.
    """

    id: _Name
    version: _Text
    stage: Words
    force: Force
    valid_from: date
    reporter: Words
    to: Words
    source: Source
    status: Literal["in_force", "proposed"] = "in_force"
    valid_to: date = date.max
    starts: tuple[_Name, ...] = ()
    after: _Name | None = None
    period: Period | None = None
    zone: str | None = None
    closed: Closed | None = None
    asks: tuple[_Name, ...] = ()
    form: _Name | None = None
    needs: Literal["all", "known"] = "all"
    note: Words | None = None


class Regime(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One file: a law or a contract, its duties, the questions that decide on them and the forms."""

    regime: _Name
    title: Words
    rules: Annotated[tuple[Rule, ...], msgspec.Meta(min_length=1)]
    questions: dict[_Name, Question] = {}
    forms: dict[_Name, tuple[Item, ...]] = {}

    def form(self, rule: Rule) -> tuple[Item, ...]:
        """Give the items of a rule's form, none where it has no form."""
        return self.forms[rule.form] if rule.form else ()

    def asks(self, rule: Rule, on: date) -> dict[str, Question]:
        """Give the questions of a rule as they stand on a day."""
        asked = {name: self.questions[name] for name in rule.asks}
        return {name: one for name, one in asked.items() if one.valid_from <= on <= one.valid_to}
