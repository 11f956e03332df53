# SPDX-License-Identifier: Apache-2.0
"""The model message by message: what is kept of an account, what a mail weighs, what is suspected."""
