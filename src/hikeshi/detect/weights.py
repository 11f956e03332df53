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
    found["bounce"] = (float(str(bounced)), float(str(addressed)))
    return model.organisation(found)


def _norm(lake: Lake, organisation: Organisation) -> Norm:
    mails, accounts, days = lake.one(
        "SELECT count(*), count(DISTINCT account), coalesce((epoch(max(time)) - epoch(min(time))) / 86400, 0) FROM sent"
    )
    account_days = float(str(accounts)) * max(float(str(days)), 1.0)
    return Norm(organisation, account_days, int(str(mails)), int(str(accounts)), float(str(days)))
