# SPDX-License-Identifier: Apache-2.0
"""The one page for the management, and PDFs: one page is one page, the text is all there and is never read as markup."""

import io
import sys

import founding
import pytest
from pypdf import PdfReader

from hikeshi.cases.store.facts import correct
from hikeshi.publish.bulletin.released import bulletins
from hikeshi.publish.clocks.clock import clocks
from hikeshi.publish.forms.brief import brief, headings
from hikeshi.publish.pdf import PdfError, pdf
from hikeshi.publish.site.build import pdf_of
from hikeshi.publish.site.pages import Shown
from hikeshi.wording.facts import Facts


@pytest.fixture
def page(store, book):
    def drawn(language):
        facts = Facts.of(store)
        told = clocks(store, book, now=founding.SECOND, zone=facts.zone)
        return brief(facts, told, bulletins(store), language)

    return drawn


def read(data):
    return PdfReader(io.BytesIO(data))


def squeezed(text):
    return "".join(text.split())


@pytest.mark.parametrize("language", ["ja", "en"])
def test_the_brief_is_one_page_with_all_its_parts(store, knew, page, language):
    founding.released(store)
    knew("reported", founding.DISCOVERED)
    made = page(language)
    assert [heading for heading, _ in made.parts] == headings(language)
    printed = read(pdf(made.title, made.parts, language=language, top="x", foot="y", at=founding.SECOND, small=True))
    assert len(printed.pages) == 1
    text = squeezed(printed.pages[0].extract_text())
    assert all(squeezed(heading) in text for heading in headings(language))


def test_the_brief_parts_what_is_known_from_what_is_assumed_and_unknown(store, page):
    founding.released(store)
    parts = dict(page("en").parts)
    assert "Phishing emails sent: 1,220 emails" in parts["What we know (confirmed)"]
    assert "email addresses of customers" in parts["What we assume (not confirmed)"]
    assert "People whose information may have leaked" in parts["What we do not know"]
    assert "1,220" not in parts["What we do not know"] + parts["What we assume (not confirmed)"]


def test_the_brief_says_what_waits_for_a_decision_and_decides_nothing(store, knew, page):
    founding.enter_first(store)
    knew("reported", founding.DISCOVERED)
    decisions = dict(page("en").parts)["Decisions needed now"]
    assert "gdpr-authority" in decisions
    assert "publishing a first report: now, or when and why later" in decisions
    assert "need not decided" in dict(page("en").parts)["Deadlines, next first"]


def test_a_bulletin_as_pdf_has_every_word_tagged_and_with_its_language(store):
    _, second = founding.released(store)
    made = read(pdf_of(Shown(second, founding.SECOND), "ja", "マウスコンピューター", Facts.of(store)))
    text = squeezed("".join(one.extract_text() for one in made.pages))
    for section in second.texts["ja"].sections.values():
        for line in section.splitlines():
            for part in line.removeprefix("- ").split(" | "):
                assert squeezed(part)[:12] in text
    assert made.trailer["/Root"]["/MarkInfo"]["/Marked"]
    assert str(made.trailer["/Root"]["/Lang"]).startswith("ja")
    assert made.metadata.title == second.texts["ja"].title


def test_text_is_never_read_as_markup():
    hostile = '#eval("1+1") *x* $y$ #include "/etc/passwd" @a <b> `c` \\ // d'
    made = read(pdf("#panic()", [("= h", hostile)], language="en", top="#t", foot="#f", at=founding.FIRST))
    assert squeezed('#eval("1+1")*x*$y$#include"/etc/passwd"') in squeezed(made.pages[0].extract_text()).translate(
        {0x201C: '"', 0x201D: '"'}
    )


def test_the_same_report_makes_the_same_bytes(store):
    first, _ = founding.released(store)
    one, other = (pdf_of(Shown(first, founding.FIRST), "en", "Maker", Facts.of(store)) for _ in range(2))
    assert one == other


def test_without_the_library_the_error_names_the_extra(monkeypatch):
    monkeypatch.setitem(sys.modules, "typst", None)
    with pytest.raises(PdfError, match=r"pip install 'hikeshi\[pdf\]'"):
        pdf("t", [("h", "x")], language="en", top="", foot="", at=founding.FIRST)


def test_the_brief_tells_what_people_said_of_unknown_things(store, page):
    founding.enter_first(store)
    correct(store, "exposed.persons", None, who="Rin", why="nobody knows yet")
    assert "People whose information may have leaked" in dict(page("en").parts)["What we do not know"]
