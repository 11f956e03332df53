# SPDX-License-Identifier: Apache-2.0
"""What a mail server talks to: a small SMTP server, the outside world made of it, and a content filter made of it."""

import smtplib
import socketserver
import threading
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from typing import BinaryIO

_PATIENCE = 20


@dataclass
class Envelope:
    """One mail as it came over the wire; `size` is what the client said of it beforehand."""

    sender: str = ""
    recipients: list[str] = field(default_factory=list)
    size: int = 0
    data: bytes = b""
    xforward: dict[str, str] = field(default_factory=dict)


class _Talk(socketserver.StreamRequestHandler):
    """One connection: the few commands that Postfix sends, pipelined or not."""

    timeout = _PATIENCE
    server: "SmtpServer"

    def handle(self) -> None:
        self._say("220 outside.example ESMTP")
        envelope, xforward = Envelope(), {}
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            match verb.upper():
                case "EHLO" | "HELO":
                    extensions = "".join(f"250-{name}\r\n" for name in self.server.extensions)
                    self._say(f"250-outside.example\r\n{extensions}250 ENHANCEDSTATUSCODES")
                case "XFORWARD":
                    xforward |= dict(part.split("=", 1) for part in rest.split())
                    self._say("250 2.0.0 Ok")
                case "MAIL":
                    size = rest.partition(" SIZE=")[2].split(" ")[0]
                    envelope = Envelope(_address(rest), size=int(size or 0), xforward=xforward)
                    self._say("250 2.1.0 Ok")
                case "RCPT":
                    reply = self.server.recipient(_address(rest))
                    if reply.startswith("2"):
                        envelope.recipients.append(_address(rest))
                    self._say(reply)
                case "DATA" if not envelope.recipients:
                    self._say("554 5.5.1 Error: no valid recipients")
                case "DATA":
                    self._say("354 End data with <CR><LF>.<CR><LF>")
                    envelope.data = b"".join(_until_dot(self.rfile))
                    self._say(self.server.message(envelope))
                case "QUIT":
                    self._say("221 2.0.0 Bye")
                    return
                case _:
                    self._say("250 2.0.0 Ok")

    def _say(self, reply: str) -> None:
        self.wfile.write(f"{reply}\r\n".encode())


def _until_dot(lines: BinaryIO) -> Iterator[bytes]:
    while (line := lines.readline()).rstrip(b"\r\n") != b"." and line:
        yield line.removeprefix(b".")


def _address(rest: str) -> str:
    return rest[rest.index("<") + 1 : rest.index(">")]


class _Server(socketserver.ThreadingTCPServer):
    """A server on a port of its own choice."""

    daemon_threads = True
    request_queue_size = 100

    def __init__(self, handler: type[socketserver.BaseRequestHandler]) -> None:
        super().__init__(("127.0.0.1", 0), handler)
        self.port = int(self.server_address[1])
        self._thread = threading.Thread(target=self.serve_forever, args=(0.02,), daemon=True)

    def start(self) -> None:
        """Answer from now on."""
        self._thread.start()

    def stop(self) -> None:
        """Answer no more."""
        if self._thread.is_alive():
            self.shutdown()
            self._thread.join(_PATIENCE)
        self.server_close()


class SmtpServer(_Server):
    """An SMTP server; what it answers is up to `recipient` and `message`."""

    extensions: Sequence[str] = ("PIPELINING", "SIZE", "8BITMIME")

    def __init__(self) -> None:
        super().__init__(_Talk)

    def recipient(self, address: str) -> str:
        """Answer RCPT."""
        raise NotImplementedError

    def message(self, envelope: Envelope) -> str:
        """Answer the end of a mail."""
        raise NotImplementedError


class Outside(SmtpServer):
    """Everybody else's mail server: takes all mail, but has `answers` for some addresses and may `refuse_content`.

    What it says of a mail that it takes holds no `queued as`: on loopback that is how a local filter is told.
    """

    def __init__(self) -> None:
        super().__init__()
        self.answers: dict[str, str] = {}
        self.mails: list[Envelope] = []
        self.refuse_content: str | None = None

    def recipient(self, address: str) -> str:
        return self.answers.get(address, "250 2.1.5 Ok")

    def message(self, envelope: Envelope) -> str:
        if self.refuse_content:
            return self.refuse_content
        self.mails.append(envelope)
        return f"250 2.0.0 OK  {len(self.mails):08d} outside"


class Filter(SmtpServer):
    """A content filter: takes a mail and hands it back at port `back`, as amavis does; `verdict` may refuse it.

    With `xforward` it passes on who the client was; with `split` it hands back one mail for every recipient.
    """

    def __init__(self, back: int) -> None:
        super().__init__()
        self.back = back
        self.reset()

    def reset(self) -> None:
        """Be as at the beginning."""
        self.xforward, self.split = True, False
        self.verdict: Callable[[Envelope], str | None] = lambda _: None

    @property
    def extensions(self) -> tuple[str, ...]:
        """What it says that it can do."""
        can = ("XFORWARD NAME ADDR PORT PROTO HELO IDENT SOURCE",) if self.xforward else ()
        return (*SmtpServer.extensions, *can)

    def recipient(self, address: str) -> str:  # noqa: ARG002 - the server behind the filter knows
        return "250 2.1.5 Ok"

    def message(self, envelope: Envelope) -> str:
        if refusal := self.verdict(envelope):
            return refusal
        parts = [[one] for one in envelope.recipients] if self.split else [envelope.recipients]
        for recipients in parts:
            code, said = self._hand_back(envelope, recipients)
        return f"{code} {said[:5]} from MTA(smtp:[127.0.0.1]:{self.back}): {code} {said}"

    def _hand_back(self, envelope: Envelope, recipients: list[str]) -> tuple[int, str]:
        with smtplib.SMTP("127.0.0.1", self.back, "filter.example.test", _PATIENCE) as smtp:
            smtp.ehlo()
            if envelope.xforward:
                smtp.docmd("XFORWARD", " ".join(f"{name}={value}" for name, value in envelope.xforward.items()))
            smtp.mail(envelope.sender)
            for recipient in recipients:
                smtp.rcpt(recipient)
            code, said = smtp.data(envelope.data)
        return code, said.decode()


class Postman(_Server):
    """Takes a mail and the arguments of sendmail from whoever may not call sendmail, and calls `sendmail` with them."""

    def __init__(self, sendmail: Callable[[list[str], bytes], int]) -> None:
        super().__init__(_Call)
        self.sendmail = sendmail


class _Call(socketserver.StreamRequestHandler):
    """One call: a line of arguments, the mail, a dot; answered by the exit code."""

    timeout = _PATIENCE
    server: Postman

    def handle(self) -> None:
        arguments = self.rfile.readline().decode().split()
        message = b"".join(_until_dot(self.rfile))
        self.wfile.write(b"%d\n" % self.server.sendmail(arguments, message))
