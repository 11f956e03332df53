# SPDX-License-Identifier: Apache-2.0
"""A first sign-in from a network that an account which hardly moves has never been in."""

import pytest

from hikeshi.detect.detections import findings
from hikeshi.detect.weights import weigh

ACCOUNT = "kai@hinode.example"
HOME, AWAY = "192.0.2.10", "203.0.113.77"


def login(day, ip, time="09:00:00"):
    return f"Mar {day:2} {time} mail dovecot: imap-login: Login: user=<{ACCOUNT}>, method=PLAIN, rip={ip}, lip=192.0.2.1, session=<{day}{ip}>"


@pytest.fixture
def found(tmp_path, lake_of):
    def ask(lines):
        path = tmp_path / "logs" / "mail.log"
        path.parent.mkdir()
        path.write_text("".join(f"{line}\n" for line in sorted(lines)))
        lake = lake_of(path, tz="UTC")
        weigh(lake)
        lake.sql.execute("CREATE TEMP TABLE own_domains AS SELECT 'hinode.example' AS domain")
        return [one for one in findings(lake) if one.kind == "new-place"]

    return ask


STAYS = [login(day, HOME) for day in range(1, 21)]


@pytest.mark.parametrize("place", [AWAY, "2001:db8:1:2:3:4:5:6"])
def test_it_speaks_of_the_first_sign_in(place, found):
    """Once a place, at its first sign-in, whatever follows."""
    (one,) = found([*STAYS, login(18, place, "12:00:00"), login(18, place, "13:00:00"), login(19, place)])
    assert one.account == ACCOUNT
    assert (one.time.day, one.time.hour) == (18, 12)
    assert place.removesuffix(":3:4:5:6") in one.says["en"]
    assert one.evidence[0][1] == 19


@pytest.mark.parametrize(
    "lines",
    [
        STAYS,
        [*STAYS, login(18, "192.0.77.5", "12:00:00")],
        [login(1, HOME), login(2, AWAY)],
        [*STAYS[:5], login(6, AWAY)],
        [login(day, f"{100 + day}.0.2.9") for day in range(1, 29)],
    ],
    ids="no-move same-network young few-days roams".split(),
)
def test_it_stays_quiet(lines, found):
    """No new place, a neighbour of the known one, an account of two days, one of five days, one that roams."""
    assert found(lines) == []
