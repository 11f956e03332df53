# SPDX-License-Identifier: Apache-2.0
"""A log that is watched while it is written tells what the finished log tells, through rotation and crashes, once."""

import asyncio
import json
import os
import signal
import sqlite3
import subprocess
import sys
import time
from contextlib import closing
from datetime import datetime, timedelta
from pathlib import Path

import pytest

from hikeshi import playbook
from hikeshi.drill import scenarios
from hikeshi.drill.attacks import attack
from hikeshi.drill.scenarios import Scenario
from hikeshi.drill.style import LogStyle
from hikeshi.evidence.collect import Reading
from hikeshi.guard import watch as watching
from hikeshi.guard.state import open_state
from hikeshi.guard.watch import Watching, watch
from hikeshi.playbook import learn

ZONE = "Asia/Tokyo"
#: what weighing and judging leave behind depends on when the organisation's rates were asked for
JUDGED = {"score", "recent", "suspicion", "marks", "places"}


def drill(folder, *, days=6, attacks=(), stamps="rfc3164"):
    """Write a small company's last days, as log lines."""
    start = (datetime.now() - timedelta(days=days + 1)).replace(hour=6, minute=25, second=2, microsecond=0)  # noqa: DTZ005 - the drill's own wall clock
    style = LogStyle(stamps=stamps, zone=ZONE)
    scenarios.write(Scenario("watched", staff=12, days=days, seed=4, start=start, attacks=attacks, style=style), folder)
    return (folder / "logs" / "mail.log").read_bytes().splitlines(keepends=True)


def accounts(path):
    """Give what the state at `path` has counted, by account and field."""

    async def read():
        state = open_state(str(path))
        found = {}
        for name in sorted(names(path)):
            account = await state.change(name, (), lambda account, _: account)
            found[name] = {field: getattr(account, field) for field in account.__struct_fields__ if field not in JUDGED}
            found[name]["places"] = {
                place: (kept.first, kept.near, kept.days, kept.stream and kept.stream.mails)
                for place, kept in account.places.items()
            }
        await state.close()
        return found

    return asyncio.run(read())


def names(path):
    with closing(sqlite3.connect(path)) as file:
        return [name for (name,) in file.execute("SELECT account FROM accounts")]


def finished(folder, lines):
    """Let a state learn the finished log."""
    (folder / "finished.log").write_bytes(b"".join(lines))
    learn([str(folder / "finished.log")], Reading(ZONE), str(folder / "learnt"), (), lambda _: None)
    return accounts(folder / "learnt")


def write(path, lines, rotate=()):
    """Write lines piece by piece; rotate the file before the pieces that `rotate` names."""
    for number, at in enumerate(range(0, len(lines), 400)):
        if number in rotate:
            path.rename(path.with_name(f"{path.name}.{9 - rotate.index(number)}"))
        with path.open("ab") as file:
            file.write(b"".join(lines[at : at + 400]))
        yield


async def until(met, what, patience=60):
    end = time.monotonic() + patience
    while not met():
        assert time.monotonic() < end, f"waited in vain: {what}"
        await asyncio.sleep(0.05)


def offset(case, path):
    try:
        return json.loads((case / "watch.json").read_text())["logs"][str(path)]["offset"]
    except (OSError, ValueError, KeyError):
        return -1


def watched(folder, lines, rotate=()):
    """Let a watch run in this process while the log is written; give its alarms."""
    log, case, alarms = folder / "mail.log", folder / "case", []

    async def play():
        stop = asyncio.Event()
        how = Watching([str(log)], str(folder / "state"), case, (1, 100_000), ZONE)
        running = asyncio.create_task(watch(how, lambda mail, answer: alarms.append((mail, answer)), stop))
        for _ in write(log, lines, rotate):
            await asyncio.sleep(0.02)
        await until(lambda: running.done() or offset(case, log) == log.stat().st_size, "all is counted")
        stop.set()
        await running

    asyncio.run(play())
    return alarms


@pytest.mark.parametrize("rotate", [(), (3, 7)], ids=["one file", "rotated twice"])
def test_what_a_watch_counts_is_what_the_finished_log_tells(tmp_path, monkeypatch, rotate):
    monkeypatch.setattr(watching, "LOOK", 0.02)
    lines = drill(tmp_path / "drill")
    expected = finished(tmp_path, lines)
    assert watched(tmp_path, lines, rotate) == []
    assert sum(one["number"] for one in expected.values()) > 100
    assert accounts(tmp_path / "state") == expected


def test_a_burst_alarms_while_it_is_written_and_is_told_once(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "LOOK", 0.02)
    lines = drill(tmp_path / "drill", days=12, attacks=(attack("fast", day=10),))
    truth = json.loads((tmp_path / "drill" / "truth.json").read_text())
    (victim,) = truth["attacks"][0]["accounts"]
    alarms = watched(tmp_path, lines)
    assert [mail.account for mail, answer in alarms if answer.alarmed] == [victim]
    assert {mail.account for mail, _ in alarms} == {victim}
    assert len(alarms) > 1000  # all of the burst is suspected, so that the case can be brought up to date
    told = [json.loads(line) for line in (tmp_path / "case" / "alarms.jsonl").read_text().splitlines()]
    assert [one["account"] for one in told] == [victim]
    assert told[0]["score"] > told[0]["threshold"]


def start(folder, log):
    return subprocess.Popen(
        [sys.executable, "-m", "hikeshi.cli", "watch", str(log), "--state", str(folder / "state"),
         "--case", str(folder / "case"), "--tz", ZONE],
        stderr=subprocess.DEVNULL,
    )  # fmt: skip


def test_a_watch_that_is_killed_again_and_again_counts_nothing_twice_and_misses_nothing(tmp_path):
    lines = drill(tmp_path / "drill")
    expected = finished(tmp_path, lines)
    log = tmp_path / "mail.log"
    running = start(tmp_path, log)
    try:
        for number, _ in enumerate(write(log, lines, rotate=(5,))):
            time.sleep(0.15)
            if number == 0:  # what is rotated away before the first look is not read
                asyncio.run(until(lambda: offset(tmp_path / "case", log) >= 0, "it has looked"))
            if number % 4 == 3:
                running.send_signal(signal.SIGKILL)
                running.wait()
                running = start(tmp_path, log)
        asyncio.run(until(lambda: offset(tmp_path / "case", log) == log.stat().st_size, "all is counted"))
    finally:
        running.terminate()
        assert running.wait(30) == 0
    assert accounts(tmp_path / "state") == expected


@pytest.mark.parametrize("behind", [watching.BEHIND, 1], ids=["it trickles", "it is behind"])
def test_a_watch_rests_between_looks_unless_a_log_is_behind(tmp_path, monkeypatch, behind):
    steps, turn, pause = [], watching.Tail.turn, watching._pause
    monkeypatch.setattr(watching, "LOOK", 0.02)
    monkeypatch.setattr(watching, "BEHIND", behind)
    monkeypatch.setattr(watching.Tail, "turn", lambda tail: (turn(tail), steps.append(tail.taken))[0])
    monkeypatch.setattr(watching, "_pause", lambda *how: steps.append("rest") or pause(*how))
    log = tmp_path / "mail.log"
    how = Watching([str(log)], str(tmp_path / "state"), tmp_path / "case", (1, 100_000), ZONE)

    async def play():
        stop = asyncio.Event()
        running = asyncio.create_task(watch(how, lambda *_: None, stop))
        for number in range(1, 6):
            with log.open("a") as file:
                file.write(f"2026-09-14T08:00:00+09:00 mx postfix/smtpd[{number}]: connect from a.test[192.0.2.5]\n")
            await until(lambda number=number: number in steps, "it is read")
        stop.set()
        await running

    asyncio.run(play())
    fresh = [steps.index(number) for number in range(1, 6)]
    assert [steps[place + 1] == "rest" for place in fresh[:4]] == [behind > 1] * 4


def test_a_log_that_is_not_there_yet_is_waited_for(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "LOOK", 0.02)

    async def play():
        stop = asyncio.Event()
        how = Watching([str(tmp_path / "later.log")], str(tmp_path / "state"), tmp_path / "case", (1, 100_000), ZONE)
        running = asyncio.create_task(watch(how, lambda *_: None, stop))
        await asyncio.sleep(0.2)
        assert not running.done()
        stop.set()
        await running

    asyncio.run(play())


def test_positions_that_cannot_be_read_are_said_and_reading_starts_over(tmp_path, monkeypatch, caplog):
    monkeypatch.setattr(watching, "LOOK", 0.02)
    lines = drill(tmp_path / "drill", days=2)
    case = tmp_path / "case"
    case.mkdir()
    (case / "watch.json").write_text("{")
    watched(tmp_path, lines)
    assert "cannot be read" in caplog.text
    assert accounts(tmp_path / "state")


def test_positions_are_private(tmp_path, monkeypatch):
    monkeypatch.setattr(watching, "LOOK", 0.02)
    watched(tmp_path, drill(tmp_path / "drill", days=2))
    assert oct(Path(tmp_path / "case" / "watch.json").stat().st_mode)[-3:] == "600"
    assert os.access(tmp_path / "state", os.R_OK)


@pytest.mark.parametrize(
    ("written", "opened"), [((), 0), (("alarms.jsonl",), 1), (("alarms.jsonl", "incident.json"), 0)]
)
def test_a_case_that_a_crash_kept_from_being_opened_is_opened_at_the_next_start(tmp_path, monkeypatch, written, opened):
    found = []

    async def nothing_happens(*_):
        pass

    monkeypatch.setattr(playbook, "watch", nothing_happens)
    monkeypatch.setattr(playbook.Inquiry, "open", lambda inquiry: found.append(inquiry.case))
    for age, name in enumerate(written):
        (tmp_path / name).touch()
        os.utime(tmp_path / name, (1000 + age, 1000 + age))
    how = Watching([str(tmp_path / "mail.log")], str(tmp_path / "state"), tmp_path, (1, 100_000))
    asyncio.run(playbook.watch_logs(how, "1/100000"))
    assert found == [tmp_path] * opened
