# SPDX-License-Identifier: Apache-2.0
"""Runs the weights of evidence over the lake: rates of the organisation, a weight for every message, two scores.

Leaves `sent`, `places`, `visits`, `shown`, `history`, `owners` and `scored` on the lake's connection.
"""

from dataclasses import dataclass

from hikeshi import model
from hikeshi.basics.sql import queries
from hikeshi.evidence.lake import Lake
from hikeshi.model import Organisation, Rate

_SQL = queries("hikeshi.detect", "weights.sql")

#: before the organisation has spoken: mean, how many observations this belief is worth, and how many observations of
#: the organisation's rate an account is credited with
_BEFORE: dict[str, tuple[float, float, float]] = {
    "new_place": (0.02, 50, 20),
    "near_place": (0.02, 50, 20),
    "place_after_move": (0.30, 20, 5),
    "new_recipient": (0.15, 20, 10),
    "new_after_new": (0.50, 20, 5),
    "new_after_known": (0.10, 20, 10),
    "returns": (0.30, 20, 10),
    "repeat": (0.03, 50, 20),
    "repeat_after_other": (0.03, 50, 20),
    "repeat_after_repeat": (0.60, 20, 3),
    "hurry": (0.05, 50, 20),
    "hurry_after_hurry": (0.50, 20, 5),
    "many": (0.005, 200, 50),
    "bounce": (0.02, 200, 0),
}

#: where `history` keeps the account's own counts of each rate
_COUNTS = {
    "new_place": "place",
    "near_place": "near",
    "place_after_move": "move",
    "new_recipient": "new",
    "new_after_new": "again",
    "new_after_known": "after",
    "returns": "return",
    "repeat": "repeat",
    "repeat_after_other": "other",
    "repeat_after_repeat": "keep",
    "hurry": "hurry",
    "hurry_after_hurry": "stay",
    "many": "many",
}


@dataclass(frozen=True, slots=True)
class Norm:
    """What is normal here: the organisation's rates, how many account-days the log holds, how many mails it saw."""

    organisation: Organisation
    account_days: float
    mails: int
    accounts: int
    days: float

    @property
    def mails_per_account_day(self) -> float:
        """Give the organisation's own rate of mails."""
        return self.mails / self.account_days if self.account_days else 0.0


def weigh(lake: Lake) -> Norm:
    """Weigh every message that an account handed in; give what is normal here."""
    sql = lake.sql
    sql.execute(_filled("ratio", {"LARGEST": model.LARGEST}))
    constants = {name: value for name, value in vars(model).items() if name.isupper()}
    for name in ("sent", "places", "visits", "repeats"):
        sql.execute(_SQL[name])
    sql.execute(_filled("shown", constants))
    sql.execute(_SQL["history"])
    organisation = _organisation(lake)
    shrunk = {
        (f"{name}_rate" if name == "many" else name): _shrunk(name, getattr(organisation, name)) for name in _COUNTS
    }
    for name in ("owners", "weighed"):
        sql.execute(_filled(name, {**constants, **shrunk, "bounce": organisation.bounce.mean}))
    sql.execute(_SQL["scored"])
    return _norm(lake, organisation)


def _filled(name: str, values: dict[str, object]) -> str:
    text = _SQL[name]
    for key, value in values.items():
        text = text.replace("{" + key + "}", str(value))
    return text


def _shrunk(name: str, rate: Rate) -> str:
    column = _COUNTS[name]
    return f"(({column}_times + {rate.weight * rate.mean}) / ({column}_chances + {rate.weight}))"


def _organisation(lake: Lake) -> Organisation:
    found = {
        name: (float(times), float(chances)) for name, times, chances in lake.sql.execute(_SQL["rates"]).fetchall()
    }
    bounced, addressed = lake.one(
        "SELECT count(*) FILTER (status = 'bounced'), count(*) FROM deliveries JOIN sent USING (message_key)"
    )
    found["bounce"] = _capped(float(str(bounced)), float(str(addressed)))
    return Organisation(**{name: _rate(name, *found.get(name, (0.0, 0.0))) for name in _BEFORE})


def _capped(times: float, chances: float) -> tuple[float, float]:
    """Count a share of at most what an ordinary organisation sees, so that a burst does not make bounces normal."""
    return min(times, 0.02 * chances), chances


def _rate(name: str, times: float, chances: float) -> Rate:
    mean, worth, weight = _BEFORE[name]
    return Rate((times + mean * worth) / (chances + worth), weight)


def _norm(lake: Lake, organisation: Organisation) -> Norm:
    mails, accounts, days = lake.one(
        "SELECT count(*), count(DISTINCT account), coalesce((epoch(max(time)) - epoch(min(time))) / 86400, 0) FROM sent"
    )
    account_days = float(str(accounts)) * max(float(str(days)), 1.0)
    return Norm(organisation, account_days, int(str(mails)), int(str(accounts)), float(str(days)))
