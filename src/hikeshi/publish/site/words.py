# SPDX-License-Identifier: Apache-2.0
"""The few words of the page that no bulletin has."""

from dataclasses import dataclass
from typing import Final


@dataclass(frozen=True, slots=True)
class PageWords:
    """The page's own words in one language; `other` names the other language in itself."""

    kind: str
    skip: str
    report: str
    published: str
    as_of: str
    call: str
    languages: str
    all: str
    feed: str
    text: str
    pdf: str
    kept: str
    draft: str
    not_published: str
    other: str
    other_code: str


WORDS: Final = {
    "ja": PageWords(
        kind="重要なお知らせ",
        skip="本文へ進む",
        report="報告番号",
        published="公表",
        as_of="内容の時点",
        call="お電話でのお問い合わせ",
        languages="対応言語: ",
        all="これまでの報告(新しい順)",
        feed="更新情報(Atom)",
        text="テキスト版",
        pdf="PDF版",
        kept="この掲載場所は変わりません。これまでの報告もすべて残し、内容を書き換えません。訂正がある場合は、新しい報告で説明します。",
        draft="下書き(未公表)",
        not_published="未公表",
        other="English",
        other_code="en",
    ),
    "en": PageWords(
        kind="Important notice",
        skip="Skip to the report",
        report="Report",
        published="Published",
        as_of="As known on",
        call="Call us",
        languages="Languages: ",
        all="All reports, newest first",
        feed="Updates (Atom)",
        text="As plain text",
        pdf="As PDF",
        kept="This page stays where it is. All reports are kept, word for word; what has to be corrected is explained in a new one.",
        draft="Draft, not published",
        not_published="not published",
        other="日本語",
        other_code="ja",
    ),
}
