# SPDX-License-Identifier: Apache-2.0
"""A relay for the tests of the outbox: takes mail as Postfix does, logs as Postfix does, and misbehaves on request.

What it takes is appended to `taken` on disk, and to its log, before it says so. `behaves` is asked for every message, with the
recipient and how often it was tried, and gives one of:

    take     250 after the end of the message
    later    450 at RCPT          refuse    550 at RCPT
    later-data 451 after the end  refuse-data 554 after the end
    reset-taken  takes it, then resets the connection instead of saying so
    reset-lost   resets the connection at the end of the message, and has not taken it
    reset-early  resets the connection at RCPT
    close    421 at MAIL
"""

import json
import os
import socket
import socketserver
import struct
import threading
from collections import Counter
from datetime import UTC, datetime
from email import message_from_bytes

WORDS = {"later": "450 4.2.0 Greylisted", "refuse": "550 5.1.1 No such user"}
AFTER = {"later-data": "451 4.3.0 Try later", "refuse-data": "554 5.7.1 Not this content"}


class _Talk(socketserver.StreamRequestHandler):
    timeout = 30
    disable_nagle_algorithm = True

    def handle(self):
        relay = self.server.relay
        relay.log("smtpd", "connect from localhost[127.0.0.1]")
        try:
            self._talk(relay)
        except (OSError, ValueError):
            relay.log("smtpd", "lost connection after DATA from localhost[127.0.0.1]")
        relay.log("smtpd", "disconnect from localhost[127.0.0.1]")

    def _talk(self, relay):  # noqa: C901 - a command a case
        self._say("220 relay.example ESMTP")
        sender = recipient = behaviour = None
        while line := self.rfile.readline():
            verb, _, rest = line.decode().strip().partition(" ")
            match verb.upper():
                case "EHLO":
                    self._say("250-relay.example\r\n250 SIZE")
                case "MAIL":
                    sender = rest.partition("<")[2].partition(">")[0]
                    self._say("553 5.1.8 Sender not allowed" if relay.senders_refused else "250 2.1.0 Ok")
                case "RCPT":
                    recipient = rest.partition("<")[2].partition(">")[0]
                    behaviour = relay.behaviour(recipient)
                    if behaviour == "reset-early":
                        return self._reset()
                    if behaviour == "close":
                        return self._say("421 4.3.2 Closing")
                    self._say(WORDS.get(behaviour, "250 2.1.5 Ok"))
                case "DATA":
                    self._say("354 Go on")
                    relay.at("data")
                    content = b"".join(self._content())
                    if behaviour == "reset-lost":
                        return self._reset()
                    if behaviour in AFTER:
                        self._say(AFTER[behaviour])
                        continue
                    relay.at("end")
                    queue_id = relay.take(sender, recipient, content)
                    relay.at("taken")
                    if behaviour == "reset-taken":
                        return self._reset()
                    self._say(f"250 2.0.0 Ok: queued as {queue_id}")
                    relay.at("said")
                case "QUIT":
                    return self._say("221 2.0.0 Bye")
                case _:
                    self._say("250 2.0.0 Ok")
        return None

    def _content(self):
        while (line := self.rfile.readline()) != b".\r\n":
            if not line:
                raise ValueError("the client has gone")
            yield line.removeprefix(b".")

    def _say(self, reply):
        self.wfile.write(f"{reply}\r\n".encode())

    def _reset(self):
        self.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self.connection.close()


class _Server(socketserver.ThreadingTCPServer):
    daemon_threads = True
    allow_reuse_address = True
    request_queue_size = 100

    def handle_error(self, request, client_address):
        """A client that was killed is what some tests are about."""


class Relay:
    """The relay, for the time of a with block. `at` is called at each moment of a message, by its name."""

    def __init__(self, folder, behaves=lambda *_: "take", at=lambda _: None, durable=False):
        self.mail_log, self.file = folder / "relay.log", folder / "taken.jsonl"
        self.behaves, self.at, self.durable = behaves, at, durable
        self.tries = Counter()
        self.lock = threading.Lock()
        self.senders_refused = False
        self._queue = 0
        self._log, self._taken = self.mail_log.open("a"), self.file.open("a")
        self._server = _Server(("127.0.0.1", 0), _Talk)
        self._server.relay = self
        self.port = self._server.server_address[1]
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.02,), daemon=True)

    def __enter__(self):
        self.log("master", "daemon started -- version 3.7.11, configuration /etc/postfix")
        self._thread.start()
        return self

    def __exit__(self, *_):
        self._server.shutdown()
        self._thread.join(10)
        self._server.server_close()
        with self.lock:
            self._log.close()
            self._taken.close()

    def behaviour(self, recipient):
        with self.lock:
            self.tries[recipient] += 1
            return self.behaves(recipient, self.tries[recipient])

    def take(self, sender, recipient, content):
        message_id = message_from_bytes(content)["Message-ID"]
        with self.lock:
            self._queue += 1
            queue_id = f"{self._queue:010X}"
            one = {"sender": sender, "recipient": recipient, "message_id": message_id, "content": content.decode()}
            self._taken.write(json.dumps(one) + "\n")
            self._taken.flush()
            if self.durable:
                os.fsync(self._taken.fileno())
        self.log("smtpd", f"{queue_id}: client=localhost[127.0.0.1]")
        self.log("cleanup", f"{queue_id}: message-id={message_id}")
        self.log("qmgr", f"{queue_id}: from=<{sender}>, size={len(content)}, nrcpt=1 (queue active)")
        said = "delay=0.1, delays=0/0/0/0.1, dsn=2.0.0, status=sent (250 2.0.0 Ok)"
        self.log("smtp", f"{queue_id}: to=<{recipient}>, relay=mx.example[192.0.2.1]:25, {said}")
        self.log("qmgr", f"{queue_id}: removed")
        return queue_id

    def log(self, program, text):
        with self.lock:
            if not self._log.closed:
                self._log.write(f"{datetime.now(UTC).isoformat()} mx postfix/{program}[7]: {text}\n")
                self._log.flush()

    @property
    def taken(self):
        """What was taken, in order."""
        return [json.loads(line) for line in self.file.read_text().splitlines()]
