# SPDX-License-Identifier: Apache-2.0
import email
import email.policy
import json
import re
from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store.facts import correct
from hikeshi.notify.audience import audience
from hikeshi.notify.check import Earlier
from hikeshi.notify.corrections import correct as decide
from hikeshi.notify.draft import LETTERS, changed_sections, drafts
from hikeshi.notify.drafting import case_of, draft_report
from hikeshi.notify.lists import Exposed, fit_name
from hikeshi.notify.outbox import LetterError
from hikeshi.notify.outbox.book import counts, standings
from hikeshi.notify.outbox.letter import encoded
from hikeshi.wording.facts import MissingFactError

NOW = datetime(2026, 3, 4, tzinfo=UTC)


def nobody(_):
    return None


def errors_of(one):
    return [(each.rule, each.where, each.says["en"]) for each in one.problems if each.severity == "error"]


@pytest.fixture
def people(store, case, investigated, entered):
    """Everyone of a small case: delivered, waiting, on hold and unknown."""
    investigated(
        ("aiko@x.example", 1, "delivered"), ("ben@y.example", 2, "deferred"), ("chie@z.example.jp", 1, "held"),
        ("dan@w.example", 1, "unknown"),
    )  # fmt: skip
    entered()
    return audience(store, case)


def variants(people):
    """Give one person of every kind there is a letter for, in both languages."""
    exposed = (Exposed(("氏名 / name",), "suspected"), Exposed(("電話番号 / phone",), "not_confirmed"))
    first = people[0]
    only = replace(first, in_lure=False, copies=0, first_time=None, last_time=None, outcome=None, exposed=exposed)
    kinds = [only]
    for outcome in ("delivered", "deferred", "held", "unknown", "bounced", "expired"):
        later = first.first_time.replace(hour=20)
        kinds += [
            replace(
                first, outcome=outcome, copies=3, last_time=later, subjects=("至急: 請求書 https://evil.example/a",)
            ),
            replace(first, outcome=outcome, exposed=exposed, name="山田 Taro"),
        ]
    return [replace(one, language=language) for one in kinds for language in ("ja", "en")]


def test_every_letter_in_both_languages_keeps_every_rule_and_so_does_what_follows_it(store, case, people):
    first, second = (replace(case_of(store, case, people, number), listed_at=NOW) for number in (1, 2))
    names = set()
    for person in variants(people):
        (one,) = drafts(first, [person], nobody)
        assert errors_of(one) == []
        past = Earlier(1, person.language, one.letter.subject, one.letter.text)
        (follow,) = drafts(second, [person], lambda _, past=past: past)
        assert errors_of(follow) == []
        names |= {one.name, follow.name}
    assert names == set(LETTERS)


def test_lines_fit_a_terminal(store, case, people):
    shared = replace(case_of(store, case, people, 1), listed_at=NOW)
    for one in drafts(shared, variants(people), nobody, checked=False):
        for line in one.letter.text.splitlines():
            assert sum(2 if ord(char) > 0x2FFF else 1 for char in line) <= 76, line


def test_a_letter_tells_its_reader_what_concerns_them(store, case, people):
    one = replace(people[1], outcome="delivered", subjects=("Invoice 4711",))
    (english,) = drafts(case_of(store, case, people, 1), [one], nobody)
    text = " ".join(english.letter.text.split())
    assert "How many: 2 emails" in text
    assert "Sent: Monday, 2 March 2026, 17:05:54 (JST, UTC+09:00)" in text
    assert "Subject: Invoice 4711" in text
    assert "your mail server accepted it" in text
    assert "Report 1" in english.letter.subject
    assert "Invoice" not in english.letter.subject
    (japanese,) = drafts(case_of(store, case, people, 1), [replace(one, language="ja")], nobody)
    text = "".join(japanese.letter.text.split())
    assert "通数:2通" in text
    assert "2026年3月2日(月)17時05分54秒(日本時間、UTC+09:00)" in text
    assert japanese.letter.subject == "【日の出工業株式会社】不審なメールに関するお詫びとお知らせ(第1報)"


def test_each_outcome_is_told_as_it_is_and_no_other(store, case, people):
    told = {}
    for outcome in ("delivered", "deferred", "held", "unknown", "bounced"):
        (one,) = drafts(case_of(store, case, people, 1), [replace(people[0], outcome=outcome)], nobody, checked=False)
        told[outcome] = " ".join(re.search(r"- What became of it:(.*?)\n\n", one.letter.text, re.DOTALL)[1].split())
    assert "accepted it" in told["delivered"]
    assert "may still arrive" in told["deferred"]
    assert "did not reach you" in told["held"]
    assert "may have reached you" in told["unknown"]
    assert "not delivered" in told["bounced"]
    assert len(set(told.values())) == len(told)


def test_possibilities_and_facts_stand_in_sentences_of_their_own(store, case, people):
    exposed = (Exposed(("name",), "confirmed"), Exposed(("phone",), "suspected"), Exposed(("post",), "not_confirmed"))
    person = replace(people[0], exposed=exposed)
    (one,) = drafts(replace(case_of(store, case, people, 1), listed_at=NOW), [person], nobody, checked=False)
    text = " ".join(one.letter.text.split())
    assert "We have confirmed a leak of the following data about you: - name" in text
    assert "We cannot rule out a leak of the following data about you: - phone" in text
    assert (
        "As of Wednesday, 4 March 2026, 09:00 (JST, UTC+09:00), a leak of the following data about you has not" in text
    )


def test_counts_are_told_as_found_so_far_until_a_person_confirms_the_takeover(store, case, investigated, entered):
    investigated(("aiko@x.example", 1, "delivered"), status="suspected")
    entered()
    people = audience(store, case)
    (one,) = drafts(case_of(store, case, people, 1), people, nobody, checked=False)
    assert "1 email (as found so far)" in one.letter.text


@pytest.mark.parametrize("key", ["org.name", "org.sender", "org.public_page", "cause", "measures.done", "desk.phone",
                                 "discovered_at", "secondary_damage"])  # fmt: skip
def test_a_letter_that_asks_for_a_fact_which_the_case_lacks_says_how_to_enter_it(
    store, case, investigated, entered, key
):
    investigated(("aiko@x.example", 1, "delivered"))
    entered(key)
    with pytest.raises(MissingFactError, match=rf"{re.escape(key)}.*hikeshi case correct {re.escape(key)}"):
        draft_report(store, case, audience(store, case), 1)
    assert counts(store) == {}
    assert list((case / "letters").iterdir()) == []


def test_a_sender_that_would_break_a_header_sends_nothing(store, case, investigated, entered):
    investigated(("aiko@x.example", 1, "delivered"))
    entered(**{"org.sender": "notice@works.example\nBcc: all@x.example"})
    with pytest.raises(LetterError):
        draft_report(store, case, audience(store, case), 1)
    assert counts(store) == {}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(subject=st.text(max_size=200), name=st.text(max_size=90), item=st.text(min_size=1, max_size=40))
def test_whatever_strangers_write_makes_no_header_and_no_link(store, case, people, subject, name, item):
    person = replace(people[0], subjects=(subject,), name=name, exposed=(Exposed((item,), "suspected"),))
    person = replace(person, name=fit_name(name))
    shared = replace(case_of(store, case, people, 1), listed_at=NOW)
    (one,) = drafts(shared, [person], nobody, checked=False)
    message = email.message_from_bytes(encoded(one.letter, NOW), policy=email.policy.default)
    assert message["To"] == "aiko@x.example"
    assert {name.lower() for name in message.keys()} & {"cc", "bcc", "in-reply-to", "references"} == set()  # noqa: SIM118 - a message is no mapping
    assert message.get_content_type() == "text/plain"
    assert "://" not in one.letter.text


def test_drafting_twice_gives_the_same_letters_byte_for_byte(store, case, people):
    first, second = ([one.letter for one in drafts(case_of(store, case, people, 1), people, nobody)] for _ in range(2))
    assert first == second
    assert draft_report(store, case, people, 1).put.new == 4
    box = (case / "letters" / "report-1.mbox").read_bytes()
    again = draft_report(store, case, people, 1)
    assert (again.put.new, again.put.same) == (0, 4)
    assert (case / "letters" / "report-1.mbox").read_bytes() == box


def test_no_byte_of_another_recipient_stands_in_any_letter(store, case, investigated, entered):
    addresses = [f"person{number:03}@host{number:03}.example{'.jp' if number % 2 else ''}" for number in range(120)]
    investigated(*((one, 1, "delivered") for one in addresses))
    entered()
    people = audience(store, case)
    found = list(drafts(case_of(store, case, people, 1), people, nobody))
    assert [one.letter.address for one in found] == addresses
    for one in found:
        raw = encoded(one.letter, NOW)
        message = email.message_from_bytes(raw, policy=email.policy.default)
        whole = "\n".join([*map(str, message.values()), message.get_content()]).encode() + raw
        named = {match.decode() for match in re.findall(rb"person\d{3}|host\d{3}", whole)}
        number = one.letter.address[6:9]
        assert named == {f"person{number}", f"host{number}"}
        assert b"rin@" not in whole


@pytest.mark.parametrize("order", [1, -1])
def test_a_letter_that_shows_another_recipient_blocks_all_whoever_comes_first(
    store, case, investigated, entered, order
):
    investigated(*[("aiko@x.example", 1, "delivered"), ("ben@y.example", 1, "delivered")][::order])
    entered(**{"cause.en": "the mail went to ben@y.example first"})
    done = draft_report(store, case, audience(store, case), 1)
    assert done.blocked
    assert ("L05", "error") in {(one.problem.rule, one.problem.severity) for one in done.found}
    assert counts(store) == {}
    assert list((case / "letters").iterdir()) == []


def test_who_is_no_longer_mailed_has_their_draft_taken_back(store, case, people):
    draft_report(store, case, people, 1)
    decide(store, "ben@y.example", reach="phone", who="Rin", why="asked for a call")
    done = draft_report(store, case, audience(store, case), 1)
    assert (done.letters, done.withdrawn) == (3, 1)
    assert {one.letter.address: one.state for one in standings(store)}["ben@y.example"] == "cancelled"


def test_what_changed_since_the_last_letter_is_named_section_by_section(store, case, people):
    (one,) = drafts(case_of(store, case, people, 1), people[:1], nobody, checked=False)
    correct(store, "cause.en", "an employee typed the mail password into a fake page", who="Rin", why="asked her")
    past = Earlier(1, "en", one.letter.subject, one.letter.text)
    (follow,) = drafts(case_of(store, case, people, 2), people[:1], lambda _: past, checked=False)
    assert '"What happened, and why"' in " ".join(follow.letter.text.split())
    assert changed_sections(one.letter.text, follow.letter.text) == ['"What happened, and why"']
    (same,) = drafts(case_of(store, case, people, 2), people[:1], lambda _: follow_of(follow), checked=False)
    assert "Nothing in it has changed" in same.letter.text


def follow_of(one):
    return Earlier(2, "en", one.letter.subject, one.letter.text)


def test_a_text_that_was_entered_in_one_language_only_is_warned_of(store, case, investigated, entered):
    investigated(("aiko@x.example", 1, "delivered"))
    entered("measures.done", **{"measures.done": ["パスワードを変更しました"]})
    correct(store, "measures.done", ["パスワードを変更しました"], who="Rin", why="sample")
    people = audience(store, case)
    (one,) = drafts(case_of(store, case, people, 1), people, nobody)
    assert ("L14", "fact measures.done") in {(each.rule, each.where) for each in one.problems}


def test_letters_that_differ_in_times_alone_are_checked_once_and_others_each(store, case, people, monkeypatch):
    asked = []
    monkeypatch.setattr("hikeshi.notify.check.lint", lambda document: asked.append(document.to) or [])
    times = [people[0].first_time.replace(minute=number) for number in range(10, 16)]
    later = [replace(people[0], first_time=one, last_time=one) for one in times]
    other = replace(people[0], key="x", copies=2)
    assert len(list(drafts(case_of(store, case, people, 1), [*later, other], nobody))) == 7
    assert len(asked) == 2


def test_reports_are_numbered_from_one(store, case, people):
    with pytest.raises(UsageError, match="numbered from 1"):
        case_of(store, case, people, 0)


def test_drafts_lie_private_in_the_case_as_mails_without_a_date(store, case, people):
    done = draft_report(store, case, people, 1)
    assert done.file.stat().st_mode & 0o777 == 0o600
    assert (case / "letters").stat().st_mode & 0o777 == 0o700
    text = done.file.read_text("ascii")
    assert text.count("\nTo: ") == 4
    assert "\nDate:" not in text
    assert json.dumps(text).count("\\nMessage-ID: <") == 4
