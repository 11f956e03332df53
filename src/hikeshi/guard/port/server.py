# SPDX-License-Identifier: Apache-2.0
"""Listens for mail servers, lets every mail be decided on, and never stands in the way of one.

Where deciding fails or takes too long the log says so loudly, and the mail goes (fail open) or is held (fail hold). What
speaks no milter protocol, or stops within a frame, loses its connection; the mail server then does what its
`default_action` says.
"""

import asyncio
import ipaddress
import logging
import signal
import socket
import stat
import time
import traceback
from collections.abc import Awaitable, Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Final, Protocol

from hikeshi.basics.errors import UsageError
from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.port import milter
from hikeshi.guard.port.dialogue import Dialogue
from hikeshi.guard.port.milter import ProtocolError

#: seconds for one decision; for the rest of a frame that has begun; for open mails to finish when we are told to stop
BUDGET, HALF_A_FRAME, GRACE = 2.0, 30.0, 10.0
_BACKLOG: Final = 512
#: on Linux only, and to be set anew after every read
_QUICKACK: Final[int | None] = getattr(socket, "TCP_QUICKACK", None)
_SIGNALS: Final = (signal.SIGTERM, signal.SIGINT)

_log = logging.getLogger(__name__)


class Meter(Protocol):
    """Is told what happens, to count it."""

    def connected(self) -> None:
        """Count a mail server's connection."""

    def decided(self, action: Action, seconds: float) -> None:
        """Count a mail that was decided on, and how long that took."""

    def failed(self, what: str) -> None:
        """Count what went wrong: "decide" (raised), "slow" (over budget), "protocol", "stalled", "broken" or "defect"."""


class Unmetered:
    """Counts nothing."""

    def connected(self) -> None: ...  # noqa: D102 - as Meter
    def decided(self, action: Action, seconds: float) -> None: ...  # noqa: D102 - as Meter
    def failed(self, what: str) -> None: ...  # noqa: D102 - as Meter


def listening(listen: str) -> socket.socket:
    """Open the socket named by `inet:HOST:PORT` or `unix:PATH`, as Postfix writes them.

    HOST is a loopback address, for a milter knows no passwords: who reaches the port can let any account be held. A
    Unix socket gets mode 0660; one that a guard left behind is replaced.

    Raises:
        UsageError: not such a name, no loopback address, or somebody else listens there.

    """
    kind, _, rest = listen.partition(":")
    try:
        if kind == "unix" and rest:
            return _unix(Path(rest))
        if kind == "inet":
            host, _, port = rest.rpartition(":")
            return _inet(host, port)
    except OSError as error:
        raise UsageError(f"cannot listen on {listen}: {error.strerror or error}; choose another place") from error
    raise UsageError(f"cannot listen on {listen}: write inet:127.0.0.1:PORT or unix:PATH")


def _inet(host: str, port: str) -> socket.socket:
    try:
        address = ipaddress.ip_address("127.0.0.1" if host == "localhost" else host.strip("[]"))
        number = int(port)
    except ValueError as error:
        raise UsageError(f"cannot listen on inet:{host}:{port}: write inet:127.0.0.1:PORT") from error
    if not address.is_loopback or not 0 <= number <= 65535:
        raise UsageError(
            f"cannot listen on inet:{host}:{port}: the milter protocol has no authentication, so the guard listens on "
            "loopback only; for a mail server in another container share a unix:PATH with it"
        )
    family = socket.AF_INET if address.version == 4 else socket.AF_INET6
    return socket.create_server((str(address), number), family=family, backlog=_BACKLOG)


def _unix(path: Path) -> socket.socket:
    with suppress(FileNotFoundError):
        if not stat.S_ISSOCK(path.stat().st_mode):
            raise UsageError(f"cannot listen on unix:{path}: that is no socket; choose another path")
        with socket.socket(socket.AF_UNIX) as other:
            if other.connect_ex(str(path)) == 0:
                raise UsageError(f"cannot listen on unix:{path}: another guard listens there; stop it first")
        path.unlink()
    listener = socket.socket(socket.AF_UNIX)
    try:
        listener.bind(str(path))
        # Nobody can connect before listen, so nobody gets in before the mode is right.
        path.chmod(0o660)
        listener.listen(_BACKLOG)
    except OSError:
        listener.close()
        raise
    return listener


async def serve(
    listener: socket.socket,
    decide: Callable[[Mail], Awaitable[Answer]],
    *,
    meter: Meter | None = None,
    stop: asyncio.Event | None = None,
    undecided: Action = Action.GO,
    budget: float = BUDGET,
    half_a_frame: float = HALF_A_FRAME,
    grace: float = GRACE,
) -> None:
    """Answer mail servers by `decide` until `stop` is set or, in a main thread, SIGTERM or SIGINT comes.

    `undecided` is what becomes of a mail that cannot be decided on: GO or HOLD, as the mail server's `default_action` is.
    At the end nobody new is let in, idle connections are closed, and open mails have `grace` seconds to finish. `budget` and
    `half_a_frame` are in seconds too. The listener is closed in the end.
    """
    stop = stop or asyncio.Event()
    room = _Room(decide, meter or Unmetered(), budget, undecided)
    loop = asyncio.get_running_loop()
    with suppress(ValueError, RuntimeError):
        for number in _SIGNALS:
            loop.add_signal_handler(number, stop.set)
    create = loop.create_unix_server if listener.family == socket.AF_UNIX else loop.create_server
    server = await create(lambda: _Talk(room), sock=listener)
    stopped = asyncio.create_task(stop.wait())
    try:
        while not stopped.done():
            await asyncio.wait([stopped], timeout=half_a_frame / 4)
            room.close_stalled(half_a_frame)
    finally:
        stopped.cancel()
        server.close()
        await room.finish(grace)
        with suppress(ValueError, RuntimeError):
            for number in _SIGNALS:
                loop.remove_signal_handler(number)


@dataclass(slots=True)
class _Room:
    """What all connections share: how to decide, and who is there."""

    decide: Callable[[Mail], Awaitable[Answer]]
    meter: Meter
    budget: float
    undecided: Action
    talks: set["_Talk"] = field(default_factory=set)
    closing: bool = False
    empty: asyncio.Event = field(default_factory=asyncio.Event)

    def close_stalled(self, patience: float) -> None:
        """Close connections on which the rest of a frame has not come for `patience` seconds."""
        late = asyncio.get_running_loop().time() - patience
        for talk in [one for one in self.talks if one.owed and one.heard < late]:
            self.complain("stalled", f"nothing more of a frame for {patience:.0f} s, connection closed")
            talk.close()

    async def finish(self, grace: float) -> None:
        """Close what is idle at once, and let open mails come to their end for a while."""
        self.closing = True
        for talk in [one for one in self.talks if not one.busy]:
            talk.close()
        if self.talks:
            self.empty.clear()
            with suppress(TimeoutError):
                await asyncio.wait_for(self.empty.wait(), grace)
        if late := [one for one in self.talks if one.busy]:
            _log.warning("stopped with %d mails unfinished; the mail server's default_action decides", len(late))
        for talk in list(self.talks):
            talk.close()
        if self.talks:
            await self.empty.wait()

    async def answered(self, mail: Mail) -> bytes:
        """Let a mail be decided on; where that goes wrong it goes, or is held."""
        begun = time.perf_counter()
        try:
            async with asyncio.timeout(self.budget) as budget:
                answer = await self.decide(mail)
        except Exception as error:  # noqa: BLE001 - no defect of ours may lose mail
            if budget.expired():
                self.complain(
                    "slow",
                    f"left a mail undecided, {self.undecided.value}: no decision within {self.budget:.1f} s",
                    mail,
                )
            else:
                self.complain("decide", f"left a mail undecided, {self.undecided.value}: {_named(error)}", mail)
            return milter.hold("no decision") if self.undecided is Action.HOLD else milter.go_on()
        self.meter.decided(answer.action, time.perf_counter() - begun)
        match answer.action:
            case Action.HOLD:
                return milter.hold(answer.reason)
            case Action.REFUSE:
                return milter.refuse(answer.reason)
            case Action.GO:
                return milter.go_on()

    def complain(self, what: str, words: str, mail: Mail | None = None) -> None:
        """Log an error, of a mail by its account and queue id and never by its content."""
        self.meter.failed(what)
        if mail is None:
            _log.error("%s", words, extra={"event": what})
        else:
            about = {"event": what, "account": mail.account, "queue_id": mail.queue_id}
            _log.error("%s (%s of %s)", words, mail.queue_id, mail.account, extra=about)


class _Talk(asyncio.Protocol):
    """One connection of a mail server. Nothing is read from it while a mail of its is being decided on."""

    def __init__(self, room: _Room) -> None:
        self._room = room
        self._dialogue = Dialogue()
        self._transport: asyncio.Transport
        self._socket: socket.socket | None = None
        self._deciding: asyncio.Task[None] | None = None
        self.heard = 0.0

    @property
    def owed(self) -> bool:
        """It is for the mail server to speak on."""
        return self._deciding is None and self._dialogue.waiting

    @property
    def busy(self) -> bool:
        """A mail has begun and has not been answered."""
        return self._dialogue.within_mail

    def close(self) -> None:
        """Close the connection, whatever is going on."""
        if self._deciding:
            self._deciding.cancel()
        self._transport.abort()

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Begin; asyncio sets TCP_NODELAY."""
        assert isinstance(transport, asyncio.Transport)  # noqa: S101 - what a stream server hands over
        self._transport = transport
        if _QUICKACK is not None and (found := transport.get_extra_info("socket")).family != socket.AF_UNIX:
            self._socket = found
        self._room.talks.add(self)
        self._room.meter.connected()
        self._hear()
        if self._room.closing:
            self.close()

    def connection_lost(self, exc: Exception | None) -> None:
        """End; a mail that had begun was never taken by the mail server."""
        if self._dialogue.within_mail and not self._room.closing:
            self._room.complain(
                "broken", f"the mail server went within a mail{f': {type(exc).__name__}' if exc else ''}"
            )
        self._room.talks.discard(self)
        if not self._room.talks:
            self._room.empty.set()

    def data_received(self, data: bytes) -> None:
        """Take what has come."""
        self._hear()
        self._go_through(self._dialogue.feed(data))

    def pause_writing(self) -> None:
        """Give up on a mail server that does not read its answers; they are a few bytes each."""
        self._room.complain("stalled", "the mail server does not read our answers, connection closed")
        self.close()

    def _hear(self) -> None:
        """Note the time, and acknowledge at once: Postfix writes small pieces and waits for that before the next."""
        self.heard = asyncio.get_running_loop().time()
        if self._socket is not None and _QUICKACK is not None:
            self._socket.setsockopt(socket.IPPROTO_TCP, _QUICKACK, 1)

    def _go_through(self, steps: Iterator[bytes | Mail]) -> None:
        """Send answers until a mail has to be decided on, or to the end."""
        try:
            for step in steps:
                if isinstance(step, Mail):
                    self._transport.pause_reading()
                    self._deciding = asyncio.create_task(self._decide(step, steps))
                    return
                self._transport.write(step)
        except ProtocolError as error:
            self._room.complain("protocol", f"not the milter protocol, connection closed: {error}")
            self._transport.abort()
        except Exception as error:  # noqa: BLE001 - a defect of ours costs this connection and no other
            self._room.complain("defect", f"connection closed: {_named(error)}")
            self._transport.abort()
        if self._dialogue.over or (self._room.closing and not self._dialogue.within_mail):
            self._transport.close()

    async def _decide(self, mail: Mail, steps: Iterator[bytes | Mail]) -> None:
        """Answer a mail, and go on with what came behind it."""
        self._transport.write(await self._room.answered(mail))
        self._deciding = None
        if not self._transport.is_closing():
            self._transport.resume_reading()
        self._go_through(steps)


def _named(error: Exception) -> str:
    """Name an error by kind and place: its message might quote a mail."""
    place = traceback.extract_tb(error.__traceback__)[-1]
    return f"{type(error).__name__} in {Path(place.filename).name}:{place.lineno}"
