# SPDX-License-Identifier: Apache-2.0
"""Many failures, then a success from a new place; quiet for mistyping at a known one and for bots that only fail."""

import pytest

from hikeshi.detect.detections import findings
from hikeshi.detect.weights import weigh

ACCOUNT = "kai@hinode.example"
HOME, AWAY = "192.0.2.10", "203.0.113.77"


def login(day, time, ip, account=ACCOUNT):
    return f"Mar {day:2} {time} mail dovecot: imap-login: Login: user=<{account}>, method=PLAIN, rip={ip}, lip=192.0.2.1, session=<{day}{time}>"


def failed(day, time, account=ACCOUNT, attempts=1, ip="198.51.100.3"):
    return (
        f"Mar {day:2} {time} mail dovecot: imap-login: Disconnected (auth failed, {attempts} attempts in 9 secs): "
        f"user=<{account}>, method=PLAIN, rip={ip}, lip=192.0.2.1, session=<f{day}{time}>"
    )


HISTORY = [login(day, "09:00:00", HOME) for day in range(1, 10)]


def failures(count, account=ACCOUNT, day=9):
    return [failed(day, f"10:{second // 60:02}:{second % 60:02}", account) for second in range(count)]


@pytest.fixture
def found(tmp_path, lake_of):
    def ask(lines):
        path = tmp_path / "logs" / "mail.log"
        path.parent.mkdir()
        path.write_text("".join(f"{line}\n" for line in sorted(lines)))
        lake = lake_of(path, tz="UTC")
        weigh(lake)
        lake.sql.execute("CREATE TEMP TABLE own_domains AS SELECT 'hinode.example' AS domain")
        return [one for one in findings(lake) if one.kind == "guessed-password"]

    return ask


@pytest.mark.parametrize("name", [ACCOUNT, "kai"])
def test_it_speaks_after_ten_failures(name, found):
    """Whether the guesser tried the whole address or the bare name; the reason tells how often and from where."""
    (one,) = found([*HISTORY, *failures(10, name), login(10, "08:00:00", AWAY)])
    assert (one.account, one.time.day) == (ACCOUNT, 10)
    assert one.says["en"] == f"{ACCOUNT}: 10 failed sign-ins, then a success from {AWAY}, which it had never used"
    assert "10回" in one.says["ja"]
    assert one.evidence == ((1, 20),)


def test_tries_are_counted_and_not_lines(found):
    """One line may stand for several tries."""
    (one,) = found([*HISTORY, failed(9, "10:00:00", attempts=12), login(10, "08:00:00", AWAY)])
    assert "12 failed" in one.says["en"]


@pytest.mark.parametrize(
    "lines",
    [
        [*HISTORY, *failures(9), login(10, "08:00:00", AWAY)],
        [*HISTORY, *failures(30), login(10, "08:00:00", HOME)],
        [*HISTORY, *failures(500)],
        [*HISTORY, *failures(30, day=7), login(10, "08:00:00", AWAY)],
        [*HISTORY, *failures(30, "other@hinode.example"), login(10, "08:00:00", AWAY)],
        [login(8, "09:00:00", HOME), *failures(30), login(9, "20:00:00", AWAY)],
        [*HISTORY, login(9, "09:30:00", AWAY), *failures(30)],
    ],
    ids="few known-place only-failures long-ago somebody-else young success-first".split(),
)
def test_it_stays_quiet(lines, found):
    """Too few, at home, never in, too long ago, another account, an account of a day, failures behind the success."""
    assert found(lines) == []
