# SPDX-License-Identifier: Apache-2.0
"""Rehearsals: an invented organisation, its honest mail, a takeover, and the truth beside the logs."""
