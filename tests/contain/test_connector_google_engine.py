# SPDX-License-Identifier: Apache-2.0
"""The connector under the engine of contain: plan, approve, run, recheck, undo, with the case's own ledger."""

import copy
import random
from datetime import UTC, datetime, timedelta

import google_stage as stage
import pytest
from google_stage import ADMIN, ANNA, BOB, DROP

from hikeshi.cases.store import open_store
from hikeshi.contain.approval import approve
from hikeshi.contain.configuration import connect, read_configuration
from hikeshi.contain.journal import State
from hikeshi.contain.limits import Limits
from hikeshi.contain.patience import Patience
from hikeshi.contain.plan import make_plan, remember
from hikeshi.contain.recheck import recheck
from hikeshi.contain.run import run
from hikeshi.contain.undo import undo
from hikeshi.testing.google import Fault, serve

WHY = {"who": "Aoi Sato", "why": "the mailbox is taken over"}


def patience():
    return Patience(60, 600, sleep=lambda _seconds: None)


def planned(store, connector):
    plan = make_plan([stage.target()], [connector], Limits(), datetime.now(UTC))
    remember(store, plan)
    approve(store, plan, **WHY)
    return plan


def test_from_the_connectors_file_to_the_closed_account_and_back(tmp_path):
    made = stage.taken_over()
    original = copy.deepcopy(made.state["users"])
    with serve(made) as served, open_store(tmp_path / "case") as store:
        key = tmp_path / "key.json"
        key.write_text(made.key.text(served.token_url))
        key.chmod(0o600)
        file = tmp_path / "connectors.toml"
        file.write_text(
            f'[google]\nadmin = "{ADMIN}"\nkey_file = "key.json"\n'
            f'directory_url = "{served.url}"\ngmail_url = "{served.url}"\n'
        )
        (connector,) = connect(read_configuration(file))
        try:
            plan = planned(store, connector)
            outcome = run(store, plan, [connector], case=tmp_path / "case", patience=patience())
            assert outcome.complete, {key: one.state for key, one in outcome.progress.items()}
            assert made.user(ANNA)["user"]["suspended"]
            # T8: of a suspended mailbox a later reading tells nothing, and takes nothing back of what was seen
            again = recheck(store, plan, [connector], datetime.now(UTC) + timedelta(minutes=16), case=tmp_path / "case")
            assert not again.reopened
            assert {one.step.operation for one in again.unread} == {
                *("auto-forwarding filter forwarding-address send-as reply-to".split())
            }
            undo(store, plan, [connector], case=tmp_path / "case", patience=patience(), **WHY)
            made.confirm(ANNA, DROP)
            made.confirm(ANNA, "anna@example.org")
            undone = undo(store, plan, [connector], case=tmp_path / "case", patience=patience(), **WHY)
            assert undone.complete, {key: one.state for key, one in undone.progress.items()}
        finally:
            connector.close()
        told = "\n".join(str(entry.body) for entry in store.entries())
    assert made.user(ANNA)["autoForwarding"] == original[ANNA]["autoForwarding"]
    assert len(made.user(ANNA)["filters"]) == len(original[ANNA]["filters"])
    assert not [token for token in made.tokens if token in told]
    assert made.user(ANNA)["password"] not in told
    assert not [code for code in original[ANNA]["codes"] if code in told]


@pytest.mark.parametrize("seed", range(12))
def test_through_faults_the_engine_ends_where_an_undisturbed_run_ends_and_says_nothing_that_is_not_so(tmp_path, seed):
    dice = random.Random(seed)
    made = stage.taken_over()
    kinds = [
        *("throttled rate-limited unavailable drop-before".split()),
        *("drop-after fails-after lies late vanishes".split()),
    ]
    with stage.beside(made) as connector, open_store(tmp_path / "case") as store:
        plan = planned(store, connector)
        seal = next(step.key for step in plan.steps if step.operation == "suspend")
        for turn in range(12):
            count = 0 if turn > 4 else dice.randint(0, 12)
            made.faults.extend(Fault(dice.choice(kinds), seconds=1, reads=dice.randint(1, 4)) for _ in range(count))
            outcome = run(store, plan, [connector], case=tmp_path / "case", patience=patience())
            if outcome.complete:
                break
            if barred := [one for one in outcome.progress.values() if one.state == State.REFUSED]:
                # what was still open when the account was suspended: the refusal says what to do, and it is done
                assert all("take the suspension back" in one.says for one in barred)
                undo(store, plan, [connector], [seal], case=tmp_path / "case", patience=patience(), **WHY)
                approve(store, plan, **WHY)
        assert outcome.complete, {key: (one.state, one.says) for key, one in outcome.progress.items()}
    anna = made.user(ANNA)
    assert (anna["codes"], anna["user"]["suspended"], anna["autoForwarding"]["enabled"]) == ([], True, False)
    assert list(anna["tokens"]) == ["calendar.apps.example"]
    assert (list(anna["forwardingAddresses"]), list(anna["sendAs"]), len(anna["filters"])) == ([BOB], [ANNA], 2)
