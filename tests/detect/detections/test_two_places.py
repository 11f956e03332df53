# SPDX-License-Identifier: Apache-2.0
"""Mail from a new network while the account goes on sending from the one that is known."""

import pytest

from hikeshi.detect.detections import findings
from hikeshi.detect.weights import weigh

ACCOUNT = "kai@hinode.example"
HOME, AWAY = "192.0.2.10", "203.0.113.77"


def sent(day, time, ip):
    queue_id = f"A{day:02}{time.replace(':', '')}{int(ip == AWAY)}"
    tag = f"Mar {day:2} {time} mail postfix"
    return [
        f"{tag}/submission/smtpd[9]: {queue_id}: client=unknown[{ip}], sasl_method=PLAIN, sasl_username={ACCOUNT}",
        f"{tag}/qmgr[8]: {queue_id}: from=<{ACCOUNT}>, size=4000, nrcpt=1 (queue active)",
        f"{tag}/smtp[7]: {queue_id}: to=<b@far.example>, relay=x[198.51.100.1]:25, delay=1, delays=1/0/0/0, dsn=2.0.0, status=sent (ok)",
        f"{tag}/qmgr[8]: {queue_id}: removed",
    ]


@pytest.fixture
def found(tmp_path, lake_of):
    def ask(mails):
        path = tmp_path / "logs" / "mail.log"
        path.parent.mkdir()
        path.write_text("".join(f"{line}\n" for one in mails for line in sent(*one)))
        lake = lake_of(path, tz="UTC")
        weigh(lake)
        lake.sql.execute("CREATE TEMP TABLE own_domains AS SELECT 'hinode.example' AS domain")
        return [one for one in findings(lake) if one.kind == "two-places-at-once"]

    return ask


HISTORY = [(day, "09:00:00", HOME) for day in range(1, 10)]


def test_it_speaks_once_a_place(found):
    """The first mail from away within the hour of one from home; both places are named."""
    mails = [(10, "09:00:00", HOME), (10, "09:20:00", AWAY), (10, "09:30:00", AWAY), (10, "09:40:00", HOME)]
    (one,) = found([*HISTORY, *mails])
    assert (one.account, one.time.hour, one.time.minute) == (ACCOUNT, 9, 20)
    assert one.says["en"].endswith(f"sent from {AWAY}, new to it, while it went on sending from {HOME}")
    assert one.evidence == ((1, 41),)


@pytest.mark.parametrize(
    "mails",
    [
        [(10, "09:00:00", HOME), (10, "10:00:01", AWAY), (10, "11:00:02", HOME)],
        [(10, "09:00:00", HOME), (10, "09:10:00", "192.0.77.3"), (10, "09:20:00", HOME)],
        [(10, "09:10:00", AWAY), (10, "09:20:00", AWAY)],
    ],
    ids="an-hour-apart same-network only-away".split(),
)
def test_it_stays_quiet(mails, found):
    """A journey of an hour, a neighbouring address, and one who is simply elsewhere."""
    assert found([*HISTORY, *mails]) == []


def test_it_stays_quiet_about_the_known_second_place(found):
    """Office and home take turns for long: nothing is new the second time."""
    mails = [(day, time, ip) for day in range(3, 12) for time, ip in (("12:00:00", HOME), ("12:10:00", AWAY))]
    told = found([*HISTORY[:2], *mails])
    assert [one.time.day for one in told] == [3]
