# SPDX-License-Identifier: Apache-2.0
"""The words of other programs: message ids of mail clients, answers of far servers, delays as Postfix rounds them.

Delays come from a pool made once, because a log line must not cost a dozen random numbers.
"""

from base64 import b64encode
from collections.abc import Callable
from random import Random
from typing import NamedTuple
from zlib import crc32

_ALNUM = "ABCDEFGHJKLMNPQRSTUVWXYZabcdefghjkmnpqrstuvwxyz23456789"


class Delay(NamedTuple):
    """A delivery's length and the text of it."""

    length: int
    text: str


class Route(NamedTuple):
    """How mail for one domain leaves, and how the far side answers."""

    relay: str
    answer: str
    host: str
    address: str


def delays(rng: Random, shortest: float, longest: float) -> tuple[Delay, ...]:
    """512 deliveries, their logarithm spread evenly."""
    return tuple(_delay(rng, shortest * (longest / shortest) ** rng.random()) for _ in range(512))


def _delay(rng: Random, seconds: float) -> Delay:
    before, connect = 0.01 + 0.1 * rng.random(), seconds * (0.2 + 0.5 * rng.random())
    parts = (before, 0.01 * rng.random(), connect, seconds - connect)
    total = sum(parts)
    return Delay(int(1e6 * total), f"delay={total:.2g}, delays={'/'.join(f'{part:.2g}' for part in parts)}")


def late_delay(seconds: float, connect: float) -> str:
    """Word the delay of a retry: nearly all of it was spent waiting in the queue."""
    total = f"{seconds:.0f}"
    return f"delay={total}, delays={seconds - connect:.0f}/0.02/{connect:.2g}/0"


def route(domain: str) -> Route:
    """Invent how mail for a domain leaves; the same domain always leaves alike."""
    number = crc32(domain.encode())
    host = f"mx{number % 3 + 1}.{domain}" if number % 4 else f"inbound.{domain}"
    address = f"198.19.{number // 7 % 120}.{number // 1000 % 254 + 1}"
    return Route(f"{host}[{address}]:25", _answer(number, host), host, address)


def _answer(number: int, host: str) -> str:
    """Choose a template with one place for something that is new each time."""
    kind = number % 5
    if kind == 0:
        return f"250 2.6.0 <{{0}}@{host}> [InternalId={number % 9_999_991}, Hostname={host}] Queued mail for delivery"
    if kind == 1:
        return "250 2.0.0 OK  {0} - gsmtp"
    if kind == 2:
        return "250 ok:  Message {0} accepted"
    return "250 2.0.0 Ok: queued as {0}"


def refusal(number: int, address: str, host: str) -> tuple[str, str]:
    """Word the dsn and answer of a far server that will not have a recipient."""
    texts = (
        ("5.1.1", f"550 5.1.1 <{address}>: Recipient address rejected: User unknown in virtual mailbox table"),
        (
            "5.1.1",
            f"550 5.1.1 The email account that you tried to reach does not exist. Please check {address}, again.",
        ),
        ("5.1.1", f"550 5.1.1 User unknown ({address.partition('@')[0]})"),
        ("5.2.1", "550 5.2.1 The user you are trying to contact is disabled (mailbox (closed), see policy)"),
    )
    dsn, text = texts[0 if number % 10 < 7 else number % 4]
    return dsn, f"host {host} said: {text} (in reply to RCPT TO command)"


def postponement(number: int, host: str, address: str) -> tuple[str, str]:
    """Word the dsn and reason of a delivery that has to wait."""
    if number % 3 == 0:
        return "4.4.1", f"connect to {host}[{address}]:25: Connection timed out"
    if number % 3 == 1:
        return (
            "4.7.1",
            f"host {host}[{address}] said: 450 4.7.1 Greylisted, please try again (in reply to RCPT TO command)",
        )
    return "4.2.2", f"host {host}[{address}] said: 452 4.2.2 Mailbox full (in reply to end of DATA command)"


def token(rng: Random, octets: int, length: int) -> str:
    """Draw a session token."""
    return b64encode(rng.randbytes(octets)).decode()[:length]


def _uuid(rng: Random) -> str:
    digits = f"{rng.getrandbits(128):032x}"
    return f"{digits[:8]}-{digits[8:12]}-{digits[12:16]}-{digits[16:20]}-{digits[20:]}"


def _outlook(rng: Random, time: int, domain: str) -> str:
    bits = rng.getrandbits(96)
    return (
        f"{bits & 0xFFFFFF:08x}01d6{time >> 28 & 0xFFFF:04x}${bits >> 64:08x}${bits >> 32 & 0xFFFFFFFF:08x}$@{domain}"
    )


def _thunderbird(rng: Random, _time: int, domain: str) -> str:
    return f"{_uuid(rng)}@{domain}"


def _apple(rng: Random, _time: int, domain: str) -> str:
    return f"{_uuid(rng).upper()}@{domain}"


def _webmail(rng: Random, _time: int, domain: str) -> str:
    return f"{rng.getrandbits(128):032x}@{domain}"


def _tool(rng: Random, time: int, _domain: str) -> str:
    return f"{time // 1000}.{''.join(rng.choices(_ALNUM, k=12))}@WIN-{time // 86_400_000_000 % 9973:04d}"


def _mailer(rng: Random, _time: int, _domain: str) -> str:
    return f"{''.join(rng.choices(_ALNUM, k=43))}@localhost.localdomain"


def _system(rng: Random, time: int, domain: str) -> str:
    return f"{time // 1_000_000}.{rng.getrandbits(36):09X}@{domain}"


#: what a program's Message-IDs look like
MESSAGE_IDS: dict[str, Callable[[Random, int, str], str]] = {
    "outlook": _outlook,
    "thunderbird": _thunderbird,
    "apple": _apple,
    "webmail": _webmail,
    "tool": _tool,
    "mailer": _mailer,
    "system": _system,
}
