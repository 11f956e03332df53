# SPDX-License-Identifier: Apache-2.0
"""Bulletins: the numbered public reports of a case, in Japanese and English.

`sections.py` is what a bulletin has, `compose.py` draws one from the facts, `check.py` says what is wrong with it,
`released.py` is draft, approval and release in the ledger. What was released is kept word for word.
"""
