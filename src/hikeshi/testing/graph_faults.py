# SPDX-License-Identifier: Apache-2.0
"""The ways in which a cloud misbehaves, one request at a time."""

from collections import deque
from dataclasses import dataclass
from typing import Final, Literal

Kind = Literal[
    "throttled",  # 429 with Retry-After, nothing done
    "unavailable",  # 503 with Retry-After, nothing done
    "drop-before",  # the connection breaks, nothing done
    "drop-after",  # the connection breaks, it was done
    "fails-after",  # 503, it was done
    "lies",  # the answer of success, nothing done
    "late",  # done; the next reads of the directory still show what was before
    "vanishes",  # somebody else deleted the object a moment before
    "partial",  # of a batch, every second request inside is throttled
]

#: these only make sense where something is written
OF_WRITES: Final = frozenset({"lies", "late", "vanishes", "fails-after"})


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault: `seconds` is what Retry-After says, `reads` how many reads of the directory stay behind."""

    kind: Kind
    seconds: float = 1
    reads: int = 2


def next_fault(faults: deque[Fault], method: str, path: str) -> Fault | None:
    """Take the first fault of the schedule if it fits this request; one that does not fit waits for its request."""
    if not faults:
        return None
    fault = faults[0]
    batch = path == "/$batch"
    if fault.kind == "partial":
        fits = batch
    elif fault.kind in OF_WRITES:
        fits = method != "GET" and not batch
    else:
        fits = True
    return faults.popleft() if fits else None
