# SPDX-License-Identifier: Apache-2.0
"""What every keeper of the guard's state promises, asked of a file and of real servers alike."""

import asyncio
import shutil
import sqlite3

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, initialize, invariant, rule, run_state_machine_as_test
from keepers import ME, SERVERS, File, Server, add, held, look, play

from hikeshi.guard.state import Order, StateError, open_state
from hikeshi.guard.state.store import KEPT, VERSION
from hikeshi.guard.weighing.account import Account

YOU = "mai@hinode.example"
ODD = ["", "kai", "KAI@HINODE.EXAMPLE", "火消し@hinode.example", "a\x00b", "byte \udcff", "x" * 5000, "a:b*[c]"]


@pytest.fixture(scope="module", params=["sqlite", *SERVERS])
def made(request, tmp_path_factory):
    if request.param == "sqlite":
        yield File(tmp_path_factory.mktemp("state"))
        return
    if not shutil.which(request.param):
        pytest.skip(f"not installed: {request.param}; apt-get install redis-server")
    server = Server(request.param)
    yield server
    server.stop()


@pytest.fixture
def keeper(made):
    made.clear()
    return made


def test_a_change_is_there_at_the_next_one_and_gives_its_result(keeper):
    async def story(state):
        return [await state.change(ME, [], add(5)) for _ in range(3)]

    assert play(keeper, story) == [0, 5, 10]


def test_a_change_is_there_when_the_state_is_opened_again(keeper):
    play(keeper, lambda state: state.change(ME, ["a@example.org"], add(7, 12.5, "a@example.org")))
    seen = play(keeper, lambda state: state.change(ME, ["a@example.org", "b@example.org"], look))
    assert seen == (7, {"a@example.org": 12.5})


def test_nobody_knows_what_another_account_wrote_to(keeper):
    async def story(state):
        await state.change(ME, [], add(1, 9.0, "a@example.org"))
        return await state.change(YOU, ["a@example.org"], look)

    assert play(keeper, story) == (0, {})


def test_addresses_are_known_without_regard_to_case(keeper):
    async def story(state):
        await state.change(ME, [], add(1, 1.0, "Anna@Example.org"))
        await state.change(ME, ["ANNA@example.org"], add(1, 2.0, "anna@example.org"))
        return await state.change(ME, ["aNNa@Example.Org", "anna@example.org"], look)

    assert play(keeper, story) == (2, {"anna@example.org": 2.0})


def test_times_keep_their_microseconds(keeper):
    async def story(state):
        await state.change(ME, [], add(1, 1_796_000_000.123457, "a@example.org"))
        return await state.change(ME, ["a@example.org"], look)

    assert play(keeper, story)[1] == {"a@example.org": 1_796_000_000.123457}


@pytest.mark.parametrize("account", ODD)
def test_any_account_and_any_address_can_be_kept(keeper, account):
    play(keeper, lambda state: state.change(account, [account], add(3, 1.0, account)))
    assert play(keeper, lambda state: state.change(account, [account], look)) == (3, {account.lower(): 1.0})
    assert play(keeper, lambda state: state.change("other", [account], look)) == (0, {})


def test_a_thousand_recipients_at_once(keeper):
    people = [f"p{number}@example.org" for number in range(1000)]

    def to_all(_tally, known):
        assert not known
        known.update(dict.fromkeys(people, 5.0))

    play(keeper, lambda state: state.change(ME, people, to_all))
    assert play(keeper, lambda state: state.change(ME, people, look)) == (0, dict.fromkeys(people, 5.0))


def test_nothing_is_kept_of_a_change_that_raises(keeper):
    def fails(tally, known):
        tally.count += 100
        known["b@example.org"] = 3.0
        raise ValueError("a defect")

    async def story(state):
        await state.change(ME, [], add(1, 1.0, "a@example.org"))
        await state.flush()
        with pytest.raises(ValueError, match="a defect"):
            await state.change(ME, [], fails)
        seen = await state.change(ME, ["a@example.org", "b@example.org"], look)
        return seen, await state.organisation()

    assert play(keeper, story) == ((1, {"a@example.org": 1.0}), {"count": (1.0, 2.0)})


def test_no_count_is_lost_among_tasks(keeper):
    async def story(state):
        async with asyncio.TaskGroup() as tasks:
            for number in range(200):
                tasks.create_task(state.change(ME if number % 2 else YOU, [], add()))
        return [await state.change(account, [], look) for account in (ME, YOU)], await state.organisation()

    assert play(keeper, story) == ([(100, {}), (100, {})], {"count": (200.0, 400.0)})


@given(st.lists(st.tuples(st.sampled_from("abc"), st.lists(st.sampled_from("xyz"), unique=True), st.integers(0, 9))))
@settings(max_examples=20, suppress_health_check=[HealthCheck.function_scoped_fixture], deadline=None)
def test_the_organisation_is_the_sum_of_what_its_accounts_teach(keeper, changes):
    """However they changed, up and down; and it is so when the state is opened again."""

    def set_to(words, count):
        def do(tally, _known):
            tally.count, tally.words = count, words

        return do

    async def story(state):
        for account, words, count in changes:
            await state.change(account, [], set_to(words, count))
            await state.organisation()
        return await state.organisation()

    keeper.clear()
    last = {account: (words, count) for account, words, count in changes}
    sums = {word: sum(word in words for words, _count in last.values()) for word in "xyz"}
    counted = sum(count for _words, count in last.values())
    wanted = {word: (float(sum_), sum_ / 2) for word, sum_ in sums.items() if sum_}
    wanted |= {"count": (float(counted), 2.0 * counted)} if counted else {}
    for found in (play(keeper, story), play(keeper, lambda state: state.organisation())):
        assert {name: pair for name, pair in found.items() if any(pair)} == wanted


def test_named_numbers_that_are_not_set_stay(keeper):
    async def story(state):
        before = await state.norm()
        await state.set_norm({"h": 9.123456789012345, "mails": 3.0})
        await state.set_norm({"mails": 4})
        await state.set_norm({})
        return before

    assert play(keeper, story) == {}
    assert play(keeper, lambda state: state.norm()) == {"h": 9.123456789012345, "mails": 4.0}


def test_holds_wait_in_the_order_of_time_until_they_are_settled(keeper):
    first, second, other = held(1), held(2, subject=None), held(3, account=YOU, subject="byte \udcff")

    async def story(state):
        for hold in (other, second, first, second):
            await state.hold(hold)
        assert await state.holds() == [first, second, other]
        assert await state.holds(ME) == [first, second]
        assert await state.settle(second, "released", "root", "asked her")
        return await state.holds(), await state.holds(ME), await state.settled()

    waiting, mine, (done,) = play(keeper, story)
    assert (waiting, mine) == ([first, other], [first])
    assert (done.hold, done.outcome, done.who, done.why) == (second, "released", "root", "asked her")
    assert play(keeper, lambda state: state.holds()) == [first, other]
    assert play(keeper, lambda state: state.settled(ME)) == [done]
    assert play(keeper, lambda state: state.settled(YOU)) == []


def test_a_hold_is_settled_once(keeper):
    async def story(state):
        assert not await state.settle(held(), "dropped", "root", "never held")
        await state.hold(held())
        async with asyncio.TaskGroup() as tasks:
            tries = [tasks.create_task(state.settle(held(), "dropped", f"admin{n}", "lure")) for n in range(5)]
        return [task.result() for task in tries], await state.settled()

    tries, settled = play(keeper, story)
    assert tries.count(True) == len(settled) == 1
    assert settled[0].who == f"admin{tries.index(True)}"


def test_the_same_queue_id_at_another_time_is_another_hold(keeper):
    async def story(state):
        await state.hold(held(1))
        await state.hold(held(1, time=2000.0))
        await state.settle(held(1), "released", "root", "honest")
        return await state.holds()

    assert play(keeper, story) == [held(1, time=2000.0)]


def test_settled_holds_are_forgotten_after_two_years(keeper, monkeypatch):
    async def story(state):
        for number, now in ((1, 1e9), (2, 1e9 + KEPT - 1), (3, 1e9 + KEPT + 1)):
            await state.hold(held(number))
            monkeypatch.setattr("time.time", lambda now=now: now)
            await state.settle(held(number), "released", "root", "honest")
        return [one.hold for one in await state.settled()]

    assert play(keeper, story) == [held(2), held(3)]


def test_orders_stay_until_they_are_done(keeper):
    first, second = (
        Order(ME, "release", "root", "asked", 5.25),
        Order(YOU, "drop", "root", "lure of \udcff", 4.0),
    )

    async def story(state):
        await state.order(first)
        await state.order(second)
        orders = await state.orders()
        await state.done(first)
        await state.done(first)
        return orders

    assert play(keeper, story) == [first, second]
    assert play(keeper, lambda state: state.orders()) == [second]


def test_who_was_not_written_to_for_two_years_is_new_again(keeper):
    """Measured by the account's own time, so that an old log can be learnt."""

    async def story(state):
        await state.change(ME, [], add(1, 1000.0, "old@example.org"))
        await state.change(ME, [], add(1, 2000.0, "kept@example.org"))
        await state.change(ME, [], add(1, 1500.0 + KEPT, "new@example.org"))

    play(keeper, story)
    people = ["old@example.org", "kept@example.org", "new@example.org"]
    _count, known = play(keeper, lambda state: state.change(ME, people, look))
    assert known == {"kept@example.org": 2000.0, "new@example.org": 1500.0 + KEPT}


def test_the_real_account_is_kept_as_it_was(keeper):
    def send(account, _known):
        account.number += 3
        account.told[:2] = [1.0, 4.0]
        return account.to_bytes()

    async def story():
        state = open_state(keeper.where)
        made = await state.change(ME, [], send)
        await state.close()
        state = open_state(keeper.where)
        try:
            return made, await state.change(ME, [], lambda account, _: account.to_bytes()), await state.organisation()
        finally:
            await state.close()

    made, found, organisation = asyncio.run(story())
    assert made == found
    assert organisation == {"new_recipient": (1.0, 4.0)} == Account.from_bytes(found).taught


def test_another_layout_is_refused(keeper):
    play(keeper, lambda state: state.norm())
    if isinstance(keeper, File):
        with sqlite3.connect(keeper.where) as connection:
            connection.execute(f"PRAGMA user_version = {VERSION + 1}")
        connection.close()
    else:
        keeper.say("HSET", "hikeshi:state", "version", VERSION + 1)
    with pytest.raises(StateError, match=rf"layout is number {VERSION + 1} and this hikeshi reads number {VERSION}"):
        keeper.open()


class Kept(RuleBasedStateMachine):
    """Any story, played to a keeper and to plain dicts, ends the same."""

    keeper = None
    accounts, people = st.sampled_from("abc"), st.sampled_from(["p@example.org", "q@example.org", "R@example.org"])

    @initialize()
    def begin(self):
        self.keeper.clear()
        self.runner = asyncio.Runner()
        self.counts, self.wrote, self.norms, self.waiting, self.orders = {}, {}, {}, {}, []
        self.held, self.settled = 0, []
        self.open()

    def open(self):
        async def opened():
            return self.keeper.open()

        self.state = self.runner.run(opened())

    @rule(account=accounts, address=people, amount=st.integers(-3, 9), time=st.floats(1e9, 1.01e9))
    def change(self, account, address, amount, time):
        known = self.wrote.setdefault(account, {})
        key = address.lower()

        def do(tally, given):
            assert given == ({key: known[key]} if key in known else {})
            given[key] = time
            tally.count += amount
            return tally.count

        count = self.counts[account] = self.counts.get(account, 0) + amount
        assert self.runner.run(self.state.change(account, [address], do)) == count
        known[key] = time

    @rule(account=accounts)
    def fail(self, account):
        def do(tally, known):
            tally.count, known["q@example.org"] = 77, 77.0
            raise KeyError(account)

        self.runner.run(self.state.flush())
        with pytest.raises(KeyError):
            self.runner.run(self.state.change(account, [], do))

    @rule(name=st.sampled_from("hm"), value=st.floats(allow_nan=False, allow_infinity=False))
    def number(self, name, value):
        self.norms[name] = value
        self.runner.run(self.state.set_norm({name: value}))

    @rule(account=accounts, times=st.integers(1, 2))
    def hold(self, account, times):
        self.held += 1
        hold = held(self.held, account=account)
        self.waiting[hold.identity] = hold
        for _ in range(times):
            self.runner.run(self.state.hold(hold))

    @rule(number=st.integers(0, 9))
    def settle(self, number):
        if self.waiting:
            identity = sorted(self.waiting)[number % len(self.waiting)]
            hold = self.waiting.pop(identity)
            assert self.runner.run(self.state.settle(hold, "released", "root", "why"))
            assert not self.runner.run(self.state.settle(hold, "dropped", "root", "too late"))
            self.settled.append(hold)

    @rule(account=accounts, time=st.integers(0, 3))
    def order(self, account, time):
        self.orders.append(Order(account, "release", "root", "why", float(time)))
        self.runner.run(self.state.order(self.orders[-1]))

    @rule()
    def do_first(self):
        if self.orders:
            first = self.orders[0]
            self.orders = [order for order in self.orders if order != first]
            self.runner.run(self.state.done(first))

    @rule()
    def flush(self):
        self.runner.run(self.state.flush())

    @rule()
    def open_again(self):
        self.runner.run(self.state.close())
        self.open()

    @invariant()
    def all_is_there(self):
        sums = self.runner.run(self.state.organisation()).get("count", (0.0, 0.0))
        assert sums == (sum(self.counts.values()), 2 * sum(self.counts.values()))
        assert self.runner.run(self.state.norm()) == self.norms
        assert self.runner.run(self.state.orders()) == self.orders
        assert self.runner.run(self.state.holds()) == list(self.waiting.values())
        assert [one.hold for one in self.runner.run(self.state.settled())] == self.settled

    def teardown(self):
        if hasattr(self, "state"):
            self.runner.run(self.state.close())
            self.runner.close()


def test_any_story_ends_the_same_with_a_keeper_as_with_plain_dicts(keeper):
    machine = type("Story", (Kept,), {"keeper": keeper})
    run_state_machine_as_test(machine, settings=settings(max_examples=25, stateful_step_count=25, deadline=None))
