# SPDX-License-Identifier: Apache-2.0
"""A watch beside real Postfix and Dovecot: it alarms while the burst is going on and opens a case within seconds."""

import json
import os
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from rehearse import ELSEWHERE, LURE, ZONE, command, letter, owners, past
from servers import MailServer, until

LURES = 40
#: seconds; nobody would wait so long for an alarm
_PATIENCE = 120


@pytest.fixture
def company(tmp_path):
    """A company whose past month was learnt, on real servers whose logs have been rotated since; its people."""
    logs = past(tmp_path / "past", datetime.now(ZoneInfo(ZONE)))
    people = owners(logs, tmp_path / "past")
    domain = people[0].account.partition("@")[2]
    inside = {address for one in people for address in (one.account, *one.friends) if address.endswith(domain)}
    command("guard", "learn", str(logs), "--state", str(tmp_path / "state"), "--org", domain, "--tz", ZONE)
    passwords = {account: f"the secret of {account}" for account in sorted(inside)}
    # Postfix's own user must get there.
    with tempfile.TemporaryDirectory(prefix="hikeshi-real-") as folder:
        server = MailServer(Path(folder), passwords, zone=ZONE, main={"virtual_mailbox_domains": domain})
        try:
            server.start()
            shutil.copy(logs / "mail.log", server.log / "mail.log.1")
            yield server, people
        finally:
            server.stop()


@contextmanager
def watching(folder, server):
    """Watch both logs for the time of a with block; at its end SIGTERM must be taken for a good end."""
    words = ("watch", server.mail_log, server.dovecot_log, "--state", folder / "state", "--case", folder / "case")
    with (folder / "said").open("w+") as said:
        process = subprocess.Popen(
            [sys.executable, "-m", "hikeshi.cli", *map(str, words), "--tz", ZONE],
            stdout=said, stderr=said, env={**os.environ, "TZ": "UTC"},
        )  # fmt: skip
        try:
            until((folder / "case" / "watch.json").exists, "the watch has looked", _PATIENCE)
            yield
            process.send_signal(signal.SIGTERM)
            assert process.wait(_PATIENCE) == 0, (folder / "said").read_text()
        finally:
            if process.poll() is None:
                process.kill()
                process.wait()


def hand_in(smtp, account, recipient, subject, body):
    receipt = smtp.hand_in(account, [recipient], letter(account, recipient, subject, body))
    return receipt.queue_id, time.time()


def incidents(case):
    try:
        return json.loads((case / "incident.json").read_text())["incidents"]
    except FileNotFoundError:
        return []


def test_a_burst_is_noticed_while_it_goes_on_and_becomes_a_case(company, tmp_path):
    server, (victim, owner, *_) = company
    case, handed = tmp_path / "case", {}
    body = "Dear customer,\nplease find the corrected invoice attached.\n" * 20

    def lure(smtp, numbers):
        for number in numbers:
            queue_id, when = hand_in(
                smtp, victim.account, f"customer{number:04d}@firm{number % 97:02d}.example", LURE, body
            )
            handed[queue_id] = when

    with watching(tmp_path, server):
        with server.imap(owner.account, owner.place), server.session(owner.account, owner.place) as smtp:
            for friend in owner.friends[:3]:
                hand_in(smtp, owner.account, friend, f"To {friend}", f"Good morning, {friend}\n")
        with server.session(victim.account, ELSEWHERE) as smtp:
            lure(smtp, range(LURES // 2))
            until((case / "alarms.jsonl").exists, "an alarm", _PATIENCE)
            lure(smtp, range(LURES // 2, LURES))
        until(lambda: bool(incidents(case)), "a case", _PATIENCE)
        opened = (case / "incident.json").stat().st_mtime
        (alarm,) = [json.loads(line) for line in (case / "alarms.jsonl").read_text().splitlines()]
    assert len(handed) == LURES
    assert (alarm["account"], alarm["place"], alarm["action"], alarm["would"]) == (
        victim.account, ELSEWHERE, "go", "hold",
    )  # fmt: skip
    crossing = handed[alarm["queue_id"]]
    # Seen with pytest -rP; a figure, not a promise.
    sys.stdout.write(
        f"mail {list(handed).index(alarm['queue_id']) + 1} crossed; from its handing in to the alarm "
        f"{(case / 'alarms.jsonl').stat().st_mtime - crossing:.2f} s, to the case {opened - crossing:.2f} s\n"
    )
    (incident,) = incidents(case)
    # Whose hand it was is judged on all that the log tells by then; whose mailbox it is, is not in doubt.
    assert incident["account"] == victim.account
    assert incident["client_ips"] == [ELSEWHERE]
    assert 0 < incident["messages"] <= LURES
    assert (case / "report.html").exists()
    assert "no case" not in (tmp_path / "said").read_text()
