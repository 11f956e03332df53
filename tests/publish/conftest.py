# SPDX-License-Identifier: Apache-2.0
"""A case with a store, and the rules."""

from datetime import datetime, timedelta, timezone

import pytest

from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import correct
from hikeshi.publish.clocks.clock import clocks
from hikeshi.publish.clocks.rulebook import rulebook

JST = timezone(timedelta(hours=9))


@pytest.fixture(scope="session")
def book():
    return rulebook()


@pytest.fixture
def case(tmp_path):
    folder = tmp_path / "case"
    folder.mkdir(mode=0o700)
    return folder


@pytest.fixture
def store(case):
    with open_store(case) as store:
        yield store


@pytest.fixture
def knew(store):
    """Enter when something was known: knew("reported", time)."""

    def enter(what, time):
        correct(store, f"clock/start/{what}", time, who="Rin", why="telephone note")

    return enter


@pytest.fixture
def told(store, book):
    """Give the clocks by the id of their rules: told(now, …)."""

    def tell(now="2026-03-03T09:00:00+09:00", zone=JST, **more):
        found = clocks(store, book, now=datetime.fromisoformat(now), zone=zone, **more)
        return {one.rule.id: one for one in found.clocks}

    return tell
