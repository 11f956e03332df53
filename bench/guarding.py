# SPDX-License-Identifier: Apache-2.0
"""The guard against truth: every scenario of the drill lived through mail by mail, as the table of docs/guard.md.

The guard is there from the first mail on: it observes for a week and then holds. Nobody releases or drops anything, so
a suspicion lasts as long as it can. `--seeds N` runs each scenario with N seeds of its own.
"""

import argparse
import shutil
import sys
import tempfile
from collections import Counter, defaultdict
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field, replace
from datetime import datetime
from operator import attrgetter
from pathlib import Path
from zoneinfo import ZoneInfo

from hikeshi import model
from hikeshi.drill.scenarios import SCENARIOS, Scenario, write
from hikeshi.evidence import lake as lakes
from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.seal import Manifest
from hikeshi.guard.mail import Action
from hikeshi.guard.weighing.account import Account
from hikeshi.guard.weighing.judge import judge
from hikeshi.guard.weighing.learn import Event, events

#: one false alarm in so many account-days, as `hikeshi investigate` has it
FALSE_ALARMS = (1, 100_000)
OBSERVING = 7 * 86400
#: the organisation's rates are summed up anew after so many seconds of the scenario
RATES_LIVE = 3600


@dataclass
class Outcome:
    """What became of one scenario with one seed: mails by what they were."""

    name: str
    seed: int
    out: list[int] = field(default_factory=list)  # of each account attacked: mails out before the first hold
    slipped: int = 0  # of the intruders: out after the first hold
    attack: int = 0
    missed: int = 0  # accounts attacked of which nothing was held
    owners: int = 0
    mistakes: int = 0
    bursts: int = 0  # honest bursts of which something was held
    burst_mails: int = 0
    held_by: Counter = field(default_factory=Counter)
    told: list[str] = field(default_factory=list)


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", help="scenarios; all of them by default")
    options.add_argument("--seeds", type=int, default=2)
    options.add_argument("--jobs", type=int, default=2)
    asked = options.parse_args()
    known = {one.name: one for one in SCENARIOS}
    chosen = [known[name] for name in asked.names] if asked.names else list(known.values())
    runs = [replace(one, seed=one.seed + 1000 * turn) for one in chosen for turn in range(asked.seeds)]
    with ProcessPoolExecutor(asked.jobs) as pool:
        outcomes = []
        for outcome in pool.map(play, runs):
            outcomes.append(outcome)
            print(outcome, file=sys.stderr, flush=True)
    print("\n".join(_table(outcomes)))


def play(scenario: Scenario) -> Outcome:
    """Write a scenario, live through its log, and hold what was held against the truth."""
    folder = Path(tempfile.mkdtemp(prefix="hikeshi-guard-"))
    try:
        truth = write(scenario, folder)
        with lakes.opened(folder / "evidence", {}) as lake:
            reading = Reading(tz=truth["zone"])
            collect(lake, Manifest(), [str(folder / "logs")], reading, folder / "aside", lambda _: None)
            history = sorted(events(lake), key=attrgetter("time"))
        return _judge(scenario, truth, history)
    finally:
        shutil.rmtree(folder)


def _live(history: list[Event], h: float) -> Iterator[tuple[Event, Action, str]]:
    """Let a guard live through all events; give every mail with what the guard did."""
    accounts: dict[str, Account] = defaultdict(Account)
    known: dict[str, dict[str, float]] = defaultdict(dict)
    begin, asked, organisation = history[0].time, float("-inf"), model.organisation({})
    for event in history:
        if event.time > asked + RATES_LIVE:
            asked, organisation = event.time, model.organisation(_sums(accounts))
        account = accounts[event.account]
        scored = event.tell(account, known[event.account], organisation)
        if scored is not None and event.mail is not None:
            mode = "observe" if event.time < begin + OBSERVING else "hold"
            limit = model.patience(h, (event.time - begin) / 86400)
            answer = judge(account, event.mail, scored, limit, mode, 0)
            yield event, answer.action, answer.reason


def _sums(accounts: dict[str, Account]) -> dict[str, tuple[float, float]]:
    total: dict[str, tuple[float, float]] = {}
    for account in accounts.values():
        for name, (times, chances) in account.taught.items():
            before = total.get(name, (0.0, 0.0))
            total[name] = (before[0] + times, before[1] + chances)
    return total


def _judge(scenario: Scenario, truth: dict, history: list[Event]) -> Outcome:
    outcome = Outcome(scenario.name, scenario.seed)
    zone = ZoneInfo(truth["zone"])
    attacked = {
        account: (set(told["message_ids"]), datetime.fromisoformat(told["first_message_at"]).timestamp())
        for one in truth["attacks"]
        for account, told in one["per_account"].items()
    }
    bursts = Counter({(one["account"], one["day"]): one["messages"] for one in truth["honest_bursts"]})
    held_bursts = Counter()
    out: dict[str, int] = Counter()
    held: dict[str, int] = Counter()
    mails = sum(event.kind == "mail" for event in history)
    h = model.threshold(*FALSE_ALARMS, mails / truth["account_days"])
    for event, action, reason in _live(history, h):
        ids, first = attacked.get(event.account, (set(), 0.0))
        if event.mail.message_id in ids and event.time >= first - 2:
            outcome.attack += 1
            if action is not Action.GO:
                held[event.account] += 1
            elif held[event.account]:
                outcome.slipped += 1
            else:
                out[event.account] += 1
            continue
        outcome.owners += 1
        if action is Action.GO:
            continue
        burst = (event.account, datetime.fromtimestamp(event.time, zone).date().isoformat())
        if held_bursts[burst] < bursts[burst]:
            held_bursts[burst] += 1
        else:
            outcome.mistakes += 1
            outcome.held_by[reason.rpartition(" by ")[2]] += 1
            if len(outcome.told) < 3:
                outcome.told.append(reason)
    outcome.out = [out[account] for account in attacked]
    outcome.missed = sum(not held[account] for account in attacked)
    outcome.bursts, outcome.burst_mails = len(held_bursts - Counter()), held_bursts.total()
    return outcome


def _table(outcomes: list[Outcome]) -> Iterator[str]:
    yield (
        "| scenario | seeds | accounts attacked | mails out before the hold | out after it | of the intruders' | "
        "owners' mails | held by mistake | honest bursts held to be asked about (mails) |"
    )
    yield "|---|---|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(one.name for one in outcomes):
        rows = [one for one in outcomes if one.name == name]
        yield _row(f"`{name}`", " ".join(str(one.seed) for one in rows), rows)
    yield _row("**all**", str(len(outcomes)), outcomes)


def _row(name: str, seeds: str, rows: list[Outcome]) -> str:
    out = sorted(count for one in rows for count in one.out)
    told = f"{out[0]}–{out[-1]}, median {out[len(out) // 2]}" if out else "–"
    missed = sum(one.missed for one in rows)
    total = {
        name: sum(getattr(one, name) for one in rows)
        for name in ("slipped", "attack", "owners", "mistakes", "bursts", "burst_mails")
    }
    return (
        f"| {name} | {seeds} | {len(out)}{f' ({missed} not held)' if missed else ''} | {told} | {total['slipped']:,} | "
        f"{total['attack']:,} | {total['owners']:,} | {total['mistakes']:,} | {total['bursts']} ({total['burst_mails']:,}) |"
    )


if __name__ == "__main__":
    main()
