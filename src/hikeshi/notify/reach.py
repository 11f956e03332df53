# SPDX-License-Identifier: Apache-2.0
"""How each person is reached, and in which language. What the tool derives, a person can correct with a reason."""

from collections.abc import Collection, Mapping
from typing import Final

from hikeshi.notify.addresses import AddressError, kind_of, mailbox
from hikeshi.notify.corrections import Correction, Reach
from hikeshi.notify.lists import Contact, Language
from hikeshi.notify.person import Outcome

#: why an address is not written to although it could be
_WHY: Final[Mapping[str, Mapping[str, str]]] = {
    "none": {"en": "no address is known", "ja": "連絡先のメールアドレスが不明"},
    "bounced": {
        "en": "every mail to it came back, so a letter would, too",
        "ja": "このアドレス宛のメールはすべて不達で、通知も届かない見込み",
    },
    "expired": {
        "en": "its server took no mail for days, so a letter may not arrive, either",
        "ja": "相手サーバが数日間受け取らず、通知も届かないおそれ",
    },
    "unread": {"en": "nobody reads this address", "ja": "送信専用などで、読む人のいないアドレス"},
    "list": {
        "en": "a mailing list: who is on it is not known, and its archive may be public",
        "ja": "メーリングリスト。宛先の人が分からず、保存先が公開のおそれ",
    },
    "taken": {
        "en": "this mailbox was taken over: somebody else may read it",
        "ja": "乗っ取られた当のメールボックス。第三者が読むおそれ",
    },
}
_NONE: Final = Contact()


def contact_of(table: Mapping[str, Contact], person: str) -> Contact:
    """Give what the table of contacts says of a person, filled up from the line of their domain."""
    own, everybody = table.get(person, _NONE), table.get(f"@{person.rpartition('@')[2]}", _NONE)
    return Contact(
        own.name, own.language or everybody.language, own.phone or everybody.phone, own.post or everybody.post
    )


def reach_of(
    address: str,
    outcome: Outcome | None,
    contact: Contact,
    decided: Correction | None,
    taken: Collection[str],
    key: str,
) -> tuple[Reach, Mapping[str, str]]:
    """Say how a person is reached, and why if not by mail. `taken` are the mailboxes taken over, as persons."""
    if decided is not None and decided.reach is not None:
        if decided.reach != "mail":
            return decided.reach, dict.fromkeys(("en", "ja"), f"{decided.why} ({decided.who})")
        # A decision cannot make an address of what is none, and no notice goes to where the intruder may read it.
        why = _unwritable(address) or (_WHY["taken"] if key in taken else None)
    else:
        why = _unwritable(address) or _unread(address, outcome, taken=key in taken)
    if why is None:
        return "mail", {}
    return "phone" if contact.phone else "post" if contact.post else "substitute", why


def language_of(address: str, usual: Language) -> Language:
    """Give the language that an address is written to in, where no table says one: Japanese for .jp."""
    return "ja" if address.rstrip(".").lower().endswith(".jp") else usual


def _unwritable(address: str) -> Mapping[str, str] | None:
    if not address:
        return _WHY["none"]
    try:
        mailbox(address)
    except AddressError as error:
        return error.says
    return None


def _unread(address: str, outcome: Outcome | None, *, taken: bool) -> Mapping[str, str] | None:
    if taken:
        return _WHY["taken"]
    kind = kind_of(address)
    if kind in ("unread", "list"):
        return _WHY[kind]
    return _WHY[outcome] if outcome in ("bounced", "expired") else None
