# SPDX-License-Identifier: Apache-2.0
"""All rules over one document: L01 to L16, ASK1 to ASK7, and of a bulletin the sections S01 to S15 (disclosure.md 3.4 to 3.6).

A text is held to its meaning: patterns take paraphrases, and facts decide what may be said how surely. An error blocks sending
and publishing.
"""

from hikeshi.wording.asked import unasked
from hikeshi.wording.certainty import too_sure
from hikeshi.wording.compare import silent
from hikeshi.wording.document import ASKS, Document, Doing, Lure, Problem
from hikeshi.wording.doing import undone
from hikeshi.wording.mail import hygiene
from hikeshi.wording.numbers import unfounded
from hikeshi.wording.readable import unreadable
from hikeshi.wording.sections import missing

__all__ = ["ASKS", "Document", "Doing", "Lure", "Problem", "lint"]


def lint(document: Document) -> list[Problem]:
    """Give what is wrong with a document, each once, in the order of the rules.

    Rules that the document gives nothing for are not tried: those of headers, of `raw`, of the report before, of doing.
    """
    found = [
        *hygiene(document),
        *too_sure(document),
        *unfounded(document),
        *silent(document),
        *unreadable(document),
        *undone(document),
        *unasked(document),
        *(missing(document) if document.kind == "bulletin" else ()),
    ]
    once = {(one.rule, one.severity, one.where): one for one in found}
    return sorted(once.values(), key=lambda one: ("LAS".index(one.rule[0]), one.rule))
