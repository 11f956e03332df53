# SPDX-License-Identifier: Apache-2.0
"""The open window is closed from the relay's log where that can be trusted, and by nothing else."""

import contextlib
from datetime import UTC, datetime, timedelta

import pytest
from outboxes import approved, hold_exactly_once, hold_whole, sending
from relays import Relay as Sink

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import open_store
from hikeshi.evidence.coverage import Coverage, Gap
from hikeshi.notify.outbox.book import counts, standings
from hikeshi.notify.outbox.maillog import Fate, MailLog
from hikeshi.notify.outbox.relay import Relay
from hikeshi.notify.outbox.run import run
from hikeshi.notify.outbox.settle import settle, settle_by

HOUR = timedelta(hours=1)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "case") as opened:
        yield opened
        hold_whole(opened)


@pytest.fixture
def scene(store, tmp_path):
    """Five letters are accepted; one is open that the relay took, and one that it did not."""
    letters = approved(store, 7)
    behaviours = {letters[1].address: "reset-taken", letters[2].address: "reset-lost"}
    with Sink(tmp_path, lambda to, _: behaviours.get(to, "take")) as sink:
        run(store, Relay("127.0.0.1", sink.port), sending())
        behaviours.clear()
        yield letters, sink
    assert {got["message_id"] for got in sink.taken} <= {one.message_id for one in letters}


def told(letters, *, taken, first=-HOUR, last=HOUR, gaps=(), hosts=1):
    now = datetime.now(UTC)
    gaps = tuple(Gap(now + begin, now + end, "silence") for begin, end in gaps)
    covers = tuple(Coverage("postfix", f"mx{host}", now + first, now + last, 9, gaps) for host in range(hosts))
    return MailLog(frozenset(letters[number].message_id for number in taken), {}, covers)


ALL = (0, 1, 3, 4, 5, 6)


def test_a_log_that_covers_it_settles_both_ways_and_then_each_has_left_once(store, scene):
    letters, sink = scene
    found = settle_by(store, told(letters, taken=ALL))
    assert (found.accepted, found.again, found.open, found.missing) == (1, 1, [], 0)
    run(store, Relay("127.0.0.1", sink.port), sending())
    hold_exactly_once(store, letters, sink)


@pytest.mark.parametrize(
    "log",
    [
        {"first": timedelta(seconds=5)},
        {"last": -timedelta(seconds=5)},
        {"last": timedelta(seconds=5)},
        {"gaps": [(-timedelta(minutes=1), timedelta(minutes=1))]},
        {"hosts": 0},
        {"taken": (0, 1, 4, 5, 6)},
        {"taken": (1,)},
    ],
    ids=["begins later", "ends before", "ends within the grace", "has a hole", "is empty", "lacks one", "lacks all"],
)
def test_a_log_that_may_not_show_it_proves_nothing_and_nothing_is_sent_again(store, scene, log):
    """What it does show counts all the same."""
    letters, sink = scene
    found = settle_by(store, told(letters, **{"taken": ALL} | log))
    assert found.accepted == 1
    assert found.again == 0
    assert found.open == [letters[2].id]
    before = sink.taken
    run(store, Relay("127.0.0.1", sink.port), sending())
    assert sink.taken == before
    assert counts(store) == {"accepted": 6, "attempted": 1}


def test_the_relays_own_log_is_read_and_fates_come_with_it(store, scene):
    letters, sink = scene
    found = settle(store, [str(sink.mail_log)], grace=0.0)
    assert (found.accepted, found.again, found.missing) == (1, 1, 0)
    run(store, Relay("127.0.0.1", sink.port), sending())
    found = settle(store, [str(sink.mail_log)], grace=0.0)
    assert {one.fate for one in standings(store)} == {"delivered"}
    head = store.head()
    assert settle(store, [str(sink.mail_log)], grace=0.0).fates == 0
    assert store.head() == head
    hold_exactly_once(store, letters, sink)


def test_what_the_log_says_of_a_letter_follows_its_fate_and_a_bounce_outweighs_it(store, scene):
    letters, _ = scene
    steps = [
        (Fate("deferred", "4.4.1", "timed out"), "deferred"),
        (Fate("held", None, None), "held"),
        (Fate("delivered", "2.0.0", "250 Ok"), "delivered"),
        (Fate("bounced", "4.4.7", "too long"), "bounced_soft"),
        (Fate("delivered", "2.0.0", "250 Ok"), "bounced_soft"),
        (Fate("bounced", "5.1.1", "550 no such user"), "bounced_hard"),
    ]
    for fate, expected in steps:
        log = told(letters, taken=ALL)
        settle_by(store, MailLog(log.taken, {letters[0].message_id: fate}, log.covers))
        (found,) = [one for one in standings(store) if one.letter.id == letters[0].id]
        assert found.fate == expected
    assert found.fate_says == "5.1.1 550 no such user"


@pytest.mark.usefixtures("scene")
def test_a_log_that_cannot_be_read_settles_nothing(store, tmp_path):
    with pytest.raises(UsageError, match=r"none: .*can be read whole"):
        settle(store, [str(tmp_path / "none")])
    (tmp_path / "log.gz").write_bytes(b"\x1f\x8b no gzip at all")
    with contextlib.suppress(UsageError):
        settle(store, [str(tmp_path / "log.gz")])
    assert counts(store)["attempted"] == 2
