# SPDX-License-Identifier: Apache-2.0
"""What is found about an account in Google: steps, what is left alone, and what cannot be seen.

Removed is only what is suspicious. An application's grant is, where the token audit log tells that it was given in the
time in question; an application password, where it was made in that time. Google gives no time for the settings of a mailbox,
so these are judged by what they do (suspicion.py). Backup codes go together: whoever was in the account may have read them.
"""

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import partial
from typing import Final

from hikeshi.contain.connectors.google import calls, listed
from hikeshi.contain.connectors.google.answers import GoneError
from hikeshi.contain.connectors.google.client import Client, Thing
from hikeshi.contain.connectors.google.copies import searchable
from hikeshi.contain.connectors.google.mailbox import settings
from hikeshi.contain.connectors.google.operation import NAME, asked, instant, words, written
from hikeshi.contain.contract import Look, Phase, RefusedError, Shown, Step, Target, Words

_Found = Step | Shown

NO_LIST: Final = words(
    "Google's API lists neither open sessions nor second factors, passkeys and recovery addresses; changes of them are "
    "shown from the audit log as far as it reaches, and the audit log is some minutes late",
    "Google の API は有効なセッション、2 段階認証の手段、パスキー、再設定先を一覧できません。変更は監査ログの範囲で表示し、監査ログには数分の遅れがあります",
)
OTHER_DOOR: Final = words(
    "whether people of this domain sign in by another identity provider cannot be seen here; if so, change the password "
    "and end the sessions there, too",
    "別の ID プロバイダー経由のサインインかどうかはここでは分かりません。その場合は、そちらでもパスワード変更とセッション終了が必要です",
)

#: how long Google keeps the audit logs that are read here
_KEPT: Final = timedelta(days=180)
TOO_LONG_AGO: Final = words(
    "Google keeps its audit logs for 180 days: grants and changes of before then are shown without a time",
    "Google の監査ログの保存期間は 180 日です。それより前の許可や変更の時刻は分かりません",
)


def look(client: Client, target: Target) -> Look:
    """Find what is to be done for a target; touches nothing.

    Raises:
        RefusedError: the account is a super administrator, or the one that hikeshi acts for.
        LaterError, ConnectorError: Google cannot be asked.

    """
    account = target.account.lower()
    try:
        user = client.call(calls.GET_USER, account).body
    except GoneError:
        return Look(
            gaps=(words(f"Google knows no account {account}", f"Google に {account} というアカウントはありません"),)
        )
    primary = str(user["primaryEmail"])
    if user.get("isAdmin") or primary.lower() == client.admin.lower():
        raise RefusedError(
            f"{account} is a super administrator or the one that hikeshi acts for, and is not touched",
            "let a second super administrator act by hand in the Admin console",
        )
    step = partial(_step, account, primary)
    found: list[_Found] = [
        step("password", Phase.STOP, asked(calls.PATCH_USER, primary, _PASSWORD), *_WHY_PASSWORD),
        step("sign-out", Phase.CLOSE, asked(calls.SIGN_OUT, primary), *_WHY_SESSIONS),
        *_grants(client, target, primary),
        *_app_passwords(client, target, primary),
        *_codes(client, account, primary),
        *_changed(client, target, primary),
    ]
    gaps = [NO_LIST, OTHER_DOOR]
    if target.until - target.since > _KEPT:
        gaps.append(TOO_LONG_AGO)
    if user.get("suspended"):
        gaps.append(_closed(primary))
    else:
        mailbox, blind = _mailbox(client, target, primary)
        found += mailbox
        gaps += blind
        request = asked(calls.PATCH_USER, primary, {"suspended": True})
        found.append(step("suspend", Phase.SEAL, request, *_WHY_SUSPEND))
    copies, unseen = _copies(client, target)
    steps = [one for one in (*found, *copies) if isinstance(one, Step)]
    shown = [one for one in found if isinstance(one, Shown)]
    return Look(tuple(sorted(steps, key=lambda one: one.phase)), tuple(shown), (*gaps, *unseen))


_PASSWORD: Final = {"password": "<secret>", "changePasswordAtNextLogin": True}
_WHY_PASSWORD: Final = (
    words("the other hand knows the password", "第三者がパスワードを知っています"),
    None,
)
_WHY_SESSIONS: Final = (
    words("sessions of the other hand may be open", "第三者のセッションが残っている可能性があります"),
    None,
)
_WHY_SUSPEND: Final = (
    words(
        "last of all, since nobody can clean the mailbox of a suspended account: the account stays shut until it is handed back",
        "停止したアカウントのメールボックスは片付けられないため、最後に停止し、引き渡しまで閉じておきます",
    ),
    words("suspended: false", "停止を解除"),
)


def _step(
    account: str,
    primary: str,
    operation: str,
    phase: Phase,
    request: str,
    why: Words,
    undo: Words | None,
    thing: str | None = None,
    detail: Thing | None = None,
) -> Step:
    return Step(NAME, operation, phase, account, thing, request, why, undo, {"user": primary, **(detail or {})})


def _grants(client: Client, target: Target, primary: str) -> Iterator[_Found]:
    since = {"eventName": "authorize", "startTime": written(target.since.astimezone(UTC))}
    granted: dict[str, str] = {}
    for one in client.pages(calls.ACTIVITIES, primary, "items", since, {"applicationName": "token"}):
        for event in one.get("events", []):
            held = {each["name"]: each.get("value") for each in event.get("parameters", [])}
            granted[str(held.get("client_id"))] = str(one["id"]["time"])
    for row in listed.rows(client, primary, listed.TOKEN):
        key = str(row["clientId"])
        name = f"{row.get('displayText') or key}: {', '.join(row.get('scopes', []))}"
        if key in granted:
            why = words(
                f"access for {name}, granted at {granted[key]}, in the time in question",
                f"{name} へのアクセスが当該期間内（{granted[key]}）に許可されました",
            )
            request = asked(calls.DELETE_TOKEN, primary, names={"clientId": key})
            yield _step(target.account.lower(), primary, "token", Phase.CLOSE, request, why, None, key)
        else:
            yield Shown(
                NAME,
                target.account.lower(),
                f"token {key}",
                words(f"access for {name}", f"{name} へのアクセス"),
                words(
                    "the audit log tells of no grant in the time in question",
                    "監査ログには当該期間の許可の記録がありません",
                ),
            )


def _app_passwords(client: Client, target: Target, primary: str) -> Iterator[_Found]:
    for row in listed.rows(client, primary, listed.APP_PASSWORD):
        key, made = str(row["codeId"]), _epoch(str(row.get("creationTime", "0")))
        name = f"“{row.get('name')}”, {made.isoformat() if made else 'at an unknown time'}"
        if made is None or made >= target.since:
            why = words(f"application password {name}", f"アプリパスワード {name}")
            request = asked(calls.DELETE_ASP, primary, names={"codeId": key})
            yield _step(target.account.lower(), primary, "app-password", Phase.CLOSE, request, why, None, key)
        else:
            yield Shown(
                NAME,
                target.account.lower(),
                f"app-password {key}",
                words(f"application password {name}", f"アプリパスワード {name}"),
                words("made before the time in question", "当該期間より前に作成されました"),
            )


def _epoch(text: str) -> datetime | None:
    """Read seconds or milliseconds since 1970, which the API does not tell apart; 0 means that Google does not know."""
    number = int(text) if text.isdigit() else 0
    return datetime.fromtimestamp(number / (1000 if number > 10**11 else 1), UTC) if number else None


def _codes(client: Client, account: str, primary: str) -> Iterator[_Found]:
    if client.pages(calls.LIST_CODES, primary, "items"):
        why = words(
            "whoever was in the account may have read its backup codes; the owner makes new ones",
            "侵入者がバックアップコードを読んだ可能性があります。本人が新しく作成します",
        )
        yield _step(account, primary, "backup-codes", Phase.CLOSE, asked(calls.INVALIDATE_CODES, primary), why, None)


def _changed(client: Client, target: Target, primary: str) -> Iterator[_Found]:
    """Show what the audit log tells of second factors, recovery and passwords."""
    since = {"startTime": written(target.since.astimezone(UTC))}
    for one in client.pages(calls.ACTIVITIES, primary, "items", since, {"applicationName": "user_accounts"}):
        for event in one.get("events", []):
            at = instant(one["id"]["time"]).isoformat()
            yield Shown(
                NAME,
                target.account.lower(),
                f"{event['name']} {at}",
                words(
                    f"{event['name']} at {at} from {one.get('ipAddress', 'an unknown place')}",
                    f"{event['name']}（{at}、{one.get('ipAddress', '接続元不明')}）",
                ),
                words(
                    "the API cannot take it back; go through it with the owner in the Admin console",
                    "API では取り消せません。管理コンソールで本人と確認してください",
                ),
            )


def _mailbox(client: Client, target: Target, primary: str) -> tuple[list[_Found], list[Words]]:
    try:
        return list(settings(client, target, partial(_step, target.account.lower(), primary), primary)), []
    except RefusedError as error:
        return [], [
            words(
                f"the mailbox of {primary} cannot be read: {error}",
                f"{primary} のメールボックスを読めません: {error}",
            )
        ]


def _closed(primary: str) -> Words:
    return words(
        f"{primary} is suspended already, and nobody can stand in for a suspended account: filters, forwarding, delegates "
        "and other settings of the mailbox were not seen; run what is planned here, then lift the suspension and plan again",
        f"{primary} は既に停止されており、停止中のアカウントは代行できないため、フィルタ、転送、委任などの設定は確認できていません。"
        "まずこの計画を実行し、停止を解除してから計画し直してください",
    )


def _copies(client: Client, target: Target) -> tuple[list[Step], list[Words]]:
    """Plan the removal of the lure's copies from mailboxes that can be opened."""
    steps, gaps = [], []
    for one in target.copies:
        mailbox = one.mailbox.lower()
        try:
            user = client.call(calls.GET_USER, mailbox).body
        except (GoneError, RefusedError) as error:
            gaps.append(
                words(f"copies in {mailbox} cannot be removed: {error}", f"{mailbox} のコピーは削除できません: {error}")
            )
            continue
        primary = str(user["primaryEmail"])
        if user.get("suspended"):
            gaps.append(
                words(
                    f"copies in {mailbox} cannot be removed: the account is suspended",
                    f"{mailbox} は停止中のため、コピーを削除できません",
                )
            )
            continue
        for message_id in one.message_ids:
            if searchable(message_id):
                steps.append(_copy(mailbox, primary, message_id))
            else:
                gaps.append(
                    words(
                        f"a copy in {mailbox} has a Message-ID that cannot be searched for safely: {message_id!r}",
                        f"{mailbox} のコピーの Message-ID は安全に検索できません: {message_id!r}",
                    )
                )
    return steps, gaps


def _copy(mailbox: str, primary: str, message_id: str) -> Step:
    request = f"{asked(calls.FIND, primary)}?q=rfc822msgid:{message_id}; {asked(calls.TRASH, primary, names={'id': '{each}'})}"
    why = words("a copy of the lure lies here", "誘導メールのコピーがここにあります")
    undo = words("out of the bin, with its labels", "ゴミ箱から戻し、ラベルも元に戻します")
    return _step(mailbox, primary, "copies", Phase.PURGE, request, why, undo, message_id)
