# SPDX-License-Identifier: Apache-2.0
import csv
from datetime import UTC, datetime

import pytest
from hypothesis import given
from hypothesis import strategies as st
from sqlalchemy import update

from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import schema
from hikeshi.notify.audience import audience
from hikeshi.notify.check import Earlier
from hikeshi.notify.corrections import HandedOver, correct, hand_over
from hikeshi.notify.earlier import earlier
from hikeshi.notify.lists import Exposed
from hikeshi.notify.outbox import letter
from hikeshi.notify.outbox.approval import approve, batch
from hikeshi.notify.outbox.book import put
from hikeshi.notify.person import Person
from hikeshi.notify.reconciliation import CLOSED, PLACES, place_of, reconcile, write_worklist
from hikeshi.notify.told import TELLINGS, last_report, tellings

OVER = HandedOver("phone", "Rin", "called", datetime(2026, 3, 4, tzinfo=UTC))
people = st.lists(
    st.builds(
        lambda number, lure, exposed, reach, over: Person(
            f"p{number}@x.example",
            f"p{number}@x.example",
            in_lure=lure or not exposed,
            exposed=(Exposed(("name",), "suspected"),) if exposed else (),
            reach=reach,
            handed_over=over,
        ),
        st.integers(0, 40),
        st.booleans(),
        st.booleans(),
        st.sampled_from(["mail", "phone", "post", "substitute", "left-out"]),
        st.sampled_from([None, OVER]),
    ),
    unique_by=lambda one: one.key,
)
letters = st.dictionaries(st.integers(0, 40).map("p{}@x.example".format), st.sampled_from(TELLINGS))


@given(people, letters)
def test_everyone_stands_in_exactly_one_place_and_the_table_closes_only_when_nobody_is_left(everyone, told):
    rows = {row.group: row for row in reconcile(everyone, told)}
    whole = rows.pop("all")
    left = [one for one in everyone if place_of(one, told.get(one.key)) not in CLOSED]

    assert whole.scoped == len(everyone) == sum(whole.places.values())
    assert whole.open == len(left)
    for place in PLACES:
        assert whole.places[place] == sum(row.places[place] for row in rows.values())
    for one in left:
        assert told.get(one.key) != "told"
        assert one.handed_over is None
        assert one.reach != "left-out"


@given(people, letters)
def test_whoever_is_left_to_people_is_in_the_worklist(tmp_path_factory, everyone, told):
    folder = CaseFolder(tmp_path_factory.mktemp("case"))
    waiting = write_worklist(folder, everyone, told)
    with (folder.path / "worklist.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    assert waiting == reconcile(everyone, told)[-1].places["worklist"] == sum(not row["handed_over"] for row in rows)
    for row in rows:
        assert row["way"] in ("phone", "post", "substitute")
        assert row["reason"] or row["reason_ja"] or row["handed_over"]


@pytest.mark.parametrize(
    ("state", "fate", "reply", "telling"),
    [
        ("drafted", None, None, "draft"),
        ("approved", None, None, "underway"),
        ("attempted", None, None, "underway"),
        ("refused", None, None, "lost"),
        ("given_up", None, None, "lost"),
        ("cancelled", None, None, None),
        ("accepted", None, None, "told"),
        ("accepted", "delivered", None, "told"),
        ("accepted", "deferred", None, "underway"),
        ("accepted", "bounced_hard", None, "lost"),
        ("accepted", "expired", None, "lost"),
        ("accepted", "bounced_soft", "replied", "told"),
        ("accepted", "bounced_hard", "auto_replied", "lost"),
    ],
)
def test_a_letter_counts_as_told_only_if_it_was_taken_and_did_not_come_back(store, state, fate, reply, telling):
    _put(store, 1)
    _set(store, 1, state=state, fate=fate, reply=reply)
    assert tellings(store).get("aiko@x.example") == telling
    assert (earlier(store, 2)(Person("aiko@x.example", "aiko@x.example")) is not None) is (
        state == "accepted" and fate in (None, "delivered", "deferred")
    )


def test_the_best_of_all_reports_counts_or_that_of_one(store):
    assert last_report(store) is None
    for report, fate in ((1, "delivered"), (2, "bounced_hard")):
        _put(store, report)
        _set(store, report, state="accepted", fate=fate)
    assert last_report(store) == 2
    assert tellings(store) == {"aiko@x.example": "told"}
    assert tellings(store, 2) == {"aiko@x.example": "lost"}
    person = Person("aiko@x.example", "aiko+other@x.example")
    assert earlier(store, 3)(person) == Earlier(1, "en", "subject 1", "text\n")
    assert earlier(store, 1)(person) is None


def test_a_case_closes_when_everyone_was_told_or_taken_on(store, case, investigated):
    investigated(
        ("aiko@x.example", 1, "delivered"), ("back@x.example", 1, "bounced"), ("ben@x.example", 1, "delivered")
    )
    _put(store, 1)
    approve(store, batch(store, 1), who="Rin", why="read them")
    assert [row.open for row in reconcile(audience(store, case), tellings(store))][-1] == 3
    _set(store, 1, state="accepted")
    hand_over(store, "back@x.example", by="phone", who="Rin", why="called")
    correct(store, "ben@x.example", reach="left-out", who="Rin", why="told in person, wants no letter")
    whole = reconcile(audience(store, case), tellings(store))[-1]
    assert {place: count for place, count in whole.places.items() if count} == {
        "told": 1,
        "handed over": 1,
        "left out": 1,
    }
    assert whole.open == 0


def _put(store, report):
    one = letter(
        store.case_id, report, "aiko@x.example", language="en", sender="n@works.example", subject=f"subject {report}",
        text="text\n",
    )  # fmt: skip
    put(store, [one])


def _set(store, report, **columns):
    """Set where a letter stands, as sending it would."""
    with store._engine.begin() as connection:
        connection.execute(update(schema.letters).where(schema.letters.c.report == report).values(**columns))
