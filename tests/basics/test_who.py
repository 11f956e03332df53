# SPDX-License-Identifier: Apache-2.0
"""Who is at the keyboard."""

from hikeshi.basics import who


def test_whoever_types_is_named_through_sudo(monkeypatch):
    monkeypatch.setenv("SUDO_USER", "kai")
    assert who.whoever_types() == "kai"
    assert who.login().startswith("kai@")
    monkeypatch.delenv("SUDO_USER")
    assert who.whoever_types()
    monkeypatch.setattr("os.getuid", lambda: 4_000_000)
    assert who.whoever_types() == "uid 4000000"
