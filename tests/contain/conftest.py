# SPDX-License-Identifier: Apache-2.0
"""Fixtures of the engine's tests: a case on disk, and a patience whose clock stands still."""

import shutil
from pathlib import Path

import pytest
from farside import Clock

from hikeshi.cases.store import open_store
from hikeshi.contain.patience import Patience


@pytest.fixture(scope="session")
def empty(tmp_path_factory):
    """Give a case folder with a store and nothing in it: making the schema takes longer than a test."""
    folder = tmp_path_factory.mktemp("empty") / "case"
    with open_store(folder):
        return folder


@pytest.fixture
def case(tmp_path, empty):
    return Path(shutil.copytree(empty, tmp_path / "case"))


@pytest.fixture
def store(case):
    with open_store(case) as store:
        yield store


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def patience(clock):
    """Waits up to a minute a step, ten minutes a run, without sleeping; no chance in it."""
    return lambda step=60.0, run=600.0: Patience(step, run, clock=clock, sleep=clock.sleep, jitter=lambda: 0.5)
