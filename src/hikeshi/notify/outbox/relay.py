# SPDX-License-Identifier: Apache-2.0
"""The relay that takes letters, and one connection to it.

SMTP has one window that no client can close: when the connection goes while the end of a message is on its way, nobody
knows whether it was taken. That is told as `open` and never tried again by itself; all else is certain.
"""

import socket
import ssl
from contextlib import suppress
from dataclasses import dataclass
from typing import Final, Literal

import aiosmtplib

from hikeshi.basics.errors import HikeshiError, UsageError
from hikeshi.basics.secrets import Secret
from hikeshi.notify.outbox.turns import Outcome

#: TLS from the first byte (RFC 8314)
_SUBMISSIONS: Final = 465
#: the relay closes the connection with this reply (RFC 5321, 3.8)
_CLOSING: Final = 421


class RelayError(HikeshiError):
    """The relay cannot be used, so no letter has left on this try."""


@dataclass(frozen=True, slots=True)
class Relay:
    """Where letters are handed in. `timeout` is seconds for every reply but the last, `patience` for the last one of a letter.

    TLS "auto": none on loopback, from the first byte on port 465, elsewhere STARTTLS where it is offered. With a password it is
    never without, but on loopback, and the certificate must be proven.
    """

    host: str
    port: int = 25
    tls: Literal["auto", "none", "starttls", "implicit"] = "auto"
    user: str | None = None
    password: Secret | None = None
    timeout: float = 30.0
    patience: float = 300.0
    cafile: str | None = None

    def __post_init__(self) -> None:
        if (self.user is None) != (self.password is None):
            raise UsageError("relay: a user needs a password, and a password a user")
        if self.tls == "none" and self.password is not None and not self._near:
            raise UsageError(f"relay {self.host}: a password does not go there without TLS; leave tls at auto")

    @property
    def _near(self) -> bool:
        return self.host in ("localhost", "::1") or self.host.startswith("127.")

    def client(self) -> aiosmtplib.SMTP:
        """Give a client that is not connected yet."""
        implicit = self.tls == "implicit" or (self.tls == "auto" and self.port == _SUBMISSIONS)
        must = self.tls == "starttls" or (self.password is not None and not self._near)
        without = implicit or self.tls == "none" or (self._near and self.tls == "auto")
        proven = must or (implicit and not self._near)
        # Made only where it may be used: it reads all certificates of the system.
        context = ssl.create_default_context(cafile=self.cafile) if implicit or not without else None
        if context is not None and not proven:
            context.check_hostname, context.verify_mode = False, ssl.CERT_NONE
        return aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=None if self.password is None else self.password.reveal(),
            # The default asks the DNS, and everything waits meanwhile.
            local_hostname=socket.gethostname(),
            use_tls=implicit,
            start_tls=False if without else (True if must else None),
            tls_context=context,
            timeout=self.timeout,
        )


class Line:
    """One connection to the relay, opened when it is needed and again when it has gone."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._smtp: aiosmtplib.SMTP | None = None

    async def open(self) -> None:
        """Connect and sign in, unless we are.

        Raises:
            RelayError: that did not work.

        """
        if self._smtp is not None and self._smtp.is_connected:
            return
        where = f"relay {self._relay.host}:{self._relay.port}"
        smtp = self._relay.client()
        try:
            await smtp.connect()
        except aiosmtplib.SMTPResponseException as error:
            smtp.close()
            what = "does not let us in" if isinstance(error, aiosmtplib.SMTPAuthenticationError) else "does not want us"
            raise RelayError(f"{where}: it {what} ({error.code}); see its log, then run again") from None
        except (aiosmtplib.SMTPException, OSError) as error:
            smtp.close()
            raise RelayError(
                f"{where}: cannot be reached ({type(error).__name__}); check host, port and tls, then run again"
            ) from error
        self._smtp = smtp

    async def hand_over(self, sender: str, recipient: str, message: bytes) -> Outcome:
        """Hand in one message for one recipient over the open connection.

        Raises:
            RelayError: the relay does not take mail from `sender` at all; the letter has not left.

        """
        smtp = self._smtp
        if smtp is None:
            return Outcome("lost", "not connected")
        try:
            try:
                await smtp.mail(sender)
            except aiosmtplib.SMTPResponseException as error:
                if error.code >= 500:
                    raise RelayError(
                        f"relay {self._relay.host}:{self._relay.port}: it takes no mail from {sender} "
                        f"({error.code}); set a bounce address that it accepts"
                    ) from None
                raise
            await smtp.rcpt(recipient)
        except aiosmtplib.SMTPResponseException as error:
            if error.code == _CLOSING or not await self._begin_again(smtp):
                self.drop()
            if error.code == _CLOSING:
                return Outcome("lost", _said(error))
            return Outcome("refused" if error.code >= 500 else "later", _said(error))
        except (aiosmtplib.SMTPException, OSError) as error:
            self.drop()
            return Outcome("lost", f"connection lost before the message: {type(error).__name__}")
        return await self._message(smtp, message)

    async def _message(self, smtp: aiosmtplib.SMTP, message: bytes) -> Outcome:
        try:
            reply = await smtp.data(message, timeout=self._relay.patience)
        except aiosmtplib.SMTPResponseException as error:
            if error.code == _CLOSING or not await self._begin_again(smtp):
                self.drop()
            if 200 <= error.code < 300:
                return Outcome("accepted", _said(error))
            if 400 <= error.code < 600:
                return Outcome("refused" if error.code >= 500 else "later", _said(error))
            return Outcome("open", _said(error))
        except (aiosmtplib.SMTPException, OSError) as error:
            self.drop()
            return Outcome("open", f"connection lost while the message was on its way: {type(error).__name__}")
        return Outcome("accepted", f"{reply.code} {reply.message}")

    async def _begin_again(self, smtp: aiosmtplib.SMTP) -> bool:
        try:
            await smtp.rset()
        except (aiosmtplib.SMTPException, OSError):
            return False
        return True

    def drop(self) -> None:
        """Close the connection without a word."""
        if self._smtp is not None:
            self._smtp.close()
            self._smtp = None

    async def close(self) -> None:
        """Take leave of the relay, if it still listens."""
        smtp, self._smtp = self._smtp, None
        if smtp is None:
            return
        try:
            with suppress(aiosmtplib.SMTPException, OSError):
                await smtp.quit()
        finally:
            smtp.close()  # also where we are broken off while we wait for its answer


def _said(error: aiosmtplib.SMTPResponseException) -> str:
    return f"{error.code} {error.message}"
