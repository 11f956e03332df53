# SPDX-License-Identifier: Apache-2.0
"""Who is told in the tests: an SMTP server, a webhook and a syslog on loopback; and somebody who counts."""

import asyncio
import email
import email.policy
import socket
import time
from collections import Counter
from contextlib import asynccontextmanager, contextmanager
from dataclasses import dataclass, field

from aiosmtpd.smtp import SMTP, AuthResult


async def until(met, what, patience=20.0):
    """Wait until `met`, looking often."""
    end = time.monotonic() + patience
    while not met():
        if time.monotonic() > end:
            raise TimeoutError(f"waited in vain: {what}")
        await asyncio.sleep(0.01)


class Tally:
    """Counts what channels do."""

    def __init__(self):
        self.counts = Counter()

    def told(self, channel):
        self.counts["told", channel] += 1

    def channel_failed(self, channel):
        self.counts["failed", channel] += 1

    def notice_lost(self, channel):
        self.counts["lost", channel] += 1


@dataclass
class Inbox:
    """An SMTP server's mails; `answers` are given in turn for a mail, then it is taken. `refuses` are addresses."""

    port: int = 0
    mails: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    refuses: set = field(default_factory=set)
    signed_in: list = field(default_factory=list)

    async def handle_RCPT(self, _server, _session, envelope, address, _options):  # noqa: N802 - aiosmtpd's name
        if address in self.refuses:
            return "550 5.1.1 no such user"
        envelope.rcpt_tos.append(address)
        return "250 OK"

    async def handle_DATA(self, _server, _session, envelope):  # noqa: N802 - aiosmtpd's name
        if self.answers:
            return self.answers.pop(0)
        mail = email.message_from_bytes(envelope.content, policy=email.policy.default)
        self.mails.append((envelope.mail_from, envelope.rcpt_tos, mail))
        return "250 OK"

    def authenticate(self, _server, _session, _envelope, _mechanism, data):
        self.signed_in.append((data.login.decode(), data.password.decode()))
        return AuthResult(success=True)


@asynccontextmanager
async def inbox(**how):
    """Take mail on loopback."""
    found = Inbox()
    given = {"hostname": "mx.example.test", "authenticator": found.authenticate, "auth_require_tls": False} | how
    server = await asyncio.get_running_loop().create_server(lambda: SMTP(found, **given), "127.0.0.1", 0)
    found.port = server.sockets[0].getsockname()[1]
    try:
        yield found
    finally:
        server.close()
        await server.wait_closed()


@dataclass
class Hook:
    """A webhook's requests as (head, body); `answers` are given in turn, then 204. While `deaf` it never answers."""

    url: str = ""
    asked: list = field(default_factory=list)
    answers: list = field(default_factory=list)
    deaf: bool = False

    async def answer(self, reader, writer):
        try:
            head = (await reader.readuntil(b"\r\n\r\n")).decode()
            fields = dict(line.lower().split(": ", 1) for line in head.splitlines()[1:] if line)
            self.asked.append((fields, await reader.readexactly(int(fields["content-length"]))))
            if self.deaf:
                await reader.read()
            status = self.answers.pop(0) if self.answers else "204 No Content"
            writer.write(
                f"HTTP/1.1 {status}\r\nContent-Length: 0\r\nLocation: /elsewhere\r\nConnection: close\r\n\r\n".encode()
            )
            await writer.drain()
        except (ConnectionError, asyncio.IncompleteReadError):
            pass
        finally:
            writer.close()


@asynccontextmanager
async def hook():
    """Take webhooks on loopback."""
    found = Hook()
    server = await asyncio.start_server(found.answer, "127.0.0.1", 0)
    found.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/hooks/a-token"
    try:
        yield found
    finally:
        server.close()


@contextmanager
def syslog(path):
    """Take datagrams at `path`."""
    with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as taking:
        taking.bind(str(path))
        taking.settimeout(20)
        yield taking
