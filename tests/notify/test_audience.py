# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.basics.errors import CaseError
from hikeshi.cases.store.facts import correct as correct_fact
from hikeshi.notify.addresses import person_of
from hikeshi.notify.audience import audience, joined, received
from hikeshi.notify.corrections import correct, hand_over
from hikeshi.notify.lists import Exposed, Named
from hikeshi.notify.person import OUTCOMES
from hikeshi.notify.recipients import Row

BEGIN = datetime(2026, 3, 2, 8, tzinfo=UTC)

addresses = st.builds(
    "{}{}@{}".format,
    st.sampled_from(["aiko", "Aiko", "rin", "ken", "noreply", "info"]),
    st.sampled_from(["", "+a", "+b"]),
    st.sampled_from(["example.com", "Example.com", "example.org", "例え.example", "xn--r8jz45g.example"]),
)
rows = st.lists(
    st.builds(
        lambda to, copies, fate, at: Row(1, to, copies, fate, BEGIN + timedelta(at), BEGIN + timedelta(at + 1)),
        addresses,
        st.integers(1, 5),
        st.sampled_from(OUTCOMES),
        st.integers(0, 9),
    )
)
statuses = st.sampled_from(["confirmed", "suspected", "not_confirmed", "unknown", "ruled_out"])
lines = st.lists(
    st.builds(
        lambda to, name, item, status: (to, name, Exposed((item,), status)),
        st.one_of(addresses, st.just(""), st.just("broken\naddress")),
        st.sampled_from(["Aiko", "Ken"]),
        st.sampled_from(["name", "phone"]),
        statuses,
    )
).map(lambda found: [Named(number, *one) for number, one in enumerate(found, 2)])


@given(rows, lines)
def test_nobody_is_told_twice_and_nobody_is_lost(went, listed):
    a, b = {person_of(one.address) for one in went}, [one for one in listed if one.exposed.status != "ruled_out"]
    with_address = {person_of(one.address) for one in b if one.address}
    people = list(joined(received(went, {}), listed).values())
    keys = [one.key for one in people]

    assert len(keys) == len(set(keys))
    assert {one.key for one in people if one.in_lure} == a
    assert with_address <= {one.key for one in people if one.exposed}
    assert len(people) == len(a | with_address) + sum(not one.address for one in b)


@given(rows, lines)
def test_the_three_groups_part_everyone(went, listed):
    people = list(joined(received(went, {}), listed).values())
    groups = {group: {one.key for one in people if one.group == group} for group in ("lure", "exposed", "both")}
    a, b = {one.key for one in people if one.in_lure}, {one.key for one in people if one.exposed}

    assert groups["both"] == a & b
    assert groups["lure"] == a - b
    assert groups["exposed"] == b - a
    assert sum(map(len, groups.values())) == len(people)


@given(rows)
def test_copies_are_summed_and_the_best_fate_counts(went):
    people = received(went, {})
    for key, one in people.items():
        mine = [row for row in went if person_of(row.address) == key]
        assert one.copies == sum(row.messages for row in mine)
        assert one.outcome == min((row.status for row in mine), key=OUTCOMES.index)
        assert one.address in [row.address for row in mine if row.status == one.outcome]
        assert (one.first_time, one.last_time) == (min(row.first for row in mine), max(row.last for row in mine))


@given(lines)
def test_every_item_of_a_person_is_told_under_the_certainty_it_was_listed_with(listed):
    people = joined({}, listed)
    told = {(one.status, item) for person in people.values() for one in person.exposed for item in one.items}
    assert told == {
        (one.exposed.status, item) for one in listed for item in one.exposed.items if one.exposed.status != "ruled_out"
    }


def test_two_people_of_one_name_without_an_address_are_two(store, case, brought):
    brought("exposed", "address,name,items,status\n,Aiko Mori,name,\n,Aiko Mori,phone,\n")
    assert [one.key for one in audience(store, case)] == ["aiko mori", "aiko mori (line 3)"]


def test_who_cannot_be_written_to_goes_to_the_worklist_with_the_reason(store, case, investigated, brought):
    investigated(
        ("aiko@x.example", 1, "delivered"),
        ("back@x.example", 1, "bounced"),
        ("late@x.example", 1, "expired"),
        ("noreply@x.example", 1, "delivered"),
        ("sales-ml@x.example", 1, "delivered"),
        ("info@x.example", 1, "delivered"),
        ("rin@works.example", 1, "delivered"),
        ("a b@x.example", 1, "delivered"),
    )
    brought("exposed", 'address,name,items,status\n,Ken Ito,name,\n"evil@x.example\nBcc: a@b.example",,name,\n')
    brought(
        "contacts", "address,name,language,phone,post\nback@x.example,,,0120-000-001,\nlate@x.example,,,,1-1 Example\n"
    )
    found = {one.key.partition("\n")[0]: (one.reach, one.why.get("en", "")) for one in audience(store, case)}

    assert found["aiko@x.example"] == ("mail", "")
    assert found["info@x.example"] == ("mail", "")
    assert found["back@x.example"][0] == "phone"
    assert found["late@x.example"][0] == "post"
    for key, word in {
        "noreply@x.example": "nobody reads",
        "sales-ml@x.example": "list",
        "rin@works.example": "taken over",
        "a b@x.example": "no mail address",
        "ken ito": "no address",
        "evil@x.example": "line break",
    }.items():
        assert found[key][0] == "substitute"
        assert word in found[key][1]


def test_an_account_entered_from_the_same_places_is_not_written_to(store, case, investigated):
    investigated(("ken@works.example", 1, "delivered"), also=("ken@works.example",))
    (one,) = audience(store, case)
    assert "taken over" in one.why["en"]
    correct(store, "ken@works.example", reach="mail", who="Rin", why="I want it")
    assert audience(store, case)[0].reach == "substitute"


def test_a_person_decides_with_name_and_reason_and_the_last_word_stands(store, case, investigated):
    investigated(("aiko@x.example", 1, "delivered"), ("sales-ml@x.example", 1, "delivered"))
    correct(store, "Aiko+tag@x.example", reach="phone", who="Rin", why="asked for a call")
    correct(store, "aiko@x.example", language="ja", who="Ken", why="speaks Japanese")
    correct(store, "sales-ml@x.example", reach="mail", who="Rin", why="one person, no list")
    aiko, sales = audience(store, case)
    assert (aiko.reach, aiko.language, aiko.why["en"]) == ("phone", "ja", "asked for a call (Rin)")
    assert sales.reach == "mail"
    correct(store, "aiko@x.example", reach="left-out", who="Rin", why="told in person")
    hand_over(store, "aiko@x.example", by="phone", who="Ken", why="called at ten")
    aiko, _ = audience(store, case)
    assert (aiko.reach, aiko.handed_over.by, aiko.handed_over.who) == ("left-out", "phone", "Ken")


def test_language_is_by_table_then_by_domain_then_by_setting(store, case, investigated, brought):
    investigated(
        ("a@x.example", 1, "delivered"), ("b@y.example.jp", 1, "delivered"), ("c@z.example", 1, "delivered"),
        ("d@y.example.jp", 1, "delivered"),
    )  # fmt: skip
    brought("contacts", "address,language\n@z.example,ja\nd@y.example.jp,en\n")
    assert [one.language for one in audience(store, case)] == ["en", "ja", "ja", "en"]
    correct_fact(store, "letters.language", "ja", who="Rin", why="a company in Japan")
    assert [one.language for one in audience(store, case)] == ["ja", "ja", "ja", "en"]


def test_a_name_in_mixed_scripts_is_not_used_and_its_owner_is_told_all_the_same(store, case, investigated, brought):
    investigated(("a@x.example", 1, "delivered"), ("b@x.example", 1, "delivered"), ("c@x.example", 1, "delivered"))
    brought(
        "contacts", 'address,name\na@x.example,P\u0430ul\nb@x.example,山田 Taro\nc@x.example,"A\nBcc: x@y.example"\n'
    )
    found = audience(store, case)
    assert [one.name for one in found] == [None, "山田 Taro", None]
    assert {one.reach for one in found} == {"mail"}


@pytest.mark.parametrize(("verdict", "status"), [("unusual-bulk", "confirmed"), ("takeover", "ruled_out")])
def test_recipients_of_what_is_no_takeover_are_not_told(store, case, investigated, verdict, status):
    investigated(("a@x.example", 1, "delivered"), verdict=verdict, status=status)
    assert audience(store, case) == []


def test_nobody_is_told_out_of_a_file_that_lacks_somebody(store, case, investigated):
    investigated(("a@x.example", 1, "delivered"), counted=2)
    with pytest.raises(CaseError, match=r"1 addresses .* counts 2"):
        audience(store, case)
    (case / "recipients.csv").unlink()
    with pytest.raises(CaseError, match="investigate again"):
        audience(store, case)
