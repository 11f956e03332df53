# SPDX-License-Identifier: Apache-2.0
"""kill -9 at any point, then the same again: the end is that of a run which nobody disturbed."""

import random
import shutil
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
        assert self._do(verb, 0, folder) == 0

    def kill(self, verb, point, folder):
        """Let it be killed at a point; say whether it came to that."""
        code = self._do(verb, point, folder)
        assert code in (0, -signal.SIGKILL)
        return code != 0

    def _do(self, verb, point, folder):
        self.process.stdin.write(f"{verb} {point} {folder}\n")
        self.process.stdin.flush()
        return int(self.process.stdout.readline())


@pytest.fixture(scope="module")
def killed():
    with subprocess.Popen(
        [sys.executable, PROGRAM], stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
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
        return KeptFarSide(folder).values(), progress_of(store, plan)


@pytest.fixture(scope="module")
def planned(tmp_path_factory, killed):
    """Give a folder with an approved plan."""
    folder = tmp_path_factory.mktemp("planned")
    killed.finish("plan", folder)
    return folder


@pytest.fixture(scope="module")
def undisturbed(planned, tmp_path_factory, killed):
    """Give what the run and the undo of it end with, and the folder after the run."""
    folder = tmp_path_factory.mktemp("undisturbed") / "it"
    shutil.copytree(planned, folder)
    killed.finish("run", folder)
    closed, kept = end(folder), shutil.copytree(folder, folder.with_name("closed"))
    killed.finish("undo", folder)
    return {"run": closed, "undo": end(folder)}, kept


def hold_as_if_nobody_had(folder, undisturbed):
    values, progress = undisturbed
    found_values, found = end(folder)
    assert found_values == values
    assert {key: (one.state, one.touched, one.before.state) for key, one in found.items()} == {
        key: (one.state, one.touched, one.before.state) for key, one in progress.items()
    }
    done = deeds(folder)
    assert len(done) == len(set(done)), "what stands is not done again"


@pytest.mark.parametrize("seed", range(4))
def test_a_run_and_an_undo_that_are_killed_again_and_again_end_as_if_nobody_had(
    seed, tmp_path, planned, undisturbed, killed
):
    folder, chance, kills = shutil.copytree(planned, tmp_path / "it"), random.Random(seed), 0
    for verb in ("run", "undo"):
        for _ in range(8):
            kills += killed.kill(verb, chance.randint(1, 30), folder)
        killed.finish(verb, folder)
        hold_as_if_nobody_had(folder, undisturbed[0][verb])
    assert kills >= 6, f"{kills} kills are too few to have tested anything"


@pytest.mark.parametrize("verb", ["run", "undo"])
def test_there_is_no_point_at_which_a_kill_leaves_anything_else_behind(verb, tmp_path, planned, undisturbed, killed):
    """Each second point of a whole run; where a run has no such point any more, the last was killed at."""
    for point in range(1, 1000, 2):
        folder = shutil.copytree(planned if verb == "run" else undisturbed[1], tmp_path / str(point))
        was_killed = killed.kill(verb, point, folder)
        if was_killed:
            killed.finish(verb, folder)
        hold_as_if_nobody_had(folder, undisturbed[0][verb])
        if not was_killed:
            break
    assert point > 40, f"{point} points are too few to have tested anything"


def test_the_undisturbed_run_closes_everything_and_its_undo_opens_it(undisturbed):
    (closed, done), (opened, undone) = undisturbed[0]["run"], undisturbed[0]["undo"]
    far = KeptFarSide(Path())
    assert closed == {key: thing.goal for key, thing in far.things.items()}
    assert all(one.state in (State.VERIFIED, State.ALREADY) for one in done.values())
    (session,) = (key for key, thing in far.things.items() if not thing.undo)
    assert opened == {**far.first, session: GONE}
    assert [key for key, one in undone.items() if one.state == State.VERIFIED] == [session]
