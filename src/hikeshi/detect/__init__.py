# SPDX-License-Identifier: Apache-2.0
"""Evidence to findings: which accounts sent what their owners would not have sent, and why we say so."""
