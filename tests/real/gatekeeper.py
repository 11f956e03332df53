# SPDX-License-Identifier: Apache-2.0
"""A guard that does what the Subject says, as a process that can be stopped and killed: `gatekeeper.py inet:HOST:PORT BUDGET`.

It prints every mail that it is shown as one line of JSON, and never decides on *hang*.
"""

import asyncio
import json
import sys
from dataclasses import asdict

from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.port import server


async def decide(mail: Mail) -> Answer:
    """Hold, refuse, hang or let go."""
    sys.stdout.write(json.dumps(asdict(mail)) + "\n")
    sys.stdout.flush()
    words = (mail.subject or "").split()
    if "hang" in words:
        await asyncio.Event().wait()
    action = Action.HOLD if "hold" in words else Action.REFUSE if "refuse" in words else Action.GO
    return Answer(action, action, "unlike alice, 100 %", alarmed=False, score=9.0, threshold=8.0, weights=())


if __name__ == "__main__":
    asyncio.run(server.serve(server.listening(sys.argv[1]), decide, budget=float(sys.argv[2])))
