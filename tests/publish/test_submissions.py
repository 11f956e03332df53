# SPDX-License-Identifier: Apache-2.0
"""What was handed in: its proof is kept, its facts are known again, and nothing without a name, a reason or a proof."""

import hashlib
import stat
from datetime import UTC, datetime, timedelta

import pytest

from hikeshi.basics.errors import CaseError, UsageError
from hikeshi.cases.store.facts import Fact, correct, record
from hikeshi.publish.clocks.rulebook import versions
from hikeshi.publish.clocks.submissions import PROOFS, facts_at, submissions, submit

AT = datetime.fromisoformat("2026-03-03T10:00:00+09:00")


@pytest.fixture
def hand_in(store, case, book):
    def do(proof="receipt 4711", at=None, who="Rin", why="first report", rule="appi-preliminary"):
        _, version = versions(book, rule)[-1]
        return submit(store, case, version, at=at or datetime.now(UTC), proof=str(proof), who=who, why=why)

    return do


def test_a_file_is_kept_whole_private_and_under_its_digest(hand_in, case, store, tmp_path):
    proof = tmp_path / "receipt.pdf"
    proof.write_bytes(b"%PDF" + bytes(range(256)) * 9000)
    digest = hashlib.sha256(proof.read_bytes()).hexdigest()
    done = hand_in(proof)
    assert done.proof == {"file": "receipt.pdf", "sha256": digest, "bytes": proof.stat().st_size}
    kept = case / PROOFS / digest
    proof.unlink()
    assert hashlib.sha256(kept.read_bytes()).hexdigest() == digest
    assert (stat.S_IMODE(kept.stat().st_mode), stat.S_IMODE(kept.parent.stat().st_mode)) == (0o600, 0o700)
    assert [one.name for one in kept.parent.iterdir()] == [digest]
    assert submissions(store) == {"appi-preliminary": [done]}


def test_a_text_is_kept_with_its_digest(hand_in):
    done = hand_in("受付番号 4711-A")
    assert done.proof == {"text": "受付番号 4711-A", "sha256": hashlib.sha256("受付番号 4711-A".encode()).hexdigest()}


@pytest.mark.parametrize("proof", ["receipt.pdf", "proofs/receipt", "/nowhere/receipt.pdf", "../x", "a" * 300 + "/b"])
def test_a_mistyped_path_never_passes_for_a_text(hand_in, store, proof, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    with pytest.raises(UsageError, match="no file"):
        hand_in(proof)
    assert submissions(store) == {}


def test_a_long_text_is_a_text(hand_in):
    assert hand_in("accepted " * 500).proof["text"].startswith("accepted accepted")


@pytest.mark.parametrize("given", [{"who": " "}, {"why": ""}, {"proof": " "}])
def test_nothing_is_handed_in_without_a_name_a_reason_and_a_proof(hand_in, store, given):
    with pytest.raises(UsageError, match="needs"):
        hand_in(**given)
    assert submissions(store) == {}


def test_nothing_is_handed_in_in_the_future(hand_in, store):
    with pytest.raises(UsageError, match="future"):
        hand_in(at=datetime.now(UTC) + timedelta(hours=1))
    assert submissions(store) == {}


def test_a_proof_that_cannot_be_kept_is_an_error_and_nothing_is_written_down(hand_in, case, store, tmp_path):
    (case / PROOFS).write_text("in the way")
    proof = tmp_path / "receipt.pdf"
    proof.write_bytes(b"%PDF")
    with pytest.raises(CaseError, match="nothing was written down"):
        hand_in(proof)
    assert submissions(store) == {}


def test_what_was_found_after_it_was_handed_in_is_new_to_it(hand_in, store, told, knew):
    """Also when it is written down later than that: the time of handing in decides."""
    knew("reported", "2026-03-02T11:16:07+09:00")
    record(store, [Fact("exposed.persons", 900, "persons", "suspected")])
    handed_in = datetime.now(UTC)
    correct(store, "exposed.persons", 1001, who="Rin", why="second list")
    done = hand_in(at=handed_in)
    assert facts_at(store, done.facts_up_to)["exposed.persons"].value == 900
    (change,) = told("2030-01-01T00:00:00+09:00")["appi-preliminary"].changed
    assert (change.item.id, change.before.value, change.after.value) == ("persons", 900, 1001)
    hand_in()
    assert told("2030-01-01T00:00:00+09:00")["appi-preliminary"].changed == ()


def test_a_persons_word_stood_then_although_a_later_run_computes_otherwise(store):
    record(store, [Fact("exposed.persons", 900, "persons", "suspected")])
    said = correct(store, "exposed.persons", 1001, who="Rin", why="second list")
    record(store, [Fact("exposed.persons", 950, "persons", "suspected")])
    assert facts_at(store, store.head()[0])["exposed.persons"] == said


def test_a_report_from_before_the_case_knew_anything_has_everything_new(hand_in, store):
    record(store, [Fact("exposed.persons", 900, "persons", "suspected")])
    assert facts_at(store, hand_in(at=AT).facts_up_to) == {}
