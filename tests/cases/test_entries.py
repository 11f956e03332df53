# SPDX-License-Identifier: Apache-2.0
"""What rooms hand over is plain data that nobody can change behind another's back."""

from dataclasses import FrozenInstanceError, asdict, fields

import pytest

from hikeshi.cases import entries
from hikeshi.cases.entries import Finding, Incident, Reach

RECORDS = [one for one in vars(entries).values() if isinstance(one, type) and one.__module__ == entries.__name__]


@pytest.mark.parametrize("record", RECORDS, ids=lambda one: one.__name__)
def test_every_entry_is_frozen(record):
    """No room writes into what another handed over, and no field may be made up."""
    one = record(**{field.name: () for field in fields(record)})
    with pytest.raises(FrozenInstanceError):
        setattr(one, fields(record)[0].name, 1)
    assert not hasattr(one, "__dict__")
    assert len(asdict(one)) == len(fields(record))


def test_nothing_is_confirmed_by_a_machine():
    """Law 5: until a person says otherwise, an incident is suspected."""
    (status,) = [field for field in fields(Incident) if field.name == "status"]
    assert status.default == "suspected"


def test_a_finding_stands_for_itself():
    """One time, with no records behind it, unless said."""
    one = Finding("cold-start", None, None, {"en": "", "ja": ""})
    assert (one.count, one.evidence) == (1, ())


def test_reach_counts_the_fates_of_the_contract():
    """The six fates of design.md are fields, and the four counts are four fields."""
    names = {field.name for field in fields(Reach)}
    assert {"delivered", "bounced", "deferred", "expired", "held", "unknown"} <= names
    assert {"messages", "addresses", "domains", "people"} <= names
