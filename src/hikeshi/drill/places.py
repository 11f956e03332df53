# SPDX-License-Identifier: Apache-2.0
"""From which address a person works at a given moment: a pure function of person and time.

Because it is pure, an intruder on the owner's own machine and the owner always agree.
"""

from datetime import datetime, timedelta
from random import Random
from zlib import crc32
from zoneinfo import ZoneInfo

from hikeshi.drill.company import Company, Person
from hikeshi.drill.events import SECOND, Client

_BLOCK = 3 * 3600  # seconds for which a person stays in one place
_AT_HOME, _BY_VPN = 0.22, 0.05


class Days:
    """The calendar of a log: local midnights as microseconds, weekends, month ends."""

    def __init__(self, start: datetime, days: int, zone: str) -> None:
        midnight = start.replace(hour=0, minute=0, second=0, microsecond=0, tzinfo=None)
        self.zone = ZoneInfo(zone)
        #: one day more than asked, since a log rarely starts at midnight, and one to close the last
        self.dates = [midnight + timedelta(days=number) for number in range(days + 2)]
        self.starts = [int(date.replace(tzinfo=self.zone).timestamp()) * SECOND for date in self.dates]

    def __len__(self) -> int:
        return len(self.dates) - 1

    def moment(self, day: int, second: int) -> int:
        """Turn a local second of a day into microseconds."""
        return self.starts[day] + second * SECOND

    def free(self, day: int) -> bool:
        """Tell whether the day is a Saturday or Sunday."""
        return self.dates[day].weekday() >= 5

    def last_workday_of_month(self, day: int) -> bool:
        """Tell whether the month has no working day after this one."""
        date = self.dates[day]
        if self.free(day):
            return False
        later = [date + timedelta(days=n) for n in range(1, 4)]
        return all(other.month != date.month or other.weekday() >= 5 for other in later) and (
            later[0].month != date.month or later[-1].month != date.month
        )


class Places:
    """Answers from where somebody works."""

    def __init__(self, company: Company, days: Days, seed: int) -> None:
        self.days = days
        self.office_moves_on: int | None = None
        self._domain = company.domain
        self._seed = seed
        self._stays: dict[int, list[tuple[int, int, tuple[Client, ...]]]] = {}
        self._known: dict[tuple[int, int, int], Client] = {}

    def stay(self, person: Person, first: int, last: int, clients: tuple[Client, ...]) -> None:
        """Let a person work from these addresses on these days."""
        self._stays.setdefault(person.number, []).append((first, last, clients))

    def client(self, person: Person, day: int, second: int) -> Client:
        """Find the address of a person at a second of a day."""
        key = (person.number, day, second // _BLOCK)
        client = self._known.get(key)
        if client is None:
            client = self._known[key] = self._client(person, day, second)
        return client

    def forget(self) -> None:
        """Drop what was worked out for a past day."""
        self._known.clear()

    def _client(self, person: Person, day: int, second: int) -> Client:
        for first, last, clients in self._stays.get(person.number, ()):
            if first <= day <= last:
                return clients[second // _BLOCK % len(clients)]
        working = person.start - 5400 <= second <= person.start + 36_000 and not self.days.free(day)
        where = self._dice(person.number, day, 1)
        if not working:
            return self._mobile(person, day, second) if where < 0.35 else self._home(person, day, second)
        if where < _AT_HOME:
            return self._home(person, day, second)
        if where < _AT_HOME + _BY_VPN:
            return Client(
                f"10.8.{person.number % 16}.{day % 250 + 2}", f"unknown[10.8.{person.number % 16}.{day % 250 + 2}]"
            )
        return self.office(person.number, day)

    def office(self, number: int, day: int) -> Client:
        """Find the outer address of an office: two offices with one outer address each; after a change of provider both are new."""
        moved = self.office_moves_on is not None and day >= self.office_moves_on
        last = (130 if moved else 10) + (number % 5 == 0)
        return Client(f"192.0.2.{last}", f"gw{last}.{self._domain}[192.0.2.{last}]")

    def _home(self, person: Person, day: int, second: int) -> Client:
        third, fourth = person.number // 250 % 250, person.number % 250
        if person.home == "mobile":
            return self._mobile(person, day, second)
        if person.home == "six":
            ip = f"2001:db8:{person.number + 16:x}:1::{1 + crc32(f'{person.number} {day}'.encode()) % 0xFFFF:x}"
            return Client(ip, f"unknown[{ip}]")
        net = f"198.18.{(person.number * 7 + third) % 250}"
        if person.home == "changing":
            fourth = int(250 * self._dice(person.number, day // (3 + person.number % 4), 2)) + 2
            return Client(f"{net}.{fourth}", f"p{fourth}.dyn.isp.example[{net}.{fourth}]")
        return Client(f"{net}.{fourth + 2}", f"unknown[{net}.{fourth + 2}]")

    def _mobile(self, person: Person, day: int, second: int) -> Client:
        last = 1 + int(254 * self._dice(person.number, day * 8 + second // _BLOCK, 3))
        return Client(f"198.51.100.{last}", f"unknown[198.51.100.{last}]")

    def _dice(self, *numbers: int) -> float:
        return crc32(repr((self._seed, *numbers)).encode()) / 2**32


def foreign(rng: Random, count: int = 1) -> tuple[Client, ...]:
    """Draw addresses of strangers: intruders, hotels."""
    clients = []
    for number in rng.sample(range(1, 255), count):
        six = rng.random() < 0.15
        ip = f"2001:db8:f000:{rng.getrandbits(16):x}::{number:x}" if six else f"203.0.113.{number}"
        clients.append(Client(ip, f"unknown[{ip}]"))
    return tuple(clients)


def bot(rng: Random) -> Client:
    """Draw an address of a machine that tries doors all over the internet."""
    ip = f"198.19.{rng.randrange(128, 255)}.{rng.randrange(1, 255)}"
    return Client(ip, f"unknown[{ip}]")
