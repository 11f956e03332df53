# SPDX-License-Identifier: Apache-2.0
"""An alarm as it is written down: a line in alarms.jsonl of the case, and one in the log."""

import json
import logging
import os
from datetime import UTC, datetime
from pathlib import Path

from hikeshi.guard.mail import Answer, Mail

_log = logging.getLogger(__name__)


def write_alarm(case: Path, mail: Mail, answer: Answer) -> None:
    """Write down who, from where, when, and what speaks for it; private to the owner of the case."""
    line = {
        "schema": "hikeshi.alarm/1",
        "time": datetime.fromtimestamp(mail.time, UTC).isoformat(),
        "account": mail.account,
        "place": mail.place,
        "session": mail.session,
        "queue_id": mail.queue_id,
        "action": answer.action.value,
        "would": answer.would.value,
        "score": round(answer.score, 2),
        "threshold": round(answer.threshold, 2),
        "weights": [{"name": one.name, "nats": round(one.nats, 2)} for one in answer.weights],
        "reason": answer.reason,
    }
    case.mkdir(mode=0o700, parents=True, exist_ok=True)
    descriptor = os.open(case / "alarms.jsonl", os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o600)
    with open(descriptor, "a", encoding="utf-8") as file:  # noqa: PTH123 - private from birth
        file.write(json.dumps(line, ensure_ascii=False) + "\n")
    _log.warning(
        "%s",
        answer.reason,
        extra={
            "event": "alarm",
            "account": mail.account,
            "place": mail.place,
            "queue_id": mail.queue_id,
            "action": answer.action.value,
            "would": answer.would.value,
            "score": round(answer.score, 1),
            "threshold": round(answer.threshold, 1),
        },
    )
