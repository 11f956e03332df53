# SPDX-License-Identifier: Apache-2.0
import pytest
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.basics.errors import CaseError, UsageError
from hikeshi.cases.folder import defused
from hikeshi.notify.lists import Contact, Exposed, bring_in, contacts, exposed, fit_name, list_of, undefused


def test_the_last_list_of_a_name_stands_with_its_digest_in_the_ledger(store, case, brought):
    assert list_of(store, case, "exposed") is None
    assert brought("exposed", "address,name,items,status\na@x.example,A,name;phone,\n") == 1
    assert brought("exposed", "address,name,items,status\nb@x.example,B,name,confirmed\n") == 1
    data, _ = list_of(store, case, "exposed")
    (line,) = exposed(data, "list")
    assert (line.address, line.exposed) == ("b@x.example", Exposed(("name",), "confirmed"))
    assert [(one.who, one.body["lines"]) for one in store.entries("list")] == [("Rin", 1), ("Rin", 1)]
    assert {path.stat().st_mode & 0o777 for path in (case / "audience").iterdir()} == {0o600}
    assert (case / "audience").stat().st_mode & 0o777 == 0o700


def test_a_list_that_somebody_changed_in_the_case_folder_is_not_used(store, case, brought):
    brought("contacts", "address\na@x.example\n")
    (file,) = (case / "audience").iterdir()
    file.write_text("address\nb@x.example\n")
    with pytest.raises(CaseError, match="bring it in again"):
        list_of(store, case, "contacts")


@pytest.mark.parametrize(
    ("name", "text", "says"),
    [
        ("exposed", "mail,name\n", "first line"),
        ("exposed", "address,name,items,status,other\n", "first line"),
        ("exposed", "address,name,items,status\na@x.example,A,name\n", "line 2: has another number of cells"),
        ("exposed", "address,name,items,status\na@x.example,A,name,sure\n", "line 2: 'sure' is no status"),
        ("exposed", "address,name,items,status\na@x.example,A,,\n", "line 2: says nothing of which data"),
        ("exposed", "address,name,items,status\n,,name,\n", "line 2: has neither address nor name"),
        ("contacts", "address,language\na@x.example,fr\n", "line 2: letters are written in en and ja"),
        ("contacts", "address\nno address\n", "line 2: no address: is no mail address"),
        ("contacts", 'address\n"a@x.example\nBcc: b@x.example"\n', "line break"),
        ("contacts", 'address,name\na@x.example,"A', "unexpected end"),
    ],
)
def test_a_list_that_makes_no_sense_is_refused_with_its_line(store, brought, name, text, says):
    with pytest.raises(UsageError, match=says) as error:
        brought(name, text)
    assert str(error.value).isprintable()
    assert store.entries("list") == []


def test_a_list_that_is_not_there_or_brought_in_by_nobody_is_refused(store, case, tmp_path):
    with pytest.raises(UsageError, match="No such file"):
        bring_in(store, case, "exposed", tmp_path / "none.csv", who="Rin", why="x")
    with pytest.raises(UsageError, match="who brings it in"):
        bring_in(store, case, "exposed", tmp_path / "none.csv", who=" ", why="x")


def test_lists_are_read_as_japanese_spreadsheets_save_them():
    text = "address,name,language\r\na@x.example,山田,JA\r\n"
    for encoding in ("utf-8-sig", "cp932", "utf-8"):
        assert contacts(text.encode(encoding), "list") == {"a@x.example": Contact("山田", "ja")}
    with pytest.raises(UsageError, match="neither UTF-8 nor Shift_JIS"):
        contacts(b"address\n\xff\xfe\x81", "list")


def test_cells_that_a_table_of_ours_defused_come_back_as_they_were():
    assert list(contacts(b"address,phone\na@x.example,'+81 3 0000 0000\n", "list").values()) == [
        Contact(phone="+81 3 0000 0000")
    ]


@given(st.text(max_size=10))
def test_defusing_a_cell_is_undone(text):
    assert undefused(defused(text)) == text or text.startswith("'")


@pytest.mark.parametrize("name", [None, " ", "a\nb", "P\u0430ul", "x" * 81, "a\u202eb"])
def test_what_could_be_no_name_or_anothers_is_no_name(name):
    assert fit_name(name) is None
