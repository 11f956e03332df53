# SPDX-License-Identifier: Apache-2.0
"""Laws 1 and 2 over whole runs: nothing lost, nothing twice, every row leads back; whatever the files look like."""

import gzip
import hashlib
import random
import shutil
import stat
from dataclasses import replace

import pytest

from hikeshi.basics.errors import ConservationError, UsageError
from hikeshi.drill.scenarios import Scenario, find, write
from hikeshi.evidence import collect as collecting
from hikeshi.evidence import intake, seal
from hikeshi.evidence.lake import opened

TABLES = ("messages", "deliveries", "signins", "changes", "reads")


def tables(case):
    """Give all tables without where rows come from; keys and sessions stay."""
    return {table: case.story(table) for table in TABLES}


def drill(folder, name, staff=8, days=4, activity=0.6, **style):
    scenario: Scenario = find(name)
    scenario = replace(scenario, staff=staff, days=days, activity=activity, attacks=(), honest=())
    return write(replace(scenario, style=replace(scenario.style, **style)), folder)


@pytest.fixture(scope="module")
def small_log(tmp_path_factory):
    """A few days of a small company, content filter and Dovecot included."""
    folder = tmp_path_factory.mktemp("small")
    drill(folder, "bcc", files="single", content_filter=True)
    return (folder / "logs" / "mail.log").read_bytes().splitlines()


def in_tokyo(new_case):
    return new_case(tz="Asia/Tokyo", year=2024)


@pytest.fixture(scope="module")
def whole(small_log, tmp_path_factory):
    """What the small log says when it is read as one file."""
    from contextlib import ExitStack  # noqa: PLC0415

    from stage import Case  # noqa: PLC0415

    with ExitStack() as stack:
        case = Case(tmp_path_factory.mktemp("whole"), stack, tz="Asia/Tokyo", year=2024)
        case.lines(*small_log)
        found = tables(case)
        assert min(map(len, (found[table] for table in ("messages", "deliveries", "signins", "reads")))) > 10
        yield found


def test_the_sample_has_no_gaps(small_log, new_case):
    case = in_tokyo(new_case).lines(*small_log)
    records, taken, skipped, aside = case.counts()
    assert records == len(small_log) == taken + skipped + aside
    assert aside == 0
    assert case.sealed.problems == []


def places(small_log):
    """Some places to divide the log at: near the ends, and anywhere."""
    rng = random.Random(4)
    return [1, 2, len(small_log) - 1, *(rng.randrange(len(small_log)) for _ in range(4))]


@pytest.mark.parametrize("number", range(7))
def test_divided_into_two_files_given_in_any_order(small_log, whole, new_case, number):
    place = places(small_log)[number]
    case = in_tokyo(new_case)
    # names that sort against time
    parts = [case.write(small_log[:place], "z.log"), case.write(small_log[place:], "a.log")]
    assert tables(case.read(*parts[:: 1 if number % 2 else -1])) == whole
    assert sum(one.records for one in case.manifest.inputs) == len(small_log)


@pytest.mark.parametrize("number", range(7))
def test_the_second_part_comes_in_a_later_run(small_log, whole, new_case, number):
    place = places(small_log)[number]
    case = in_tokyo(new_case)
    case.read(case.write(small_log[:place], "mail.log.1"))
    assert tables(case.read(case.write(small_log[place:], "mail.log"))) == whole
    assert tables(case.read()) == whole  # a run without inputs changes nothing


def test_the_log_grows_day_by_day(small_log, whole, new_case):
    case = in_tokyo(new_case)
    for part in range(1, 9):
        case.read(case.write(small_log[: len(small_log) * part // 8]))
        assert case.counts()[0] == len(small_log) * part // 8
    assert tables(case) == whole
    octets = (case.folder / "logs" / "mail.log").read_bytes()
    assert case.sealed.sha256 == case.sealed.content_sha256 == hashlib.sha256(octets).hexdigest()
    assert case.sealed.content_bytes == len(octets)


def test_records_of_a_grown_log_are_numbered_on(small_log, new_case):
    case = in_tokyo(new_case)
    case.read(case.write(small_log[:500]))
    path = case.write(small_log)
    provenance(case.read(path))


def test_a_log_that_was_rotated_is_known_by_its_content(small_log, whole, new_case):
    case = in_tokyo(new_case)
    half = len(small_log) // 2
    path = case.write(small_log[:half])
    case.read(path)
    path.rename(path.with_name("mail.log.1"))
    fresh = case.write(small_log[half:])
    case.read(path.with_name("mail.log.1"), fresh)
    assert [(one.path.rpartition("/")[2], one.records) for one in case.manifest.inputs] == [
        ("mail.log.1", half),
        ("mail.log", len(small_log) - half),
    ]
    assert tables(case) == whole


def test_a_rotated_log_that_was_packed_meanwhile(small_log, whole, new_case):
    case = in_tokyo(new_case).lines(*small_log)
    packed = case.folder / "mail.log.2.gz"
    packed.write_bytes(gzip.compress((case.folder / "logs" / "mail.log").read_bytes()))
    assert tables(case.read(packed)) == whole
    assert (case.sealed.path, case.sealed.records) == (str(packed), len(small_log))


@pytest.mark.parametrize("runs", [1, 2])
def test_a_log_and_its_packed_copy_count_once(small_log, whole, new_case, runs):
    case = in_tokyo(new_case)
    path = case.write(small_log)
    copy = path.with_name("copy.gz")
    copy.write_bytes(gzip.compress(path.read_bytes()))
    for given in ([path, copy],) if runs == 1 else ([copy], [path]):
        case.read(*given)
    assert tables(case) == whole
    assert case.counts()[0] == len(small_log)


def test_one_file_under_two_names_counts_once(small_log, whole, new_case):
    case = in_tokyo(new_case)
    path = case.write(small_log)
    (path.parent / "link.log").symlink_to(path)
    assert tables(case.read(path, path, path.parent, path.parent / "." / "mail.log")) == whole
    assert case.counts()[0] == len(small_log)


@pytest.mark.parametrize("runs", [1, 2])
def test_mail_log_and_mail_info_count_once(small_log, whole, new_case, runs):
    """syslog writes the same lines to two files, and more into one of them."""
    case = in_tokyo(new_case)
    more = [b"Jan 15 06:25:03 mail kernel: [1.0] only in one of them", *small_log]
    paths = [case.write(small_log, "mail.info"), case.write(more, "mail.log")]
    for given in (paths,) if runs == 1 else ([paths[0]], [paths[1]]):
        case.read(*given)
    assert [one.records for one in case.manifest.inputs].count(len(small_log)) == 1
    assert tables(case) == whole


def test_an_overlapping_copy_counts_once(small_log, whole, new_case):
    case = in_tokyo(new_case)
    third = len(small_log) // 3
    case.read(case.write(small_log[: 2 * third], "a.log"), case.write(small_log[third:], "b.log"))
    assert tables(case) == whole


def test_two_equal_records_in_one_file_are_two(new_case):
    line = "Nov 24 12:09:24 mx postfix/smtpd[1]: warning: pc[192.0.2.7]: SASL LOGIN authentication failed: x"
    other = "Nov 24 12:09:25 mx postfix/smtpd[1]: warning: pc[192.0.2.7]: SASL LOGIN authentication failed: x"
    case = new_case()
    case.read(case.write([line, line, other], "a.log"), case.write([line, line, other, "x"], "b.log"))
    assert [time.second for time in case.rows("signins", "time")] == [24, 24, 25]


@pytest.mark.parametrize("fold", [200, 700])
def test_the_size_of_folds_does_not_matter(small_log, whole, new_case, monkeypatch, fold):
    monkeypatch.setattr(collecting, "FOLD", fold)
    monkeypatch.setattr(collecting, "blocks", _small_blocks)
    case = in_tokyo(new_case).lines(*small_log)
    assert len(case.manifest.files["messages"]) > 2
    assert tables(case) == whole


_blocks = collecting.blocks


def _small_blocks(content, first):
    parts = (block[at : at + 20_000] for block in content for at in range(0, len(block), 20_000))
    return _blocks(parts, first, 40_000)


def provenance(case):
    """Hold law 2: the line that input and record lead to speaks of the row's message, address or account."""
    paths = {one.number: one.path for one in case.manifest.inputs}
    lines = {}
    for number, path in paths.items():
        with open(path, "rb") as file:  # noqa: PTH123
            octets = file.read()
        lines[number] = (gzip.decompress(octets) if path.endswith(".gz") else octets).decode().split("\n")
    checked = 0
    for number, record, queue_id in case.rows("messages", "input", "record", "queue_id"):
        assert (queue_id or "NOQUEUE") in lines[number][record - 1]
        checked += 1
    for number, record, address, reason in case.rows("deliveries", "input", "record", "address", "reason"):
        line = lines[number][record - 1]
        assert f"to=<{address}>" in line
        assert (reason or "") in line
        checked += 1
    for table in ("signins", "changes", "reads"):
        for number, record, account in case.rows(table, "input", "record", "account"):
            assert (account or "") in lines[number][record - 1].lower()
            checked += 1
    return checked


def test_every_row_leads_to_its_line(small_log, new_case):
    case = in_tokyo(new_case)
    third = len(small_log) // 3
    paths = [case.write(small_log[n * third : (n + 1) * third], f"{3 - n}.log") for n in range(3)]
    packed = paths[1].with_name("2.log.gz")
    packed.write_bytes(gzip.compress(paths[1].read_bytes()))
    case.read(paths[2], packed, paths[0])
    assert provenance(case) > 400


STYLES = {
    "plain": {},
    "content filter": {"content_filter": True},
    "three hosts, filter, long ids, subjects": {
        "hosts": 3,
        "content_filter": True,
        "queue_ids": "long",
        "subjects": True,
        "stamps": "iso",
    },
    "rfc5424": {"stamps": "rfc5424", "zone": "UTC"},
    "iso, chatty": {"stamps": "iso", "chatty": True, "zone": "America/New_York"},
    "long ids and Dovecot 2.4": {"queue_ids": "long", "dovecot_version": "2.4", "zone": "Europe/Berlin"},
    "weekly files": {"files": "weekly", "content_filter": True, "zone": "Europe/London"},
}


@pytest.mark.parametrize("style", STYLES)
def test_the_lake_counts_what_happened(tmp_path, new_case, style):
    """Messages, deliveries and the attack's fates are exactly those of the drill's truth."""
    scenario = replace(find("fast"), staff=12, days=9, activity=0.4, attacks=())
    with_attack = replace(scenario, attacks=tuple(replace(one, day=6) for one in find("fast").attacks))
    given = {"zone": "Asia/Tokyo"} | STYLES[style]
    truth = write(replace(with_attack, style=replace(scenario.style, **given)), tmp_path)
    case = new_case(tz=given["zone"], year=2024).read(tmp_path / "logs")
    count = case.lake.one
    assert sum(one.records for one in case.manifest.inputs) == truth["counts"]["lines"]
    assert sum(one.set_aside for one in case.manifest.inputs) == 0
    whole = "accepted AND (cut IS NULL OR cut = 'end')"
    assert count(f"SELECT count(*) FROM messages WHERE {whole}") == (truth["counts"]["messages"],)
    assert count("SELECT count(*) FROM messages WHERE account IS NOT NULL") == (truth["counts"]["submitted"],)
    assert count("SELECT count(*) FROM deliveries") == (truth["counts"]["deliveries"],)
    told = truth["attacks"][0]["per_account"]
    for account, said in told.items():
        ids = ", ".join(f"'{one}'" for one in said["message_ids"])
        rank = "list_position(['delivered', 'deferred', 'held', 'unknown', 'expired', 'bounced'], status)"
        found = case.lake.sql.execute(
            f"""SELECT address, arg_min(status, {rank}) FROM deliveries JOIN messages USING (message_key)
            WHERE account = '{account}' AND message_id IN ({ids}) GROUP BY address"""
        ).fetchall()
        assert dict(found) == said["recipients"]


def test_everything_in_the_case_is_private(small_log, new_case):
    case = in_tokyo(new_case).lines(*small_log, "not a log line")
    paths = [case.evidence, case.aside, *case.evidence.rglob("*"), *case.aside.rglob("*")]
    assert len(paths) > 8
    for path in paths:
        if path.name != ".spill":
            assert stat.S_IMODE(path.stat().st_mode) == (0o700 if path.is_dir() else 0o600), path


def test_a_run_that_fails_leaves_the_case_as_it_was(small_log, new_case, monkeypatch):
    case = in_tokyo(new_case)
    half = len(small_log) // 2
    case.read(case.write([*small_log[:half], b"not a log line"], "a.log"))
    sealed, aside, before = (case.evidence / "manifest.json").read_bytes(), case.aside_bytes(), tables(case)
    second = case.write([*small_log[half:], b"not one either"], "b.log")

    def dies(*_, **__):
        raise ConservationError("records went missing")

    with monkeypatch.context() as patch:
        patch.setattr(intake.Counts, "check", dies)
        with pytest.raises(ConservationError):
            case.read(second)
    assert (case.evidence / "manifest.json").read_bytes() == sealed
    case.stack.close()
    with opened(case.evidence, seal.load(case.evidence).files) as lake:
        assert lake.one("SELECT count(*) FROM reads") == (len(before["reads"]),)
    case.read()
    assert tables(case) == before
    assert case.aside_bytes() == aside
    case.read(second)
    assert case.aside_bytes() == b"not a log line\nnot one either\n"
    kept = {name for files in case.manifest.files.values() for name in files}
    assert {str(path.relative_to(case.evidence)) for path in case.evidence.rglob("*.parquet")} == kept


def test_set_aside_grows_with_the_log(new_case):
    case = new_case()
    case.read(case.write(["first\n"[:-1]]))
    case.read(case.write(["first", "second"], "mail.log"))
    assert case.aside_bytes() == b"first\nsecond\n"
    assert case.counts() == (2, 0, 0, 2)


def test_what_cannot_be_read_is_in_the_manifest(new_case, tmp_path):
    case = new_case()
    (tmp_path / "empty").mkdir()
    case.read(tmp_path / "no.log", tmp_path / "empty", case.write([], "nothing.log"))
    assert [one["path"] for one in case.manifest.unreadable] == [str(tmp_path / "no.log"), str(tmp_path / "empty")]
    assert case.counts() == (0, 0, 0, 0)
    case.read(tmp_path / "case0" / "logs" / "nothing.log")
    assert len(case.manifest.inputs) == 1
    assert case.manifest.unreadable == []


def test_an_empty_log_that_fills(new_case, small_log, whole):
    case = in_tokyo(new_case)
    case.read(case.write([]))
    case.read(case.write(small_log))
    assert case.counts()[0] == len(small_log)
    assert tables(case) == whole


def test_a_truncated_input_says_so(small_log, new_case):
    case = in_tokyo(new_case)
    path = case.write(small_log)
    packed = path.with_name("mail.log.gz")
    packed.write_bytes(gzip.compress(path.read_bytes())[:-2000])
    case.read(packed)
    assert case.sealed.problems == ["truncated gz: its end is missing; what is there was read"]
    records, taken, skipped, aside = case.counts()
    assert records == taken + skipped + aside
    assert len(small_log) * 0.7 < records < len(small_log)
    assert case.sealed.sha256 == hashlib.sha256(packed.read_bytes()).hexdigest()


def test_only_the_named_source_reads(new_case, small_log):
    case = in_tokyo(new_case)
    case.read(case.write(small_log), source="dovecot")
    assert case.sealed.source == "dovecot"
    assert case.rows("messages") == []
    assert len(case.rows("reads")) > 10


def test_a_source_or_a_zone_that_does_not_exist(new_case, small_log):
    case = new_case()
    path = case.write(small_log)
    with pytest.raises(UsageError, match="--as notes: no such source; give one of postfix, dovecot"):
        case.read(path, source="notes")
    with pytest.raises(UsageError, match="--tz Mars/Olympus: no such time zone"):
        new_case(tz="Mars/Olympus").read(path)


def test_sources_are_named_by_what_they_gave(new_case, small_log):
    case = in_tokyo(new_case).lines(*small_log)
    assert sorted(case.sealed.source.split("+")) == ["dovecot", "postfix"]
    assert case.sealed.first < case.sealed.last


def test_the_watcher_is_told_how_far_it_is(new_case, small_log, tmp_path):
    case = in_tokyo(new_case)
    path = case.write(small_log)
    told = []
    with opened(tmp_path / "evidence", {}) as lake:
        reading = collecting.Reading("Asia/Tokyo", 2024)
        collecting.collect(
            lake,
            seal.Manifest(),
            [str(path)],
            reading,
            tmp_path / "aside",
            lambda now: told.append((now.read, now.records)),
        )
    assert told[-1] == (path.stat().st_size, len(small_log))
    shutil.rmtree(tmp_path / "evidence")


def test_an_input_that_cannot_be_opened_does_not_stop_the_others(new_case, small_log, whole):
    case = in_tokyo(new_case)
    path = case.write(small_log)
    gone = path.with_name("dangling.log")
    gone.symlink_to(path.with_name("nowhere"))
    assert tables(case.read(path, gone)) == whole
    assert [one["path"] for one in case.manifest.unreadable] == [str(gone)]


@pytest.mark.parametrize("kept", [3, 40, 90])
def test_a_log_read_in_the_middle_of_a_line_is_read_anew(small_log, whole, new_case, kept):
    """The half line was no record of the server, so the whole log counts once it is complete."""
    case = in_tokyo(new_case)
    half = len(small_log) // 2
    path = case.write(small_log[:half])
    with path.open("ab") as file:
        file.write(small_log[half][:kept])
    case.read(path)
    assert tables(case.read(case.write(small_log))) == whole
