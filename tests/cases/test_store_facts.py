# SPDX-License-Identifier: Apache-2.0
"""Facts: nothing that was ever recorded is lost, and no run takes a person's word back."""

from datetime import UTC, datetime, timedelta, timezone

import pytest
from databases import File
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import Change, Fact, correct, history, record, standing
from hikeshi.cases.store.verify import verify

FOUND = datetime(2026, 11, 20, 9, 30, tzinfo=UTC)
LATER = FOUND + timedelta(days=1)
KEY = "incident/kai@hinode.example/1/addresses"


def fact(value, key=KEY, **more):
    return Fact(**{"key": key, "value": value, "unit": "addresses", "status": "suspected", "as_of": FOUND} | more)


@pytest.fixture
def store(kept):
    with open_store(kept.case) as store:
        yield store


def test_a_fact_is_read_as_it_was_recorded(store):
    """With all that is behind it."""
    told = fact([1, "二", None, 2.5], evidence=[{"file": "recipients.csv", "rows": [1, 2]}], provenance="external")
    assert record(store, [told]) == []
    assert standing(store)[KEY].fact == Fact(**{**_said(told), "seq": 1})


def test_a_time_is_one_moment_whatever_its_zone(store):
    """It is kept in UTC."""
    record(store, [fact(1, as_of=FOUND.astimezone(timezone(timedelta(hours=9))))])
    assert standing(store)[KEY].fact.as_of.isoformat() == "2026-11-20T09:30:00+00:00"


def test_what_is_found_again_is_not_written_again(store):
    """And stays as of when it was first found so."""
    record(store, [fact(1220), fact("takeover", "incident/verdict", unit=None)])
    head = store.head()
    assert record(store, [fact(1220, as_of=LATER), fact("takeover", "incident/verdict", unit=None)]) == []
    assert store.head() == head
    assert standing(store)[KEY].fact.as_of == FOUND


def test_what_is_found_otherwise_supersedes_and_is_shown(store):
    """More evidence, another count: both stay known."""
    record(store, [fact(1220), fact(3, "incident/domains")])
    assert record(store, [fact(1221, as_of=LATER), fact(3, "incident/domains")]) == [
        Change(KEY, 1220, 1221, "addresses")
    ]
    assert [(one.value, one.seq, one.supersedes, one.as_of) for one in history(store, KEY)] == [
        (1220, 1, None, FOUND),
        (1221, 3, 1, LATER),
    ]


def test_one_is_not_true_nor_one_point_nought(store):
    """To Python they are equal, to a reader of the case they are not."""
    record(store, [fact(1)])
    assert [(one.before, one.after) for one in record(store, [fact(1.0)])] == [(1, 1.0)]
    assert [(one.before, one.after) for one in record(store, [fact(True)])] == [(1.0, True)]
    assert len(history(store, KEY)) == 3


def test_another_status_is_written_but_is_no_other_value(store):
    """A change is of what is counted."""
    record(store, [fact(5)])
    assert record(store, [fact(5, status="confirmed")]) == []
    assert [one.status for one in history(store, KEY)] == ["suspected", "confirmed"]


def test_another_unit_is_a_change(store):
    """Five mails are not five addresses (law 5)."""
    record(store, [fact(5)])
    assert record(store, [fact(5, unit="mails")]) == [Change(KEY, 5, 5, "mails")]


def test_a_first_run_has_nothing_to_differ_from_and_a_later_one_shows_what_is_new(store):
    """Else a first report would be full of changes."""
    assert record(store, [fact(1)]) == []
    assert record(store, [fact(1), fact(2, "incident/new")]) == [Change("incident/new", None, 2, "addresses")]


def test_what_a_run_no_longer_finds_is_no_longer_confirmed(store):
    """It is neither forgotten nor ruled out: nothing says it any more. Found again, it is found."""
    record(store, [fact(7), fact(1, "incident/other"), fact(9, "log/lines")], within="incident/")
    gone = record(store, [fact(1, "incident/other", as_of=LATER)], within="incident/")
    assert gone == [Change(KEY, 7, None, "addresses")]
    now = standing(store)
    assert (now[KEY].fact.value, now[KEY].fact.status, now[KEY].fact.as_of) == (None, "not_confirmed", LATER)
    assert now["log/lines"].fact.value == 9
    assert record(store, [fact(1, "incident/other")], within="incident/") == []
    assert record(store, [fact(7), fact(1, "incident/other")], within="incident/") == [
        Change(KEY, None, 7, "addresses")
    ]


def test_what_others_told_does_not_go_when_a_run_does_not_find_it(store):
    """A run computes; it never computed this."""
    record(store, [fact(7, provenance="external")])
    assert record(store, [], within="incident/") == []
    assert standing(store)[KEY].fact.value == 7


def test_a_correction_stands_beside_what_is_computed(store):
    """With name and reason; it has the unit of what it corrects, and a person confirms."""
    record(store, [fact(1220)])
    entered = correct(store, KEY, 1219, who="Sato Kai", why="one is our own test address")
    stands = standing(store)[KEY]
    assert stands.fact == entered
    assert stands.corrected
    assert (stands.computed.value, stands.computed.seq) == (1220, 1)
    assert (entered.unit, entered.status, entered.provenance, entered.supersedes) == (
        "addresses",
        "confirmed",
        "entered",
        1,
    )
    assert (entered.approved_by, entered.reason) == ("Sato Kai", "one is our own test address")
    assert store.entries()[-1].who == "Sato Kai"
    assert abs(datetime.now(UTC) - entered.as_of) < timedelta(minutes=1)


def test_a_run_goes_on_counting_beside_a_correction(store):
    """It shows its change, supersedes its own, and takes nothing back."""
    record(store, [fact(1220)])
    correct(store, KEY, 1219, who="Kai", why="counted")
    assert record(store, [fact(1230)]) == [Change(KEY, 1220, 1230, "addresses")]
    assert (standing(store)[KEY].fact.value, standing(store)[KEY].computed.value) == (1219, 1230)
    assert history(store, KEY)[-1].supersedes == 1
    record(store, [], within="incident/")
    assert (standing(store)[KEY].fact.value, standing(store)[KEY].computed.status) == (1219, "not_confirmed")


def test_a_correction_with_which_the_next_run_agrees_has_nothing_beside_it(store):
    """It is still a person's word."""
    record(store, [fact(1220)])
    correct(store, KEY, 1221, who="Kai", why="counted")
    record(store, [fact(1221)])
    assert (standing(store)[KEY].computed, standing(store)[KEY].corrected) == (None, True)


def test_the_last_correction_stands(store):
    """And supersedes the one before."""
    record(store, [fact("takeover", unit=None)])
    correct(store, KEY, "unusual-bulk", who="Kai", why="asked her")
    last = correct(store, KEY, None, who="Ito", why="we do not know", status="unknown")
    assert standing(store)[KEY].fact == last
    assert last.supersedes == 2


def test_what_nobody_computed_can_be_entered(store):
    """What no evidence gives, a person may know; what nobody knows is unknown."""
    correct(store, "call/first", "08:20", who="Kai", why="phone", unit="time")
    correct(store, "call/by", None, who="Kai", why="did not say")
    assert (standing(store)["call/first"].fact.unit, standing(store)["call/first"].fact.supersedes) == ("time", None)
    assert standing(store)["call/by"].fact.status == "unknown"
    assert list(standing(store)) == ["call/by", "call/first"]


@pytest.mark.parametrize("blank", ["key", "who", "why"])
def test_a_correction_needs_name_and_reason(store, blank):
    """Blanks are neither."""
    said = {"key": KEY, "who": "Kai", "why": "counted"} | {blank: " "}
    with pytest.raises(UsageError, match="who corrects and why"):
        correct(store, said["key"], 1, who=said["who"], why=said["why"])
    assert store.entries() == []


@pytest.mark.parametrize(
    "wrong",
    [
        [fact(1, status="certain")],
        [fact(1, as_of=datetime(2026, 1, 1))],  # noqa: DTZ001 - that is the point
        [fact({"a": 1})],
        [fact(1, provenance="entered")],
        [fact(1), fact(2)],
        [fact(float("nan"))],
    ],
)
def test_what_is_no_fact_is_refused(store, wrong):
    """All of the run or nothing."""
    with pytest.raises(ValueError, match=r"addresses|nan"):
        record(store, [fact(1, "good"), *wrong])
    assert store.entries() == []


def test_a_key_of_any_signs_is_the_same_key_in_the_next_run(store):
    """An account's name comes out of a log."""
    strange = "incident/\0kai\udcff@hinode.example/1"
    record(store, [fact(1, strange)], within="incident/")
    assert record(store, [fact(1, strange)], within="incident/") == []
    assert len(store.entries()) == 1


KEYS = st.sampled_from(["incident/a", "incident/b", "log/c"])
VALUES = st.one_of(
    st.none(), st.booleans(), st.integers(0, 3), st.sampled_from(["a", "b"]), st.lists(st.integers(0, 1))
)
RUNS = st.tuples(st.just("run"), st.dictionaries(KEYS, VALUES), st.booleans())
WORDS = st.tuples(st.just("word"), KEYS, VALUES)


@given(story=st.lists(st.one_of(RUNS, WORDS), max_size=12))
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None, max_examples=60)
def test_nothing_recorded_is_ever_lost_and_no_run_takes_a_persons_word_back(tmp_path_factory, story):
    """Whatever is found and said in whatever order: the chain of every key is whole, and the last word stands."""
    said, found, written = {}, {}, {}
    with open_store(File(tmp_path_factory.mktemp("case")).case) as store:
        for kind, *what in story:
            if kind == "word":
                key, value = what
                said[key] = value
                correct(store, key, value, who="Kai", why="so it is")
                written.setdefault(key, []).append(("entered", value))
            else:
                run, within = what
                now = dict(run)
                if within:
                    now |= {key: None for key in found if key.startswith("incident/") and key not in run}
                for key, value in now.items():
                    status = "suspected" if key in run else "not_confirmed"
                    if repr(found.get(key, "?")) != repr((value, status)):
                        written.setdefault(key, []).append(("computed", value))
                    found[key] = (value, status)
                record(
                    store,
                    [fact(value, key, unit=None) for key, value in run.items()],
                    within="incident/" if within else None,
                )
        stands = standing(store)
        for key, chain in written.items():
            told = history(store, key)
            assert repr([(one.provenance, one.value) for one in told]) == repr(chain)
            numbers = {one.seq for one in told}
            assert all(one.supersedes in numbers for one in told[1:] if one.supersedes is not None)
            assert sum(one.supersedes is None for one in told) <= 2  # the first, and the first that a run computed
            assert repr(stands[key].fact.value) == repr(said.get(key, found.get(key, (None,))[0]))
            assert stands[key].corrected == (key in said)
        assert set(stands) == set(written)
        assert verify(store).deviations == []


def _said(one):
    return {name: getattr(one, name) for name in one.__slots__}
