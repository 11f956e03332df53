# SPDX-License-Identifier: Apache-2.0
"""A run: what is done in which order, what is believed, what is written down, and how it goes on after a bad end."""

import json
from datetime import timedelta

import pytest
from farside import CLOSED, GONE, KAI, MEI, OPEN, RIN, SECRET, FarSide, Thing, target

from hikeshi.basics.errors import CaseError, UsageError
from hikeshi.cases.store.verify import verify
from hikeshi.contain.approval import NotApprovedError, approve, approved, refuse
from hikeshi.contain.contract import Answer, ConnectorError, LaterError, Phase, Reading, RefusedError
from hikeshi.contain.journal import State, progress_of
from hikeshi.contain.limits import Limits, LimitsError
from hikeshi.contain.plan import make_plan
from hikeshi.contain.recheck import due, next_due, recheck
from hikeshi.contain.run import run
from hikeshi.contain.turn import turn
from hikeshi.contain.undo import undo

RULE = Thing(KAI, "rule", "forward to drop@far.example", GONE)


class Stage:
    """A case with a far side and an approved plan to close it."""

    def __init__(self, store, case, patience, clock):
        self.store, self.case, self.patience, self.clock = store, case, patience, clock
        self.seen = []

    def plan(self, *fars, limits=None, accounts=(KAI, RIN, MEI), approve_it=True):
        self.fars = fars
        plan = make_plan([target(one) for one in accounts], fars, limits or Limits(), self.clock())
        if approve_it:
            approve(self.store, plan, who="Aoi", why="the owner did not send these")
        return plan

    def run(self, plan, *fars, limits=None, step=60.0, all_of_it=600.0):
        return run(
            self.store, plan, fars or self.fars, case=self.case, limits=limits,
            patience=self.patience(step, all_of_it), watch=self.watch,
        )  # fmt: skip

    def undo(self, plan, keys=None, *fars):
        return undo(
            self.store, plan, fars or self.fars, keys, who="Aoi", why="it was a mistake", case=self.case,
            patience=self.patience(), watch=self.watch,
        )  # fmt: skip

    def recheck(self, plan, after, **more):
        return recheck(self.store, plan, self.fars, self.clock.now + timedelta(seconds=after), case=self.case, **more)

    def watch(self, step, state, says):
        self.seen.append((step.object, str(state), says))
        for far in self.fars:
            far.watch(step, state, says)

    def receipts(self, verb=None):
        return [one.body for one in self.store.entries("receipt") if verb in (None, one.body["verb"])]


@pytest.fixture
def stage(store, case, patience, clock):
    return Stage(store, case, patience, clock)


def states(outcome):
    return [str(one.state) for one in outcome.progress.values()]


def scripted(far, verb, *script):
    """Let the connector's `verb` do what the script says, one call each: raise, or None for what it usually does."""
    usual, left = getattr(far, verb), list(script)

    def call(*given):
        one = left.pop(0) if left else None
        if isinstance(one, Exception):
            far.calls.append((verb, given[0].key))
            raise one
        return usual(*given) if one is None else one

    setattr(far, verb, call)


def test_each_step_is_read_done_and_read_again_and_each_has_its_receipts(stage):
    far = FarSide([RULE])
    outcome = stage.run(stage.plan(far))
    assert outcome.complete
    assert [verb for verb, _ in far.calls if verb not in ("look", "check")] == ["probe", "do", "verify"]
    probe, do, read = stage.receipts()
    assert probe["before"]["state"] == {"value": "forward to drop@far.example"}
    assert (do["answer"], do["reached"]) == ("do: 204", None)
    assert (read["reached"], read["after"]["state"]) == (True, {"value": None})
    assert len(do["request_sha256"]) == 64
    assert do["undo"]["en"] == "it is opened again"
    assert do["target"] == {"account": KAI, "object": "rule"}
    assert [one.body["state"] for one in stage.store.entries("action")] == ["begun", "done-unverified", "verified"]
    assert verify(stage.store).deviations == []


def test_what_stood_before_is_on_disk_before_anything_is_done(stage):
    far = FarSide([RULE])

    def do(step, before, since):
        (probe,) = stage.receipts()
        assert probe["before"]["state"] == before.state == {"value": "forward to drop@far.example"}
        assert since.isoformat() == probe["ended"]
        far.things[step.key].value = GONE
        return Answer("done")

    far.do = do
    assert states(stage.run(stage.plan(far))) == ["verified"]


def test_what_stands_already_is_not_done_and_never_taken_back(stage):
    far = FarSide([Thing(KAI, "rule", GONE, GONE)])
    plan = stage.plan(far)
    assert states(stage.run(plan)) == ["already"]
    undone = stage.undo(plan)
    assert undone.left[plan.steps[0].key]["en"] == "stood before us, so it stays"
    assert far.count("do") == far.count("undo") == 0
    assert states(undone) == ["already"]


def test_steps_go_by_phase_over_all_connectors(stage):
    """T8 of peers.md: an account that is suspended first bars the way to its own cleaning."""
    one = FarSide([Thing(KAI, "suspend", phase=Phase.SEAL), Thing(KAI, "filter", phase=Phase.CLEAN)], "google")
    two = FarSide([Thing(KAI, "kick", phase=Phase.CLOSE), Thing(KAI, "deny", phase=Phase.STOP)], "dovecot")
    plan = stage.plan(one, two)
    assert [step.object for step in plan.steps] == ["deny", "kick", "filter", "suspend"]
    stage.run(plan)
    assert [name for name, state, _ in stage.seen if state == "verified"] == ["deny", "kick", "filter", "suspend"]


@pytest.mark.parametrize(
    ("said", "becomes"),
    [
        (LaterError("429", 9999), "waiting"),
        (ConnectorError("it cannot be reached"), "failed"),
        (Answer("204, which is a lie"), "not-verified"),
    ],
)
def test_the_seal_waits_while_the_account_is_not_clean_there_and_only_there(stage, said, becomes):
    google = FarSide([Thing(KAI, "filter"), Thing(KAI, "suspend", phase=Phase.SEAL)], "google")
    ldap = FarSide([Thing(KAI, "lock", phase=Phase.SEAL)], "ldap")
    other = FarSide([Thing(RIN, "suspend", phase=Phase.SEAL)], "m365")
    scripted(google, "do", said)
    plan = stage.plan(google, ldap, other)
    first = stage.run(plan)
    assert states(first) == [becomes, "waiting", "verified", "verified"]
    assert "bar the way" in first.progress[plan.steps[1].key].says
    assert states(stage.run(plan)) == ["verified"] * 4


def test_a_refusal_for_good_does_not_keep_the_account_open(stage):
    far = FarSide([Thing(KAI, "filter", refuses=True), Thing(KAI, "suspend", phase=Phase.SEAL)])
    plan = stage.plan(far)
    outcome = stage.run(plan)
    assert states(outcome) == ["refused", "verified"]
    assert "ask its owner" in outcome.progress[plan.steps[0].key].says


def test_the_far_sides_own_seconds_are_waited_else_backoff_grows(stage):
    """T8: retries. Half of each backoff is chance, which stands at a half here."""
    far = FarSide([RULE])
    scripted(far, "do", LaterError("429", 7), LaterError("503"), LaterError("503"), LaterError("503"))
    assert states(stage.run(stage.plan(far))) == ["verified"]
    own, *backoff = stage.clock.slept
    assert own == 7
    assert backoff == sorted(backoff)
    assert len(set(backoff)) == len(backoff) == 3


def test_later_leaves_open_whether_it_was_done_so_it_is_read_before_it_is_done_again(stage):
    far = FarSide([RULE])

    def do(step, _before, _since):
        far.calls.append(("do", step.key))
        far.things[step.key].value = GONE
        raise LaterError("the connection broke")

    far.do = do
    assert states(stage.run(stage.plan(far))) == ["verified"]
    assert far.count("do") == 1


def test_what_takes_too_long_waits_for_the_next_run_and_the_others_go_on(stage):
    far = FarSide([Thing(KAI, "a"), Thing(KAI, "b")])
    scripted(far, "do", LaterError("429", 3600))
    plan = stage.plan(far)
    assert states(stage.run(plan)) == ["waiting", "verified"]
    assert not any(seconds > 60 for seconds in stage.clock.slept)
    assert states(stage.run(plan)) == ["verified", "verified"]


def test_a_whole_run_has_an_end_however_many_steps_wait(stage):
    far = FarSide([Thing(KAI, f"{number:02}") for number in range(40)])
    scripted(far, "do", *[LaterError("429", 50)] * 200)
    plan = stage.plan(far)
    began = stage.clock.now
    assert states(stage.run(plan)) == ["waiting"] * 40
    assert stage.clock.now - began < timedelta(seconds=700)
    assert {name for name, state, _ in stage.seen if state == "waiting"} == {f"{number:02}" for number in range(40)}


def test_what_spreads_slowly_is_read_until_it_stands(stage):
    far = FarSide([RULE])
    far.faults.stale = 1
    far.faults.chance.seed(1)
    scripted(far, "verify", *[Reading(None, {}, "cannot be told yet")] * 3)
    assert states(stage.run(stage.plan(far))) == ["verified"]
    assert len(stage.clock.slept) >= 3


def test_a_yes_that_was_a_lie_is_not_believed(stage):
    far = FarSide([RULE])
    scripted(far, "do", Answer("204"))
    plan = stage.plan(far)
    outcome = stage.run(plan)
    assert states(outcome) == ["not-verified"]
    assert not outcome.complete
    assert states(stage.run(plan)) == ["verified"]


def test_a_far_side_that_is_out_of_order_fails_its_step_and_no_other(stage):
    far = FarSide([Thing(KAI, "a"), Thing(KAI, "b")])
    scripted(far, "probe", ConnectorError("it cannot be reached; look at the network"))
    plan = stage.plan(far)
    outcome = stage.run(plan)
    assert states(outcome) == ["failed", "verified"]
    assert "look at the network" in outcome.progress[plan.steps[0].key].says


def test_a_defect_is_told_by_type_and_place_and_its_text_by_nobody(stage):
    far = FarSide([RULE])
    scripted(far, "do", ValueError(SECRET))
    outcome = stage.run(stage.plan(far))
    (known,) = outcome.progress.values()
    assert known.state == State.FAILED
    assert known.says.startswith("a defect of the connector: ValueError at test_contain_run.py:")
    assert SECRET not in json.dumps([one.body for one in stage.store.entries()])


def test_a_reading_that_holds_a_secret_is_not_written_down_and_nothing_is_done(stage):
    far = FarSide([RULE])
    scripted(far, "probe", Reading(False, {"password": SECRET}, "it is open"))
    outcome = stage.run(stage.plan(far))
    assert states(outcome) == ["failed"]
    assert far.count("do") == 0
    assert SECRET not in json.dumps([one.body for one in stage.store.entries()])


def test_a_reading_afterwards_that_holds_a_secret_is_left_out_but_the_deed_is_on_record(stage):
    far = FarSide([RULE])
    scripted(far, "verify", Reading(True, {"token": SECRET}, "it is gone"))
    assert states(stage.run(stage.plan(far))) == ["verified"]
    (read,) = stage.receipts("verify")
    assert (read["reached"], read["after"]["state"]) == (True, {})
    assert "not written down" in read["after"]["says"]
    assert SECRET not in json.dumps([one.body for one in stage.store.entries()])


def test_a_connector_that_is_not_as_it_should_be_is_asked_for_nothing(stage):
    far, other = FarSide([RULE]), FarSide([Thing(RIN, "rule")], "other")
    plan = stage.plan(far, other)
    scripted(far, "check", ConnectorError("it may do more than we understand; take Mail.Send away"))
    assert states(stage.run(plan)) == ["failed", "verified"]
    assert far.count("probe") == far.count("do") == 0


def test_nothing_is_done_without_approval_or_after_a_refusal(stage):
    far = FarSide([RULE])
    plan = stage.plan(far, approve_it=False)
    with pytest.raises(NotApprovedError, match="is not approved"):
        stage.run(plan)
    approve(stage.store, plan, who="Aoi", why="the owner did not send these")
    refuse(stage.store, plan, who="Ren", why="wait for the owner")
    with pytest.raises(NotApprovedError, match="is not approved"):
        stage.run(plan)
    assert far.count("do") == far.count("probe") == 0


def test_another_plan_needs_another_approval(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    far.gaps = ({"en": "something new", "ja": "新しい"},)
    other = stage.plan(far, approve_it=False)
    assert other.id != plan.id
    with pytest.raises(NotApprovedError):
        stage.run(other)


@pytest.mark.parametrize(
    ("second", "counts"),
    [
        (("Ren", "ren@desk"), True),
        (("Ren", "aoi@other"), False),
        (("  AOI ", "ren@desk"), False),
        (("Ren", "AOI@desk"), False),
        (("Aoi", "aoi@desk"), False),
    ],
)
def test_two_people_are_two_names_from_two_logins(stage, monkeypatch, second, counts):
    far = FarSide([RULE])
    plan = stage.plan(far, approve_it=False)
    for who, login in (("Aoi", "aoi@desk"), second):
        monkeypatch.setattr("hikeshi.cases.store.ledger.login", lambda login=login: login)
        approve(stage.store, plan, who=who, why="both looked")
    assert approved(stage.store, plan, 1)
    assert approved(stage.store, plan, 2) == counts
    if not counts:
        with pytest.raises(NotApprovedError, match="asks for 2 people"):
            stage.run(plan, limits=Limits(persons=2))
        assert far.count("do") == 0


@pytest.mark.parametrize(("who", "why"), [("", "a reason"), ("Aoi", " ")])
def test_an_approval_has_a_name_and_a_reason(stage, who, why):
    plan = stage.plan(FarSide([RULE]), approve_it=False)
    with pytest.raises(UsageError, match="a name and a reason"):
        approve(stage.store, plan, who=who, why=why)
    assert not approved(stage.store, plan, 1)


def test_limits_that_became_narrower_after_the_approval_hold(stage):
    far = FarSide([Thing(KAI, "a"), Thing(RIN, "b")])
    plan = stage.plan(far)
    with pytest.raises(LimitsError, match="most_accounts"):
        stage.run(plan, limits=Limits(most_accounts=1))
    outcome = stage.run(plan, limits=Limits(never=(RIN,)))
    assert states(outcome) == ["verified", "refused"]
    assert far.things[plan.steps[1].key].value == OPEN


def test_two_runs_at_once_are_one_too_many(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    with turn(stage.case), pytest.raises(CaseError, match="another hikeshi"):
        stage.run(plan)
    assert far.count("do") == 0
    assert states(stage.run(plan)) == ["verified"]


def test_steps_of_connectors_that_are_not_given_stay_planned(stage):
    one, two = FarSide([Thing(KAI, "a")], "one"), FarSide([Thing(KAI, "b")], "two")
    plan = stage.plan(one, two)
    assert states(stage.run(plan, one)) == ["verified", "planned"]
    assert states(stage.run(plan, one, two)) == ["verified", "verified"]


def test_what_is_verified_is_read_again_and_not_done_again(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    before = progress_of(stage.store, plan)[plan.steps[0].key]
    after = stage.run(plan).progress[plan.steps[0].key]
    assert far.count("do") == 1
    assert (after.stands_since, after.before, after.since) == (before.stands_since, before.before, before.since)
    assert after.read_at > before.read_at


def test_what_was_opened_again_is_said_so_and_closed_again_with_the_first_before_kept(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    key = plan.steps[0].key
    far.things[key].value = "another forward"
    known = stage.run(plan).progress[key]
    assert ("rule", "reopened", "it is another forward") in stage.seen
    assert (known.state, known.before.state["value"]) == (State.VERIFIED, "forward to drop@far.example")


def test_what_stands_keeps_its_state_when_it_cannot_be_read_again(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    scripted(far, "verify", ConnectorError("it cannot be reached"), Reading(None, {}, "cannot be told"))
    assert states(stage.run(plan)) == ["verified"]
    assert states(stage.run(plan)) == ["verified"]
    assert far.count("do") == 1


def test_readings_are_repeated_after_a_quarter_of_an_hour_an_hour_and_a_day(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    key = plan.steps[0].key
    times = []
    while (time := next_due(stage.store, plan)) is not None:
        times.append(time - progress_of(stage.store, plan)[key].stands_since)
        assert recheck(stage.store, plan, [far], time - timedelta(seconds=1), case=stage.case).read == ()
        (one,) = recheck(stage.store, plan, [far], time, case=stage.case).read
        assert one.state == State.VERIFIED
    assert times == [timedelta(minutes=15), timedelta(hours=1), timedelta(days=1)]
    assert far.count("do") == 1


def test_one_reading_does_for_all_that_are_past(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    assert len(stage.recheck(plan, 7200).read) == 1
    since = progress_of(stage.store, plan)[plan.steps[0].key].stands_since
    assert next_due(stage.store, plan) == since + timedelta(days=1)


def test_a_door_that_is_open_again_is_told_and_so_is_one_that_stands_again(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    key = plan.steps[0].key
    far.things[key].value = "another forward"
    found = stage.recheck(plan, 1000)
    assert [one.step.key for one in found.reopened] == [key]
    assert progress_of(stage.store, plan)[key].state == State.REOPENED
    far.things[key].value = GONE
    assert stage.recheck(plan, 2000, only_due=False).reopened == ()
    assert progress_of(stage.store, plan)[key].state == State.VERIFIED
    assert far.count("do") == 1


def test_what_stood_before_us_is_read_again_too_and_closed_if_it_opens(stage):
    far = FarSide([Thing(KAI, "rule", GONE, GONE)])
    plan = stage.plan(far)
    stage.run(plan)
    key = plan.steps[0].key
    far.things[key].value = "a new forward"
    assert [one.step.key for one in stage.recheck(plan, 1000).reopened] == [key]
    known = stage.run(plan).progress[key]
    assert (known.state, known.touched, known.before.state["value"]) == (State.VERIFIED, True, "a new forward")


@pytest.mark.parametrize("found", [LaterError("429", 5), ConnectorError("down"), Reading(None, {}, "cannot be told")])
def test_a_reading_that_fails_or_cannot_tell_stays_due(stage, found):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    scripted(far, "verify", found)
    outcome = stage.recheck(plan, 1000)
    assert (len(outcome.unread), outcome.reopened) == (1, ())
    assert due(progress_of(stage.store, plan)[plan.steps[0].key]) < stage.clock.now + timedelta(seconds=1000)
    assert stage.clock.slept == []
    assert len(stage.recheck(plan, 1001).read) == 1
    assert stage.recheck(plan, 1002).read == ()


def test_an_undo_goes_backwards_and_restores_every_object_it_lists(stage):
    """T6 of peers.md: the containment diff lists every object, undo restores."""
    things = [
        Thing(KAI, "deny", OPEN, CLOSED, Phase.STOP),
        Thing(KAI, "session", OPEN, GONE, Phase.CLOSE, undo=False),
        Thing(KAI, "rule 1", "forward to drop@far.example", GONE),
        Thing(KAI, "rule 2", "hide replies", GONE),
        Thing(MEI, "lure", "INBOX", "quarantine", Phase.PURGE),
        Thing(KAI, "account", OPEN, CLOSED, Phase.SEAL),
    ]
    far = FarSide(things)
    plan = stage.plan(far)
    outcome = stage.run(plan)
    listed = [(key, one.before.state["value"], one.after.state["value"]) for key, one in outcome.progress.items()]
    assert listed == [(far.step(one).key, far.first[far.step(one).key], one.goal) for one in things]
    undone = stage.undo(plan)
    assert [key for verb, key in far.calls if verb == "undo"] == [
        step.key for step in reversed(plan.steps) if step.undo is not None
    ]
    assert undone.complete
    assert undone.left == {far.step(things[1]).key: {"en": "cannot be taken back", "ja": "元に戻せません"}}
    for thing in far.things.values():
        assert thing.value == (GONE if not thing.undo else far.first[far.step(thing).key])
    assert [one.reached for one in (known.after for known in undone.progress.values())] == [True] * 6
    assert len(stage.receipts("undo")) == len(stage.receipts("restored")) == 5
    assert verify(stage.store).deviations == []


def test_an_undo_of_some_leaves_the_others_and_running_again_takes_a_new_approval(stage):
    far = FarSide([Thing(KAI, "a"), Thing(KAI, "b")])
    plan = stage.plan(far)
    stage.run(plan)
    first = plan.steps[0].key
    assert states(stage.undo(plan, [first])) == ["undone", "verified"]
    with pytest.raises(NotApprovedError):
        stage.run(plan)
    approve(stage.store, plan, who="Aoi", why="it was the owner after all, but now it is not")
    far.things[first].value = "open, and changed by its owner"
    outcome = stage.run(plan)
    assert states(outcome) == ["verified", "verified"]
    assert outcome.progress[first].before.state["value"] == "open, and changed by its owner"
    stage.undo(plan)
    assert far.things[first].value == "open, and changed by its owner"


def test_an_undo_is_a_decision_with_a_name_and_a_reason(stage, store, case):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    with pytest.raises(UsageError, match="a name and a reason"):
        undo(store, plan, [far], who="Aoi", why="", case=case)
    with pytest.raises(UsageError, match="has no step far/close/nobody"):
        undo(store, plan, [far], ["far/close/nobody"], who="Aoi", why="a slip", case=case)
    assert far.count("undo") == 0


def test_an_undo_that_is_a_lie_is_not_believed_and_goes_on_the_next_time(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    scripted(far, "undo", Answer("200"))
    undone = stage.undo(plan)
    assert (states(undone), undone.complete) == (["undo-failed"], False)
    assert states(stage.undo(plan)) == ["undone"]
    assert far.things[plan.steps[0].key].value == "forward to drop@far.example"


def test_an_undo_that_is_refused_says_what_to_do_instead(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    scripted(far, "undo", RefusedError("the rule is not ours to write", "write it anew in the mailbox"))
    undone = stage.undo(plan)
    assert states(undone) == ["undo-failed"]
    assert "write it anew in the mailbox" in undone.progress[plan.steps[0].key].says


def test_an_undo_without_its_connector_is_not_complete(stage):
    one, two = FarSide([Thing(KAI, "a")], "one"), FarSide([Thing(KAI, "b")], "two")
    plan = stage.plan(one, two)
    stage.run(plan)
    assert not stage.undo(plan, None, one).complete


def test_what_the_far_side_did_though_it_refused_is_ours_to_take_back(stage):
    far = FarSide([RULE])

    def do(step, _before, _since):
        far.things[step.key].value = GONE
        raise RefusedError("403 of a proxy in between", "ask its owner")

    far.do = do
    plan = stage.plan(far)
    assert states(stage.run(plan)) == ["verified"]
    assert states(stage.undo(plan)) == ["undone"]
    assert far.things[plan.steps[0].key].value == "forward to drop@far.example"


def test_what_may_have_been_done_before_it_was_refused_is_taken_back_too(stage):
    far = FarSide([RULE])
    answers = [LaterError("the connection broke"), RefusedError("it says no", "ask its owner")]

    def do(step, _before, _since):
        far.things[step.key].value = GONE
        raise answers.pop(0)

    far.do = do
    scripted(far, "verify", *[Reading(False, {}, "as it was, to a reader who comes too early")] * 2)
    plan = stage.plan(far)
    assert states(stage.run(plan)) == ["refused"]
    assert states(stage.undo(plan)) == ["undone"]
    assert far.things[plan.steps[0].key].value == "forward to drop@far.example"


def test_what_was_only_ever_refused_is_not_touched_by_an_undo(stage):
    far = FarSide([Thing(KAI, "rule", refuses=True)])
    plan = stage.plan(far)
    assert states(stage.run(plan)) == ["refused"]
    assert stage.undo(plan).left[plan.steps[0].key]["en"] == "nothing was done"
    assert far.count("undo") == far.count("restored") == 0


def test_what_the_far_side_said_it_did_gets_time_to_show_in_the_next_run_too(stage):
    far = FarSide([RULE])
    early = Reading(False, {}, "as it was, to a reader who comes too early")
    scripted(far, "verify", *[early] * 8)
    plan = stage.plan(far)
    assert states(stage.run(plan, step=2)) == ["not-verified"]
    assert states(stage.run(plan)) == ["verified"]
    assert far.count("do") == 1


def test_an_undo_that_died_after_it_was_done_is_not_done_again(stage):
    far = FarSide([RULE])
    plan = stage.plan(far)
    stage.run(plan)
    usual = far.undo

    def undo_and_die(*given):
        usual(*given)
        raise KeyboardInterrupt

    far.undo = undo_and_die
    with pytest.raises(KeyboardInterrupt):
        stage.undo(plan)
    assert progress_of(stage.store, plan)[plan.steps[0].key].state == State.UNDOING
    far.undo = usual
    assert states(stage.undo(plan)) == ["undone"]
    assert far.count("undo") == 1


def test_a_deed_that_nobody_saw_is_taken_back_even_where_a_reading_shows_nothing_of_it_yet(stage):
    far = FarSide([RULE])
    early = Reading(False, {}, "as it was, to a reader who comes too early")
    scripted(far, "verify", early)

    def do(step, _before, _since):
        far.things[step.key].value = GONE
        raise ConnectorError("the connection broke")

    far.do = do
    plan = stage.plan(far)
    assert states(stage.run(plan)) == ["failed"]
    scripted(far, "undo", LaterError("429", 9999))
    assert states(stage.undo(plan)) == ["undoing"]
    scripted(far, "restored", Reading(True, {}, "as it was, to a reader who comes too early"))
    assert states(stage.undo(plan)) == ["undone"]
    assert far.things[plan.steps[0].key].value == "forward to drop@far.example"
