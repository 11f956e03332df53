# SPDX-License-Identifier: Apache-2.0
"""Far sides for tests and rehearsals: clouds that keep state and misbehave on request. Needs `hikeshi[testing]`."""
