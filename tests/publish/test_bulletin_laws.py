# SPDX-License-Identifier: Apache-2.0
"""Laws over any facts: a report can always be drawn, keeps the rules of certainty, numbers and times, and invents nothing."""

import re
import tempfile
from datetime import timedelta
from pathlib import Path

import founding
from hypothesis import HealthCheck, Phase, given, settings
from hypothesis import strategies as st

from hikeshi.cases.store import open_store
from hikeshi.cases.store.facts import Fact, record
from hikeshi.publish.bulletin.blocks import blocks, one_line, plain
from hikeshi.publish.bulletin.check import check
from hikeshi.publish.bulletin.compose import compose
from hikeshi.publish.bulletin.released import approve, bulletins, keep, release
from hikeshi.publish.bulletin.sections import SECTIONS
from hikeshi.publish.private import private
from hikeshi.wording.facts import Facts

STATUSES = st.sampled_from(["confirmed", "suspected", "not_confirmed", "ruled_out", "unknown"])
COUNTS = st.integers(0, 99_999)
TIMES = st.datetimes(
    min_value=founding.FIRST.replace(tzinfo=None) - timedelta(days=60), max_value=founding.FIRST.replace(tzinfo=None)
).map(lambda time: time.replace(tzinfo=founding.FIRST.tzinfo, microsecond=0).isoformat())
OF_INCIDENT = {"messages": "mails", "addresses": "addresses", "delivered": "addresses"}


def fact(key, unit, values):
    return st.builds(lambda value, status: Fact(key, value, unit, status, as_of=founding.FIRST), values, STATUSES)


def some(*strategies):
    """Give any of the facts, each or not."""
    return st.tuples(*(st.one_of(st.none(), one) for one in strategies)).map(
        lambda found: [one for one in found if one is not None]
    )


FACTS = some(
    *(fact(f"incident/kai@maker.example/1/{name}", unit, COUNTS) for name, unit in OF_INCIDENT.items()),
    *(fact(f"incident/kai@maker.example/1/{name}", "time", TIMES) for name in ("first_message_at", "last_message_at")),
    fact("discovered_at", "time", TIMES),
    fact("contained_at", "time", TIMES),
    fact("account.count", "accounts", st.integers(1, 9)),
    fact("exposed.persons", "people", COUNTS),
    fact("exposed.organisations", "organisations", COUNTS),
    fact("secondary_damage", None, st.just(False)),
    fact("secondary_damage.reports", "reports", COUNTS),
    fact("exposed.items", None, st.just(["メールアドレス"])),
    fact("report.next_date", "time", st.just("2020-05-18")),
    fact("lure.url", None, st.just(["https://lure.example/signin?who=1"])),
)


# Each draw makes a case of its own; to shrink one would take minutes.
@settings(
    max_examples=15,
    deadline=None,
    derandomize=True,
    phases=[Phase.explicit, Phase.generate],
    suppress_health_check=[HealthCheck.too_slow],
)
@given(FACTS, FACTS)
def test_any_facts_make_two_reports_that_are_as_sure_as_their_facts_and_count_what_they_count(once, later):
    with tempfile.TemporaryDirectory() as folder, open_store(Path(folder)) as store:
        founding.enter_first(store)
        record(store, once)
        for stage, at in (("first", founding.FIRST), ("second", founding.SECOND)):
            facts, past = Facts.of(store), bulletins(store)
            one = compose(store, facts, past, stage=stage, as_of=at)
            found = check(one, past.before, facts, private(store, Path(folder), facts))
            wrong = [
                each
                for each in found
                if each.severity == "error" and each.rule in ("L02", "L05", "L08", "L09", "L10", "L11", "L12")
            ]
            assert wrong == []
            for language in ("ja", "en"):
                assert {*one.texts[language].sections} >= {
                    each.id for each in SECTIONS if each.need(stage) == "required"
                }
                assert "None" not in one.texts[language].plain(language)
            keep(store, one)
            approve(store, one, who="Rin Mori", why="read it")
            release(store, who="Rin Mori", at=at)
            record(store, later)


@given(st.text(), st.text())
def test_what_a_person_entered_stays_one_piece_of_one_block(said, other):
    made = f"項目 | {one_line(said)}\n{one_line(other)}"
    found = blocks(made)
    assert sum(len(block.pairs) for block in found if block.kind == "pairs") <= 1
    assert all(len(block.lines) == 1 for block in found if block.kind == "paragraph")


@given(st.lists(st.text(alphabet="あいうabc|- 、。", min_size=1, max_size=30), max_size=12))
def test_plain_text_says_every_word_that_the_blocks_have(lines):
    text = "\n".join(lines)
    words = re.sub(r"[\s|・::-]", "", plain(text, "ja"))
    said = "".join(
        "".join(block.lines) + "".join(term + words for term, words in block.pairs) for block in blocks(text)
    )
    assert words == re.sub(r"[\s|・::-]", "", said)
