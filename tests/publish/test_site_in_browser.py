# SPDX-License-Identifier: Apache-2.0
"""The public page in a real browser: held against WCAG by axe-core, light and dark, wide and narrow; asks nobody for anything."""

import html
import json
import re
import shutil
import struct
import subprocess
from importlib.util import find_spec
from pathlib import Path

import pytest
from founding import released

from hikeshi.publish.bulletin.released import bulletins
from hikeshi.publish.private import private
from hikeshi.publish.site.build import build
from hikeshi.wording.facts import Facts

CHROMIUM = shutil.which("chromium")
QUIET = (
    "--headless --no-sandbox --disable-gpu --disable-quic --no-first-run --disable-background-networking "
    "--disable-component-update --disable-sync --hide-scrollbars --enable-logging=stderr --log-level=0"
).split()
WCAG = ["wcag2a", "wcag2aa", "wcag21a", "wcag21aa", "best-practice"]
DARK = "--blink-settings=preferredColorScheme=0"
PAGES = ["index.html", "index.en.html", "report-1.html", "report-1.en.html"]


@pytest.fixture
def site(store, case, tmp_path):
    if CHROMIUM is None:
        pytest.skip("needs Debian's chromium")
    released(store)
    facts = Facts.of(store)
    build(store, facts, bulletins(store), private(store, case, facts), tmp_path / "site", pdfs=False)
    return tmp_path / "site"


def browse(page, tmp_path, *arguments):
    return subprocess.run(
        [CHROMIUM, *QUIET, f"--user-data-dir={tmp_path / 'profile'}", *arguments, page.as_uri()],
        capture_output=True,
        check=True,
        timeout=120,
    )


def axe(page, tmp_path, *arguments):
    """Run axe-core over a page, whose policy would refuse it, and give what it says."""
    source = Path(find_spec("axe_core_python").origin).with_name("axe.min.js").read_text("utf-8")
    text = re.sub(r'<meta http-equiv="Content-Security-Policy"[^>]*>', "", page.read_text("utf-8"))
    run = (
        f"axe.run(document, {{runOnly: {json.dumps(WCAG)}}}).then(found => {{"
        "const out = document.createElement('pre'); out.id = 'axe';"
        "out.textContent = JSON.stringify({violations: found.violations, passes: found.passes.map(one => one.id)});"
        "document.body.append(out)})"
    )
    probe = tmp_path / page.name
    probe.write_text(text.replace("</body>", f"<script>{source}</script><script>{run}</script></body>"), "utf-8")
    done = browse(probe, tmp_path, "--dump-dom", "--virtual-time-budget=20000", *arguments)
    (found,) = re.findall(r'<pre id="axe">(.*?)</pre>', done.stdout.decode("utf-8"), re.DOTALL)
    return json.loads(html.unescape(found))


@pytest.mark.parametrize("page", PAGES)
@pytest.mark.parametrize("look", [("--window-size=1280,1600",), ("--window-size=500,1600", DARK)], ids=["wide", "dark"])
def test_axe_finds_nothing_against_wcag(site, tmp_path, page, look):
    found = axe(site / page, tmp_path, *look)
    assert [(one["id"], [node["html"] for node in one["nodes"]]) for one in found["violations"]] == []
    assert {"color-contrast", "document-title", "html-has-lang", "heading-order", "link-name"} <= {*found["passes"]}


def test_axe_would_find_something(site, tmp_path):
    """The check itself can fail: grey on white, and a page without its language."""
    page = site / "index.html"
    spoilt = page.read_text("utf-8").replace('<html lang="ja">', "<html>").replace("--soft:#575d67", "--soft:#c9c9c9")
    page.write_text(spoilt, "utf-8")
    assert {"html-has-lang", "color-contrast"} <= {one["id"] for one in axe(page, tmp_path)["violations"]}


@pytest.mark.parametrize("page", PAGES)
def test_the_page_keeps_its_own_policy_and_asks_nobody(site, tmp_path, page):
    done = browse(site / page, tmp_path, "--dump-dom")
    assert [line for line in done.stderr.decode("utf-8", "replace").splitlines() if "CONSOLE" in line] == []
    text = done.stdout.decode("utf-8")
    assert "default-src 'none'" in text
    assert not re.search(r"<(?:script|img|iframe|form|object|embed|link rel=\"stylesheet)", text)
    assert not re.findall(r'(?:href|src)="(?:https?:)?//', text)


@pytest.mark.parametrize("width", [1280, 500])
def test_the_page_can_be_seen_and_is_not_wider_than_the_window(site, tmp_path, width):
    shot = tmp_path / "shot.png"
    browse(site / "index.html", tmp_path, f"--screenshot={shot}", f"--window-size={width},1600")
    data = shot.read_bytes()
    assert struct.unpack(">II", data[16:24]) == (width, 1600)
    assert len(data) > 40_000
