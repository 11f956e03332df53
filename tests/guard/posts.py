# SPDX-License-Identifier: Apache-2.0
"""Stand-ins for postqueue, postsuper, postcat and postkick, over a queue in a file; and a hold and its mail.

Run as a program it is one of them, by its name.
"""

import json
import os
import shlex
import sys
from dataclasses import asdict
from pathlib import Path

from hikeshi.guard.state.store import Hold
from hikeshi.mailqueue import Queued

ALICE = "alice@example.test"
HELD_AT = 1_795_500_000.5


def hold(queue_id, **more):
    given = {
        "queue_id": queue_id, "account": ALICE, "sender": ALICE, "time": HELD_AT, "place": "192.0.2.7",
        "session": "192.0.2.7:4711", "recipients": 1, "subject": "Invoice", "reason": "a new place", "score": 30.0,
    }  # fmt: skip
    return Hold(**given | more)


def queued(queue_id, sender=ALICE, arrival=int(HELD_AT), size=300, queue="hold"):
    return Queued(queue_id, queue, arrival, size, sender, ())


class Post:
    """A Postfix that is only its programs, which come first in PATH."""

    def __init__(self, folder, monkeypatch):
        self.folder = folder
        folder.mkdir()
        monkeypatch.setenv("PATH", str(folder), prepend=os.pathsep)
        monkeypatch.setenv("POST", str(folder))
        self._write({"mails": {}, "fails": {}, "meanwhile": {}})
        for name in ("postqueue", "postsuper", "postcat", "postkick"):
            program = folder / name
            program.write_text(f'#!/bin/sh\nexec {shlex.quote(sys.executable)} {shlex.quote(__file__)} {name} "$@"\n')
            program.chmod(0o755)

    def lies(self, mail, account=ALICE, recipients=()):
        """Let a mail lie in the queue."""
        self._change(
            lambda now: now["mails"].update(
                {mail.queue_id: {**asdict(mail), "account": account, "recipients": list(recipients)}}
            )
        )

    def leaves(self, queue_id, *, before):
        """Let a mail be gone just before `before`, a program, does its work."""
        self._change(lambda now: now["meanwhile"].setdefault(before, {}).update({queue_id: None}))

    def comes(self, mail, *, before):
        """Let a mail take the id of another just before `before`, a program, does its work."""
        told = {**asdict(mail), "account": ALICE, "recipients": []}
        self._change(lambda now: now["meanwhile"].setdefault(before, {}).update({mail.queue_id: told}))

    def fails(self, program, code, words):
        """Let a program do nothing but fail."""
        self._change(lambda now: now["fails"].update({program: [code, words]}))

    def where(self):
        """Give queue id → queue."""
        return {name: mail["queue"] for name, mail in self._read()["mails"].items()}

    @property
    def calls(self):
        """Give the calls so far, each program with its arguments."""
        path = self.folder / "calls"
        return [json.loads(line) for line in path.read_text().splitlines()] if path.exists() else []

    def adds(self, line):
        """Let the list end with a line that is no mail."""
        self._change(lambda now: now.update(line=line))

    def _change(self, change):
        now = self._read()
        change(now)
        self._write(now)

    def _read(self):
        return json.loads((self.folder / "now").read_text())

    def _write(self, now):
        (self.folder / "now").write_text(json.dumps(now))


def main(name, *arguments):
    folder = Path(os.environ["POST"])
    now = json.loads((folder / "now").read_text())
    with (folder / "calls").open("a") as calls:
        calls.write(json.dumps([name, *arguments]) + "\n")
    if name in now["fails"]:
        code, words = now["fails"][name]
        sys.stderr.write(words and f"{words}\n")
        return code
    for queue_id, mail in now["meanwhile"].pop(name, {}).items():
        now["mails"].pop(queue_id, None)
        if mail:
            now["mails"][queue_id] = mail
    {"postqueue": _list, "postsuper": _act, "postcat": _look, "postkick": lambda *_: None}[name](now, arguments)
    (folder / "now").write_text(json.dumps(now))
    return 0


def _say(line):
    sys.stdout.write(f"{line}\n")


def _list(now, _):
    for mail in now["mails"].values():
        _say(
            json.dumps(
                {
                    "queue_name": mail["queue"], "queue_id": mail["queue_id"], "arrival_time": mail["arrival"],
                    "message_size": mail["size"], "forced_expire": False, "sender": mail["sender"],
                    "recipients": mail["recipients"],
                },
                ensure_ascii=False,
            )
        )  # fmt: skip
    if now.get("line"):
        _say(now["line"])


def _act(now, arguments):
    for queue_id in sys.stdin.read().split():
        mail = now["mails"].get(queue_id)
        if mail is None or mail["queue"] != "hold":
            continue
        if "-d" in arguments:
            del now["mails"][queue_id]
            sys.stderr.write(f"postsuper: {queue_id}: removed\n")
        else:
            mail["queue"] = "deferred"
            sys.stderr.write(f"postsuper: {queue_id}: released from hold\n")
    sys.stderr.write("postsuper: done\n")


def _look(now, arguments):
    for queue_id in arguments:
        if mail := now["mails"].get(queue_id):
            _say(f"*** ENVELOPE RECORDS {mail['queue']}/{queue_id} ***")
            _say(f"named_attribute: sasl_method=PLAIN\nnamed_attribute: sasl_username={mail['account']}")
            _say(f"named_attribute: sasl_username=of a forged second record\n*** MESSAGE FILE END {queue_id} ***")


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
