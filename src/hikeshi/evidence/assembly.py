# SPDX-License-Identifier: Apache-2.0
"""Messages out of records, as a fold over time: what is finished leaves for the lake, what is open is carried on.

So memory is bounded by what is open, a day that is added costs that day, and a message that one input begins and
another ends is one message. The SQL in assembly.sql says how; this file says in which order.
"""

import re
from dataclasses import dataclass
from datetime import datetime

from hikeshi.basics.sql import queries
from hikeshi.evidence.lake import Lake
from hikeshi.evidence.tables import DELIVERIES, KINDS, MESSAGES, PASSED, PIECES, PROGRAMS, RECORD_BITS, SIGNINS


def _with_bits(text: str) -> str:
    """Write `said_any(said, ['client', …])`, any of these kinds of record, as a test of bits."""
    return re.sub(
        r"said_any\(said, \[([^\]]*)\]\)",
        lambda found: f"(said & {sum(1 << KINDS.index(kind) for kind in re.findall(r'[a-z_]+', found[1]))} <> 0)",
        text,
    )


_SQL = {name: _with_bits(text) for name, text in queries("hikeshi.evidence", "assembly.sql").items()}
#: two records are the same record seen twice when all of this is equal
_CONTENT = ", ".join(name for name in PIECES.columns if name not in ("place", "program"))
_COLUMNS = ", ".join(PIECES.columns)
_LEAVING, _STAYING = "families.leaves", "NOT families.leaves"


@dataclass(slots=True)
class Assembly:
    """The fold over one lake. `fold` takes the staged pieces; `finish` ends a run."""

    lake: Lake

    def __post_init__(self) -> None:
        # Parquet keeps no ENUM, so the types are said again.
        self.lake.sql.execute(PIECES.ddl("carried").replace("CREATE", "CREATE TEMP"))
        self.lake.sql.execute(f"INSERT INTO carried SELECT {', '.join(PIECES.columns)} FROM pieces")

    def fold(self, settled: datetime, *, overlapping: bool) -> None:
        """Assemble what is staged and carried; let go what is finished before `settled` (naive UTC).

        `overlapping` says that some of these records may stand in another input too.
        """
        self._assemble(settled, overlapping=overlapping)
        lake = self.lake
        lake.add(MESSAGES, f"{self._text('messages', _LEAVING)} UNION ALL BY NAME {self._text('refusals', '')}")
        lake.add(DELIVERIES, self._text("deliveries", _LEAVING))
        lake.show(SIGNINS)
        lake.add(SIGNINS, _SQL["smtp_signins"])
        lake.add(PASSED, self._text("passed", _LEAVING))
        lake.sql.execute(f"CREATE OR REPLACE TEMP TABLE still AS {_SQL['carried']}")
        lake.sql.execute("CREATE OR REPLACE TEMP TABLE carried AS SELECT * FROM still")
        lake.sql.execute("TRUNCATE staged_pieces")

    def finish(self, settled: datetime, *, overlapping: bool) -> None:
        """Assemble the last, keep open pieces in the lake, and show open messages beside the finished ones.

        Afterwards the views `messages`, `deliveries` and `signins` hold everything known, unfinished messages marked
        by `cut` or not yet settled.
        """
        self.fold(settled, overlapping=overlapping)
        lake = self.lake
        lake.replace(PIECES, "SELECT * FROM carried")
        lake.replace(PROGRAMS, "SELECT * FROM known_programs")
        self._assemble(settled, overlapping=False)
        lake.show(SIGNINS)
        for table, name in ((MESSAGES, "messages"), (DELIVERIES, "deliveries")):
            columns = ", ".join(table.columns)
            lake.sql.execute(
                f"CREATE OR REPLACE TEMP TABLE open_{table.name} AS SELECT {columns} FROM ({self._text(name, _STAYING)})"
            )
            lake.show(table, also=f"open_{table.name}")

    def live(self, settled: datetime) -> None:
        """Assemble what is staged and carried into temp tables `live_messages` and `live_deliveries`; nothing is written.

        What is finished before `settled` (naive UTC) is in them for the last time.
        """
        self._assemble(settled, overlapping=False)
        sql = self.lake.sql
        for table, name in ((MESSAGES, "messages"), (DELIVERIES, "deliveries")):
            columns = ", ".join(table.columns)
            sql.execute(
                f"CREATE OR REPLACE TEMP TABLE live_{name} AS SELECT {columns} FROM ({self._text(name, 'true')})"
            )
        sql.execute(f"CREATE OR REPLACE TEMP TABLE still AS {_SQL['carried']}")
        sql.execute("CREATE OR REPLACE TEMP TABLE carried AS SELECT * FROM still")
        sql.execute("TRUNCATE staged_pieces")

    def _assemble(self, settled: datetime, *, overlapping: bool) -> None:
        sql = self.lake.sql
        sql.execute(
            f"CREATE OR REPLACE TEMP VIEW fold_pieces AS SELECT {_COLUMNS} FROM staged_pieces WHERE kind IS NOT NULL "
            f"UNION ALL SELECT {_COLUMNS} FROM carried"
        )
        sql.execute(_SQL["servers"])
        sql.execute(f"CREATE OR REPLACE TEMP VIEW fold AS {_SQL['pieces']}")
        if overlapping:
            sql.execute(_SQL["distinct"].format(content=_CONTENT, pieces=_SQL["pieces"], bits=RECORD_BITS))
            self._drop_known()
        sql.execute(_SQL["lives"])
        sql.execute(
            "CREATE OR REPLACE TEMP VIEW lived AS SELECT fold.*, coalesce(lives.life, 0) AS life "
            "FROM fold LEFT JOIN lives USING (place)"
        )
        for name in ("hops", "fates", "handovers", "roots"):
            sql.execute(_SQL[name])
        sql.execute(_SQL["families"], {"settled": settled})
        sql.execute(_SQL["sessions"])

    def _drop_known(self) -> None:
        """Drop pieces that a message of the lake already speaks for, or that are a refusal told before."""
        self.lake.show(MESSAGES)
        self.lake.show(PASSED)
        self.lake.sql.execute("""
            CREATE OR REPLACE TEMP VIEW fold AS
            SELECT * FROM fold_distinct AS fresh WHERE NOT EXISTS (
                SELECT 1 FROM (
                    SELECT host, instance, queue_id, time AS started, ended FROM messages
                    UNION ALL SELECT host, instance, queue_id, started, ended FROM passed
                ) AS known
                JOIN servers ON servers.host = known.host AND servers.instance = known.instance
                WHERE servers.server = fresh.server AND known.queue_id = fresh.queue_id
                    AND fresh.time BETWEEN known.started AND known.ended AND fresh.queue_id <> ''
            ) AND NOT (kind = 'refused' AND EXISTS (
                SELECT 1 FROM messages AS known JOIN servers ON servers.host = known.host
                WHERE known.direction = 'refused' AND known.queue_id = '' AND servers.server = fresh.server
                    AND known.time = fresh.time AND known.subject = fresh.reason AND known.input <> fresh.place >> 40
            ))""")

    def _text(self, name: str, which: str) -> str:
        return _SQL[name].replace("{which}", which)
