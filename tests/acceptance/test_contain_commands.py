# SPDX-License-Identifier: Apache-2.0
"""`hikeshi contain` as a user runs it, against a fake Workspace on loopback: plan, approve, run, verify, undo, export."""

import json
from datetime import UTC, datetime, timedelta

import pytest
from command import hikeshi

from hikeshi.cases.store import Draft, open_store
from hikeshi.contain.connectors.google.calls import SCOPES
from hikeshi.testing.google import Domain, Fault, serve

ADMIN, ANNA, BOB = "admin@example.test", "anna@example.test", "bob@example.test"
LURE = "lure.1@mail.example.test"
SINCE = datetime.now(UTC) - timedelta(days=1)
WHY = ("--who", "Aoi", "--why", "taken over")


@pytest.fixture
def world():
    """A Workspace in which Anna's mailbox hides replies and Bob has a copy of the lure."""
    made = Domain(scopes=list(SCOPES))
    for email in (ADMIN, ANNA, BOB):
        made.add_user(email, isAdmin=email == ADMIN)
    made.add_filter(ANNA, {"query": "invoice OR payment"}, {"addLabelIds": ["TRASH"]})
    made.add_filter(ANNA, {"from": "boss@example.test"}, {"addLabelIds": ["STARRED"]})
    made.add_message(BOB, LURE, ["INBOX"])
    return made


@pytest.fixture
def stage(world, tmp_path):
    """A case that knows of Anna, and a connectors file that knows of the Workspace; give the words of every command."""
    incident = {
        "id": f"{ANNA}/1",
        "account": ANNA,
        "verdict": "takeover",
        "first_message_at": SINCE.isoformat(),
        "last_message_at": SINCE.isoformat(),
        "client_ips": ["203.0.113.7"],
        "foothold": {"since": SINCE.isoformat(), "also": [], "forwards": [], "copies": {BOB: [LURE]}, "unnamed": 0},
    }
    with open_store(tmp_path / "case") as store:
        store.append(Draft("investigation", {"org_domains": ["example.test"], "incidents": [incident]}))
    with serve(world) as served:
        key = tmp_path / "key.json"
        key.write_text(world.key.text(served.token_url))
        key.chmod(0o600)
        file = tmp_path / "connectors.toml"
        file.write_text(
            f'[google]\nadmin = "{ADMIN}"\nkey_file = "key.json"\n'
            f'directory_url = "{served.url}"\ngmail_url = "{served.url}"\n[limits]\npersons = 1\n'
        )
        yield ("--case", tmp_path / "case", "--connectors", file)


def states(run):
    return {one["key"]: one["state"] for one in json.loads(run.out)["steps"]}


def filters(world):
    return sorted(str(one["criteria"]) for one in world.user(ANNA)["filters"].values())


def test_without_execute_it_only_says_what_it_would_do(stage, world):
    run = hikeshi("contain", *stage)
    assert run.code == 0, run.err
    for said in ("google suspend", "invoice OR payment", "google filter", ANNA, BOB):
        assert said in run.out
    assert "nothing was done" in run.err
    assert not world.user(ANNA)["user"]["suspended"]
    assert len(filters(world)) == 2
    assert set(states(hikeshi("contain", "status", *stage[:2], "--json")).values()) == {"planned"}


def test_nothing_runs_before_it_is_approved(stage, world):
    hikeshi("contain", *stage)
    run = hikeshi("contain", "run", *stage)
    assert run.code == 2
    assert "is not approved" in run.err
    assert not world.user(ANNA)["user"]["suspended"]


def test_the_story_step_by_step(stage, world):
    """Plan, approve, run, verify, undo; what is the owner's own stays, and all is as before at the end."""
    before = filters(world)
    hikeshi("contain", *stage)
    assert hikeshi("contain", "approve", *stage[:2], *WHY).code == 0
    run = hikeshi("contain", "run", *stage, "--json")
    assert run.code in (0, 3), run.err
    done = {key: state for key, state in states(run).items() if state != "verified"}
    assert set(done.values()) <= {"already", "not-verified", "waiting"}, done
    assert world.user(ANNA)["user"]["suspended"]
    assert filters(world) == ["{'from': 'boss@example.test'}"]
    assert "TRASH" in next(iter(world.user(BOB)["messages"].values()))["labelIds"]
    undone = hikeshi("contain", "undo", "--all", *stage, *WHY)
    assert "cannot be taken back" in undone.err + undone.out
    assert not world.user(ANNA)["user"]["suspended"]
    assert filters(world) == before
    assert "INBOX" in next(iter(world.user(BOB)["messages"].values()))["labelIds"]
    assert hikeshi("case", "verify", *stage[:2]).code == 0
    log = hikeshi("case", "log", *stage[:2]).out
    assert world.user(ANNA)["password"] not in log
    assert "PRIVATE KEY" not in log


def test_one_command_closes_it(stage, world):
    run = hikeshi("contain", *stage, "--execute", *WHY)
    assert run.code in (0, 1, 3), run.err
    assert world.user(ANNA)["user"]["suspended"]
    assert "verified" in run.err


def test_a_door_that_is_opened_again_is_told(stage, world):
    hikeshi("contain", *stage, "--execute", *WHY)
    assert hikeshi("contain", "verify", "--due", *stage).out == ""
    world.user(ANNA)["user"]["suspended"] = False
    run = hikeshi("contain", "verify", *stage)
    assert run.code == 1
    assert "OPEN AGAIN: google/suspend" in run.err


def test_a_cloud_that_is_throttled_is_waited_for(stage, world):
    world.faults.extend(Fault("throttled", seconds=1) for _ in range(3))
    run = hikeshi("contain", *stage, "--execute", *WHY)
    assert run.code in (0, 1, 3), run.err
    assert world.user(ANNA)["user"]["suspended"]


def test_two_persons_means_two(stage, tmp_path):
    file = tmp_path / "connectors.toml"
    file.write_text(file.read_text().replace("persons = 1", "persons = 2"))
    run = hikeshi("contain", *stage, "--execute", *WHY)
    assert run.code == 2
    assert "2 people" in run.err
    assert hikeshi("contain", "approve", *stage[:2], "--who", "Ren", "--why", "seen").code == 0
    assert "2 people" in hikeshi("contain", "run", *stage).err


def test_the_plan_goes_out_as_cacao_and_permissions_are_printed(stage):
    hikeshi("contain", *stage)
    book = json.loads(hikeshi("contain", "export", *stage[:2]).out)
    assert (book["type"], book["spec_version"]) == ("playbook", "cacao-2.0")
    back = json.loads(hikeshi("contain", "export", "--undo", *stage[:2]).out)
    assert back["playbook_types"] == ["remediation"]
    setup = hikeshi("contain", "setup", "google", *stage[2:])
    assert "admin.directory.user" in setup.out
    assert hikeshi("contain", "teardown", "google", *stage[2:]).code == 0


@pytest.mark.parametrize(
    ("words", "code", "says"),
    [
        (("--execute",), 2, "--who NAME"),
        (("undo", "--who", "A", "--why", "b"), 2, "give --all"),
        (("approve", "--plan", "77", "--who", "A", "--why", "b"), 2, "no such plan"),
        (("setup", "telex"), 2, "telex"),
    ],
)
def test_what_cannot_be_done_is_said(stage, words, code, says):
    run = hikeshi(
        "contain", *words, *(stage[2:] if words[0] == "setup" else stage[:2] if words[0] == "approve" else stage)
    )
    assert run.code == code, run.err
    assert says in run.err


def test_without_a_connectors_file_it_says_what_to_write(stage, tmp_path):
    run = hikeshi("contain", *stage[:2], "--connectors", tmp_path / "none.toml")
    assert run.code == 2
    assert "none.toml" in run.err
