# SPDX-License-Identifier: Apache-2.0
import copy
import json
from datetime import UTC, datetime, timedelta

import google_stage as stage
import pytest
from google_stage import ADMIN, ANNA, BOB, DROP, LURE, SINCE

from hikeshi.contain.contract import ConnectorError, Copies, LaterError, Phase, Reading, RefusedError, Step
from hikeshi.testing.google import Fault

#: what every invented person's password is at first
OWNERS = "the owner's"


def closed(connector, step):
    """Carry one step through, as the engine does; gives what was before."""
    before = connector.probe(step)
    connector.do(step, before, datetime.now(UTC))
    assert connector.verify(step, before, datetime.now(UTC)).reached is True, step.key
    return before


def step_of(look, operation, thing=...):
    found = [one for one in look.steps if one.operation == operation and thing in (..., one.object)]
    assert len(found) == 1, (operation, [one.key for one in look.steps])
    return found[0]


@pytest.fixture
def made():
    return stage.taken_over()


@pytest.fixture
def connector(made):
    with stage.connected(made) as made_connector:
        yield made_connector


def test_the_whole_account_is_closed_and_verified_by_readings_and_the_owners_own_things_stay(made, connector):
    connector.check()
    look = connector.look(stage.target())
    for step in look.steps:
        closed(connector, step)
    anna = made.user(ANNA)
    assert anna["password"] != OWNERS
    assert (anna["sessions"], anna["codes"], anna["user"]["suspended"]) == ([], [], True)
    assert list(anna["tokens"]) == ["calendar.apps.example"]
    assert anna["autoForwarding"] == {"enabled": False}
    assert [one["criteria"]["from"] for one in anna["filters"].values()] == ["news@example.org", "boss@example.test"]
    assert (list(anna["forwardingAddresses"]), list(anna["delegates"]), list(anna["sendAs"])) == ([BOB], [BOB], [ANNA])
    assert "replyToAddress" not in anna["sendAs"][ANNA]
    labels = {one["rfc822"]: set(one["labelIds"]) for one in made.user(BOB)["messages"].values()}
    assert "TRASH" in labels[LURE]
    assert labels["honest@mail.example.test"] == {"INBOX"}


def test_t6_every_object_is_listed_before_anything_is_done_and_an_undo_restores_each(made, connector):
    before = copy.deepcopy(made.user(ANNA))
    bobs = copy.deepcopy(made.user(BOB)["messages"])
    look = connector.look(stage.target())
    named = {(one.operation, one.object) for one in look.steps} | {
        tuple(one.object.split(" ", 1)) for one in look.shown if " " in one.object
    }
    for kind, operation in (
        ("filters", "filter"),
        ("forwardingAddresses", "forwarding-address"),
        ("delegates", "delegate"),
        ("tokens", "token"),
    ):
        for key in before[kind]:
            assert (operation, key) in named
    done = [(step, closed(connector, step)) for step in look.steps]
    for step, reading in reversed(done):
        if step.undo is None:
            with pytest.raises(RefusedError):
                connector.undo(step, reading)
            continue
        try:
            connector.undo(step, reading)
        except RefusedError:
            # Google lets nothing forward to an address whose owner has not confirmed it anew
            assert step.operation in ("filter", "auto-forwarding")
            made.confirm(ANNA, DROP)
            connector.undo(step, reading)
        if step.operation in ("forwarding-address", "send-as"):
            assert connector.restored(step, reading).reached is False
            made.confirm(ANNA, step.object)
        assert connector.restored(step, reading).reached is True, step.key
    after = made.user(ANNA)
    for kind in ("autoForwarding", "forwardingAddresses", "delegates", "sendAs", "user"):
        ignored = {"changePasswordAtNextLogin"} if kind == "user" else set()
        assert {k: v for k, v in after[kind].items() if k not in ignored} == {
            k: v for k, v in before[kind].items() if k not in ignored
        }

    def plain(filters):
        return sorted(
            json.dumps({k: v for k, v in one.items() if k != "id"}, sort_keys=True) for one in filters.values()
        )

    assert plain(after["filters"]) == plain(before["filters"])
    assert {key: set(one["labelIds"]) for key, one in made.user(BOB)["messages"].items()} == {
        key: set(one["labelIds"]) for key, one in bobs.items()
    }


def test_t8_the_suspension_comes_last_since_nobody_can_stand_in_for_a_suspended_account(made, connector):
    look = connector.look(stage.target())
    assert [step.operation for step in look.steps if step.phase is Phase.SEAL] == ["suspend"]
    assert look.steps[-1].operation == "suspend"
    assert list(look.steps) == sorted(look.steps, key=lambda step: step.phase)
    cleaning = step_of(look, "filter", next(iter(made.user(ANNA)["filters"])))
    closed(connector, step_of(look, "suspend"))
    with pytest.raises(RefusedError, match="suspended"):
        connector.probe(cleaning)


def test_t8_a_reading_of_a_suspended_accounts_mailbox_is_not_known_and_never_reached(made, connector):
    look = connector.look(stage.target())
    step = step_of(look, "filter", next(iter(made.user(ANNA)["filters"])))
    before = closed(connector, step)
    closed(connector, step_of(look, "suspend"))
    again = connector.verify(step, before, datetime.now(UTC))
    assert (again.reached, "suspended" in again.says) == (None, True)


def test_t8_of_an_account_that_is_suspended_already_the_doors_are_closed_and_the_rest_is_a_gap(made, connector):
    made.user(ANNA)["user"]["suspended"] = True
    look = connector.look(stage.target(copies=()))
    assert [step.operation for step in look.steps] == ["password", "sign-out", "token", "backup-codes"]
    assert any("suspended already" in gap["en"] for gap in look.gaps)
    for step in look.steps:
        closed(connector, step)


def test_an_account_that_google_does_not_know_is_a_gap_and_nothing_is_planned(connector):
    look = connector.look(stage.target("nobody@example.test"))
    assert look.steps == ()
    assert "nobody@example.test" in look.gaps[0]["en"]


@pytest.mark.parametrize(("days", "told"), [(181, True), (179, False)])
def test_a_time_that_googles_logs_no_longer_hold_is_a_gap(connector, days, told):
    look = connector.look(stage.target(since=datetime.now(UTC) - timedelta(days=days)))
    assert any("180 days" in gap["en"] for gap in look.gaps) is told


def test_a_super_administrator_and_the_one_acted_for_are_refused(made, connector):
    made.add_user("root@example.test", isAdmin=True)
    for account in ("root@example.test", ADMIN, ADMIN.upper()):
        with pytest.raises(RefusedError, match="super administrator"):
            connector.look(stage.target(account))


def test_who_became_a_super_administrator_after_the_plan_is_refused_as_well(made, connector):
    look = connector.look(stage.target())
    made.user(ANNA)["user"]["isAdmin"] = True
    for name in ("password", "sign-out", "suspend"):
        step = step_of(look, name)
        with pytest.raises(RefusedError, match="super administrator"):
            connector.do(step, connector.probe(step), datetime.now(UTC))
    assert made.user(ANNA)["password"] == OWNERS


def test_a_delegated_administrator_is_closed_like_anybody(made, connector):
    made.user(ANNA)["user"]["isDelegatedAdmin"] = True
    closed(connector, step_of(connector.look(stage.target()), "password"))


def test_an_account_is_found_by_its_alias_and_stood_in_for_by_its_primary_address(made, connector):
    made.user(ANNA)["user"]["aliases"] = ["a.alias@example.test"]
    look = connector.look(stage.target("a.alias@example.test"))
    assert {step.account for step in look.steps} == {"a.alias@example.test", BOB}
    closed(connector, step_of(look, "auto-forwarding"))
    assert made.user(ANNA)["autoForwarding"] == {"enabled": False}


def test_what_is_done_twice_is_done_once_and_the_second_time_is_no_error(connector):
    for step in connector.look(stage.target()).steps:
        if step.phase is Phase.SEAL:
            continue
        before = closed(connector, step)
        connector.do(step, before, datetime.now(UTC))
        assert connector.verify(step, before, datetime.now(UTC)).reached is True


def test_what_is_undone_twice_is_undone_once_and_the_second_time_is_no_error(made, connector):
    steps = [one for one in connector.look(stage.target()).steps if one.undo]
    done = [(step, closed(connector, step)) for step in steps]
    assert len(done) == 8
    for step, before in reversed(done):
        if step.operation == "filter":
            made.add_forwarding(ANNA, DROP)
        connector.undo(step, before)
        made.confirm(ANNA, str(step.object or DROP))
        connector.undo(step, before)
        assert connector.restored(step, before).reached is True, step.key


def test_what_stands_already_is_told_by_the_first_reading(made, connector):
    step = step_of(connector.look(stage.target()), "auto-forwarding")
    assert connector.probe(step).reached is False
    made.user(ANNA)["autoForwarding"] = {"enabled": False}
    assert connector.probe(step).reached is True


def test_a_filter_that_comes_back_under_another_id_is_seen_and_removed_again(made, connector):
    key, one = next(iter(made.user(ANNA)["filters"].items()))
    step = step_of(connector.look(stage.target()), "filter", key)
    before = closed(connector, step)
    made.add_filter(ANNA, one["criteria"], one["action"])
    assert connector.verify(step, before, datetime.now(UTC)).reached is False
    closed(connector, step)


def test_a_lying_success_is_never_reached(made, connector):
    for step in connector.look(stage.target()).steps:
        if step.phase is Phase.SEAL:
            continue
        before = connector.probe(step)
        made.faults.extend([Fault("lies")] * 9)
        connector.do(step, before, datetime.now(UTC))
        made.faults.clear()
        assert connector.verify(step, before, datetime.now(UTC)).reached is not True, step.key


def test_a_password_is_proven_by_the_audit_log_where_the_mark_stood_before(made, connector):
    made.user(ANNA)["user"]["changePasswordAtNextLogin"] = True
    step = step_of(connector.look(stage.target()), "password")
    before = connector.probe(step)
    made.faults.append(Fault("lies"))
    connector.do(step, before, datetime.now(UTC))
    assert connector.verify(step, before, datetime.now(UTC)).reached is None
    connector.do(step, before, datetime.now(UTC))
    assert connector.verify(step, before, datetime.now(UTC)).reached is True


def test_a_password_set_by_an_administrator_since_does_not_reopen_the_step(made, connector):
    step = step_of(connector.look(stage.target()), "password")
    before = closed(connector, step)
    made.user(ANNA)["user"]["changePasswordAtNextLogin"] = False
    assert connector.verify(step, before, datetime.now(UTC)).reached is True


def test_a_sign_out_of_before_proves_nothing(made, connector):
    made.log("admin", ADMIN, "RESET_SIGNIN_COOKIES", {"USER_EMAIL": ANNA}, datetime.now(UTC) - timedelta(minutes=5))
    made.log("admin", ADMIN, "RESET_SIGNIN_COOKIES", {"USER_EMAIL": BOB}, datetime.now(UTC) + timedelta(minutes=5))
    step = step_of(connector.look(stage.target()), "sign-out")
    before = connector.probe(step)
    assert connector.verify(step, before, datetime.now(UTC)).reached is None
    closed(connector, step)


def test_googles_clock_counts_and_not_this_machines(made, connector):
    made.now = lambda: datetime.now(UTC) - timedelta(minutes=4)
    step = step_of(connector.look(stage.target(copies=())), "sign-out")
    before = connector.probe(step)
    since = datetime.now(UTC)
    connector.do(step, before, since)
    assert connector.verify(step, before, since).reached is True


def test_an_address_that_sends_by_a_server_of_its_own_cannot_be_brought_back(made, connector):
    made.user(ANNA)["sendAs"]["anna@example.org"]["smtpMsa"] = {
        "host": "smtp.example.org",
        "port": 465,
        "securityMode": "ssl",
    }
    step = step_of(connector.look(stage.target()), "send-as")
    before = closed(connector, step)
    with pytest.raises(RefusedError, match="password"):
        connector.undo(step, before)


@pytest.mark.parametrize("message_id", ["x OR in:anywhere", 'x" OR "y', "x}{in:inbox", "x\tsubject:a", ""])
def test_a_message_id_that_is_a_search_of_its_own_is_never_searched_for(made, connector, message_id):
    look = connector.look(stage.target(copies=(Copies(BOB, (message_id,)),)))
    assert not [step for step in look.steps if step.operation == "copies"]
    assert any("Message-ID" in gap["en"] for gap in look.gaps)
    forged = Step("google", "copies", Phase.PURGE, BOB, message_id, "", {}, None)
    with pytest.raises(RefusedError):
        connector.do(forged, Reading(False, {"copies": {}}, ""), SINCE)
    assert all("TRASH" not in one["labelIds"] for one in made.user(BOB)["messages"].values())


def test_a_mail_that_the_search_gives_though_its_message_id_differs_is_not_touched(made, connector):
    look = connector.look(stage.target())
    other = made.add_message(BOB, LURE.upper())
    made.user(BOB)["messages"][other]["rfc822"] = LURE
    step = step_of(look, "copies")
    assert len(connector.probe(step).state["copies"]) == 2
    # as if Gmail's search were looser than its word: it finds by one text and shows another
    made.user(BOB)["messages"][other]["shown"] = LURE.upper()
    assert other not in connector.probe(step).state["copies"]


def test_what_the_mailboxes_owner_wrote_is_no_copy(made, connector):
    sent = made.add_message(BOB, LURE, ["SENT"])
    step = step_of(connector.look(stage.target()), "copies")
    closed(connector, step)
    assert made.user(BOB)["messages"][sent]["labelIds"] == ["SENT"]


def test_copies_in_a_suspended_or_unknown_mailbox_are_a_gap(made, connector):
    made.user(BOB)["user"]["suspended"] = True
    look = connector.look(stage.target(copies=(Copies(BOB, (LURE,)), Copies("gone@example.test", (LURE,)))))
    says = [gap["en"] for gap in look.gaps]
    assert any(BOB in one and "suspended" in one for one in says)
    assert any("gone@example.test" in one for one in says)


def test_a_copy_that_is_gone_from_the_bin_cannot_be_brought_back_and_that_is_said(made, connector):
    step = step_of(connector.look(stage.target()), "copies")
    before = closed(connector, step)
    made.user(BOB)["messages"].clear()
    with pytest.raises(RefusedError, match="bin"):
        connector.undo(step, before)
    assert connector.restored(step, before).reached is False


def test_a_mailbox_without_gmail_is_a_gap_and_the_account_is_closed_all_the_same(made, connector):
    made.user(ANNA)["user"]["isMailboxSetup"] = False
    look = connector.look(stage.target())
    assert any("cannot be read" in gap["en"] for gap in look.gaps)
    assert {"password", "sign-out", "token", "suspend"} <= {step.operation for step in look.steps}


def test_many_copies_and_events_come_by_the_page(made, connector):
    made.page = 2
    for _ in range(5):
        made.add_message(BOB, LURE)
    for number in range(5):
        made.add_token(ANNA, f"late{number}.example", ["openid"], granted=SINCE + timedelta(minutes=number))
    look = connector.look(stage.target())
    assert len([step for step in look.steps if step.operation == "token"]) == 6
    assert len(connector.probe(step_of(look, "copies")).state["copies"]) == 6


def test_a_look_waits_through_a_storm_as_long_as_google_says_and_then_gives_up():
    made, slept = stage.taken_over(), []
    with stage.beside(made, slept.append) as connector:
        made.faults.extend([Fault("throttled", seconds=3), Fault("rate-limited"), Fault("throttled", seconds=500)])
        assert connector.look(stage.target()).steps
        assert slept == [3, 2.0, 20.0]
        made.faults.extend([Fault("unavailable")] * 9)
        with pytest.raises(LaterError):
            connector.look(stage.target())


def test_no_secret_stands_in_a_plan_a_reading_an_answer_or_an_error(made, connector):
    texts = []
    for step in connector.look(stage.target()).steps:
        before = connector.probe(step)
        answer = connector.do(step, before, datetime.now(UTC))
        after = connector.verify(step, before, datetime.now(UTC))
        texts += [repr(step), repr(before), repr(answer), repr(after)]
    made.scopes = []
    connector.client.tokens._held.clear()
    with pytest.raises(ConnectorError) as error:
        connector.check()
    told = "\n".join([*texts, str(error.value), repr(connector), repr(connector.client), repr(connector.client.tokens)])
    secrets = [*made.tokens, made.user(ANNA)["password"], "PRIVATE KEY", *stage.taken_over().user(ANNA)["codes"]]
    assert not [secret for secret in secrets if secret in told]
    assert "<secret>" in told


def test_every_step_says_what_is_asked_why_and_whether_it_can_be_undone_in_both_languages(connector):
    look = connector.look(stage.target())
    for step in look.steps:
        assert set(step.why) == {"en", "ja"}
        assert step.undo is None or set(step.undo) == {"en", "ja"}
        assert step.request.split(" ")[0] in ("PATCH", "POST", "PUT", "DELETE", "GET")
    for shown in look.shown:
        assert set(shown.what) == set(shown.why_not) == {"en", "ja"}
    assert len({step.key for step in look.steps}) == len(look.steps)
    assert json.loads(json.dumps([step.detail for step in look.steps])) == [dict(step.detail) for step in look.steps]


def test_an_operation_of_another_version_is_refused(connector):
    with pytest.raises(ConnectorError, match="plan again"):
        connector.probe(Step("google", "invented", Phase.CLEAN, ANNA, None, "", {}, None))
