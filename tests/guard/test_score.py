# SPDX-License-Identifier: Apache-2.0
"""Law 3: what the guard says of a mail as it comes is what the finished log says of it, weight for weight."""

from dataclasses import replace
from functools import partial
from operator import attrgetter

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi import model
from hikeshi.detect.weights import weigh
from hikeshi.drill import scenarios
from hikeshi.drill.attacks import ATTACKS, attack
from hikeshi.drill.honest import SPECIALS, Announcement, Machines, MailingList, Newsletter, Traveller
from hikeshi.drill.scenarios import Scenario
from hikeshi.drill.style import LogStyle
from hikeshi.evidence.lake import opened
from hikeshi.guard.mail import Mail
from hikeshi.guard.weighing import memory
from hikeshi.guard.weighing.account import Account, AccountError
from hikeshi.guard.weighing.learn import events
from hikeshi.guard.weighing.score import bounced, place_of, signed_in, submitted, unlearn

_COLUMNS = {
    "new place": "place_weight",
    "new recipients": "recipients_weight",
    "nobody twice": "return_weight",
    "same content": "content_weight",
    "pace": "pace_weight",
    "many recipients": "many_weight",
    "bounces": "bounce_weight",
}

_DAY = 86400
_BEGIN = 1_700_000_000.0
_NOBODY = model.organisation({})
_MAIL = Mail(
    account="owner@example.test",
    time=_BEGIN,
    place="192.0.2.1",
    client_ip="192.0.2.1",
    session="mx/1/2",
    sender="owner@example.test",
    recipients=("friend@example.org",),
    size=5000,
)

_SCENARIOS = [
    Scenario(kind, 12, 12, seed, honest=(Traveller,), attacks=(attack(kind, day=9),))
    for seed, kind in enumerate(ATTACKS)
] + [
    Scenario("honest", 10, 10, 77, honest=(Newsletter, partial(Announcement, day=6))),
    Scenario("subjects", 10, 10, 78, attacks=(attack("fast", day=8),), style=LogStyle(stamps="iso", subjects=True)),
    Scenario("machines", 8, 12, 79, honest=(Machines, MailingList, SPECIALS["shared_mailbox"])),
]


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda one: f"{one.name}-{one.seed}")
def test_the_port_and_the_finished_log_say_the_same(scenario, lake_of, tmp_path):
    """Every weight of every mail, both scores, and what all accounts together teach the organisation."""
    scenarios.write(scenario, tmp_path / "drill")
    lake = lake_of(tmp_path / "drill" / "logs")
    norm = weigh(lake)
    accounts, told = lived(lake, norm.organisation)
    result = lake.sql.execute("SELECT * FROM scored JOIN sent USING (account, number) ORDER BY account, number")
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    assert [row["account"] for row in rows] == [account for account, _ in told]
    assert len(rows) == norm.mails > 300
    for row, (_, scored) in zip(rows, told, strict=True):
        weights = {weight.name: weight.nats for weight in scored.weights}
        assert weights == {name: pytest.approx(row[column], abs=1e-9) for name, column in _COLUMNS.items()}
        assert scored.account_score == pytest.approx(row["account_score"], abs=1e-6)
        assert scored.stream_score == pytest.approx(row["stream_score"], abs=1e-6)
    assert rates(model.organisation(sums(accounts))) == pytest.approx(rates(norm.organisation), abs=1e-9)


def lived(lake, organisation):
    """Feed the events of a lake one at a time, all accounts together in the order of time."""
    accounts, known, told = {}, {}, []
    for event in sorted(events(lake), key=attrgetter("time")):
        account = accounts.setdefault(event.account, Account())
        scored = event.tell(account, known.setdefault(event.account, {}), organisation)
        if scored is not None:
            told.append((event.account, scored))
    return accounts, sorted(told, key=lambda pair: pair[0])


def sums(accounts):
    total = {}
    for account in accounts.values():
        for name, (times, chances) in account.taught.items():
            before = total.get(name, (0.0, 0.0))
            total[name] = (before[0] + times, before[1] + chances)
    return total


def rates(organisation):
    return {name: getattr(organisation, name).mean for name in model.BEFORE}


places = st.sampled_from(["192.0.2.1", "192.0.2.9", "198.51.100.7", "2001:db8:1:2:/64", "", "unknown"])
people = st.lists(st.sampled_from([f"p{number}@example.org" for number in range(30)]), max_size=25, unique=True)
times = st.one_of(st.floats(0, 3e9), st.floats(_BEGIN, _BEGIN + 3 * _DAY), st.sampled_from([-1e12, 0.0, 1e12]))
mails = st.builds(
    lambda **changes: replace(_MAIL, **changes),
    time=times,
    place=places,
    recipients=people.map(tuple),
    size=st.none() | st.integers(0, 2**40),
    subject=st.none() | st.text(max_size=3),
    fingerprint=st.none() | st.sampled_from(["a", "b"]),
)
happenings = st.lists(st.one_of(mails, st.tuples(times, places), times), max_size=60)


def live(account, happening, known):
    if isinstance(happening, Mail):
        return submitted(account, happening, known, _NOBODY)
    if isinstance(happening, tuple):
        return signed_in(account, *happening)
    return bounced(account, happening)


@given(happenings, st.integers(0, 60))
def test_bytes_keep_all_of_an_account_at_any_moment(story, cut):
    """Whatever happens, clocks that jump by years included: who is stored and read in the middle ends as who is not."""
    straight, stored = Account(), Account()
    known, known_stored = {}, {}
    for number, happening in enumerate(story):
        live(straight, happening, known)
        live(stored, happening, known_stored)
        if number == cut:
            stored = Account.from_bytes(stored.to_bytes())
    assert stored == straight
    assert known_stored == known
    assert Account.from_bytes(straight.to_bytes()) == straight


@given(happenings, mails)
def test_what_is_taken_back_was_never_taught(story, mail):
    """Rates, history, and whom the account has written to: all as if the mail had not been."""
    account, twin, known = Account(), Account(), {}
    for happening in story:
        live(account, happening, known)
    # an event without a mail, so that both have aged alike
    mail = replace(mail, time=max(mail.time, account.last / 1e6))
    twin = Account.from_bytes(account.to_bytes())
    before = dict(known)
    signed_in(twin, mail.time, mail.place)
    unlearn(account, submitted(account, mail, known, _NOBODY))
    assert known == before
    for one, other in ((account, account.taught), (twin, twin.taught)):
        other.pop("bounce", None)  # how many were written to is no rate of their own
        assert other == {name: pytest.approx(pair) for name, pair in one.taught.items() if name != "bounce"}
    assert account.taught.keys() - {"bounce"} == twin.taught.keys() - {"bounce"}
    ripe = account.last * 1000 + account.number - memory.MOMENTS
    assert account.pending == [counted for counted in twin.pending if counted[0] > ripe]


@given(happenings)
def test_what_an_account_teaches_is_a_share_of_bounded_weight(story):
    account, known = Account(), {}
    for happening in story:
        live(account, happening, known)
    for name, (happened, chances) in account.taught.items():
        assert name in model.BEFORE
        if name != "bounce":
            assert -1e-9 <= happened <= chances + 1e-9
            assert chances <= 50


def test_an_account_that_sends_ten_thousand_mails_a_day_stays_small():
    """From everywhere, to everybody, never twice the same: below 64 KiB, and it does not grow from day to day."""
    account, known, sizes = Account(), {}, []
    for number in range(40_000):
        mail = replace(
            _MAIL,
            time=_BEGIN + number * 8.64,
            place=f"{number % 199}.{number % 211}.0.1",
            recipients=(f"{number}@example.org",),
            size=100 + number * 7,
            subject=f"Mail {number}",
            fingerprint=f"{number:032x}",
        )
        submitted(account, mail, known, _NOBODY)
        known.clear()
        if number % 100 == 99:
            sizes.append(len(account.to_bytes()))
    assert max(sizes) < 64 * 1024
    assert max(sizes[300:]) < 1.02 * max(sizes[200:300])


def test_the_places_that_are_forgotten_are_not_the_owners():
    """An intruder with a thousand addresses does not make the owner's desk new."""
    account, known = Account(), {}
    for day in range(20):
        submitted(account, replace(_MAIL, time=_BEGIN + day * _DAY), known, _NOBODY)
    for number in range(1000):
        place = f"203.0.{number // 250}.{number % 250}"
        submitted(account, replace(_MAIL, time=_BEGIN + 20 * _DAY + number, place=place), known, _NOBODY)
    assert len(account.places) <= memory.PLACES
    assert "192.0.2.1" in account.places


def test_history_by_the_hour_says_the_same_a_little_later(monkeypatch):
    """Beyond the cap a day is kept by the hour: nothing is lost, and nothing is known before it is a day old."""
    exact, coarse = Account(), Account()
    for number in range(1400):
        mail = replace(_MAIL, time=_BEGIN + number * 40, recipients=(f"{number}@example.org",), size=1000 + 50 * number)
        submitted(exact, mail, {}, _NOBODY)
        with monkeypatch.context() as patch:
            patch.setattr(memory, "PENDING", 64)
            submitted(coarse, mail, {}, _NOBODY)
    assert len(coarse.pending) <= 64 < len(exact.pending)
    for late in (_BEGIN + 90_000, _BEGIN + 200_000):
        for account in (exact, coarse):
            submitted(account, replace(_MAIL, time=late), {}, _NOBODY)
        assert all(few <= many for few, many in zip(coarse.past, exact.past, strict=True))
    assert coarse.past == pytest.approx(exact.past)


def test_a_clock_that_was_years_ahead_is_forgiven():
    """A day after it was set right, an account is judged by its own history again and its desk is not new."""
    account, known = Account(), {}
    for day in range(30):
        submitted(account, replace(_MAIL, time=_BEGIN + day * _DAY), known, _NOBODY)
    ahead = _BEGIN + 3000 * _DAY
    submitted(account, replace(_MAIL, time=ahead), known, _NOBODY)
    for hour in range(48):
        scored = submitted(account, replace(_MAIL, time=_BEGIN + 30 * _DAY + hour * 3600), known, _NOBODY)
    assert account.last == round((_BEGIN + 30 * _DAY + 47 * 3600) * 1e6)
    weights = {weight.name: weight.nats for weight in scored.weights}
    assert weights["new place"] <= 0
    assert weights["pace"] == 0
    assert account.past[memory.KNOWN] == 1


def test_a_clock_that_steps_back_a_little_stands_still():
    account, known = Account(), {}
    submitted(account, _MAIL, known, _NOBODY)
    submitted(account, replace(_MAIL, time=_BEGIN - 600), known, _NOBODY)
    assert account.last == round(_BEGIN * 1e6)


@pytest.mark.parametrize(
    ("one", "other", "alike"),
    [
        ({"size": 10_000}, {"size": 10_050}, True),
        ({"size": 10_000}, {"size": 12_000}, False),
        ({"subject": "Hello"}, {"subject": "Hello", "size": 90_000}, True),
        ({"subject": "Hello"}, {"subject": "Goodbye"}, False),
        ({"subject": "Hello", "fingerprint": "a"}, {"subject": "Goodbye", "fingerprint": "a"}, True),
        ({"subject": "Hello", "fingerprint": "a"}, {"subject": "Hello", "fingerprint": "b"}, True),
        ({"fingerprint": "a"}, {"fingerprint": "b", "size": 90_000}, False),
        ({"fingerprint": "a"}, {"fingerprint": "a", "size": None}, True),
        ({"size": None}, {"size": None}, False),
    ],
)
def test_two_mails_are_alike_by_subject_or_body_and_by_size_only_without_a_subject(one, other, alike):
    """Two of them before it make a third one that repeats."""
    account, known = Account(), {}
    for number, changes in enumerate((one, one, other)):
        submitted(account, replace(_MAIL, time=_BEGIN + number * 60, **changes), known, _NOBODY)
    assert account.places["192.0.2.1"].stream.repeats is alike


@given(st.ip_addresses().map(str) | st.sampled_from(["unknown", "::ffff:192.0.2.1", "::1", "2001:db8::7"]))
def test_a_place_is_what_the_table_calls_it(lake_of_nothing, ip):
    (told,) = lake_of_nothing.one(
        "SELECT if(contains($1, ':') AND NOT contains($1, '.'), "
        "regexp_extract($1, '^((?:[0-9A-Fa-f]*:){1,4})', 1) || '/64', $1)",
        [ip],
    )
    assert place_of(ip) == told


@pytest.fixture(scope="module")
def lake_of_nothing(tmp_path_factory):
    with opened(tmp_path_factory.mktemp("nothing") / "evidence", {}) as lake:
        yield lake


def test_bytes_of_another_version_or_damaged_ones_are_refused_in_words():
    data = Account().to_bytes()
    with pytest.raises(AccountError, match="version 77, where this hikeshi reads version 1"):
        Account.from_bytes(bytes((77,)) + data[1:])
    with pytest.raises(AccountError, match="nothing"):
        Account.from_bytes(b"")
    for broken in (data[:5], data[:1] + msgspec.msgpack.encode(["x"] * 30), data[:1] + b"\xc1"):
        with pytest.raises(AccountError, match="damaged"):
            Account.from_bytes(broken)
