# SPDX-License-Identifier: Apache-2.0
"""What must not be seen in a text: other people's addresses, names, inner machines, addresses that still lead somewhere.

Everything is looked for in every reading of the text (`views`). A problem says where, and never repeats what it found.
"""

import re
from collections.abc import Collection, Iterable, Iterator
from contextlib import suppress
from functools import lru_cache
from typing import Final

from hikeshi.wording.document import Problem, error
from hikeshi.wording.views import folded, squeezed, views

#: the parts of an address as written in running text (RFC 5321, and RFC 6531 beyond ASCII)
_LEFT: Final = re.compile(r"(\"[^\"@\r\n]{1,64}\"|[^\s<>()\[\]@,;:\"「」『』()、。]{1,64})$")
_RIGHT: Final = re.compile(r"[\w.-]{1,254}")
#: what a domain goes on with; a file's ending is none of it
_GOES_ON: Final = re.compile(
    r"[a-z0-9-]|\.(?!(?:bin|txt|eml|msg|mbox|pdf|csv|html?|png|jpe?g|gif|zip|docx?|xlsx?)\b)\w"
)
_ATOM: Final = re.compile(r"[a-z0-9.!#$%&'*+/=?^_`{|}~-]")
#: addresses and names that lead into the house: RFC 1918, 3927, 4193 and 6598, names without the world, tenants
_INNER: Final = re.compile(
    r"(?<![\d.])(?:10(?:\.\d{1,3}){3}|192\.168(?:\.\d{1,3}){2}|172\.(?:1[6-9]|2\d|3[01])(?:\.\d{1,3}){2}"
    r"|169\.254(?:\.\d{1,3}){2}|100\.(?:6[4-9]|[7-9]\d|1[01]\d|12[0-7])(?:\.\d{1,3}){2})(?![\d.]*\d)"
    r"|\bf[cd][0-9a-f]{2}(?::[0-9a-f]{0,4}){2,7}"
    r"|\b[a-z0-9][a-z0-9-]*\.(?:local|internal|intranet|lan|corp|localdomain|home\.arpa)\b"
    r"|(?:テナント|tenant|directory)[^\n]{0,20}?[0-9a-f]{8}-(?:[0-9a-f]{4}-){3}[0-9a-f]{12}"
)


class Known(Collection[str]):
    """Addresses of people, made ready to be looked for; case, plus-tags, quotes and punycode make no difference."""

    def __init__(self, addresses: Iterable[str] = ()) -> None:
        self._addresses = frozenset(addresses)
        self._locals: dict[str, set[str]] = {}
        for one in self._addresses:
            local, _, domain = one.strip().rpartition("@")
            for form in _forms(domain):
                self._locals.setdefault(form, set()).add(_local(local))

    def __len__(self) -> int:
        return len(self._addresses)

    def __iter__(self) -> Iterator[str]:
        return iter(self._addresses)

    def __contains__(self, address: object) -> bool:
        local, _, domain = str(address).strip().rpartition("@")
        return _local(local) in self._locals.get(folded(domain), ())

    def locals(self, domain: str) -> Collection[str]:
        """Give the local parts known in a domain, folded."""
        return self._locals.get(domain, ())


def leaks(
    text: str,
    names: Collection[str] = (),
    inner: Collection[str] = (),
    urls: Collection[str] = (),
    addresses: Collection[str] = (),
    *,
    allowed: Collection[str] = (),
) -> list[Problem]:
    """Give what of all this a text shows.

    `names` are of people, `inner` names and addresses of machines, `urls` the lure's, which may stand defanged only, and
    `addresses` people's. `allowed` are addresses that may stand there although they are among those.
    """
    readings = views(text)
    found = [
        error(
            "L05",
            f"text, {_masked(one)}",
            "another person's address is in it",
            "他の方のメールアドレスが含まれています",
        )
        for one in addresses_in(readings, addresses, allowed)
    ]
    found += [
        error("L09", f"text, a name that begins with {one[:1]}", "a person is named", "個人の氏名が含まれています")
        for one in _names_in(readings, names)
    ]
    if any(_INNER.search(one) for one in readings) or any(_plain(one, readings) for one in inner):
        found.append(
            error(
                "L09",
                "text",
                "an inner address, host name or tenant is in it",
                "内部のIPアドレス、ホスト名、テナントIDが含まれています",
            )
        )
    if live(text, urls):
        found.append(
            error(
                "L08",
                "text",
                "the lure's address still works as a link; defang it",
                "誘導先のURLがリンクとして機能します。無害化してください",
            )
        )
    return found


def addresses_in(readings: Collection[str], addresses: Collection[str], allowed: Collection[str] = ()) -> list[str]:
    """Give which of the addresses stand in readings (of `views`), in order, without those that are allowed."""
    known = addresses if isinstance(addresses, Known) else Known(addresses)
    if not known:
        return []
    fine = Known(allowed)
    found: dict[str, None] = {}
    for reading in readings:
        if "@" in reading:
            found.update(dict.fromkeys(one for one in (*_whole(reading, known), *_broken(reading, known, fine))))
    return [one for one in found if one not in fine]


def live(text: str, urls: Collection[str]) -> bool:
    """Say whether one of the addresses, or its host, stands in a text so that it would become a link."""
    hosts = {host for one in urls if (host := _host(one))}
    readings = views(text, defanged=False) if hosts else []
    return any(
        re.search(rf"(?<![\w.-]){re.escape(form)}(?![\w-]|\.\w)", reading)
        for host in hosts
        for form in _forms(host)
        for reading in (*readings, *map(squeezed, readings))
    )


def _whole(reading: str, known: Known) -> Iterator[str]:
    """Give the known addresses that stand in a reading in one piece."""
    for at in (found.start() for found in re.finditer("@", reading)):
        left, right = _LEFT.search(reading, max(0, at - 66), at), _RIGHT.match(reading, at + 1)
        if left and right:
            yield from _parted(left[0], right[0], known)


def _parted(left: str, right: str, known: Known) -> Iterator[str]:
    # In Japanese, words stand beside an address without a space: only letters of an address go on with it.
    begins = [0] if left.startswith('"') else [n for n in range(len(left)) if _begins(left, n)]
    for end in range(1, len(right) + 1):
        locals_ = known.locals(right[:end])
        if locals_ and not _GOES_ON.match(right, end):
            yield from (f"{_local(left[n:])}@{right[:end]}" for n in begins if _local(left[n:]) in locals_)


def _begins(left: str, n: int) -> bool:
    return not n or not _ATOM.match(left[n - 1]) or left[n - 1] in "=/?&|" or not left[:n].strip("'`*_{}#!$~^")


def _broken(reading: str, known: Known, fine: Known) -> Iterator[str]:
    """Give the known addresses that a break between lines parts; nothing says there how far an address goes."""
    if "\n" not in reading:
        return
    places = [n for n, one in enumerate(reading) if not one.isspace()]
    text = "".join(reading[n] for n in places)
    for at in (found.start() for found in re.finditer("@", text)):
        for end in range(at + 2, min(len(text), at + 255) + 1):
            locals_ = known.locals(text[at + 1 : end])
            if not locals_:
                continue
            for begin in range(max(0, at - 64), at):
                whole = reading[places[begin] : places[end - 1] + 1]
                if "\n" in whole and _local(text[begin:at]) in locals_ and whole.split()[-1] not in fine:
                    yield f"{_local(text[begin:at])}@{text[at + 1 : end]}"
                    break


@lru_cache(maxsize=4096)
def _forms(domain: str) -> frozenset[str]:
    """Give a domain as people and as machines write it."""
    plain = folded(domain).rstrip(".")
    forms = {plain}
    with suppress(UnicodeError):
        forms.add(plain.encode("idna").decode())
    with suppress(UnicodeError):
        forms.add(folded(plain.encode().decode("idna")))
    return frozenset(forms - {""})


def _local(local: str) -> str:
    plain = squeezed(folded(local)).strip('"')
    return plain.partition("+")[0] or plain


def _names_in(readings: Collection[str], names: Collection[str]) -> list[str]:
    return [one for one in names if _named(one, readings)]


def _named(name: str, readings: Collection[str]) -> bool:
    parts = folded(name).replace(",", " ").split()
    if not parts:
        return False
    orders = [parts, parts[::-1]]
    if all(one.isascii() for one in parts):
        between = r"[\s,._=\"'-]*"
        patterns = [rf"(?<![a-z0-9]){between.join(map(re.escape, order))}(?![a-z0-9])" for order in orders]
        return any(re.search(pattern, reading) for pattern in patterns for reading in readings)
    texts = [re.sub(r"[\s.,、・_=-]+", "", reading) for reading in readings]
    return any("".join(order) in text for order in orders for text in texts)


def _plain(what: str, readings: Collection[str]) -> bool:
    pattern = rf"(?<![\w.-]){re.escape(folded(what))}(?![\w-]|\.\w)"
    return any(re.search(pattern, reading) for reading in readings)


def _host(url: str) -> str:
    plain = folded(url.replace("[.]", ".").strip())
    rest = plain.partition("://")[2] or plain
    return re.split(r"[/?#]", rest, maxsplit=1)[0].rpartition("@")[2].partition(":")[0]


def _masked(address: str) -> str:
    local, _, domain = address.rpartition("@")
    return f"{local[:1]}…@{domain}"
