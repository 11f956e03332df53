# SPDX-License-Identifier: Apache-2.0
"""The settings of one mailbox, each as a step where it is suspicious, and shown where it is not."""

from collections.abc import Callable, Iterator
from typing import Final

from hikeshi.contain.connectors.google import calls, listed, suspicion
from hikeshi.contain.connectors.google.client import Client, Thing
from hikeshi.contain.connectors.google.listed import Kind
from hikeshi.contain.connectors.google.operation import NAME, asked, words
from hikeshi.contain.contract import Phase, Shown, Step, Target, Words

#: (operation, phase, request, why, undo, object, detail) -> Step
Make = Callable[..., Step]

_CONFIRM: Final = words(
    "make it again; an outside address has to be confirmed by its owner",
    "作り直します。組織外のアドレスは所有者の確認が必要です",
)


def settings(client: Client, target: Target, make: Make, primary: str) -> Iterator[Step | Shown]:
    """Go through all settings.

    What uses an address goes before the address: a filter, then where it forwards to.

    Raises:
        RefusedError: the mailbox cannot be opened.

    """
    yield from _forwarding(client, target, make, primary)
    for row in listed.rows(client, primary, listed.FILTER):
        undo = words("make the filter again (it gets a new id)", "フィルタを作り直します（ID は変わります）")
        yield _one(
            target, make, primary, "filter", listed.FILTER, row, suspicion.filter_(row, target), _filter(row), undo
        )
    for row in listed.rows(client, primary, listed.ADDRESS):
        address = str(row["forwardingEmail"])
        what = words(f"mail may be forwarded to {address}", f"{address} への転送が許可されています")
        judged = suspicion.destination(address, target)
        yield _one(target, make, primary, "forwarding-address", listed.ADDRESS, row, judged, what, _CONFIRM)
    for row in listed.rows(client, primary, listed.DELEGATE):
        address = str(row["delegateEmail"])
        what = words(
            f"{address} may open the mailbox ({row.get('verificationStatus')})",
            f"{address} にメールボックスが委任されています（{row.get('verificationStatus')}）",
        )
        judged = suspicion.destination(address, target)
        undo = words("make the delegate again", "委任を作り直します")
        yield _one(target, make, primary, "delegate", listed.DELEGATE, row, judged, what, undo)
    yield from _addresses(client, target, make, primary)
    yield from _protocols(client, target, primary)


def _one(
    target: Target,
    make: Make,
    primary: str,
    operation: str,
    kind: Kind,
    row: Thing,
    judged: suspicion.Judged,
    what: Words,
    undo: Words,
) -> Step | Shown:
    key = str(row[kind.key])
    if not judged.suspicious:
        return _shown(target, f"{operation} {key}", what, judged.why)
    detail = {"thing": {name: row[name] for name in kind.kept if name in row}}
    request = asked(kind.delete, primary, names={kind.name: key})
    return make(operation, Phase.CLEAN, request, _joined(what, judged.why), undo, key, detail)


def _joined(what: Words, why: Words) -> Words:
    return {language: f"{what[language]}: {why[language]}" for language in what}


def _shown(target: Target, thing: str, what: Words, why_not: Words) -> Shown:
    return Shown(NAME, target.account.lower(), thing, what, why_not)


def _filter(row: Thing) -> Words:
    text = f"{row.get('criteria') or {}} → {row.get('action') or {}}"
    return words(f"filter {text}", f"フィルタ {text}")


def _forwarding(client: Client, target: Target, make: Make, primary: str) -> Iterator[Step | Shown]:
    held = client.call(calls.GET_FORWARDING, primary).body
    if not held.get("enabled"):
        return
    address = str(held.get("emailAddress"))
    what = words(f"all mail is forwarded to {address}", f"すべてのメールが {address} に転送されています")
    judged = suspicion.destination(address, target)
    if judged.suspicious:
        request = asked(calls.PUT_FORWARDING, primary, {"enabled": False})
        undo = words("turn forwarding on again, once the address is there", "アドレスがあれば転送を再び有効にします")
        yield make("auto-forwarding", Phase.CLEAN, request, _joined(what, judged.why), undo)
    else:
        yield _shown(target, "auto-forwarding", what, judged.why)


def _addresses(client: Client, target: Target, make: Make, primary: str) -> Iterator[Step | Shown]:
    for row in listed.rows(client, primary, listed.SEND_AS):
        address = str(row["sendAsEmail"])
        removed = False
        if not row.get("isPrimary"):
            judged = suspicion.destination(address, target)
            removed = judged.suspicious
            what = words(f"mail may be sent as {address}", f"{address} として送信できます")
            yield _one(target, make, primary, "send-as", listed.SEND_AS, row, judged, what, _CONFIRM)
        if (to := str(row.get("replyToAddress") or "")) and not removed:
            yield _reply_to(target, make, primary, address, to)


def _reply_to(target: Target, make: Make, primary: str, address: str, to: str) -> Step | Shown:
    what = words(f"answers to {address} go to {to}", f"{address} への返信は {to} に届きます")
    judged = suspicion.destination(to, target)
    if not judged.suspicious:
        return _shown(target, f"reply-to {address}", what, judged.why)
    request = asked(calls.PATCH_SEND_AS, primary, {"replyToAddress": ""}, names={"sendAsEmail": address})
    undo = words(f"let answers go to {to} again", f"返信先を {to} に戻します")
    return make("reply-to", Phase.CLEAN, request, _joined(what, judged.why), undo, address)


def _protocols(client: Client, target: Target, primary: str) -> Iterator[Shown]:
    """Show what gives no sign of another hand by itself: IMAP, POP, an automatic reply with a link."""
    harmless = words(
        "without a way in it gives nobody anything; ask the owner whether it is needed",
        "侵入経路がなければ害はありません。必要かどうか本人に確認してください",
    )
    if client.call(calls.GET_IMAP, primary).body.get("enabled"):
        yield _shown(target, "imap", words("IMAP is on", "IMAP が有効です"), harmless)
    if client.call(calls.GET_POP, primary).body.get("accessWindow") in ("fromNowOn", "allMail"):
        yield _shown(target, "pop", words("POP is on", "POP が有効です"), harmless)
    held = client.call(calls.GET_VACATION, primary).body
    if held.get("enableAutoReply") and suspicion.has_link(
        str(held.get(name) or "") for name in ("responseSubject", "responseBodyPlainText", "responseBodyHtml")
    ):
        yield _shown(
            target,
            "vacation",
            words("the automatic reply carries a link", "自動返信にリンクが含まれています"),
            words(
                "it may be the owner's own; read it with the owner",
                "本人のものかもしれません。本人と内容を確認してください",
            ),
        )
