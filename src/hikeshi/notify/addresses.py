# SPDX-License-Identifier: Apache-2.0
"""Which addresses are one person, which can be written to, and which have no person behind them.

Addresses are compared as scope/reach.sql counts people: without their case, and without a +tag. Addresses come from
strangers' logs and from lists people typed: none becomes a header before it has passed `mailbox`.
"""

import re
import unicodedata
from functools import lru_cache
from typing import Final, Literal

from hikeshi.basics.errors import HikeshiError

#: nobody reads what goes there; an answer would only come back or be dropped
_UNREAD: Final = frozenset(
    """
    noreply no-reply no_reply donotreply do-not-reply do_not_reply mailer-daemon bounce bounces nobody devnull null daemon
    autoreply auto-reply automailer
    """.split()  # noqa: SIM905 - lines of words read better
)
#: read by whoever is on duty: a letter is read there, but its reader is nobody whom we could name
_SHARED: Final = frozenset(
    """
    info sales support contact office hello help desk helpdesk service services postmaster hostmaster webmaster abuse
    security noc admin administrator billing accounts accounting invoice invoices order orders purchasing press pr hr
    recruit recruiting jobs reception soumu eigyo toiawase customer customers marketing privacy legal
    """.split()  # noqa: SIM905 - as above
)
#: one copy there becomes many, and maybe a page of a public archive
_LIST: Final = re.compile(
    r"^(all|everyone|everybody|staff|members|allstaff|all-staff|zenin|announce|newsletter)$|^(owner|list|ml)-"
    r"|[-_.](list|ml|all|members|announce|users|request|owner)$",
)
_LIST_HOST: Final = re.compile(r"^(lists?|ml|mailman|groups)\.")
#: RFC 5322 dot-atom; quoted local parts are rarer than the mistakes that look like them
_LOCAL: Final = re.compile(r"[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+(\.[A-Za-z0-9!#$%&'*+/=?^_`{|}~-]+)*")
_LABEL: Final = re.compile(r"[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?")
#: scripts whose letters pass for one another's
_ALIKE: Final = frozenset({"LATIN", "CYRILLIC", "GREEK", "ARMENIAN", "CHEROKEE", "COPTIC"})

#: what stands behind an address, as far as it shows
Kind = Literal["person", "shared", "unread", "list"]


class AddressError(HikeshiError):
    """No mail can be sent to this address as it stands. `says` is why, in both languages."""

    def __init__(self, address: str, says: dict[str, str]) -> None:
        super().__init__(f"{shown(address)}: {says['en']}")
        self.says = says


def person_of(address: str) -> str:
    """Give what a person is known by: the address without its case, without a +tag, its domain in ASCII if it has one."""
    local, at, domain = address.strip().lower().rpartition("@")
    if not at:
        return domain
    bare = local.partition("+")[0] or local
    return f"{bare}@{_ascii(domain) or domain}"


def mailbox(address: str) -> str:
    """Give the address as mail is sent to it: the local part as it is, the domain lower-cased and in ASCII (IDNA).

    Raises:
        AddressError: it would end a header, is none, or nobody could say which domain is meant.

    """
    text = address.strip(" ")
    if any(unicodedata.category(one) in ("Cc", "Cf", "Zl", "Zp", "Cs") for one in text):
        raise AddressError(
            address, _words("has a line break or an invisible character", "改行または見えない文字を含む")
        )
    local, at, domain = text.rpartition("@")
    if not at or not local or not domain:
        raise AddressError(address, _words("is no mail address", "メールアドレスではない"))
    if not local.isascii():
        raise AddressError(
            address,
            _words(
                "its local part is not ASCII, which few servers take (SMTPUTF8)",
                "@より前がASCIIではなく、受け取れるサーバが限られる(SMTPUTF8)",
            ),
        )
    if not _LOCAL.fullmatch(local) or len(local) > 64:
        raise AddressError(address, _words("is no mail address", "メールアドレスではない"))
    if mixed_scripts(_unicode(domain)):
        raise AddressError(
            address,
            _words(
                "its domain mixes scripts whose letters look alike; let a person see which is meant",
                "ドメインに見分けのつかない異なる文字体系が混在。人が確認すること",
            ),
        )
    plain = _ascii(domain)
    if plain is None:
        raise AddressError(address, _words("its domain is none", "ドメインとして成り立たない"))
    return f"{local}@{plain}"


def kind_of(address: str) -> Kind:
    """Say what stands behind an address, by what people usually call such."""
    local, _, domain = person_of(address).rpartition("@")
    if local in _UNREAD or local.startswith(("bounce-", "bounces-", "noreply-", "no-reply-")):
        return "unread"
    if _LIST.search(local) or _LIST_HOST.match(domain):
        return "list"
    return "shared" if local in _SHARED else "person"


def mixed_scripts(text: str) -> bool:
    """Say whether one word of the text mixes scripts whose letters look alike; Kanji beside Latin letters do not."""
    for word in re.split(r"[\s.\-_・]+", text):
        found = {unicodedata.name(one, "?").partition(" ")[0] for one in word if one.isalpha()}
        if len(found & _ALIKE) > 1:
            return True
    return False


def shown(text: str) -> str:
    """Give a text from a stranger so that it moves no cursor: what is not printable is escaped."""
    return "".join(one if one.isprintable() else ascii(one)[1:-1] for one in text)


@lru_cache(maxsize=10_000)
def _ascii(domain: str) -> str | None:
    """Give a domain in ASCII, None if it is none."""
    import idna  # noqa: PLC0415 - its tables take longer to load than most commands take

    name = domain.lower().rstrip(".")
    try:
        plain = name if name.isascii() else idna.encode(name, uts46=True).decode("ascii")
    except (idna.IDNAError, UnicodeError):
        return None
    labels = plain.split(".")
    return plain if len(plain) < 254 and len(labels) > 1 and all(map(_LABEL.fullmatch, labels)) else None


@lru_cache(maxsize=10_000)
def _unicode(domain: str) -> str:
    import idna  # noqa: PLC0415 - as above

    try:
        return idna.decode(domain) if "xn--" in domain.lower() else domain
    except (idna.IDNAError, UnicodeError):
        return domain


def _words(en: str, ja: str) -> dict[str, str]:
    return {"en": en, "ja": ja}
