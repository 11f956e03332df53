# SPDX-License-Identifier: Apache-2.0
"""A mailbox that is read in bulk within two days of the first use of a new network."""

import pytest

from hikeshi.detect.detections import findings
from hikeshi.detect.weights import weigh

ACCOUNT = "kai@hinode.example"
HOME, AWAY = "192.0.2.10", "203.0.113.77"


def session(day, ip, items=1, octets=9000, time="09:00"):
    key = f"s{day}{ip}{time}"
    return [
        f"Mar {day:2} {time}:00 mail dovecot: imap-login: Login: user=<{ACCOUNT}>, method=PLAIN, rip={ip}, lip=192.0.2.1, session=<{key}>",
        f"Mar {day:2} {time}:30 mail dovecot: imap({ACCOUNT})<9><{key}>: Logged out in=900 out={octets} deleted=0 expunged=0 "
        f"trashed=0 hdr_count={items} hdr_bytes=400 body_count={items} body_bytes={octets}",
    ]


@pytest.fixture
def found(tmp_path, lake_of):
    def ask(*sessions):
        path = tmp_path / "logs" / "mail.log"
        path.parent.mkdir()
        path.write_text("".join(f"{line}\n" for one in sessions for line in one))
        lake = lake_of(path, tz="UTC")
        weigh(lake)
        lake.sql.execute("CREATE TEMP TABLE own_domains AS SELECT 'hinode.example' AS domain")
        return [one for one in findings(lake) if one.kind == "bulk-read"]

    return ask


HISTORY = [session(day, HOME, items=200, octets=90_000_000) for day in range(1, 10)]


@pytest.mark.parametrize(
    "sessions",
    [
        [session(10, AWAY, items=50)],
        [session(10, AWAY, octets=5_000_000)],
        [session(10, AWAY, items=30), session(11, AWAY, items=20)],
    ],
    ids="items bytes together".split(),
)
def test_it_speaks(sessions, found):
    """Many mails, many bytes, or the sum of two visits; the reason leads to the first of them."""
    (one,) = found(*HISTORY, *sessions)
    assert (one.account, one.time.day) == (ACCOUNT, 10)
    assert AWAY in one.says["en"]
    assert one.evidence == ((1, 20),)


def test_it_says_how_much(found):
    """Mails and megabytes, in both languages."""
    (one,) = found(*HISTORY, session(10, AWAY, items=321, octets=12_340_000))
    assert "321 mails (12.3 MB)" in one.says["en"]
    assert "321通（12.3 MB）" in one.says["ja"]


@pytest.mark.parametrize(
    "sessions",
    [
        [session(10, AWAY, items=49, octets=4_999_999)],
        [session(10, "192.0.77.5", items=900)],
        [session(10, HOME, items=900, time="12:00")],
        [session(10, AWAY), session(13, AWAY, items=900)],
    ],
    ids="little same-network known-place later".split(),
)
def test_it_stays_quiet(sessions, found):
    """Too little, a neighbouring address, the usual place, and a place that has been in use for days."""
    assert found(*HISTORY, *sessions) == []


def test_it_stays_quiet_in_an_accounts_first_days(found):
    """At first every place is new."""
    assert found(session(1, HOME, items=900), session(2, AWAY, items=900)) == []
