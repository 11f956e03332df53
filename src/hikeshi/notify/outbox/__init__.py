# SPDX-License-Identifier: Apache-2.0
"""The outbox: a letter leaves once a person and report, across crashes, or it is said which one may not have (law 7).

Start reading at `letter.py`, then `book.py` (what people decide), `turns.py` (how a letter changes its state), `send.py`
(how it leaves), `settle.py` (what became of it after a crash), `bounces.py` (what came back), `run.py` (all of it).
"""

from hikeshi.notify.outbox.letter import Letter, LetterError, identity, letter

__all__ = ["Letter", "LetterError", "identity", "letter"]
