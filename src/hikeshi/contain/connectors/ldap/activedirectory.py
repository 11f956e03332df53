# SPDX-License-Identifier: Apache-2.0
"""Active Directory: disabled by the flag ACCOUNTDISABLE, a new password by unicodePwd, which wants TLS.

pwdLastSet is left as the server sets it. Setting it to 0, so that the next sign-in must change the password, would
force nobody, since nobody knows the password; it would wipe out the only time that proves the reset, and a password that
has to be changed is by default not carried over to Entra ID, where the stolen one would then live on.

It is set twice, in two steps with a proof each: the password before the last is still let in for an hour, by Windows
over NTLM (OldPasswordAllowedPeriod, Microsoft's article 906305) and by Samba in every way.
"""

from collections.abc import Mapping
from datetime import UTC, datetime, timedelta
from typing import Final

from hikeshi.contain.connectors.ldap.flavours import Flavour, new_password
from hikeshi.contain.connectors.ldap.server import Change, Found, Server
from hikeshi.contain.contract import State

_CONTROL: Final = "userAccountControl"
_ACCOUNTDISABLE: Final = 0x2
#: pwdLastSet counts tenths of a microsecond from here
_EPOCH: Final = datetime(1601, 1, 1, tzinfo=UTC)


def _read(server: Server, base: str, identity: str) -> State | None:
    del base  # an objectGUID is found wherever the entry has been moved to
    found = server.search(f"<GUID={identity}>", "(objectClass=*)", (_CONTROL, "pwdLastSet"), only_base=True)
    if not found:
        return None
    entry = found[0]
    return {"dn": entry.dn, _CONTROL: entry.text(_CONTROL), "pwdLastSet": entry.text("pwdLastSet")}


def _flags(state: State) -> int | None:
    return None if state[_CONTROL] is None else int(state[_CONTROL])


def _locked(state: State) -> bool | None:
    flags = _flags(state)
    return None if flags is None else bool(flags & _ACCOUNTDISABLE)


def _lock(state: State) -> list[Change]:
    return _with(state, _ACCOUNTDISABLE)


def _unlock(now: State, before: State) -> list[Change] | None:
    flags = _flags(before)
    # Only our flag: what an administrator has set beside it since stays.
    return None if flags is None else _with(now, flags & _ACCOUNTDISABLE)


def _with(state: State, disable: int) -> list[Change]:
    flags = _flags(state)
    if flags is None or flags & _ACCOUNTDISABLE == disable:
        return []
    new = (flags & ~_ACCOUNTDISABLE) | disable
    # Deleting the old value makes it a condition. Samba does not heed it; there a second change within these
    # milliseconds is lost.
    return [(_CONTROL, (b"%d" % flags,), (b"%d" % new,))]


def _password_set(state: State) -> datetime | None:
    ticks = int(state["pwdLastSet"] or 0)
    return _EPOCH + timedelta(microseconds=ticks // 10) if ticks else None


def _set_password(server: Server, state: State) -> None:
    server.replace(state["dn"], "unicodePwd", f'"{new_password()}"'.encode("utf-16-le"))


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%S.0Z")


def _identify(entry: Found) -> str:
    return next(iter(entry.values.get("objectguid", ())), b"").hex()


_SESSIONS: Final[Mapping[str, str]] = {
    "en": "Kerberos tickets that were given out before last until they run out, by default 10 hours; services that "
    "have signed the account in before let open sessions go on",
    "ja": "発行済みの Kerberos チケットは期限(既定では 10 時間)まで有効。認証済みの各サービスの開いたセッションも続く",
}

AD: Final = Flavour(
    name="Active Directory",
    identity="objectGUID",
    accounts="(&(objectCategory=person)(objectClass=user))",
    no_accounts=frozenset(),
    changed="whenChanged",
    reads=(
        "objectGUID",
        "objectSid",
        "whenChanged",
        "servicePrincipalName",
        "adminCount",
        "allowedAttributesEffective",
    ),
    groups=("member",),
    forwards=("altRecipient", "targetAddress", "msExchGenericForwardingAddress"),
    identify=_identify,
    read=_read,
    locked=_locked,
    lock=_lock,
    unlock=_unlock,
    password_set=_password_set,
    set_password=_set_password,
    stamp=_stamp,
    lock_request=f"modify {{dn}}: {_CONTROL} from the value read to the same with 0x2 (ACCOUNTDISABLE), in one modify",
    reset_request="modify {dn}: replace unicodePwd: <secret>",
    resets=2,
    gaps=(_SESSIONS,),
    undo_lock={
        "en": f"the flag ACCOUNTDISABLE of {_CONTROL} is taken away again, unless it was read before",
        "ja": f"{_CONTROL} の ACCOUNTDISABLE フラグを外す(変更前から立っていた場合は残す)",
    },
)
