# SPDX-License-Identifier: Apache-2.0
"""The case's store: an append-only, hash-chained ledger, and tables for asking, in SQLite or PostgreSQL.

Start reading at `ledger.py`; `facts.py` is what is known, `decisions.py` who decided, `verify.py` the proof.
"""

from hikeshi.cases.store.database import StoreError
from hikeshi.cases.store.entry import Draft, Entry
from hikeshi.cases.store.ledger import Store, open_store
from hikeshi.cases.store.whereabouts import place

__all__ = ["Draft", "Entry", "Store", "StoreError", "open_store", "place"]
