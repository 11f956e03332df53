# SPDX-License-Identifier: Apache-2.0
"""What the log itself proves of its clock, and reading a log while it grows."""

import pytest
from conftest import ALICE, BOB, ZONE, letter, running

from hikeshi.evidence import seal
from hikeshi.evidence.collect import Reading, collect
from hikeshi.evidence.lake import opened


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
    assert evidence.manifest.inputs[0].zone_basis == "inferred"
    assert evidence.fates("long") == {BOB: "delivered", "friend@partner.example": "delivered"}


def test_the_zone_that_is_given_makes_the_times_true(scene):
    with scene.server.session(ALICE) as smtp:
        smtp.hand_in(ALICE, [BOB], letter("now"))
    evidence = scene.read(tz=ZONE)
    assert scene.when(evidence.message("now")["time"])
    assert evidence.manifest.inputs[0].zone_basis == "given"
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


def _read(path, content, folder):
    path.write_bytes(content)
    manifest = seal.load(folder / "evidence")
    with opened(folder / "evidence", manifest.files) as lake:
        collect(lake, manifest, [str(path)], Reading(ZONE), folder / "set-aside", lambda _: None)
        seal.save(manifest, folder / "evidence")
        lake.tidy()
        return _story(lake)


def _story(lake):
    return [
        lake.sql.execute(f"SELECT * EXCLUDE (input) FROM {table} ORDER BY ALL").fetchall()
        for table in ("messages", "deliveries")
    ]
