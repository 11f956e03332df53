# SPDX-License-Identifier: Apache-2.0
"""Honest mail, day by day: who writes to whom, when, from where, and what comes in from outside.

Nobody's habits are drawn from one common law: volume, share of new recipients, hours, places and sizes are each
person's own. Special cases and attacks hang their events into the day.
"""

from bisect import bisect_left
from collections.abc import Iterable, Iterator
from math import exp
from operator import itemgetter
from random import Random

from hikeshi.drill.company import Company, Person, zipf
from hikeshi.drill.events import BOUNCED, INBOUND, LATER, SECOND, SENT, SUBMISSION, Client, Event, Knock, Login, Mail
from hikeshi.drill.places import Days, Places, bot
from hikeshi.drill.wording import Route, route

_LARGEST = 25_000_000
_TROUBLE = 0.03  # share of honest mails to outside with a recipient in trouble
_WEEKEND = 0.06
_HALF_HOURS = (
    *(0.0,) * 12,  # night
    *(0.01, 0.02, 0.06, 0.1, 0.3, 0.8),  # from six o'clock
    *(1.4, 1.4, 1.3, 1.2, 1.1, 1.0, 0.3, 0.4, 1.1, 1.2, 1.1, 1.1, 1.1, 1.2, 1.2, 1.0),  # from nine, lunch at noon
    *(0.8, 0.5, 0.35, 0.25, 0.15, 0.1, 0.08, 0.08, 0.06, 0.05, 0.04, 0.03, 0.01, 0.0),  # from five
)
_SUBJECTS = tuple(
    f"{word} {number}"
    for word in (
        "Order",
        "Re: Quotation",
        "Re: Delivery",
        "Drawing",
        "Re: Meeting",
        "Invoice",
        "=?UTF-8?B?6KaL56mN?=",
        "Re: Re: Lot",
    )
    for number in range(1001, 1033)
)


class Special:
    """Something that hangs its events into the days: an honest special case or an attack."""

    def prepare(self, world: "Traffic") -> None:
        """Choose people and accounts before the first day."""
        raise NotImplementedError

    def events(self, world: "Traffic", day: int) -> Iterable[Event]:
        """Yield what this day brings; times may lie on later days."""
        del world, day
        return ()


class Circle:
    """Whom a person writes to: the list grows, and the order of last use is known."""

    __slots__ = ("known", "outside", "recent", "sent")

    def __init__(self, person: Person, rng: Random) -> None:
        self.outside = person.outside
        self.known = [*person.inside, *person.outside]
        rng.shuffle(self.known)
        self.recent = ""
        self.sent: dict[str, int] = {}

    def by_recency(self) -> list[str]:
        """List whom the person has written to, the latest first."""
        return [address for address, _ in sorted(self.sent.items(), key=itemgetter(1), reverse=True)]


class Traffic:
    """The world of one scenario."""

    def __init__(self, company: Company, days: Days, seed: int) -> None:
        self.company = company
        self.days = days
        self.seed = seed
        self.rng = Random(f"traffic {seed}")
        self.places = Places(company, days, seed)
        self.circles = [Circle(person, self.rng) for person in company.people]
        self.specials: list[Special] = []
        self.extra_accounts: list[str] = []
        self.bursts: list[dict[str, object]] = []
        #: persons who do not write on some days: number → (first, last)
        self.away: dict[int, list[tuple[int, int]]] = {}
        #: persons whom a special case or an attack has taken
        self.taken: set[int] = set()
        self._hours = _quantiles()
        self._gateways: dict[str, Client] = {}
        self._later: list[Event] = []

    def events(self) -> Iterator[Event]:
        """Everything that happens, in the order of time."""
        for special in self.specials:
            special.prepare(self)
        for day in range(len(self.days)):
            today = self._day(day)
            today += self._later
            today.sort(key=itemgetter(0))
            cut = bisect_left(today, self.days.starts[day + 1], key=itemgetter(0))
            self._later = today[cut:]
            yield from today[:cut]
            self.places.forget()

    def _day(self, day: int) -> list[Event]:
        today: list[Event] = []
        for special in self.specials:
            today += special.events(self, day)
        for person in self.company.people:
            self._person(today, person, day)
        self._bots(today, day)
        return today

    # a person's day

    def _person(self, today: list[Event], person: Person, day: int) -> None:
        rng = self.rng
        factor = _WEEKEND if self.days.free(day) else 1.0
        inbound = self.poisson((0.8 * person.volume + 0.4) * max(factor, 0.2))
        circle = self.circles[person.number]
        today += [self.inbound(person, circle, self.moment(person, day)) for _ in range(inbound)]
        if self.is_away(person, day):
            return
        written = self.poisson(factor * person.volume)
        today += [self.ordinary(person, day, self.second(person)) for _ in range(written)]
        for _ in range(self.poisson(factor * (1.2 + 0.1 * person.volume))):
            self._session(today, person, day)
        if rng.random() < 0.004:
            second = self.second(person)
            ip = self.places.client(person, day, second).ip
            when = self.days.moment(day, second)
            today.append(Login(when, person.email, ip, person.protocol, 0, 0, 0, accepted=False))

    def is_away(self, person: Person, day: int) -> bool:
        """Tell whether the person writes nothing on this day."""
        return any(first <= day <= last for first, last in self.away.get(person.number, ()))

    def second(self, person: Person) -> int:
        """Draw a second of the day at which this person might write."""
        return (self._hours[self.rng.getrandbits(11)] + self.rng.getrandbits(6) + person.start) % 86_400

    def moment(self, person: Person, day: int) -> int:
        """Draw a time of the day at which this person might get mail."""
        return self.days.moment(day, self.second(person)) + self.rng.getrandbits(19)

    def ordinary(self, person: Person, day: int, second: int) -> Mail:
        """One mail as this person writes them."""
        rng, circle = self.rng, self.circles[person.number]
        time = self.days.starts[day] + second * SECOND + rng.getrandbits(19)
        recipients = self._recipients(person, circle)
        for address in recipients:
            circle.sent[address] = time
        client = self.places.client(person, day, second)
        return self.mail(time, person, client, recipients, self.size(person))

    def mail(
        self,
        time: int,
        person: Person,
        client: Client,
        recipients: tuple[str, ...],
        size: int,
        *,
        subject: str = "",
    ) -> Mail:
        """Make a mail of this person."""
        subject = subject or _SUBJECTS[self.rng.getrandbits(8)]
        fates = self.trouble(recipients) if self.rng.random() < _TROUBLE else None
        email = person.email
        return Mail(time, SUBMISSION, email, email, recipients, size, client, person.software, subject, fates)

    def trouble(self, recipients: tuple[str, ...]) -> tuple[str, ...]:
        """One recipient bounces or has to wait."""
        fates = [SENT] * len(recipients)
        fates[int(self.rng.random() * len(fates))] = BOUNCED if self.rng.random() < 0.35 else LATER
        return tuple(fates)

    def size(self, person: Person) -> int:
        """Draw a mail's size: texts, and now and then an attachment."""
        rng = self.rng
        octets = 900 + exp(rng.gauss(person.typical_size, 0.8))
        if rng.random() < 0.15:
            octets += 30_000 * rng.paretovariate(0.8)
        return min(int(octets), _LARGEST)

    def _recipients(self, person: Person, circle: Circle) -> tuple[str, ...]:
        rng = self.rng
        draw = rng.random()
        if draw < person.novelty:
            first = self.newcomer(circle)
        elif draw < person.novelty + 0.3 and circle.recent:
            first, circle.recent = circle.recent, ""
        else:
            first = zipf(rng, circle.known)
        if rng.random() < 0.7:
            return (first,)
        chosen = {first: None}
        while rng.random() < 0.6 and len(chosen) < 12:
            chosen[zipf(rng, circle.known)] = None
        return tuple(chosen)

    def newcomer(self, circle: Circle) -> str:
        """Pick somebody this person has never written to; now and then a new regular."""
        rng = self.rng
        draw = rng.random()
        if draw < 0.35:
            address = rng.choice(self.company.people).email
        elif draw < 0.7:
            address = rng.choice(self.company.book).email
        else:
            address = self.company.stranger(rng)
        circle.known.append(address)
        if rng.random() < 0.3:
            place = rng.randrange(len(circle.known))
            circle.known[place], circle.known[-1] = circle.known[-1], circle.known[place]
        if not address.endswith(self.company.domain):
            circle.outside.append(address)
        return address

    def inbound(self, person: Person, circle: Circle, time: int) -> Mail:
        """Make a mail from outside: mostly from somebody known, who will then be answered."""
        rng = self.rng
        if circle.outside and rng.random() < 0.75:
            sender = circle.recent = zipf(rng, circle.outside)
        else:
            sender = rng.choice(self.company.book).email
        return self.from_outside(time, sender, person.email)

    def from_outside(self, time: int, sender: str, to: str, subject: str = "") -> Mail:
        """Make a mail that a far server delivers."""
        size = 1500 + int(exp(self.rng.gauss(9.4, 1.1)))
        client = self._gateway(sender.rpartition("@")[2])
        software = ("outlook", "webmail", "apple", "system")[self.rng.getrandbits(2)]
        subject = subject or _SUBJECTS[self.rng.getrandbits(8)]
        return Mail(time, INBOUND, "", sender, (to,), min(size, _LARGEST), client, software, subject)

    def _gateway(self, domain: str) -> Client:
        client = self._gateways.get(domain)
        if client is None:
            far: Route = route(domain)
            client = self._gateways[domain] = Client(far.address, f"{far.host}[{far.address}]")
        return client

    def _session(self, today: list[Event], person: Person, day: int) -> None:
        rng = self.rng
        second = self.second(person)
        ip = self.places.client(person, day, second).ip
        bodies = int(rng.expovariate(0.2))
        length = int(rng.expovariate(1 / 900)) + 1 if person.protocol == "imap" else 2
        octets = bodies * (2000 + rng.getrandbits(15))
        when = self.days.moment(day, second) + rng.getrandbits(19)
        today.append(Login(when, person.email, ip, person.protocol, length, bodies, octets))

    # the internet

    def _bots(self, today: list[Event], day: int) -> None:
        rng, people = self.rng, self.company.people
        for _ in range(self.poisson(25 + 0.2 * len(people))):
            time = self.days.starts[day] + rng.randrange(86_390) * SECOND + rng.getrandbits(19)
            kind = ("auth", "auth", "relay", "blocked", "blocked", "unknown", "hello", "hello")[rng.getrandbits(3)]
            name = rng.choice(("admin", "test", "root", "webmaster", "ftp"))
            account = f"{name}@{self.company.domain}"
            if kind == "auth" and rng.random() < 0.2:
                account = rng.choice(people).email
            sender = f"spameri@{rng.choice(self.company.book).email.rpartition('@')[2]}"
            if kind == "relay":
                account = "probe@elsewhere.example"
            today.append(Knock(time, kind, bot(rng), account, sender))

    # for special cases and attacks

    def choose(self, wish: float | None = None, role: str = "") -> Person:
        """Choose a person nobody else has taken, of this role, with about the wished number of mails a day."""
        free = [person for person in self.company.people if person.number not in self.taken and not person.night]
        fitting = [person for person in free if person.role == role] or free
        if wish is None:
            person = self.rng.choice([person for person in fitting if 1 <= person.volume <= 12] or fitting)
        else:
            person = min(fitting, key=lambda person: abs(person.volume - wish))
        self.taken.add(person.number)
        return person

    def account(self, local: str) -> Person:
        """Open an account that no single person owns; it writes only what its special case says."""
        email = f"{local}@{self.company.domain}"
        self.extra_accounts.append(email)
        # a number apart from the staff, so that its places differ from theirs
        number = len(self.company.people) + len(self.extra_accounts)
        return Person(
            number=number,
            name=local,
            email=email,
            role="system",
            volume=0.0,
            novelty=0.0,
            start=9 * 3600,
            night=False,
            home="fixed",
            software="system",
            protocol="imap",
            typical_size=9.0,
        )

    def note_burst(self, account: str, kind: str, day: int, messages: int) -> None:
        """Note honest bulk for the truth."""
        if messages:
            date = self.days.dates[day].date().isoformat()
            self.bursts.append({"account": account, "kind": kind, "day": date, "messages": messages})

    def poisson(self, mean: float) -> int:
        """Draw a count with this mean."""
        if mean > 30:
            return max(0, round(self.rng.gauss(mean, mean**0.5)))
        limit, product, count = exp(-mean), self.rng.random(), 0
        while product > limit:
            product *= self.rng.random()
            count += 1
        return count


def _quantiles() -> tuple[int, ...]:
    """2048 offsets from the start of work in seconds, as dense as a common working day."""
    total, parts = sum(_HALF_HOURS), 2048
    offsets: list[int] = []
    passed = 0.0
    for number, weight in enumerate(_HALF_HOURS):
        first, passed = passed, passed + weight
        while len(offsets) < parts and (len(offsets) + 0.5) / parts * total < passed:
            share = ((len(offsets) + 0.5) / parts * total - first) / weight
            offsets.append(int(1800 * (number + share)) - 9 * 3600)
    return tuple(offsets)
