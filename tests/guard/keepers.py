# SPDX-License-Identifier: Apache-2.0
"""Keepers of the guard's state for the tests: a file, and real Redis and Valkey servers on a socket of their own.

Run as a program it is a guard of its own, to be raced with or killed: `hammer WHERE ACCOUNTS TIMES` changes the
accounts in turn, `burst WHERE` changes one as fast as it can and says how far it is.
"""

import asyncio
import json
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from pathlib import Path

from hikeshi.guard.state.embedded import Embedded
from hikeshi.guard.state.store import Hold

ME = "kai@hinode.example"
#: the servers that are installed here; one must be, and both speak the same protocol
SERVERS = [name for name in ("redis-server", "valkey-server") if shutil.which(name)] or ["redis-server"]


class Tally:
    """A stand-in for an account: it counts, remembers words, and teaches how many it has of each."""

    def __init__(self, count=0, words=()):
        self.count, self.words = count, list(words)

    @classmethod
    def from_bytes(cls, data):
        return cls(*json.loads(data))

    def to_bytes(self):
        return json.dumps([self.count, self.words]).encode()

    @property
    def taught(self):
        return {"count": (float(self.count), 2.0 * self.count)} | dict.fromkeys(self.words, (1.0, 0.5))


def add(amount=1, at=None, address=None):
    """Give a change that counts on, and writes to an address at a time; it gives the count before."""

    def do(tally, known):
        tally.count += amount
        if address is not None:
            known[address] = at
        return tally.count - amount

    return do


def look(tally, known):
    """Give what a change is shown, and change nothing."""
    return tally.count, dict(known)


def held(number=1, **more):
    values = {
        "queue_id": f"4F{number}",
        "account": ME,
        "sender": ME,
        "time": 1000.5 + number,
        "place": "192.0.2.7",
        "session": "s1",
        "recipients": 3,
        "subject": "請求書 ☃",
        "reason": "new place",
        "score": 12.25,
    }
    return Hold(**values | more)


class File:
    """A state in a file."""

    name = "sqlite"

    def __init__(self, folder):
        self.where = str(folder / "state.db")

    def open(self, **more):
        return Embedded(Path(self.where), Tally, **more)

    def clear(self):
        for file in Path(self.where).parent.glob("state.db*"):
            file.unlink()

    def stop(self):
        """Nothing runs."""


class Server:
    """A real server that speaks the protocol of Redis, in a folder and on a socket of its own."""

    def __init__(self, name, *options):
        self.name, self._options = name, options
        self.folder = Path(tempfile.mkdtemp(prefix="hikeshi-"))
        self.socket = self.folder / "s"
        self.where = f"unix://{self.socket}"
        self.start()

    def start(self):
        command = [self.name, "--port", "0", "--unixsocket", self.socket, "--dir", self.folder, "--save", ""]
        with (self.folder / "log").open("ab") as log:
            self._process = subprocess.Popen([*command, *self._options], stdout=log, stderr=log)
        end = time.monotonic() + 20
        while not self._answers():
            if time.monotonic() > end or self._process.poll() is not None:
                raise TimeoutError((self.folder / "log").read_text())
            time.sleep(0.01)

    def _answers(self):
        try:
            self.say("PING")
        except OSError:
            return False
        return True

    def say(self, *words):
        """Send a command without any library; give the answer as it comes."""
        with socket.socket(socket.AF_UNIX) as peer:
            peer.settimeout(5)
            peer.connect(str(self.socket))
            peer.sendall(b"*%d\r\n" % len(words))
            for word in words:
                data = word if isinstance(word, bytes) else str(word).encode()
                peer.sendall(b"$%d\r\n%s\r\n" % (len(data), data))
            return peer.recv(65536)

    def open(self):
        from hikeshi.guard.state.shared import Shared  # noqa: PLC0415 - the library may be missing

        return Shared(self.where, Tally)

    def clear(self):
        self.say("FLUSHALL")

    def pause(self):
        self._process.send_signal(signal.SIGSTOP)

    def go_on(self):
        self._process.send_signal(signal.SIGCONT)

    def halt(self):
        self._process.kill()
        self._process.wait()

    def stop(self):
        self.halt()
        shutil.rmtree(self.folder)


def play(keeper, story, **more):
    """Open the state, let `story` use it, close it, and give the story's result."""

    async def whole():
        state = keeper.open(**more)
        try:
            return await story(state)
        finally:
            await state.close()

    return asyncio.run(whole())


async def until(met, pause=0.0):
    """Wait until `met`, letting all other tasks work; fail after a while."""
    async with asyncio.timeout(20):
        while not met():  # noqa: ASYNC110 - what is waited for tells no event
            await asyncio.sleep(pause)


async def hammer(state, accounts, times):
    for number in range(times):
        for account in accounts.split(","):
            await state.change(account, [], add(at=float(number), address=f"{number}@example.org"))


async def burst(state):
    while True:
        count = await state.change(ME, [], add())
        sys.stdout.write(f"{count + 1} {time.monotonic()}\n")
        sys.stdout.flush()
        await asyncio.sleep(0)


def main(verb, where, *more):
    from hikeshi.guard.state.shared import Shared  # noqa: PLC0415 - the library may be missing

    async def whole():
        state = Shared(where, Tally) if "://" in where else Embedded(Path(where), Tally)
        try:
            await (hammer(state, more[0], int(more[1])) if verb == "hammer" else burst(state))
        finally:
            await state.close()

    asyncio.run(whole())


if __name__ == "__main__":
    main(*sys.argv[1:])
