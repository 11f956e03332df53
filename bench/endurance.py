# SPDX-License-Identifier: Apache-2.0
"""Days of traffic through the guard's own decision, with its state in a real file: memory and size by the hour.

Time is simulated, the rest is real. `--accounts` people write `--mails` a day between them, to friends and now and then to
somebody new; one account in a thousand is taken over each day and sends a burst.
"""

import argparse
import asyncio
import logging
import os
import resource
import tempfile
import time
from pathlib import Path
from random import Random

from hikeshi.guard.guard import Guard
from hikeshi.guard.health.metrics import Metrics
from hikeshi.guard.mail import Action, Mail
from hikeshi.guard.norm import Norm
from hikeshi.guard.people.ask import Asking
from hikeshi.guard.people.channelfile import Channels
from hikeshi.guard.state import open_state

HOUR, DAY, BURST = 3600.0, 86400.0, 200
PAGE = os.sysconf("SC_PAGE_SIZE")


def main() -> None:
    """Play, and print a line every six hours."""
    logging.disable(logging.WARNING)  # every alarm is a line
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--accounts", type=int, default=10_000)
    options.add_argument("--mails", type=int, default=100_000, help="a day")
    options.add_argument("--days", type=float, default=3.0)
    asked = options.parse_args()
    with tempfile.TemporaryDirectory(prefix="hikeshi-endurance-") as folder:
        asyncio.run(_play(asked.accounts, asked.mails, asked.days, Path(folder)))


async def _play(accounts: int, mails: int, days: float, folder: Path) -> None:
    rng, state, count = Random(1), open_state(str(folder / "state")), Metrics()
    begin, told, held, begun = time.time(), 0.0, 0, time.perf_counter()
    print(f"{'simulated':>10}{'mails':>10}{'held':>8}{'RSS MB':>9}{'state MB':>10}{'µs a mail':>11}")
    async with Asking(Channels(), count) as asking:
        guard = Guard(state, Norm(state, (1, 100_000)), folder / "case", "hold", 1000, asking, count)
        total = int(mails * days)
        burst: list[Mail] = []
        for number in range(total):
            when = begin + number * DAY / mails
            if when - begin >= told:
                used = (time.perf_counter() - begun) / max(1, number) * 1e6
                print(
                    f"{told / HOUR:>8.0f} h{number:>10,}{held:>8,}{_rss():>9.0f}{_size(folder):>10.0f}{used:>11.0f}",
                    flush=True,
                )
                told += 6 * HOUR
            if rng.random() < accounts / 1000 / mails:
                burst += _burst(rng.randrange(accounts), when)
            mail = burst.pop() if burst and rng.random() < 0.5 else _mail(rng, accounts, when)
            answer = await guard.decide(mail)
            held += answer.action is Action.HOLD
    await state.close()
    print(f"peak {resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024:.0f} MB")


def _mail(rng: Random, accounts: int, when: float) -> Mail:
    number = min(int(rng.expovariate(4 / accounts)), accounts - 1)
    friend = rng.randrange(30) if rng.random() < 0.9 else rng.randrange(10**6)
    place = f"192.0.2.{number % 250}" if rng.random() < 0.9 else f"198.51.100.{rng.randrange(250)}"
    return _of(number, when, place, f"{number}.{friend}@partner.example", f"Subject {rng.randrange(10**6)}")


def _burst(number: int, when: float) -> list[Mail]:
    place = f"203.0.113.{number % 250}"
    return [_of(number, when, place, f"customer{one}@firm.example", "Invoice") for one in range(BURST)]


def _of(number: int, when: float, place: str, recipient: str, subject: str) -> Mail:
    account = f"person{number}@example.test"
    return Mail(account, when, place, place, f"{place}/{when}", account, (recipient,), 4000, subject, None, None, "Q")


def _rss() -> float:
    return int(Path("/proc/self/statm").read_text().split()[1]) * PAGE / 1e6


def _size(folder: Path) -> float:
    return sum(path.stat().st_size for path in folder.glob("state*")) / 1e6


if __name__ == "__main__":
    main()
