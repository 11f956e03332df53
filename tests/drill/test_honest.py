# SPDX-License-Identifier: Apache-2.0
from collections import Counter, defaultdict
from datetime import datetime

import pytest

from hikeshi.drill import company, honest
from hikeshi.drill.events import DAY, HOUR, LIST, SUBMISSION, Login, Mail
from hikeshi.drill.places import Days
from hikeshi.drill.traffic import Traffic

START = datetime.fromisoformat("2024-01-15T00:00:00")


def play(special, staff=30, days=45):
    world = Traffic(company.build(3, staff, activity=0.5), Days(START, days, "Asia/Tokyo"), 3)
    world.specials.append(special)
    return world, list(world.events())


def by_day(world, events, account):
    days = Counter()
    for event in events:
        if isinstance(event, Mail) and event.way == SUBMISSION and event.account == account:
            days[(event.time - world.days.starts[0]) // DAY] += 1
    return days


@pytest.mark.parametrize("kind", honest.SPECIALS)
def test_each_kind_is_known_by_its_name(kind):
    assert honest.SPECIALS[kind]().kind == kind


def test_bursts_are_what_was_sent():
    for name in ("newsletter", "digest", "invoices", "announcement", "cold_sales", "holiday_returner"):
        world, events = play(honest.SPECIALS[name]())
        assert world.bursts, name
        for burst in world.bursts:
            day = [date.date().isoformat() for date in world.days.dates].index(burst["day"])
            sent = by_day(world, events, burst["account"])[day]
            assert burst["messages"] <= sent <= burst["messages"] + 30, name


def test_a_newsletter_comes_once_a_month_and_may_be_bcc():
    world, events = play(honest.Newsletter(readers=500, bcc=True))
    assert by_day(world, events, f"newsletter@{world.company.domain}") == {1: 10, 31: 10}


def test_half_of_the_readers_of_an_announcement_are_new():
    world, events = play(honest.Announcement(recipients=60))
    (burst,) = world.bursts
    before: set[str] = set()
    announced = []
    for event in events:
        if isinstance(event, Mail) and event.account == burst["account"]:
            if event.subject == "announcement":
                announced.append(event.recipients[0])
            else:
                before.update(event.recipients)
    assert len(set(announced)) == 60
    assert 0.3 < sum(address not in before for address in announced) / 60 < 0.95


def test_a_traveller_works_from_hotels_and_signs_in_there():
    special = honest.Traveller(day=20, days=7)
    world, events = play(special)
    away = defaultdict(set)
    for event in events:
        day = (event[0] - world.days.starts[0]) // DAY
        if isinstance(event, Login) and event.account == special._person.email:
            away[20 <= day < 27].add(event.ip)
    assert len(away[True]) == 3
    assert not away[True] & away[False]


def test_a_shared_mailbox_is_used_from_many_places():
    world, events = play(honest.SharedMailbox())
    mails = [event for event in events if isinstance(event, Mail) and event.account.startswith("info@")]
    assert len({mail.client.ip for mail in mails}) >= 5
    assert world.extra_accounts == [f"info@{world.company.domain}"]


def test_a_list_post_comes_back_under_the_same_message_id():
    _, events = play(honest.MailingList(members=200))
    back = [event for event in events if isinstance(event, Mail) and event.way == LIST]
    posts = {
        event.message_id for event in events if isinstance(event, Mail) and event.recipients[0].startswith("list-")
    }
    assert {mail.message_id for mail in back} == posts
    assert all(len(mail.recipients) == 200 for mail in back)
    assert len(set(back[0].recipients) & set(back[-1].recipients)) == 100


def test_a_newcomer_and_a_holiday_are_silent():
    for special, quiet in ((honest.Newcomer(day=25), range(25)), (honest.HolidayReturner(), range(12, 33))):
        world, events = play(special)
        (number,) = world.away
        days = by_day(world, events, world.company.people[number].email)
        assert sum(days.values()) > 20
        assert not set(days) & set(quiet)


def test_cold_mails_go_to_ever_new_people():
    world, events = play(honest.ColdSales())
    account = world.bursts[0]["account"]
    mails = [event for event in events if isinstance(event, Mail) and event.account == account]
    cold = [mail.recipients[0] for mail in mails if 6100 <= mail.size < 6220]
    assert len(cold) == len(set(cold)) == 40 * len(world.bursts)


def test_invoices_take_two_hours_on_the_last_working_day():
    world, events = play(honest.Invoices())
    (first, *_) = world.bursts
    assert first["day"] == "2024-01-31"
    times = [
        event.time for event in events if isinstance(event, Mail) and event.subject == "Invoice" and event.size > 84_000
    ]
    begin = world.days.starts[16] + 14 * HOUR
    assert sum(begin <= time < begin + 2 * HOUR for time in times) == 150


def test_after_a_move_nobody_comes_from_the_old_office():
    world, events = play(honest.OfficeMove(day=25))
    ips = defaultdict(set)
    for event in events:
        if isinstance(event, Mail) and event.client.ip.startswith("192.0.2."):
            ips[event.time >= world.days.starts[25]].add(event.client.ip)
    assert ips[True]
    assert not ips[True] & ips[False]
