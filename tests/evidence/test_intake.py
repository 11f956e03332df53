# SPDX-License-Identifier: Apache-2.0
"""Law 1: every record is counted exactly once, and what cannot be read is kept byte for byte."""

import random
import string

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hikeshi.basics.errors import ConservationError
from hikeshi.evidence.intake import TOO_LONG, Counts
from hikeshi.evidence.redact import redact

HEAD = "Nov 24 12:09:24 mx "
REAL = [
    f"{HEAD}postfix/submission/smtpd[3733]: connect from pc.example.test[192.0.2.7]",
    f"{HEAD}postfix/submission/smtpd[3733]: E229775C: client=pc[192.0.2.7], sasl_method=PLAIN, sasl_username=alice",
    f"{HEAD}postfix/cleanup[3739]: E229775C: message-id=<m1@client.example.test>",
    f"{HEAD}postfix/qmgr[3728]: E229775C: from=<alice@example.test>, size=441, nrcpt=2 (queue active)",
    "2026-11-24T12:09:24.5+09:00 mx postfix/smtp[3740]: E229775C: to=<a@example.org>, relay=none, delay=0.02, "
    "delays=0.01/0.01/0/0, dsn=2.0.0, status=sent (250 2.0.0 Ok: queued as 4F1)",
    "<22>1 2026-11-24T03:09:24.123456Z mx postfix/qmgr 3728 - - E229775C: removed",
    f"{HEAD}dovecot: imap-login: Login: user=<alice>, method=PLAIN, rip=192.0.2.7, session=<MwdHlQRh1Jt/AAAB>",
    f"{HEAD}dovecot: imap(alice)<3742><x>: Disconnected: Logged out in=32 out=788 body_count=3",
    "Nov 24 12:09:24 lmtp(a@b.test)<3744><x>: Info: sieve: msgid=<m@x>: redirect action: forwarded to <d@evil.example>",
    f"{HEAD}dovecot: auth: Debug: sql(alice,192.0.2.7): Password mismatch (given password: hunter2)",
    f"{HEAD}postfix/smtpd[3733]: warning: pc[192.0.2.7]: SASL PLAIN authentication failed: x, sasl_username=請求書",
    f"{HEAD}kernel: [1.0] something else",
    '192.0.2.1 - - [24/Nov/2026:12:09:24 +0900] "GET / HTTP/1.1" 200 1',
    "",
]


def count_lines(octets):
    """Count by hand: a last line without an end is a line too."""
    return octets.count(b"\n") + (not octets.endswith(b"\n") and octets != b"")


def check(bench, octets, size=1 << 24):
    counts = bench.stream(octets, size=size)
    assert counts.records == counts.taken + counts.skipped + counts.set_aside == count_lines(octets)
    staged = {table: bench.rows(table) for table in ("pieces", "signins", "changes", "reads")}
    assert counts.taken == sum(map(len, staged.values()))
    lines = redact(octets).split(b"\n")
    kept = b""
    for row in bench.aside_rows():
        first, last = int(row["first_record"]), int(row["last_record"])
        wanted = b"".join(line + b"\n" for line in lines[first - 1 : last])
        data = (bench.folder / "aside" / row["file"]).read_bytes()[int(row["offset"]) :][: int(row["bytes"])]
        assert wanted in (data, data + b"\n")
        kept += data
    files = [path.read_bytes() for path in (bench.folder / "aside").glob("0001-*")]
    assert b"".join(files) == kept
    told = {
        record for row in bench.aside_rows() for record in range(int(row["first_record"]), int(row["last_record"]) + 1)
    }
    assert len(told) == counts.set_aside
    assert told.isdisjoint(row["record"] for rows in staged.values() for row in rows)
    return counts, staged


mutated = st.builds(
    lambda line, place, cut, insert: line[: place % (len(line) + 1)] + insert + line[place % (len(line) + 1) + cut :],
    st.sampled_from([line.encode() for line in REAL]),
    st.integers(0, 300),
    st.integers(0, 6),
    st.binary(max_size=4),
)
real = st.sampled_from([line.encode() for line in REAL])
logs = st.lists(st.one_of(real, mutated, st.binary(max_size=60)), max_size=25).map(b"\n".join)
thorough = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow]
)


@thorough
@given(st.binary(max_size=2000))
def test_arbitrary_bytes(bench, octets):
    check(bench, octets)


@thorough
@given(logs)
def test_real_lines_and_what_became_of_them(bench, octets):
    check(bench, octets)


@settings(thorough, max_examples=8)
@given(logs, st.integers(400, 900))
def test_the_size_of_blocks_does_not_matter(bench, octets, size):
    octets += b"\n" + "\n".join(REAL).encode()
    if max(map(len, octets.split(b"\n"))) >= size:
        size = 1000
    counts, staged = check(bench, octets)
    assert check(bench, octets, size) == (counts, staged)


def test_real_lines_are_taken(bench):
    counts, staged = check(bench, "\n".join(REAL).encode())
    assert (counts.records, counts.taken, counts.skipped, counts.set_aside) == (13, 10, 2, 1)
    assert counts.by_source == {"postfix": 7, "dovecot": 3}
    assert {table: len(rows) for table, rows in staged.items()} == {"pieces": 6, "signins": 2, "changes": 1, "reads": 1}


@pytest.mark.parametrize("end", [b"\r\n", b"\n"])
@pytest.mark.parametrize("last", [True, False])
def test_line_ends(bench, end, last):
    octets = end.join(line.encode() for line in REAL[:-1]) + (end if last else b"")
    _, staged = check(bench, octets)
    assert staged == check(bench, "\n".join(REAL[:-1]).encode())[1]


def test_nul_bytes_are_passed_over_in_reading_and_kept_in_what_is_set_aside(bench):
    octets = b"\0\0\0no\0 log\n" + REAL[1].encode().replace(b"alice", b"al\0ice") + b"\n"
    counts, staged = check(bench, octets)
    assert (counts.taken, counts.set_aside) == (1, 1)
    assert staged["pieces"][0]["account"] == "alice"
    assert (bench.folder / "aside" / bench.aside_rows()[0]["file"]).read_bytes() == b"\0\0\0no\0 log\n"


@pytest.mark.parametrize("encoding", ["utf-8", "cp932", "latin-1", "euc-jp"])
def test_any_encoding_beside_any_other(bench, encoding):
    name = "Jérôme" if encoding == "latin-1" else "佐藤花子"
    line = f"{HEAD}postfix/cleanup[1]: E229775C: warning: header Subject: {name} from local; from=<a@b.test>"
    other = f"{HEAD}postfix/cleanup[1]: E229775C: warning: header Subject: 請求書 from local; from=<a@b.test>"
    counts, staged = check(bench, other.encode() + b"\n" + line.encode(encoding) + b"\n" + name.encode(encoding))
    assert (counts.taken, counts.set_aside) == (2, 1)
    found = [row["subject"] for row in staged["pieces"]]
    assert found == [
        "請求書",
        line.encode(encoding).decode("utf-8", "backslashreplace").split("Subject: ")[1].split(" from")[0],
    ]


@pytest.mark.parametrize("length", [70_000, 2_000_000, 40_000_000])
def test_a_line_too_long_is_one_record_and_kept_whole(bench, length):
    long = b"Nov 24 12:09:24 mx postfix/smtpd[1]: E229775C: client=" + b"x" * length
    octets = REAL[0].encode() + b"\n" + long + b"\n" + REAL[1].encode() + b"\n"
    counts = bench.stream(octets)
    assert (counts.records, counts.taken, counts.set_aside) == (3, 2, 1)
    (row,) = bench.aside_rows()
    assert (row["first_record"], row["last_record"], row["reason"]) == ("2", "2", TOO_LONG)
    assert (bench.folder / "aside" / row["file"]).read_bytes() == long + b"\n"
    assert [row["record"] for row in bench.rows("pieces")] == [1, 3]


def test_a_web_servers_log_is_set_aside_and_nothing_is_lost(bench):
    lines = [f'192.0.2.{n} - - [24/Nov/2026:12:09:{n:02d} +0900] "GET /{n} HTTP/1.1" 200 {n}' for n in range(60)]
    octets = "\n".join(lines).encode()
    counts, _ = check(bench, octets)
    assert (counts.records, counts.set_aside) == (60, 60)
    (row,) = bench.aside_rows()
    assert (row["first_record"], row["last_record"], row["offset"], row["bytes"]) == ("1", "60", "0", str(len(octets)))
    assert row["reason"] == "does not begin like a log line: no stamp, host and program"


def test_a_picture_is_set_aside(bench):
    octets = random.Random(1).randbytes(300_000)
    counts, _ = check(bench, octets)
    assert counts.set_aside == counts.records == count_lines(octets)


def test_nothing(bench):
    counts, _ = check(bench, b"")
    assert counts == Counts()


def test_a_missing_record_stops_the_run():
    with pytest.raises(ConservationError, match=r"mail.log: 3 records but 1 taken \+ 1 skipped \+ 0 set aside"):
        Counts(records=3, taken=1, skipped=1).check("mail.log")


def test_what_is_ours_is_dated_by_its_own_line(bench):
    """A minute of lines, each with its own second, keeps order and time."""
    lines = [
        f"Nov 24 12:09:{n:02d} mx postfix/qmgr[1]: {string.hexdigits.upper()[:6]}{n:02d}: removed" for n in range(60)
    ]
    bench.take(*lines)
    assert [row["time"].second for row in bench.rows("pieces")] == list(range(60))
