# SPDX-License-Identifier: Apache-2.0
"""A log is followed through every kind of rotation and every restart: each line once, in the order it was written."""

import gzip
import os
import shutil

from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hikeshi.guard.logs import follow
from hikeshi.guard.logs.follow import FileLog


def _all(log) -> list[bytes]:
    found = []
    while chunk := log.read():
        found.append(chunk.block.data)
    return b"".join(found).splitlines(keepends=True)


class Site:
    """A writer with its log, and a follower that may die at any moment; what it gave is in `seen`."""

    def __init__(self, folder):
        self.path = folder / "mail.log"
        self.file = self.path.open("ab", buffering=0)
        self.seen, self.written, self.number = [], [], 0
        self.log = FileLog(self.path)
        self.kept = self.log.position()
        self.stored = 0
        self.first = True

    def line(self, length):
        self.number += 1
        return f"Nov 24 12:00:00 mx postfix/qmgr[1]: line {self.number} {'x' * length}\n".encode()

    def append(self, lengths):
        for length in lengths:
            line = self.line(length)
            self.written.append(line)
            self.file.write(line)

    def half(self, length):
        """Write a line in two parts and let the follower look in between."""
        line = self.line(length)
        self.written.append(line)
        self.file.write(line[: len(line) // 2])
        self.follow()
        self.file.write(line[len(line) // 2 :])

    def _shift(self):
        for number in range(8, 0, -1):
            for ending in ("", ".gz"):
                old = self.path.with_name(f"mail.log.{number}{ending}")
                if old.exists():
                    old.rename(self.path.with_name(f"mail.log.{number + 1}{ending}"))
        self._pack()

    def _pack(self):
        """Compress later, when the follower has been there."""
        for number in range(5, 10):
            old = self.path.with_name(f"mail.log.{number}")
            if old.exists():
                with gzip.open(f"{old}.gz", "wb") as packed:
                    packed.write(old.read_bytes())
                old.unlink()

    def renamed(self, late):
        """Rename and create; the writer goes on in the old file until it is told."""
        self._shift()
        if self.path.exists():
            self.path.rename(self.path.with_name("mail.log.1"))
        fresh = self.path.open("ab", buffering=0)
        self.append(late)
        self.follow(few=1)
        self.append(late)
        self.file.close()
        self.file = fresh

    def missing(self, late):
        """Rename, and nothing in its place for a while."""
        self._shift()
        self.path.rename(self.path.with_name("mail.log.1"))
        self.follow()
        self.append(late)
        self.file.close()
        self.file = self.path.open("ab", buffering=0)

    def copied(self):
        self._shift()
        shutil.copy(self.path, self.path.with_name("mail.log.1"))
        os.truncate(self.path, 0)

    def follow(self, few=100):
        while few and (chunk := self.log.read()):
            self.seen.append(chunk.block)
            few -= 1

    def keep(self):
        self.kept, self.stored = self.log.position(), len(self.seen)

    def crash(self):
        """Lose what was read since the position was last kept, and begin again there."""
        self.log.close()
        del self.seen[self.stored :]
        self.log = FileLog(self.path, self.kept)

    def close(self):
        self.log.close()
        self.file.close()


_LENGTHS = st.lists(st.integers(0, 120), max_size=8)
_STEPS = st.lists(
    st.one_of(
        st.tuples(st.just("append"), _LENGTHS),
        st.tuples(st.just("half"), st.integers(0, 400)),
        st.tuples(st.just("renamed"), _LENGTHS),
        st.tuples(st.just("missing"), _LENGTHS),
        st.tuples(st.just("copied")),
        st.tuples(st.just("follow"), st.integers(1, 3)),
        st.tuples(st.just("keep")),
        st.tuples(st.just("crash")),
    ),
    max_size=25,
)


@settings(max_examples=400, deadline=None, suppress_health_check=list(HealthCheck))
@given(steps=_STEPS, most=st.sampled_from([200, 1000, follow.MOST]))
def test_every_line_comes_once_and_in_order_whatever_is_rotated_and_whenever_it_is_begun_again(
    steps, most, tmp_path_factory
):
    folder = tmp_path_factory.mktemp("site")
    before, follow.MOST = follow.MOST, most
    site = Site(folder)
    rotations = 0
    try:
        for name, *how in steps:
            if name in ("renamed", "missing", "copied"):
                # packed at the fifth rotation: by then the follower has been there and kept it
                rotations += 1
                if rotations % 2 == 0:
                    site.append([1])
                    site.follow()
                    site.keep()
            getattr(site, name)(*how)
        site.follow()
        assert b"".join(block.data for block in site.seen) == b"".join(site.written)
        assert site.log.lost == []
        records = 1
        for block in site.seen:
            assert block.first == records
            records += 0 if block.overlong and not block.data.endswith(b"\n") else block.data.count(b"\n")
        assert site.log.position()["record"] == len(site.written)
    finally:
        follow.MOST = before
        site.close()
        shutil.rmtree(folder)
