# SPDX-License-Identifier: Apache-2.0
"""The centre: what is known. Rooms hand in entries; the case folder keeps and shows them."""
