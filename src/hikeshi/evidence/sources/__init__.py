# SPDX-License-Identifier: Apache-2.0
"""The sources that we know, in order of trial. Adding one is one file and one line here.

Outsiders come in by the entry-point group `hikeshi.sources`: each entry names a `Source`.
"""

from importlib.metadata import entry_points

from hikeshi.evidence.source import Source
from hikeshi.evidence.sources.dovecot import DOVECOT
from hikeshi.evidence.sources.postfix import POSTFIX

SOURCES: tuple[Source, ...] = (POSTFIX, DOVECOT)


def all_sources() -> tuple[Source, ...]:
    """Give our sources and those that other packages bring."""
    return SOURCES + tuple(entry.load() for entry in entry_points(group="hikeshi.sources"))
