# SPDX-License-Identifier: Apache-2.0
"""What a person was told before: the last letter to them that a server took and that did not come back."""

from collections.abc import Callable

from sqlalchemy import or_, select

from hikeshi.cases.store import Store, schema
from hikeshi.notify.check import Earlier
from hikeshi.notify.person import Person
from hikeshi.notify.told import LOST


def earlier(store: Store, report: int) -> Callable[[Person], Earlier | None]:
    """Give whom to ask for the last letter to a person in the reports before this one. Both raise StoreError."""
    of = schema.letters.c
    arrived = (of.case_id == store.case_id, of.state == "accepted", or_(of.fate.is_(None), of.fate.not_in(LOST)))
    with store.reading() as connection:
        asked = select(of.report).where(*arrived, of.report < report).distinct()
        reports = sorted(connection.execute(asked).scalars(), reverse=True)

    def to(person: Person) -> Earlier | None:
        for number in reports:  # by (report, person), which is what the table's index is of
            found = select(of.report, of.language, of.subject, of.text).where(
                *arrived, of.report == number, of.person == person.key
            )
            with store.reading() as connection:
                row = connection.execute(found).first()
            if row is not None:
                return Earlier(*row)
        return None

    return to
