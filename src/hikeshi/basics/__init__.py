# SPDX-License-Identifier: Apache-2.0
"""What every room may use: errors, time zones, named SQL. Knows no mail and imports nothing of ours."""
