# SPDX-License-Identifier: Apache-2.0
"""Releasing and dropping: only what is still the mail that was held, and a receipt of each act."""

import json
from dataclasses import replace
from datetime import datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from posts import HELD_AT, Post, hold, queued

from hikeshi import mailqueue
from hikeshi.basics.errors import CaseError, UsageError
from hikeshi.guard.holds import receipt
from hikeshi.guard.holds.receipt import Outcome
from hikeshi.mailqueue import Done, QueueError


@pytest.fixture
def post(tmp_path, monkeypatch):
    return Post(tmp_path / "programs", monkeypatch)


@pytest.fixture
def case(tmp_path):
    return tmp_path / "case"


def outcomes(done):
    return [act.outcome for act in done.acts]


def drop(holds, case, **more):
    return receipt.drop(holds, case, **{"who": "kai", "why": "phished"} | more)


def test_what_is_released_goes_at_once(post, case):
    post.lies(queued("A1B2C3"))
    post.lies(queued("A1B2C4"))
    done = receipt.release([hold("A1B2C3")], case)
    assert outcomes(done) == [Outcome.RELEASED]
    assert post.where() == {"A1B2C3": "deferred", "A1B2C4": "hold"}
    assert post.calls[-2:] == [["postkick", "public", "qmgr", "D"], ["postqueue", "-j"]]


def test_what_is_dropped_is_gone_and_nothing_else_is(post, case):
    post.lies(queued("A1B2C3"))
    post.lies(queued("A1B2C4"))
    done = drop([hold("A1B2C3")], case)
    assert outcomes(done) == [Outcome.DROPPED]
    assert post.where() == {"A1B2C4": "hold"}


def test_a_new_mail_under_an_old_id_is_not_touched(post, case):
    post.lies(queued("A1B2C3", arrival=int(HELD_AT) + 60))
    done = drop([hold("A1B2C3")], case)
    assert outcomes(done) == [Outcome.NOT_OURS]
    assert post.where() == {"A1B2C3": "hold"}
    assert "postsuper" not in [call[0] for call in post.calls]


def test_a_mail_that_left_before_is_gone_already(post, case):
    post.lies(queued("A1B2C3", queue="active"))
    done = drop([hold("A1B2C3"), hold("A1B2C4")], case)
    assert outcomes(done) == [Outcome.GONE, Outcome.GONE]
    assert [(act.before, act.after) for act in done.acts] == [("active", "active"), (None, None)]
    assert post.where() == {"A1B2C3": "active"}


def test_a_mail_that_leaves_between_looking_and_acting_is_gone_already_and_not_dropped(post, case):
    post.lies(queued("A1B2C3"))
    post.lies(queued("A1B2C4"))
    post.leaves("A1B2C3", before="postsuper")
    done = drop([hold("A1B2C3"), hold("A1B2C4")], case)
    assert outcomes(done) == [Outcome.GONE, Outcome.DROPPED]


def test_a_mail_that_somebody_releases_between_looking_and_acting_is_not_dropped(post, case):
    post.lies(queued("A1B2C3"))
    post.comes(queued("A1B2C3", queue="active"), before="postsuper")
    done = drop([hold("A1B2C3")], case)
    assert outcomes(done) == [Outcome.GONE]
    assert post.where() == {"A1B2C3": "active"}
    assert done.acts[0].after == "active"


def test_a_mail_that_takes_the_id_after_the_drop_is_not_taken_for_it(post, case, monkeypatch):
    post.lies(queued("A1B2C3"))
    deleted = mailqueue.delete

    def delete(ids, config):
        done = deleted(ids, config)
        post.lies(queued("A1B2C3", arrival=int(HELD_AT) + 60))
        return done

    monkeypatch.setattr(mailqueue, "delete", delete)
    done = drop([hold("A1B2C3")], case)
    assert outcomes(done) == [Outcome.DROPPED]
    assert post.where() == {"A1B2C3": "hold"}


def test_a_mail_that_stays_is_said_to_be_still_held(post, case, monkeypatch):
    post.lies(queued("A1B2C3"))
    monkeypatch.setattr(
        mailqueue, "release", lambda *_: Done(frozenset(), "postsuper: Released from hold: 0 messages", None)
    )
    assert outcomes(receipt.release([hold("A1B2C3")], case)) == [Outcome.STILL_HELD]


def test_a_hold_without_an_id_is_no_mail_that_anybody_could_name(post, case):
    post.lies(queued("A1B2C3"))
    assert outcomes(receipt.release([hold("")], case)) == [Outcome.NO_ID]
    assert post.where() == {"A1B2C3": "hold"}


@pytest.mark.parametrize("queue_id", ["ALL", "-", "", "A1B2C3\nALL", "A1B2C3 ", "deferred/A1B2C3"])
def test_nothing_but_an_id_is_ever_handed_to_postsuper(post, tmp_path, queue_id):
    heard = tmp_path / "heard"
    (post.folder / "postsuper").write_text(f'#!/bin/sh\ncat > "{heard}"\n')
    mailqueue.delete([queue_id, "A1B2C3"])
    assert heard.read_text() == "A1B2C3\n"


@pytest.mark.parametrize(("who", "why"), [("", "phished"), ("kai", ""), (" ", "phished"), ("kai", "\n")])
def test_a_drop_without_a_name_and_a_reason_is_refused(post, case, who, why):
    post.lies(queued("A1B2C3"))
    with pytest.raises(UsageError, match=r"--who NAME.*--why REASON"):
        drop([hold("A1B2C3")], case, who=who, why=why)
    assert post.calls == []
    assert not case.exists()


def test_a_receipt_says_who_when_what_and_what_became_of_it(post, case):
    post.lies(queued("A1B2C3"))
    done = drop([hold("A1B2C3"), hold("A1B2C4")], case)
    told = json.loads(done.path.read_text())
    assert (told["schema"], told["verb"], told["who"], told["why"]) == ("hikeshi.receipt/1", "drop", "kai", "phished")
    assert told["trouble"] is None
    assert len(told["output_sha256"]) == 64
    assert told["host"]
    began, ended = datetime.fromisoformat(told["began"]), datetime.fromisoformat(told["ended"])
    assert began.utcoffset() is not None
    assert began <= ended
    first, second = told["mails"]
    assert (first["queue_id"], first["sender"], first["outcome"]) == ("A1B2C3", "alice@example.test", "dropped")
    assert (first["before"], first["after"]) == ("hold", None)
    assert datetime.fromisoformat(first["arrival"]).timestamp() == int(HELD_AT)
    assert (second["arrival"], second["outcome"]) == (None, "gone already")


def test_receipts_are_private_and_their_names_sort_by_time(post, case):
    post.lies(queued("A1B2C3"))
    paths = [drop([hold("A1B2C3")], case).path, receipt.release([hold("A1B2C3")], case).path, drop([], case).path]
    assert sorted(case.glob("receipts/*")) == paths
    assert {path.stat().st_mode & 0o777 for path in paths} == {0o600}
    assert [folder.stat().st_mode & 0o777 for folder in (case, case / "receipts")] == [0o700, 0o700]


def test_nothing_is_done_where_no_receipt_can_be_written(post, case):
    case.write_text("no folder")
    post.lies(queued("A1B2C3"))
    with pytest.raises(CaseError):
        drop([hold("A1B2C3")], case)
    assert post.where() == {"A1B2C3": "hold"}


def test_an_act_that_breaks_off_leaves_a_receipt_that_has_only_begun(post, case, monkeypatch):
    post.lies(queued("A1B2C3"))

    def dies(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(mailqueue, "delete", dies)
    with pytest.raises(KeyboardInterrupt):
        drop([hold("A1B2C3")], case)
    (path,) = case.glob("receipts/*")
    told = json.loads(path.read_text())
    assert (told["ended"], told["mails"][0]["outcome"]) == (None, "begun")


def test_one_who_may_not_is_told_to_become_root(post, case):
    post.lies(queued("A1B2C3"))
    post.fails("postsuper", 1, "postsuper: fatal: use of this command is reserved for the superuser")
    with pytest.raises(
        QueueError, match=r"reserved for the superuser; it takes root: run this with sudo \(nothing was done"
    ):
        receipt.release([hold("A1B2C3")], case)
    (path,) = case.glob("receipts/*")
    assert json.loads(path.read_text())["mails"][0]["outcome"] == "still held"


def test_what_is_released_while_postfix_is_down_is_released_and_said_to_wait(post, case):
    post.lies(queued("A1B2C3"))
    post.fails(
        "postkick", 1, "postkick: warning: Cannot contact class public service qmgr - perhaps the mail system is down"
    )
    done = receipt.release([hold("A1B2C3")], case)
    assert outcomes(done) == [Outcome.RELEASED]
    assert done.trouble.startswith("released, and will go when Postfix is started")


def test_a_queue_manager_that_does_not_wait_for_the_whole_kick_has_been_kicked(post, case):
    post.lies(queued("A1B2C3"))
    (post.folder / "postkick").write_text("#!/bin/sh\nkill -PIPE $$\n")
    assert receipt.release([hold("A1B2C3")], case).trouble is None


LYING = st.sampled_from(["hold", "active", "deferred"])
KINDS = st.sampled_from(["ours", "of another sender", "arrived later", "absent"])


@settings(deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(KINDS, LYING), max_size=8), st.booleans())
def test_whatever_lies_there_only_ours_on_hold_is_touched_and_every_mail_has_one_outcome(
    case, monkeypatch, lying, release
):
    held = [hold(f"A1B2{number:02X}") for number in range(len(lying))]
    queue = {
        one.queue_id: queued(
            one.queue_id,
            sender="mallory@example.test" if kind == "of another sender" else one.sender,
            arrival=int(HELD_AT) + (60 if kind == "arrived later" else 0),
            queue=where,
        )
        for one, (kind, where) in zip(held, lying, strict=True)
        if kind != "absent"
    }
    before = dict(queue)

    def act(ids, _config):
        for one in ids:
            if release:
                queue[one] = replace(queue[one], queue="deferred")
            else:
                del queue[one]
        return Done(frozenset(ids), "", None)

    monkeypatch.setattr(mailqueue, "listed", lambda _=None: list(queue.values()))
    monkeypatch.setattr(mailqueue, "accounts", lambda *_: {})
    monkeypatch.setattr(mailqueue, "release" if release else "delete", act)
    done = receipt.release(held, case) if release else drop(held, case)
    ours = {one.queue_id for one, told in zip(held, lying, strict=True) if told == ("ours", "hold")}
    assert {one for one in before if queue.get(one) != before[one]} == ours
    aim = Outcome.RELEASED if release else Outcome.DROPPED
    assert [act.hold for act in done.acts] == held
    assert {hold.queue_id for hold in done.holds(aim)} == ours
    assert len(done.holds(aim, Outcome.GONE, Outcome.NOT_OURS)) == len(held)
