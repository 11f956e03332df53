# SPDX-License-Identifier: Apache-2.0
"""Put on hold what an account handed in since the takeover began and Postfix has not delivered yet.

Nothing is deleted: what becomes of held mails, a person decides (`hikeshi guard release`, `guard drop`). A mail whose
delivery is going on this moment may still reach the recipients it is at.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from hikeshi import mailqueue
from hikeshi.contain.connectors.postfix.instance import Instance
from hikeshi.contain.contract import Answer, ConnectorError, LaterError, Phase, Reading, Step, Target
from hikeshi.mailqueue import HOLD, Queued, QueueError

OPERATION = "hold-queue"


def planned(target: Target) -> Step:
    """Plan it."""
    return Step(
        connector="postfix",
        operation=OPERATION,
        phase=Phase.STOP,
        account=target.account,
        object=None,
        request=f"postsuper -h: queued mails that {target.account} handed in since {target.since:%Y-%m-%dT%H:%M:%SZ}",
        why={
            "en": "Mails that still wait in the queue would go out.",
            "ja": "配送待ちのメールがこのままでは送られるためです。",
        },
        undo={
            "en": "Release those that were not on hold before (postsuper -H); they go out then.",
            "ja": "元々保留でなかったものを解除します (postsuper -H)。その後送られます。",
        },
        detail={"since": target.since.timestamp()},
    )


def probe(instance: Instance, step: Step) -> Reading:
    """List the account's mails outside hold."""
    mails = _mails(instance, step)
    says = f"{len(mails)} mails wait in the queue" if mails else "no mail waits outside hold"
    return Reading(not mails, {"mails": mails}, says)


def do(instance: Instance, step: Step, before: Reading) -> Answer:
    """Put them on hold, also those that have come since."""
    mails = _mails(instance, step)
    known = {one["queue_id"] for one in before.state["mails"]}
    late = sorted(one["queue_id"] for one in mails if one["queue_id"] not in known)
    with _told():
        done = mailqueue.hold([one["queue_id"] for one in mails], instance.config)
    if done.trouble:
        raise ConnectorError(done.trouble)
    return Answer(f"{len(done.ids)} put on hold" + (f"; new since the first look: {', '.join(late)}" if late else ""))


def verify(instance: Instance, step: Step, _before: Reading) -> Reading:
    """List them again."""
    return probe(instance, step)


def undo(instance: Instance, _step: Step, before: Reading) -> Answer:
    """Release those that waited outside hold, if they are still the same mails; others on hold are a person's."""
    ids = _on_hold(instance, before)
    with _told():
        done = mailqueue.release(ids, instance.config)
    if done.trouble:
        raise LaterError(done.trouble)
    return Answer(f"{len(done.ids)} released")


def restored(instance: Instance, _step: Step, before: Reading) -> Reading:
    """Say whether any of them lies on hold still."""
    left = _on_hold(instance, before)
    return Reading(not left, {"on_hold": left}, f"{len(left)} of them lie on hold")


def _mails(instance: Instance, step: Step) -> list[dict[str, Any]]:
    with _told():
        waits = [
            one
            for one in mailqueue.listed(instance.config)
            if one.queue != HOLD and one.arrival >= int(step.detail["since"])
        ]
        # The list has no login names; the queue files have.
        logins = mailqueue.accounts([one.queue_id for one in waits], instance.config)
    own = step.account.lower()
    return [_mail(one) for one in waits if logins.get(one.queue_id, "").lower() == own]


def _mail(one: Queued) -> dict[str, Any]:
    return {
        "queue_id": one.queue_id,
        "queue": one.queue,
        "arrival": one.arrival,
        "sender": one.sender,
        "size": one.size,
    }


def _on_hold(instance: Instance, before: Reading) -> list[str]:
    """Give the ids of before's mails that lie on hold; ids are reused, so arrival and sender count, too."""
    was = {(one["queue_id"], one["arrival"], one["sender"]) for one in before.state["mails"]}
    with _told():
        held = [one for one in mailqueue.listed(instance.config) if one.queue == HOLD]
    return [one.queue_id for one in held if (one.queue_id, one.arrival, one.sender) in was]


@contextmanager
def _told() -> Iterator[None]:
    """Say in the contract's words that the queue cannot be asked."""
    try:
        yield
    except QueueError as error:
        raise (LaterError if "not running" in str(error) else ConnectorError)(str(error)) from error
