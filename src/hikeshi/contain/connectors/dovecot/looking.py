# SPDX-License-Identifier: Apache-2.0
"""What Dovecot shows of an account before anything is done: its names, its mailbox, and what cannot be seen."""

from pathlib import Path

from hikeshi.contain.connectors.dovecot import deny, kick, quarantine, sieve
from hikeshi.contain.connectors.dovecot.doveadm import Doveadm, expanded, plain
from hikeshi.contain.contract import Copies, Look, RefusedError, Shown, Target, Words

#: settings of scripts that run for every account, beside its own
_FOR_ALL = ("sieve_before", "sieve_after", "sieve_default", "sieve_global")


def looked(doveadm: Doveadm, folder: str, target: Target) -> Look:
    """Plan for an account, and for every mailbox of ours that got the lure.

    Raises:
        ConnectorError: Dovecot cannot be asked, or LaterError.

    """
    # Asked once: with the lure in hundreds of mailboxes, each program that is started counts.
    known = any(plain(name) for name in (target.account, *(one.mailbox for one in target.copies)))
    pattern = (known and doveadm.setting("auth_username_format")) or "%u"
    parts = [_access(doveadm, target, pattern), *(_copies(doveadm, folder, one, pattern) for one in target.copies)]
    return Look(
        tuple(step for part in parts for step in part.steps),
        tuple(shown for part in parts for shown in part.shown),
        tuple(gap for part in parts for gap in part.gaps),
    )


def _access(doveadm: Doveadm, target: Target, pattern: str) -> Look:
    names = _names(doveadm, target.account, pattern)
    if not names:
        return Look(gaps=(_unknown(target.account),))
    gaps = [_not_in_dovecot(target.account), *_for_all(doveadm), *_masters(doveadm)]
    steps = []
    try:
        steps.append(deny.planned(doveadm, target.account, names))
    except RefusedError as error:
        gaps.append(
            {"en": f"New sign-ins are not refused: {error}", "ja": f"新しいサインインを拒否できません: {error}"}
        )
    steps.append(kick.planned(target.account, names))
    rules = sieve.look(doveadm, target, names[0])
    return Look((*steps, *rules.steps), (*rules.shown, *_forward(doveadm, target.account)), (*gaps, *rules.gaps))


def _copies(doveadm: Doveadm, folder: str, copies: Copies, pattern: str) -> Look:
    name = expanded(pattern, copies.mailbox) if plain(copies.mailbox) else None
    if name is None or doveadm.home(name) is None:
        return Look(gaps=(_unknown(copies.mailbox),))
    return Look((quarantine.planned(name, copies, folder),) if copies.message_ids else ())


def _names(doveadm: Doveadm, account: str, pattern: str) -> tuple[str, ...]:
    """Give the names under which one signs in to a mailbox: the account as Dovecot writes it, and without its domain.

    The latter only where both have one home folder: else it is somebody else, or nobody.
    """
    if not plain(account):
        return ()
    name = expanded(pattern, account)
    home = doveadm.home(name)
    if home is None:
        return ()
    local = name.partition("@")[0]
    return (name, local) if local not in ("", name) and home and doveadm.home(local) == home else (name,)


def _unknown(account: str) -> Words:
    return {
        "en": f"Dovecot does not know {account}, so nothing is done there; it may be an alias or lie elsewhere.",
        "ja": f"Dovecot に {account} はなく、ここでは何もしません。別名か、別のサーバーのアカウントかもしれません。",
    }


def _not_in_dovecot(account: str) -> Words:
    return {
        "en": f"SMTP connections of {account} to Postfix are no sessions of Dovecot's; the postfix connector sees to them.",
        "ja": f"{account} の Postfix への SMTP 接続は Dovecot からは見えません。postfix コネクターで扱います。",
    }


def _for_all(doveadm: Doveadm) -> list[Words]:
    found = [f"{name} = {value}" for name in _FOR_ALL if (value := doveadm.setting(f"plugin/{name}"))]
    if not found:
        return []
    told = ", ".join(found)
    return [
        {
            "en": f"Sieve scripts for all accounts were not looked into: {told}.",
            "ja": f"全アカウント共通の Sieve スクリプトは調べていません: {told}。",
        }
    ]


def _masters(doveadm: Doveadm) -> list[Words]:
    if not doveadm.setting("auth_master_user_separator"):
        return []
    return [
        {
            "en": "Dovecot has master users; one of them could still sign in as this account.",
            "ja": "Dovecot にはマスターユーザーがあり、このアカウントとしてサインインできます。",
        }
    ]


def _forward(doveadm: Doveadm, account: str) -> list[Shown]:
    home = doveadm.home(account)
    file = Path(home) / ".forward" if home else None
    if file is None or not file.is_file():
        return []
    return [
        Shown(
            "dovecot",
            account,
            str(file),
            {"en": f"{file} may send mail elsewhere", "ja": f"{file} はメールを転送するかもしれません"},
            {
                "en": "Only Postfix's local delivery reads it, and the owner may have made it: look into it.",
                "ja": "Postfix の local 配送だけが読みます。本人が作った可能性もあるため、確認してください。",
            },
        )
    ]
