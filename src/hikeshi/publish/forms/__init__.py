# SPDX-License-Identifier: Apache-2.0
"""What authorities and the management get: each only its part, drawn from the facts, with what is still missing.

`forms.py` fills the items of a form, `brief.py` is the one page for the management. Whether a report is needed is for a
person to decide (`hikeshi clocks decide`); nothing here ever says that it is not.
"""
