# SPDX-License-Identifier: Apache-2.0
"""What Prometheus reads: it parses, it goes up, it names nobody."""

import asyncio
import socket
import threading
import urllib.error
import urllib.request

import pytest
from prometheus_client.parser import text_string_to_metric_families

from hikeshi.basics.errors import UsageError
from hikeshi.guard.health.metrics import Metrics, serving
from hikeshi.guard.mail import Action


def got(port, path):
    """Give status and text of an answer."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}{path}", timeout=20) as answer:
            return answer.status, answer.read().decode()
    except urllib.error.HTTPError as error:
        with error:
            return error.code, error.read().decode()


def samples(port):
    """Give (name, labels without the bound of a bucket) → value of what is at /metrics."""
    status, text = got(port, "/metrics")
    assert status == 200
    return {
        (sample.name, *sorted(sample.labels.values())): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def test_what_happens_goes_up_and_nothing_else_does():
    metrics = Metrics()
    with serving(metrics, "127.0.0.1:0") as port:
        before = samples(port)
        metrics.connected()
        metrics.decided(Action.GO, 0.0004)
        metrics.decided(Action.GO, 0.003)
        metrics.decided(Action.HOLD, 0.02)
        metrics.decided(Action.REFUSE, 7.0)
        metrics.failed("slow")
        metrics.state_failed()
        metrics.lines(1000)
        metrics.told("mail")
        metrics.channel_failed("webhook")
        metrics.notice_lost("webhook")
        metrics.suspicions.set(2)
        metrics.holds.set(1215)
        metrics.behind.set(4096)
        after = samples(port)
    ours = {
        key: value for key, value in after.items() if key[0].startswith("hikeshi_") and not key[0].endswith("_created")
    }
    changed = {key: value for key, value in ours.items() if value != before.get(key)}
    assert changed.pop(("hikeshi_decide_seconds_sum",)) == pytest.approx(7.0234)
    buckets = {key[1]: changed.pop(key) for key in list(changed) if key[0] == "hikeshi_decide_seconds_bucket"}
    assert (buckets["0.0005"], buckets["0.005"], buckets["0.02"], buckets["2.0"], buckets["+Inf"]) == (1, 2, 3, 3, 4)
    assert changed == {
        ("hikeshi_connections_total",): 1,
        ("hikeshi_mails_total", "let go"): 2,
        ("hikeshi_mails_total", "held"): 1,
        ("hikeshi_mails_total", "refused"): 1,
        ("hikeshi_decide_seconds_count",): 4,
        ("hikeshi_failures_total", "slow"): 1,
        ("hikeshi_state_errors_total",): 1,
        ("hikeshi_log_lines_total",): 1000,
        ("hikeshi_notices_total", "mail"): 1,
        ("hikeshi_channel_failures_total", "webhook"): 1,
        ("hikeshi_notices_lost_total", "webhook"): 1,
        ("hikeshi_suspicions",): 2,
        ("hikeshi_holds",): 1215,
        ("hikeshi_log_bytes_behind",): 4096,
    }


def test_the_memory_of_the_process_is_among_them():
    with serving(Metrics(), "127.0.0.1:0") as port:
        assert samples(port)["process_resident_memory_bytes",] > 1_000_000


def test_two_metrics_of_one_process_are_apart():
    one, two = Metrics(), Metrics()
    one.connected()
    with serving(two, "127.0.0.1:0") as port:
        assert samples(port)["hikeshi_connections_total",] == 0


def test_a_loop_that_turns_is_healthy():
    async def main():
        with serving(Metrics(), "127.0.0.1:0", asyncio.get_running_loop()) as port:
            return await asyncio.to_thread(got, port, "/healthz")

    assert asyncio.run(main()) == (200, "ok\n")


def test_a_loop_that_is_stuck_is_not(monkeypatch):
    monkeypatch.setattr("hikeshi.guard.health.metrics._TURNS", 0.1)

    async def main():
        with serving(Metrics(), "127.0.0.1:0", asyncio.get_running_loop()) as port:
            answers = []
            asking = threading.Thread(target=lambda: answers.append(got(port, "/healthz")))
            asking.start()
            asking.join()
            return answers

    assert asyncio.run(main()) == [(503, "stuck\n")]


def test_a_loop_that_is_closed_is_not():
    loop = asyncio.new_event_loop()
    loop.close()
    with serving(Metrics(), "127.0.0.1:0", loop) as port:
        assert got(port, "/healthz")[0] == 503


def test_nothing_else_is_there():
    with serving(Metrics(), "127.0.0.1:0") as port:
        assert got(port, "/")[0] == 404


def test_a_client_that_says_nothing_is_in_nobodys_way():
    with serving(Metrics(), "127.0.0.1:0") as port, socket.create_connection(("127.0.0.1", port)) as silent:
        silent.send(b"GET /metr")
        assert got(port, "/healthz") == (200, "ok\n")


def test_a_port_alone_is_one_of_loopback():
    with socket.socket() as trial:
        trial.bind(("127.0.0.1", 0))
        free = trial.getsockname()[1]
    with serving(Metrics(), str(free)) as port:
        assert port == free
        assert got(port, "/healthz")[0] == 200


def test_after_the_block_nobody_listens():
    with serving(Metrics(), "127.0.0.1:0") as port:
        pass
    with socket.socket() as trial:
        assert trial.connect_ex(("127.0.0.1", port))


@pytest.mark.parametrize("where", ["127.0.0.1:", "127.0.0.1:http", "127.0.0.1:70000", "192.0.2.1:9892", ""])
def test_where_nobody_can_listen_is_said(where):
    with pytest.raises(UsageError, match=r"--metrics .*; give HOST:PORT that nobody uses"), serving(Metrics(), where):
        pass
