# SPDX-License-Identifier: Apache-2.0
from datetime import UTC, datetime

from hypothesis import given
from hypothesis import strategies as st

from hikeshi.drill.queue_ids import Pool, long_id, long_id_time, short_id


@given(st.integers(1_000_000_000_000_000, 3_000_000_000_000_000), st.integers(1, 2**40))
def test_a_long_id_carries_its_time(time, inode):
    queue_id = long_id(time, inode)
    assert long_id_time(queue_id) == time
    assert not set(queue_id) & set("AEIOUaeiou")


def test_the_published_long_id_is_read():
    time = datetime(2011, 3, 20, 14, 31, 48, 353025, tzinfo=UTC)
    assert long_id_time("3Pt2mN2VXxznjll") == int(time.timestamp()) * 1_000_000 + 353_025


def test_a_short_id_is_microseconds_and_inode():
    assert short_id(1_588_925_154_926_359, 0x75C) == "E229775C"


def test_a_pool_lends_nothing_twice_at_a_time():
    numbers = iter(range(10))
    pool = Pool(lambda: next(numbers))
    first, second = pool.take(0), pool.take(1)
    assert (first, second) == (0, 1)
    pool.give_back(first, 100)
    assert pool.take(50) == 2
    assert pool.take(100) == 0
