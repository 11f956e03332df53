# SPDX-License-Identifier: Apache-2.0
"""LDAP: OpenLDAP and Active Directory.

python-ldap (extra `ldap`) speaks the protocol: it is maintained, and it is OpenLDAP's own library. ldap3, the pure one,
had its last release in 2021 and uses what the pyasn1 of today has deprecated.
"""

from typing import Final

from hikeshi.contain.connectors.ldap.connector import FLAVOURS, Ldap
from hikeshi.contain.connectors.ldap.looking import NAME
from hikeshi.contain.connectors.ldap.options import REQUIRED, SETTINGS, checked
from hikeshi.contain.connectors.ldap.permissions import setup, teardown
from hikeshi.contain.contract import Plugin, Settings


def _connect(settings: Settings) -> Ldap:
    return Ldap(checked(settings))


def _setup(settings: Settings) -> str:
    options = checked(settings)
    return setup(options, FLAVOURS[options.flavour])


def _teardown(settings: Settings, execute: bool) -> str:
    options = checked(settings)
    words = teardown(options, FLAVOURS[options.flavour])
    return f"{words}# Nothing was taken away: hikeshi's account has no right over rights.\n" if execute else words


PLUGIN: Final = Plugin(
    name=NAME,
    settings=SETTINGS,
    connect=_connect,
    setup=_setup,
    teardown=_teardown,
    required=REQUIRED,
    secrets=("password",),
)
