# SPDX-License-Identifier: Apache-2.0
"""Whether a text is as sure as its facts (L10): "it did not" is for what is ruled out, "it did" for what is confirmed.

What is not confirmed is said with as of when, and what is known and what may be stand in sentences of their own.
"""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Final

from hikeshi.cases.entries import Status
from hikeshi.wording.document import Document, Problem, error, warning
from hikeshi.wording.flow import flow, sentences


@dataclass(frozen=True, slots=True)
class Subject:
    """Something that texts say did or did not happen: the words for it, and the keys of facts that say so."""

    name: str
    keys: tuple[str, ...]
    ja: str
    en: str


_SUBJECTS: Final = (
    Subject(
        "secondary damage",
        ("secondary_damage",),
        r"(?:[二2]次(?:的な?)?被害|(?:情報|データ)(?:の|が|を)悪用)",
        r"(?:secondary (?:damage|harm)|misuse of (?:the |this |your )?(?:data|information)|further (?:damage|harm))",
    ),
    Subject(
        "a leak",
        ("exposed.items", "exposed"),
        r"(?:漏えい|漏洩|流出|情報漏れ)",
        r"(?:leak(?:s|age)?|breach(?:es)?|exposure|disclosure|data loss)",
    ),
)
_MAYBE_JA: Final = r"可能性|おそれ|恐れ|虞|疑い|否定でき|懸念|かもしれ|有無|場合"
_MAYBE_EN: Final = (
    r"\b(?:may|might|could|possibl[ey]|potential(?:ly)?|suspected|whether|cannot (?:be )?rule[d]? out|risk|if)\b"
)
_NONE_JA: Final = r"[^。\n]{0,12}?(?:は|が|も)?(?:一切|全く)?(?:ありません|ございません|なかった|なし\b|起きてい(?:ない|ません)|生じてい(?:ない|ません)|発生してい(?:ない|ません)|していません|しておりません|していない|されていません|されておりません)"
_NONE_EN: Final = r"\b(?:no {0}s? (?:has |have |had |was |were )?(?:been |taken |occurred|happened|took)?|there (?:was|were|is|has been|have been) no (?:\w+ ){{0,2}}{0}|{0} (?:did not|has not|have not|was not|were not) (?:been |occur|happen|take))"
_DENIED_JA: Final = r"(?:情報|データ|アドレス|個人情報)[^。\n]{0,12}(?:漏えい|漏洩|流出|漏れ)(?:は|して|た事実は)[^。\n]{0,8}?(?:ありません|ございません|いません|おりません|いない)|情報[^。\n]{0,6}は安全です"
_DENIED_EN: Final = r"\bno (?:\w+ ){0,3}(?:data|information|addresses|records?) (?:was|were|has been|have been) (?:leaked|exposed|accessed|disclosed|stolen|compromised|lost)|\b(?:data|information) (?:is|are|remains?) (?:safe|secure)"
_UNCONFIRMED_JA: Final = re.compile(
    r"確認(?:は)?(?:され|でき|して)(?:てい|てお)?(?:ません|おりません|いません|いない|ておりません)|(?:申告|報告|被害)[^。\n]{0,10}(?:受けて|届いて)(?:い|お)(?:ません|りません)"
)
_UNCONFIRMED_EN: Final = re.compile(
    r"\b(?:not|no)\b[^.\n]{0,60}\bconfirmed\b|\bunconfirmed\b|\bno (?:reports?|evidence|signs?) of\b", re.IGNORECASE
)
_AS_OF_JA: Final = re.compile(r"(?:現時点|現在|時点|まで)")
_AS_OF_EN: Final = re.compile(
    r"\b(?:as of|by|until|up to|at (?:this time|present))\b|\bso far\b|\bto date\b", re.IGNORECASE
)
_DAY: Final = re.compile(r"\d{1,2}\s*月\s*\d|\d{4}[-/.]\d|\d [A-Z][a-z]{2,}|[A-Z][a-z]{2,} \d")
_HAPPENED_JA: Final = r"(?:が|は)?(?:し(?:ました|た(?!場合|とき|際|可能性|おそれ|恐れ|かもしれ|疑い|か(?:どうか|否か)))|いたしました|が(?:発生|判明)しました|を確認しました)"
_HAPPENED_EN: Final = r"\b(?:we have confirmed|confirmed) (?:a |the )?{0}|\b{0} (?:has |have )?(?:occurred|happened)\b"
_LEAKED_EN: Final = r"\b(?:was|were|has been|have been) (?:leaked|breached|exposed|disclosed)\b"
_KNOWN_JA: Final = re.compile(r"確認しました|判明しました|事実です|発生しました|されました")
_KNOWN_EN: Final = re.compile(r"\bwe (?:have )?(?:confirmed|established|found)\b", re.IGNORECASE)


def too_sure(document: Document) -> Iterator[Problem]:
    """Give where a text is surer than its facts, or does not say as of when."""
    for one in _SUBJECTS:
        yield from _statements(document, one)
        yield from _title(document, one)
    unconfirmed, as_of, known, maybe = (
        (_UNCONFIRMED_JA, _AS_OF_JA, _KNOWN_JA, re.compile(_MAYBE_JA.removesuffix("|有無|場合")))
        if document.language == "ja"
        else (
            _UNCONFIRMED_EN,
            _AS_OF_EN,
            _KNOWN_EN,
            re.compile(_MAYBE_EN.replace("|whether", "").replace("|if", ""), re.IGNORECASE),
        )
    )
    for sentence in sentences(flow(document.text)):
        if unconfirmed.search(sentence) and not (as_of.search(sentence) and _DAY.search(sentence)):
            yield error(
                "L10",
                f"text, {sentence.strip()[:30]}",
                "something is said not to be confirmed, but not as of which day and time",
                "「確認されていません」には、いつ現在かを日時で記載してください",
            )
        if known.search(sentence) and maybe.search(sentence):
            yield warning(
                "L10",
                f"text, {sentence.strip()[:30]}",
                "what is known and what may be stand in one sentence; part them",
                "確認した事実と可能性が一文に混ざっています。文を分けてください",
            )


def _statements(document: Document, one: Subject) -> Iterator[Problem]:
    ja = document.language == "ja"
    words = one.ja if ja else one.en
    maybe = re.compile(_MAYBE_JA if ja else _MAYBE_EN, re.IGNORECASE)
    denied = f"{words}{_NONE_JA}" if ja else _NONE_EN.format(words)
    happened = f"{words}{_HAPPENED_JA}" if ja else _HAPPENED_EN.format(words)
    if one.name == "a leak":
        denied += f"|{_DENIED_JA if ja else _DENIED_EN}"
        happened += "" if ja else f"|{_LEAKED_EN}"
    statuses = _statuses(document, one)
    for sentence in sentences(flow(document.text)):
        where = f"text, {sentence.strip()[:30]}"
        if _unconfirmed(sentence, ja=ja):
            continue
        if _denies(denied, sentence, ja=ja):
            if "ruled_out" not in statuses:
                yield error(
                    "L10",
                    where,
                    f"it says that there was no {one.name.removeprefix('a ')}, which no fact rules out",
                    "「ありません」と言えるのは、否定が確認された事実だけです。「(日時)現在、確認されていません」としてください",
                )
        elif (
            re.search(happened, sentence, re.IGNORECASE) and not maybe.search(sentence) and "confirmed" not in statuses
        ):
            yield error(
                "L10",
                where,
                f"it says that {one.name} happened, which no fact confirms",
                "確認されていないことを断定しています。「可能性があります」などとしてください",
            )


def _denies(pattern: str, sentence: str, *, ja: bool) -> bool:
    """Say whether a sentence says that something did not happen, and not only asks whether."""
    found = re.search(pattern, sentence, re.IGNORECASE)
    open_ = _MAYBE_JA if ja else r"\b(?:whether|if)\b"
    return found is not None and not re.search(open_, found[0], re.IGNORECASE)


def _title(document: Document, one: Subject) -> Iterator[Problem]:
    """Titles assert by naming: 個人情報流出に関するお詫び says that there was one."""
    ja = document.language == "ja"
    words, maybe = (one.ja, _MAYBE_JA) if ja else (one.en, _MAYBE_EN)
    title = flow(document.subject)
    asserted = re.search(words, title, re.IGNORECASE) and not re.search(maybe, title, re.IGNORECASE)
    if asserted and "confirmed" not in _statuses(document, one):
        yield error(
            "L10",
            "subject",
            f"the title asserts {one.name}, which no fact confirms",
            "表題が断定しています。事実の確からしさに合わせて「可能性」などを付けてください",
        )


def _unconfirmed(sentence: str, *, ja: bool) -> bool:
    return bool((_UNCONFIRMED_JA if ja else _UNCONFIRMED_EN).search(sentence))


def _statuses(document: Document, one: Subject) -> set[Status]:
    return {said.status for said in document.facts_used if said.key.removesuffix(f".{document.language}") in one.keys}
