# SPDX-License-Identifier: Apache-2.0
"""Secrets: read from the environment, a private file or the keyring, and kept so that none is shown by accident.

A settings file names where a secret is, never the secret: NAME_env, NAME_file or NAME_keyring.
"""

import hmac
import os
import stat
from collections.abc import Mapping
from pathlib import Path
from typing import Any, Final, NoReturn, Self

from hikeshi.basics.errors import UsageError

#: the ways to name a secret
WAYS: Final = ("env", "file", "keyring")


class Secret:
    """A text that only `reveal` gives: it is neither printed nor formatted, pickled nor serialised."""

    __slots__ = ("__text",)

    def __init__(self, text: str) -> None:
        self.__text = text

    def reveal(self) -> str:
        """Give the text. Keep it no longer than the call that needs it."""
        return self.__text

    def __repr__(self) -> str:
        return "<secret>"

    def __format__(self, form: str) -> str:
        return format(repr(self), form)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and hmac.compare_digest(_bytes(self), _bytes(other))

    def __hash__(self) -> int:
        return hash(self.__text)

    def __copy__(self) -> Self:
        return self

    def __deepcopy__(self, _: object) -> Self:
        return self

    def __reduce__(self) -> NoReturn:
        raise TypeError("a secret is not pickled")


def _bytes(secret: Secret) -> bytes:
    # A variable may hold bytes that are no UTF-8.
    return secret.reveal().encode("utf-8", "surrogateescape")


def resolve(table: Mapping[str, Any], name: str, where: str, folder: Path) -> Secret | None:
    """Read the secret `name` from where the table says, None where it says nothing.

    NAME_env names a variable; NAME_file a file that only its owner may read, relative to `folder`; NAME_keyring is
    "service/user" of the system's keyring. `where` begins each error, for example "--channels FILE: [mail]".

    Raises:
        UsageError: more than one way is named, or what it names is not there, empty, or for others to read.

    """
    named = [way for way in WAYS if f"{name}_{way}" in table]
    if not named:
        return None
    if len(named) > 1:
        raise UsageError(f"{where} {name}: named more than once; keep one of {', '.join(f'{name}_{w}' for w in named)}")
    way = named[0]
    place = table[f"{name}_{way}"]
    begin = f"{where} {name}_{way}:"
    if not isinstance(place, str):
        raise UsageError(f"{begin} must be a text")
    found = {"env": _from_environment, "file": _from_file, "keyring": _from_keyring}[way](place, begin, folder)
    return Secret(found)


def text_of(path: Path, *, private: bool = False) -> str:
    """Give a file's text; with `private` only if nobody but its owner may read it.

    Raises:
        UsageError: it cannot be read, is not in UTF-8, or is for others to read.

    """
    try:
        with path.open(encoding="utf-8-sig") as file:
            if private and stat.S_IMODE(os.fstat(file.fileno()).st_mode) & 0o077:
                raise UsageError(f"{path}: a secret that others may read; chmod 600 {path}")
            return file.read()
    except OSError as error:
        raise UsageError(f"{path}: {error.strerror}; name a file that can be read") from error
    except UnicodeDecodeError:
        # The error holds the bytes, and they may be a secret.
        raise UsageError(f"{path}: not in UTF-8") from None


def _from_environment(variable: str, begin: str, _: Path) -> str:
    if not os.environ.get(variable):
        raise UsageError(f"{begin} the variable {variable} is not set")
    return os.environ[variable]


def _from_file(file: str, begin: str, folder: Path) -> str:
    place = folder / file
    if not (text := text_of(place, private=True).strip()):
        raise UsageError(f"{begin} {place} is empty")
    return text


def _from_keyring(place: str, begin: str, _: Path) -> str:
    service, _slash, user = place.rpartition("/")
    if not service or not user:
        raise UsageError(f'{begin} write it as "service/user"')
    try:
        import keyring  # noqa: PLC0415 - an extra
        from keyring.errors import KeyringError  # noqa: PLC0415 - as above
    except ImportError as error:
        raise UsageError(f"{begin} needs a library: pip install 'hikeshi[keyring]'") from error
    try:
        text = keyring.get_password(service, user)
    except KeyringError as error:
        raise UsageError(
            f"{begin} the keyring does not answer ({type(error).__name__}); unlock or install one"
        ) from error
    if not text:
        raise UsageError(f"{begin} the keyring has nothing there; put it in with: keyring set {service} {user}")
    return text
