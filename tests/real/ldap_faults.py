# SPDX-License-Identifier: Apache-2.0
"""A bad road to a directory: it reads LDAP and cuts, delays or refuses on the way, as a test decides request by request.

It tells what the server has really done, also where the client never heard of it.
"""

import random
import socket
import ssl
import threading
from collections import Counter
from collections.abc import Callable
from contextlib import ExitStack, suppress
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

from hikeshi.contain.connectors.ldap.connector import Ldap
from hikeshi.contain.connectors.ldap.options import checked
from hikeshi.contain.contract import LaterError, Reading, Step

#: the operations by their tags (RFC 4511, 4.1.1 and following), and the tags of the answers that end them
_BIND, _UNBIND, _ABANDON = 0x60, 0x42, 0x50
_LAST = {0x60: 0x61, 0x63: 0x65, 0x66: 0x67, 0x77: 0x78}
_NAMES = {0x60: "bind", 0x63: "search", 0x66: "modify", 0x77: "extended"}
_NEW_PASSWORD = b"1.3.6.1.4.1.4203.1.11.1"
BUSY, UNAVAILABLE = 51, 52
#: how often a run may die before the test gives up on it
_LIVES = 400


@dataclass(frozen=True)
class Fault:
    """What happens to one request: "go", "before" (cut, it never arrives), "after" (cut, the answer never arrives),
    "late" (the answer comes after the client has given up), or "refused" with the result `code`."""

    kind: str
    code: int = BUSY


GO = Fault("go")


class Road:
    """A port that leads to another one on loopback. `choose` gets the operation's name and says what happens to it.

    With `tls`, two contexts, the road is encrypted before and behind: it is the server for one and a client for the other.
    """

    def __init__(
        self,
        to: tuple[str, int],
        choose: Callable[[str], Fault],
        patience: float,
        tls: tuple[ssl.SSLContext, ssl.SSLContext] | None = None,
    ) -> None:
        self.choose = choose
        self._to, self._patience, self._tls = to, patience, tls
        self._listener = socket.create_server(("127.0.0.1", 0))
        self.url = f"ldap{'s' if tls else ''}://127.0.0.1:{self._listener.getsockname()[1]}"
        #: what the server has done, in its order: "modify" or "password"
        self.done: list[str] = []
        self._closing = threading.Event()
        self._open: set[socket.socket] = set()
        self._threads = [threading.Thread(target=self._accept, daemon=True)]
        self._threads[0].start()

    def close(self) -> None:
        """Close the road and everything on it."""
        self._closing.set()
        with suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        for one in list(self._open):
            with suppress(OSError):
                # A TLS socket's own shutdown would let the thread at the other end of it read what is not decrypted.
                socket.socket.shutdown(one, socket.SHUT_RDWR)
        for thread in self._threads:
            thread.join(10)

    def _accept(self) -> None:
        while not self._closing.is_set():
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            self._threads = [thread for thread in self._threads if thread.is_alive()]
            thread = threading.Thread(target=self._carry, args=(client,), daemon=True)
            self._threads.append(thread)
            thread.start()

    def _carry(self, client: socket.socket) -> None:
        with ExitStack() as stack:
            stack.enter_context(client)
            server = stack.enter_context(socket.create_connection(self._to))
            if self._tls:
                try:
                    client = stack.enter_context(self._tls[0].wrap_socket(client, server_side=True))
                    server = stack.enter_context(self._tls[1].wrap_socket(server))
                except OSError:
                    return
            for one in (client, server):
                one.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                self._open.add(one)
            try:
                with suppress(OSError, EOFError):
                    while self._request(client, server):
                        pass
            finally:
                self._open -= {client, server}

    def _request(self, client: socket.socket, server: socket.socket) -> bool:
        """Carry one request; False where the road ends."""
        message, number, tag, body = _message(client)
        if tag not in _LAST:
            server.sendall(message)
            return tag != _UNBIND
        fault = self.choose(_NAMES[tag])
        if fault.kind == "before":
            return False
        if fault.kind == "refused":
            client.sendall(_refusal(number, _LAST[tag], fault.code))
            return True
        server.sendall(message)
        answers = b""
        while True:
            answer, _, kind, said = _message(server)
            answers += answer
            if kind == _LAST[tag]:
                break
        # A result begins with an enumerated code; 0 is success.
        if said[:3] == b"\x0a\x01\x00" and (tag == 0x66 or (tag == 0x77 and _NEW_PASSWORD in body)):
            self.done.append("password" if tag == 0x77 else "modify")
        if fault.kind == "after":
            return False
        if fault.kind == "late":
            self._closing.wait(self._patience * 1.5)
        client.sendall(answers)
        return True


def bad_road(chance: random.Random, met: Counter[str]) -> Any:
    """Make a road that is worse at some times than at others."""
    badness = chance.choice((0.05, 0.2, 0.4))

    def choose(_operation: str) -> Fault:
        if chance.random() >= badness:
            return GO
        kinds, weights = ("before", "after", "refused", "late"), (30, 40, 29, 1)
        fault = Fault(chance.choices(kinds, weights)[0], chance.choice((BUSY, UNAVAILABLE)))
        met[fault.kind] += 1
        return fault

    return choose


class Engine:
    """The least of an engine: it keeps what was read before, dies at faults, and goes on from what it kept.

    `stands` tells the truth about a step's goal; every reading is held against it.
    """

    def __init__(
        self, given: dict[str, Any], chance: random.Random, stands: Callable[[Step], bool], patience: float
    ) -> None:
        self.given, self.chance, self.stands, self.patience = given, chance, stands, patience
        self.connector = self.reborn()
        self.before: dict[str, tuple[Reading, datetime]] = {}

    def reborn(self) -> Ldap:
        """Start anew, as after kill -9."""
        return Ldap(checked(self.given), self.patience)

    def patiently(self, act: Any) -> Any:
        """Try until there is an answer; now and then die instead of trying again."""
        for _ in range(_LIVES):
            try:
                return act()
            except LaterError:
                if self.chance.random() < 0.5:
                    self.connector.close()
                    self.connector = self.reborn()
        raise AssertionError(f"no answer in {_LIVES} lives")

    def carry_out(self, step: Step) -> None:
        """Bring a step to its goal, by reading first whenever it is not known what was done."""
        if step.key not in self.before:
            before = self.patiently(lambda: self.connector.probe(step))
            self.before[step.key] = before, datetime.now(UTC)
        before, since = self.before[step.key]

        def once() -> None:
            if not self.verified(step, before, since):
                self.connector.do(step, before, since)
                if not self.verified(step, before, since):
                    raise LaterError("not reached yet")

        self.patiently(once)

    def verified(self, step: Step, before: Reading, since: datetime) -> bool:
        """Read, and hold the reading against the truth."""
        reached = self.connector.verify(step, before, since).reached
        if reached is not None:
            assert reached is self.stands(step), f"{step.operation} is called {reached}"
        return reached is True

    def take_back(self, step: Step) -> None:
        """Undo a step until it is read to be undone."""
        before, _ = self.before[step.key]

        def once() -> None:
            if self.connector.restored(step, before).reached is not True:
                self.connector.undo(step, before)
                if self.connector.restored(step, before).reached is not True:
                    raise LaterError("not undone yet")

        self.patiently(once)


def _message(channel: socket.socket) -> tuple[bytes, bytes, int, bytes]:
    """Read one LDAP message: all of it, its number as it stands, the tag and the body of its operation."""
    head, content = _element(channel)
    number_length = content[1]
    number = content[: 2 + number_length]
    rest = content[2 + number_length :]
    length, start = _length(rest)
    return head + content, number, rest[0], rest[start : start + length]


def _element(channel: socket.socket) -> tuple[bytes, bytes]:
    head = _exactly(channel, 2)
    if head[1] & 0x80:
        head += _exactly(channel, head[1] & 0x7F)
    return head, _exactly(channel, _length(head)[0])


def _length(data: bytes) -> tuple[int, int]:
    """Give the length that an element states, and where its content begins."""
    if not data[1] & 0x80:
        return data[1], 2
    count = data[1] & 0x7F
    return int.from_bytes(data[2 : 2 + count], "big"), 2 + count


def _exactly(channel: socket.socket, count: int) -> bytes:
    data = b""
    while len(data) < count:
        more = channel.recv(count - len(data))
        if not more:
            raise EOFError
        data += more
    return data


def _refusal(number: bytes, tag: int, code: int) -> bytes:
    words = b"on a bad road"
    result = bytes([0x0A, 1, code, 0x04, 0, 0x04, len(words)]) + words
    content = number + bytes([tag, len(result)]) + result
    return bytes([0x30, len(content)]) + content
