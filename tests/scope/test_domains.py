# SPDX-License-Identifier: Apache-2.0
"""Whose domains are whose."""

import pytest

from hikeshi.evidence.lake import opened
from hikeshi.evidence.tables import MESSAGES
from hikeshi.scope.domains import FREEMAIL, own_domains


@pytest.fixture
def lake(tmp_path):
    with opened(tmp_path, {}) as made:
        made.sql.execute("DROP VIEW messages")
        made.sql.execute(MESSAGES.ddl("messages"))
        yield made


def mails(lake, count, account, mail_from="", accepted=True):
    lake.sql.execute(
        "INSERT INTO messages (account, mail_from, accepted) SELECT ?, ?, ? FROM range(?)",
        [account, mail_from, accepted, count],
    )


def kept(lake):
    return sorted(row[0] for row in lake.sql.execute("FROM own_domains").fetchall())


def test_what_the_user_gives_is_taken_as_it_is_meant(lake):
    """Lower case, with or without the sign before it; the log is not asked."""
    mails(lake, 50, "a@other.example")
    assert own_domains(lake, ["@Hinode.Example", "works.example"]) == ("hinode.example", "works.example")
    assert kept(lake) == ["hinode.example", "works.example"]


def test_domains_of_accounts_are_inferred_the_commonest_first(lake):
    """One in twenty of the mails makes a domain ours; fewer do not."""
    mails(lake, 70, "a@One.example")
    mails(lake, 25, "b@two.example")
    mails(lake, 5, "c@twentieth.example")
    assert own_domains(lake, []) == ("one.example", "two.example", "twentieth.example")
    mails(lake, 1, "a@one.example")
    assert own_domains(lake, []) == ("one.example", "two.example")
    assert kept(lake) == ["one.example", "two.example"]


def test_accounts_without_a_domain_speak_by_their_sender(lake):
    """A bare login name counts with the envelope sender that it uses."""
    mails(lake, 30, "alice", "Alice@One.Example")
    mails(lake, 30, "bob@two.example", "bob@spoofed.example")
    assert own_domains(lake, []) == ("one.example", "two.example")


@pytest.mark.parametrize(
    ("account", "mail_from", "accepted"),
    [(None, "x@far.example", True), ("a@far.example", "", False), ("alice", "", True), ("alice", "alice", True)],
)
def test_who_says_nothing_about_us(account, mail_from, accepted, lake):
    """Mail of strangers, refused mail and names without a domain make no domain ours."""
    mails(lake, 90, account, mail_from, accepted)
    mails(lake, 10, "a@one.example")
    assert own_domains(lake, []) == ("one.example",)


def test_an_empty_log_has_no_domain(lake):
    """Nothing is made up."""
    assert own_domains(lake, []) == ()
    assert kept(lake) == []


def test_free_mail_is_a_table_of_lower_case_domains(lake):
    """Spelled as addresses are counted, and not an organisation's own."""
    own_domains(lake, [])
    told = {row[0] for row in lake.sql.execute("FROM freemail").fetchall()}
    assert told == FREEMAIL
    assert all(one == one.lower() and "." in one and "@" not in one for one in told)
    assert {"gmail.com", "docomo.ne.jp"} <= told
