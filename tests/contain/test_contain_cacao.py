# SPDX-License-Identifier: Apache-2.0
"""The plan as a CACAO 2.0 playbook, held against the rules of the specification.

Rules after OASIS, CACAO Security Playbooks Version 2.0, Committee Specification 01 (docs.oasis-open.org): sections 3.1
(playbook), 4 (workflow), 5 (commands), 7 (agents and targets), 10.10 (identifiers), 10.17 (timestamps). There is no JSON schema
by the committee; the one that others keep says of itself that it is not normative.
"""

import json
import re
import uuid
from datetime import timedelta

import pytest
from farside import CLOSED, GONE, KAI, MEI, OPEN, START, FarSide, Thing, target

from hikeshi.basics.errors import UsageError
from hikeshi.contain.cacao import playbook, undo_playbook
from hikeshi.contain.contract import Look, Phase, Step
from hikeshi.contain.limits import Limits
from hikeshi.contain.plan import make_plan

IDENTIFIER = re.compile(
    r"(?P<type>[a-z][a-z0-9-]+[a-z0-9])--(?P<uuid>[0-9a-f]{8}-[0-9a-f]{4}-[1-5][0-9a-f]{3}-[89ab][0-9a-f]{3}-[0-9a-f]{12})"
)
TIMESTAMP = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z")
#: the specification's vocabularies, as far as they concern us
PLAYBOOK_TYPES = {
    "attack", "detection", "engagement", "investigation", "mitigation", "notification", "prevention", "remediation",
}  # fmt: skip
ACTIVITIES = {
    "compose-content", "deliver-content", "identify-audience", "identify-channel", "scan-system", "match-indicator",
    "analyze-collected-data", "identify-indicators", "scan-vulnerabilities", "configure-systems", "restrict-access",
    "disconnect-system", "eliminate-risk", "revert-system", "restore-data", "restore-capabilities", "map-network",
    "identify-steps", "step-sequence", "prepare-engagement", "execute-operation", "analyze-engagement-results",
}  # fmt: skip
PROPERTIES = {
    "type", "spec_version", "id", "name", "description", "playbook_types", "playbook_activities", "created_by", "created",
    "modified", "labels", "derived_from", "workflow_start", "workflow", "agent_definitions", "target_definitions",
}  # fmt: skip
COMMANDS = {
    "manual": {"type", "description", "playbook_activity", "command"},
    "http-api": {"type", "description", "playbook_activity", "command", "headers", "content"},
}
THINGS = [
    Thing(KAI, None, OPEN, CLOSED, Phase.STOP),
    Thing(KAI, "session", OPEN, GONE, Phase.CLOSE, undo=False),
    Thing(KAI, "rule", "forward", GONE),
    Thing(MEI, "lure", "INBOX", "quarantine", Phase.PURGE),
    Thing(KAI, "account", OPEN, CLOSED, Phase.SEAL),
]


def planned(*fars, now=START):
    return make_plan([target(KAI), target(MEI)], fars or [FarSide(THINGS)], Limits(), now)


def with_requests(*requests):
    far = FarSide([])
    why = {"en": "why", "ja": "理由"}
    steps = [
        Step("far", "do", Phase.CLEAN, KAI, f"{number:03}", request, why, None)
        for number, request in enumerate(requests)
    ]
    far.look = lambda one: Look(tuple(steps) if one.account == KAI else ())
    return planned(far)


def actions(book):
    """Give the actions in the order of the workflow, from its start to its end."""
    workflow = book["workflow"]
    found, at = [], workflow[book["workflow_start"]]["on_completion"]
    while workflow[at]["type"] != "end":
        found.append(workflow[at])
        at = workflow[at]["on_success"]
    return found


def hold_valid(book):
    """Hold a playbook against the rules of the specification."""
    assert set(book) <= PROPERTIES
    assert (book["type"], book["spec_version"]) == ("playbook", "cacao-2.0")
    assert all(book[name] for name in ("name", "description", "labels"))
    assert set(book["playbook_types"]) <= PLAYBOOK_TYPES
    assert TIMESTAMP.fullmatch(book["created"])
    assert TIMESTAMP.fullmatch(book["modified"])
    assert book["modified"] >= book["created"]
    hold_identifiers(book)
    hold_workflow(book)
    json.dumps(book, ensure_ascii=False).encode()


def hold_identifiers(book):
    """Each names its type; no UUID is used twice, whatever the type; steps have version 4, a playbook may have 5."""
    steps, agents, targets = (book[name] for name in ("workflow", "agent_definitions", "target_definitions"))
    defined = [book["id"], book["created_by"], *steps, *agents, *targets]
    parts = [IDENTIFIER.fullmatch(one) for one in defined]
    assert all(parts), defined
    assert len({one["uuid"] for one in parts}) == len(defined)
    for name, one in {**steps, **agents, **targets}.items():
        assert name.startswith(one["type"] + "--")
        assert uuid.UUID(IDENTIFIER.fullmatch(name)["uuid"]).version == 4
    assert book["created_by"].startswith("identity--")
    assert all(one.startswith("playbook--") for one in book.get("derived_from", ()))
    name = json.dumps(
        {"name": book["name"], "playbook_types": book["playbook_types"]}, sort_keys=True, separators=(",", ":")
    )
    assert book["id"] == f"playbook--{uuid.uuid5(uuid.UUID('aa7caf3a-d55a-4e9a-b34e-056215fba56a'), name)}"


def hold_workflow(book):
    """One start, one end, actions between; nobody points anywhere else, and every step is reached."""
    workflow = book["workflow"]
    kinds = [one["type"] for one in workflow.values()]
    assert (kinds.count("start"), kinds.count("end")) == (1, 1)
    assert set(kinds) == {"start", "action", "end"}
    assert workflow[book["workflow_start"]]["type"] == "start"
    for one in workflow.values():
        allowed = {"start": {"on_completion"}, "end": set(), "action": {"on_success", "on_failure"}}[one["type"]]
        assert {key for key in one if key.startswith("on_")} == allowed
        assert all(one[key] in workflow for key in allowed)
    found = actions(book)
    assert len(found) == kinds.count("action")
    activities = set()
    for one in found:
        assert one["agent"] in book["agent_definitions"]
        assert one["targets"]
        assert set(one["targets"]) <= set(book["target_definitions"])
        assert one["commands"]
        for command in one["commands"]:
            assert set(command) <= COMMANDS[command["type"]]
            assert command["command"]
            assert command["playbook_activity"] in ACTIVITIES
            activities.add(command["playbook_activity"])
    assert set(book["playbook_activities"]) == activities
    for one in (*book["agent_definitions"].values(), *book["target_definitions"].values()):
        assert one["name"]
        assert one["description"]
        assert one["type"] != "security-category" or one["category"]


@pytest.mark.parametrize("language", ["en", "ja"])
def test_both_playbooks_keep_the_rules(language):
    plan = planned(FarSide(THINGS), FarSide(THINGS, "other"))
    hold_valid(playbook(plan, language))
    hold_valid(undo_playbook(plan, language))


def test_there_is_one_action_a_step_in_order_and_each_ends_with_a_reading():
    plan = planned()
    found = actions(playbook(plan))
    assert [one["name"].split()[-1] for one in found] == [KAI, "session", "rule", "lure", "account"]
    for one in found:
        assert one["on_success"] == one["on_failure"], "a step that fails stops no other"
        assert one["commands"][-1]["type"] == "manual"
        assert "hold that it stands" in one["commands"][-1]["command"]


def test_the_undo_goes_backwards_leaves_out_what_cannot_be_undone_and_says_so():
    plan = planned()
    book = undo_playbook(plan)
    assert [one["name"].split()[-1] for one in actions(book)] == ["account", "lure", "rule", KAI]
    assert "Cannot be taken back: far close kai@hinode.example session" in book["description"]
    assert book["derived_from"] == [playbook(plan)["id"]]
    assert book["playbook_types"] == ["remediation"]


def test_a_plan_without_a_way_back_has_no_undo_playbook():
    assert undo_playbook(planned(FarSide([Thing(KAI, "session", undo=False)]))) is None


def test_a_plan_without_a_step_is_no_playbook():
    with pytest.raises(UsageError, match="no step"):
        playbook(planned(FarSide([])))


def test_one_plan_gives_one_playbook_and_another_plan_shares_no_name_with_it():
    first, again = playbook(planned()), playbook(planned(now=START + timedelta(hours=1)))
    assert (first["id"], first["workflow"]) == (again["id"], again["workflow"])
    other = playbook(planned(FarSide(THINGS[:3])))
    assert first["id"] != other["id"]
    assert not set(first["workflow"]) & set(other["workflow"])


@pytest.mark.parametrize(
    ("request_text", "line", "content"),
    [
        ("DELETE /users/1/messageRules/AQ==", "DELETE /users/1/messageRules/AQ== HTTP/1.1", None),
        ("POST https://graph.example.com/v1.0/a?b=1", "POST https://graph.example.com/v1.0/a?b=1 HTTP/1.1", None),
        ('PATCH /users/1 {"accountEnabled": false}', "PATCH /users/1 HTTP/1.1", '{"accountEnabled": false}'),
    ],
)
def test_what_is_plainly_one_http_request_is_an_http_command(request_text, line, content):
    plan = with_requests(request_text)
    book = playbook(plan)
    hold_valid(book)
    command = actions(book)[0]["commands"][0]
    assert (command["type"], command["command"], command.get("content")) == ("http-api", line, content)


@pytest.mark.parametrize(
    "request_text",
    [
        "doveadm kick kai@hinode.example",
        "modify uid=kai: add pwdAccountLockedTime",
        'PATCH /users/1 {"passwordProfile": {"password": "<secret>"}}',
        "DELETE /users/1\r\nHost: evil.example",
        "DELETE /users/1 HTTP/1.1",
        "PATCH /users/1 {no json}",
        "DELETE /a; DELETE /b",
        "DELETE /users/\x1b[2J",
    ],
)
def test_everything_else_is_for_a_person_to_read_first(request_text):
    book = playbook(with_requests(request_text))
    hold_valid(book)
    command = actions(book)[0]["commands"][0]
    assert command["type"] == "manual"
    assert command["command"].isprintable()
