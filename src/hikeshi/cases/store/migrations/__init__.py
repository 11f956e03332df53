# SPDX-License-Identifier: Apache-2.0
"""The steps from an empty database to the schema of today, for Alembic."""
