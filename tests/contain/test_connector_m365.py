# SPDX-License-Identifier: Apache-2.0
"""The Microsoft 365 connector over TLS against the fake Graph: finds, does, reads, and takes back."""

import json
from collections import deque
from pathlib import Path

import httpx
import pytest
from m365_stage import ANNA, BEN, CHIE, LURE, OUTSIDE, Clock, Stage, private_key, recipient

from hikeshi.contain.connectors.m365 import M365
from hikeshi.contain.connectors.m365.options import options
from hikeshi.contain.connectors.m365.rules import content
from hikeshi.contain.contract import ConnectorError, Copies, LaterError, Phase, RefusedError, Target
from hikeshi.testing.graph import Fault, serve, transport

FACTS = json.loads((Path(__file__).parent.parent / "data" / "graph" / "facts.json").read_text("utf-8"))
ALL = ["disable", "password", "sessions", "rule", "grant", "app-role", "method", "copy"]


@pytest.fixture
def stage():
    return Stage()


@pytest.fixture
def connector(stage):
    with serve(stage.tenant) as served:
        made = M365(options(stage.settings(served.url, ca_file=served.ca_file, operations=ALL)))
        yield made
        made.close()


def steps_of(look, operation):
    return [step for step in look.steps if step.operation == operation]


def done(connector, step, clock):
    """Do one step as the engine does; give what was read before and after."""
    before, since = connector.probe(step), clock()
    connector.do(step, before, since)
    return before, connector.verify(step, before, since)


def test_a_whole_account_is_closed_and_what_can_be_taken_back_is(stage, connector):
    connector.check()
    look = connector.look(stage.target)
    before = {}
    for step in sorted(look.steps, key=lambda one: one.phase):
        before[step.key], after = done(connector, step, stage.clock)
        assert after.reached, step.key
        assert connector.probe(step).reached is not False or step.operation in {"password", "sessions"}

    directory, exchange = stage.directory, stage.exchange
    assert not directory.users[stage.anna]["accountEnabled"]
    assert [user for user, _ in stage.tenant.passwords_set] == [stage.anna]
    assert set(exchange.rules[stage.anna]) == {stage.honest}
    assert set(directory.grants) == {stage.old_grant, stage.everyone}
    assert {stage.old_key, stage.undated} < set(directory.methods[stage.anna])
    assert not {stage.phone, stage.app_factor} & set(directory.methods[stage.anna])
    assert stage.folder_of(stage.ben, stage.ben_copy) == "recoverableitemsdeletions"
    assert stage.folder_of(stage.ben, stage.other_mail) == "inbox"

    for step in look.steps:
        if step.undo is None:
            with pytest.raises(RefusedError):
                connector.undo(step, before[step.key])
        else:
            connector.undo(step, before[step.key])
            assert connector.restored(step, before[step.key]).reached, step.key
    assert directory.users[stage.anna]["accountEnabled"]
    assert (stage.folder_of(stage.ben, stage.ben_copy), stage.folder_of(stage.chie, stage.chie_copy)) == (
        "inbox",
        "archive",
    )
    assert len(directory.grants) == 3


def test_every_rule_is_listed_and_undo_restores_each(stage, connector):
    """T6: nothing of a rule goes without being named, and what went comes back, twins and order included."""
    for _ in range(2):
        stage.tenant.add_rule(stage.anna, "twin", actions={"redirectTo": [recipient(OUTSIDE)]}, sequence=9)
    rules = {key: dict(rule) for key, rule in stage.exchange.rules[stage.anna].items()}
    look = connector.look(stage.target)
    steps = steps_of(look, "rule")
    named = {step.object for step in steps} | {one.object for one in look.shown}
    assert set(rules) <= named
    assert {step.object for step in steps} == set(rules) - {stage.honest}
    before = {step.key: done(connector, step, stage.clock)[0] for step in steps}
    assert all(before[step.key].state["rule"] == rules[step.object] for step in steps)
    for step in steps:
        connector.undo(step, before[step.key])
        connector.undo(step, before[step.key])
        assert connector.restored(step, before[step.key]).reached
    now = stage.exchange.rules[stage.anna].values()
    assert sorted(map(repr, map(content, now))) == sorted(map(repr, map(content, rules.values())))
    assert sorted(rule["sequence"] for rule in now) == sorted(rule["sequence"] for rule in rules.values())


def test_a_rule_that_the_intruder_makes_again_is_no_closed_door(stage, connector):
    step = next(one for one in steps_of(connector.look(stage.target), "rule") if one.object == stage.forwarding)
    before, after = done(connector, step, stage.clock)
    assert after.reached
    stage.tenant.add_rule(stage.anna, ".", actions=before.state["rule"]["actions"])
    again = connector.verify(step, before, stage.clock())
    assert again.reached is False
    assert "somebody is still in" in again.says


def test_what_is_left_alone_is_shown_with_its_reason(stage, connector):
    shown = {one.object: one.why_not["en"] for one in connector.look(stage.target).shown}
    assert "no mail out" in shown[stage.honest]
    assert "before the intruder" in shown[stage.old_key]
    assert "no time" in shown[stage.undated]
    assert "before the intruder" in shown[stage.old_grant]
    assert "before the intruder" in shown[stage.old_role]
    assert "a person decides" in shown[stage.everyone]


def test_a_read_only_rule_goes_to_a_person(stage, connector):
    locked = stage.tenant.add_rule(stage.anna, "x", actions={"forwardTo": [recipient(OUTSIDE)]}, isReadOnly=True)
    look = connector.look(stage.target)
    assert locked not in {step.object for step in look.steps}
    assert "read-only" in next(one for one in look.shown if one.object == locked).why_not["en"]


@pytest.mark.parametrize("domain", ["EXAMPLE.test", "mail.example.test"])
def test_a_forward_inside_stays(stage, connector, domain):
    inside = stage.tenant.add_rule(stage.anna, "to ben", actions={"forwardTo": [recipient(f"ben@{domain}")]})
    assert inside not in {step.object for step in connector.look(stage.target).steps}


def test_of_a_synchronised_account_sign_in_is_left_to_active_directory():
    stage = Stage(synced=True)
    connector = stage.connector(operations=ALL)
    look = connector.look(stage.target)
    assert not steps_of(look, "disable") + steps_of(look, "password")
    assert len(steps_of(look, "sessions")) == 1
    assert {one.object for one in look.shown if "Active Directory" in one.why_not["en"]} == {"disable", "password"}
    connector.close()


def test_a_guest_is_shown_and_not_touched():
    stage = Stage(guest=True)
    connector = stage.connector()
    look = connector.look(stage.target)
    assert {step.operation for step in look.steps} == {"copy"}
    assert "another organisation" in look.shown[0].why_not["en"]
    connector.close()


def test_an_account_that_is_not_here_is_a_gap(stage, connector):
    look = connector.look(Target("nobody@example.test", stage.since, stage.clock()))
    assert (look.steps, look.shown) == ((), ())
    assert "nobody in this tenant" in look.gaps[0]["en"]


def test_an_alias_finds_its_owner_and_the_mailbox_of_a_copy(stage, connector):
    for user, alias in ((stage.anna, "a.sato@example.test"), (stage.ben, "b@example.test")):
        stage.directory.users[user]["proxyAddresses"].append(f"smtp:{alias}")
    look = connector.look(
        Target("a.sato@example.test", stage.since, stage.clock(), copies=(Copies("b@example.test", (LURE,)),))
    )
    assert {step.detail["user"] for step in look.steps} == {stage.anna, stage.ben}


def test_copies_that_are_not_there_and_mailboxes_that_are_not_ours_are_named(stage, connector):
    copies = (Copies(BEN, (LURE, "never@mail.example.test")), Copies("x@example.org", (LURE,)))
    look = connector.look(Target(ANNA, stage.since, stage.clock(), copies=copies))
    assert {(step.account, step.object) for step in steps_of(look, "copy")} == {(BEN, LURE)}
    assert "never@mail.example.test" in {one.object for one in look.shown}
    assert any("x@example.org" in gap["en"] for gap in look.gaps)


def test_a_copy_that_arrives_late_is_moved_too_and_goes_back_to_the_inbox(stage, connector):
    step = next(one for one in connector.look(stage.target).steps if one.account == CHIE)
    before = connector.probe(step)
    late = stage.tenant.add_message(stage.chie, LURE, "junkemail")
    gone_before = stage.tenant.add_message(stage.chie, LURE, "recoverableitemsdeletions")
    before.state["deleted"].append(gone_before)
    connector.do(step, before, stage.clock())
    assert connector.verify(step, before, stage.clock()).reached
    connector.undo(step, before)
    assert stage.folder_of(stage.chie, late) == "inbox"
    assert stage.folder_of(stage.chie, stage.chie_copy) == "archive"
    assert stage.folder_of(stage.chie, gone_before) == "recoverableitemsdeletions"


def test_a_copy_that_is_kept_no_longer_cannot_be_brought_back(stage, connector):
    step = next(one for one in connector.look(stage.target).steps if one.account == BEN)
    before, _ = done(connector, step, stage.clock)
    del stage.exchange.messages[stage.ben][stage.ben_copy]
    with pytest.raises(RefusedError, match="kept no longer"):
        connector.undo(step, before)
    assert connector.restored(step, before).reached is False


def test_the_default_method_goes_last(stage, connector):
    stage.directory.default_method[stage.anna] = stage.phone
    steps = {step.object: step for step in steps_of(connector.look(stage.target), "method")}
    with pytest.raises(LaterError, match="default"):
        done(connector, steps[stage.phone], stage.clock)
    for other in (stage.app_factor, stage.old_key, stage.undated):
        del stage.directory.methods[stage.anna][other]
    assert done(connector, steps[stage.phone], stage.clock)[1].reached


def test_one_refused_look_does_not_spoil_the_others(stage):
    stage.tenant.roles.remove("UserAuthenticationMethod.Read.All")
    connector = stage.connector(operations=ALL)
    look = connector.look(stage.target)
    assert any("method could not be looked at" in gap["en"] for gap in look.gaps)
    assert {step.operation for step in look.steps} == {*ALL} - {"method"}
    connector.close()


def test_phases_stop_before_they_clean(stage, connector):
    phases = {step.operation: step.phase for step in connector.look(stage.target).steps}
    assert phases["disable"] == phases["password"] == Phase.STOP
    assert phases["sessions"] == Phase.CLOSE
    assert {phases[name] for name in ("rule", "grant", "app-role", "method")} == {Phase.CLEAN}
    assert phases["copy"] == Phase.PURGE


@pytest.mark.parametrize(("kind", "seconds"), [("throttled", 7.0), ("unavailable", 7.0), ("drop-before", None)])
def test_not_now_says_how_long(stage, connector, kind, seconds):
    connector.check()
    stage.tenant.faults.append(Fault(kind, seconds=7))
    with pytest.raises(LaterError) as caught:
        connector.look(stage.target)
    assert caught.value.seconds == seconds


def test_a_throttled_part_of_a_batch_is_not_now(stage, connector):
    stage.tenant.faults = deque([Fault("partial")])
    with pytest.raises(LaterError) as caught:
        connector.look(stage.target)
    assert caught.value.seconds == 1


@pytest.mark.parametrize(
    "operation", ["disable", "password", "sessions", "rule", "grant", "app-role", "method", "copy"]
)
def test_an_answer_of_success_is_no_proof(stage, connector, operation):
    step = steps_of(connector.look(stage.target), operation)[0]
    before, since = connector.probe(step), stage.clock()
    stage.tenant.faults.append(Fault("lies"))
    assert connector.do(step, before, since).says.startswith("20")
    assert not connector.verify(step, before, since).reached


def test_a_password_that_was_changed_before_is_not_ours(stage, connector):
    step = steps_of(connector.look(stage.target), "password")[0]
    stage.directory.users[stage.anna]["lastPasswordChangeDateTime"] = "2026-11-02T08:59:00Z"
    before = connector.probe(step)
    assert before.reached is False
    assert connector.verify(step, before, stage.clock()).reached is False


def test_the_answer_carries_the_request_id_and_no_text_a_secret(stage, connector):
    step = steps_of(connector.look(stage.target), "password")[0]
    before, since = connector.probe(step), stage.clock()
    answer = connector.do(step, before, since)
    assert "request-id" in answer.says
    stage.directory.users[stage.anna]["onPremisesSyncEnabled"] = True
    with pytest.raises(RefusedError) as caught:
        connector.do(step, before, since)
    password = stage.tenant.passwords_set[0][1]
    texts = repr(
        (step, before, answer, caught.value, connector, vars(connector), connector.verify(step, before, since))
    )
    assert password not in texts
    assert "eyJ" not in texts
    assert private_key() not in texts
    assert len(password) == 32


def test_confirming_the_compromise_is_asked_for_by_name():
    stage = Stage(roles=["User.Read.All", "IdentityRiskyUser.ReadWrite.All"])
    connector = stage.connector(operations=["risk"])
    connector.check()
    (step,) = [one for one in connector.look(stage.target).steps if one.operation == "risk"]
    assert done(connector, step, stage.clock)[1].reached
    assert stage.directory.risky[stage.anna]["riskState"] == "confirmedCompromised"
    connector.close()


def test_what_is_sent_are_names_of_the_metadata(stage):
    """Every $select and every property of a body that the connector sends is in Microsoft's metadata."""
    sent = []

    inner = transport(stage.tenant)

    def heard(request):
        if request.url.path.startswith("/v1.0"):
            sent.append((request.method, request.url, request.read()))
        return inner.handle_request(request)

    connector = M365(options(stage.settings(operations=ALL)), httpx.MockTransport(heard))
    for step in connector.look(stage.target).steps:
        before, _ = done(connector, step, stage.clock)
        if step.undo:
            connector.undo(step, before)
    connector.close()
    known = {name for names in FACTS["properties"].values() for name in names}
    selects = {name for _, url, _ in sent for name in url.params.get("$select", "id").split(",")}
    bodies = [json.loads(body) for method, url, body in sent if method != "GET" and body and "$batch" not in url.path]
    assert selects <= known
    assert {name for body in bodies for name in body} <= known | {"destinationId"}
    assert {name for body in bodies for name in body.get("passwordProfile", ())} <= set(
        FACTS["properties"]["passwordProfile"]
    )
    assert bodies


def test_a_next_page_elsewhere_gets_no_token(stage):
    inner, asked = transport(stage.tenant), []

    def turned(request):
        asked.append(request.url.host)
        answer = inner.handle_request(request)
        if request.url.path.endswith("messageRules"):
            return httpx.Response(200, json={"value": [], "@odata.nextLink": "https://evil.example/v1.0/x"})
        return answer

    connector = M365(options(stage.settings(operations=["rule"])), httpx.MockTransport(turned))
    with pytest.raises(ConnectorError, match="none of its own"):
        connector.look(stage.target)
    assert set(asked) == {"graph.example.test"}
    connector.close()


def test_retry_after_may_be_a_date(stage):
    inner = transport(stage.tenant)

    def throttling(request):
        if request.url.path.startswith("/v1.0"):
            return httpx.Response(429, headers={"retry-after": "Wed, 21 Oct 2015 07:28:00 GMT"}, json={})
        return inner.handle_request(request)

    connector = M365(options(stage.settings()), httpx.MockTransport(throttling))
    with pytest.raises(LaterError) as caught:
        connector.look(stage.target)
    assert caught.value.seconds == 0
    connector.close()


def test_a_token_that_is_too_old_is_asked_for_anew():
    clock = Clock()
    stage = Stage(clock=clock)
    connector = stage.connector(operations=["disable"])
    connector.look(stage.target)
    clock.sleep(2 * 3600)
    assert connector.look(stage.target).steps
    connector.close()


def test_a_tenant_without_the_right_certificate_gives_no_token():
    stage = Stage()
    stage.tenant.thumbprint = "b2" * 20
    connector = stage.connector()
    with pytest.raises(ConnectorError, match="AADSTS700027"):
        connector.check()
    connector.close()
