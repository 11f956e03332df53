# SPDX-License-Identifier: Apache-2.0
"""What is normal here, as guard and watch have it at hand: the organisation's rates and the threshold."""

import time
from dataclasses import dataclass, field
from typing import Final

from hikeshi import model
from hikeshi.guard.state import State

#: the state is asked for the organisation's rates anew after so many seconds
_LIVE: Final = 60.0
#: an organisation that nobody has learnt sends about so many mails a day and account
_USUAL_MAILS: Final = 10.0


@dataclass(slots=True)
class Norm:
    """Rates and threshold out of `state`. `rate` is false alarms and account-days; times are seconds since 1970, UTC."""

    state: State
    rate: tuple[float, float]
    organisation: model.Organisation = field(default_factory=lambda: model.organisation({}))
    h: float = 0.0
    first_time: float = 0.0
    learnt_until: float = 0.0
    _asked: float = float("-inf")

    async def fresh(self, now: float) -> None:
        """Take over what the organisation's accounts have taught since the last minute; `now` is the event at hand.

        A state that nobody has taught begins with that event.

        Raises:
            StateError: the state cannot be read.

        """
        if time.monotonic() - self._asked <= _LIVE:
            return
        norm = await self.state.norm()
        counts = await self.state.organisation()
        if not norm.get("first_time"):
            norm["first_time"] = now
            await self.state.set_norm({"first_time": now})
        self.organisation = model.organisation(counts)
        self.first_time, self.learnt_until = norm["first_time"], norm.get("learnt_until", 0.0)
        days, mails = norm.get("account_days", 0.0), norm.get("mails", 0.0)
        self.h = model.threshold(*self.rate, mails / days if days else _USUAL_MAILS)
        self._asked = time.monotonic()

    def threshold(self, when: float) -> float:
        """Give the threshold at `when`, in nats: higher while the history is young."""
        return model.patience(self.h, max(0.0, when - self.first_time) / 86400)
