# SPDX-License-Identifier: Apache-2.0
"""`case` is one case folder, `new_case` as many as a test compares; `bench` takes single lines."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest
from stage import Bench, Case


@pytest.fixture(autouse=True)
def machine_in_utc(monkeypatch):
    """Where a test names no zone, the machine's own must not matter."""
    monkeypatch.setenv("TZ", "UTC")


@pytest.fixture
def new_case(tmp_path) -> Iterator[Callable[..., Case]]:
    made: list[Case] = []

    def make(**settings: Any) -> Case:
        made.append(Case(tmp_path / f"case{len(made)}", ExitStack(), **settings))
        return made[-1]

    yield make
    for one in made:
        one.stack.close()


@pytest.fixture
def case(new_case) -> Case:
    return new_case()


@pytest.fixture(scope="module")
def bench(tmp_path_factory) -> Iterator[Bench]:
    made = Bench(tmp_path_factory.mktemp("bench"))
    yield made
    made.lake.close()
