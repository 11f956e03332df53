# SPDX-License-Identifier: Apache-2.0
"""Hold that our account may do what the connector does, and nothing that would be a second door.

A directory does not list what an account may do. Asked is what can be asked without touching anything: who we are, whether
we read what only a manager reads, and in Active Directory what we may write.
"""

import struct
from typing import Final

from hikeshi.contain.connectors.ldap.flavours import Flavour
from hikeshi.contain.connectors.ldap.options import Options
from hikeshi.contain.connectors.ldap.server import Found, Server
from hikeshi.contain.contract import ConnectorError

_INSTEAD: Final = "hikeshi does not start with more than it understands; make an account with what its setup prints"
#: groups that own a domain or its servers, by the last part of the SID ([MS-DTYP] 2.4.2.4, well-known SIDs)
_MIGHTY: Final = {
    512: "Domain Admins",
    518: "Schema Admins",
    519: "Enterprise Admins",
    520: "Group Policy Creator Owners",
    544: "Administrators",
    548: "Account Operators",
    549: "Server Operators",
    551: "Backup Operators",
}
#: what may be written of an account: our flag, and what belongs to setting a password
_WRITTEN: Final = frozenset({"useraccountcontrol", "pwdlastset", "unicodepwd"})


def hold(server: Server, options: Options, flavour: Flavour) -> None:
    """Hold that our account on this server is what the connector needs.

    Raises:
        ConnectorError: it may do too much, or too little.
        LaterError: the server does not answer.

    """
    if flavour.identity == "objectGUID":
        _hold_ad(server, options)
    else:
        _hold_openldap(server, options)


def is_own(server: Server, flavour: Flavour, entry: Found) -> bool:
    """Tell whether an entry is our own account."""
    if flavour.identity == "objectGUID":
        return bool(set(entry.values.get("objectsid", ())) & set(_sids(server)))
    return entry.dn.lower() == server.who_am_i().lower()


def _hold_openldap(server: Server, options: Options) -> None:
    name = server.who_am_i()
    if not name:
        raise ConnectorError(f"{server.url} let {options.bind} in as nobody; look at the bind DN")
    if server.search("cn=config", "(objectClass=*)", ("cn",), only_base=True):
        raise ConnectorError(f"{name} may read the configuration of {server.url}; {_INSTEAD}")
    # Its own password everybody may read who may change it.
    for entry in server.some(options.base, "(userPassword=*)", ("userPassword",), 2):
        if entry.dn.lower() != name.lower() and entry.texts("userPassword"):
            raise ConnectorError(
                f"{name} may read passwords below {options.base}, as the directory's manager (rootDN) does; {_INSTEAD}"
            )
    wanted = "".join(f"({attribute}=*)" for attribute in options.mail_attributes)
    if not any(entry.text("entryUUID") for entry in server.some(options.base, f"(|{wanted})", ("entryUUID",), 1)):
        raise ConnectorError(
            f"{name} finds no entry with {' or '.join(options.mail_attributes)} below {options.base}; "
            "look at base, or give it the rights that its setup prints"
        )


def _hold_ad(server: Server, options: Options) -> None:
    sids = _sids(server)
    mighty = [_MIGHTY[rid] for rid in map(_rid, sids) if rid in _MIGHTY]
    if mighty:
        raise ConnectorError(f"{options.bind} is a member of {', '.join(mighty)}; {_INSTEAD}")
    me = _own_ad(server, options, sids)
    if me is not None and me.text("adminCount") == "1":
        raise ConnectorError(f"{options.bind} has adminCount=1: it is, or was, in a protected group; {_INSTEAD}")
    if more := _writable(server.search(options.base, "(objectClass=*)", _WRITABLE, only_base=True)):
        raise ConnectorError(f"{options.bind} may write {', '.join(sorted(more))} of {options.base} itself; {_INSTEAD}")
    # Of our own entry we may write what everybody may write of his.
    others = "".join(f"(!(objectSid={_literally(sid)}))" for sid in sids)
    wanted = f"(&(objectCategory=person)(objectClass=user)(!(adminCount=1)){others})"
    written = _writable(server.some(options.base, wanted, _WRITABLE, 1))
    if "useraccountcontrol" not in written:
        raise ConnectorError(
            f"{options.bind} may not write userAccountControl of the accounts below {options.base}; "
            "give it the rights that its setup prints"
        )
    if more := written - _WRITTEN - {name.lower() for name in options.forward_attributes}:
        raise ConnectorError(f"{options.bind} may also write {', '.join(sorted(more)[:9])} of accounts; {_INSTEAD}")


_WRITABLE: Final = ("allowedAttributesEffective",)


def _writable(entries: list[Found]) -> set[str]:
    return {name.lower() for entry in entries for name in entry.texts("allowedAttributesEffective")}


def _sids(server: Server) -> tuple[bytes, ...]:
    """Give the SIDs that we are known by: our own and those of our groups, nested ones included."""
    root = server.search("", "(objectClass=*)", ("tokenGroups",), only_base=True)
    sids = root[0].values.get("tokengroups", ()) if root else ()
    if not sids:
        raise ConnectorError(f'{server.url} does not say who we are; is it Active Directory? flavour says "ad"')
    return sids


def _own_ad(server: Server, options: Options, sids: tuple[bytes, ...]) -> Found | None:
    wanted = "".join(f"(objectSid={_literally(sid)})" for sid in sids)
    found = server.search(_domain(options.base), f"(&(objectClass=user)(|{wanted}))", ("objectGUID", "adminCount"))
    return next(iter(found), None)


def _domain(base: str) -> str:
    """Give the part of a DN that is the domain: our own account need not stand below the base."""
    at = base.lower().find("dc=")
    return base[at:] if at >= 0 else base


def _rid(sid: bytes) -> int:
    return int(struct.unpack("<I", sid[-4:])[0]) if len(sid) > 8 else 0


def _literally(value: bytes) -> str:
    return "".join(f"\\{byte:02x}" for byte in value)
