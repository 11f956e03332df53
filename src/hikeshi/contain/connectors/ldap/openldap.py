# SPDX-License-Identifier: Apache-2.0
"""OpenLDAP: locked by the ppolicy overlay, a new password by RFC 3062.

The lock is the attribute pwdAccountLockedTime (draft-behera-ldap-password-policy, 5.3.3). It can be written where it has
no effect: slapd lets the account in as before unless the overlay stands over this database and the policy in force has
pwdLockout TRUE. So the attribute proves nothing, and slapd itself is asked whether the account is usable.
"""

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from typing import Final

from hikeshi.contain.connectors.ldap.flavours import Flavour, new_password
from hikeshi.contain.connectors.ldap.server import Change, ChangedError, Found, Server, UnaskedError
from hikeshi.contain.contract import State

_LOCK: Final = "pwdAccountLockedTime"
#: locked for good, not by failures and not for a while
_FOR_GOOD: Final = "000001010000Z"
_READS: Final = (_LOCK, "pwdChangedTime", "modifiersName", "modifyTimestamp", "entryUUID")


def _read(server: Server, base: str, identity: str) -> State | None:
    wanted = f"(entryUUID={server.escaped(identity)})"
    overlay = True
    try:
        found = server.search(base, wanted, _READS, usable=True)
    except UnaskedError:
        overlay = False
        found = server.search(base, wanted, _READS)
    if not found:
        return None
    entry = found[0]
    own = (entry.text("modifiersName") or "").lower() == server.who_am_i().lower()
    return {
        "dn": entry.dn,
        _LOCK: entry.text(_LOCK),
        "usable": entry.usable,
        "overlay": overlay,
        "pwdChangedTime": entry.text("pwdChangedTime"),
        "changed_by_us": entry.text("modifyTimestamp") if own else None,
    }


def _locked(state: State) -> bool | None:
    if state[_LOCK] != _FOR_GOOD or not state["overlay"] or state["usable"]:
        return False
    return True if state["usable"] is False else None


def _lock(state: State) -> list[Change]:
    if state[_LOCK] == _FOR_GOOD:
        return []
    return [(_LOCK, _values(state[_LOCK]), _values(_FOR_GOOD))]


def _unlock(now: State, before: State) -> list[Change] | None:
    if now[_LOCK] == before[_LOCK]:
        return []
    if now[_LOCK] != _FOR_GOOD:
        return None
    return [(_LOCK, _values(_FOR_GOOD), _values(before[_LOCK]))]


def _password_set(state: State) -> datetime | None:
    """Say when the password was set; where no overlay keeps that time, our own last change of the entry stands for it."""
    said = state["pwdChangedTime"] or (None if state["overlay"] else state["changed_by_us"])
    return None if said is None else datetime.strptime(said[:14], "%Y%m%d%H%M%S").replace(tzinfo=UTC)


def _set_password(server: Server, state: State) -> None:
    server.set_password(state["dn"], new_password())
    if state[_LOCK] == _FOR_GOOD:
        # The overlay takes a lock away with a new password (seen with 2.5): put it back.
        with suppress(ChangedError):
            server.modify(state["dn"], [(_LOCK, (), _values(_FOR_GOOD))])


def _stamp(time: datetime) -> str:
    return time.astimezone(UTC).strftime("%Y%m%d%H%M%SZ")


def _values(value: str | None) -> tuple[bytes, ...]:
    return () if value is None else (value.encode(),)


def _identify(entry: Found) -> str:
    return entry.text("entryUUID") or ""


_SESSIONS: Final[Mapping[str, str]] = {
    "en": "services that have asked this directory before let open sessions go on; they are closed at those services",
    "ja": "このディレクトリで認証済みの各サービスでは開いたセッションが続く。切断はそのサービス側で行う",
}

OPENLDAP: Final = Flavour(
    name="OpenLDAP",
    identity="entryUUID",
    accounts="(objectClass=*)",
    # Not by the filter: where a class is not in the schema, slapd finds nothing that lacks it.
    no_accounts=frozenset({"groupofnames", "groupofuniquenames", "nismailalias"}),
    changed="modifyTimestamp",
    reads=("entryUUID", "modifyTimestamp", "objectClass"),
    groups=("member", "uniqueMember"),
    forwards=("mailForwardingAddress", "mailRoutingAddress", "maildrop", "gosaMailForwardingAddress"),
    identify=_identify,
    read=_read,
    locked=_locked,
    lock=_lock,
    unlock=_unlock,
    password_set=_password_set,
    set_password=_set_password,
    stamp=_stamp,
    lock_request=f"modify {{dn}}: add {_LOCK}: {_FOR_GOOD} (delete the value read before, if any, in the same modify)",
    reset_request="password modify (RFC 3062) {dn}: newPasswd <secret>",
    resets=1,
    gaps=(_SESSIONS,),
    undo_lock={
        "en": f"{_LOCK} is set back to what was read, or taken away",
        "ja": f"{_LOCK} を変更前の値に戻す(なかった場合は削除する)",
    },
)
