# SPDX-License-Identifier: Apache-2.0
"""The rules about doing, which no text shows: page first, known sender, slowly, by two people, one page for all reports.

They are held against what the caller tells (`Doing`); what it does not tell is an error once something is to be sent.
"""

import re
from collections.abc import Iterator

from hikeshi.wording.document import Document, Doing, Problem, error


def undone(document: Document) -> Iterator[Problem]:
    """Give which of the rules L03 (in part), L04, L15 and L16 the caller's doing does not keep."""
    doing = document.doing
    if doing is None:
        return
    if document.kind == "letter" and doing.send:
        yield from _page_first(document, doing)
        yield from _with_care(doing)
    if document.kind == "bulletin":
        yield from _one_page(doing)


def _page_first(document: Document, doing: Doing) -> Iterator[Problem]:
    if doing.page_live_at is None:
        yield error(
            "L04",
            "page",
            "the public page goes first, and is not live",
            "公表ページがまだ公開されていません。公表が先です",
        )
    if doing.page_report != doing.report or doing.report is None:
        yield error(
            "L04", "page", "page and letter are not of the same report", "公表ページと通知の報番号が一致しません"
        )
    phones = [str(said.value) for said in document.facts_used if said.key == "desk.phone"]
    if doing.page_phone is None or any(_digits(one) != _digits(doing.page_phone) for one in phones):
        yield error(
            "L04",
            "page",
            "page and letter do not give the same phone number",
            "公表ページと通知の電話番号が一致しません",
        )
    if doing.dkim_aligned is not True:
        yield error(
            "L03",
            "From",
            "nobody has checked that the sender's domain signs (DKIM, aligned for DMARC)",
            "送信元ドメインのDKIM署名(DMARC準拠)が確認されていません",
        )


def _with_care(doing: Doing) -> Iterator[Problem]:
    if not doing.per_minute or doing.per_minute <= 0:
        yield error("L15", "sending", "no rate limits the sending", "送信速度の上限がありません")
    if not (doing.resumable and doing.in_ledger):
        yield error(
            "L15",
            "sending",
            "it cannot go on where it stopped, or leaves no ledger",
            "再開できないか、送信台帳がありません",
        )
    if not doing.bounces_suppressed:
        yield error("L15", "sending", "addresses that bounced are not left out", "不達の宛先が除かれていません")
    people = {one.strip().casefold() for one in doing.approved_by if one.strip()}
    if not people:
        yield error("L15", "approval", "nobody has approved it; a dry run only", "承認されていません。予行のみ可能です")
    elif doing.two_persons and len(people | {(doing.drafted_by or "").strip().casefold()} - {""}) < 2:
        yield error("L15", "approval", "two people release a letter, and there is one", "二人による承認が必要です")


def _one_page(doing: Doing) -> Iterator[Problem]:
    kept = doing.reports_kept
    if kept is not None and list(kept) != sorted(kept, reverse=True):
        yield error("L16", "page", "the newest report does not come first", "最新の報が先頭にありません")
    if kept is not None and doing.report is not None and set(kept) != set(range(1, doing.report + 1)):
        yield error("L16", "page", "a report is not on the page any more", "過去の報が掲載されていません")
    if doing.page_address_before is not None and doing.page_address != doing.page_address_before:
        yield error("L16", "page", "the page has moved", "ページのアドレスが変わっています")


def _digits(phone: str) -> str:
    return re.sub(r"\D", "", phone)
