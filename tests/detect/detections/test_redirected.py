# SPDX-License-Identifier: Apache-2.0
"""Rules that carry mail out of the house or throw it away; quiet about filing and forwarding to a colleague."""

import pytest

from hikeshi.detect.detections import findings
from hikeshi.detect.weights import weigh

ACCOUNT = "kai@hinode.example"
OUT = "redirect action: forwarded to <x9@far.example>"
DISCARD = "discard action: Marked message to be discarded if not explicitly delivered (discard action)"


@pytest.fixture
def found(tmp_path, lake_of):
    def ask(*rules):
        path = tmp_path / "logs" / "mail.log"
        path.parent.mkdir()
        path.write_text(
            "".join(
                f"Mar  2 10:00:{second:02} mail dovecot: lmtp({ACCOUNT})<9><s{second}>: sieve: msgid=<{second}@a>: {rule}\n"
                for second, rule in enumerate(rules)
            )
        )
        lake = lake_of(path, tz="UTC")
        weigh(lake)
        lake.sql.execute("CREATE TEMP TABLE own_domains AS SELECT 'hinode.example' AS domain")
        return [one for one in findings(lake) if one.kind == "mail-redirected"]

    return ask


def test_it_speaks_of_what_leaves_the_house(found):
    """One finding a rule and target, with how many mails it took and its first record."""
    (one,) = found(OUT, OUT, OUT)
    assert (one.account, one.count, one.evidence) == (ACCOUNT, 3, ((1, 1),))
    assert one.says["en"] == f"{ACCOUNT}: a rule redirects incoming mail (x9@far.example), 3 so far in this log"
    assert "転送" in one.says["ja"]


def test_it_speaks_of_what_is_thrown_away(found):
    """Discarding has no target."""
    (one,) = found(DISCARD)
    assert "discards incoming mail (-), 1 so far" in one.says["en"]
    assert "破棄" in one.says["ja"]


def test_targets_are_told_apart(found):
    """Two targets are two findings, in the order of time."""
    told = found(OUT, DISCARD, OUT.replace("x9@far", "y@else"))
    assert [one.evidence for one in told] == [((1, 1),), ((1, 2),), ((1, 3),)]


@pytest.mark.parametrize(
    "rule",
    ["redirect action: forwarded to <mai@Hinode.Example>", "fileinto action: stored mail into mailbox 'Invoices'"],
)
def test_it_stays_quiet(rule, found):
    """A colleague's address in any spelling, and a folder."""
    assert found(rule, rule) == []
