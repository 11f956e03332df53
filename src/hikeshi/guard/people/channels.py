# SPDX-License-Identifier: Apache-2.0
"""The ways to people out of band: mail to another address, a webhook, syslog. `channelfile` reads which there are."""

import asyncio
import hashlib
import hmac
import json
import os
import socket
from dataclasses import dataclass
from email.message import EmailMessage
from email.policy import SMTP
from email.utils import formatdate, make_msgid
from logging.handlers import SysLogHandler
from typing import Final, Protocol
from urllib.parse import urlsplit

import aiosmtplib
import httpx

from hikeshi.basics.errors import HikeshiError
from hikeshi.guard.people.notice import Notice

#: the header of a webhook with `sha256=` and the HMAC of the body in hexadecimal digits
SIGNATURE: Final = "X-Hikeshi-Signature"
#: seconds for one webhook; for one mail
_WEBHOOK, _MAIL = 5.0, 30.0
#: TLS from the first byte (RFC 8314)
_SUBMISSIONS: Final = 465
#: what a webhook may answer that will be otherwise a minute later, besides 5xx
_PASSING: Final = frozenset({408, 425, 429})
#: what sendmail says where it may do it later (sysexits.h)
_TEMPFAIL: Final = 75


class ChannelError(HikeshiError):
    """A channel did not take a notice. `lasting`: it will not take it later either."""

    def __init__(self, words: str, *, lasting: bool = False) -> None:
        super().__init__(words)
        self.lasting = lasting


class Channel(Protocol):
    """A way to people. `name` is what logs and metrics call it."""

    @property
    def name(self) -> str: ...  # noqa: D102 - as the class says

    async def send(self, notice: Notice) -> None:
        """Tell.

        Raises:
            ChannelError: it was not taken.

        """


@dataclass(frozen=True, slots=True)
class Mail:
    """Mail to `to`; `owner` is whether they own the account. By SMTP, or by the program `sendmail`.

    TLS: none on loopback; elsewhere what the server offers, and with a proven certificate where there is a password.
    """

    sender: str
    to: tuple[str, ...]
    owner: bool = False
    host: str = "127.0.0.1"
    port: int = 25
    sendmail: str | None = None
    user: str | None = None
    password: str | None = None
    envelope_from: str = ""

    @property
    def name(self) -> str:
        """Give what logs and metrics call it."""
        return "owner" if self.owner else "mail"

    async def send(self, notice: Notice) -> None:
        """Tell by mail."""
        mail = EmailMessage(policy=SMTP)
        mail["From"], mail["To"], mail["Subject"] = self.sender, ", ".join(self.to), notice.subject()
        mail["Date"], mail["Message-ID"] = formatdate(localtime=True), make_msgid(domain=self.sender.rpartition("@")[2])
        mail["Auto-Submitted"] = "auto-generated"
        mail.set_content(notice.text(owner=self.owner), cte="base64")
        if self.sendmail is None:
            await self._by_smtp(mail.as_bytes())
        else:
            await self._by_program(self.sendmail, mail.as_bytes().replace(b"\r\n", b"\n"))

    async def _by_smtp(self, mail: bytes) -> None:
        near = self.host in ("localhost", "::1") or self.host.startswith("127.")
        implicit = self.port == _SUBMISSIONS
        smtp = aiosmtplib.SMTP(
            hostname=self.host,
            port=self.port,
            username=self.user,
            password=self.password,
            # The default asks the DNS, and everything waits meanwhile.
            local_hostname=socket.gethostname(),
            use_tls=implicit,
            start_tls=False if near or implicit else (True if self.password else None),
            validate_certs=self.password is not None,
            timeout=_MAIL,
        )
        try:
            async with asyncio.timeout(_MAIL), smtp:
                refused, _ = await smtp.sendmail(self.envelope_from, self.to, mail)
        except aiosmtplib.SMTPRecipientsRefused as error:
            lasting = all(one.code >= 500 for one in error.recipients)
            raise ChannelError(f"{self.host}:{self.port} refused every address", lasting=lasting) from error
        except aiosmtplib.SMTPResponseException as error:
            # Its words may quote an address.
            raise ChannelError(f"{self.host}:{self.port} answered {error.code}", lasting=error.code >= 500) from error
        except (aiosmtplib.SMTPException, OSError) as error:
            raise ChannelError(f"{self.host}:{self.port}: {type(error).__name__}") from error
        if refused:
            raise ChannelError(f"{self.host}:{self.port} refused {len(refused)} of the addresses", lasting=True)

    async def _by_program(self, path: str, mail: bytes) -> None:
        nowhere = asyncio.subprocess.DEVNULL
        try:
            process = await asyncio.create_subprocess_exec(
                path, "-i", "-f", self.envelope_from or "<>", "--", *self.to,
                stdin=asyncio.subprocess.PIPE, stdout=nowhere, stderr=nowhere,
            )  # fmt: skip
        except OSError as error:
            raise ChannelError(f"{path}: {error.strerror}") from error
        try:
            async with asyncio.timeout(_MAIL):
                await process.communicate(mail)
        except TimeoutError as error:
            raise ChannelError(f"{path} did not end within {_MAIL:.0f} s") from error
        finally:
            if process.returncode is None:
                process.kill()
                await process.wait()
        if process.returncode:
            raise ChannelError(f"{path}: exit code {process.returncode}", lasting=process.returncode != _TEMPFAIL)


@dataclass(frozen=True, slots=True)
class Webhook:
    """A POST of the notice as JSON to `url`, signed where there is a `secret`. The url may be a secret itself."""

    url: str
    secret: str | None = None
    name: str = "webhook"

    async def send(self, notice: Notice) -> None:
        """Tell by a POST."""
        body = json.dumps(notice.document(), ensure_ascii=False).encode()
        headers = {"Content-Type": "application/json", "User-Agent": "hikeshi"}
        if self.secret is not None:
            headers[SIGNATURE] = f"sha256={hmac.new(self.secret.encode(), body, hashlib.sha256).hexdigest()}"
        host = urlsplit(self.url).hostname
        try:
            async with asyncio.timeout(_WEBHOOK), httpx.AsyncClient(timeout=_WEBHOOK) as client:
                answer = await client.post(self.url, content=body, headers=headers)
        except (httpx.HTTPError, httpx.InvalidURL, OSError) as error:
            raise ChannelError(f"{host}: {type(error).__name__}") from error
        if not answer.is_success:
            passing = answer.is_server_error or answer.status_code in _PASSING
            raise ChannelError(f"{host} answered {answer.status_code}", lasting=not passing)


@dataclass(frozen=True, slots=True)
class Syslog:
    """A line of severity alert to the local syslog."""

    facility: str
    socket: str = "/dev/log"
    name: str = "syslog"

    async def send(self, notice: Notice) -> None:
        """Tell by a datagram."""
        code = SysLogHandler.facility_names[self.facility] << 3 | SysLogHandler.LOG_ALERT
        try:
            with socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM) as way:
                way.settimeout(0)
                way.sendto(f"<{code}>hikeshi[{os.getpid()}]: {notice.line()}".encode(), self.socket)
        except OSError as error:
            raise ChannelError(f"{self.socket}: {error.strerror}") from error
