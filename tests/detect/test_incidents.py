# SPDX-License-Identifier: Apache-2.0
"""Attribution is exact: on small invented companies of other seeds, the incident's mails are the attack's and no other."""

from functools import partial

import pytest

from hikeshi import model
from hikeshi.detect.incidents import incidents
from hikeshi.detect.weights import weigh
from hikeshi.drill.attacks import attack
from hikeshi.drill.honest import Digest, HolidayReturner, Newcomer, Newsletter, OfficeMove, Traveller
from hikeshi.drill.scenarios import Scenario, write

ATTACKED = [
    Scenario("fast", 24, 22, 9101, attacks=(attack("fast", day=18, mails=120),)),
    Scenario("guessed", 24, 22, 9102, attacks=(attack("password_guessed", day=18, mails=90),)),
    Scenario("many-places", 24, 22, 9103, attacks=(attack("many_places", day=18, mails=120),)),
    Scenario("bcc", 24, 22, 9104, attacks=(attack("bcc", day=18),)),
]
HONEST = [
    Scenario("travel", 24, 22, 9201, honest=(Traveller, Newcomer)),
    Scenario("bulk", 20, 22, 9202, honest=(partial(Newsletter, readers=200), Digest)),
    Scenario("moves", 20, 22, 9203, honest=(partial(OfficeMove, day=15), partial(HolidayReturner, day=4, days=10))),
]


@pytest.fixture
def found(tmp_path, lake_of):
    """Give the truth of a scenario, its lake, what is normal, and its incidents."""

    def play(scenario, only=None):
        truth = write(scenario, tmp_path / "drill")
        lake = lake_of(tmp_path / "drill" / "logs", tz=scenario.style.zone)
        norm = weigh(lake)
        h = model.threshold(1, 100_000, norm.mails_per_account_day)
        lake.sql.execute("CREATE TEMP TABLE own_domains AS SELECT unnest(?) AS domain", [truth["org_domains"]])
        return truth, lake, h, list(incidents(lake, h, only))

    return play


def message_ids(lake, incident):
    rows = lake.sql.execute(
        "SELECT message_id FROM messages WHERE list_contains(?, message_key)", [list(incident.message_keys)]
    ).fetchall()
    return sorted(row[0] for row in rows)


def covers(place, ip):
    """Say whether an address lies in a place, which is the address itself or the /64 of an IPv6 address."""
    return ip == place or ip.startswith(place.removesuffix("/64") if place.endswith("/64") else place + "?")


@pytest.mark.parametrize("scenario", ATTACKED, ids=lambda one: one.name)
def test_the_attacks_mails_and_no_other(scenario, found):
    """Message by message; the owner's own mails of those days stay the owner's; weights explain the alarm."""
    truth, lake, h, told = found(scenario)
    ((account, true),) = truth["attacks"][0]["per_account"].items()
    (one,) = [each for each in told if each.verdict == "takeover"]
    assert one.account == account
    assert message_ids(lake, one) == true["message_ids"]
    assert len(set(one.message_keys)) == len(one.message_keys) == true["messages"]
    assert [ip for ip in true["client_ips"] if not any(covers(place, ip) for place in one.places)] == []
    assert len(one.places) <= len(true["client_ips"])
    assert one.first_message_at <= one.alarmed_at <= one.last_message_at
    assert 1 <= one.messages_before_alarm <= 8
    assert one.threshold == h < one.score
    assert sum(each.nats for each in one.weights) > 0
    assert one.hands[0].kind == "new place"
    assert sum(each.nats for each in one.hands) >= 3
    assert one.mails_bound > 0


@pytest.mark.parametrize("scenario", HONEST, ids=lambda one: one.name)
def test_honest_companies_have_no_takeover(scenario, found):
    """Travel, newcomers, moves, newsletters: nobody is called an intruder."""
    truth, _, _, told = found(scenario)
    assert truth["attacks"] == []
    assert [one.account for one in told if one.verdict == "takeover"] == []


def test_one_account_is_looked_at_alone(found):
    """Only the account that is asked for, however it is spelled; a higher threshold finds no more than a lower one."""
    truth, lake, h, told = found(ATTACKED[0])
    (account,) = truth["attacks"][0]["accounts"]
    (alone,) = list(incidents(lake, h, account.upper()))
    assert alone in told
    assert list(incidents(lake, h, f"x{account}")) == []
    assert list(incidents(lake, 1e6)) == []


def test_two_takeovers_are_two_incidents(found):
    """Two accounts taken over from different places are two incidents, each with its own mails."""
    both = Scenario(
        "two", 24, 22, 9105, attacks=(attack("fast", day=18, mails=60), attack("password_guessed", day=19, mails=60))
    )
    truth, lake, _, told = found(both)
    true = {account: one for each in truth["attacks"] for account, one in each["per_account"].items()}
    assert len(true) == 2
    takeovers = {one.account: message_ids(lake, one) for one in told if one.verdict == "takeover"}
    assert takeovers == {account: one["message_ids"] for account, one in true.items()}
