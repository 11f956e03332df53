# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any point, then the same again: the end is that of a run which nobody disturbed."""

import os
import random
import select
import signal
import subprocess
import sys
from pathlib import Path

import pytest
from farside import GONE
from killed import KeptFarSide

from hikeshi.cases.store import open_store
from hikeshi.cases.store.verify import verify
from hikeshi.contain.journal import State, progress_of
from hikeshi.contain.plan import find_plan

PROGRAM = Path(__file__).with_name("killed.py")


class Killed:
    """The program, and ways to let it come to its end or not."""

    def __init__(self, process):
        self.process = process

    def finish(self, verb, folder):
        self._start(verb, folder)
        assert self._ended() == 0

    def kill(self, verb, folder, after):
        """Start, and kill after so many seconds; say whether it was still at work."""
        pid = self._start(verb, folder)
        if not select.select([self.process.stdout], [], [], after)[0]:
            os.kill(pid, signal.SIGKILL)
        code = self._ended()
        assert code in (0, -signal.SIGKILL)
        return code != 0

    def _start(self, verb, folder):
        self.process.stdin.write(f"{verb} {folder}\n".encode())
        return int(self.process.stdout.readline())

    def _ended(self):
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def killed():
    # Unbuffered, so that what select sees is all that there is.
    with subprocess.Popen(
        [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, bufsize=0
    ) as process:
        yield Killed(process)
        process.stdin.close()


def deeds(folder):
    path = folder / "deeds"
    return path.read_text().splitlines() if path.exists() else []


def end(folder):
    """Give what the far side is in the end, and what the case says of each step."""
    with open_store(folder / "case") as store:
        plan = find_plan(store)
        assert verify(store).deviations == []
        return KeptFarSide(folder, 0).values(), progress_of(store, plan)


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory, killed):
    folder = tmp_path_factory.mktemp("undisturbed")
    killed.finish("plan", folder)
    killed.finish("run", folder)
    closed = end(folder)
    killed.finish("undo", folder)
    return closed, end(folder)


@pytest.mark.parametrize("seed", range(4))
def test_a_run_and_an_undo_that_are_killed_again_and_again_end_as_if_nobody_had(seed, tmp_path, undisturbed, killed):
    chance = random.Random(seed)
    killed.finish("plan", tmp_path)
    kills = 0
    for verb, (values, progress) in zip(("run", "undo"), undisturbed, strict=True):
        for _ in range(8):
            kills += killed.kill(verb, tmp_path, chance.uniform(0.01, 0.4))
        killed.finish(verb, tmp_path)
        found_values, found = end(tmp_path)
        assert found_values == values
        assert {key: (one.state, one.touched) for key, one in found.items()} == {
            key: (one.state, one.touched) for key, one in progress.items()
        }
        for key, one in found.items():
            assert one.before.state == progress[key].before.state, key
    done = deeds(tmp_path)
    assert len(done) == len(set(done)), "what stands is not done again"
    assert kills >= 10, f"{kills} kills are too few to have tested anything"


def test_the_undisturbed_run_closes_everything_and_its_undo_opens_it(undisturbed):
    (closed, done), (opened, undone) = undisturbed
    far = KeptFarSide(Path(), 0)
    assert closed == {key: thing.goal for key, thing in far.things.items()}
    assert all(one.state in (State.VERIFIED, State.ALREADY) for one in done.values())
    (session,) = (key for key, thing in far.things.items() if not thing.undo)
    assert opened == {**far.first, session: GONE}
    assert [key for key, one in undone.items() if one.state == State.VERIFIED] == [session]
