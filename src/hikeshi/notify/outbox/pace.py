# SPDX-License-Identifier: Apache-2.0
"""How fast letters may leave: overall, and to one domain, so that no provider takes a notice for a flood."""

from dataclasses import dataclass, field


@dataclass(slots=True)
class Pace:
    """Letters a minute, None for no limit. Times are seconds of any clock that only goes forward."""

    overall: float | None = None
    domain: float | None = None
    _overall_next: float = float("-inf")
    _next: dict[str, float] = field(default_factory=dict)

    def free_at(self, domain: str) -> float:
        """Give when the next letter to a domain may leave."""
        return max(self._overall_next, self._next.get(domain, float("-inf")))

    def take(self, domain: str, now: float) -> None:
        """Note that a letter to a domain leaves at `now`."""
        if self.overall is not None:
            self._overall_next = now + 60 / self.overall
        if self.domain is not None:
            self._next[domain] = now + 60 / self.domain
            if len(self._next) > 10_000:
                self._next = {name: time for name, time in self._next.items() if time > now}
