# SPDX-License-Identifier: Apache-2.0
"""Detection against truth: every scenario of the drill with several seeds, as the table of docs/detection.md.

`--seeds N` runs each scenario with N seeds of its own; scenarios that are only honest add up account-days.
"""

import argparse
import json
import shutil
import sys
import tempfile
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

from hikeshi.drill.rehearsal import Rehearsal
from hikeshi.drill.scenarios import FOUNDING_CASE, SCENARIOS, Scenario, write
from hikeshi.playbook import investigate


@dataclass(frozen=True)
class Outcome:
    """What became of one scenario with one seed."""

    name: str
    seed: int
    account_days: int
    attacks: int
    found: int
    exact: int
    takeovers: int
    delays: tuple[int, ...]
    false_takeovers: int
    honest_bulk: int


def main() -> None:
    """Run and print."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("names", nargs="*", help="scenarios; all of them by default")
    options.add_argument("--seeds", type=int, default=3)
    options.add_argument("--jobs", type=int, default=2)
    asked = options.parse_args()
    known = {one.name: one for one in (FOUNDING_CASE, *SCENARIOS)}
    chosen = [known[name] for name in asked.names] if asked.names else list(known.values())
    runs = [replace(one, seed=one.seed + 1000 * turn) for one in chosen for turn in range(asked.seeds)]
    with ProcessPoolExecutor(asked.jobs) as pool:
        outcomes = []
        for outcome in pool.map(play, runs):
            outcomes.append(outcome)
            print(outcome, file=sys.stderr, flush=True)
    print("\n".join(_table(outcomes)))


def play(scenario: Scenario) -> Outcome:
    """Write a scenario, investigate it as a user would, and hold the case against the truth."""
    folder = Path(tempfile.mkdtemp(prefix="hikeshi-drill-"))
    try:
        write(scenario, folder)
        truth = json.loads((folder / "truth.json").read_text("utf-8"))
        rehearsal = Rehearsal(folder / "logs", folder / "directory.csv", truth["zone"])
        document = investigate(rehearsal.question(folder / "case"), lambda _: None).document
        return _judge(scenario, truth, document["incidents"])
    finally:
        shutil.rmtree(folder)


def _judge(scenario: Scenario, truth: dict, incidents: list[dict]) -> Outcome:
    attacked = {account: told for one in truth["attacks"] for account, told in one["per_account"].items()}
    hits = {one["account"]: one for one in incidents if one["account"] in attacked and _overlaps(one, attacked)}
    honest = [one for one in incidents if hits.get(one["account"]) is not one]
    counts = ("messages", "addresses", "delivered", "bounced", "deferred", "expired", "unknown")
    return Outcome(
        name=scenario.name,
        seed=scenario.seed,
        account_days=truth["account_days"],
        attacks=len(attacked),
        found=len(hits),
        exact=sum(all(one[name] == attacked[account][name] for name in counts) for account, one in hits.items()),
        takeovers=sum(one["verdict"] == "takeover" for one in hits.values()),
        delays=tuple(one["messages_before_alarm"] for one in hits.values()),
        false_takeovers=sum(one["verdict"] == "takeover" for one in honest),
        honest_bulk=sum(one["verdict"] == "unusual-bulk" for one in honest),
    )


def _overlaps(incident: dict, attacked: dict) -> bool:
    told = attacked[incident["account"]]
    return (
        incident["first_message_at"] <= told["last_message_at"]
        and incident["last_message_at"] >= told["first_message_at"]
    )


def _table(outcomes: list[Outcome]) -> Iterator[str]:
    yield "| scenario | seeds | account-days | accounts attacked | found | counts exact | `takeover` | mails until the alarm | false `takeover` | honest `unusual-bulk` |"
    yield "|---|---|---|---|---|---|---|---|---|---|"
    for name in dict.fromkeys(one.name for one in outcomes):
        rows = [one for one in outcomes if one.name == name]
        yield _row(f"`{name}`", " ".join(str(one.seed) for one in rows), rows)
    yield _row("**all**", str(len(outcomes)), outcomes)


def _row(name: str, seeds: str, rows: list[Outcome]) -> str:
    delays = sorted(delay for one in rows for delay in one.delays)
    told = f"{delays[0]}–{delays[-1]}, median {delays[len(delays) // 2]}" if delays else "–"
    total = [
        sum(getattr(one, field) for one in rows) for field in ("account_days", "attacks", "found", "exact", "takeovers")
    ]
    wrong = [sum(getattr(one, field) for one in rows) for field in ("false_takeovers", "honest_bulk")]
    return (
        f"| {name} | {seeds} | {total[0]:,} | "
        + " | ".join(map(str, total[1:]))
        + f" | {told} | "
        + " | ".join(map(str, wrong))
        + " |"
    )


if __name__ == "__main__":
    main()
