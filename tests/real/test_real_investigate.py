# SPDX-License-Identifier: Apache-2.0
"""From the logs of real servers to the incident, by the command line: what was sent is known to the letter.

A month of honest days is made of real lines of honest mails, shifted in time; the intruder's mails are real and now.
"""

import csv
import json
import random
import subprocess
import sys
from contextlib import contextmanager
from datetime import datetime, time, timedelta
from zoneinfo import ZoneInfo

from configuration import DOMAIN
from scenes import ALICE, BOB, CAROL, ZONE, last_stamp, letter, shifted

HOME, INTRUDER = "127.0.0.5", "127.0.0.66"
GONE = {f"gone{number}@firm{number}.example" for number in range(4)}
BUSY = {f"busy{number}@firm{number}.example" for number in range(3)}
CONTACTS = {
    ALICE: [BOB, CAROL, "friend@partner.example", "orders@supplier.example", "post@customer.example"],
    BOB: [ALICE, CAROL, "desk@agency.example", "friend@partner.example"],
}


def test_an_intruders_mails_are_found_to_the_letter(scene, tmp_path):
    acts = _honest_acts(scene)
    history = _month(acts, random.Random(7))
    scene.server.outside.answers.update(dict.fromkeys(GONE, "550 5.1.1 No such user"))
    scene.server.outside.answers.update(dict.fromkeys(BUSY, "451 4.7.1 Later"))
    start = scene.sizes()
    with scene.server.imap(ALICE, INTRUDER) as imap:
        imap.select()
    sent = _intrude(scene)
    now = _written_since(scene, start)
    _append(tmp_path, history)
    _append(tmp_path, now)
    document = _investigate(tmp_path)
    (incident,) = document["incidents"]
    assert _told(incident) == _truth(sent)
    assert len(incident["sessions"]) == 2
    assert incident["messages_before_alarm"] <= 10
    # The log ends with the intruder still at it: there may be more to come, and hikeshi says so.
    assert {name: least for name, (least, _, _) in incident["bounds"].items()} == {
        "messages": len(sent),
        "addresses": incident["addresses"],
    }
    with (tmp_path / "case" / "recipients.csv").open(newline="") as file:
        found = {row["address"]: row["status"] for row in csv.DictReader(file)}
    assert found == {address: _fate(address) for address in _addresses(sent)}
    assert {one["set_aside"] for one in document["inputs"]} == {0}

    _append(tmp_path, {name: shifted(lines, _later(now)) for name, lines in acts[BOB][0].items()})
    (incident,) = _investigate(tmp_path)["incidents"]
    assert _told(incident) == _truth(sent)
    assert incident["bounds"] == {}


def _truth(sent):
    addresses = _addresses(sent)
    return {
        "account": ALICE,
        "verdict": "takeover",
        "messages": len(sent),
        "addresses": len(addresses),
        "domains": len({address.split("@")[1] for address in addresses}),
        "delivered": len(addresses - GONE - BUSY),
        "bounced": len(GONE),
        "deferred": len(BUSY),
        "expired": 0,
        "held": 0,
        "unknown": 0,
        "client_ips": [INTRUDER],
    }


def _told(incident):
    return {name: incident[name] for name in _truth([])}


def _addresses(sent):
    return {address for recipients in sent for address in recipients}


def _fate(address):
    return "bounced" if address in GONE else "deferred" if address in BUSY else "delivered"


def _intrude(scene):
    """Send as the intruder in two connections, while the owner goes on; give the recipients of the intruder's mails."""
    sent = [[f"person{number}@firm{number % 9}.example"] for number in range(45)]
    sent += [[address, f"second{number}@firm.example"] for number, address in enumerate(sorted(GONE | BUSY))]
    sent += [[f"person{number}@firm{number % 9}.example", f"boss{number}@firm{number}.example"] for number in range(8)]
    for part in (sent[:25], sent[25:]):
        with scene.server.session(ALICE, INTRUDER, mechanism="LOGIN") as smtp:
            for recipients in part:
                smtp.hand_in(ALICE, recipients, letter(f"lure{len(recipients)}", "your invoice"))
        scene.server.submit(ALICE, scene.server.accounts[ALICE], ALICE, [BOB], letter("lunch?"), HOME)
    return sent


def _honest_acts(scene):
    """Let the owners write to everyone they know, and read, and give the lines of each act by account and log."""
    acts = {}
    for account, contacts in CONTACTS.items():
        for number, contact in enumerate(contacts):
            with _recorded(scene, acts.setdefault(account, [])):
                password = scene.server.accounts[account]
                scene.server.submit(account, password, account, [contact], letter(f"honest{number}"), HOME)
        with _recorded(scene, acts[account]), scene.server.imap(account, HOME) as imap:
            imap.select()
    return acts


@contextmanager
def _recorded(scene, acts):
    """Keep what the servers log of one act."""
    start = scene.sizes()
    yield
    acts.append(_written_since(scene, start))


def _written_since(scene, start):
    scene.server.settle()
    return {path.name: path.read_bytes()[size:].decode() for path, size in start.items()}


def _month(acts, chance):
    """Make thirty days of the acts of two people at work, the last of them yesterday."""
    planned = []
    today = datetime.now(ZoneInfo(ZONE)).date()
    for days in range(1, 31):
        day = today - timedelta(days=days)
        for account in acts:
            for _ in range(chance.randint(3, 6) if day.weekday() < 5 else 0):
                moment = datetime.combine(day, time(8)) + timedelta(minutes=chance.randrange(600))
                planned.append((moment, chance.choice(acts[account])))
    planned.sort(key=lambda plan: plan[0])
    return {
        name: "".join(shifted(act[name], moment) for moment, act in planned) for name in ("mail.log", "dovecot.log")
    }


def _later(logs):
    """Give the time two hours after the last line of a log."""
    return last_stamp(logs["mail.log"]) + timedelta(hours=2)


def _append(folder, logs):
    for name, lines in logs.items():
        with (folder / name).open("a") as file:
            file.write(lines)


def _investigate(folder):
    """Run the command line and give incident.json, which must be what it prints."""
    logs = [str(folder / name) for name in ("mail.log", "dovecot.log")]
    command = [sys.executable, "-m", "hikeshi.cli", "investigate", *logs, "--case", str(folder / "case")]
    done = subprocess.run(
        [*command, "--org", DOMAIN, "--tz", ZONE, "--json"], capture_output=True, text=True, check=False, timeout=60
    )
    assert done.returncode == 0, done.stderr
    document = json.loads(done.stdout)
    assert document == json.loads((folder / "case" / "incident.json").read_text())
    return document
