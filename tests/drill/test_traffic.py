# SPDX-License-Identifier: Apache-2.0
from collections import Counter
from datetime import datetime
from itertools import pairwise

import pytest

from hikeshi.drill import company
from hikeshi.drill.events import DAY, HOUR, SUBMISSION, Knock, Login, Mail
from hikeshi.drill.places import Days
from hikeshi.drill.traffic import Traffic

START = datetime.fromisoformat("2024-01-15T06:25:02")


def world(seed=1, staff=40, days=28):
    return Traffic(company.build(seed, staff), Days(START, days, "Asia/Tokyo"), seed)


@pytest.fixture(scope="module")
def events():
    return list(world().events())


def submitted(events):
    return [event for event in events if isinstance(event, Mail) and event.way == SUBMISSION]


def test_one_seed_makes_one_traffic(events):
    assert events == list(world().events())
    assert events != list(world(seed=2).events())


def test_events_come_in_the_order_of_time(events):
    assert all(one[0] <= other[0] for one, other in pairwise(events))


def test_people_work_by_day_and_on_weekdays(events):
    begin = Days(START, 28, "Asia/Tokyo").starts[0]
    hours = Counter((mail.time - begin) % DAY // HOUR for mail in submitted(events))
    assert sum(hours[hour] for hour in range(9, 18)) > 0.6 * sum(hours.values())
    assert hours[12] < 0.75 * hours[11]
    weekdays = Counter((mail.time - begin) // DAY % 7 for mail in submitted(events))
    assert weekdays[5] + weekdays[6] < 0.1 * sum(weekdays.values())


def test_there_are_logins_and_bots(events):
    assert sum(isinstance(event, Login) for event in events) > 500
    assert sum(isinstance(event, Knock) for event in events) > 500


def test_most_mail_goes_to_people_known():
    # ten people for a week would know nobody yet; in the second half of a month most faces are known
    seen: dict[str, set[str]] = {}
    mails = submitted(world().events())
    new = []
    for mail in mails:
        known = seen.setdefault(mail.account, set())
        new.append(any(address not in known for address in mail.recipients))
        known.update(mail.recipients)
    late = new[len(new) // 2 :]
    assert 0.05 < sum(late) / len(late) < 0.5


def test_several_recipients_and_heavy_sizes_occur(events):
    mails = submitted(events)
    assert 0.1 < sum(len(mail.recipients) > 1 for mail in mails) / len(mails) < 0.5
    sizes = sorted(mail.size for mail in mails)
    assert sizes[0] >= 900
    assert sizes[len(sizes) // 2] < 30_000
    assert sizes[-1] > 1_000_000


def test_a_place_is_a_pure_function_of_person_and_time():
    one, other = world(), world()
    person = one.company.people[3]
    for second in range(0, 86_400, 5000):
        assert one.places.client(person, 3, second) == other.places.client(person, 3, second)


def test_homes_change_within_their_net():
    scene = world(staff=60)
    for person in scene.company.people:
        homes = {scene.places.client(person, day, 4 * 3600).ip for day in range(28)}
        fixed = {ip for ip in homes if ip.startswith("198.18.")}
        assert len({ip.rpartition(".")[0] for ip in fixed}) <= 1
        if person.home == "fixed":
            assert len(fixed) <= 1


def test_addresses_are_reserved_ones(events):
    reserved = ("192.0.2.", "198.51.100.", "203.0.113.", "198.18.", "198.19.", "2001:db8:", "10.")
    for event in events:
        ip = event.ip if isinstance(event, Login) else event.client.ip
        assert ip.startswith(reserved)
