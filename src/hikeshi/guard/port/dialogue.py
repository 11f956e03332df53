# SPDX-License-Identifier: Apache-2.0
"""One milter connection without its input and output: bytes in; answers, and mails to be decided on, out.

Mail that nobody signed in for (no {auth_authen}: another port, or local mail that comes back through
`non_smtpd_milters`) is let through at its end and shown to nobody.
"""

import time
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from typing import ClassVar, Final

from hikeshi.guard.mail import Mail
from hikeshi.guard.port import content, milter
from hikeshi.guard.port.milter import ProtocolError, Steps
from hikeshi.guard.weighing.score import place_of

#: far more recipients than any mail server takes (Postfix: `smtpd_recipient_limit`, 1000), and still only some MB
MOST_RECIPIENTS: Final = 100_000
_READ_MACROS: Final = ("auth_authen", "i")


@dataclass(slots=True)
class _Draft:
    """A mail as far as it has come."""

    account: str
    sender: str
    #: a dict keeps the order and each address once
    recipients: dict[str, None] = field(default_factory=dict)
    size: int = 0
    subject: bytes | None = None
    message_id: bytes | None = None
    body: content.Fingerprint = field(default_factory=content.Fingerprint)


class Dialogue:
    """What a mail server says to us on one connection. `clock` gives seconds since 1970."""

    def __init__(self, clock: Callable[[], float] = time.time) -> None:
        self._clock = clock
        self._frames = milter.Frames()
        self._agreed: Steps | None = None
        self._client, self._session = milter.Client("", 0), ""
        self._macros: dict[str, str] = {}
        self._draft: _Draft | None = None
        self.over = False

    @property
    def waiting(self) -> bool:
        """The other side owes us the rest of a frame, or has not yet said what it is."""
        return self._frames.partial or self._agreed is None

    @property
    def within_mail(self) -> bool:
        """A mail has begun and has not been answered."""
        return self._draft is not None

    def feed(self, data: bytes) -> Iterator[bytes | Mail]:
        """Give what to do about `data`, in order: answers to send, and mails that wait for `hold`, `refuse` or `go_on`.

        The iterator must be used up before the next call. After QUIT `over` is true.

        Raises:
            ProtocolError: nothing that a mail server says.

        """
        for command, payload in self._frames.feed(data):
            if self.over:
                raise ProtocolError("more after QUIT")
            if command == milter.OPTNEG and self._agreed is None:
                reply, self._agreed = milter.options(milter.read_options(payload))
                yield reply
            elif self._agreed is None or command not in self._TAKES:
                raise ProtocolError(f"{command!r} where it has no place")
            else:
                if (step := self._TAKES[command](self, payload)) is not None:
                    yield step
                    self._draft = None
                if command in milter.SPARED and not self._agreed & milter.SPARED[command]:
                    yield milter.go_on()

    def _take_macros(self, payload: bytes) -> None:
        found = milter.read_macros(payload)
        self._macros |= {name: found[name] for name in _READ_MACROS if name in found}

    def _take_client(self, payload: bytes) -> None:
        """Begin with a client, or with another behind the same connection (XCLIENT)."""
        self._client, self._draft = milter.read_client(payload), None
        self._session = f"{self._client.ip}:{self._client.port}@{self._clock():.6f}"

    def _take_sender(self, payload: bytes) -> None:
        self._draft = _Draft(self._macros.get("auth_authen", "").lower(), milter.read_address(payload))
        # A server that sends a macro only where it has a value must not lend this mail's to the next.
        self._macros.clear()

    def _open(self, what: str) -> _Draft:
        if self._draft is None:
            raise ProtocolError(f"{what} without a mail")
        return self._draft

    def _take_recipient(self, payload: bytes) -> None:
        address = milter.read_address(payload)
        local, at, domain = address.rpartition("@")
        recipients = self._open("a recipient").recipients
        recipients[f"{local}{at}{domain.lower()}" if at else address] = None
        if len(recipients) > MOST_RECIPIENTS:
            raise ProtocolError(f"more than {MOST_RECIPIENTS} recipients")

    def _take_header(self, payload: bytes) -> None:
        """Count a header line, and keep the first of those that are read."""
        name, value = milter.read_header(payload)
        draft = self._open("a header line")
        draft.size += len(name) + 2 + len(value) + value.count(b"\n") + 2
        match name.lower():
            case b"subject" if draft.subject is None:
                draft.subject = value
            case b"message-id" if draft.message_id is None:
                draft.message_id = value

    def _take_body(self, piece: bytes) -> None:
        draft = self._open("a body")
        draft.size += len(piece)
        if draft.account:
            draft.body.add(piece)

    def _take_abort(self, _: bytes) -> None:
        self._draft = None
        self._macros.clear()

    def _take_quit(self, _: bytes) -> None:
        self.over = True

    def _take_quit_for_another(self, _: bytes) -> None:
        """QUIT_NC: the same connection, from the options on anew."""
        self._take_abort(_)
        self._agreed = None

    def _take_end(self, payload: bytes) -> bytes | Mail:
        """Give the mail; the end of one may carry the last piece of its body."""
        if payload:
            self._take_body(payload)
        draft = self._open("the end of a mail")
        queue_id = self._macros.get("i")
        self._macros.clear()
        if not draft.account:
            return milter.go_on()
        return Mail(
            account=draft.account,
            time=self._clock(),
            place=place_of(self._client.ip) if self._client.ip else "",
            client_ip=self._client.ip,
            session=self._session,
            sender=draft.sender,
            recipients=tuple(draft.recipients),
            # and the empty line; Postfix counts its own Received line too, which it shows to no milter
            size=draft.size + 2,
            subject=None if draft.subject is None else content.read_subject(draft.subject),
            fingerprint=draft.body.read(),
            message_id=None if draft.message_id is None else content.read_message_id(draft.message_id),
            queue_id=queue_id,
        )

    def _take_nothing(self, _: bytes) -> None:
        """Know the command, and learn nothing from it."""

    _TAKES: ClassVar[Mapping[bytes, Callable[["Dialogue", bytes], bytes | Mail | None]]] = {
        milter.MACRO: _take_macros,
        milter.CONNECT: _take_client,
        milter.HELO: _take_nothing,
        milter.MAIL: _take_sender,
        milter.RCPT: _take_recipient,
        milter.DATA: _take_nothing,
        milter.UNKNOWN: _take_nothing,
        milter.HEADER: _take_header,
        milter.EOH: _take_nothing,
        milter.BODY: _take_body,
        milter.EOM: _take_end,
        milter.ABORT: _take_abort,
        milter.QUIT: _take_quit,
        milter.QUIT_NC: _take_quit_for_another,
    }
