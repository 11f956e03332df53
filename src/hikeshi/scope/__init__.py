# SPDX-License-Identifier: Apache-2.0
"""Evidence to extents: whom an incident reached, and where its list of recipients came from."""
