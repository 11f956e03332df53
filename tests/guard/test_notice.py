# SPDX-License-Identifier: Apache-2.0
"""What people read: everything they need, in both languages, and nothing that a stranger could use against them."""

import json
import re
from dataclasses import replace

from hypothesis import example, given
from hypothesis import strategies as st
from notices import ALICE, WEIGHTS, notice

from hikeshi import model
from hikeshi.guard.people.notice import MOST, _template, shown


def test_administrators_read_what_happened_and_what_to_type():
    text = notice(held=1215, refused=3, before=5, places=("203.0.113.9", "2001:db8::/64")).text()
    for one in (
        "Account: alice@example.test", "Mails on hold: 1215", "Mails refused: 3", "Mails that had left before: 5",
        "203.0.113.9, 2001:db8::/64", "請求書 4711", "+3.7 new place", "+2.9 same content", "-0.4 many recipients",
        "score 31.5, threshold 18.2", "hikeshi guard held", f"hikeshi guard release --account {ALICE}",
        f"hikeshi guard drop --account {ALICE} --who NAME --why REASON",
        "アカウント: alice@example.test", "保留したメール（通）: 1215", "+3.7 初めての送信元", "+2.9 同じ内容",
    ):  # fmt: skip
        assert one in text
    assert "pace" not in text


def test_times_are_given_with_their_offset():
    assert (
        len(
            re.findall(r"^(?:Since|開始): 20\d\d-\d\d-\d\dT\d\d:\d\d:\d\d[+-]\d\d:\d\d$", notice().text(), re.MULTILINE)
        )
        == 2
    )


def test_what_is_not_known_is_not_said():
    text = notice().text()
    assert "left before" not in text
    assert "refused" not in text


def test_the_owner_is_asked_and_given_no_commands():
    text = notice().text(owner=True)
    assert "Did you send these mails?" in text
    assert "ご自身が送ったものですか" in text
    assert "hikeshi guard" not in text


def test_where_nothing_is_stopped_nobody_is_told_that_it_is():
    watched = notice(held=0, went=40)
    assert "Nothing is stopped" in watched.text()
    assert "メールは止まっていません" in watched.text()
    assert "on hold" not in watched.subject()


def test_what_follows_says_so():
    assert "follows an earlier notice" in notice(again=True).text()
    assert "follows an earlier notice" not in notice().text()


def test_every_weight_of_the_model_has_a_japanese_name():
    kinds = re.findall(
        r'^"([a-z ]+)": "', _template().environment.loader.get_source(None, "notice.txt.j2")[0], re.MULTILINE
    )
    message = model.Message(1, 0, 1, None, False, False, False, None, None, 0, 0, None, None, False, False)
    history = model.History(0, *[model.Seen(0, 0)] * 13)
    named = [one.name for one in model.weights(message, history, model.organisation({}))]
    assert kinds == named


def test_no_more_than_a_few_subjects_and_places_are_shown():
    many = notice(subjects=tuple(f"s{n}" for n in range(20)), places=tuple(f"p{n}" for n in range(20)))
    assert len(many.document()["subjects"]) == len(many.document()["places"]) == MOST
    assert "s5" not in many.text()
    assert "p5" not in many.line()


def test_the_json_has_the_same_and_a_line_to_show():
    told = json.loads(json.dumps(notice().document()))
    assert told["schema"] == "hikeshi.notice/1"
    assert (told["account"], told["held"], told["subjects"]) == (ALICE, 12, ["請求書 4711"])
    assert told["weights"][0] == {"name": "new place", "nats": 3.7}
    assert told["text"].startswith("hikeshi: alice@example.test is under suspicion since 20")
    assert "請求書" not in told["text"]


def test_no_link_is_left_in_a_subject():
    assert shown("pay at https://evil.example/pay?x=1 or www.evil.example") == (
        "pay at https:[//]evil[.]example/pay?x=1 or www[.]evil[.]example"
    )
    assert shown("Invoice 47.11") == "Invoice 47.11"


@given(st.text(max_size=300), st.text(max_size=300))
@example("a\r\nBcc: everybody@example.org", "\x1b[2J\u202egnp.exe")
@example("\ud800", "{{ 7 * 7 }}{% raw %}")
def test_whatever_strangers_write_begins_no_line_and_moves_no_cursor(account, subject):
    told = replace(notice(), account=account, subjects=(subject,), reason=subject, places=(subject,))
    plain = notice().text().count("\n")
    for text in (told.subject(), told.line(), *told.document()["subjects"], told.document()["reason"]):
        assert text.isprintable()
    assert told.text().isprintable() or told.text().replace("\n", "").isprintable()
    assert abs(told.text().count("\n") - plain) <= 2
    assert "://" not in told.text().replace(account, "")
    told.text(owner=True).encode()
    json.dumps(told.document()).encode()


def test_the_account_in_a_command_is_one_word_of_the_shell():
    assert "--account 'alice; reboot'\n" in notice(account="alice; reboot").text()


def test_what_says_most_stands_first():
    assert [one.name for one in notice().telling()] == [
        "new place",
        "same content",
        "new recipients",
        "many recipients",
    ]
    assert set(notice().telling()) < set(WEIGHTS)
