# SPDX-License-Identifier: Apache-2.0
"""What the log itself proves of its clock, and reading a log while it grows."""

import gzip
import tempfile
from datetime import timedelta
from pathlib import Path

import pytest
from scenes import ALICE, BOB, ZONE, last_stamp, letter, running, shifted

from hikeshi.evidence import seal
from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.lake import opened
from hikeshi.evidence.seal import Manifest


@pytest.fixture(scope="module")
def long_ids():
    with running(main={"enable_long_queue_ids": "yes"}, zone="America/St_Johns") as server:
        yield server


def test_long_queue_ids_tell_year_and_zone(long_ids, scene_of, monkeypatch):
    monkeypatch.setenv("TZ", "UTC")
    scene = scene_of(long_ids)
    with long_ids.session(ALICE) as smtp:
        receipt = smtp.hand_in(ALICE, [BOB, "friend@partner.example"], letter("long"))
    evidence = scene.read(tz=None)
    found = evidence.message("long")
    assert found["queue_id"] == receipt.queue_id
    assert len(found["queue_id"]) > 12
    assert scene.when(found["time"])
    assert _zone_basis(evidence) == "inferred"
    assert evidence.fates("long") == {BOB: "delivered", "friend@partner.example": "delivered"}


def test_the_zone_that_is_given_makes_the_times_true(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BOB], letter("now"))
    evidence = scene.read(tz=ZONE)
    assert scene.when(evidence.message("now")["time"])
    assert _zone_basis(evidence) == "given"
    assert {scene.when(row["time"]) for table in ("signins", "deliveries") for row in evidence.table(table)} == {True}


def test_a_log_that_is_read_again_while_it_grows_gives_what_one_reading_gives(scene, tmp_path):
    grown, folder = tmp_path / "grown.log", tmp_path / "grown-case"
    held = "please hold this"
    with scene.server.session(ALICE) as smtp:
        for number in range(3):
            receipt = smtp.hand_in(ALICE, [BOB], letter(f"g{number}", held if number == 1 else "hello"))
            _read(grown, scene.logs()[0].read_bytes(), folder)
    scene.server.release(next(iter(scene.server.queued())))
    whole = scene.read()
    assert receipt.queue_id
    story = _read(grown, (tmp_path / f"{scene._runs}-mail.log").read_bytes(), folder)
    assert story == _story(whole.lake)


def test_a_log_that_is_cut_in_two_gives_what_the_whole_gives(scene, tmp_path):
    """As rotation does it, in the middle of mails; the older part is packed and both are given in the wrong order."""
    scene.server.outside.answers["gone@partner.example"] = "550 5.1.1 No such user"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BOB, "gone@partner.example"], letter("one"))
        smtp.hand_in(ALICE, ["friend@partner.example"], letter("two", "please hold this"))
        smtp.hand_in(ALICE, [BOB], letter("more"))
    with scene.server.session(BOB) as smtp:
        smtp.hand_in(BOB, [ALICE], letter("three"))
    lines = _slowly(scene.logs()[0].read_text())
    old, new = tmp_path / "mail.log.1.gz", tmp_path / "mail.log"
    new.write_text("".join(lines))
    whole = _story(scene.read_logs([new]).lake)
    for cut in range(2, len(lines), 8):
        old.write_bytes(gzip.compress("".join(lines[:cut]).encode()))
        new.write_text("".join(lines[cut:]))
        assert _story(_collected(scene, [new, old])) == whole, cut


def test_a_connection_is_one_sign_in_although_its_mails_end_at_different_times(scene, tmp_path):
    scene.server.outside.answers["busy@partner.example"] = "451 4.7.1 Later"
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BOB], letter("quick"))
        smtp.hand_in(ALICE, ["busy@partner.example"], letter("slow"))
    before = scene.logs()[0].read_text()
    with scene.server.session(BOB) as smtp:
        smtp.hand_in(BOB, [ALICE], letter("later"))
    after = scene.logs()[0].read_text().removeprefix(before)
    path = tmp_path / "mail.log"
    path.write_text(before + shifted(after, last_stamp(before) + timedelta(hours=2)))
    evidence = scene.read_logs([path])
    assert evidence.rows("signins", "account", "outcome", "tries") == [(ALICE, "success", 1), (BOB, "success", 1)]
    assert evidence.message("quick")["session"] == evidence.message("slow")["session"]


def _slowly(log):
    """Give the lines as if a second had gone by between any two: of one second, two files cannot tell the order."""
    start = last_stamp(log) - timedelta(hours=1)
    return [
        shifted(line, start + timedelta(seconds=number)) for number, line in enumerate(log.splitlines(keepends=True))
    ]


def _collected(scene, paths):
    folder = Path(tempfile.mkdtemp(dir=scene.folder))
    lake = scene.stack.enter_context(opened(folder / "evidence", {}))
    collect(lake, Manifest(), [str(path) for path in paths], Reading(ZONE), folder / "set-aside", lambda _: None)
    return lake


def _read(path, content, folder):
    path.write_bytes(content)
    manifest = seal.load(folder / "evidence")
    with opened(folder / "evidence", manifest.files) as lake:
        collect(lake, manifest, [str(path)], Reading(ZONE), folder / "set-aside", lambda _: None)
        seal.save(manifest, folder / "evidence")
        lake.tidy()
        return _story(lake)


def _story(lake):
    """Give what the lake says without where it was read, and which mails came through one connection."""
    told = [
        lake.sql.execute(f"SELECT * EXCLUDE (input, record{also}) FROM {table} ORDER BY ALL").fetchall()
        for table, also in (("messages", ", session"), ("deliveries", ""), ("signins", ", session"))
    ]
    together = lake.sql.execute("SELECT list(queue_id ORDER BY queue_id) FROM messages GROUP BY session ORDER BY ALL")
    return [*told, together.fetchall()]


def _zone_basis(evidence):
    (found,) = {sealed.zone_basis for sealed in evidence.manifest.inputs if sealed.path.endswith("mail.log")}
    return found
