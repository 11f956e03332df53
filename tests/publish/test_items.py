# SPDX-License-Identifier: Apache-2.0
"""What of a form is known, what is said to be unknown, what is missing; and what is no longer as it was handed in."""

import pytest

from hikeshi.cases.store.facts import Fact
from hikeshi.publish.clocks.items import changed, filled
from hikeshi.publish.clocks.rule import Item


def item(*facts):
    return Item("outline", "outline", "概要", facts)


def facts(*those):
    return {one.key: one for one in those}


def known(key, value=1, status="suspected"):
    return Fact(key, value, "mails", status)


NOBODY_KNOWS = Fact("cause", None, None, "unknown", provenance="entered")


@pytest.mark.parametrize(
    ("there", "completeness", "missing"),
    [
        (facts(), "missing", ("cause", "persons")),
        (facts(known("cause")), "partial", ("persons",)),
        (facts(known("cause"), known("persons", 0)), "complete", ()),
        (facts(known("cause"), known("persons", value=False)), "complete", ()),
        (facts(known("cause"), known("persons", None)), "partial", ("persons",)),
        (facts(known("cause"), known("persons", 12, "unknown")), "partial", ("persons",)),
        (facts(NOBODY_KNOWS, known("persons")), "said unknown", ()),
        (facts(NOBODY_KNOWS), "missing", ("persons",)),
        (facts(known("cause", ""), known("persons", [])), "missing", ("cause", "persons")),
    ],
)
def test_an_item_is_as_complete_as_the_facts_behind_it(there, completeness, missing):
    (found,) = filled([item("cause", "persons")], there)
    assert (found.completeness, found.missing) == (completeness, missing)


def test_the_first_alternative_that_is_known_stands_behind_an_item():
    there = facts(Fact("occurred_at", None, "time", "unknown", provenance="entered"), known("incident/a/1/first_at"))
    (found,) = filled([item("occurred_at | incident/*/first_at")], there)
    assert (found.completeness, list(found.facts)) == ("complete", ["incident/a/1/first_at"])
    (found,) = filled([item("occurred_at | incident/*/first_at")], {**there, "occurred_at": known("occurred_at")})
    assert list(found.facts) == ["occurred_at"]


def test_a_star_is_any_text_and_a_bracket_is_a_bracket():
    there = facts(known("notice[1].date"), known("notice1.date"), known("incident/kai@hinode.example/1/messages"))
    (found,) = filled([item("notice[1].date", "incident/*/messages")], there)
    assert list(found.facts) == ["notice[1].date", "incident/kai@hinode.example/1/messages"]


def test_mails_never_stand_in_for_persons(book):
    """The founding case's 1,220 mails: no form takes them for a number of persons."""
    there = facts(known("lure.sent_count", 1220), known("incident/a/1/messages", 1220), known("incident/a/1/people", 9))
    appi = next(one for one in book if one.regime == "appi")
    persons = next(one for one in filled(appi.forms["nine"], there) if one.item.id == "persons")
    assert persons.completeness == "missing"


@pytest.mark.parametrize(
    ("before", "after"),
    [
        (known("cause"), known("cause", 2)),
        (known("cause"), known("cause", 1, "confirmed")),
        (known("cause"), known("cause", True)),
        (known("cause"), known("cause", 1.0)),
        (known("cause"), Fact("cause", 1, "persons", "suspected")),
        (None, known("cause")),
        (known("cause"), None),
    ],
)
def test_another_value_unit_or_status_is_a_change(before, after):
    old, new = ({} if one is None else facts(one) for one in (before, after))
    (found,) = changed([item("cause")], old, new)
    assert (found.key, found.before, found.after) == ("cause", before, after)


def test_what_is_the_same_is_no_change_even_from_a_later_look():
    old, new = known("cause"), Fact("cause", 1, "mails", "suspected", seq=9, evidence=[{"file": "timeline.jsonl"}])
    assert changed([item("cause")], facts(old), facts(new)) == []
