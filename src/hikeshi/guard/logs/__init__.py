# SPDX-License-Identifier: Apache-2.0
"""Logs that are being written: followed through rotation, read by the evidence code, told as events."""
