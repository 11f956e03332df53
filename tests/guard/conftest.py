# SPDX-License-Identifier: Apache-2.0
"""A lake of any folder of logs, gone when the test ends."""

from contextlib import ExitStack

import pytest

from hikeshi.evidence import lake as lakes
from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.seal import Manifest


@pytest.fixture
def lake_of(tmp_path):
    with ExitStack() as stack:

        def make(logs, tz="Asia/Tokyo"):
            lake = stack.enter_context(lakes.opened(tmp_path / "case" / "evidence", {}))
            collect(lake, Manifest(), [str(logs)], Reading(tz=tz), tmp_path / "case" / "set-aside", lambda _: None)
            return lake

        yield make
