# SPDX-License-Identifier: Apache-2.0
"""Counts for Prometheus at /metrics, and /healthz. No account is a label: there are too many, and they are people."""

import asyncio
import threading
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from socketserver import ThreadingMixIn
from typing import TYPE_CHECKING, Final
from wsgiref.simple_server import WSGIRequestHandler, WSGIServer, make_server

from prometheus_client import CollectorRegistry, Counter, Gauge, Histogram, ProcessCollector, make_wsgi_app

from hikeshi.basics.errors import UsageError
from hikeshi.guard.mail import Action

if TYPE_CHECKING:
    from _typeshed.wsgi import StartResponse, WSGIApplication, WSGIEnvironment

#: bounds of the histogram, in seconds; the aim is a p99 under 0.005
_BUCKETS: Final = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.25, 0.5, 1.0, 2.0)
#: the loop of events must turn within so many seconds to be called healthy
_TURNS: Final = 2.0
#: a client that says nothing for so long is let go, in seconds
_SILENCE: Final = 10.0

_OUTCOMES: Final = {Action.GO: "let go", Action.HOLD: "held", Action.REFUSE: "refused"}


class Metrics:
    """The counters of one process. Is the `Meter` of server.py, and what asking people and watching logs count with."""

    def __init__(self) -> None:
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)

        def counter(name: str, told: str, *labels: str) -> Counter:
            return Counter(f"hikeshi_{name}", told, labels, registry=self.registry)

        def gauge(name: str, told: str, *labels: str) -> Gauge:
            return Gauge(f"hikeshi_{name}", told, labels, registry=self.registry)

        self._connections = counter("connections", "Connections of mail servers.")
        self._mails = counter("mails", "Mails decided on, by outcome.", "outcome")
        self._failures = counter("failures", "Mails left undecided and connections closed, by reason.", "reason")
        self._state_errors = counter("state_errors", "Times that the state could not be read or written.")
        self._notices = counter("notices", "Notices to people that a channel has taken.", "channel")
        self._channel_failures = counter("channel_failures", "Tries of a channel that failed.", "channel")
        self._notices_lost = counter("notices_lost", "Notices that were given up or pushed out.", "channel")
        self._lines = counter("log_lines", "Lines read of followed logs.")
        self._seconds = Histogram(
            "hikeshi_decide_seconds", "Time from the end of a mail to its decision.", registry=self.registry, buckets=_BUCKETS
        )  # fmt: skip
        #: to be set: suspicions that are open, mails that wait on hold, bytes of logs not read yet
        self.suspicions = gauge("suspicions", "Accounts that are under suspicion.")
        self.holds = gauge("holds", "Mails on hold that nobody has decided on.")
        self.behind = gauge("log_bytes_behind", "Bytes of followed logs that are not read yet.")
        for outcome in _OUTCOMES.values():
            self._mails.labels(outcome)

    def connected(self) -> None:
        """Count a mail server's connection."""
        self._connections.inc()

    def decided(self, action: Action, seconds: float) -> None:
        """Count a mail that was decided on, and how long that took."""
        self.judged(action)
        self._seconds.observe(seconds)

    def judged(self, action: Action) -> None:
        """Count a mail that a log tells of: there was nobody to be quick for."""
        self._mails.labels(_OUTCOMES[action]).inc()

    def failed(self, what: str) -> None:
        """Count what went wrong between a mail server and us, by one of the words of server.py."""
        self._failures.labels(what).inc()

    def state_failed(self) -> None:
        """Count a state that could not be read or written."""
        self._state_errors.inc()

    def lines(self, count: int) -> None:
        """Count lines of followed logs."""
        self._lines.inc(count)

    def told(self, channel: str) -> None:
        """Count a notice that `channel` has taken."""
        self._notices.labels(channel).inc()

    def channel_failed(self, channel: str) -> None:
        """Count a try of `channel` that failed."""
        self._channel_failures.labels(channel).inc()

    def notice_lost(self, channel: str) -> None:
        """Count a notice that `channel` will never take."""
        self._notices_lost.labels(channel).inc()


@contextmanager
def serving(metrics: Metrics, where: str, loop: asyncio.AbstractEventLoop | None = None) -> Iterator[int]:
    """Answer GET /metrics and /healthz at `where` (HOST:PORT, or a port of loopback) until the block ends; give the port.

    It answers from a thread of its own; /healthz is 503 where `loop` does not turn.

    Raises:
        UsageError: nobody can listen there.

    """
    host, _, port = where.rpartition(":")
    try:
        server = make_server(host or "127.0.0.1", int(port), _app(metrics, loop), _Server, _Quiet)
    except (OSError, ValueError, OverflowError) as error:
        raise UsageError(f"--metrics {where}: {error}; give HOST:PORT that nobody uses, as 127.0.0.1:9892") from error
    thread = threading.Thread(target=server.serve_forever, args=(0.1,), name="metrics", daemon=True)
    thread.start()
    try:
        yield server.server_port
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class _Server(ThreadingMixIn, WSGIServer):
    """Answers each client in a thread, so that a slow one is in nobody's way, and waits for none of them at the end."""

    daemon_threads = True
    block_on_close = False


class _Quiet(WSGIRequestHandler):
    """Logs no request, and does not wait for ever for one."""

    timeout = _SILENCE

    def log_message(self, format: str, *args: object) -> None:  # noqa: A002 - the name is http.server's
        """Say nothing."""


def _app(metrics: Metrics, loop: asyncio.AbstractEventLoop | None) -> "WSGIApplication":
    exposition: WSGIApplication = make_wsgi_app(metrics.registry)

    def app(asked: "WSGIEnvironment", start: "StartResponse") -> Iterable[bytes]:
        match asked["PATH_INFO"]:
            case "/metrics":
                return exposition(asked, start)
            case "/healthz":
                status, words = ("200 OK", b"ok\n") if _turns(loop) else ("503 Service Unavailable", b"stuck\n")
            case _:
                status, words = "404 Not Found", b"/metrics or /healthz\n"
        start(status, [("Content-Type", "text/plain; charset=utf-8")])
        return [words]

    return app


def _turns(loop: asyncio.AbstractEventLoop | None) -> bool:
    turned = threading.Event()
    try:
        if loop is not None:
            loop.call_soon_threadsafe(turned.set)
    except RuntimeError:
        return False
    return loop is None or turned.wait(_TURNS)
