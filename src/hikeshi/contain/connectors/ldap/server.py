# SPDX-License-Identifier: Apache-2.0
"""One directory server: connect, search, change; what python-ldap raises, in the contract's words.

A read that finds its connection gone is made once more on a new one. A change never is: whether it was made is known
only by reading.
"""

import importlib
from collections.abc import Callable, Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from typing import Any, Final, TypeVar

from hikeshi.contain.connectors.ldap.options import Options
from hikeshi.contain.contract import ConnectorError, LaterError, RefusedError

#: seconds until a server must have let us connect, and until it must have answered
PATIENCE: Final = 10.0
#: "is this account usable?", asked with a search; from Sun's directory server, kept by OpenLDAP's ppolicy overlay
USABILITY: Final = "1.3.6.1.4.1.42.2.27.9.5.8"
T = TypeVar("T")
#: (attribute, values to delete, values to add); one modify is atomic, so a value deleted by name is a condition
Change = tuple[str, tuple[bytes, ...], tuple[bytes, ...]]


class ReferredError(ConnectorError):
    """A server that is only read, a replica: it takes no changes and may name another."""


class ChangedError(ConnectorError):
    """The entry is no longer as it was read: somebody else was faster."""


@dataclass(frozen=True, slots=True)
class Found:
    """An entry: its DN and the values asked for, by attribute in small letters. `usable` is None where nobody says."""

    dn: str
    values: Mapping[str, tuple[bytes, ...]]
    usable: bool | None = None

    def text(self, name: str) -> str | None:
        """Give the first value as text, None where there is none."""
        return next(iter(self.texts(name)), None)

    def texts(self, name: str) -> tuple[str, ...]:
        """Give all values as text."""
        return tuple(value.decode("utf-8", "replace") for value in self.values.get(name.lower(), ()))


class Server:
    """A server at `url`, bound as our account. Connects at the first call; `patience` is in seconds."""

    def __init__(self, url: str, options: Options, patience: float = PATIENCE) -> None:
        self.url = url
        self._options, self._patience = options, patience
        self._library = _library()
        self._connection: Any = None
        self._name: str | None = None

    def search(
        self, base: str, wanted: str, attributes: Sequence[str], *, only_base: bool = False, usable: bool = False
    ) -> list[Found]:
        """Give the entries below `base` (or `base` itself) that fit the filter `wanted`.

        With `usable` the server is asked of each whether it could sign in. A base that is not there holds nothing.

        Raises:
            UnaskedError: the server does not know how to say whether an account is usable.
            LaterError: no answer, or not now.
            ConnectorError: the search cannot be made.

        """
        ldap = self._library
        scope = ldap.SCOPE_BASE if only_base else ldap.SCOPE_SUBTREE
        controls = [ldap.controls.RequestControl(USABILITY, criticality=True)] if usable else []
        answers = {USABILITY: ldap.controls.ResponseControl}

        def ask(connection: Any) -> list[Found]:
            number = connection.search_ext(base, scope, wanted, list(attributes), serverctrls=controls)
            rows = connection.result4(number, 1, self._patience, add_ctrls=1, resp_ctrl_classes=answers)[1]
            return [_found(dn, values, extra) for dn, values, extra in rows if dn is not None]

        try:
            return self._read(ask)
        except ldap.NO_SUCH_OBJECT:
            return []
        except ldap.UNAVAILABLE_CRITICAL_EXTENSION as error:
            raise UnaskedError(f"{self.url} cannot tell whether an account is usable") from error
        except ldap.LDAPError as error:
            raise self._told(error, "a search") from None

    def some(self, base: str, wanted: str, attributes: Sequence[str], count: int) -> list[Found]:
        """Give at most `count` of the entries below `base` that fit, whichever come first; raises as `search`."""
        ldap = self._library

        def ask(connection: Any) -> list[Found]:
            page = ldap.controls.SimplePagedResultsControl(criticality=True, size=count, cookie="")
            number = connection.search_ext(base, ldap.SCOPE_SUBTREE, wanted, list(attributes), serverctrls=[page])
            rows = connection.result3(number, 1, self._patience)[1]
            return [_found(dn, values, ()) for dn, values in rows if dn is not None]

        try:
            return self._read(ask)
        except ldap.NO_SUCH_OBJECT:
            return []
        except ldap.LDAPError as error:
            raise self._told(error, "a search") from None

    def modify(self, dn: str, changes: Sequence[Change]) -> None:
        """Make changes to one entry: all of them or none.

        Raises:
            ChangedError: a value to delete is not there, or one to add is there already.
            ReferredError: this server takes no changes.
            LaterError: not now; after a lost connection nobody knows whether it was done.
            RefusedError: it will not be done.

        """
        ldap = self._library
        wire = []
        for name, gone, new in changes:
            wire += [(ldap.MOD_DELETE, name, list(gone))] if gone else []
            wire += [(ldap.MOD_ADD, name, list(new))] if new else []
        try:
            self._write(lambda connection: connection.modify_ext(dn, wire))
        except (ldap.NO_SUCH_ATTRIBUTE, ldap.TYPE_OR_VALUE_EXISTS) as error:
            raise ChangedError(f"{self.url}: {dn} is not as it was read: {_words(error)}") from None
        except ldap.LDAPError as error:
            if isinstance(error, ldap.CONSTRAINT_VIOLATION) and "multiple values" in _words(error):
                raise ChangedError(f"{self.url}: {dn} is not as it was read: {_words(error)}") from None
            raise self._told(error, f"a change of {dn}") from None

    def replace(self, dn: str, name: str, value: bytes) -> None:
        """Replace an attribute that nobody can read, whatever it holds; raises as `modify`."""
        ldap = self._library
        try:
            self._write(lambda connection: connection.modify_ext(dn, [(ldap.MOD_REPLACE, name, [value])]))
        except ldap.LDAPError as error:
            raise self._told(error, f"a change of {dn}") from None

    def set_password(self, dn: str, password: str) -> None:
        """Set a password by the extended operation of RFC 3062; raises as `modify`."""
        try:
            self._write(lambda connection: connection.passwd(dn, None, password))
        except self._library.LDAPError as error:
            raise self._told(error, f"a new password for {dn}") from None

    def who_am_i(self) -> str:
        """Give our own DN as the server writes it (RFC 4532), empty for nobody; raises as `search`."""
        if self._name is None:
            try:
                said = self._read(lambda connection: str(connection.whoami_s()))
            except self._library.LDAPError as error:
                raise self._told(error, '"who am I"') from None
            self._name = said.removeprefix("dn:")
        return self._name

    def escaped(self, value: str) -> str:
        """Write a value so that a filter takes it literally (RFC 4515)."""
        return str(self._library.filter.escape_filter_chars(value))

    def close(self) -> None:
        """Let go of the connection."""
        connection, self._connection = self._connection, None
        if connection is not None:
            with suppress(self._library.LDAPError):
                connection.unbind_ext_s()

    def _read(self, ask: Callable[[Any], T]) -> T:
        kept = self._connection is not None
        try:
            return self._ask(ask)
        except self._lost():
            self.close()
            if not kept:
                raise
        try:
            return self._ask(ask)
        except self._lost():
            self.close()
            raise

    def _ask(self, ask: Callable[[Any], T]) -> T:
        connection = self._connected()
        try:
            return ask(connection)
        except self._library.LDAPError:
            raise
        except BaseException:
            # Ctrl-C while python-ldap waits leaves its lock taken, and even a farewell would wait for that for ever.
            self._connection = None
            raise

    def _write(self, ask: Callable[[Any], int]) -> None:
        try:
            self._ask(lambda connection: connection.result3(ask(connection), 1, self._patience))
        except self._lost():
            self.close()
            raise

    def _lost(self) -> tuple[type[Exception], ...]:
        ldap = self._library
        return (ldap.SERVER_DOWN, ldap.TIMEOUT, ldap.CONNECT_ERROR, ldap.LOCAL_ERROR, ldap.DECODING_ERROR)

    def _connected(self) -> Any:
        if self._connection is None:
            self._connection = self._connect()
        return self._connection

    def _connect(self) -> Any:
        ldap, options = self._library, self._options
        connection = ldap.initialize(self.url)
        try:
            connection.set_option(ldap.OPT_NETWORK_TIMEOUT, self._patience)
            # A referral would be followed without our credentials, to wherever it points.
            connection.set_option(ldap.OPT_REFERRALS, 0)
            if not self.url.startswith("ldapi:"):
                if options.ca_file is not None:
                    connection.set_option(ldap.OPT_X_TLS_CACERTFILE, options.ca_file)
                connection.set_option(ldap.OPT_X_TLS_REQUIRE_CERT, ldap.OPT_X_TLS_DEMAND)
                connection.set_option(ldap.OPT_X_TLS_NEWCTX, 0)
                if self.url.startswith("ldap:") and options.starttls:
                    connection.start_tls_s()
            number = connection.simple_bind(options.bind, options.password.reveal())
            connection.result3(number, 1, self._patience)
        except (ldap.LDAPError, ValueError) as error:
            with suppress(ldap.LDAPError):
                connection.unbind_ext_s()
            raise self._unconnected(error) from None
        return connection

    def _unconnected(self, error: Exception) -> Exception:
        """Say why there is no connection; never with what was sent."""
        ldap = self._library
        if isinstance(error, ldap.INVALID_CREDENTIALS):
            return ConnectorError(f"{self.url} does not know {self._options.bind} by this password; see the settings")
        if isinstance(error, ldap.CONNECT_ERROR) or (isinstance(error, ValueError) and self._options.ca_file):
            return ConnectorError(
                f"no TLS with {self.url}: {_words(error)}; look at ca_file and the server's certificate"
            )
        return error

    def _told(self, error: Exception, what: str) -> ConnectorError:
        """Put an error of the library into the contract's words."""
        ldap, says = self._library, _words(error)
        if isinstance(error, ldap.REFERRAL) or "shadow context" in says:
            return ReferredError(f"{self.url} takes no changes: {says}")
        if isinstance(error, (*self._lost(), ldap.BUSY, ldap.UNAVAILABLE, ldap.TIMELIMIT_EXCEEDED)):
            return LaterError(f"{self.url}: no answer to {what}: {says}")
        if isinstance(error, ldap.INSUFFICIENT_ACCESS):
            return RefusedError(
                f"{self.url} refuses {what}: {says}", "give hikeshi's account the rights that its setup prints"
            )
        if isinstance(error, (ldap.CONFIDENTIALITY_REQUIRED, ldap.STRONG_AUTH_REQUIRED)):
            return RefusedError(f"{self.url} refuses {what} without TLS: {says}", "write ldaps:// in urls")
        if isinstance(error, (ldap.CONSTRAINT_VIOLATION, ldap.UNWILLING_TO_PERFORM, ldap.NO_SUCH_OBJECT)):
            return RefusedError(f"{self.url} refuses {what}: {says}", "let the directory's manager do it")
        return ConnectorError(f"{self.url}: {what} failed: {says}")


class UnaskedError(ConnectorError):
    """The server has no password policy in this place, so it cannot say whether an account is usable."""


def _found(dn: str, values: Mapping[str, list[bytes]], extra: Sequence[Any]) -> Found:
    usable = next((_usable(one.encodedControlValue) for one in extra if one.controlType == USABILITY), None)
    return Found(dn, {name.lower(): tuple(value) for name, value in values.items()}, usable)


def _usable(value: bytes) -> bool | None:
    """Read an answer about usability: [0] is available, [1] is not, with reasons.

    Not usable counts only if it stays so: seconds until it is unlocked, [4], are -1. A lock that ends by itself, or a
    password that has run out, is nothing to rely on, so that is None.
    """
    if value[:1] == b"\x80":
        return True
    return False if value.endswith(b"\x84\x01\xff") else None


def _words(error: Exception) -> str:
    """Give what the server or the library says, on one line and short."""
    told = error.args[0] if error.args else ""
    if isinstance(told, dict):
        told = " ".join(str(told[key]) for key in ("desc", "info") if told.get(key))
    return " ".join(str(told).split())[:300] or type(error).__name__


def _library() -> Any:
    """Import python-ldap, which is an extra."""
    try:
        library = importlib.import_module("ldap")
        for name in ("controls", "controls.libldap", "filter"):
            importlib.import_module(f"ldap.{name}")
    except ImportError:
        raise ConnectorError(
            "the connector for LDAP needs python-ldap: pip install 'hikeshi[ldap]' (on Debian first apt-get install "
            "build-essential python3-dev libldap-dev libsasl2-dev)"
        ) from None
    return library
