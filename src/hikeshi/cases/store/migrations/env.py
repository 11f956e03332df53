# SPDX-License-Identifier: Apache-2.0
"""What Alembic runs before the steps: it takes them on the connection and in the transaction that it is given."""

from alembic import context

from hikeshi.cases.store.schema import METADATA, VERSION_TABLE

context.configure(
    connection=context.config.attributes["connection"],
    target_metadata=METADATA,
    version_table=VERSION_TABLE,
    transactional_ddl=True,
)
context.run_migrations()
