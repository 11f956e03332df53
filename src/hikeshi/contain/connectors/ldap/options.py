# SPDX-License-Identifier: Apache-2.0
"""What the connectors file says of a directory, checked before anything is asked of it."""

import ipaddress
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Final
from urllib.parse import unquote, urlsplit

from hikeshi.contain.contract import ConnectorError, Settings

if TYPE_CHECKING:
    from hikeshi.basics.secrets import Secret

SETTINGS: Final[dict[str, type]] = {
    "urls": list,
    "flavour": str,
    "bind": str,
    "base": str,
    "mail_attributes": list,
    "forward_attributes": list,
    "ca_file": str,
    "starttls": bool,
    "reset_password": bool,
}
REQUIRED: Final = ("urls", "flavour", "bind", "base")
#: how an address is found where the settings do not say; each is indexed by default or by its vendor's advice
MAIL_ATTRIBUTES: Final = {"openldap": ("mail",), "ad": ("userPrincipalName", "mail", "proxyAddresses")}


@dataclass(frozen=True, slots=True)
class Options:
    """One directory: its servers, our account, where accounts are and by which attributes an address is found.

    `urls` are all servers that let people in: what is done is verified at each. `forward_attributes` are those from
    which a forward may be taken. With `reset_password` off the password is left alone, and so is the right to set it.
    """

    urls: tuple[str, ...]
    flavour: str
    bind: str
    password: "Secret"
    base: str
    mail_attributes: tuple[str, ...]
    forward_attributes: tuple[str, ...] = ()
    ca_file: str | None = None
    starttls: bool = True
    reset_password: bool = True


def checked(settings: Settings) -> Options:
    """Read the settings.

    Raises:
        ConnectorError: they make no sense, or would send the password in the clear over a network.

    """
    flavour = settings["flavour"]
    if flavour not in MAIL_ATTRIBUTES:
        raise ConnectorError(f'ldap: flavour is "openldap" or "ad", not {flavour!r}')
    urls = _texts(settings, "urls")
    if not urls:
        raise ConnectorError("ldap: urls names no server; name every server that lets people in")
    options = Options(
        urls=urls,
        flavour=flavour,
        bind=settings["bind"],
        password=settings["password"],
        base=settings["base"],
        mail_attributes=_texts(settings, "mail_attributes") or MAIL_ATTRIBUTES[flavour],
        forward_attributes=_texts(settings, "forward_attributes"),
        ca_file=settings.get("ca_file"),
        starttls=settings.get("starttls", True),
        reset_password=settings.get("reset_password", True),
    )
    for url in urls:
        _hold_private(url, options)
    return options


def _texts(settings: Settings, name: str) -> tuple[str, ...]:
    values: Any = settings.get(name, [])
    if not all(isinstance(value, str) for value in values):
        raise ConnectorError(f"ldap: {name} is a list of texts")
    return tuple(values)


def _hold_private(url: str, options: Options) -> None:
    """Refuse what would show the password to a network: ldap:// is for StartTLS, or for this machine."""
    parts = urlsplit(url)
    if parts.scheme not in ("ldaps", "ldap", "ldapi") or not parts.netloc:
        raise ConnectorError(
            f"ldap: {url!r} is no address of a server; write ldaps://HOST, ldap://HOST or ldapi://PATH"
        )
    if parts.scheme == "ldap" and not options.starttls and not _here(parts.hostname or ""):
        raise ConnectorError(
            f"ldap: {url} without StartTLS would send the password in the clear; write ldaps:// or leave starttls on"
        )


def _here(host: str) -> bool:
    """Tell whether a host is this machine; a name is believed only if it is localhost, whatever it resolves to."""
    try:
        return ipaddress.ip_address(unquote(host)).is_loopback
    except ValueError:
        return host == "localhost"
