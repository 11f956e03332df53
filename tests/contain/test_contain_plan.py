# SPDX-License-Identifier: Apache-2.0
"""The plan: what is in it and in which order, what is left alone, what cannot be seen, and its identity."""

import json
from dataclasses import replace
from datetime import timedelta

import pytest
from farside import CLOSED, GONE, KAI, MEI, OPEN, RIN, SECRET, START, FarSide, Thing, shown, target
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.basics.errors import UsageError
from hikeshi.contain.contract import ConnectorError, Copies, Look, Phase, RefusedError
from hikeshi.contain.limits import Limits, LimitsError
from hikeshi.contain.plan import document, find_plan, make_plan, plan_of, plans, remember

RULE, LURE = Thing(KAI, "rule", "forward", GONE), Thing(MEI, "lure", "INBOX", GONE, Phase.PURGE)


def plan(*fars, accounts=(KAI, RIN, MEI), limits=None, now=START):
    return make_plan([target(one) for one in accounts], fars, limits or Limits(), now)


def raising(name, error):
    far = FarSide([RULE], name)

    def look(_):
        raise error

    far.look = look
    return far


@given(
    st.lists(
        st.tuples(
            st.sampled_from(Phase),
            st.sampled_from("ab"),
            st.sampled_from([KAI, RIN]),
            st.text("xyz", min_size=1, max_size=2),
        )
    )
)
def test_steps_are_ordered_by_phase_connector_and_account_whatever_order_they_come_in(drawn):
    fars = {
        name: FarSide([Thing(who, thing, phase=phase) for phase, n, who, thing in drawn if n == name], name)
        for name in "ab"
    }
    made = make_plan([target(RIN), target(KAI)], [fars["b"], fars["a"]], Limits(), START)
    order = [(step.phase, step.connector, step.account) for step in made.steps]
    assert order == sorted(order)
    assert {step.key for step in made.steps} == {key for far in fars.values() for key in far.things}
    assert len(made.steps) == len({step.key for step in made.steps})


def test_looking_touches_nothing():
    far = FarSide([RULE, LURE])
    plan(far)
    assert {verb for verb, _ in far.calls} == {"check", "look"}
    assert {key: thing.value for key, thing in far.things.items()} == far.first


def test_what_two_looks_find_alike_is_one_step_and_what_differs_is_told():
    far = FarSide([RULE])
    step = far.step(RULE)
    far.look = lambda _: Look((step, step))
    assert len(plan(far).steps) == 1
    far.look = lambda _: Look((step, replace(step, request="another")))
    made = plan(far, accounts=(KAI,))
    assert [one.request for one in made.steps] == [step.request]
    (gap,) = made.gaps
    assert "differ; the second is left out: another" in gap.says["en"]


def test_a_connector_that_fails_is_a_gap_and_the_others_go_on():
    made = plan(FarSide([RULE], "one"), raising("two", RefusedError("no rights", "give it rights")), accounts=(KAI,))
    assert [step.connector for step in made.steps] == ["one"]
    (gap,) = made.gaps
    assert gap.connector == "two"
    assert f"({KAI})" in gap.says["en"]
    assert "give it rights" in gap.says["ja"]


def test_a_defect_of_a_connector_is_a_gap_without_its_text():
    made = plan(FarSide([RULE], "one"), raising("two", ValueError(SECRET)), accounts=(KAI,))
    (gap,) = made.gaps
    assert "a defect of the connector: ValueError" in gap.says["en"]
    assert SECRET not in json.dumps(document(made))


def test_a_step_with_a_secret_in_it_does_not_come_into_a_plan():
    far = FarSide([RULE], "two")
    far.look = lambda _: Look((replace(far.step(RULE), detail={"password": SECRET}),))
    made = plan(FarSide([RULE], "one"), far, accounts=(KAI,))
    assert [step.connector for step in made.steps] == ["one"]
    assert "looks like a secret" in made.gaps[0].says["en"]


def test_a_connector_that_is_not_as_it_should_be_looks_at_nothing():
    far = FarSide([RULE], "two")

    def check():
        raise ConnectorError("it may do more than we understand")

    far.check = check
    made = plan(FarSide([RULE], "one"), far)
    assert far.count("look") == 0
    assert [gap.connector for gap in made.gaps] == ["two"]


def test_without_any_connector_that_could_look_there_is_no_plan():
    with pytest.raises(
        ConnectorError, match=r"no connector could look.*one: down; two: a defect of the connector: KeyErr"
    ):
        plan(raising("one", ConnectorError("down")), raising("two", KeyError(SECRET)))


def test_what_is_forbidden_is_shown_with_the_reason_and_not_planned():
    limits = Limits(never=("@other.example",), break_glass=(RIN,))
    made = plan(FarSide([RULE, Thing(RIN, "rule"), replace(LURE, account=RIN)]), limits=limits)
    assert [step.account for step in made.steps] == [KAI]
    assert [one.account for one in made.shown] == [RIN, RIN]
    assert all("break-glass" in one.why_not["en"] and one.why_not["ja"] for one in made.shown)


def test_what_the_far_side_calls_by_another_name_is_forbidden_too_but_not_others_mailboxes():
    far = FarSide([RULE])
    lure = far.step(LURE)
    far.look = lambda _: Look((replace(far.step(RULE), account="uid=4711"), lure))
    made = plan(far, accounts=(KAI,), limits=Limits(never=(KAI,)))
    assert made.steps == (lure,)
    assert [one.account for one in made.shown] == ["uid=4711"]


def test_a_plan_that_goes_too_far_is_none_and_says_what_to_do():
    far = FarSide([RULE, Thing(RIN, "rule")])
    with pytest.raises(LimitsError, match="name the accounts by --account, or raise most_accounts"):
        plan(far, limits=Limits(most_accounts=1))
    assert len(plan(far, limits=Limits(most_accounts=1, never=(RIN,))).steps) == 1


def test_a_mailbox_that_got_two_lures_is_emptied_of_both_at_once():
    targets = [
        target(KAI, copies=(Copies(MEI, ("b@x.example",)), Copies(RIN, ("b@x.example",)))),
        target(RIN, copies=(Copies(MEI, ("a@x.example", "b@x.example")),)),
    ]
    asked = []
    far = FarSide([])
    far.look = lambda one: asked.append(one.copies) or Look()
    make_plan(targets, [far], Limits(), START)
    assert asked == [(Copies(MEI, ("a@x.example", "b@x.example")), Copies(RIN, ("b@x.example",))), ()]


def test_equal_plans_have_one_identity_whenever_they_are_made():
    far = FarSide([RULE])
    first = plan(far)
    later = [replace(one, until=START + timedelta(days=1)) for one in map(target, (KAI, RIN, MEI))]
    assert make_plan(later, [far], Limits(), START + timedelta(days=1)).id == first.id
    assert len(first.id) == 16


@pytest.mark.parametrize(
    "change",
    [
        lambda far: setattr(far, "gaps", ({"en": "unseen", "ja": "見えない"},)),
        lambda far: setattr(far, "shown", (shown(),)),
        lambda far: far.things.update(FarSide([Thing(KAI, "more")]).things),
        lambda far: far.things.update({key: replace(one, goal=OPEN) for key, one in far.things.items()}),
    ],
)
def test_a_plan_that_says_anything_else_is_another(change):
    far = FarSide([RULE])
    first = plan(far).id
    change(far)
    assert plan(far).id != first


def test_a_plan_for_other_accounts_is_another():
    far = FarSide([RULE])
    assert plan(far, accounts=(KAI,)).id != plan(far, accounts=(KAI, RIN)).id


def test_a_plan_comes_back_from_json_as_it_was(store):
    far = FarSide([RULE, LURE, Thing(KAI, None, OPEN, CLOSED, Phase.STOP)])
    far.shown, far.gaps = (shown("\ud800 odd \x1b[2J name"),), ({"en": "unseen", "ja": "見えない"},)
    made = plan(far)
    assert plan_of(json.loads(json.dumps(document(made)))) == made
    remember(store, made)
    assert plans(store) == [made]
    assert plans(store)[0].id == made.id


def test_an_equal_plan_is_written_once(store):
    far = FarSide([RULE])
    assert remember(store, plan(far))
    assert not remember(store, plan(far, now=START + timedelta(hours=1)))
    far.gaps = ({"en": "unseen", "ja": "見えない"},)
    assert remember(store, plan(far))
    assert len(plans(store)) == 2


def test_a_plan_is_found_by_the_beginning_of_its_name_and_the_last_without_one(store):
    with pytest.raises(UsageError, match="no such plan"):
        find_plan(store)
    made = [plan(FarSide([Thing(KAI, f"rule {number}")])) for number in range(20)]
    for one in made:
        remember(store, one)
    assert find_plan(store) == made[-1]
    assert find_plan(store, made[3].id[:12].upper()) == made[3]
    with pytest.raises(UsageError, match="no such plan"):
        find_plan(store, "zzz")
    with pytest.raises(UsageError, match="more than one plan begins so"):
        find_plan(store, "")
