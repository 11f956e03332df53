# SPDX-License-Identifier: Apache-2.0
"""A running mail host for the tests, and scenes on it."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from pathlib import Path

import pytest
from scenes import FORWARDS, HOLD_EVE, LOCAL_LISTS, Scene, running
from servers import MailServer, missing

_reason = missing()


def pytest_collection_modifyitems(items):
    """Skip what needs real servers where there are none; CI lets no skip pass."""
    here = Path(__file__).parent
    if _reason:
        for item in items:
            if item.path.is_relative_to(here):
                item.add_marker(pytest.mark.skip(reason=_reason))


@pytest.fixture(scope="session")
def mail() -> Iterator[MailServer]:
    """The host that most tests share."""
    with running(forwards=FORWARDS, lists=LOCAL_LISTS, submission=HOLD_EVE) as server:
        yield server


@pytest.fixture
def scene_of(tmp_path) -> Iterator[Callable[[MailServer], Scene]]:
    """Begin a scene on any host."""
    with ExitStack() as stack:
        yield lambda server: Scene(server, tmp_path, stack)


@pytest.fixture
def scene(mail, scene_of) -> Iterator[Scene]:
    """Begin a scene on the shared host; what it leaves in the queue is thrown away."""
    yield scene_of(mail)
    mail.outside.answers.clear()
    for account in mail.accounts:
        mail.sieve(account, "")
    mail.empty()
