# SPDX-License-Identifier: Apache-2.0
"""One stay of a message in the queue: its id, its inode, and what of it goes into the truth."""

from dataclasses import dataclass, field

from hikeshi.drill.events import Mail
from hikeshi.drill.hosts import Host
from hikeshi.drill.truth import Sent


@dataclass(slots=True)
class Life:
    """A queue file."""

    mail: Mail
    host: Host
    qid: str
    inode: int
    message_id: str
    size: int
    active: int = 0
    sent: Sent | None = None
    #: recipients that a line in the log's window has named
    named: set[str] = field(default_factory=set)
