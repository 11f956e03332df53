# SPDX-License-Identifier: Apache-2.0
"""An invented organisation: its people, the companies they write to, and the addresses they work from.

All names are made up; domains lie under .example, addresses in the documentation and benchmark ranges.
"""

import csv
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from random import Random
from typing import NamedTuple, TypeVar

T = TypeVar("T")

DOMAIN = "hinode-works.example"
FREE_MAIL = ("freemail.example", "postbox.example", "webmail-net.example", "hanko-mail.example")
FREE_SHARE = 0.25


def _words(text: str) -> tuple[str, ...]:
    return tuple(text.split())


_FAMILY = _words(
    "aokawa banno chikura dohira enami fukase gonda hatsumi ibara joma kanamori kosaka mizuhara nagatsu "
    "ogura rokuda sakuma tachino uesato wakasa yorita zenba alder birch corwin dunmore ellery farrow "
    "garrick holloway ingram kestrel larkin merrow norwood osgood pemberly quillan rowell sorrel thackery "
    "underhay vance whitlow"
)
_GIVEN = _words(
    "aiko chihiro daigo eri fumi goro haruki izumi jun kaede kenta mao nagisa osamu rin sayo taiga ume "
    "yuzu wataru adela bruno clara dorian edith felix greta hugo iris jonas karla leon mina nils olive "
    "pablo rosa stefan tilda viktor"
)
_FIRST_WORD = _words(
    "acme aoba arden asagi benten blue-crane cedar chidori copper delta-one eastgate fuji-ya granite "
    "hakuba harbor hayate icho juniper kiri komorebi lantern maple minato nadeshiko northern ocean-ten "
    "pine quartz ridge sazanami silver tsubaki umino violet willow yamabuki"
)
_SECOND_WORD = _words(
    "parts steel logistics shoji kogyo electric foods design press paper tools chemical trading seisaku "
    "denki optics freight lumber systems bearing"
)
_ROLES = ("purchasing", "sales", "accounts", "engineering", "plant", "office", "management")
_SOFTWARE = ("outlook", "outlook", "outlook", "thunderbird", "apple", "webmail")
_HOMES = ("fixed", "fixed", "changing", "changing", "mobile", "six")


class Contact(NamedTuple):
    """One line of an address book."""

    name: str
    email: str
    company: str


@dataclass(slots=True)
class Person:
    """A member of staff with the habits that make honest mail differ from person to person."""

    number: int
    name: str
    email: str
    role: str
    volume: float  # mails on a working day
    novelty: float  # share of mails that go to somebody new
    start: int  # second of the day when work begins
    night: bool
    home: str
    software: str
    protocol: str
    typical_size: float  # natural logarithm of bytes
    inside: list[str] = field(default_factory=list)
    outside: list[str] = field(default_factory=list)


@dataclass(slots=True)
class Company:
    """Everybody and everything that the traffic is made from."""

    domain: str
    people: list[Person]
    book: list[Contact]
    strangers_seen: set[str]

    def stranger(self, rng: Random) -> str:
        """Invent an outside address that nobody here has written to before."""
        while True:
            contact = _contact(rng, _domain(rng), rng.randrange(10_000))
            if contact.email not in self.strangers_seen:
                self.strangers_seen.add(contact.email)
                return contact.email

    def directory(self) -> list[Contact]:
        """List everybody as the global address list does: staff first, then the customer book, each by address."""
        staff = [Contact(person.name, person.email, "Hinode Works") for person in self.people]
        return sorted(staff, key=_by_email) + sorted(self.book, key=_by_email)

    def write_directory(self, path: Path) -> None:
        """Write the directory as CSV."""
        with path.open("w", encoding="utf-8", newline="") as out:
            writer = csv.writer(out, lineterminator="\n")
            writer.writerow(Contact._fields)
            writer.writerows(self.directory())


def build(seed: int, staff: int, *, activity: float = 1.0, book: int = 0) -> Company:
    """Build the organisation of this seed; `activity` scales all mail, `book` is the size of the customer book."""
    if not 5 <= staff <= 5000:
        raise ValueError("staff must lie between 5 and 5000")
    rng = Random(f"company {seed} {staff}")
    contacts = _book(rng, book or max(1500, 4 * staff))
    people = _people(rng, staff, activity)
    _acquaint(rng, people, contacts)
    return Company(DOMAIN, people, contacts, {contact.email for contact in contacts})


def zipf(rng: Random, items: Sequence[T]) -> T:
    """One item, the earlier ones far more often: rank r with weight about 1/r."""
    return items[int((len(items) + 1) ** rng.random()) - 1]


def _by_email(contact: Contact) -> str:
    return contact.email


def _book(rng: Random, size: int) -> list[Contact]:
    """Companies with one to a dozen contacts each, and private people at free mail hosts."""
    seen: dict[str, Contact] = {}
    while len(seen) < size:
        free = rng.random() < FREE_SHARE
        domain = rng.choice(FREE_MAIL) if free else _domain(rng)
        for _ in range(2 if free else int(rng.paretovariate(1.1)) % 12 + 1):
            contact = _contact(rng, domain, rng.randrange(10) if free else 0)
            if len(seen) < size:
                seen.setdefault(contact.email, contact)
    return list(seen.values())


def _domain(rng: Random) -> str:
    return f"{rng.choice(_FIRST_WORD)}-{rng.choice(_SECOND_WORD)}.example"


def _contact(rng: Random, domain: str, number: int) -> Contact:
    given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
    local = f"{given}.{family}" if rng.random() < 0.6 else f"{given[0]}-{family}"
    email = f"{local}{number or ''}@{domain}"
    company = "" if domain in FREE_MAIL else domain.removesuffix(".example").replace("-", " ").title()
    return Contact(f"{given.title()} {family.title()}", email, company)


def _people(rng: Random, staff: int, activity: float) -> list[Person]:
    taken: set[str] = set()
    people = [_person(rng, number, taken) for number in range(staff)]
    # the tail of a log-normal would let two companies of one size differ by half in their mail
    scale = 3.4 * activity * staff / sum(person.volume for person in people)
    for person in people:
        person.volume = min(60.0, max(0.2, person.volume * scale))
    return people


def _person(rng: Random, number: int, taken: set[str]) -> Person:
    given, family = rng.choice(_GIVEN), rng.choice(_FAMILY)
    local = f"{given}.{family}"
    if local in taken:
        local = f"{local}{number}"
    taken.add(local)
    night = rng.random() < 0.04
    return Person(
        number=number,
        name=f"{given.title()} {family.title()}",
        email=f"{local}@{DOMAIN}",
        role=_ROLES[number % len(_ROLES)],
        volume=min(60.0, max(0.2, rng.lognormvariate(0.7, 1.1))),
        novelty=min(0.5, rng.lognormvariate(-3.2, 1.0)),
        start=int(rng.gauss(9.0, 0.5) * 3600) + (43_200 if night else 0),
        night=night,
        home=rng.choice(_HOMES),
        software=rng.choice(_SOFTWARE),
        protocol="pop3" if rng.random() < 0.12 else "imap",
        typical_size=rng.gauss(8.9, 0.4),
    )


def _acquaint(rng: Random, people: list[Person], book: list[Contact]) -> None:
    """Colleagues know each other both ways; each person starts with a share of the book that others partly share."""
    for person in people:
        for _ in range(rng.randint(2, 8)):
            other = people[(person.number + int(rng.gauss(0, 12))) % len(people)]
            _introduce(person, other)
        count = min(len(book) // 4, int(3 + 4 * person.volume * rng.random() + rng.randint(0, 12)))
        middle = rng.randrange(len(book))
        near = {book[int(rng.gauss(middle, 60)) % len(book)].email: None for _ in range(count)}
        person.outside = list(near)


def _introduce(one: Person, other: Person) -> None:
    if one is not other and other.email not in one.inside:
        one.inside.append(other.email)
        if one.email not in other.inside:
            other.inside.append(one.email)
