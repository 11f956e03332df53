# SPDX-License-Identifier: Apache-2.0
"""What letters, bulletins and forms have in common: facts in words, asks, and what is checked before anything goes out."""
