# SPDX-License-Identifier: Apache-2.0
"""The ledger: what was found, decided and done, in order, each entry holding the digest of the one before it.

Nothing is ever changed or deleted; whoever would do so behind our back breaks the chain, and `verify` says where.
"""

import uuid
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from sqlalchemy import Connection, Engine, insert, select, update

from hikeshi.basics.who import login, whoever_types
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import database, projections, schema
from hikeshi.cases.store.canonical import canonical, storable
from hikeshi.cases.store.database import NOTHING, StoreError
from hikeshi.cases.store.entry import Draft, Entry, digest_of, entry_of, written
from hikeshi.cases.store.whereabouts import Place, file_of, whereabouts


class Store:
    """A case's store, from `open_store`. Threads may share it; processes open their own."""

    def __init__(self, engine: Engine, case_id: str, where: str) -> None:
        self.case_id, self.where = case_id, where
        self._engine = engine

    def append(self, *drafts: Draft) -> list[Entry]:
        """Add entries, all or none; they are on disk when this returns.

        Raises:
            StoreError: they could not be written, or the ledger's end is not as it was written.
            DraftError: a body is no plain JSON, or something in it looks like a secret.

        """
        return self.append_from(lambda _: drafts) if drafts else []

    def append_from(self, make: Callable[[Connection], Sequence[Draft]]) -> list[Entry]:
        """Add what `make` makes out of what it reads, and nobody else writes in between. Raises as `append` does."""
        with database.errors(self.where), database.writing(self._engine) as connection:
            head = connection.execute(
                select(schema.cases.c.seq, schema.cases.c.digest)
                .where(schema.cases.c.case_id == self.case_id)
                .with_for_update()
            ).first()
            drafts = make(connection)
            if not drafts:
                return []
            seq, digest = self._whole(connection, None if head is None else (head.seq, head.digest))
            rows = []
            for draft in drafts:
                rows.append(self._row(draft, seq + 1, digest))
                seq, digest = seq + 1, rows[-1]["digest"]
            connection.execute(insert(schema.ledger), rows)
            entries = [entry_of(row) for row in rows]
            projections.write(connection, self.case_id, entries)
            connection.execute(
                update(schema.cases).where(schema.cases.c.case_id == self.case_id).values(seq=seq, digest=digest)
            )
        return entries

    def entries(self, *kinds: str, after: int = 0) -> list[Entry]:
        """Give the entries of these kinds, of all where none is named, after the number `after`, in order.

        Raises:
            StoreError: they cannot be read.

        """
        asked = (
            select(schema.ledger)
            .where(schema.ledger.c.case_id == self.case_id, schema.ledger.c.seq > after)
            .order_by(schema.ledger.c.seq)
        )
        if kinds:
            asked = asked.where(schema.ledger.c.kind.in_(kinds))
        with self.reading() as connection:
            try:
                return [entry_of(dict(row)) for row in connection.execute(asked).mappings()]
            except (ValueError, TypeError) as error:
                raise StoreError(f"{self.where}: an entry is not as it was written; see hikeshi case verify") from error

    def head(self) -> tuple[int, str]:
        """Give number and digest of the last entry; 0 and zeros where there is none."""
        with self.reading() as connection:
            return self._last(connection)

    @contextmanager
    def reading(self) -> Iterator[Connection]:
        """Read by SQL within one transaction, which sees one moment. Raises StoreError."""
        with database.errors(self.where), database.reading(self._engine) as connection:
            yield connection

    def _last(self, connection: Connection) -> tuple[int, str]:
        found = connection.execute(
            select(schema.ledger.c.seq, schema.ledger.c.digest)
            .where(schema.ledger.c.case_id == self.case_id)
            .order_by(schema.ledger.c.seq.desc())
            .limit(1)
        ).first()
        return (0, NOTHING) if found is None else (found.seq, found.digest)

    def _whole(self, connection: Connection, head: tuple[int, str] | None) -> tuple[int, str]:
        """Give the head, if the ledger ends there: nothing is added to a chain that somebody has cut or forged."""
        if head is None or head != self._last(connection):
            raise StoreError(
                f"{self.where}: the ledger does not end where it was last written to, so nothing is added to it; "
                "see hikeshi case verify, and go on from a backup"
            )
        return head

    def _row(self, draft: Draft, seq: int, previous: str) -> dict[str, Any]:
        row = {
            "case_id": self.case_id,
            "seq": seq,
            "time": written(datetime.now(UTC)),
            "kind": storable(draft.kind),
            "who": storable(draft.who or whoever_types()),
            "login": storable(login()),
            "body": canonical(draft.body),
            "previous": previous,
        }
        return {**row, "digest": digest_of(row)}


@contextmanager
def open_store(case: Path) -> Iterator[Store]:
    """Open the store of the case in the folder `case`, made if it is not there and brought up to date if it is older.

    Raises:
        CaseError: the folder cannot be made or written to.
        StoreError: the store cannot be used, or was written by a newer hikeshi.

    """
    CaseFolder(case)
    found = whereabouts(case)
    where = f"--case {case}, {f'kept in {found.url}' if found.url else 'case.db'}"
    engine = database.sqlite(file_of(case)) if found.url is None else database.postgresql(found.url)
    try:
        with database.errors(where):
            database.brought_up_to_date(engine, where)
            case_id = _identity(engine, found, where)
        yield Store(engine, case_id, where)
    finally:
        engine.dispose()


def _identity(engine: Engine, found: Place, where: str) -> str:
    """Give the case's identity in the database; a file gets its own when it is opened for the first time."""
    if found.case_id is not None:
        with database.reading(engine) as connection:
            if found.case_id in database.known(connection):
                return found.case_id
        raise StoreError(f"{where}: the database does not know this case; go on from a backup of it")
    with database.reading(engine) as connection:
        known = database.known(connection)
    if not known:
        with database.writing(engine) as connection:
            # Somebody else may have opened it meanwhile.
            known = database.known(connection)
            if not known:
                known = [str(uuid.uuid4())]
                database.enter(connection, known[0])
    with database.reading(engine) as connection:
        if len(known) > 1 or database.has_others(connection, known[0]):
            raise StoreError(f"{where}: somebody has put another case into the file; go on from a backup of it")
    return known[0]
