# SPDX-License-Identifier: Apache-2.0
"""Postfix's hold queue: what the guard holds in it, released and dropped with receipts."""
