# SPDX-License-Identifier: Apache-2.0
"""Learning from logs: as if the guard had been there, once and not twice."""

import asyncio
import itertools
from operator import attrgetter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi import model
from hikeshi.drill import scenarios
from hikeshi.drill.attacks import attack
from hikeshi.drill.scenarios import Scenario
from hikeshi.drill.style import LogStyle
from hikeshi.guard.weighing import learn as learning
from hikeshi.guard.weighing.account import Account
from hikeshi.guard.weighing.learn import Event, events, learn

_SCENARIO = Scenario("learnt", 10, 8, 5, attacks=(attack("fast", day=6),), style=LogStyle(stamps="iso"))
_ORGANISATION = model.organisation({})


class Memory:
    """A state in memory that keeps accounts as bytes, gives only the addresses asked for, and is at times too late."""

    def __init__(self):
        self.accounts, self.known, self.numbers, self.changes = {}, {}, {}, 0

    async def change(self, account, addresses, do):
        asked = {address.lower() for address in addresses}
        for _ in range(2):  # as if another process had been faster the first time
            self.changes += 1
            loaded = Account.from_bytes(self.accounts[account]) if account in self.accounts else Account()
            known = {one: time for one, time in self.known.get(account, {}).items() if one in asked}
            result = do(loaded, known)
        assert known.keys() <= asked
        self.accounts[account] = loaded.to_bytes()
        self.known.setdefault(account, {}).update(known)
        return result

    async def norm(self):
        return dict(self.numbers)

    async def set_norm(self, norm):
        self.numbers.update(norm)


def learnt(state, lake, **norm):
    return asyncio.run(learn(lake, state, _ORGANISATION, norm))


@pytest.fixture
def logs(tmp_path):
    scenarios.write(_SCENARIO, tmp_path / "drill")
    return tmp_path / "drill" / "logs"


def test_learning_leaves_what_living_through_it_leaves(lake_of, logs, monkeypatch):
    """Account by account, in parts, is what all accounts together in the order of time are."""
    monkeypatch.setattr(learning, "_CHANGE", 37)
    lake, state = lake_of(logs), Memory()
    told = learnt(state, lake, h=13.0, mails=700.0, account_days=80.0)
    accounts, known = {}, {}
    history = sorted(events(lake), key=attrgetter("time"))
    for event in history:
        event.tell(accounts.setdefault(event.account, Account()), known.setdefault(event.account, {}), _ORGANISATION)
    assert {name: Account.from_bytes(data) for name, data in state.accounts.items()} == accounts
    assert state.known == known
    assert (told.accounts, told.events, told.passed_over) == (len(accounts), len(history), 0)
    times = [event.time for event in history if event.kind == "mail"]
    assert state.numbers == {
        "h": 13.0,
        "mails": 700.0,
        "account_days": 80.0,
        "first_time": min(times),
        "learnt_until": max(times),
    }


def test_learning_twice_changes_nothing(lake_of, logs):
    lake, state = lake_of(logs), Memory()
    first = learnt(state, lake, mails=1.0)
    accounts, known, numbers = (
        dict(state.accounts),
        {name: dict(one) for name, one in state.known.items()},
        dict(state.numbers),
    )
    second = learnt(state, lake, mails=1.0)
    assert (second.events, second.passed_over) == (0, first.events)
    assert (state.accounts, state.known, state.numbers) == (accounts, known, numbers)


def test_learning_of_a_log_that_overlaps_is_learning_of_the_whole(lake_of, logs, monkeypatch):
    """First what there was by the fifth day, then all of it."""
    lake, whole, parts = lake_of(logs), Memory(), Memory()
    learnt(whole, lake)
    history = list(events(lake))
    begin = min(event.time for event in history)
    early = [event for event in history if event.time < begin + 5 * 86400]
    with monkeypatch.context() as patch:
        patch.setattr(learning, "events", lambda _: iter(early))
        learnt(parts, lake)
    told = learnt(parts, lake)
    assert told.passed_over == len(early)
    assert (parts.accounts, parts.known) == (whole.accounts, whole.known)


def test_a_run_that_dies_between_two_parts_goes_on_where_it_was(lake_of, logs, monkeypatch):
    """A part is kept whole or not at all, and none ends between two events of one moment."""
    monkeypatch.setattr(learning, "_CHANGE", 20)
    lake, whole, cut = lake_of(logs), Memory(), Memory()
    learnt(whole, lake)
    change = cut.change

    async def dying(account, addresses, do):
        if cut.changes > 60:
            raise RuntimeError
        return await change(account, addresses, do)

    cut.change = dying
    with pytest.raises(RuntimeError):
        learnt(cut, lake)
    assert cut.accounts.keys() != whole.accounts.keys()
    cut.change = change
    learnt(cut, lake)
    assert (cut.accounts, cut.known) == (whole.accounts, whole.known)


def test_accounts_of_other_domains_are_left_out(lake_of, logs):
    lake, state = lake_of(logs), Memory()
    told = asyncio.run(learn(lake, state, _ORGANISATION, {}, ["elsewhere.example"]))
    assert (told.events, state.accounts) == (0, {})
    domain = next(events(lake)).account.rpartition("@")[2]
    assert asyncio.run(learn(lake, state, _ORGANISATION, {}, [domain.upper()])).events > 0


def test_an_alias_that_was_written_to_is_known_and_no_recipient(lake_of, tmp_path):
    """The log has the addresses behind the alias; at the port the sender will write to the alias."""
    lines = [
        "postfix/submission/smtpd[11]: 4F1E229775: client=pc.example.test[192.0.2.7], sasl_method=PLAIN, sasl_username=alice@example.test",
        "postfix/cleanup[12]: 4F1E229775: message-id=<m1@pc.example.test>",
        "postfix/qmgr[13]: 4F1E229775: from=<alice@example.test>, size=441, nrcpt=1 (queue active)",
        "postfix/smtp[14]: 4F1E229775: to=<bob@example.org>, orig_to=<Team@example.test>, relay=mx.example.org[198.51.100.9]:25, delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok)",
        "postfix/qmgr[13]: 4F1E229775: removed",
    ]
    logs = tmp_path / "mail.log"
    logs.write_text("".join(f"2026-11-24T12:09:24.123456+00:00 mx {line}\n" for line in lines), "utf-8")
    state = Memory()
    learnt(state, lake_of(logs))
    assert state.known == {
        "alice@example.test": dict.fromkeys(("bob@example.org", "team@example.test"), 1795522164.123456)
    }
    assert Account.from_bytes(state.accounts["alice@example.test"]).addressed == 1


def test_a_log_without_mail_teaches_nothing(lake_of, tmp_path):
    (tmp_path / "mail.log").write_text("nothing of ours\n", "utf-8")
    state = Memory()
    assert learnt(state, lake_of(tmp_path / "mail.log"), mails=0.0).events == 0
    assert (state.accounts, state.numbers) == ({}, {})


@given(st.lists(st.integers(0, 6), max_size=60), st.integers(1, 9))
def test_no_part_ends_between_two_events_of_one_moment(steps, most):
    moments = [float(sum(steps[: number + 1]) // 3) for number in range(len(steps))]
    history = [Event("bounce", "a@example.test", moment, "") for moment in moments]
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(learning, "_CHANGE", most)
        parts = list(learning._parts(iter(history)))
    assert [event for part in parts for event in part] == history
    assert all(one[-1].time < other[0].time for one, other in itertools.pairwise(parts))
