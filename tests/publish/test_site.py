# SPDX-License-Identifier: Apache-2.0
"""The public page as files: all reports kept, newest first, a feed, and nothing of anybody in it."""

import http.client
import re
import threading
from contextlib import contextmanager
from datetime import datetime
from xml.etree import ElementTree as ET

import founding
import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import correct
from hikeshi.publish.bulletin.compose import compose
from hikeshi.publish.bulletin.released import bulletins, keep
from hikeshi.publish.private import private
from hikeshi.publish.site.build import LeakError, build
from hikeshi.publish.site.pages import Desk
from hikeshi.publish.site.preview import server
from hikeshi.wording.facts import Facts

ATOM = "{http://www.w3.org/2005/Atom}"


@pytest.fixture
def reported(store):
    founding.released(store)
    return store


def built(store, case, out, **how):
    facts = Facts.of(store)
    return build(store, facts, bulletins(store), private(store, case, facts), out, pdfs=False, **how)


def test_every_report_has_its_page_in_both_languages_and_the_newest_stands_in_front(reported, case, tmp_path):
    tmp_path /= "site"
    built(reported, case, tmp_path)
    assert {one.name for one in tmp_path.iterdir()} == {
        f"{name}{language}.{kind}"
        for language in ("", ".en")
        for name, kind in (
            ("index", "html"),
            ("report-1", "html"),
            ("report-2", "html"),
            ("report-1", "txt"),
            ("report-2", "txt"),
            ("feed", "xml"),
        )
    }
    page = (tmp_path / "index.html").read_text("utf-8")
    assert page == (tmp_path / "report-2.html").read_text("utf-8")
    listed = page[page.index('<nav class="older"') :]
    assert listed.index("(第2報)") < listed.index("(第1報)")
    assert '<html lang="ja">' in page
    assert '<html lang="en">' in (tmp_path / "index.en.html").read_text("utf-8")


def test_an_earlier_report_keeps_its_words_when_a_later_one_comes(store, case, tmp_path):
    founding.released(store)
    built(store, case, tmp_path)
    first = (tmp_path / "report-1.txt").read_bytes()
    correct(store, "desk.phone", "0120-000-111", who="Rin", why="new line")
    built(store, case, tmp_path)
    assert (tmp_path / "report-1.txt").read_bytes() == first
    assert "0120-000-111" in (tmp_path / "index.html").read_text("utf-8")


def test_the_feed_is_atom_with_an_entry_a_report(reported, case, tmp_path):
    built(reported, case, tmp_path)
    feed = ET.fromstring((tmp_path / "feed.xml").read_text("utf-8"))  # noqa: S314 - our own, a line above
    entries = feed.findall(f"{ATOM}entry")
    assert [len(feed.findall(f"{ATOM}{name}")) for name in ("id", "title", "updated", "author")] == [1, 1, 1, 1]
    assert ["(第2報)" in one.findtext(f"{ATOM}title") for one in entries] == [True, False]
    times = [datetime.fromisoformat(one.findtext(f"{ATOM}updated")) for one in entries]
    assert times == [founding.SECOND, founding.FIRST]
    assert datetime.fromisoformat(feed.findtext(f"{ATOM}updated")) == founding.SECOND
    ids = [one.findtext(f"{ATOM}id") for one in [feed, *entries]]
    assert len({*ids}) == 3
    assert all(one.startswith("urn:uuid:") for one in ids)
    assert reported.case_id not in (tmp_path / "feed.xml").read_text("utf-8")
    assert {link.get("href") for one in entries for link in one.findall(f"{ATOM}link")} == {
        "report-1.html",
        "report-2.html",
    }


def test_no_page_leads_out_of_its_folder(reported, case, tmp_path):
    built(reported, case, tmp_path)
    for page in tmp_path.glob("*.html"):
        text = page.read_text("utf-8")
        for address in re.findall(r'(?:href|src)="([^"]*)"', text):
            assert address.startswith(("#", "tel:")) or (tmp_path / address).exists(), address
        assert "<script" not in text


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("discovery.channel", "purchasing@maker.example からの連絡"),
        ("discovery.channel", "=?utf-8?B?cHVyY2hhc2luZ0BtYWtlci5leGFtcGxl?="),
        ("account.role", "山田 花子"),
        ("cause", "https://lure.example/signin へ誘導されました"),
        ("cause", "10.1.2.3 のサーバーから"),
    ],
)
def test_what_must_not_be_seen_keeps_everything_from_being_written(store, case, tmp_path, key, value):
    founding.enter_first(store)
    founding.enter_second(store, founding.SENT)
    correct(store, "account.person", "山田花子", who="Rin", why="the owner")
    correct(store, "lure.url", ["https://lure.example/signin"], who="Rin", why="from the mail")
    correct(store, key, value, who="Rin", why="as told")
    keep(store, compose(store, Facts.of(store), bulletins(store), stage="first", as_of=founding.SECOND))
    out = tmp_path / "site"
    with pytest.raises(LeakError) as told:
        built(store, case, out, draft=True)
    assert not out.exists()
    assert value not in str(told.value)


def test_nothing_released_is_no_page(store, case, tmp_path):
    founding.enter_first(store)
    keep(store, compose(store, Facts.of(store), bulletins(store), stage="first", as_of=founding.FIRST))
    with pytest.raises(UsageError, match="nothing is released"):
        built(store, case, tmp_path)
    built(store, case, tmp_path, draft=True)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "下書き(未公表)" in page
    assert 'content="noindex"' in page
    assert ET.fromstring((tmp_path / "feed.xml").read_text("utf-8")).findall(f"{ATOM}entry") == []  # noqa: S314 - as above


def test_a_page_of_somebody_else_is_not_written_over(reported, case, tmp_path):
    tmp_path /= "site"
    tmp_path.mkdir()
    (tmp_path / "index.html").write_text("<html>our shop</html>")
    with pytest.raises(UsageError, match="none of hikeshi's"):
        built(reported, case, tmp_path)
    assert [one.name for one in tmp_path.iterdir()] == ["index.html"]


def test_the_site_of_another_case_is_not_written_over(reported, case, tmp_path):
    out, other = tmp_path / "site", tmp_path / "other"
    built(reported, case, out)
    with open_store(other) as store:
        founding.released(store)
        with pytest.raises(UsageError, match="another case"):
            built(store, other, out)


def test_other_files_beside_the_site_stay(reported, case, tmp_path):
    (tmp_path / "robots.txt").write_text("ours")
    built(reported, case, tmp_path)
    assert (tmp_path / "robots.txt").read_text() == "ours"
    assert not list(tmp_path.glob(".*"))


def test_markup_in_a_fact_is_text_on_the_page(store, case, tmp_path):
    founding.enter_first(store)
    correct(store, "discovery.channel", "<b onmouseover=alert(1)>電話</b>", who="Rin", why="odd")
    keep(store, compose(store, Facts.of(store), bulletins(store), stage="first", as_of=founding.FIRST))
    built(store, case, tmp_path, draft=True)
    page = (tmp_path / "index.html").read_text("utf-8")
    assert "<b onmouseover" not in page
    assert "&lt;b onmouseover=alert(1)&gt;電話" in page


@pytest.mark.parametrize(
    ("phone", "tel"),
    [
        ("0120-964-998", "0120964998"),
        ("+81 3 0000 0000", "+81300000000"),
        ("内線 1234 または代表", ""),
        ("javascript:alert(1)", ""),
    ],
)
def test_a_phone_can_be_called_where_it_is_one(phone, tel):
    assert Desk("窓口", phone, "24時間", "").tel == tel


@contextmanager
def serving(folder):
    one = server(folder)
    thread = threading.Thread(target=one.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield one.server_address
    finally:
        one.shutdown()
        thread.join()
        one.server_close()


def asked(address, path, **headers):
    connection = http.client.HTTPConnection(*address, timeout=10)
    try:
        connection.request("GET", path, headers=headers)
        answer = connection.getresponse()
        return answer.status, answer.read().decode("utf-8", "replace")
    finally:
        connection.close()


def test_a_preview_answers_on_loopback_by_its_own_names_alone(reported, case, tmp_path):
    built(reported, case, tmp_path)
    with serving(tmp_path) as address:
        assert address[0] == "127.0.0.1"
        status, page = asked(address, "/index.html")
        assert (status, "(第2報)" in page) == (200, True)
        assert asked(address, "/index.html", Host="evil.example:80")[0] == 403
        assert asked(address, "/../../etc/passwd")[0] == 404
