# SPDX-License-Identifier: Apache-2.0
"""Closing the door: from the case to actions with receipts. Plan, approve, run, verify, undo; the plan alone is the default."""
