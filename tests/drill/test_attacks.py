# SPDX-License-Identifier: Apache-2.0
from dataclasses import replace
from datetime import datetime

import pytest

from hikeshi.drill import company
from hikeshi.drill.attacks import ATTACKS, Takeover, attack
from hikeshi.drill.events import DAY, MINUTE, SUBMISSION, Knock, Login, Mail
from hikeshi.drill.places import Days
from hikeshi.drill.traffic import Traffic

START = datetime.fromisoformat("2024-01-15T00:00:00")


def play(kind, **changes):
    world = Traffic(company.build(4, 20), Days(START, 12, "Asia/Tokyo"), 4)
    takeover = Takeover(replace(attack(kind, **changes), day=9), 0)
    world.specials.append(takeover)
    return world, takeover, list(world.events())


def lures(events):
    return [event for event in events if isinstance(event, Mail) and event.tag == 0]


@pytest.mark.parametrize("kind", ATTACKS)
def test_an_attack_sends_exactly_its_mails(kind):
    world, takeover, events = play(kind)
    mails = lures(events)
    wanted = ATTACKS[kind]
    assert len(mails) == wanted.mails
    assert mails[0].time == world.days.moment(9, wanted.at)
    assert {mail.account for mail in mails} == set(takeover.accounts)
    recipients = [address for mail in mails for address in mail.recipients]
    assert len(recipients) == len(set(recipients)) == wanted.mails * wanted.recipients_per_mail
    assert not set(takeover.accounts) & set(recipients)
    assert abs(mails[-1].time - mails[0].time - wanted.seconds * 1_000_000) < wanted.seconds * 20_000 + MINUTE


def test_the_book_goes_in_the_order_of_the_alphabet():
    world, _, events = play("fast")
    recipients = [mail.recipients[0] for mail in lures(events)]
    assert recipients == sorted(contact.email for contact in world.company.book)[:1220]


def test_own_correspondents_go_first():
    _, takeover, events = play("own_address", mails=10)
    mails = lures(events)
    before = {
        address
        for event in events
        if isinstance(event, Mail) and event.account == takeover.accounts[0] and event.time < mails[0].time
        for address in event.recipients
    }
    assert {mail.recipients[0] for mail in mails[:5]} <= before


def test_own_address_is_where_the_owner_is():
    world, takeover, events = play("own_address")
    for mail in lures(events):
        second = (mail.time - world.days.starts[9]) // 1_000_000
        assert mail.client == world.places.client(takeover.victims[0], 9, second)
        assert mail.software == takeover.victims[0].software


def test_other_attacks_come_from_elsewhere():
    _, _, events = play("many_places")
    theirs = {mail.client.ip for mail in lures(events)}
    own = {event.client.ip for event in events if isinstance(event, Mail) and event.tag < 0}
    assert len(theirs) == 8
    assert not theirs & own


def test_split_takes_turns():
    _, _, events = play("split")
    accounts = [mail.account for mail in lures(events)]
    assert accounts[::2] == [accounts[0]] * 250
    assert accounts[1::2] == [accounts[1]] * 250


def test_the_owner_works_meanwhile():
    _, takeover, events = play("while_owner_works")
    mails = lures(events)
    own = [
        event
        for event in events
        if isinstance(event, Mail)
        and event.way == SUBMISSION
        and event.tag < 0
        and event.account == takeover.accounts[0]
    ]
    within = [mail for mail in own if mails[0].time < mail.time < mails[-1].time]
    assert len(within) >= 9
    assert sum(abs(mail.size - 14_211) <= 200 for mail in within) >= 3


def test_guesses_come_before_success():
    _, takeover, events = play("password_guessed")
    first = lures(events)[0]
    places = [
        event.client.ip if isinstance(event, Knock) else event.ip
        for event in events
        if isinstance(event, Knock | Login) and event.account == takeover.accounts[0] and event.time < first.time
    ]
    assert places.count(first.client.ip) == 40


def test_the_mailbox_is_read_before():
    _, takeover, events = play("imap_first")
    first = lures(events)[0]
    (reading,) = [event for event in events if isinstance(event, Login) and event.ip == first.client.ip]
    assert reading.account == takeover.accounts[0]
    assert DAY < first.time - reading.time < 2 * DAY
    assert reading.body_bytes > 30_000_000


def test_a_small_account_sends_three_mails():
    _, takeover, events = play("small_account")
    mails = [event for event in events if isinstance(event, Mail) and event.account == takeover.accounts[0]]
    assert sum(mail.tag < 0 for mail in mails) == 3


def test_lures_are_nearly_of_one_size_unless_varied():
    sizes = {mail.size for mail in lures(play("fast")[2])}
    assert max(sizes) - min(sizes) <= 60
    sizes = {mail.size for mail in lures(play("fast", varied_sizes=True)[2])}
    assert max(sizes) > 3 * min(sizes)


def test_an_address_may_get_the_lure_twice_and_be_typed_in_capitals():
    recipients = [mail.recipients[0] for mail in lures(play("fast", again=100, capitals=True)[2])]
    assert len(recipients) == 1220
    assert len({address.lower() for address in recipients}) == 1120
    assert any(address != address.lower() for address in recipients)
