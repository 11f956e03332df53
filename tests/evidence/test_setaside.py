# SPDX-License-Identifier: Apache-2.0
import csv
import stat

from hikeshi.evidence.setaside import SetAside, tidy


def index(folder):
    with (folder / "index.csv").open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def places(folder):
    return [
        tuple(row[name] for name in ("file", "offset", "bytes", "first_record", "last_record", "reason"))
        for row in index(folder)
    ]


def test_neighbours_with_one_reason_are_one_row(tmp_path):
    aside = SetAside(tmp_path / "set-aside", 7, "logs/mail.log")
    for record, data, reason in [
        (3, b"a\n", "x"),
        (4, b"bb\n", "x"),
        (5, b"c\n", "y"),
        (9, b"d\n", "y"),
        (10, b"e", "y"),
    ]:
        aside.add(record, data, reason)
    aside.close()
    assert (tmp_path / "set-aside" / "0007-mail.log").read_bytes() == b"a\nbb\nc\nd\ne"
    assert places(tmp_path / "set-aside") == [
        ("0007-mail.log", "0", "5", "3", "4", "x"),
        ("0007-mail.log", "5", "2", "5", "5", "y"),
        ("0007-mail.log", "7", "3", "9", "10", "y"),
    ]
    assert {row["input"] for row in index(tmp_path / "set-aside")} == {"logs/mail.log"}


def test_parts_of_one_record_are_one_row(tmp_path):
    aside = SetAside(tmp_path, 1, "x")
    for part in (b"one ", b"two ", b"three\n"):
        aside.add(5, part, "long")
    aside.close()
    assert places(tmp_path) == [("0001-x", "0", "14", "5", "5", "long")]


def test_nothing_set_aside_makes_no_file(tmp_path):
    SetAside(tmp_path / "set-aside", 1, "x").close()
    assert not (tmp_path / "set-aside").exists()


def test_private_from_birth(tmp_path):
    aside = SetAside(tmp_path / "set-aside", 1, "x")
    aside.add(1, b"a\n", "x")
    aside.close()
    assert stat.S_IMODE((tmp_path / "set-aside").stat().st_mode) == 0o700
    for name in ("0001-x", "index.csv"):
        assert stat.S_IMODE((tmp_path / "set-aside" / name).stat().st_mode) == 0o600


def test_a_name_cannot_leave_the_folder(tmp_path):
    aside = SetAside(tmp_path / "set-aside", 1, "x.tar!../../etc/pass wd\n")
    aside.add(1, b"a\n", "x")
    aside.close()
    assert sorted(path.name for path in (tmp_path / "set-aside").iterdir()) == ["0001-pass_wd_", "index.csv"]


def test_a_log_that_goes_on_is_kept_in_one_file(tmp_path):
    for path, record in (("mail.log", 1), ("mail.log.1", 2)):
        aside = SetAside(tmp_path, 4, path)
        aside.add(record, b"a\n", "x")
        aside.close()
    assert (tmp_path / "0004-mail.log").read_bytes() == b"a\na\n"
    assert places(tmp_path) == [("0004-mail.log", "0", "2", "1", "1", "x"), ("0004-mail.log", "2", "2", "2", "2", "x")]


def test_what_a_dead_run_left_goes(tmp_path):
    for number in (1, 2):
        aside = SetAside(tmp_path, number, "mail.log")
        aside.add(1, b"sealed\n", "x")
        aside.close()
        assert aside.bytes == 7
    before = places(tmp_path)
    for number in (2, 3):
        aside = SetAside(tmp_path, number, "mail.log")
        aside.add(2, b"lost\n", "x")
        aside.close()
    tidy(tmp_path, {1: 7, 2: 7})
    assert places(tmp_path) == before
    assert sorted(path.name for path in tmp_path.iterdir()) == ["0001-mail.log", "0002-mail.log", "index.csv"]
    assert (tmp_path / "0002-mail.log").read_bytes() == b"sealed\n"
    tidy(tmp_path / "no such folder", {})
