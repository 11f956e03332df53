# SPDX-License-Identifier: Apache-2.0
"""The ways in which Google misbehaves, one request at a time."""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "throttled",  # 429 with Retry-After, nothing done
    "rate-limited",  # 403 rateLimitExceeded, nothing done
    "over-quota",  # 403 quotaExceeded, nothing done
    "unavailable",  # 503, nothing done
    "drop-before",  # the connection breaks, nothing done
    "drop-after",  # the connection breaks, it was done
    "fails-after",  # 503, it was done
    "lies",  # the answer of success, nothing done
    "late",  # done; the next reads still show what was before
    "vanishes",  # somebody else deleted the object a moment before
]

#: these only make sense where something is written
OF_WRITES: Final = frozenset({"drop-after", "fails-after", "lies", "late"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `seconds` is what Retry-After says, None without that header; `reads` is how many reads stay behind."""

    kind: Kind
    seconds: int | None = 1
    reads: int = 2


def next_fault(faults: deque[Fault], method: str, *, token: bool) -> Fault | None:
    """Take the first fault of the schedule if it fits this request; one that does not fit waits for its request."""
    if not faults:
        return None
    kind = faults[0].kind
    if kind == "vanishes":
        fits = method == "DELETE"
    elif kind in OF_WRITES:
        fits = method != "GET" and not token
    else:
        fits = True
    return faults.popleft() if fits else None
