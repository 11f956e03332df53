# SPDX-License-Identifier: Apache-2.0
"""What a directory holds of a target: the account to lock, a forward to take away, and what is only shown.

An entry says when it was last changed, not which of its attributes: so what changed since the first sign is shown, and
a forward is taken away only if the evidence names where it goes.
"""

from collections.abc import Iterator
from typing import Final

from hikeshi.contain.connectors.ldap.flavours import Flavour
from hikeshi.contain.connectors.ldap.options import Options
from hikeshi.contain.connectors.ldap.rights import is_own
from hikeshi.contain.connectors.ldap.server import Found, Server
from hikeshi.contain.contract import Look, Phase, Shown, Step, Target, Words

NAME: Final = "ldap"
#: attributes that hold a login name and no address: the part before the @ is looked for
_LOCAL: Final = frozenset({"uid", "samaccountname"})


def look(server: Server, options: Options, flavour: Flavour, target: Target) -> Look:
    """Find the account of a target and what hangs on it; touches nothing."""
    found = _entries(server, options, flavour, target)
    accounts = [entry for entry in found if not _classes(entry) & flavour.no_accounts]
    shown = [_shown(target, entry.dn, _LIST) for entry in found if entry not in accounts]
    if not accounts:
        return Look(shown=tuple(shown), gaps=(_absent(options, target),))
    if len(accounts) > 1:
        shown += [_shown(target, entry.dn, _SEVERAL) for entry in accounts]
        return Look(shown=tuple(shown), gaps=(_ambiguous(target, len(accounts)),))
    entry = accounts[0]
    if is_own(server, flavour, entry):
        return Look(shown=(*shown, _shown(target, entry.dn, _OURSELVES)))
    if flavour.identity == "objectGUID" and not _may_disable(entry):
        shown.append(_shown(target, entry.dn, _PROTECTED))
        return Look(shown=tuple(shown), gaps=flavour.gaps)
    steps = [*_shutting(options, flavour, target, entry), *_forwards(options, flavour, target, entry)]
    shown += [
        *_other_forwards(options, flavour, target, entry, steps),
        *_groups(server, options, flavour, target, entry),
    ]
    return Look(steps=tuple(steps), shown=tuple(shown), gaps=(*flavour.gaps, _forward_gap(options, flavour)))


def _entries(server: Server, options: Options, flavour: Flavour, target: Target) -> list[Found]:
    local, _, domain = target.account.rpartition("@")
    wanted = ""
    for name in options.mail_attributes:
        if name.lower() in _LOCAL:
            # alice@ of another company is not our alice.
            if not target.own_domains or domain in target.own_domains:
                wanted += f"({name}={server.escaped(local)})"
        else:
            wanted += f"({name}={server.escaped(target.account)})"
            wanted += f"({name}=smtp:{server.escaped(target.account)})" if name.lower() == "proxyaddresses" else ""
    reads = (*flavour.reads, *flavour.forwards, *options.forward_attributes)
    return server.search(options.base, f"(&{flavour.accounts}(|{wanted}))", reads) if wanted else []


def _shutting(options: Options, flavour: Flavour, target: Target, entry: Found) -> Iterator[Step]:
    """Give the password before the lock: OpenLDAP takes a lock away with a new password."""
    detail = {"id": flavour.identify(entry), "dn": entry.dn}
    why = _why_lock(entry)
    for again in range(flavour.resets if options.reset_password else 0):
        yield Step(NAME, "password", Phase.STOP, target.account, "again" if again else None,
                   flavour.reset_request.format(dn=entry.dn), _WHY_AGAIN if again else _WHY_PASSWORD, None, detail)  # fmt: skip
    yield Step(NAME, "lock", Phase.STOP, target.account, None,
               flavour.lock_request.format(dn=entry.dn), why, flavour.undo_lock, detail)  # fmt: skip


def _forwards(options: Options, flavour: Flavour, target: Target, entry: Found) -> Iterator[Step]:
    named = {_address(one) for one in target.forwards}
    for name in options.forward_attributes:
        for value in entry.texts(name):
            if _address(value) in named and _outside(value, target) and _changed_since(flavour, target, entry):
                yield Step(
                    NAME, "forward", Phase.CLEAN, target.account, f"{name}={value}",
                    f"modify {entry.dn}: delete {name}: {value}", _WHY_FORWARD, _UNDO_FORWARD,
                    {"id": flavour.identify(entry), "dn": entry.dn, "attribute": name, "value": value},
                )  # fmt: skip


def _other_forwards(
    options: Options, flavour: Flavour, target: Target, entry: Found, steps: list[Step]
) -> Iterator[Shown]:
    taken = {step.object for step in steps}
    for name in dict.fromkeys((*options.forward_attributes, *flavour.forwards)):
        for value in entry.texts(name):
            if f"{name}={value}" not in taken and _outside(value, target) and _changed_since(flavour, target, entry):
                what = {
                    "en": f"mail also goes to {value} ({name}); the entry was changed {entry.text(flavour.changed)}",
                    "ja": f"メールは {value} にも届く({name})。エントリの最終変更は {entry.text(flavour.changed)}",
                }
                yield Shown(NAME, target.account, f"{name}={value}", what, _NOT_NAMED)


def _groups(server: Server, options: Options, flavour: Flavour, target: Target, entry: Found) -> Iterator[Shown]:
    """Show the groups of the account that were changed since the first sign."""
    members = "".join(f"({name}={server.escaped(entry.dn)})" for name in flavour.groups)
    wanted = f"(&(|{members})({flavour.changed}>={flavour.stamp(target.since)}))"
    for group in server.search(options.base, wanted, (flavour.changed,)):
        what = {
            "en": f"the account is a member of {group.dn}, which was changed {group.text(flavour.changed)}",
            "ja": f"アカウントは {group.dn} のメンバー。このグループの最終変更は {group.text(flavour.changed)}",
        }
        yield Shown(NAME, target.account, group.dn, what, _GROUP)


def _changed_since(flavour: Flavour, target: Target, entry: Found) -> bool:
    """Tell whether the entry was changed since the first sign, or does not say when it was."""
    changed = entry.text(flavour.changed)
    return changed is None or changed[:14] >= flavour.stamp(target.since)[:14]


def _address(value: str) -> str:
    return value.rpartition(":")[2].strip().lower()


def _outside(value: str, target: Target) -> bool:
    address = _address(value)
    return "@" in address and address.rpartition("@")[2] not in {domain.lower() for domain in target.own_domains}


def _classes(entry: Found) -> set[str]:
    return {name.lower() for name in entry.texts("objectClass")}


def _may_disable(entry: Found) -> bool:
    return "useraccountcontrol" in {name.lower() for name in entry.texts("allowedAttributesEffective")}


def _why_lock(entry: Found) -> Words:
    if not entry.texts("servicePrincipalName"):
        return _WHY_LOCK
    return {
        "en": f"{_WHY_LOCK['en']}; a service runs under this account (servicePrincipalName) and will stop",
        "ja": f"{_WHY_LOCK['ja']}。このアカウントで動くサービス(servicePrincipalName)も止まる",
    }


def _shown(target: Target, dn: str, words: tuple[Words, Words]) -> Shown:
    return Shown(NAME, target.account, dn, *words)


def _absent(options: Options, target: Target) -> Words:
    attributes = ", ".join(options.mail_attributes)
    return {
        "en": f"no account with {target.account} as {attributes} below {options.base}: nothing is locked there",
        "ja": f"{options.base} 以下に {attributes} が {target.account} のアカウントがなく、ここでは何もロックしない",
    }


def _ambiguous(target: Target, count: int) -> Words:
    return {
        "en": f"{count} accounts have {target.account}: none is locked; name base or mail_attributes more closely",
        "ja": f"{target.account} のアカウントが {count} 件あり、どれもロックしない。base か mail_attributes を絞ること",
    }


def _forward_gap(options: Options, flavour: Flavour) -> Words:
    read = ", ".join(dict.fromkeys((*options.forward_attributes, *flavour.forwards)))
    return {
        "en": f"forwards kept in other attributes than {read}, and who joined a group when, are not seen; of an entry "
        "the directory says only when it was last changed",
        "ja": f"{read} 以外の属性にある転送と、グループに加わった時刻は見えない。ディレクトリはエントリの最終変更時刻しか示さない",
    }


_WHY_LOCK: Final[Words] = {
    "en": "nobody can sign in with this account, whatever password is known",
    "ja": "どのパスワードを知っていても、このアカウントではサインインできなくなる",
}
_WHY_PASSWORD: Final[Words] = {
    "en": "the stolen password becomes worthless for good; the new one is random and known to nobody, so the help desk "
    "gives the owner another. It cannot be taken back",
    "ja": "盗まれたパスワードを無効にする。新しいパスワードは乱数で誰も知らない。所有者にはヘルプデスクが別のものを渡す。元には戻せない",
}
_WHY_AGAIN: Final[Words] = {
    "en": "for an hour a domain still lets in the password before the last, and that is the stolen one until this step",
    "ja": "ドメインは一つ前のパスワードを 1 時間は受け入れる。この手順を終えるまで、それは盗まれたパスワードである",
}
_WHY_FORWARD: Final[Words] = {
    "en": "mail of the account was seen going there, outside the company, and the entry was changed since the first sign",
    "ja": "このアカウントのメールが社外のこの宛先に流れたことが確認され、エントリは最初の兆候の後に変更されている",
}
_UNDO_FORWARD: Final[Words] = {"en": "the value is added again", "ja": "値を再び加える"}
_NOT_NAMED: Final[Words] = {
    "en": "no evidence names this address as a forward, or forward_attributes does not name the attribute",
    "ja": "この宛先への転送を示す証拠がないか、forward_attributes にこの属性がない",
}
_GROUP: Final[Words] = {
    "en": "the directory does not say when this member was added",
    "ja": "このメンバーがいつ加えられたかはディレクトリからは分からない",
}
_LIST: Final = (
    {
        "en": "this entry has the address and is a list or an alias",
        "ja": "このアドレスを持つリストまたは別名のエントリ",
    },
    {"en": "nobody signs in with it", "ja": "サインインに使われるものではない"},
)
_SEVERAL: Final = (
    {"en": "this account has the address, and is not the only one", "ja": "このアドレスを持つ複数のアカウントの一つ"},
    {"en": "which one is meant is not clear", "ja": "どれを指すのか定まらない"},
)
_OURSELVES: Final = (
    {"en": "this is the account that hikeshi itself uses", "ja": "hikeshi 自身が使うアカウント"},
    {"en": "hikeshi would lock itself out; a person must do it", "ja": "hikeshi が締め出されるため、人が行うこと"},
)
_PROTECTED: Final = (
    {
        "en": "this account is out of reach: hikeshi may not write its userAccountControl",
        "ja": "このアカウントには手が届かない。hikeshi は userAccountControl を変更できない",
    },
    {
        "en": "if it is a member of a protected group (adminCount=1), that is as it should be: an administrator must "
        "disable it now, by hand",
        "ja": "保護されたグループのメンバー(adminCount=1)であれば正しい状態。管理者が今すぐ手で無効にすること",
    },
)
