# SPDX-License-Identifier: Apache-2.0
"""Named scenarios: an organisation, its honest cases and its attacks, written as logs with the truth beside them.

python -m hikeshi.drill.scenarios founding FOLDER
python -m hikeshi.drill.scenarios big FOLDER --lines 5000000
"""

import argparse
import gc
import json
import sys
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from functools import partial
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

from hikeshi.drill import company, layout
from hikeshi.drill.attacks import ATTACKS, Attack, Takeover, attack
from hikeshi.drill.events import SECOND
from hikeshi.drill.honest import SPECIALS, Announcement, MailingList, Newsletter
from hikeshi.drill.hosts import Line
from hikeshi.drill.places import Days
from hikeshi.drill.render import Renderer
from hikeshi.drill.style import LogStyle
from hikeshi.drill.traffic import Special, Traffic

Truth = dict[str, Any]

#: lines that one member of staff makes on an average day, for the size of a big log
_LINES_A_DAY = 44
_START = datetime.fromisoformat("2024-01-15T06:25:02")
_PLAIN = LogStyle()


@dataclass(frozen=True)
class Scenario:
    """A name for one run: who, how long, what happens, and how the logs look."""

    name: str
    staff: int = 80
    days: int = 45
    seed: int = 1
    start: datetime = _START  # local wall clock of the first line that may be
    honest: tuple[Callable[[], Special], ...] = ()
    attacks: tuple[Attack, ...] = ()
    style: LogStyle = _PLAIN
    activity: float = 1.0  # scales everybody's mail

    @property
    def window(self) -> tuple[int, int]:
        """The log's beginning and end in microseconds."""
        zone = ZoneInfo(self.style.zone)
        end = self.start + timedelta(days=self.days)
        first, last = (int(moment.replace(tzinfo=zone).timestamp()) * SECOND for moment in (self.start, end))
        return first, last


class Play:
    """One performance of a scenario: its lines once, then its truth."""

    def __init__(self, scenario: Scenario) -> None:
        self.scenario = scenario
        self.company = company.build(scenario.seed, scenario.staff, activity=scenario.activity)
        self._zone = ZoneInfo(scenario.style.zone)
        days = Days(scenario.start, scenario.days, scenario.style.zone)
        self.world = Traffic(self.company, days, scenario.seed)
        self.takeovers = [Takeover(each, tag) for tag, each in enumerate(scenario.attacks)]
        self.world.specials += [make() for make in scenario.honest]
        self.world.specials += self.takeovers
        self.renderer = Renderer(scenario.style, self.company.domain, scenario.window, scenario.seed)

    def chunks(self) -> Iterator[list[list[Line]]]:
        """Yield the lines of every host, hour by hour."""
        return self.renderer.chunks(self.world.events())

    def truth(self) -> Truth:
        """Say what happened; only after the last line."""
        scenario, tally = self.scenario, self.renderer.tally
        begin, end = scenario.window
        accounts = len(self.company.people) + len(self.world.extra_accounts)
        return {
            "scenario": scenario.name,
            "seed": scenario.seed,
            "zone": scenario.style.zone,
            "begin": self._say(begin),
            "end": self._say(end),
            "org_domains": [self.company.domain],
            "account_days": accounts * scenario.days,
            "attacks": [self._attack(takeover) for takeover in self.takeovers],
            "honest_bursts": [burst for burst in self.world.bursts if self._within(str(burst["day"]))],
            "counts": {
                "lines": tally.lines,
                "messages": tally.messages,
                "deliveries": tally.deliveries,
                "submitted": tally.submitted,
            },
        }

    def _attack(self, takeover: Takeover) -> Truth:
        per_account = self.renderer.tally.attack(takeover.tag, self._say)
        return {"kind": takeover.attack.kind, "accounts": sorted(takeover.accounts), "per_account": per_account}

    def _say(self, time: int) -> str:
        return datetime.fromtimestamp(time // SECOND, self._zone).isoformat()

    def _within(self, day: str) -> bool:
        # the days at both edges are only partly in the log; a burst of theirs may be cut
        start = self.scenario.start
        return start.date().isoformat() < day < (start + timedelta(days=self.scenario.days)).date().isoformat()


def write(scenario: Scenario, folder: Path) -> Truth:
    """Write logs/, directory.csv and truth.json."""
    play = Play(scenario)
    logs = folder / "logs"
    hosts = play.renderer.hosts
    folders = [logs / host.short_name for host in hosts] if len(hosts) > 1 else [logs]
    with _no_collection():
        layout.write(play.chunks(), folders, *scenario.window, scenario.style)
    play.company.write_directory(folder / "directory.csv")
    truth = play.truth()
    (folder / "truth.json").write_text(json.dumps(truth, indent=1) + "\n", encoding="utf-8")
    return truth


@contextmanager
def _no_collection() -> Iterator[None]:
    """Spare the search for cycles: events and lines make none, and looking costs a tenth of the time."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()


FOUNDING_CASE = Scenario(
    "founding",
    staff=300,
    days=45,
    seed=20200508,
    start=datetime.fromisoformat("2020-03-28T11:16:07"),
    attacks=(
        attack("fast", mails=1220, seconds=2 * 3600 + 1740, day=41, role="purchasing", ip="203.0.113.77", bounce=0.07),
    ),
    style=LogStyle(stamps="rfc3164", zone="Asia/Tokyo", files="weekly"),
    activity=0.3,
)

_STYLES = (
    _PLAIN,
    LogStyle(stamps="iso", queue_ids="long", dovecot_version="2.4", zone="Europe/Berlin"),
    LogStyle(content_filter=True, files="weekly"),
    LogStyle(stamps="rfc5424", subjects=True, zone="UTC"),
    LogStyle(stamps="iso", hosts=2, chatty=True, zone="America/New_York"),
    LogStyle(dovecot=False, queue_ids="long", files="weekly", zone="Europe/London"),
    LogStyle(stamps="iso", content_filter=True, queue_ids="long", subjects=True, hosts=3, files="weekly"),
)

_BUSY_TOWN = tuple(SPECIALS[name] for name in ("newsletter", "digest", "machines", "mailing_list", "invoices"))


def _attack_scenarios() -> Iterator[Scenario]:
    for number, (kind, each) in enumerate(ATTACKS.items()):
        yield Scenario(kind.replace("_", "-"), seed=100 + number, attacks=(each,), style=_STYLES[number % len(_STYLES)])


def _large_scenarios() -> Iterator[Scenario]:
    large = partial(Scenario, staff=300, activity=0.5)
    yield large("fast-300", seed=201, attacks=(attack("fast", day=33),), honest=_BUSY_TOWN, style=_STYLES[2])
    yield large("slow-300", seed=202, attacks=(attack("slow", varied_sizes=True),), style=_STYLES[1])
    yield large("bcc-300", seed=203, attacks=(attack("bcc", day=44, at=3600),), honest=_BUSY_TOWN, style=_STYLES[5])
    yield large(
        "two-attacks-300",
        seed=204,
        attacks=(attack("split", again=40), attack("small_account", day=40)),
        style=_STYLES[6],
    )
    yield large(
        "one-message-id-300",
        seed=205,
        attacks=(attack("many_places", same_message_id=True, capitals=True),),
        style=_STYLES[3],
    )
    yield large("guessed-then-read-300", seed=206, attacks=(attack("password_guessed", reads_days_before=1.2),))


def _honest_scenarios() -> Iterator[Scenario]:
    for number, (kind, make) in enumerate(SPECIALS.items()):
        name = f"honest-{kind.replace('_', '-')}"
        # from late in a month on, so that two month ends lie in the log
        start = _START + timedelta(days=10)
        yield Scenario(name, seed=300 + number, start=start, honest=(make,), style=_STYLES[number % len(_STYLES)])
    yield Scenario("honest-plain", seed=330)
    yield Scenario("honest-newsletter-bcc", seed=331, honest=(partial(Newsletter, readers=2000, bcc=True),))
    yield Scenario("honest-announcement-300", seed=332, honest=(partial(Announcement, recipients=300),))
    yield Scenario("honest-list-filter", seed=333, honest=(MailingList,), style=_STYLES[2])
    yield Scenario("honest-everything", seed=334, staff=200, honest=tuple(SPECIALS.values()), activity=0.6)


SCENARIOS: tuple[Scenario, ...] = (FOUNDING_CASE, *_attack_scenarios(), *_large_scenarios(), *_honest_scenarios())


def big(lines: int, seed: int = 7) -> Scenario:
    """Plan a log of about so many lines: a company of fitting size, and one fast attack."""
    days = 45
    staff = lines // (days * _LINES_A_DAY)
    if staff < 40:
        staff, days = 40, max(3, lines // (40 * _LINES_A_DAY))
    elif staff > 4000:
        staff, days = 4000, lines // (4000 * _LINES_A_DAY)
    return Scenario(
        "big",
        staff=staff,
        days=days,
        seed=seed,
        attacks=(attack("fast", day=days * 3 // 4),),
        honest=(partial(Newsletter, readers=2000, bcc=True), MailingList, SPECIALS["digest"]),
    )


def find(name: str) -> Scenario:
    """Find a scenario by its name."""
    for scenario in SCENARIOS:
        if scenario.name == name:
            return scenario
    raise KeyError(name)


def _arguments() -> argparse.ArgumentParser:
    parser = argparse.ArgumentParser(
        prog="python -m hikeshi.drill.scenarios", description=(__doc__ or "").split("\n")[0]
    )
    parser.add_argument("name", nargs="?", help="a scenario, or big")
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--list", action="store_true", help="name the scenarios")
    parser.add_argument("--staff", type=int)
    parser.add_argument("--days", type=int)
    parser.add_argument("--seed", type=int)
    parser.add_argument("--lines", type=int, default=1_000_000, help="of a big log, about")
    return parser


def main(words: list[str] | None = None) -> int:
    """Write one scenario, or list them all."""
    parser = _arguments()
    wish = parser.parse_args(words)
    if wish.list:
        sys.stdout.write("".join(f"{scenario.name}\n" for scenario in SCENARIOS))
        return 0
    if not wish.name or not wish.folder:
        parser.error("say a scenario and a folder, or --list")
    try:
        scenario = big(wish.lines) if wish.name == "big" else find(wish.name)
    except KeyError:
        parser.error(f"no scenario {wish.name}; --list names them")
    changes = {key: getattr(wish, key) for key in ("staff", "days", "seed") if getattr(wish, key) is not None}
    truth = write(replace(scenario, **changes), wish.folder)
    sys.stdout.write(json.dumps(truth["counts"]) + "\n")
    return 0


if __name__ == "__main__":
    sys.exit(main())
