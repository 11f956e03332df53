# SPDX-License-Identifier: Apache-2.0
"""The hold queue of a real Postfix: listed, released so that it is delivered at once, dropped, and told apart."""

import os
import time

import pytest
from scenes import ALICE, BOB, HEADER_CHECKS, letter, running

from hikeshi.guard.holds import queue, receipt
from hikeshi.guard.holds.receipt import Outcome
from hikeshi.guard.state.store import Hold
from hikeshi.mailqueue import QueueError

FRIEND, BUSY = "friend@partner.example", "busy@partner.example"


def handed_in(server, *letters, account=ALICE, sender=ALICE, to=(FRIEND,)):
    """Hand in mails that are held; give what a guard would write down of each."""
    with server.session(account) as smtp:
        found = [smtp.hand_in(sender, list(to), one) for one in letters]
    server.settle()
    return [
        Hold(one.queue_id, account, sender, time.time(), "127.0.0.5", "s", len(to), "please hold this", "new", 20.0)
        for one in found
    ]


def held(name, **more):
    return letter(name, "please hold this", **more)


def test_what_lies_on_hold_is_listed_as_it_is(scene):
    (hold,) = handed_in(scene.server, held("one", body="x" * 60_000), to=(FRIEND, BOB))
    (found,) = queue.listed(scene.server.etc)
    assert (found.queue_id, found.queue, found.sender) == (hold.queue_id, "hold", ALICE)
    assert found.size > 60_000
    assert {one.address for one in found.recipients} == {FRIEND, BOB}
    assert queue.matched([hold], [found]).ours == ((hold, found),)


def test_what_is_deferred_says_why(scene):
    scene.server.outside.answers[BUSY] = "451 4.7.1 Come again"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BUSY], letter("late"))
    scene.server.settle()
    (found,) = queue.listed(scene.server.etc)
    assert found.queue == "deferred"
    assert "Come again" in found.recipients[0].reason


def test_what_is_released_is_delivered_at_once_and_the_rest_lies_still(scene, tmp_path):
    scene.server.outside.answers[BUSY] = "451 4.7.1 Come again"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BUSY], letter("deferred"))
    one, two = handed_in(scene.server, held("one"), held("two"))
    (tried,) = [found for found in queue.listed(scene.server.etc) if found.queue == "deferred"]
    done = receipt.release([one], tmp_path / "case", config=scene.server.etc)
    assert [act.outcome for act in done.acts] == [Outcome.RELEASED]
    assert done.trouble is None
    scene.server.settle()
    assert scene.server.queued() == {two.queue_id: "hold", tried.queue_id: "deferred"}
    assert [mail.recipients for mail in scene.server.outside.mails] == [[FRIEND]]


def test_a_burst_is_released_in_one_act(scene, tmp_path):
    holds = handed_in(scene.server, *(held(f"lure-{number}") for number in range(120)))
    done = receipt.release(holds, tmp_path / "case", config=scene.server.etc)
    assert done.holds(Outcome.RELEASED) == holds
    scene.server.settle()
    assert scene.server.queued() == {}
    assert len(scene.server.outside.mails) == 120


def test_what_is_dropped_is_gone_and_is_never_delivered(scene, tmp_path):
    one, two = handed_in(scene.server, held("one"), held("two"))
    done = receipt.drop([one], tmp_path / "case", who="kai", why="phished", config=scene.server.etc)
    assert [(act.outcome, act.before, act.after) for act in done.acts] == [(Outcome.DROPPED, "hold", None)]
    scene.server.settle()
    assert scene.server.queued() == {two.queue_id: "hold"}
    assert scene.server.outside.mails == []


def test_what_somebody_released_by_hand_is_gone_already(scene, tmp_path):
    (one,) = handed_in(scene.server, held("one"))
    scene.server.release(one.queue_id)
    scene.server.settle()
    done = receipt.drop([one], tmp_path / "case", who="kai", why="phished", config=scene.server.etc)
    assert [act.outcome for act in done.acts] == [Outcome.GONE]
    assert len(scene.server.outside.mails) == 1


def test_what_others_put_on_hold_is_told_apart_and_not_touched(scene, tmp_path):
    (ours,) = handed_in(scene.server, held("ours"))
    (theirs,) = handed_in(scene.server, held("theirs"), account=BOB, sender=BOB)
    found = queue.matched([ours], queue.listed(scene.server.etc))
    assert [one.queue_id for one in found.others] == [theirs.queue_id]
    receipt.drop([ours], tmp_path / "case", who="kai", why="phished", config=scene.server.etc)
    assert scene.server.queued() == {theirs.queue_id: "hold"}


@pytest.mark.parametrize("sender", ["", "alice", '"a b"@example.test', "Alice@EXAMPLE.test", "alice+x=y@example.test"])
def test_whatever_the_sender_looks_like_the_mail_is_known_again(scene, tmp_path, sender):
    holds = handed_in(scene.server, held("one"), sender=sender)
    done = receipt.release(holds, tmp_path / "case", config=scene.server.etc)
    assert [act.outcome for act in done.acts] == [Outcome.RELEASED]


def test_a_sender_that_postfix_rewrites_does_not_hide_a_mail(tmp_path):
    rewriting = {
        "sender_canonical_maps": f"inline:{{ {{{ALICE} = a.smith@example.test}} }}",
        "enable_long_queue_ids": "yes",
    }
    with running(header_checks=HEADER_CHECKS, main=rewriting) as server:
        mine = handed_in(server, held("one"))
        stranger = [Hold(mine[0].queue_id, BOB, BOB, time.time(), "127.0.0.5", "s", 1, None, "new", 20.0)]
        listed = queue.listed(server.etc)
        assert listed[0].sender == "a.smith@example.test"
        done = receipt.drop(stranger, tmp_path / "case", who="kai", why="phished", config=server.etc)
        assert [act.outcome for act in done.acts] == [Outcome.NOT_OURS]
        done = receipt.release(mine, tmp_path / "case", config=server.etc)
        assert [act.outcome for act in done.acts] == [Outcome.RELEASED]
        server.settle()
        assert len(server.outside.mails) == 1


def test_mail_is_released_while_postfix_is_down_and_goes_when_it_runs_again(tmp_path):
    with running(header_checks=HEADER_CHECKS) as server:
        holds = handed_in(server, held("one"), held("two"))
        server.stop_servers()
        done = receipt.release(holds[:1], tmp_path / "case", config=server.etc)
        assert [act.outcome for act in done.acts] == [Outcome.RELEASED]
        assert done.trouble
        server.run_servers()
        server.settle()
        assert server.queued() == {holds[1].queue_id: "hold"}
        assert len(server.outside.mails) == 1


def test_a_folder_without_a_postfix_is_said_to_be_none(tmp_path):
    with pytest.raises(QueueError, match=r"folder where Postfix's main\.cf lies"):
        queue.listed(tmp_path)


def test_one_who_is_not_root_is_told_what_to_do(scene):
    (one,) = handed_in(scene.server, held("one"))
    os.seteuid(65534)
    try:
        with pytest.raises(QueueError, match=r"sudo|main\.cf"):
            queue.listed(scene.server.etc)
    finally:
        os.seteuid(0)
    assert scene.server.queued() == {one.queue_id: "hold"}
