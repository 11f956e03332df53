# SPDX-License-Identifier: Apache-2.0
"""The life of a host: it starts, is stopped in the middle of things, starts again, and leaves nothing behind."""

from pathlib import Path

import pytest
from clients import Imap
from scenes import ACCOUNTS, ALICE, BOB, CAROL, ZONE, letter, running

BUSY, FRIEND = "busy@partner.example", "friend@partner.example"


@pytest.fixture
def server():
    with running() as server:
        yield server


def test_a_restart_loses_no_mail_and_its_log_no_line(server, scene_of):
    scene = scene_of(server)
    server.outside.answers[BUSY] = "451 4.7.1 Later"
    server.submit(ALICE, ACCOUNTS[ALICE], ALICE, [BUSY, FRIEND, BOB], letter("survivor"))
    server.settle()
    reading = Imap(server.ports["imap"], "127.0.0.7")
    reading.login(BOB, ACCOUNTS[BOB])
    reading.select()
    reading.fetch("1", "(BODY[])")
    server.stop_servers()
    reading.shutdown()
    server.outside.answers.clear()
    server.run_servers()
    server.change(smtpd_banner="mx.example.test ESMTP")
    server.flush()
    server.settle()
    server.submit(ALICE, ACCOUNTS[ALICE], ALICE, [CAROL], letter("after"))
    server.settle()
    server.stop_servers()
    evidence = scene.read_logs([server.mail_log, server.dovecot_log], ZONE)
    assert evidence.fates("survivor") == {BUSY: "delivered", FRIEND: "delivered", BOB: "delivered"}
    assert evidence.fates("after") == {CAROL: "delivered"}
    assert evidence.message("survivor")["session"] != evidence.message("after")["session"]
    # Dovecot loses now and then what a session would say when it is stopped; said, it is read.
    assert evidence.rows("reads", "account", "operation", "items") in ([], [(BOB, "imap", 1)])


def test_nothing_of_a_host_is_left_when_it_has_stopped():
    with running() as server:
        server.submit(ALICE, ACCOUNTS[ALICE], ALICE, [BOB, FRIEND], letter("last"))
        root = server.root
        assert _processes_in(root)
    assert _processes_in(root) == []
    assert not root.exists()


def _processes_in(root):
    """Find processes that work in the folder or were started with it, as those of Postfix and Dovecot do."""
    found = []
    for process in Path("/proc").glob("[0-9]*"):
        try:
            told = str((process / "cwd").readlink()), (process / "cmdline").read_text()
        except OSError:
            continue
        if any(str(root) in text for text in told):
            found.append(told)
    return found
