# SPDX-License-Identifier: Apache-2.0
"""Tells everyone concerned, one by one: whom, in which words, by which way, until nobody is left untold.

Start reading at `audience.py`; `draft.py` makes letters of people and facts, `outbox/` sends them exactly once, and
`reconciliation.py` is the table that must close.
"""
