# SPDX-License-Identifier: Apache-2.0
"""Closes the window that SMTP leaves open, and tells what became of letters, both from the relay's log.

A letter that was attempted, and of which nobody knows whether the relay took it, is in the log or it is not. Not being in
it means something only where the log is whole from before the attempt to after the end of the process that made it, and
shows every other letter that the relay is known to have taken in its time: else it stays open, and a person decides.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from functools import partial
from itertools import islice
from typing import Any, Final

from sqlalchemy import Connection, select

from hikeshi.cases.store import Store, schema
from hikeshi.notify.outbox import changes, maillog
from hikeshi.notify.outbox.book import Standing, standings
from hikeshi.notify.outbox.changes import Change
from hikeshi.notify.outbox.maillog import Fate, MailLog
from hikeshi.notify.outbox.turns import FREE

#: letters that change in one go
_CHUNK: Final = 500
#: what a log's word is called of a letter; a bounce is hard or soft by its code
_SEEN: Final = "the relay's log shows that it was taken"
_NOT_SEEN: Final = "the relay's log covers the attempt and does not show it; sent again"


@dataclass(frozen=True, slots=True)
class Settled:
    """How many open letters the relay has taken, how many it has not and are sent again, which stay open, and fates that are new.

    `missing` counts letters that the relay is known to have taken and that the log should show and does not: then it is not
    the relay's log, or not whole.
    """

    accepted: int = 0
    again: int = 0
    open: list[str] = field(default_factory=list)
    fates: int = 0
    missing: int = 0


def settle(
    store: Store, logs: Sequence[str], *, tz: str | None = None, year: int | None = None, grace: float = 10.0
) -> Settled:
    """Settle open letters, and take up the fates of accepted ones, from Postfix logs of the relay.

    `tz` and `year` are for stamps without. `grace` is the seconds that the log must go on after an attempt's end.

    Raises:
        UsageError: a log cannot be read.
        StoreError: the case cannot be read or written.

    """
    wanted = (one.letter.message_id for one in standings(store, states=("attempted", "accepted")))
    return settle_by(store, maillog.read(logs, wanted, tz=tz, year=year), grace=grace)


def settle_by(store: Store, log: MailLog, *, grace: float = 10.0) -> Settled:
    """Settle by what a log says. Raises StoreError."""
    missing = sum(_missed(one, log) for one in standings(store, states=("accepted",)))
    fates = _fates(store, log)
    said = {"accepted": 0, "again": 0}
    still: list[str] = []
    for chunk in _chunks(standings(store, states=("attempted",))):
        _open(store, chunk, log, timedelta(seconds=grace), whole=not missing, said=said, still=still)
    return Settled(said["accepted"], said["again"], still, fates, missing)


def _missed(one: Standing, log: MailLog) -> bool:
    """Say whether a letter that was taken is not in a log that should show it."""
    if one.letter.message_id in log.taken or one.attempted_at is None or one.accepted_at is None:
        return False
    return log.covered(datetime.fromisoformat(one.attempted_at), datetime.fromisoformat(one.accepted_at))


def _open(
    store: Store,
    chunk: Sequence[Standing],
    log: MailLog,
    grace: timedelta,
    *,
    whole: bool,
    said: dict[str, int],
    still: list[str],
) -> None:
    names = {one.letter.id: one.letter.message_id for one in chunk}

    def make(connection: Connection, _: int) -> list[Change]:
        of, found = schema.letters.c, []
        asked = select(of.id, of.attempted_at, of.until).where(
            of.case_id == store.case_id, of.id.in_(list(names)), of.state == "attempted", of.holder.is_(None)
        )
        rows = {row.id: row for row in connection.execute(asked)}
        for name, message_id in names.items():
            if name not in rows:
                still.append(name)  # somebody has it in hand right now
            elif message_id in log.taken:
                said["accepted"] += 1
                found.append(Change(name, {"state": "accepted", "says": _SEEN, **FREE}))
            elif whole and _covered(rows[name], log, grace):
                said["again"] += 1
                found.append(Change(name, {"state": "approved", "says": _NOT_SEEN, "due": None, **FREE}))
            else:
                still.append(name)
        return found

    changes.write(store, "settled", make)


def _covered(row: Any, log: MailLog, grace: timedelta) -> bool:
    closed = datetime.fromisoformat(row.until or row.attempted_at)
    return log.covered(datetime.fromisoformat(row.attempted_at), closed + grace)


def _fates(store: Store, log: MailLog) -> int:
    """Write what the log says became of letters, unless a mail that came back has said worse."""
    count = 0
    for chunk in _chunks(standings(store, states=("attempted", "accepted"))):
        fresh = [(one.letter.id, log.fates.get(one.letter.message_id), one) for one in chunk]
        found = [Change(name, _columns(fate)) for name, fate, one in fresh if fate is not None and _newer(fate, one)]
        count += changes.write(store, "fates", partial(_these, found))
    return count


def _these(found: Sequence[Change], _: Connection, __: int) -> Sequence[Change]:
    return found


def _newer(fate: Fate, one: Standing) -> bool:
    said = _columns(fate)
    if (one.fate or "").startswith("bounced") and fate.status != "bounced":
        return False
    return (one.fate, one.fate_says) != (said["fate"], said["fate_says"])


def _columns(fate: Fate) -> dict[str, str | None]:
    name = fate.status
    if name == "bounced":
        name = "bounced_soft" if (fate.dsn or "5").startswith("4") else "bounced_hard"
    return {"fate": name, "fate_says": changes.words(f"{fate.dsn or ''} {fate.says or ''}") or None}


def _chunks(source: Iterable[Standing]) -> Iterator[list[Standing]]:
    letters = iter(source)
    while chunk := list(islice(letters, _CHUNK)):
        yield chunk
