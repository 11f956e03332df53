# SPDX-License-Identifier: Apache-2.0
"""Every law of the store is asked of both databases."""

import pytest
from databases import File, Server, Shared


@pytest.fixture(scope="session")
def postgresql():
    server = Server()
    yield server
    server.stop()


@pytest.fixture(params=["sqlite", "postgresql"])
def kept(request, tmp_path):
    """Give a new case and where it is kept."""
    if request.param == "sqlite":
        return File(tmp_path / "case")
    return Shared(tmp_path / "case", request.getfixturevalue("postgresql"))
