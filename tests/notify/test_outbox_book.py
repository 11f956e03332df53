# SPDX-License-Identifier: Apache-2.0
"""What people do with letters: put, approve by one or two, take back, pause; and that every step is in the ledger."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta

import pytest
from outboxes import approved, drafted, hold_whole, one, states

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import open_store, schema
from hikeshi.notify.outbox import LetterError
from hikeshi.notify.outbox.approval import approve, batch, refuse
from hikeshi.notify.outbox.audit import audit
from hikeshi.notify.outbox.book import Put, again, cancel, counts, pause, put, resolve, resume, standings
from hikeshi.notify.outbox.turns import lease, take_back

NOW = datetime(2026, 11, 25, 9, 0, tzinfo=UTC)


@pytest.fixture
def store(tmp_path):
    with open_store(tmp_path / "case") as opened:
        yield opened
        hold_whole(opened)


def login_is(monkeypatch, name):
    for place in ("hikeshi.notify.outbox.approval", "hikeshi.cases.store.ledger"):
        monkeypatch.setattr(f"{place}.login", lambda: name)


def test_putting_twice_changes_nothing(store):
    letters = [one(store, f"p{number}@x.example") for number in range(1203)]
    assert put(store, iter(letters)) == Put(new=1203)
    head = store.head()
    assert put(store, letters) == Put(same=1203)
    assert store.head() == head
    assert [found.letter for found in standings(store)] == sorted(letters, key=lambda sent: sent.id)


def test_two_addresses_of_one_person_are_one_letter_and_two_texts_are_refused(store):
    same = one(store, "hanako@x.example", text="hello")
    assert put(store, [same, same]) == Put(new=1, same=1)
    with pytest.raises(LetterError, match="two letters to one person"):
        put(store, [same, one(store, "Hanako+shop@x.example", text="hello")])
    assert counts(store) == {"drafted": 1}


def test_a_letter_of_another_case_or_with_a_name_of_its_own_is_refused(store):
    good = one(store, "hanako@x.example")
    for bad in (
        replace(good, case_id="another"),
        replace(good, id="0" * 32),
        replace(good, message_id="<a@b.example>"),
    ):
        with pytest.raises(LetterError):
            put(store, [bad])
    assert counts(store) == {}


def test_a_draft_that_changes_after_it_was_approved_waits_for_approval_again(store):
    approved(store, 3)
    changed = one(store, "person1@company1.example", text="other words")
    assert put(store, [changed]) == Put(changed=1)
    assert sorted(states(store).values()) == ["approved", "approved", "drafted"]
    assert batch(store, 1).letters == 1


def test_what_was_leased_or_left_is_not_rewritten(store):
    approved(store, 1)
    lease(store, "somebody", NOW, 60, 10)
    assert put(store, [one(store, "person0@company0.example", text="other words")]) == Put(kept=1)


def test_what_changed_since_it_was_looked_at_is_not_approved(store):
    drafted(store, 2)
    looked = batch(store, 1)
    put(store, [one(store, "late@x.example")])
    with pytest.raises(UsageError, match="look again"):
        approve(store, looked, who="Sato", why="fine")
    assert counts(store) == {"drafted": 3}
    with pytest.raises(UsageError, match="no draft"):
        approve(store, batch(store, 2), who="Sato", why="fine")


@pytest.mark.parametrize(("who", "why"), [("", "fine"), ("Sato", " ")])
def test_nobody_approves_or_takes_back_without_a_name_and_a_reason(store, who, why):
    drafted(store, 1)
    found = list(states(store))
    for act in (
        lambda: approve(store, batch(store, 1), who=who, why=why),
        lambda: refuse(store, batch(store, 1), who=who, why=why),
        lambda: cancel(store, found, who=who, why=why),
        lambda: again(store, found, who=who, why=why),
        lambda: resolve(store, found[0], accepted=True, who=who, why=why),
        lambda: pause(store, who=who, why=why),
        lambda: resume(store, who=who, why=why),
    ):
        with pytest.raises(UsageError, match="a name and a reason"):
            act()
    assert counts(store) == {"drafted": 1}


@pytest.mark.parametrize(
    ("second", "login", "enough"),
    [("Ito", "ito@pc2", True), ("Sato", "ito@pc2", False), (" sato ", "ito@pc2", False), ("Ito", "sato@pc2", False)],
)
def test_two_people_are_two_names_and_two_logins(store, monkeypatch, second, login, enough):
    drafted(store, 2)
    looked = batch(store, 1)
    login_is(monkeypatch, "sato@pc1")
    assert not approve(store, looked, who="Sato", why="read", persons=2)
    assert counts(store) == {"drafted": 2}
    login_is(monkeypatch, login)
    assert approve(store, looked, who=second, why="read", persons=2) is enough
    assert counts(store) == {"approved" if enough else "drafted": 2}


def test_an_approval_before_a_refusal_counts_no_more(store, monkeypatch):
    drafted(store, 1)
    looked = batch(store, 1)
    login_is(monkeypatch, "sato@pc1")
    approve(store, looked, who="Sato", why="read", persons=2)
    refuse(store, looked, who="Ito", why="a number is wrong")
    login_is(monkeypatch, "kato@pc1")
    assert not approve(store, looked, who="Kato", why="read", persons=2)


def test_letters_are_taken_back_before_they_leave_and_not_after(store):
    sent = approved(store, 3)
    ids = sorted(found.id for found in sent)
    assert cancel(store, ids[:1], who="Sato", why="told by phone") == 1
    assert cancel(store, ids[:1], who="Sato", why="told by phone") == 0
    (found,) = standings(store, states=("cancelled",))
    assert found.says == "told by phone"
    with pytest.raises(UsageError, match="there is none"):
        cancel(store, [ids[1], "0" * 32], who="Sato", why="told by phone")
    assert counts(store) == {"approved": 2, "cancelled": 1}
    assert len(lease(store, "somebody", NOW, 60, 10)) == 2
    with pytest.raises(UsageError, match="it is leased"):
        again(store, ids[1:], who="Sato", why="why not")


def test_what_is_in_hand_is_leased_to_nobody_else_until_its_time_is_over(store):
    approved(store, 5)
    first = lease(store, "one", NOW, 60, 3)
    second = lease(store, "two", NOW, 600, 3)
    assert len(first) == 3
    assert len(second) == 2
    assert lease(store, "three", NOW, 60, 3) == []
    assert take_back(store, NOW + timedelta(seconds=59)) == (0, 0)
    assert take_back(store, NOW + timedelta(seconds=60)) == (3, 0)
    assert lease(store, "three", NOW, 60, 9) == first


def test_a_paused_outbox_gives_nothing_into_anybodys_hand(store):
    approved(store, 2)
    pause(store, who="Sato", why="the page is not live yet")
    assert lease(store, "one", NOW, 60, 3) == []
    resume(store, who="Sato", why="it is live")
    assert len(lease(store, "one", NOW, 60, 3)) == 2


def test_what_somebody_changes_in_the_table_behind_our_back_is_found(store):
    sent = approved(store, 3)
    of = schema.letters
    changes = [
        of.update().values(state="accepted"), of.update().values(text="give us your password"),
        of.update().values(address="somebody@else.example"), of.update().values(attempts=7), of.delete(),
    ]  # fmt: skip
    for change in changes:
        with store._engine.connect().execution_options(writing=True) as connection:
            begun = connection.begin()
            connection.execute(change.where(of.c.id == sent[1].id))
            begun.commit()
            assert len(audit(store)) == 1
            with connection.begin():
                connection.execute(of.delete().where(of.c.id == sent[1].id))
                seq = connection.execute(of.select()).mappings().first()["seq"]
                row = {name: getattr(sent[1], name) for name in ("sha256", "person", "report", "case_id", "id")}
                content = ("address", "language", "message_id", "sender", "subject", "text")
                row |= {name: getattr(sent[1], name) for name in content}
                connection.execute(of.insert().values(**row, state="approved", attempts=0, seq=seq))
        assert audit(store) == []
