# SPDX-License-Identifier: Apache-2.0
"""Speed and memory side by side in one go: hikeshi from raw file to finished case, pflogsumm, postfix-logsums, wc -l.

Each round runs every program once, in turn; ratios are of medians. Speed lives here and never in a test.
"""

import argparse
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import time
from dataclasses import dataclass, field
from pathlib import Path

BIN = Path(sys.executable).parent
FOLDER = Path("build/bench")


@dataclass
class Program:
    """What is run, how long it took each time, and the most memory that it ever used."""

    name: str
    command: list[str]
    seconds: list[float] = field(default_factory=list)
    megabytes: float = 0.0

    def run(self) -> None:
        """Run once; the operating system's own accounting tells time and memory."""
        begun = time.perf_counter()
        child = subprocess.Popen(self.command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        _, status, usage = os.wait4(child.pid, 0)
        child.returncode = os.waitstatus_to_exitcode(status)
        self.seconds.append(time.perf_counter() - begun)
        self.megabytes = max(self.megabytes, usage.ru_maxrss / 1024)
        if child.returncode not in (0, 3):
            raise SystemExit(f"bench: {self.name} ended with {child.returncode}: {' '.join(self.command)}")

    @property
    def median(self) -> float:
        """Give the median time in seconds."""
        return statistics.median(self.seconds)


def main() -> None:
    """Build the log, run the rounds, print the table."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--lines", type=int, default=5_000_000)
    options.add_argument("--rounds", type=int, default=3)
    options.add_argument("--only-hikeshi", action="store_true", help="memory and linearity only")
    asked = options.parse_args()
    log = _log(asked.lines)
    case = Path(tempfile.mkdtemp(prefix="hikeshi-bench-"))
    programs = _programs(log, case, only=asked.only_hikeshi)
    for number in range(asked.rounds):
        for program in programs:
            shutil.rmtree(case, ignore_errors=True)
            print(f"round {number + 1}: {program.name} …", end=" ", flush=True)
            program.run()
            print(f"{program.seconds[-1]:.1f} s", flush=True)
    _print(programs, log)
    _one_more_day(log, case)
    shutil.rmtree(case, ignore_errors=True)


def _log(lines: int) -> Path:
    folder = FOLDER / str(lines)
    if not (folder / "truth.json").exists():
        print(f"building a log of about {lines:,} lines in {folder} …", flush=True)
        subprocess.run(
            [sys.executable, "-m", "hikeshi.drill.scenarios", "big", str(folder), "--lines", str(lines)], check=True
        )
    logs = sorted(path for path in (folder / "logs").rglob("*") if path.is_file())
    if len(logs) > 1:
        raise SystemExit(f"bench: expected one log in {folder}, found {len(logs)}")
    return logs[0]


def _programs(log: Path, case: Path, *, only: bool) -> list[Program]:
    hikeshi = Program("hikeshi", [str(BIN / "hikeshi"), "investigate", str(log), "--case", str(case)])
    if only:
        return [hikeshi]
    found = [hikeshi, Program("wc -l", ["wc", "-l", str(log)])]
    if shutil.which("pflogsumm"):
        found.append(Program("pflogsumm", ["pflogsumm", str(log)]))
    else:
        print("bench: no pflogsumm here (apt-get install pflogsumm); left out")
    if (BIN / "postfix-logsums").exists():
        found.append(Program("postfix-logsums", [str(BIN / "postfix-logsums"), str(log)]))
    else:
        print("bench: no postfix-logsums here (pip install postfix-logsums); left out")
    return found


def _print(programs: list[Program], log: Path) -> None:
    lines = int(subprocess.run(["wc", "-l", str(log)], capture_output=True, check=True, text=True).stdout.split()[0])
    ours = programs[0].median
    print(f"\n{platform.processor() or platform.machine()}, {os.cpu_count()} cores, Python {platform.python_version()}")
    print(f"{log}: {lines:,} lines, {log.stat().st_size / 1e6:,.0f} MB\n")
    print(f"{'program':<18}{'median':>9}{'min':>9}{'max':>9}{'lines/s':>12}{'peak MB':>10}{'hikeshi is':>14}")
    for one in programs:
        print(
            f"{one.name:<18}{one.median:>8.2f}s{min(one.seconds):>8.2f}s{max(one.seconds):>8.2f}s"
            f"{lines / one.median:>12,.0f}{one.megabytes:>10,.0f}{one.median / ours:>13.2f}x"
        )


def _one_more_day(log: Path, case: Path) -> None:
    """Add the last day to a case of all days before it, against reading all at once."""
    shutil.rmtree(case, ignore_errors=True)
    before, day = FOLDER / "before.log", FOLDER / "day.log"
    _split(log, before, day)
    first = Program("all but a day", [str(BIN / "hikeshi"), "investigate", str(before), "--case", str(case)])
    more = Program("one more day", [str(BIN / "hikeshi"), "investigate", str(day), "--case", str(case)])
    first.run()
    more.run()
    share = day.stat().st_size / log.stat().st_size
    print(f"\nall but the last day {first.median:.2f} s, then adding it ({share:.1%} of the lines) {more.median:.2f} s")
    before.unlink()
    day.unlink()


def _split(log: Path, before: Path, day: Path) -> None:
    with log.open("rb") as file:
        file.seek(-4096, os.SEEK_END)
        last = file.read().splitlines()[-1][:6]
        file.seek(0)
        with before.open("wb") as early, day.open("wb") as late:
            for line in file:
                (late if line.startswith(last) else early).write(line)


if __name__ == "__main__":
    resource.setrlimit(resource.RLIMIT_CORE, (0, 0))
    main()
