# SPDX-License-Identifier: Apache-2.0
"""The report in a real browser: nothing refused by its own policy, nothing asked of anybody, both languages there."""

import shutil
import struct
import subprocess

import pytest
from command import hikeshi

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --enable-logging=stderr --log-level=0"
).split()


@pytest.fixture(scope="module")
def report(company, tmp_path_factory):
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")
    case = tmp_path_factory.mktemp("browser") / "case"
    run = hikeshi("investigate", *company.logs, "--case", case, "--tz", company.truth["zone"])
    assert run.code == 0, run.err
    return case / "report.html"


def _browse(report, tmp_path, *arguments):
    profile = tmp_path / "profile"
    return subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={profile}", *arguments, report.as_uri()],
        capture_output=True,
        check=True,
        timeout=120,
    )


def test_the_page_keeps_its_own_policy(report, tmp_path):
    """The console says nothing of refused styles or scripts, and the account is on the page."""
    done = _browse(report, tmp_path, "--dump-dom")
    console = [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line]
    assert console == []
    assert b"Content-Security-Policy" in done.stdout
    assert "日本語".encode() in done.stdout


@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_can_be_seen(report, tmp_path, width):
    """A screenshot of the width asked for, and not an empty one: a plain page packs into almost nothing."""
    shot = tmp_path / "shot.png"
    _browse(report, tmp_path, f"--screenshot={shot}", f"--window-size={width},1600")
    data = shot.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (width, 1600)
    assert len(data) > 40_000
