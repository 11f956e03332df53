# SPDX-License-Identifier: Apache-2.0
"""Queue ids as Postfix makes them, short and long, and pools of things that are used again once free.

Short ids repeat over the weeks because inodes do; a long id carries the time of its message.
"""

import heapq
from collections.abc import Callable
from typing import Generic, TypeVar

T = TypeVar("T")

_BASE52 = "0123456789BCDFGHJKLMNPQRSTVWXYZbcdfghjklmnpqrstvwxyz"
_BASE51 = _BASE52[:-1]


class Pool(Generic[T]):
    """Lends the item that has been free longest; makes a new one when all are busy."""

    def __init__(self, make: Callable[[], T]) -> None:
        self._make = make
        self._free: list[tuple[int, int, T]] = []
        self._count = 0

    def take(self, time: int) -> T:
        """Borrow an item that is free at this time."""
        if self._free and self._free[0][0] <= time:
            return heapq.heappop(self._free)[2]
        return self._make()

    def give_back(self, item: T, time: int) -> None:
        """Return an item that is free from this time on."""
        self._count += 1
        heapq.heappush(self._free, (time, self._count, item))


def short_id(time: int, inode: int) -> str:
    """Make an id of the microseconds and the inode."""
    return f"{time % 1_000_000:05X}{inode:X}"


def long_id(time: int, inode: int) -> str:
    """Make an id that also carries the seconds."""
    seconds, microseconds = divmod(time, 1_000_000)
    return f"{_encode(seconds, _BASE52, 6)}{_encode(microseconds, _BASE52, 4)}z{_encode(inode, _BASE51, 1)}"


def long_id_time(queue_id: str) -> int:
    """Read the microseconds since 1970 that a long queue id carries."""
    head = queue_id[: queue_id.rindex("z")]
    return _decode(head[:-4], _BASE52) * 1_000_000 + _decode(head[-4:], _BASE52)


def _encode(number: int, alphabet: str, width: int) -> str:
    digits = ""
    while number or len(digits) < width:
        number, digit = divmod(number, len(alphabet))
        digits = alphabet[digit] + digits
    return digits


def _decode(text: str, alphabet: str) -> int:
    number = 0
    for digit in text:
        number = number * len(alphabet) + alphabet.index(digit)
    return number
