# SPDX-License-Identifier: Apache-2.0
"""A program that runs or undoes a plan against a far side kept in a file, and is killed at a point of the caller's choice.

Asked by lines "VERB POINT FOLDER" on its input, it does each in a process of its own, which gets kill -9 at the POINT-th
point (0: at none), and prints how that ended: starting Python for each would take most of the test's time. Points are before and
after each entry of the ledger, each reading and each change of the far side. Each line in `deeds` is one change of it, so
that what was repeated can be counted.
"""

import json
import os
import signal
import sys
import traceback
from pathlib import Path

from farside import CLOSED, GONE, KAI, MEI, OPEN, FarSide, Thing, target

from hikeshi.cases.store import open_store
from hikeshi.contain.approval import approve
from hikeshi.contain.contract import Answer, Phase
from hikeshi.contain.limits import Limits
from hikeshi.contain.patience import Patience, now
from hikeshi.contain.plan import find_plan, make_plan
from hikeshi.contain.run import run
from hikeshi.contain.undo import undo

THINGS = [
    Thing(KAI, None, OPEN, CLOSED, Phase.STOP),
    Thing(KAI, "session", OPEN, GONE, Phase.CLOSE, undo=False),
    *(Thing(KAI, f"rule {number}", f"forward {number}", GONE) for number in range(4)),
    Thing(KAI, "grant", GONE, GONE),
    Thing(MEI, "lure", "INBOX", "quarantine", Phase.PURGE),
    Thing(KAI, "account", OPEN, CLOSED, Phase.SEAL),
]


class Points:
    """Counts points, and dies at one of them."""

    def __init__(self, last):
        self.left = last

    def __call__(self):
        self.left -= 1
        if self.left == 0:
            os.kill(os.getpid(), signal.SIGKILL)


class KeptFarSide(FarSide):
    """The truth is a file, changed whole or not at all."""

    def __init__(self, folder, point=lambda: None):
        super().__init__(THINGS)
        self.folder, self.point = folder, point

    def values(self):
        path = self.folder / "truth.json"
        return json.loads(path.read_text()) if path.exists() else dict(self.first)

    def _read(self, verb, step, reached):
        self.point()
        self.things[step.key].value = self.values()[step.key]
        return super()._read(verb, step, reached)

    def _change(self, verb, step, value):
        self.point()
        values = self.values()
        if values[step.key] != value:
            (self.folder / "truth.new").write_text(json.dumps({**values, step.key: value}))
            (self.folder / "truth.new").replace(self.folder / "truth.json")
            with (self.folder / "deeds").open("a") as file:
                file.write(f"{verb} {step.key}\n")
        self.point()
        return Answer("done")


def counted(append, point):
    def appending(*drafts):
        point()
        entries = append(*drafts)
        point()
        return entries

    return appending


def do(verb, point, folder):
    far = KeptFarSide(folder, point)
    with open_store(folder / "case") as store:
        if verb == "plan":
            plan = make_plan([target(KAI), target(MEI)], [far], Limits(), now())
            approve(store, plan, who="Aoi", why="a rehearsal")
            return
        plan, patience = find_plan(store), Patience(5, 30)
        store.append = counted(store.append, point)
        if verb == "run":
            outcome = run(store, plan, [far], case=folder / "case", patience=patience)
        else:
            outcome = undo(store, plan, [far], who="Aoi", why="a rehearsal", case=folder / "case", patience=patience)
        assert outcome.complete


def main():
    for line in sys.stdin:
        verb, point, folder = line.rstrip("\n").split(" ", 2)
        pid = os.fork()
        if pid == 0:
            code = 1
            try:
                do(verb, Points(int(point)), Path(folder))
                code = 0
            except BaseException:
                traceback.print_exc()
                raise
            finally:
                os._exit(code)
        print(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]), flush=True)  # noqa: T201 - the test reads it


if __name__ == "__main__":
    main()
