# SPDX-License-Identifier: Apache-2.0
"""Letters for the tests of the outbox, and what must be true of them whatever has happened."""

from collections import Counter

from hikeshi.cases.store.verify import verify
from hikeshi.notify.outbox import letter
from hikeshi.notify.outbox.approval import approve, batch
from hikeshi.notify.outbox.audit import audit
from hikeshi.notify.outbox.book import put, standings
from hikeshi.notify.outbox.send import Sending
from hikeshi.notify.outbox.turns import Backoff

SENDER = "総務部 <notice@example.test>"
#: tries again at once, for tests that do not wait
AT_ONCE = Backoff(first=0.0, longest=0.0, tries=50)


def sending(**settings):
    return Sending(**{"bounces": "bounces@example.test", "connections": 4, "backoff": AT_ONCE} | settings)


def address(number):
    return f"person{number}@company{number % 7}.example"


def one(store, to, report=1, text=None, subject="お詫びとお知らせ(第1報)"):
    words = f"{to} 様\n\n弊社の名をかたる不審なメールが届いております。\n" if text is None else text
    return letter(store.case_id, report, to, language="ja", sender=SENDER, subject=subject, text=words)


def drafted(store, count, report=1):
    letters = [one(store, address(number), report) for number in range(count)]
    put(store, letters)
    return letters


def approved(store, count, report=1):
    letters = drafted(store, count, report)
    approve(store, batch(store, report), who="Sato", why="read them all")
    return letters


def states(store):
    return {found.letter.id: found.state for found in standings(store)}


def hold_whole(store):
    """Ledger and tables are as they were written, and tell the same."""
    assert verify(store).deviations == []
    assert audit(store) == []


def hold_exactly_once(store, letters, relay):
    """Nobody missed, nobody twice, the ledger equal to what the relay took, and each letter its person's alone."""
    taken = relay.taken
    assert Counter(got["message_id"] for got in taken) == Counter(sent.message_id for sent in letters)
    accepted = {found.letter.message_id for found in standings(store, states=("accepted",))}
    assert accepted == {got["message_id"] for got in taken}
    by_id = {sent.message_id: sent for sent in letters}
    for got in taken:
        sent = by_id[got["message_id"]]
        assert got["recipient"] == sent.address
        assert got["sender"] == f"bounces+{sent.id}@example.test"
    hold_whole(store)
