# SPDX-License-Identifier: Apache-2.0
"""Takeovers: who is taken over, from where, how fast, with which lure, and to whom it goes.

Each message carries the tag of its attack from the moment it is made.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from random import Random

from hikeshi.drill.company import Person
from hikeshi.drill.events import (
    BOUNCED,
    DAY,
    HOUR,
    LATER,
    REFUSED_LATER,
    SECOND,
    SENT,
    STUCK,
    SUBMISSION,
    Client,
    Event,
    Knock,
    Login,
    Mail,
)
from hikeshi.drill.places import foreign
from hikeshi.drill.traffic import Special, Traffic

_LURE = "Important: your document is waiting"


@dataclass(frozen=True)
class Attack:
    """One attack's parameters."""

    kind: str
    mails: int = 300
    recipients_per_mail: int = 1
    seconds: int = 3600  # from the first mail to the last
    day: int = 38
    at: int = 17 * 3600 + 5 * 60 + 54  # local second of the day
    accounts: int = 1
    recipients: str = "book"  # book (alphabetical) | own (latest first) | mixed (half strangers)
    from_owners_place: bool = False
    addresses: int = 1  # client addresses that take turns
    ip: str = ""  # a fixed client address instead of a drawn one
    lure_size: int = 14_211
    size_spread: int = 60
    varied_sizes: bool = False
    software: str = "tool"  # the shape of Message-IDs; "owner" copies the owner's client
    same_message_id: bool = False
    again: int = 0  # so many of the first recipients get the lure a second time
    capitals: bool = False  # some domains as people type them
    mails_per_connection: int = 1
    guesses: int = 0  # wrong passwords before the right one
    reads_days_before: float = 0.0  # a mailbox download by IMAP so long before
    owner_mails: int = 0  # mails the owner is sure to send meanwhile
    role: str = ""
    volume: float | None = None  # mails a day of the victim
    victim_mails: int | None = None  # or exactly so many in the whole log
    bounce: float = 0.06
    later: float = 0.03
    refused_later: float = 0.005
    stuck: float = 0.015

    @property
    def first_day(self) -> int:
        """Count back to the day of the first trace."""
        return self.day - int(self.reads_days_before + 0.999)


@dataclass
class Takeover(Special):
    """An attack at work in one scenario."""

    attack: Attack
    tag: int
    victims: list[Person] = field(default_factory=list)

    @property
    def accounts(self) -> list[str]:
        """Name the accounts that are taken over."""
        return [victim.email for victim in self.victims]

    def prepare(self, world: Traffic) -> None:
        """Choose the victims and give them the wished habits."""
        attack = self.attack
        self.victims = [world.choose(attack.volume, attack.role) for _ in range(attack.accounts)]
        for victim in self.victims:
            if attack.victim_mails is not None:
                victim.volume = 0.0
            elif attack.volume is not None:
                victim.volume = attack.volume

    def events(self, world: Traffic, day: int) -> Iterator[Event]:
        """Yield what this day brings: all of the attack on its first day, later times included."""
        attack = self.attack
        if attack.victim_mails:
            yield from self._rare_mails(world, day, attack.victim_mails)
        if day == attack.first_day:
            rng = Random(f"attack {world.seed} {self.tag}")
            yield from self._strike(world, rng)

    def _rare_mails(self, world: Traffic, day: int, count: int) -> Iterator[Event]:
        before = max(count, self.attack.day - 2)
        for number in range(count):
            if day == 1 + number * before // count:
                yield world.ordinary(self.victims[0], day, world.second(self.victims[0]))

    def _strike(self, world: Traffic, rng: Random) -> Iterator[Event]:
        attack = self.attack
        begin = world.days.moment(attack.day, attack.at)
        clients = [self._clients(rng) for _ in self.victims]
        for victim, places in zip(self.victims, clients, strict=True):
            yield from _guesses(rng, victim, places[0], begin, attack.guesses)
            if attack.reads_days_before:
                yield _download(rng, victim, places[0], begin - int(attack.reads_days_before * DAY))
        yield from self._mails(world, rng, begin, clients)
        yield from self._owner(world, rng)

    def _clients(self, rng: Random) -> tuple[Client, ...]:
        if self.attack.ip:
            return (Client(self.attack.ip, f"unknown[{self.attack.ip}]"),)
        return foreign(rng, self.attack.addresses)

    def _mails(self, world: Traffic, rng: Random, begin: int, clients: list[tuple[Client, ...]]) -> Iterator[Event]:
        attack = self.attack
        each = attack.recipients_per_mail
        addresses = self._addresses(world, rng)
        reused = f"{rng.getrandbits(64):016x}@mailer.localdomain" if attack.same_message_id else ""
        for number, time in enumerate(_times(rng, begin, attack.mails, attack.seconds)):
            turn = number % len(self.victims)
            victim, places = self.victims[turn], clients[turn]
            client = places[number // len(self.victims) % len(places)]
            if attack.from_owners_place:
                client = _place_at(world, victim, time)
            to = tuple(addresses[number * each : (number + 1) * each])
            mail = self._mail(rng, number, time, (victim, client), to)
            yield mail._replace(message_id=reused)
            yield from _questions(world, rng, mail)

    def _addresses(self, world: Traffic, rng: Random) -> list[str]:
        """List whom the mails go to, in the order of sending."""
        attack = self.attack
        count = attack.mails * attack.recipients_per_mail - attack.again
        addresses = _recipients(world, rng, self.victims[0], attack.recipients, count)
        addresses += addresses[: attack.again]
        if attack.capitals:
            addresses = [_typed(address) if rng.random() < 0.2 else address for address in addresses]
        return addresses

    def _mail(self, rng: Random, number: int, time: int, who: tuple[Person, Client], to: tuple[str, ...]) -> Mail:
        victim, client = who
        attack = self.attack
        size = attack.lure_size + rng.randint(0, attack.size_spread) + 31 * (len(to) - 1)
        if attack.varied_sizes:
            size = int(attack.lure_size * rng.lognormvariate(0, 0.6))
        software = victim.software if attack.software == "owner" else attack.software
        place = number % attack.mails_per_connection
        closes = place == attack.mails_per_connection - 1 or number == attack.mails - 1
        fates = tuple(self._fate(rng) for _ in to)
        return Mail(
            time, SUBMISSION, victim.email, victim.email, to, size, client, software, _LURE, fates, self.tag,
            place == 0, closes,
        )  # fmt: skip

    def _fate(self, rng: Random) -> str:
        attack, draw = self.attack, rng.random()
        for share, fate in (
            (attack.bounce, BOUNCED),
            (attack.later, LATER),
            (attack.refused_later, REFUSED_LATER),
            (attack.stuck, STUCK),
        ):
            draw -= share
            if draw < 0:
                return fate
        return SENT

    def _owner(self, world: Traffic, rng: Random) -> Iterator[Event]:
        """Honest mails of the owner inside the attack, some by chance as large as the lure."""
        attack = self.attack
        for number in range(attack.owner_mails):
            offset = attack.seconds * (number + 1) // (attack.owner_mails + 1)
            mail = world.ordinary(self.victims[0], attack.day, attack.at + offset)
            if number % 3 == 0:
                mail = mail._replace(size=attack.lure_size + rng.randint(-200, 200))
            yield mail


def _times(rng: Random, begin: int, count: int, seconds: int) -> Iterator[int]:
    """Put the first exactly at the beginning, the rest at uneven steps."""
    step = seconds * SECOND / max(1, count - 1)
    yield begin
    for number in range(1, count):
        yield begin + int(step * (number - 0.35 * rng.random()))


def _recipients(world: Traffic, rng: Random, victim: Person, source: str, count: int) -> list[str]:
    """So many different addresses; where the source runs dry, the book and then strangers follow."""
    outside = sorted(contact.email for contact in world.company.book)
    own = world.circles[victim.number].by_recency()
    if source == "own":
        first: Iterable[str] = own
    elif source == "mixed":
        first = _mixed(world, rng, outside, count)
    else:
        first = outside
    chosen = dict.fromkeys(address for address in first if address != victim.email)
    chosen.update(dict.fromkeys(outside))
    while len(chosen) < count:
        chosen[world.company.stranger(rng)] = None
    return list(chosen)[:count]


def _mixed(world: Traffic, rng: Random, outside: list[str], count: int) -> Iterator[str]:
    for address in outside[: count // 2 + 1]:
        yield address
        yield world.company.stranger(rng)


def _typed(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local}@{domain.title()}"


def _place_at(world: Traffic, person: Person, time: int) -> Client:
    days = world.days
    day = max(number for number in range(len(days)) if days.starts[number] <= time)
    return world.places.client(person, day, (time - days.starts[day]) // SECOND)


def _guesses(rng: Random, victim: Person, client: Client, begin: int, count: int) -> Iterator[Event]:
    for number in range(count):
        time = begin - 20 * SECOND * (count - number) - rng.getrandbits(22)
        if number % 4 == 3:
            yield Login(time, victim.email, client.ip, "imap", 0, 0, 0, accepted=False)
        else:
            yield Knock(time, "auth", client, victim.email)


def _download(rng: Random, victim: Person, client: Client, time: int) -> Login:
    bodies = rng.randint(1800, 4200)
    return Login(time, victim.email, client.ip, "imap", 1900, bodies, bodies * rng.randint(20_000, 60_000))


def _questions(world: Traffic, rng: Random, mail: Mail) -> Iterator[Event]:
    """Let a few of those who got the lure write back and ask."""
    for address, fate in zip(mail.recipients, mail.fates or (), strict=True):
        if fate == SENT and rng.random() < 0.012 and not address.endswith(world.company.domain):
            wait = int(HOUR * rng.expovariate(0.1)) + 300 * SECOND
            yield world.from_outside(mail.time + wait, address, mail.account, f"Re: {_LURE}")


_TEN = 10 * 3600

#: every attack once, by name
ATTACKS: dict[str, Attack] = {
    attack.kind: attack
    for attack in (
        Attack("fast", mails=1220, seconds=3600),
        Attack("slow", mails=400, seconds=400 * 420, day=39, at=_TEN),
        Attack("bcc", mails=12, recipients_per_mail=50, seconds=600, at=_TEN + 1711),
        Attack("own_address", from_owners_place=True, software="owner", recipients="own", at=_TEN + 2000),
        Attack("split", mails=500, accounts=2, seconds=5400, at=_TEN + 4000),
        Attack("while_owner_works", mails=400, seconds=7200, at=_TEN, owner_mails=9, volume=20.0),
        Attack("many_places", mails=400, seconds=5000, addresses=8, recipients="mixed"),
        Attack("password_guessed", guesses=40, at=3 * 3600 + 77),
        Attack("imap_first", reads_days_before=1.6, recipients="own", mails_per_connection=5),
        Attack("small_account", victim_mails=3),
        Attack("busy_account", volume=60.0, at=_TEN + 900, software="owner"),
    )
}


def attack(kind: str, **changes: object) -> Attack:
    """Take a named attack, with other parameters where wished."""
    return replace(ATTACKS[kind], **changes)  # type: ignore[arg-type]
