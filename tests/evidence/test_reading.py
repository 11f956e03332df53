# SPDX-License-Identifier: Apache-2.0
import bz2
import gzip
import hashlib
import io
import lzma
import os
import subprocess
import sys
import tarfile
import threading
import zipfile

import pytest
import zstandard

from hikeshi.evidence import reading
from hikeshi.evidence.reading import Input, Unreadable, blocks, find, peek

LINES = [b"line %d %s" % (n, hashlib.sha256(b"%d" % n).hexdigest().encode()) for n in range(4000)]
PLAIN = b"\n".join(LINES) + b"\n"
LONG = b"".join(b"%d %s\n" % (n, hashlib.sha256(b"%d" % n).hexdigest().encode()) for n in range(20_000))


def tar(members, mode="w"):
    octets = io.BytesIO()
    with tarfile.open(fileobj=octets, mode=mode) as archive:
        for name, data in members.items():
            member = tarfile.TarInfo(name)
            member.size, member.mtime = len(data), 1_700_000_000
            archive.addfile(member, io.BytesIO(data))
    return octets.getvalue()


def zipped(members, how=zipfile.ZIP_DEFLATED):
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w", how) as archive:
        for name, data in members.items():
            archive.writestr(name, data)
    return octets.getvalue()


PACKERS = {
    "gz": gzip.compress,
    "bz2": bz2.compress,
    "xz": lzma.compress,
    "zst": zstandard.ZstdCompressor(write_checksum=True).compress,
}
PACKED = {
    "mail.log": PLAIN,
    **{f"mail.log.{name}": pack(PLAIN) for name, pack in PACKERS.items()},
    **{f"two-members.{name}": pack(PLAIN[:70_001]) + pack(PLAIN[70_001:]) for name, pack in PACKERS.items()},
    "padded.gz": gzip.compress(PLAIN) + b"\0" * 700,
    "gz-in-gz": gzip.compress(gzip.compress(PLAIN)),
    "zst-in-xz": lzma.compress(PACKERS["zst"](PLAIN)),
    "logs.tar": tar({"var/log/mail.log": PLAIN}),
    "logs.tar.gz": tar({"var/log/mail.log": PLAIN}, "w:gz"),
    "logs.tar.xz": tar({"var/log/mail.log": PLAIN}, "w:xz"),
    "logs.zip": zipped({"mail.log": PLAIN}),
    "stored.zip": zipped({"mail.log": PLAIN}, zipfile.ZIP_STORED),
    "gz-in-tar": tar({"mail.log.1.gz": gzip.compress(PLAIN)}),
    "gz-in-tar.bz2": bz2.compress(tar({"mail.log.1.gz": gzip.compress(PLAIN)})),
    "gz-in-zip": zipped({"mail.log.1.gz": gzip.compress(PLAIN)}),
    "tar-in-zip.gz": gzip.compress(zipped({"logs.tar": tar({"mail.log": PLAIN})})),
}


def read(one):
    """Give the bytes of an input, and what it says went wrong."""
    stream = one.open()
    return b"".join(stream), stream.problems


def put(folder, name, octets):
    path = folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(octets)
    return path


@pytest.mark.parametrize("name", PACKED)
def test_every_packing(tmp_path, name):
    path = put(tmp_path, name, PACKED[name])
    (one,) = find([str(path)])
    assert read(one) == (PLAIN, [])
    assert read(one) == (PLAIN, [])  # an input can be opened again
    assert one.path.startswith(str(path))
    assert peek(one, 1000) == [line.decode() for line in LINES[:13]]


@pytest.mark.parametrize("name", [name for name in PACKED if "tar" not in name and "zip" not in name])
def test_the_digests_are_those_of_the_file_and_of_what_is_in_it(tmp_path, name):
    path = put(tmp_path, name, PACKED[name])
    (one,) = find([str(path)])
    stream = one.open()
    assert sum(map(len, stream)) == len(PLAIN) == stream.size
    assert stream.content.hexdigest() == hashlib.sha256(PLAIN).hexdigest()
    assert stream.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


@pytest.mark.parametrize("kind", PACKERS)
def test_truncated_gives_what_is_there_and_says_so(tmp_path, kind):
    packed = PACKERS[kind](LONG)
    (one,) = find([str(put(tmp_path, "x", packed[: len(packed) * 2 // 3]))])
    octets, problems = read(one)
    assert (LONG).startswith(octets)
    assert len(octets) > len(PLAIN)
    assert problems == [f"truncated {kind}: its end is missing; what is there was read"]


@pytest.mark.parametrize("kind", PACKERS)
def test_truncated_in_the_second_member(tmp_path, kind):
    second = PACKERS[kind](PLAIN)
    (one,) = find([str(put(tmp_path, "x", PACKERS[kind](PLAIN) + second[:-5]))])
    octets, problems = read(one)
    assert octets.startswith(PLAIN)
    assert problems == [f"truncated {kind}: its end is missing; what is there was read"]


@pytest.mark.parametrize("kind", PACKERS)
def test_damaged_gives_what_came_before_and_says_so(tmp_path, kind):
    packed = bytearray(PACKERS[kind](PLAIN) + PACKERS[kind](PLAIN))
    place = len(packed) * 3 // 4
    packed[place : place + 40] = b"\xff" * 40
    path = put(tmp_path, "x", bytes(packed))
    (one,) = find([str(path)])
    stream = one.open()
    octets = b"".join(stream)
    assert octets.startswith(PLAIN)
    assert len(octets) < 2 * len(PLAIN) + 1
    (problem,) = stream.problems
    assert problem.startswith(f"damaged {kind}: ")
    assert stream.sha256 == hashlib.sha256(path.read_bytes()).hexdigest()


def members(path):
    inputs, problems = {}, []
    for one in find([str(path)]):
        if isinstance(one, Unreadable):
            problems.append(one.reason)
        else:
            inputs[one.path.removeprefix(f"{path}!")], said = read(one)
            problems += said
    return inputs, problems


@pytest.mark.parametrize("pack", [bytes, gzip.compress], ids=["tar", "tar.gz"])
def test_a_truncated_tar_gives_what_is_there(tmp_path, pack):
    octets = tar({"a.log": PLAIN, "b.log": PLAIN, "c.log": PLAIN})
    packed = pack(octets[: len(octets) // 2])
    inputs, problems = members(put(tmp_path, "x.tar", packed[: len(packed) - 4]))
    assert inputs["a.log"] == PLAIN
    assert PLAIN.startswith(inputs["b.log"])
    assert 0 < len(inputs["b.log"]) < len(PLAIN)
    assert "c.log" not in inputs
    assert "truncated tar: the end of this member is missing; what is there was read" in problems
    assert any(problem.startswith("damaged tar: ") for problem in problems)
    assert (pack is bytes) != ("truncated gz: its end is missing; what is there was read" in problems)


def test_a_truncated_gz_in_a_tar(tmp_path):
    inputs, problems = members(put(tmp_path, "x.tar", tar({"a.gz": gzip.compress(PLAIN)[:-9], "b.log": PLAIN})))
    assert inputs["b.log"] == PLAIN
    assert PLAIN.startswith(inputs["a.gz"])
    assert problems == ["truncated gz: its end is missing; what is there was read"]


def test_a_damaged_member_of_a_zip_leaves_the_others(tmp_path):
    packed = bytearray(zipped({"a.log": PLAIN, "b.log": PLAIN}))
    packed[2000:2040] = b"\xff" * 40
    inputs, problems = members(put(tmp_path, "x.zip", bytes(packed)))
    assert inputs["b.log"] == PLAIN
    assert len(inputs["a.log"]) <= len(PLAIN)
    (problem,) = problems
    assert problem.startswith("damaged zip: ")


def test_a_zip_without_its_end_is_said_to_be_damaged(tmp_path):
    inputs, problems = members(put(tmp_path, "x.zip", zipped({"a.log": PLAIN})[:-30]))
    assert inputs == {}
    assert problems == ["damaged zip: File is not a zip file; unpack by hand what can be saved and give the folder"]


def test_a_locked_member_of_a_zip_is_named(tmp_path):
    packed = bytearray(zipped({"a.log": PLAIN, "b.log": PLAIN}))
    packed[packed.index(b"PK\x01\x02") + 8] |= 1
    inputs, problems = members(put(tmp_path, "x.zip", bytes(packed)))
    assert inputs == {"b.log": PLAIN}
    assert problems == ["locked with a password; unpack it and give the folder"]


def test_two_members_of_one_name_are_two(tmp_path):
    octets = io.BytesIO()
    with zipfile.ZipFile(octets, "w") as archive:
        archive.writestr("mail.log", b"one\n")
        with pytest.warns(UserWarning, match="Duplicate"):
            archive.writestr("mail.log", b"two\n")
    found = [read(one)[0] for one in find([str(put(tmp_path, "x.zip", octets.getvalue()))])]
    assert found == [b"one\n", b"two\n"]


def test_packed_too_often(tmp_path):
    octets = PLAIN
    for _ in range(6):
        octets = gzip.compress(octets)
    (one,) = find([str(put(tmp_path, "x", octets))])
    assert isinstance(one, Unreadable)
    assert "unpack it first" in one.reason


def test_members_of_a_tar_can_be_read_at_the_same_time(tmp_path, monkeypatch):
    """Inputs are read side by side, each in a thread of its own."""
    monkeypatch.setattr(reading, "_READ", 64)
    given = {f"{n}.log": bytes([65 + n]) * 40_000 + b"\n" for n in range(4)}
    path = put(tmp_path, "x.tar", tar(given))
    found = {}

    def work(one):
        found[one.path.removeprefix(f"{path}!")] = read(one)[0]

    threads = [threading.Thread(target=work, args=(one,)) for one in find([str(path)])]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == given


@pytest.mark.parametrize("kind", PACKERS)
def test_a_bomb_comes_in_bounded_parts(tmp_path, kind):
    packed = PACKERS[kind](b"\n" * (48 << 20))
    assert len(packed) < 100_000
    (one,) = find([str(put(tmp_path, "x", packed))])
    parts = [len(part) for part in one.open()]
    assert sum(parts) == 48 << 20
    assert max(parts) <= 16 << 20


def test_folders_globs_and_files(tmp_path, monkeypatch):
    for name in ("logs/b/mail.log", "logs/a/mail.log.1", "logs/a/.hidden", "other.txt"):
        put(tmp_path, name, b"x\n")
    monkeypatch.chdir(tmp_path)

    def names(*asked):
        return [one.path for one in find(asked)]

    assert names("logs") == ["logs/a/.hidden", "logs/a/mail.log.1", "logs/b/mail.log"]
    assert names("logs/*/mail*") == ["logs/a/mail.log.1", "logs/b/mail.log"]
    assert names(f"{tmp_path}/logs/*/mail.log") == [f"{tmp_path}/logs/b/mail.log"]
    assert names("**/mail.log") == ["logs/b/mail.log"]
    assert names("other.txt", "logs/b") == ["other.txt", "logs/b/mail.log"]
    put(tmp_path, "odd[1].log", b"x\n")
    assert names("odd[1].log") == ["odd[1].log"]


def test_what_is_not_there_is_said(tmp_path):
    (tmp_path / "empty").mkdir()
    found = list(find([str(tmp_path / "no.log"), str(tmp_path / "empty"), str(tmp_path / "*.gz")]))
    assert all(isinstance(one, Unreadable) for one in found)
    assert [one.path for one in found] == [str(tmp_path / name) for name in ("no.log", "empty", "*.gz")]
    assert [one.reason for one in found] == [
        "No such file or directory; check the path and that you may read it",
        "this folder holds no files; give the folder that the logs lie in",
        "no file matches this pattern; check the path",
    ]


def test_a_file_that_grows_is_read_as_far_as_it_went_when_found(tmp_path):
    path = put(tmp_path, "mail.log", PLAIN)
    (one,) = find([str(path)])
    with path.open("ab") as file:
        file.write(b"later\n")
    assert read(one) == (PLAIN, [])


def test_a_file_that_shrinks_says_so(tmp_path):
    path = put(tmp_path, "mail.log", PLAIN)
    (one,) = find([str(path)])
    os.truncate(path, 100)
    octets, problems = read(one)
    assert octets == PLAIN[:100]
    assert problems == [f"became shorter by {len(PLAIN) - 100} bytes while it was read; give it again"]


def test_a_file_that_goes_away_says_so(tmp_path):
    path = put(tmp_path, "mail.log", PLAIN)
    (one,) = find([str(path)])
    path.unlink()
    octets, (problem,) = read(one)
    assert octets == b""
    assert problem.startswith("cannot be read on: No such file")


SCRIPT = """
import sys
from hikeshi.evidence.reading import find
for one in find(["-"]):
    sys.stdout.write(f"{one.path} {len(b''.join(one.open()))}\\n")
"""


@pytest.mark.parametrize(
    ("octets", "expected"),
    [
        (PLAIN, [f"- {len(PLAIN)}"]),
        (b"", ["- 0"]),
        (gzip.compress(PLAIN), [f"- {len(PLAIN)}"]),
        (tar({"a.log": PLAIN, "b.log": b"x\n"}, "w:gz"), [f"-!a.log {len(PLAIN)}", "-!b.log 2"]),
    ],
    ids=["plain", "empty", "gz", "tar.gz"],
)
def test_standard_input(octets, expected):
    done = subprocess.run([sys.executable, "-c", SCRIPT], input=octets, capture_output=True, check=True)
    assert done.stdout.decode().splitlines() == expected


def cut(octets, size, part):
    parts = [octets[at : at + part] for at in range(0, len(octets), part)]
    return list(blocks(parts, size=size))


TEXTS = {
    "empty": b"",
    "one line": b"one\n",
    "no newline at the end": b"one\ntwo",
    "only newlines": b"\n\n\n",
    "crlf": b"one\r\ntwo\r\n",
    "nul": b"o\0ne\ntwo\0\n",
    "many": PLAIN[:30_000],
}


@pytest.mark.parametrize("part", [1, 7, 1000])
@pytest.mark.parametrize("size", [100, 5000, 1 << 20])
@pytest.mark.parametrize("name", TEXTS)
def test_blocks_are_whole_lines_and_nothing_is_lost(name, size, part):
    octets = TEXTS[name]
    found = cut(octets, size, part)
    assert b"".join(block.data for block in found) == octets
    assert not any(block.overlong for block in found)
    record = 1
    for block in found:
        assert block.first == record
        record += (
            len(block.data.splitlines()) if b"\r" not in octets and b"\0" not in octets else block.data.count(b"\n")
        )
    assert all(block.data.endswith(b"\n") for block in found[:-1])


@pytest.mark.parametrize("tail", [b"\nafter\nmore\n", b"\n", b""])
def test_a_line_longer_than_a_block_comes_in_parts_of_one_record(tail):
    octets = b"before\n" + b"x" * 50_000 + tail
    found = cut(octets, 1000, 300)
    assert b"".join(block.data for block in found) == octets
    assert {block.first for block in found if block.overlong} == {2}
    assert [block.first for block in found if not block.overlong] == ([1, 3] if tail.startswith(b"\nafter") else [1])
    assert max(len(block.data) for block in found) <= 1000 + 2 * 300


def test_memory_is_bounded_for_a_line_of_any_length():
    part = b"x" * (1 << 20)
    biggest = total = 0
    for block in blocks(part for _ in range(400)):
        biggest, total = max(biggest, len(block.data)), total + len(block.data)
    assert total == 400 << 20
    assert biggest <= reading.BLOCK + (1 << 20)


def test_numbers_go_on_from_where_they_are_told():
    assert [block.first for block in blocks([b"a\nb\n", b"c\n"], first=41, size=2)] == [41, 43]


def test_an_input_knows_when_it_was_written(tmp_path):
    path = put(tmp_path, "mail.log", PLAIN)
    os.utime(path, (1_700_000_000, 1_700_000_000))
    archive = put(tmp_path, "x.tar", tar({"mail.log": PLAIN}))
    for one in find([str(path), str(archive)]):
        assert isinstance(one, Input)
        assert one.modified.timestamp() == 1_700_000_000
