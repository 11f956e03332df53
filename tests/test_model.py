# SPDX-License-Identifier: Apache-2.0
"""Laws of the weights of evidence: pure arithmetic, so every test is a law over numbers."""

import math
from itertools import accumulate

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi import model
from hikeshi.model import History, Message, Organisation, Rate, Seen

rates = st.floats(0.001, 0.999)
scores = st.floats(0, 100)
steps = st.floats(-8, 8)


@given(st.lists(steps, max_size=80))
def test_the_score_is_the_running_sum_above_its_minimum(llrs):
    """Step by step is W - min(0, min W): one addition at the port, two windows over a table."""
    sums = list(accumulate(llrs))
    lows = accumulate(sums, min)
    told = list(accumulate(llrs, model.step, initial=0.0))[1:]
    assert told == [pytest.approx(total - min(0.0, low), abs=1e-9) for total, low in zip(sums, lows, strict=True)]


@given(scores, scores, steps, steps)
def test_the_score_never_falls_where_evidence_grows(score, more, llr, stronger):
    """Monotone in both, never below zero, and never more than the evidence above the score before."""
    low, high = sorted((score, more))
    weak, strong = sorted((llr, stronger))
    assert 0 <= model.step(low, weak) <= model.step(high, weak) <= model.step(high, strong)
    assert model.step(score, llr) <= max(0.0, score + llr)


@given(st.floats(0.01, 50), st.floats(1e3, 1e7), st.floats(0, 200), st.floats(1.1, 50))
def test_the_threshold_grows_with_what_must_stay_quiet(alarms, days, mails, times):
    """More account-days or more mails a day need more; more false alarms accepted need less; never below one."""
    h = model.threshold(alarms, days, mails)
    assert h >= 1
    assert model.threshold(alarms, days * times, mails) >= h
    assert model.threshold(alarms, days, mails * times) >= h
    assert model.threshold(alarms * times, days, mails) <= h


def test_the_threshold_in_numbers():
    """Three mails a day, one false alarm in 100,000 account-days: two scores start 600,000 times."""
    assert model.threshold(1, 100_000, 3) == pytest.approx(math.log(600_000))
    assert model.threshold(1, 100_000, 0) == model.threshold(1, 100_000, 0.01)


@given(rates, rates, st.booleans())
def test_a_ratio_is_bounded_and_antisymmetric(intruder, owner, happened):
    """Changing the two sides changes the sign; more likely from an intruder is positive; nothing passes the limit."""
    told = model.ratio(intruder, owner, happened=happened)
    assert -model.LARGEST <= told <= model.LARGEST
    assert told == pytest.approx(-model.ratio(owner, intruder, happened=happened), abs=1e-9)
    assert told == pytest.approx(model.ratio(1 - intruder, 1 - owner, happened=not happened), abs=1e-9)
    assert (told > 0) == (intruder > owner if happened else 1 - intruder > 1 - owner)


@given(rates, rates)
def test_evidence_for_an_intruder_is_not_free(intruder, owner):
    """Where the owner writes, the mean weight is not positive; where the intruder does, it is not negative."""
    yes, no = model.ratio(intruder, owner), model.ratio(intruder, owner, happened=False)
    if max(abs(yes), abs(no)) < model.LARGEST:
        assert owner * yes + (1 - owner) * no <= 1e-9
        assert intruder * yes + (1 - intruder) * no >= -1e-9


@given(st.floats(0, 1), st.floats(0, 1e5), rates, st.floats(0.1, 1e3))
def test_a_shrunk_rate_lies_between_prior_and_data(share, chances, mean, weight):
    """And nears the data as they grow."""
    seen = Seen(share * chances, chances)
    told = model.shrunk(seen, Rate(mean, weight))
    low, high = sorted((mean, share))
    assert low - 1e-9 <= told <= high + 1e-9
    more = model.shrunk(Seen(share * chances * 10, chances * 10), Rate(mean, weight))
    assert abs(more - share) <= abs(told - share) + 1e-9


@given(st.integers(0, 10_000))
def test_ignorance_fades(recipients):
    """All are new to who has written to nobody; the more one knows, the less that explains."""
    assert model.young(0) == 1
    assert 0 < model.young(recipients + 1) < model.young(recipients) <= 1


@given(st.floats(1, 50), st.floats(0, 100), st.floats(0, 10))
def test_patience_ends_on_the_third_day(h, days, later):
    """Twice the threshold at the beginning, never below it, and never growing with time."""
    assert model.patience(h, 0) == 2 * h
    assert h <= model.patience(h, days + later) <= model.patience(h, days) <= 2 * h
    assert model.patience(h, 3 + days) == h


@given(st.floats(0.1, 50), st.floats(-5, 5).filter(lambda nats: nats <= 0 or nats > 1e-9))
def test_the_bound_on_delay(h, divergence):
    """Mails times nats a mail make the threshold; who cannot be told from the owner has no bound."""
    bound = model.bound_on_delay(h, divergence)
    assert (bound is None) == (divergence <= 0)
    if bound is not None:
        assert bound * divergence == pytest.approx(h)


ORGANISATION = Organisation(
    **{
        name: Rate(mean, 20)
        for name, mean in {
            "new_place": 0.02,
            "near_place": 0.02,
            "place_after_move": 0.3,
            "new_recipient": 0.15,
            "new_after_new": 0.5,
            "new_after_known": 0.1,
            "returns": 0.3,
            "repeat": 0.03,
            "repeat_after_other": 0.03,
            "repeat_after_repeat": 0.6,
            "hurry": 0.05,
            "hurry_after_hurry": 0.5,
            "many": 0.005,
            "bounce": 0.02,
        }.items()
    }
)
NOTHING = History(100, *(Seen(0, 0) for _ in range(len(History.__slots__) - 1)))
ORDINARY = Message(
    new=0,
    again=0,
    recipients=1,
    place_new=False,
    near=False,
    moving=False,
    roaming=False,
    repeats=False,
    gap=None,
    bounces=0,
    before=0,
    after_new=None,
    after_repeat=None,
    after_hurry=False,
    after_many=False,
)


def weighed(**changes):
    """Weigh an ordinary message with changes, by name."""
    fields = {name: getattr(ORDINARY, name) for name in Message.__slots__} | changes
    return {one.name: one.nats for one in model.weights(Message(**fields), NOTHING, ORGANISATION)}


def test_an_ordinary_mail_speaks_for_the_owner():
    """Every weight is there; none of them speaks for an intruder."""
    told = weighed()
    assert list(told) == [
        "new place",
        "new recipients",
        "nobody twice",
        "same content",
        "pace",
        "many recipients",
        "bounces",
    ]
    assert max(told.values()) <= 0
    assert sum(told.values()) < 0


@pytest.mark.parametrize(
    ("name", "changes"),
    [
        ("new place", {"place_new": True}),
        ("new recipients", {"new": 1}),
        ("nobody twice", {"after_new": True, "new": 1}),
        ("same content", {"repeats": True}),
        ("pace", {"gap": 2.0}),
        ("many recipients", {"recipients": 50}),
        ("bounces", {"bounces": 2, "before": 2}),
    ],
)
def test_each_sign_speaks_for_an_intruder(name, changes):
    """One sign raises its own weight above zero."""
    assert weighed(**changes)[name] > max(0, weighed()[name])


@pytest.mark.parametrize(
    ("name", "first", "then"),
    [
        ("new recipients", {"new": 1}, {"new": 1, "after_new": True}),
        ("same content", {"repeats": True}, {"repeats": True, "after_repeat": True}),
        ("pace", {"gap": 2.0}, {"gap": 2.0, "after_hurry": True}),
        ("many recipients", {"recipients": 50}, {"recipients": 50, "after_many": True}),
    ],
)
def test_the_first_of_a_run_carries_the_surprise(name, first, then):
    """What follows upon the same weighs less: nothing is counted twice."""
    assert weighed(**then)[name] < weighed(**first)[name]


def test_places_that_are_no_surprise():
    """A neighbouring network of one who roams, a place after a move, and a history too young to tell."""
    strange = weighed(place_new=True)["new place"]
    assert 0 <= weighed(place_new=True, near=True, roaming=True)["new place"] < strange
    assert 0 <= weighed(place_new=True, moving=True)["new place"] < strange
    assert weighed(place_new=None)["new place"] == 0


def test_a_mail_to_nobody_says_nothing_about_recipients():
    """Without a recipient there is neither novelty nor return."""
    told = weighed(recipients=0, after_new=True)
    assert told["new recipients"] == told["nobody twice"] == 0


@given(st.integers(1, 2000), st.integers(0, 40), st.data())
def test_no_weight_is_without_bound(recipients, bounces, data):
    """However large a mail, its weights stay finite and within what one feature may say of so many choices."""
    new = data.draw(st.integers(0, recipients))
    told = weighed(recipients=recipients, new=new, bounces=bounces, before=bounces, after_new=data.draw(st.booleans()))
    limit = model.LARGEST * (1 + math.log(recipients))
    assert all(math.isfinite(nats) and abs(nats) <= limit + 1e-9 for nats in told.values())


@given(st.integers(1, 500), st.integers(0, 499))
def test_more_strangers_weigh_more(recipients, new):
    """Among so many recipients one more stranger never speaks for the owner."""
    fewer = min(new, recipients - 1)
    low = weighed(recipients=recipients, new=fewer)["new recipients"]
    assert weighed(recipients=recipients, new=fewer + 1)["new recipients"] >= low - 1e-9


def test_a_large_mailing_may_bounce_a_little():
    """What came back is weighed against what did not, and never speaks for the owner."""
    assert weighed(bounces=2, before=2)["bounces"] > weighed(bounces=2, before=60)["bounces"] >= 0
    assert weighed(bounces=0, before=60)["bounces"] == 0
