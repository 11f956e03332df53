# SPDX-License-Identifier: Apache-2.0
"""The programs of the people: what sends and what reads mail, each from a source address of its own."""

import imaplib
import poplib
import smtplib
import socket
from collections.abc import Iterable
from dataclasses import dataclass, field

_PATIENCE = 20


@dataclass
class Receipt:
    """What the server said of a mail: `queue_id` where it took it, and the refused recipients with its words."""

    code: int = 0
    words: str = ""
    queue_id: str | None = None
    refused: dict[str, str] = field(default_factory=dict)


class Sender(smtplib.SMTP):
    """One SMTP connection from `source`; as many mails as `hand_in` is called for."""

    def __init__(self, port: int, source: str) -> None:
        super().__init__("127.0.0.1", port, "pc.example.test", _PATIENCE, (source, 0))
        self.ehlo()

    def sign_in(self, account: str, password: str, mechanism: str = "PLAIN") -> None:
        """Authenticate.

        Raises:
            smtplib.SMTPAuthenticationError: by `smtplib.SMTP.auth`.

        """
        self.user, self.password = account, password
        self.auth(mechanism, self.auth_plain if mechanism == "PLAIN" else self.auth_login)

    def hand_in(self, sender: str, recipients: Iterable[str], message: bytes) -> Receipt:
        """Hand in one mail to those recipients that the server accepts, to nobody where it accepts none."""
        receipt = Receipt()
        self.mail(sender)
        for address in (asked := list(recipients)):
            code, words = self.rcpt(address)
            if code >= 400:
                receipt.refused[address] = f"{code} {words.decode()}"
        if len(receipt.refused) == len(asked):
            self.rset()
            return receipt
        receipt.code, said = self.data(message)
        receipt.words = said.decode()
        if receipt.code == 250 and "queued as " in receipt.words:
            receipt.queue_id = receipt.words.rsplit("queued as ", 1)[1].rstrip(")")
        return receipt


class Imap(imaplib.IMAP4):
    """An IMAP connection from `source`."""

    def __init__(self, port: int, source: str) -> None:
        self._source = source
        super().__init__("127.0.0.1", port, _PATIENCE)

    def _create_socket(self, timeout: float | None) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self._source, 0))


class Pop3(poplib.POP3):
    """A POP3 connection from `source`."""

    def __init__(self, port: int, source: str) -> None:
        self._source = source
        super().__init__("127.0.0.1", port, _PATIENCE)

    def _create_socket(self, timeout: float) -> socket.socket:
        return socket.create_connection((self.host, self.port), timeout, (self._source, 0))
