# SPDX-License-Identifier: Apache-2.0
"""A program that sends a case's letters and is killed: asked by lines "CASE PORT LOG" on its input.

Each run is a process of its own, for starting Python each time would take most of the test's time. It prints the number of the
process, and how it ended once it has: `whole`, or the signal.
"""

import os
import sys
import traceback
from pathlib import Path

import hikeshi.evidence.collect
import hikeshi.notify.outbox.maillog  # noqa: F401 - loaded once for all that are killed
from hikeshi.cases.store import open_store
from hikeshi.notify.outbox.relay import Relay
from hikeshi.notify.outbox.run import Logs, run
from hikeshi.notify.outbox.send import Sending
from hikeshi.notify.outbox.turns import Backoff


def send(case, port, log):
    with open_store(Path(case)) as store:
        relay = Relay("127.0.0.1", int(port), timeout=10, patience=10)
        settings = Sending("bounces@example.test", connections=4, backoff=Backoff(0.0, 0.0, 1000))
        run(store, relay, settings, logs=Logs([log], grace=0.1))


def _main():
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            code = 1
            try:
                send(*line.split())
                code = 0
            except BaseException:  # noqa: BLE001 - the process ends here whatever happens
                traceback.print_exc()
            finally:
                os._exit(code)
        print(child, flush=True)  # noqa: T201 - that is how it answers
        _, status = os.waitpid(child, 0)
        print("whole" if status == 0 else f"ended {status}", flush=True)  # noqa: T201 - as above


if __name__ == "__main__":
    _main()
