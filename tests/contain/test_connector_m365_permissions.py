# SPDX-License-Identifier: Apache-2.0
"""The connector holds its permissions: no fewer than it needs, no more, and each of them really needed."""

import json
from pathlib import Path

import pytest
from m365_stage import Stage, private_key

from hikeshi.basics.secrets import Secret
from hikeshi.contain.connectors.m365 import PLUGIN
from hikeshi.contain.connectors.m365.options import options
from hikeshi.contain.connectors.m365.permissions import (
    DEFAULT_OPERATIONS,
    METHODS,
    OF_MAILBOXES,
    OPERATIONS,
    hold,
    needed,
)
from hikeshi.contain.connectors.m365.setup import setup, teardown
from hikeshi.contain.contract import ConnectorError, RefusedError
from hikeshi.testing.graph import Fault, transport

FACTS = json.loads((Path(__file__).parent.parent / "data" / "graph" / "facts.json").read_text("utf-8"))
LEAST = {name for fact in FACTS["permissions"] for name in fact["least"]}


def test_every_permission_is_a_least_one_of_microsofts():
    """Reading rules comes with deleting them, so the one reading permission beside it is never asked for."""
    assert set(needed(OPERATIONS)) | {"MailboxSettings.Read", "Mail.ReadBasic.All", "Directory.Read.All"} == LEAST


@pytest.mark.parametrize("operation", sorted({*OPERATIONS} - {"runbook"}))
def test_each_permission_of_an_operation_is_enough_with_the_others_and_needed(operation):
    least = needed([operation])
    assert failures(operation, least) == 0
    for taken in least:
        assert failures(operation, [one for one in least if one != taken]) > 0, taken


def failures(operation, roles):
    """How many looks and steps of an operation are refused to an application of these roles."""
    stage = Stage(roles=list(roles))
    for kind in METHODS:
        stage.tenant.add_method(stage.anna, kind, created=stage.clock())
    connector = stage.connector(operations=[operation])
    refused = 0
    try:
        look = connector.look(stage.target)
    except RefusedError:
        return 1
    refused += sum("could not be looked at" in gap["en"] or " 403 " in gap["en"] for gap in look.gaps)
    for step in look.steps:
        try:
            before = connector.probe(step)
            connector.do(step, before, stage.clock())
            assert connector.verify(step, before, stage.clock()).reached is not None
            if step.undo:
                connector.undo(step, before)
        except RefusedError:
            refused += 1
    connector.close()
    return refused


@pytest.mark.parametrize("more", ["Directory.ReadWrite.All", "Mail.Send", "Some.New.Permission", "User.ReadWrite.All"])
def test_with_more_than_it_needs_it_refuses_to_start(more):
    stage = Stage()
    stage.tenant.roles.append(more)
    connector = stage.connector()
    with pytest.raises(ConnectorError, match=more):
        connector.check()
    connector.close()


def test_with_less_it_says_what_will_not_work():
    stage = Stage()
    stage.tenant.roles.remove("User.RevokeSessions.All")
    connector = stage.connector()
    with pytest.raises(ConnectorError, match=r"User.RevokeSessions.All \(without it: no sessions\)"):
        connector.check()
    connector.close()


def test_permissions_of_mailboxes_can_come_from_exchange_and_then_must_not_be_in_the_token():
    least = needed(DEFAULT_OPERATIONS)
    scoped = [one for one in least if one not in OF_MAILBOXES]
    hold(scoped, DEFAULT_OPERATIONS, exchange_rbac=True)
    with pytest.raises(ConnectorError, match=r"Mail\.ReadWrite"):
        hold(least, DEFAULT_OPERATIONS, exchange_rbac=True)
    with pytest.raises(ConnectorError, match=r"lacks Mail"):
        hold(scoped, DEFAULT_OPERATIONS, exchange_rbac=False)


@pytest.mark.parametrize(
    "wrong",
    [
        {"graph": "http://graph.example.test"},
        {"authority": "login"},
        {"operations": ["everything"]},
        {"operations": []},
    ],
)
def test_settings_that_make_no_sense_are_refused(wrong):
    with pytest.raises(ConnectorError):
        options(Stage().settings(**wrong))


def test_a_key_that_is_none_is_not_quoted():
    stage = Stage()
    connector = stage.connector(certificate=Secret("not a key at all"))
    with pytest.raises(ConnectorError) as caught:
        connector.check()
    assert "not a key at all" not in repr(caught.value) + repr(caught.value.__cause__)
    connector.close()


def test_a_file_of_trust_that_is_not_there_is_said(tmp_path):
    with pytest.raises(ConnectorError, match="ca_file"):
        PLUGIN.connect(Stage().settings(ca_file=str(tmp_path / "none.pem")))


def test_setup_names_each_permission_and_how_to_give_it():
    text = setup(Stage().settings())
    assert all(one in text for one in needed(DEFAULT_OPERATIONS))
    assert "IdentityRiskyUser" not in text
    assert "New-MgServicePrincipalAppRoleAssignment" in text
    assert "az ad app permission" in text
    assert "'Application Mail.ReadWrite'" in text
    assert private_key() not in text


def test_setup_with_scoped_mailboxes_leaves_them_out_of_entra():
    text = setup(Stage().settings(exchange_rbac=True))
    line = next(line for line in text.splitlines() if line.strip().startswith("foreach ($name in"))
    assert "Mail.ReadWrite" not in line
    assert "'User.Read.All'" in line
    assert "must NOT" in text


def own_assignments(stage):
    return [one for one in stage.directory.assignments.values() if one["principalId"] == stage.tenant.own_principal]


def test_teardown_without_execute_touches_nothing():
    stage = Stage()
    text = teardown(stage.settings(), False, transport(stage.tenant))
    assert stage.tenant.requests == []
    assert "Remove-MgServicePrincipalAppRoleAssignment" in text


def test_teardown_takes_its_own_rights_away_the_right_to_do_so_last():
    stage = Stage()
    held = len(own_assignments(stage))
    text = teardown(stage.settings(), True, transport(stage.tenant))
    deletes = [path.rpartition("/")[2] for method, path in stage.tenant.requests if method == "DELETE"]
    assert own_assignments(stage) == []
    assert len(deletes) == held
    assert text.index("AppRoleAssignment.ReadWrite.All.") > text.index("Taken away")
    assert "Nothing is held any more" in text
    assert stage.bad_role in stage.directory.assignments


def test_teardown_says_what_is_left_when_graph_lies():
    stage = Stage()
    stage.tenant.faults.append(Fault("lies"))
    text = teardown(stage.settings(), True, transport(stage.tenant))
    assert len(own_assignments(stage)) == 1
    assert "Still held" in text


def test_teardown_without_the_right_to_it_prints_what_to_do_by_hand():
    stage = Stage(roles=["User.Read.All", "User.RevokeSessions.All"])
    text = teardown(stage.settings(operations=["sessions"]), True, transport(stage.tenant))
    assert "cannot be read any more" in text
    assert "By hand" in text
    assert len(own_assignments(stage)) == 2
