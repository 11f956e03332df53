# SPDX-License-Identifier: Apache-2.0
"""The clocks of the law: what has to be reported to whom by when, what of it is known, what has been handed in.

The rules are data (`rules/*.toml`, read by `rulebook.py`); `arithmetic.py` counts, `starts.py` says from when, `clock.py`
puts it together. The tool counts and reminds. Whether something has to be reported is for people to say. No legal advice.
"""
