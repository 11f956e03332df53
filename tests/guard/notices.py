# SPDX-License-Identifier: Apache-2.0
"""A notice, and the suspected mails that lead to one."""

from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.people.notice import Notice
from hikeshi.model import Weight

ALICE = "alice@example.test"
WEIGHTS = (
    Weight("new place", 3.7),
    Weight("new recipients", 2.6),
    Weight("same content", 2.9),
    Weight("pace", 0.01),
    Weight("many recipients", -0.4),
)
NOON = 1_795_575_600.0


def notice(**more):
    given = {
        "account": ALICE, "since": NOON, "latest": NOON + 60, "held": 12, "refused": 0, "went": 0, "before": None,
        "subjects": ("請求書 4711",), "places": ("203.0.113.9",), "weights": WEIGHTS, "score": 31.5, "threshold": 18.2,
        "reason": "a new place", "again": False,
    }  # fmt: skip
    return Notice(**given | more)


def suspected(number=0, *, action=Action.HOLD, alarmed=False, reason="a new place", score=31.5, **more):
    """Give a mail and its answer, as the guard tells of them."""
    given = {
        "account": ALICE, "time": NOON + number, "place": "203.0.113.9", "client_ip": "203.0.113.9", "session": "s",
        "sender": ALICE, "recipients": (f"r{number}@example.org",), "subject": f"Invoice {number}", "queue_id": f"A1B2{number:04X}",
    }  # fmt: skip
    return Mail(**given | more), Answer(action, Action.HOLD, reason, alarmed, score, 18.2, WEIGHTS)
