# SPDX-License-Identifier: Apache-2.0
"""Which mails in the queue are those that were held; with programs that answer as Postfix's do."""

import json
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st
from posts import ALICE, HELD_AT, Post, hold, queued

from hikeshi.guard.holds import queue
from hikeshi.guard.holds.queue import QueueError, Recipient, same


@pytest.fixture
def post(tmp_path, monkeypatch):
    return Post(tmp_path / "programs", monkeypatch)


def test_a_list_is_read_with_large_sizes_unicode_and_reasons(post):
    post.lies(
        queued("A1B2C3", sender="佐藤@例え.example", size=3_000_000_000_000),
        recipients=[
            {"address": "a\u2028b@例え.example", "delay_reason": "connect to mx: timed out"},
            {"address": "c@d.example"},
        ],
    )
    (one,) = queue.listed()
    assert (one.queue_id, one.queue, one.sender, one.size) == ("A1B2C3", "hold", "佐藤@例え.example", 3_000_000_000_000)
    assert one.recipients == (Recipient("a\u2028b@例え.example", "connect to mx: timed out"), Recipient("c@d.example"))


@pytest.mark.usefixtures("post")
def test_an_empty_queue_is_an_empty_list():
    assert queue.listed() == []


def test_the_sender_of_a_mail_without_one_is_empty(post):
    post.lies(queued("A1B2C3", sender="MAILER-DAEMON"))
    assert queue.listed()[0].sender == ""


def test_what_newer_postfixes_add_is_passed_over(post):
    post.adds(
        json.dumps(
            {
                "queue_name": "hold",
                "queue_id": "A1B2C3",
                "arrival_time": 5,
                "sender": "",
                "new": [1],
                "recipients": [{"address": "a", "orig_address": "b", "bounce_reason": "no"}],
            }
        )
    )
    assert queue.listed()[0].recipients == (Recipient("a", "no"),)


@pytest.mark.parametrize(
    "line", ["{", "[]", "null", "{}", '{"queue_id": "A", "queue_name": "hold"}', "Mail queue is empty"]
)
def test_a_list_that_cannot_be_read_whole_is_no_list(post, line):
    post.lies(queued("A1B2C3"))
    post.adds(line)
    with pytest.raises(QueueError, match="line 2"):
        queue.listed()


def test_a_host_without_postfix_is_told_where_to_go(monkeypatch, tmp_path):
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.setattr("hikeshi.mailqueue._USUALLY", str(tmp_path))
    with pytest.raises(QueueError, match="postqueue: not found; run this on the host whose Postfix"):
        queue.listed()


@pytest.mark.parametrize(
    ("words", "remedy"),
    [
        ("postqueue: fatal: Queue report unavailable - mail system is down", "Postfix is not running"),
        ("postqueue: fatal: User nobody(65534) is not authorized to view the mail queue", "run this with sudo"),
        ("postqueue: fatal: open /etc/postfix/main.cf: No such file or directory", "folder where Postfix's main.cf"),
        ("postqueue: fatal: something else", "something else"),
        ("", "exit code 69"),
    ],
)
def test_why_the_queue_cannot_be_listed_is_said_with_what_to_do(post, words, remedy):
    post.fails("postqueue", 69, words)
    with pytest.raises(QueueError, match=remedy):
        queue.listed()


def test_programs_are_told_which_postfix_is_meant(post, tmp_path):
    queue.listed(tmp_path / "postfix-out")
    assert post.calls == [["postqueue", "-c", str(tmp_path / "postfix-out"), "-j"]]


def test_a_mail_is_the_one_held_by_id_sender_and_arrival():
    assert same(hold("A1B2C3"), queued("A1B2C3"))


@pytest.mark.parametrize(
    "other",
    [
        queued("A1B2C4"),
        queued("A1B2C3", sender="mallory@example.test"),
        queued("A1B2C3", arrival=int(HELD_AT) + 60),
        queued("A1B2C3", arrival=int(HELD_AT) - 90_000),
    ],
)
def test_a_mail_that_differs_in_one_of_them_is_another(other):
    assert not same(hold("A1B2C3"), other)


@given(st.floats(0, 2e9), st.integers(0, 3600))
def test_a_mail_that_arrives_anew_under_an_old_id_is_never_the_old_one(held_at, gap):
    again = queued("A1B2C3", arrival=int(held_at) + 7 + gap)
    assert not same(replace(hold("A1B2C3"), time=held_at), again)


@given(st.floats(0, 2e9), st.integers(0, 86_000))
def test_a_slow_upload_is_the_mail_that_was_held_at_its_end(held_at, upload):
    assert same(replace(hold("A1B2C3"), time=held_at), queued("A1B2C3", arrival=int(held_at) - upload))


def test_letter_case_of_a_sender_tells_nobody_apart():
    assert same(hold("A1B2C3"), queued("A1B2C3", sender="Alice@EXAMPLE.test"))


def test_a_sender_that_postfix_rewrote_is_settled_by_the_account_that_signed_in(post):
    post.lies(queued("A1B2C3", sender="alice.smith@example.test"), account="Alice@example.test")
    post.lies(queued("A1B2C4", sender="mallory@example.test"), account="mallory@example.test")
    holds = [hold("A1B2C3"), hold("A1B2C4")]
    plain = queue.listed()
    assert queue.matched(holds, plain).ours == ()
    known = queue.looked_into(holds, plain)
    assert [one.queue_id for _, one in queue.matched(holds, known).ours] == ["A1B2C3"]


def test_nobody_is_looked_up_where_the_sender_agrees(post):
    post.lies(queued("A1B2C3"), account=ALICE)
    queue.looked_into([hold("A1B2C3")], queue.listed())
    assert [call[0] for call in post.calls] == ["postqueue"]


def test_what_lies_on_hold_is_told_apart():
    here, gone, left = hold("A1B2C3"), hold("A1B2C4"), hold("A1B2C5")
    foreign = queued("A1B2C6", sender="bob@example.test")
    queue_now = [queued("A1B2C3"), replace(queued("A1B2C5"), queue="active"), foreign]
    found = queue.matched([here, gone, left], queue_now)
    assert found.ours == ((here, queue_now[0]),)
    assert found.gone == (gone, left)
    assert found.others == (foreign,)


def test_two_holds_of_one_reused_id_are_two():
    old, new = replace(hold("A1B2C3"), time=HELD_AT - 100), hold("A1B2C3")
    found = queue.matched([old, new], [queued("A1B2C3")])
    assert [one for one, _ in found.ours] == [new]
    assert found.gone == (old,)
