# SPDX-License-Identifier: Apache-2.0
"""The state that several guards share: exact counts among processes, and a server that goes and comes back."""

import asyncio
import contextlib
import shutil
import socket
import subprocess
import sys
import threading

import keepers
import pytest
from keepers import ME, SERVERS, Server, add, held, look, play

from hikeshi.guard.state import StateAwayError, StateError, open_state
from hikeshi.guard.state.stateurl import PASSWORD, PASSWORD_FILE

pytestmark = pytest.mark.skipif(not shutil.which(SERVERS[0]), reason="no redis-server: apt-get install redis-server")


@pytest.fixture(params=SERVERS)
def server(request):
    server = Server(request.param)
    yield server
    server.stop()


@pytest.fixture
def guarded():
    """Give a server with options, stopped in the end."""
    with contextlib.ExitStack() as stack:

        def make(*options):
            server = Server(SERVERS[0], *options)
            stack.callback(server.stop)
            return server

        yield make


def test_no_count_is_lost_among_processes(server):
    """Four guards change the same two accounts, and one each of their own."""
    command = [sys.executable, keepers.__file__, "hammer", server.where]
    guards = [subprocess.Popen([*command, f"{ME},all,own{number}", "150"]) for number in range(4)]
    assert [guard.wait() for guard in guards] == [0] * 4
    people = [f"{number}@example.org" for number in range(150)]
    known = {person: float(number) for number, person in enumerate(people)}

    async def story(state):
        accounts = [ME, "all", "own0", "own1", "own2", "own3"]
        return [await state.change(account, people, look) for account in accounts], await state.organisation()

    seen, sums = play(server, story)
    assert seen == [(600, known)] * 2 + [(150, known)] * 4
    assert sums == {"count": (1800.0, 3600.0)}


def test_who_was_overtaken_is_asked_again_on_what_the_other_left(server):
    """Nothing of the overtaken try is kept, not in the account, its recipients or the sums."""
    asked = []

    def overtake():
        play(server, lambda other: other.change(ME, [], add(7, 1.0, "anna@example.org")))

    def overtaken(tally, known):
        asked.append((tally.count, dict(known)))
        if len(asked) == 1:
            tally.count, known["lost@example.org"] = 50, 5.0
            guard = threading.Thread(target=overtake)
            guard.start()
            guard.join()
        else:
            tally.count += 1

    async def story(state):
        people = ["anna@example.org", "lost@example.org"]
        await state.change(ME, people, overtaken)
        return await state.change(ME, people, look), await state.organisation()

    assert play(server, story) == ((8, {"anna@example.org": 1.0}), {"count": (8.0, 16.0)})
    assert asked == [(0, {}), (7, {"anna@example.org": 1.0})]


def test_connections_that_were_cut_are_opened_again(server):
    """As a server or a firewall does with those that nobody used for long."""

    async def story(state):
        await asyncio.gather(*(state.change(f"a{number}", [], add()) for number in range(8)))
        assert server.say("CLIENT", "KILL", "TYPE", "normal", "SKIPME", "yes") != b":0\r\n"
        return await asyncio.gather(*(state.change(f"a{number}", [], add()) for number in range(8)))

    assert play(server, story) == [1] * 8


def test_a_change_whose_answer_got_lost_counts_once(server, monkeypatch):
    """The library sends it again; the server has its mark already."""

    async def story(state):
        send = state._change

        async def twice(**call):
            await send(**call)
            return await send(**call)

        monkeypatch.setattr(state, "_change", twice)
        await state.change(ME, [], add(3))
        return await state.organisation()

    assert play(server, story) == {"count": (3.0, 6.0)}


def test_an_account_that_is_always_overtaken_is_given_up(server, monkeypatch):
    async def story(state):
        async def refused(**_call):
            return 0

        monkeypatch.setattr(state, "_change", refused)
        monkeypatch.setattr("hikeshi.guard.state.shared._PAUSE", 0.0)
        with pytest.raises(StateError, match=r"100 times another guard was faster"):
            await state.change(ME, [], add())

    play(server, story)


def test_a_server_that_is_away_is_said_and_found_again(server):
    """What it keeps on disk is there; what it did not keep is made anew."""

    async def story(state):
        await state.change(ME, [], add(1, 1.0, "anna@example.org"))
        server.halt()
        for call in (
            state.change(ME, [], add()),
            state.holds(),
            state.hold(held()),
            state.organisation(),
            state.norm(),
        ):
            with pytest.raises(StateAwayError, match=r"is the server up and the address right\?"):
                await call
        server.start()
        await state.change(ME, [], add(5, 2.0, "bert@example.org"))
        other = server.open()
        try:
            return await other.change(ME, ["anna@example.org", "bert@example.org"], look)
        finally:
            await other.close()

    assert play(server, story) == (5, {"bert@example.org": 2.0})


def test_a_server_that_hangs_holds_no_mail_up_for_long(server, monkeypatch):
    """The first waits in vain, those after it are told at once, and later it is tried again."""
    monkeypatch.setattr("hikeshi.guard.state.shared._PATIENCE", 0.2)
    monkeypatch.setattr("hikeshi.guard.state.shared._REST", 0.5)

    async def story(state):
        await state.change(ME, [], add())
        server.pause()
        with pytest.raises(StateAwayError, match=r"no answer within"):
            await state.change(ME, [], add())
        with pytest.raises(StateAwayError, match=r"did not answer a moment ago"):
            await state.change("other", [], add())
        server.go_on()
        async with asyncio.timeout(20):
            while True:
                with contextlib.suppress(StateAwayError):
                    return await state.change("other", [], add(3))
                await asyncio.sleep(0.02)

    assert play(server, story) == 0


def test_a_server_that_was_emptied_gets_a_key_again(server):
    """Or the hashes of two guards would differ, and everybody would be new."""

    async def story(state):
        await state.change(ME, [], add(1, 1.0, "anna@example.org"))
        server.clear()
        await state.change(ME, [], add(1, 2.0, "anna@example.org"))
        other = server.open()
        try:
            return await other.change(ME, ["anna@example.org"], look)
        finally:
            await other.close()

    assert play(server, story) == (1, {"anna@example.org": 2.0})


def test_no_address_stands_in_the_server(server):
    play(server, lambda state: state.change(ME, ["anna@example.org"], add(1, 1.0, "anna@example.org")))
    assert server.say("KEYS", "*anna*") == b"*0\r\n"
    members = server.say("ZRANGE", f"hikeshi:wrote:{ME}", 0, -1)
    assert members.startswith(b"*1\r\n")
    assert b"anna" not in members


def test_all_keys_are_under_one_prefix(server):
    async def story(state):
        await state.change(ME, [], add(1, 1.0, "anna@example.org"))
        await state.set_norm({"h": 1.0})
        await state.hold(held())
        await state.hold(held(2))
        await state.settle(held(), "released", "root", "honest")

    play(server, story)
    assert server.say("KEYS", "*").count(b"hikeshi:") == 7
    assert server.say("DBSIZE") == b":7\r\n"


def test_no_server_there(tmp_path):
    for where in (f"unix://{tmp_path}/none", "redis://127.0.0.1:1"):
        with pytest.raises(StateAwayError, match=r"--state .*; is the server up and the address right\?"):
            open_state(where)


def test_a_password_is_asked_for_and_taken_from_the_environment(guarded, monkeypatch, tmp_path):
    server = guarded("--requirepass", "ember")
    for wrong in (None, "smoke"):
        monkeypatch.delenv(PASSWORD, raising=False)
        if wrong:
            monkeypatch.setenv(PASSWORD, wrong)
        with pytest.raises(StateError, match=rf"put the password into {PASSWORD}") as caught:
            server.open()
        assert not isinstance(caught.value, StateAwayError)
        assert "smoke" not in str(caught.value)
    monkeypatch.setenv(PASSWORD, "ember")
    play(server, lambda state: state.change(ME, [], add(2)))
    monkeypatch.delenv(PASSWORD)
    secret = tmp_path / "secret"
    secret.write_text("ember\n")
    secret.chmod(0o600)
    monkeypatch.setenv(PASSWORD_FILE, str(secret))
    assert play(server, lambda state: state.change(ME, [], look)) == (2, {})


def test_a_server_that_takes_no_more_says_why(guarded):
    server = guarded("--maxmemory", "1", "--maxmemory-policy", "noeviction")
    with pytest.raises(StateError, match=r"the server says: .*memory"):
        server.open()


def test_another_database_of_the_server_is_another_state(server):
    play(server, lambda state: state.change(ME, [], add(2)))
    first = server.where
    server.where = f"{first}?db=3"
    assert play(server, lambda state: state.change(ME, [], look)) == (0, {})


def test_over_tcp_and_over_tls(guarded, tmp_path, monkeypatch):
    """The certificate is checked against those that the host trusts."""
    key, certificate = tmp_path / "key", tmp_path / "certificate"
    subprocess.run(
        ["openssl", "req", "-x509", "-newkey", "rsa:2048", "-nodes", "-days", "2", "-subj", "/CN=localhost",
         "-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1", "-keyout", key, "-out", certificate],
        check=True, capture_output=True,
    )  # fmt: skip
    with contextlib.ExitStack() as stack:
        ports = [_free(stack) for _ in range(2)]
    server = guarded(
        "--bind", "127.0.0.1", "--port", str(ports[0]), "--tls-port", str(ports[1]),
        "--tls-cert-file", str(certificate), "--tls-key-file", str(key), "--tls-auth-clients", "no",
    )  # fmt: skip
    server.where = f"redis://127.0.0.1:{ports[0]}/0"
    play(server, lambda state: state.change(ME, [], add(2)))
    server.where = f"rediss://127.0.0.1:{ports[1]}/0"
    with pytest.raises(StateAwayError, match=r"certificate"):
        server.open()
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    assert play(server, lambda state: state.change(ME, [], look)) == (2, {})


def _free(stack):
    peer = stack.enter_context(socket.socket())
    peer.bind(("127.0.0.1", 0))
    return peer.getsockname()[1]


def test_without_the_library_it_says_what_to_install(monkeypatch):
    monkeypatch.setitem(sys.modules, "redis", None)
    monkeypatch.delitem(sys.modules, "hikeshi.guard.state.shared", raising=False)
    with pytest.raises(StateError, match=r"needs the extra redis: pip install 'hikeshi\[redis\]'"):
        open_state("redis://127.0.0.1:1")


def test_many_mails_at_once_share_the_connections(server):
    async def story(state):
        async with asyncio.TaskGroup() as tasks:
            for number in range(500):
                tasks.create_task(state.change(f"a{number % 100}", [], add()))
        return await state.organisation()

    assert play(server, story) == {"count": (500.0, 1000.0)}
