# SPDX-License-Identifier: Apache-2.0
import hashlib
import json
import stat

import pytest

from hikeshi.basics.errors import CaseError
from hikeshi.evidence.seal import SCHEMA, Manifest, Sealed, beginning, load, save


def made():
    one = Sealed(
        3, "logs/ログ.gz", "aa", "bb", 10, "cc", 4, source="postfix", records=5, taken=3, skipped=1, set_aside=1
    )
    one.problems.append("truncated gz: its end is missing; what is there was read")
    return Manifest(
        [one], {"messages": ["messages/000001.parquet"]}, [{"path": "x", "reason": "y"}], "2026-11-24T12:09:24"
    )


def test_what_is_saved_is_loaded(tmp_path):
    save(made(), tmp_path)
    assert load(tmp_path) == made()
    assert [path.name for path in tmp_path.iterdir()] == ["manifest.json"]
    assert stat.S_IMODE((tmp_path / "manifest.json").stat().st_mode) == 0o600
    assert json.loads((tmp_path / "manifest.json").read_text("utf-8"))["schema"] == SCHEMA == "hikeshi.evidence/1"


def test_a_fresh_folder_has_an_empty_manifest(tmp_path):
    assert load(tmp_path) == Manifest()
    assert Manifest().next_number() == 1
    assert made().next_number() == 4


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ('{"schema": "hikeshi.evidence/99", "inputs": []}', "made by another version of hikeshi"),
        ('{"inputs": []}', "cannot be read as a manifest"),
        ('{"schema": "hikeshi.evidence/1", "inputs": [{"wrong": 1}]}', "cannot be read as a manifest"),
        ('{"schema": "hikeshi.evidence/1", "inputs": [], "more": 1}', "cannot be read as a manifest"),
        ("[]", "cannot be read as a manifest"),
        ("{", "cannot be read as a manifest"),
        ("", "cannot be read as a manifest"),
    ],
)
def test_a_manifest_that_is_not_ours_is_refused(tmp_path, text, words):
    (tmp_path / "manifest.json").write_text(text)
    with pytest.raises(CaseError, match=words) as caught:
        load(tmp_path)
    assert "use a new --case folder" in str(caught.value)


def test_saving_is_one_step(tmp_path, monkeypatch):
    save(made(), tmp_path)

    def dies(*_):
        raise OSError("disk full")

    monkeypatch.setattr("os.fsync", dies)
    with pytest.raises(OSError, match="disk full"):
        save(Manifest(), tmp_path)
    assert load(tmp_path) == made()


def test_the_beginning_of_a_stream():
    parts = [b"abc", b"", b"def", b"gh"]
    for size in range(9):
        expected = hashlib.sha256(b"abcdefgh"[:size]).hexdigest()
        assert beginning(parts, size) == (expected, size < 8)
    assert beginning(parts, 9) == ("", False)


def test_an_input_is_found_by_its_content():
    manifest = Manifest([Sealed(1, "a", content_sha256="x"), Sealed(2, "b", content_sha256="y")])
    assert manifest.with_content("y") is manifest.inputs[1]
    assert manifest.with_content("z") is None
