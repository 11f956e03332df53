# SPDX-License-Identifier: Apache-2.0
"""How far each person's letter is, from the outbox: told, on its way, a draft, or come to nothing."""

from typing import Final, Literal

from sqlalchemy import select

from hikeshi.cases.store import Store, schema

#: told: a server took the letter, and it did not come back. lost: refused, given up or come back. draft: nobody approved it.
Telling = Literal["told", "underway", "draft", "lost"]
#: the better first, where a person had letters of several reports
TELLINGS: Final[tuple[Telling, ...]] = ("told", "underway", "draft", "lost")
#: fates of letters that did not arrive after all, and of those of which that is open
LOST: Final = ("bounced_hard", "bounced_soft", "expired")
_OPEN: Final = ("deferred", "held")


def tellings(store: Store, report: int | None = None) -> dict[str, Telling]:
    """Give how far the letters are by person, of one report or the best of all; who has none, or a cancelled one, is not in it.

    Raises:
        StoreError: it cannot be read.

    """
    of = schema.letters.c
    asked = select(of.person, of.state, of.fate, of.reply).where(of.case_id == store.case_id, of.state != "cancelled")
    if report is not None:
        asked = asked.where(of.report == report)
    found: dict[str, Telling] = {}
    with store.reading() as connection:
        for person, state, fate, reply in connection.execution_options(yield_per=1000).execute(asked):
            one = _telling(state, fate, reply)
            past = found.get(person, one)
            found[person] = min(past, one, key=TELLINGS.index)
    return found


def last_report(store: Store) -> int | None:
    """Give the number of the last report that letters were drafted of. Raises StoreError."""
    of = schema.letters.c
    asked = select(of.report).where(of.case_id == store.case_id).order_by(of.report.desc()).limit(1)
    with store.reading() as connection:
        return connection.execute(asked).scalar()


def _telling(state: str, fate: str | None, reply: str | None) -> Telling:
    if state == "drafted":
        return "draft"
    if state in ("refused", "given_up"):
        return "lost"
    if state != "accepted":
        return "underway"
    if reply == "replied":
        return "told"  # whoever answers has read it, whatever a server said
    return "lost" if fate in LOST else "underway" if fate in _OPEN else "told"
