# SPDX-License-Identifier: Apache-2.0
"""Honest special cases: the mail that looks like a takeover and is none.

A scenario lists how to make them; what a case sends in bulk it notes as an honest burst.
"""

from collections.abc import Iterator
from dataclasses import dataclass

from hikeshi.drill.company import Person, zipf
from hikeshi.drill.events import HOUR, LIST, LIST_PREFIX, PICKUP, SECOND, SUBMISSION, Client, Event, Login, Mail
from hikeshi.drill.places import foreign
from hikeshi.drill.traffic import Special, Traffic

_HERE = Client("127.0.0.1", "localhost[127.0.0.1]")


@dataclass
class Newsletter(Special):
    """A monthly newsletter from the first days on, one mail per reader or Bcc in fifties."""

    readers: int = 600
    bcc: bool = False
    first_day: int = 1
    kind: str = "newsletter"

    def prepare(self, world: Traffic) -> None:
        """Open the account and gather the readers."""
        self._sender = world.account("newsletter")
        self._readers = _outsiders(world, self.readers)

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield an issue on one day of every thirty."""
        if day % 30 == self.first_day % 30:
            # some readers come and go between issues
            changed = _outsiders(world, self.readers // 50)
            self._readers = [*self._readers[len(changed) :], *changed]
            client = world.places.office(self._sender.number, day)
            step = 50 if self.bcc else 1
            yield from _bulk(
                world, self._sender, client, day, self._readers, kind=self.kind, step=step, second=10 * 3600 + 420
            )


@dataclass
class Announcement(Special):
    """Somebody's first announcement ever, to readers half of whom are new, from the usual place."""

    recipients: int = 60
    day: int = 30
    bcc: bool = False
    kind: str = "announcement"

    def prepare(self, world: Traffic) -> None:
        """Choose who announces."""
        self._person = world.choose()

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield the announcement on its day."""
        if day == _workday(world, self.day):
            person, half = self._person, self.recipients // 2
            known = world.circles[person.number].known
            readers = dict.fromkeys(address for address in known if address != person.email)
            readers = dict.fromkeys([*list(readers)[:half], *_outsiders(world, self.recipients)])
            client = world.places.client(person, day, 11 * 3600)
            to = list(readers)[: self.recipients]
            yield from _bulk(
                world, person, client, day, to, kind=self.kind, step=50 if self.bcc else 1, second=11 * 3600
            )


@dataclass
class Digest(Special):
    """A machine that sends the same report to the same people every morning."""

    readers: int = 20
    kind: str = "digest"

    def prepare(self, world: Traffic) -> None:
        """Open the account and choose the readers."""
        self._sender = world.account("report")
        people = world.rng.sample(world.company.people, min(self.readers, len(world.company.people)))
        self._readers = [person.email for person in people]

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield the morning's report."""
        client = Client("10.0.3.9", "batch.inner.example[10.0.3.9]")
        size = 48_000 + world.rng.randrange(900)
        yield from _bulk(
            world, self._sender, client, day, self._readers, kind=self.kind, second=6 * 3600 + 1800, size=size
        )


@dataclass
class Machines(Special):
    """Scanners, a printer and a monitor: many mails of one size to one or two people."""

    kind: str = "machines"

    def prepare(self, world: Traffic) -> None:
        """Open the account and choose who gets its mail."""
        self._scanner = world.account("scanner")
        self._owners = [world.rng.choice(world.company.people).email for _ in range(2)]

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield the day's scans and disk reports."""
        rng, scanner, domain = world.rng, self._scanner, world.company.domain
        client = Client("10.0.7.21", "unknown[10.0.7.21]")
        count = 2 if world.days.free(day) else rng.randint(10, 60)
        for _ in range(count):
            time = world.days.moment(day, rng.randrange(8 * 3600, 19 * 3600)) + rng.getrandbits(19)
            to = (rng.choice(self._owners),)
            yield _plain(scanner, time, client, to, 212_400 + rng.randrange(40), subject="Scan")
        for hour in range(0, 24, 2):
            time = world.days.moment(day, hour * 3600 + 300) + rng.getrandbits(19)
            to = (self._owners[0],)
            sender = f"monitor@mail.{domain}"
            yield Mail(time, PICKUP, "", sender, to, 1873, _HERE, "system", "Disk report")


@dataclass
class Traveller(Special):
    """An owner who works for a week from hotels never seen before, with mailbox sessions there."""

    day: int = 20
    days: int = 7
    hotels: int = 3
    kind: str = "traveller"

    def prepare(self, world: Traffic) -> None:
        """Choose the traveller and the hotels."""
        self._person = person = world.choose(10.0)
        self._clients = foreign(world.rng, self.hotels)
        world.places.stay(person, self.day, self.day + self.days - 1, self._clients)

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield mailbox sessions on the road; the mail itself is ordinary."""
        if self.day <= day < self.day + self.days:
            person, rng = self._person, world.rng
            for hour in (7, 10, 13, 18, 22):
                second = hour * 3600 + rng.randrange(3000)
                ip = world.places.client(person, day, second).ip
                when = world.days.moment(day, second)
                yield Login(when, person.email, ip, "imap", 600, 12, 90_000 + rng.getrandbits(16))


@dataclass
class SharedMailbox(Special):
    """One account that several people use from their own places, with their own mail programs."""

    users: int = 5
    mails: int = 18
    kind: str = "shared_mailbox"

    def prepare(self, world: Traffic) -> None:
        """Open the account and choose who uses it."""
        self._account = world.account("info")
        self._users = world.rng.sample(world.company.people, min(self.users, len(world.company.people)))
        self._known = _outsiders(world, 120)

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield the day's questions and answers."""
        rng, email = world.rng, self._account.email
        for _ in range(world.poisson(self.mails * (0.1 if world.days.free(day) else 1))):
            person = rng.choice(self._users)
            second = world.second(person)
            asker = zipf(rng, self._known) if rng.random() < 0.6 else world.company.stranger(rng)
            client = world.places.client(person, day, second)
            time = world.days.moment(day, second) + rng.getrandbits(19)
            yield world.from_outside(time - rng.randrange(HOUR), asker, email)
            yield world.mail(time, person, client, (asker,), world.size(person))._replace(account=email, sender=email)
            if rng.random() < 0.3:
                yield Login(time - 60 * SECOND, email, client.ip, "imap", 300, 3, 40_000)


@dataclass
class MailingList(Special):
    """List software: a post goes to the list and comes back for hundreds, half of them new each month."""

    members: int = 300
    every: int = 3
    kind: str = "mailing_list"

    def prepare(self, world: Traffic) -> None:
        """Choose the author and the members."""
        self._author = world.choose()
        self._members = _outsiders(world, self.members)

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield a post every few days."""
        if day % 30 == 29:
            half = self.members // 2
            self._members = [*self._members[half:], *(world.company.stranger(world.rng) for _ in range(half))]
        if day % self.every == 1:
            yield from self._post(world, day)

    def _post(self, world: Traffic, day: int) -> Iterator[Event]:
        rng, author, domain = world.rng, self._author, world.company.domain
        time = world.days.moment(day, 14 * 3600) + rng.getrandbits(32)
        client = world.places.client(author, day, 14 * 3600)
        post = _plain(author, time, client, (f"{LIST_PREFIX}all@{domain}",), world.size(author), subject="[all] News")
        shared = post._replace(message_id=f"{rng.getrandbits(96):024x}@{domain}", software=author.software)
        yield shared
        yield shared._replace(
            time=time + 4 * SECOND,
            way=LIST,
            account="",
            sender=f"{LIST_PREFIX}all-bounces@{domain}",
            recipients=tuple(self._members),
            size=shared.size + 900,
            client=_HERE,
        )
        world.note_burst(author.email, self.kind, day, 1)


@dataclass
class Newcomer(Special):
    """A new employee who starts in the middle of the log: everything is new."""

    day: int = 25
    kind: str = "newcomer"

    def prepare(self, world: Traffic) -> None:
        """Choose the person and keep it silent before the first day."""
        person = world.choose(8.0)
        person.novelty = 0.45
        world.away.setdefault(person.number, []).append((0, self.day - 1))


@dataclass
class HolidayReturner(Special):
    """Three weeks of silence, then a burst of ordinary answers."""

    day: int = 12
    days: int = 21
    answers: int = 45
    kind: str = "holiday_returner"

    def prepare(self, world: Traffic) -> None:
        """Choose the person and send it away."""
        self._person = world.choose(9.0)
        world.away.setdefault(self._person.number, []).append((self.day, self.day + self.days - 1))

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield the answers on the first working day after."""
        if day != _workday(world, self.day + self.days):
            return
        for _ in range(self.answers):
            yield world.ordinary(self._person, day, 9 * 3600 + world.rng.randrange(3 * 3600))
        world.note_burst(self._person.email, self.kind, day, self.answers)


@dataclass
class ColdSales(Special):
    """A sales person who writes single mails of one kind to strangers all day, every day."""

    per_day: int = 40
    kind: str = "cold_sales"

    def prepare(self, world: Traffic) -> None:
        """Choose a sales person."""
        self._person = world.choose(role="sales")

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield the day's cold mails."""
        if world.days.free(day):
            return
        rng, person = world.rng, self._person
        for _ in range(self.per_day):
            second = rng.randrange(9 * 3600, 18 * 3600)
            time = world.days.moment(day, second) + rng.getrandbits(19)
            to = (world.company.stranger(rng),)
            yield world.mail(time, person, world.places.client(person, day, second), to, 6100 + rng.randrange(120))
        world.note_burst(person.email, self.kind, day, self.per_day)


@dataclass
class Invoices(Special):
    """An accountant who sends one invoice per customer in two hours at each month's end."""

    customers: int = 150
    kind: str = "invoices"

    def prepare(self, world: Traffic) -> None:
        """Choose the accountant and the customers."""
        self._person = world.choose(role="accounts")
        self._customers = _outsiders(world, self.customers)

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield the month's invoices on its last working day."""
        if not world.days.last_workday_of_month(day):
            return
        rng, person = world.rng, self._person
        client = world.places.client(person, day, 14 * 3600)
        for number, customer in enumerate(self._customers):
            second = 14 * 3600 + number * 7200 // self.customers
            time = world.days.moment(day, second) + rng.getrandbits(19)
            yield world.mail(time, person, client, (customer,), 84_000 + rng.randrange(6000), subject="Invoice")
        world.note_burst(person.email, self.kind, day, self.customers)


@dataclass
class OfficeMove(Special):
    """From one day on the offices have other outer addresses, for everybody."""

    day: int = 25
    kind: str = "office_move"

    def prepare(self, world: Traffic) -> None:
        """Set the day of the move."""
        world.places.office_moves_on = self.day


#: every special case with its defaults, by name
SPECIALS: dict[str, type[Special]] = {
    "newsletter": Newsletter,
    "announcement": Announcement,
    "digest": Digest,
    "machines": Machines,
    "traveller": Traveller,
    "shared_mailbox": SharedMailbox,
    "mailing_list": MailingList,
    "newcomer": Newcomer,
    "holiday_returner": HolidayReturner,
    "cold_sales": ColdSales,
    "invoices": Invoices,
    "office_move": OfficeMove,
}


def _bulk(
    world: Traffic,
    sender: Person,
    client: Client,
    day: int,
    readers: list[str],
    *,
    kind: str,
    second: int,
    step: int = 1,
    size: int = 0,
) -> Iterator[Event]:
    """Send the same mail to all readers, `step` at a time, a few seconds apart."""
    rng = world.rng
    size = size or 21_000 + rng.randrange(30_000)
    time = world.days.moment(day, second)
    for first in range(0, len(readers), step):
        to = tuple(readers[first : first + step])
        time += SECOND + rng.getrandbits(21)
        fates = world.trouble(to) if rng.random() < 0.015 * len(to) else None
        yield _plain(sender, time, client, to, size + rng.randrange(50), subject=kind)._replace(fates=fates)
    world.note_burst(sender.email, kind, day, (len(readers) + step - 1) // step)


def _plain(sender: Person, time: int, client: Client, to: tuple[str, ...], size: int, *, subject: str) -> Mail:
    return Mail(time, SUBMISSION, sender.email, sender.email, to, size, client, sender.software, subject)


def _outsiders(world: Traffic, count: int) -> list[str]:
    """Gather so many different outside addresses: from the book as far as it goes, then strangers."""
    book = [contact.email for contact in world.company.book]
    chosen = world.rng.sample(book, min(count, len(book)))
    return [*chosen, *(world.company.stranger(world.rng) for _ in range(count - len(chosen)))]


def _workday(world: Traffic, day: int) -> int:
    """Find this day, or the next on which people work."""
    while day < len(world.days) - 1 and world.days.free(day):
        day += 1
    return day
