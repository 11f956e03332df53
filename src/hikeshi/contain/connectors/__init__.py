# SPDX-License-Identifier: Apache-2.0
"""The far sides that we know. Adding one is one module or package here and one line in the tuple.

Outsiders come in by the entry-point group `hikeshi.connectors`: each entry names a `Plugin`. Plugins do not know one another.
"""

from importlib.metadata import entry_points

from hikeshi.contain.connectors import dovecot, google, ldap, m365, postfix
from hikeshi.contain.contract import Plugin

CONNECTORS: tuple[Plugin, ...] = (dovecot.PLUGIN, postfix.PLUGIN, ldap.PLUGIN, m365.PLUGIN, google.PLUGIN)


def all_plugins() -> tuple[Plugin, ...]:
    """Give our connectors and those that other packages bring."""
    return CONNECTORS + tuple(entry.load() for entry in entry_points(group="hikeshi.connectors"))
