# SPDX-License-Identifier: Apache-2.0
"""The submission port with and without a guard, side by side: two real Postfix, the same mails, rounds in turn.

Each round hands in `--mails` mails of 64 KiB by 16 clients at once on either host; what they take in is discarded, so
that nothing but submission is measured. First as fast as it goes (throughput), then at a given rate (what the guard adds
to a mail; at full speed latency is only the length of the line in front of it). Needs root and Postfix, as tests/real.
"""

import argparse
import asyncio
import shlex
import socket
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parents[1] / "tests" / "real"))

from scenes import ALICE, running
from servers import missing, until

from hikeshi.guard.mail import Action, Answer, Mail
from hikeshi.guard.port import server

CLIENTS, BODY, A_SESSION = 16, 64 * 1024, 10
_LINE = b"The quick brown fox jumps over the lazy dog; 42 times a day, it is said.\r\n"
_DISCARD = {"default_transport": "discard", "virtual_transport": "discard", "relayhost": ""}
_MINE = f"{shlex.quote(sys.executable)} {shlex.quote(__file__)} --serve {{listen}}"


def main() -> None:
    """Run the rounds and print medians."""
    options = argparse.ArgumentParser(description=__doc__)
    options.add_argument("--mails", type=int, default=800, help="a round, on either host")
    options.add_argument("--rounds", type=int, default=5)
    options.add_argument(
        "--guard", default=_MINE, help="its command; {listen} is where; by default one that lets all go"
    )
    options.add_argument("--listen", choices=("inet", "unix"), default="inet")
    options.add_argument("--rate", type=float, default=0.4, help="of the throughput without a guard, for latency")
    options.add_argument("--serve", help=argparse.SUPPRESS)
    asked = options.parse_args()
    if asked.serve:
        asyncio.run(server.serve(server.listening(asked.serve), _go))
        return
    if reason := missing():
        print(f"port: left out: {reason}")
        return
    with ExitStack() as stack:
        place = stack.enter_context(_guard(asked.guard, asked.listen))
        ports = {
            "without": stack.enter_context(running(header_checks="", main=_DISCARD)),
            "with": stack.enter_context(
                running(
                    header_checks="",
                    main=_DISCARD,
                    submission={"smtpd_milters": place, "milter_default_action": "tempfail"},
                )
            ),
        }
        for host in ports.values():
            _round(host, CLIENTS * A_SESSION, None)
        _report(ports, asked.mails, asked.rounds, asked.rate)


def _report(ports, mails: int, rounds: int, share: float) -> None:
    fast = {name: [] for name in ports}
    calm = {name: [] for name in ports}
    for _ in range(rounds):
        for name, host in ports.items():
            fast[name].append(_round(host, mails, None))
    a_second = {name: statistics.median(mails / taken for taken, _ in runs) for name, runs in fast.items()}
    rate = share * a_second["without"]
    for _ in range(rounds):
        for name, host in ports.items():
            calm[name].append(_round(host, mails, rate))
    print(f"{'64 KiB, 16 clients':24}{'without':>10}{'with':>10}{'':>4}")
    loss = 1 - a_second["with"] / a_second["without"]
    print(f"{'mails a second':24}{a_second['without']:10.0f}{a_second['with']:10.0f}   loss {loss:.1%}")
    for title, runs in (("full speed", fast), (f"{rate:.0f} mails a second", calm)):
        for percent in (50, 99):
            found = {name: statistics.median(_quantile(times, percent) for _, times in runs[name]) for name in ports}
            added = found["with"] - found["without"]
            print(f"{f'ms, p{percent}, {title}':24}{found['without']:10.2f}{found['with']:10.2f}   added {added:+.2f}")


def _quantile(times: list[float], percent: int) -> float:
    return 1000 * statistics.quantiles(times, n=100, method="inclusive")[percent - 1]


def _round(host, mails: int, rate: float | None) -> tuple[float, list[float]]:
    """Hand in `mails` by all clients; give the seconds of the round, and of each mail from MAIL to the last answer."""
    times: list[float] = []
    begun = time.perf_counter()
    clients = [
        threading.Thread(target=_client, args=(host, number, mails, rate, begun, times)) for number in range(CLIENTS)
    ]
    for client in clients:
        client.start()
    for client in clients:
        client.join()
    taken = time.perf_counter() - begun
    if len(times) != mails // CLIENTS * CLIENTS:
        raise SystemExit(f"port: only {len(times)} of {mails} mails were taken")
    host.settle()
    return taken, times


def _client(host, number: int, mails: int, rate: float | None, begun: float, times: list[float]) -> None:
    body = _LINE * (BODY // len(_LINE))
    mine = mails // CLIENTS
    for start in range(0, mine, A_SESSION):
        with host.session(ALICE, f"127.0.0.{10 + number}") as smtp:
            for turn in range(start, min(start + A_SESSION, mine)):
                if rate:
                    due = begun + (turn * CLIENTS + number) / rate
                    time.sleep(max(0.0, due - time.perf_counter()))
                head = f"Subject: mail {turn}\r\nMessage-ID: <{number}.{turn}.{begun}@pc.example.test>\r\n\r\n".encode()
                handed = time.perf_counter()
                smtp.mail(ALICE)
                smtp.rcpt(f"friend{turn}@partner.example")
                smtp.docmd("DATA")
                # smtplib would look through the body line by line, and take more time than Postfix.
                smtp.send(head + body + b".\r\n")
                if (code := smtp.getreply()[0]) != 250:
                    raise SystemExit(f"port: {code}")
                times.append(time.perf_counter() - handed)


@contextmanager
def _guard(command: str, kind: str) -> Iterator[str]:
    """Run the guard and give where it listens, as Postfix writes it."""
    with tempfile.TemporaryDirectory(prefix="hikeshi-port-") as name:
        folder = Path(name)
        folder.chmod(0o755)
        path = folder / "guard"
        listen = f"unix:{path}"
        if kind == "inet":
            with server.listening("inet:127.0.0.1:0") as trial:
                listen = f"inet:127.0.0.1:{trial.getsockname()[1]}"
        guard = subprocess.Popen(shlex.split(command.format(listen=listen)))
        try:
            until(lambda: _reachable(listen), "the guard listens")
            if kind == "unix":
                path.chmod(0o666)
            yield listen
        finally:
            guard.terminate()
            guard.wait(15)


def _reachable(listen: str) -> bool:
    kind, _, rest = listen.partition(":")
    if kind == "unix":
        return Path(rest).exists()
    with socket.socket() as trial:
        return trial.connect_ex(("127.0.0.1", int(rest.rpartition(":")[2]))) == 0


async def _go(mail: Mail) -> Answer:  # noqa: ARG001 - all go
    return Answer(Action.GO, Action.GO, "", alarmed=False, score=0.0, threshold=0.0, weights=())


if __name__ == "__main__":
    main()
