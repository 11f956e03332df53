# SPDX-License-Identifier: Apache-2.0
"""The admin page holds what the program does: its sample files are read by our own reader."""

import re
from pathlib import Path

import pytest

from hikeshi.contain.configuration import read_configuration

PAGE = Path(__file__).parents[2] / "docs" / "contain.md"
SAMPLES = re.findall(r"```toml\n(.*?)```", PAGE.read_text("utf-8"), re.DOTALL)


@pytest.mark.parametrize("sample", SAMPLES)
def test_a_sample_of_the_page_is_a_connectors_file(sample, tmp_path):
    """Every key is known, nothing that a connector must have is missing, and no secret stands in it."""
    file = tmp_path / "connectors.toml"
    file.write_text(sample, "utf-8")
    configuration = read_configuration(file)
    assert set(configuration.tables) <= {"dovecot", "postfix", "ldap", "m365", "google"}


def test_the_page_has_a_sample_for_every_connector():
    assert all(f"[{name}]" in "".join(SAMPLES) for name in "dovecot postfix ldap m365 google limits".split())
