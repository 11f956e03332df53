# SPDX-License-Identifier: Apache-2.0
import stat

import duckdb
import pytest

from hikeshi.evidence.lake import STORED, opened
from hikeshi.evidence.tables import SIGNINS


def signin(account, record=1):
    values = {
        "time": "TIMESTAMP '2026-11-24 12:09:24.123456'",
        "account": f"'{account}'",
        "input": "1",
        "record": f"{record}",
    }
    return "SELECT " + ", ".join(f"{values.get(name, 'NULL')} AS {name}" for name in SIGNINS.columns)


def accounts(lake):
    lake.show(SIGNINS)
    return [row[0] for row in lake.sql.execute("SELECT account FROM signins ORDER BY 1").fetchall()]


def test_an_empty_lake_has_every_table_with_its_columns(tmp_path):
    with opened(tmp_path / "evidence", {}) as lake:
        for table in STORED:
            asked = lake.sql.execute(f"SELECT * FROM {table.name}")
            assert [column[0] for column in asked.description] == list(table.columns)
            assert asked.fetchall() == []


def test_rows_stay_with_their_microseconds(tmp_path):
    with opened(tmp_path / "evidence", {}) as lake:
        assert lake.add(SIGNINS, signin("alice")) == 1
        files = lake.files
    with opened(tmp_path / "evidence", files) as lake:
        (row,) = lake.sql.execute("SELECT account, time::VARCHAR FROM signins").fetchall()
        assert row == ("alice", "2026-11-24 12:09:24.123456")


def test_no_rows_make_no_file(tmp_path):
    with opened(tmp_path / "evidence", {}) as lake:
        assert lake.add(SIGNINS, f"{signin('alice')} WHERE false") == 0
        assert lake.files["signins"] == []
        assert list((tmp_path / "evidence" / "signins").iterdir()) == []


def test_only_named_files_count_and_tidy_removes_the_others(tmp_path):
    with opened(tmp_path / "evidence", {}) as lake:
        lake.add(SIGNINS, signin("sealed"))
        sealed = {name: list(files) for name, files in lake.files.items()}
        lake.add(SIGNINS, signin("of a run that died"))
    with opened(tmp_path / "evidence", sealed) as lake:
        assert accounts(lake) == ["sealed"]
        lake.add(SIGNINS, signin("next"))
        assert accounts(lake) == ["next", "sealed"]
        lake.tidy()
        assert accounts(lake) == ["next", "sealed"]
        assert len(list((tmp_path / "evidence" / "signins").iterdir())) == 2


def test_replace_takes_the_place_of_all_rows(tmp_path):
    with opened(tmp_path / "evidence", {}) as lake:
        lake.add(SIGNINS, signin("old"))
        lake.replace(SIGNINS, signin("new"))
        assert accounts(lake) == ["new"]
        lake.replace(SIGNINS, f"{signin('none')} WHERE false")
        assert accounts(lake) == []


def test_everything_is_private(tmp_path):
    with opened(tmp_path / "evidence", {}) as lake:
        lake.add(SIGNINS, signin("alice"))
        for path in (tmp_path / "evidence").rglob("*"):
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600)
        assert stat.S_IMODE((tmp_path / "evidence").stat().st_mode) == 0o700
    assert not (tmp_path / "evidence" / ".spill").exists()


def test_a_closed_lake_cannot_be_asked(tmp_path):
    with opened(tmp_path / "evidence", {}) as lake:
        pass
    with pytest.raises(duckdb.ConnectionException):
        lake.one("SELECT 1")
