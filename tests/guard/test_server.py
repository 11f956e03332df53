# SPDX-License-Identifier: Apache-2.0
"""The guard's server on real sockets: it answers, fails open, and stands in nobody's way."""

import asyncio
import logging
import os
import signal
import socket
import stat
import subprocess
import sys
import textwrap
from collections import Counter
from contextlib import asynccontextmanager

import pytest
from wire import GO_ON, client, frame, macros, mail, options, quit_

from hikeshi.basics.errors import UsageError
from hikeshi.guard.mail import Action, Answer
from hikeshi.guard.port import milter, server

BEGUN = macros(b"M", auth_authen="alice") + frame(b"M", b"<a@example.test>") + frame(b"R", b"<b@x.example>")


class Counted(server.Unmetered):
    """Counts what it is told."""

    def __init__(self):
        self.seen = Counter()

    def connected(self):
        self.seen["connected"] += 1

    def decided(self, action, seconds):
        assert seconds >= 0
        self.seen[action] += 1

    def failed(self, what):
        self.seen[what] += 1


async def by_subject(mail):
    """Do what the Subject says."""
    match mail.subject:
        case "hold":
            return answer(Action.HOLD)
        case "refuse":
            return answer(Action.REFUSE)
        case "raise":
            raise ValueError(f"secret of {mail.subject}")
        case "hang":
            await asyncio.Event().wait()
    return answer(Action.GO)


def answer(action):
    return Answer(action, action, "because", alarmed=False, score=0.0, threshold=0.0, weights=())


class Peer:
    """A mail server's side of one connection."""

    def __init__(self, reader, writer):
        self.reader, self.writer = reader, writer

    async def say(self, *pieces):
        for piece in pieces:
            self.writer.write(piece)
        await self.writer.drain()

    async def hear(self, data):
        assert await asyncio.wait_for(self.reader.readexactly(len(data)), 20) == data

    async def hear_options(self):
        length = int.from_bytes(await asyncio.wait_for(self.reader.readexactly(4), 20), "big")
        assert (await self.reader.readexactly(length))[:1] == b"O"

    async def begin(self):
        await self.say(options(), client())
        await self.hear_options()

    async def closed(self):
        """Say whether the other side has closed; whatever it still said is read."""
        try:
            await asyncio.wait_for(self.reader.read(), 20)
        except ConnectionError:
            return True
        return self.reader.at_eof()

    async def close(self):
        self.writer.close()
        try:
            await self.writer.wait_closed()
        except OSError:
            return


class Running:
    """A server, its meter, and peers of it."""

    def __init__(self, listener, **limits):
        self.address, self.family = listener.getsockname(), listener.family
        self.meter, self.stop, self.peers = Counted(), asyncio.Event(), []
        decide = limits.pop("decide", by_subject)
        self.task = asyncio.create_task(server.serve(listener, decide, meter=self.meter, stop=self.stop, **limits))

    async def peer(self):
        if self.family == socket.AF_UNIX:
            self.peers.append(Peer(*await asyncio.open_unix_connection(self.address)))
        else:
            self.peers.append(Peer(*await asyncio.open_connection(*self.address[:2])))
        return self.peers[-1]

    async def seen(self, what, times=1):
        """Wait until something has been counted."""
        async with asyncio.timeout(20):
            while self.meter.seen[what] < times:  # noqa: ASYNC110 - it is counted by a callback
                await asyncio.sleep(0.005)


@asynccontextmanager
async def running(listen="inet:127.0.0.1:0", **limits):
    one = Running(server.listening(listen), **limits)
    try:
        yield one
    finally:
        one.stop.set()
        for peer in one.peers:
            await peer.close()
        await asyncio.wait_for(one.task, 20)


def subject(word):
    return mail(headers=((b"Subject", word.encode()),))


@pytest.mark.parametrize("kind", ["inet:127.0.0.1:0", "inet:[::1]:0", "unix"])
def test_mails_go_are_held_and_are_refused(kind, tmp_path):
    async def scene():
        async with running(f"unix:{tmp_path}/guard" if kind == "unix" else kind) as one:
            peer = await one.peer()
            await peer.begin()
            for word, reply in (
                ("go", milter.go_on()),
                ("hold", milter.hold("because")),
                ("refuse", milter.refuse("because")),
                ("go", milter.go_on()),
            ):
                await peer.say(subject(word))
                await peer.hear(reply)
            await peer.say(quit_())
            assert await peer.closed()
        assert one.meter.seen == {"connected": 1, Action.GO: 2, Action.HOLD: 1, Action.REFUSE: 1}

    asyncio.run(scene())


def test_mails_that_come_all_at_once_are_answered_one_by_one_in_order():
    async def scene():
        async with running() as one:
            peer = await one.peer()
            await peer.say(options(), client(), subject("hold"), mail(account=""), subject("refuse"), subject("go"))
            await peer.hear_options()
            await peer.hear(milter.hold("because") + GO_ON + milter.refuse("because") + GO_ON)

    asyncio.run(scene())


def test_a_hundred_connections_are_served_side_by_side():
    async def scene():
        async with running() as one:
            peers = [await one.peer() for _ in range(100)]
            for peer in peers:
                await peer.begin()
            for peer in peers:
                await peer.say(subject("go"))
            for peer in peers:
                await peer.hear(GO_ON)
        assert one.meter.seen == {"connected": 100, Action.GO: 100}

    asyncio.run(scene())


@pytest.mark.parametrize(("undecided", "said"), [(Action.GO, GO_ON), (Action.HOLD, milter.hold("no decision"))])
@pytest.mark.parametrize(("word", "counted"), [("raise", "decide"), ("hang", "slow")])
def test_where_deciding_fails_the_mail_goes_or_is_held_as_wished_and_the_log_says_so(
    word, counted, undecided, said, caplog
):
    async def scene():
        async with running(budget=0.05, undecided=undecided) as one:
            peer = await one.peer()
            await peer.begin()
            await peer.say(subject(word), subject("hold"))
            await peer.hear(said + milter.hold("because"))
        assert one.meter.seen == {"connected": 1, counted: 1, Action.HOLD: 1}

    with caplog.at_level(logging.ERROR):
        asyncio.run(scene())
    (record,) = caplog.records
    assert "undecided" in record.message
    assert (record.account, record.queue_id) == ("alice@example.test", "4jYSTJ0sf8znjll")
    assert "secret" not in caplog.text


@pytest.mark.parametrize("said", [b"GET / HTTP/1.1\r\n\r\n", frame(b"Z"), b"\xff" * 8, options(actions=0)])
def test_a_peer_that_speaks_something_else_is_closed_and_the_others_go_on(said):
    async def scene():
        async with running() as one:
            good, bad = await one.peer(), await one.peer()
            await good.begin()
            await bad.say(said)
            assert await bad.closed()
            await good.say(subject("hold"))
            await good.hear(milter.hold("because"))
        assert one.meter.seen["protocol"] == 1

    asyncio.run(scene())


@pytest.mark.parametrize("said", [b"", options()[:7], options() + client() + mail()[:-3]])
def test_a_peer_that_stops_within_a_frame_is_closed(said):
    async def scene():
        async with running(half_a_frame=0.1) as one:
            peer = await one.peer()
            await peer.say(said)
            assert await peer.closed()
        assert one.meter.seen["stalled"] == 1

    asyncio.run(scene())


def test_a_peer_that_is_silent_between_commands_is_waited_for():
    async def scene():
        async with running(half_a_frame=0.05) as one:
            idle, stalled = await one.peer(), await one.peer()
            await idle.begin()
            await idle.say(BEGUN)
            # Three times the patience, told by others that were closed for want of it.
            for turn in range(3):
                assert await stalled.closed()
                await one.seen("stalled", turn + 1)
                stalled = await one.peer()
            await idle.say(frame(b"E"))
            await idle.hear(GO_ON)

    asyncio.run(scene())


def test_a_peer_that_goes_away_is_forgotten():
    async def scene():
        async with running() as one:
            within, between = await one.peer(), await one.peer()
            for peer in (within, between):
                await peer.begin()
            await within.say(subject("go") + BEGUN)
            await within.hear(GO_ON)
            await between.close()
            within.writer.transport.abort()
            await one.seen("broken")
            peer = await one.peer()
            await peer.begin()
            await peer.say(subject("go"))
            await peer.hear(GO_ON)
        assert one.meter.seen == {"connected": 3, "broken": 1, Action.GO: 2}

    asyncio.run(scene())


def test_a_peer_that_goes_away_while_its_mail_is_decided_on_harms_nobody():
    async def scene():
        asked, go = asyncio.Event(), asyncio.Event()

        async def decide(_):
            asked.set()
            await go.wait()
            return answer(Action.HOLD)

        async with running(decide=decide) as one:
            gone, other = await one.peer(), await one.peer()
            for peer in (gone, other):
                await peer.begin()
            await gone.say(mail())
            await asked.wait()
            gone.writer.transport.abort()
            go.set()
            await other.say(mail())
            await other.hear(milter.hold("because"))
        assert one.meter.seen[Action.HOLD] == 2

    asyncio.run(scene())


def test_told_to_stop_it_finishes_open_mails_and_closes_idle_connections():
    async def scene():
        async with running() as one:
            idle, within = await one.peer(), await one.peer()
            for peer in (idle, within):
                await peer.begin()
            # They come in one piece, so that the second has begun when the first is answered.
            await within.say(subject("go") + BEGUN + frame(b"L", b"Subject", b"hold"))
            await within.hear(GO_ON)
            one.stop.set()
            assert await idle.closed()
            assert not one.task.done()
            with pytest.raises(ConnectionError):
                await one.peer()
            await within.say(frame(b"E"))
            await within.hear(milter.hold("because"))
            assert await within.closed()
            await asyncio.wait_for(one.task, 20)
        assert one.meter.seen == {"connected": 2, Action.GO: 1, Action.HOLD: 1}

    asyncio.run(scene())


def test_told_to_stop_it_waits_for_open_mails_only_so_long(caplog):
    async def scene():
        async with running(grace=0.05) as one:
            peer = await one.peer()
            await peer.begin()
            await peer.say(subject("hang"))
            async with asyncio.timeout(20):
                while not one.task.done():
                    one.stop.set()
                    await asyncio.sleep(0.005)
            assert await peer.closed()

    with caplog.at_level(logging.WARNING):
        asyncio.run(scene())
    assert "unfinished" in caplog.text


_PROGRAM = """
    import asyncio
    from hikeshi.guard.port import server

    async def main():
        listener = server.listening("inet:127.0.0.1:0")
        print(listener.getsockname()[1], flush=True)
        await server.serve(listener, None)

    asyncio.run(main())
"""


def test_the_signal_to_stop_stops_it():
    program = subprocess.Popen([sys.executable, "-c", textwrap.dedent(_PROGRAM)], stdout=subprocess.PIPE, text=True)
    with program:
        port = int(program.stdout.readline())
        with socket.create_connection(("127.0.0.1", port), 20) as peer:
            peer.sendall(options())
            assert peer.recv(1000)[4:5] == b"O"
            program.send_signal(signal.SIGTERM)
            assert peer.recv(1000) == b""
        assert program.wait(20) == 0


@pytest.mark.parametrize(
    "listen",
    [
        "", "inet", "inet:", "inet:8891", "inet:127.0.0.1", "inet:127.0.0.1:x", "inet:127.0.0.1:70000", "unix:",
        "tcp:127.0.0.1:1", "inet:example.test:1",
    ],
)  # fmt: skip
def test_what_is_no_place_to_listen_is_refused(listen):
    with pytest.raises(UsageError, match=r"write inet:|loopback"):
        server.listening(listen)


@pytest.mark.parametrize("listen", ["inet:0.0.0.0:0", "inet:192.0.2.1:8891", "inet:[::]:8891"])
def test_only_this_machine_may_ask(listen):
    with pytest.raises(UsageError, match="no authentication"):
        server.listening(listen)


def test_a_port_that_is_taken_is_named():
    with server.listening("inet:localhost:0") as first:
        port = first.getsockname()[1]
        with pytest.raises(UsageError, match=rf"inet:127\.0\.0\.1:{port}"):
            server.listening(f"inet:127.0.0.1:{port}")


def test_a_unix_socket_is_open_to_its_group_and_nobody_else(tmp_path):
    with server.listening(f"unix:{tmp_path}/guard"):
        mode = os.stat(tmp_path / "guard").st_mode  # noqa: PTH116 - as the system sees it
        assert (stat.S_ISSOCK(mode), stat.S_IMODE(mode)) == (True, 0o660)


def test_a_socket_left_behind_is_replaced_and_one_in_use_is_not(tmp_path):
    server.listening(f"unix:{tmp_path}/guard").close()
    with server.listening(f"unix:{tmp_path}/guard"), pytest.raises(UsageError, match="another guard"):
        server.listening(f"unix:{tmp_path}/guard")


def test_a_file_that_is_no_socket_is_left_alone(tmp_path):
    (tmp_path / "precious").write_text("kept")
    with pytest.raises(UsageError, match="no socket"):
        server.listening(f"unix:{tmp_path}/precious")
    assert (tmp_path / "precious").read_text() == "kept"


def test_a_path_that_cannot_be_is_named(tmp_path):
    with pytest.raises(UsageError, match="nowhere"):
        server.listening(f"unix:{tmp_path}/nowhere/guard")
