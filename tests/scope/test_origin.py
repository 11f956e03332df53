# SPDX-License-Identifier: Apache-2.0
"""Where the addresses came from: directories as people keep them, shares, and the order of sending."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.basics.errors import UsageError
from hikeshi.evidence.lake import opened
from hikeshi.scope.origin import _order, _origin, origins, read_directory


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "cp932", "utf-16", "utf-16-le-bom"])
def test_a_directory_in_any_encoding(encoding, tmp_path):
    """Japanese names around the addresses, as spreadsheets write them."""
    text = '氏名,メール,部署\r\n"山田, 太郎",Taro@One.example,総務\r\n花子,"<hanako@two.example>; taro@one.example",営業\r\n'
    path = tmp_path / "directory.csv"
    path.write_bytes(b"\xff\xfe" + text.encode("utf-16-le") if encoding == "utf-16-le-bom" else text.encode(encoding))
    assert read_directory(path) == ["taro@one.example", "hanako@two.example"]


def test_a_directory_in_latin_1(tmp_path):
    """What is neither UTF-8 nor Japanese is read all the same."""
    path = tmp_path / "directory.csv"
    path.write_bytes("Jürgen Groß\xff,jg@one.example\n".encode("latin-1"))
    assert read_directory(path) == ["jg@one.example"]


def test_a_directory_without_an_address(tmp_path):
    """A wrong file is said to be one, with what to do."""
    path = tmp_path / "prices.csv"
    path.write_text("name,price\nsteel@,3\n@home,4\na@b,5\n")
    with pytest.raises(UsageError, match=r"prices\.csv: no mail address in it; give a CSV"):
        read_directory(path)
    with pytest.raises(UsageError, match="No such file"):
        read_directory(tmp_path / "none.csv")
    with pytest.raises(UsageError, match="directory"):
        read_directory(tmp_path)


def test_a_directory_of_a_very_long_cell(tmp_path):
    """A cell of addresses joined by semicolons, or a stray quote, may make a cell longer than CSV readers take."""
    path = tmp_path / "directory.csv"
    path.write_text("all\n" + ";".join(f"p{number:05d}@one.example" for number in range(9000)) + "\n")
    assert len(read_directory(path)) == 9000


def test_signs_around_and_inside_addresses(tmp_path):
    """Quotes and full stops around an address are none of it; the apostrophe of a name is."""
    path = tmp_path / "directory.csv"
    path.write_text("'kai@one.example';O'Neil@one.example,mailto:a.b@one.example.\na@b@c.example\n")
    assert read_directory(path) == ["kai@one.example", "o'neil@one.example", "a.b@one.example"]


def naive(places):
    """Compute Spearman's rank correlation by its textbook formula, without ties."""
    ranks = {place: rank for rank, place in enumerate(sorted(places))}
    n = len(places)
    return 1 - 6 * sum((turn - ranks[place]) ** 2 for turn, place in enumerate(places)) / (n * (n * n - 1))


@given(st.lists(st.integers(0, 10_000), min_size=3, max_size=60, unique=True))
def test_order_is_spearmans(places):
    """For any order without ties the correlation is the textbook's, and chance shrinks with the root of n."""
    order, chance = _order(places)
    assert order == pytest.approx(naive(places), abs=6e-5)
    assert -1 <= order <= 1
    assert chance == pytest.approx(1.96 / math.sqrt(len(places) - 1), abs=6e-5)
    assert _order(places[::-1])[0] == pytest.approx(-order, abs=1.1e-4)


@pytest.mark.parametrize("places", [[], [4], [4, 9]])
def test_two_addresses_have_no_order(places):
    """Below three there is nothing to correlate."""
    assert _order(places) == (None, None)


BOOK = [f"p{number:02d}@one.example" for number in range(40)]


def test_what_a_store_says():
    """In its order, in the reverse of it, in none; the words follow the numbers, in both languages."""
    forwards = _origin("book.csv", BOOK, BOOK[:20])
    assert (forwards.entries, forwards.addresses, forwards.share, forwards.order) == (40, 20, 1.0, 1.0)
    assert "in its order" in forwards.says["en"]
    assert "100%" in forwards.says["ja"]
    backwards = _origin("book.csv", BOOK, BOOK[::-1])
    assert backwards.order == -1.0
    assert "in the reverse of its order" in backwards.says["en"]
    assert "逆順" in backwards.says["ja"]
    mixed = _origin("book.csv", BOOK, [BOOK[number * 17 % 40] for number in range(40)])
    assert abs(mixed.order) < mixed.order_by_chance
    assert "the order of sending is not its order" in mixed.says["en"]
    half = _origin("book.csv", BOOK[:2], [*BOOK[:2], "x@y.example", "z@y.example"])
    assert (half.share, half.order) == (0.5, None)
    assert half.says["en"] == "book.csv explains 50% of the addresses."
    nobody = _origin("book.csv", BOOK, [])
    assert (nobody.share, nobody.addresses) == (0.0, 0)


@pytest.fixture
def lake(tmp_path):
    """A lake in which an owner wrote to three people, one after another, and then somebody to four."""
    with opened(tmp_path, {}) as made:
        for name in ("messages", "deliveries"):
            made.sql.execute(f"DROP VIEW {name}")
        made.sql.execute("""
            CREATE TABLE sent AS SELECT key AS message_key, account, '2026-03-02'::TIMESTAMP + to_hours(hour) AS time, written AS address
            FROM (VALUES
                ('o1', 'a@x', 1, 'Old@one.example'), ('o2', 'a@x', 2, 'mid@one.example'), ('o3', 'a@x', 3, 'new@one.example'),
                ('z1', 'z@x', 3, 'stranger@two.example'), ('o9', 'a@x', 99, 'later@one.example'),
                ('m1', 'a@x', 50, 'new@one.example'), ('m2', 'a@x', 51, 'mid@one.example'), ('m3', 'a@x', 52, 'old@one.example'),
                ('m4', 'a@x', 53, 'later@one.example')) AS rows (key, account, hour, written)""")
        made.sql.execute("CREATE VIEW messages AS FROM sent")
        made.sql.execute("CREATE VIEW deliveries AS FROM sent")
        made.sql.execute("""
            CREATE TEMP TABLE incident_messages AS
            SELECT 1 AS incident, account, message_key FROM sent WHERE message_key[1] = 'm'""")
        made.sql.execute("""
            CREATE TEMP TABLE incident_recipients AS
            SELECT 1 AS incident, address, time AS turn, 0 AS record FROM sent WHERE message_key[1] = 'm'""")
        yield made


def test_the_owners_own_mail_is_a_store_the_latest_first(lake):
    """Only this account's mail before the incident; its order is the latest correspondent first."""
    (own,) = origins(lake, 1, "a@x", None)
    assert (own.store, own.entries, own.addresses) == ("earlier mail of this account", 3, 3)
    assert own.share == 0.75
    assert own.order == 1.0


def test_the_better_store_comes_first(lake):
    """A directory that explains all stands before earlier mail that explains less, and after it where it is worse."""
    book = ["later@one.example", "mid@one.example", "new@one.example", "old@one.example", "unused@one.example"]
    best, other = origins(lake, 1, "a@x", ("book.csv", book))
    assert (best.store, best.share, best.entries) == ("book.csv", 1.0, 5)
    assert other.store == "earlier mail of this account"
    first, last = origins(lake, 1, "a@x", ("poor.csv", book[:1]))
    assert (first.share, last.store, last.share) == (0.75, "poor.csv", 0.25)


def test_an_account_that_never_wrote_has_no_earlier_mail(lake):
    """A store without entries is not told."""
    assert origins(lake, 1, "nobody@x", None) == ()
