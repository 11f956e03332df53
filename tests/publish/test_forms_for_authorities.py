# SPDX-License-Identifier: Apache-2.0
"""Forms: every item with what is known, unknown or missing; an authority sees only its part; nothing leaks."""

import json

import founding
import pytest

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store.facts import Fact, correct, record
from hikeshi.publish.forms.forms import NAMES, FormLeakError, document, form, markdown
from hikeshi.publish.private import private
from hikeshi.wording.facts import Facts


@pytest.fixture
def told(store):
    founding.enter_first(store)
    founding.enter_second(store, founding.SENT)
    return store


@pytest.fixture
def fill(told, book, case):
    """Fill a form: fill(name) gives its document and its Markdown in both languages."""

    def filled(name):
        facts = Facts.of(told)
        one, secret = form(told, facts, book, name, founding.SECOND), private(told, case, facts)
        return document(one, facts, secret), markdown(one, facts, secret, "ja"), markdown(one, facts, secret, "en")

    return filled


def items(made):
    return {one["id"]: one for one in made["items"]}


def test_ppc_has_its_nine_items_in_their_order(fill):
    made, ja, _ = fill("ppc")
    assert [one["id"] for one in made["items"]] == [
        "outline",
        "data",
        "persons",
        "cause",
        "secondary",
        "response",
        "publication",
        "measures",
        "reference",
    ]
    assert [line[3:6] for line in ja.splitlines() if line.startswith("## ")] == [f"({n})" for n in range(1, 10)]


def test_completeness_is_told_item_by_item_and_so_is_what_to_enter(fill, told):
    made, ja, en = fill("ppc")
    found = {name: one["completeness"] for name, one in items(made).items()}
    assert found["data"] == found["cause"] == "complete"
    assert found["outline"] == found["measures"] == "partial"
    assert found["persons"] == found["response"] == "missing"
    assert items(made)["persons"]["missing"] == ["exposed.persons"]
    assert "【未記入】情報が漏えいした可能性のある方の数" in ja
    assert "[still missing] People whose information may have leaked" in en
    correct(told, "exposed.persons", None, who="Rin", why="the logs do not tell")
    made, ja, _ = fill("ppc")
    assert items(made)["persons"]["completeness"] == "said unknown"
    assert "情報が漏えいした可能性のある方の数: 不明(調査中)" in ja


def test_mails_are_never_given_as_persons_or_records(fill):
    for name in NAMES:
        made, *texts = fill(name)
        for one in made["items"]:
            numbers = [(fact["value"], fact["unit"]) for fact in one["facts"] if isinstance(fact["value"], int)]
            assert all(unit == "mails" for value, unit in numbers if value == 1220)
        assert not any("1,220名" in text or "1,220 people" in text for text in texts)


def test_the_secondary_damage_is_told_with_its_status_and_day(fill):
    _, ja, en = fill("ppc")
    assert "2020年5月13日(水)18時00分(日本時間、UTC+09:00)現在)で、二次被害は確認されていません" in ja
    assert "As of Wednesday, 13 May 2020, 18:00 (JST, UTC+09:00), Further harm has not been confirmed" in en


def test_each_authority_sees_only_the_facts_of_its_own_items(fill, told):
    correct(told, "lure.url", ["https://lure.example/signin"], who="Rin", why="from the mail")
    correct(told, "exposed.persons", 41, who="Rin", why="counted")
    _, jpcert, _ = fill("jpcert")
    _, ppc, _ = fill("ppc")
    assert "hxxps://lure[.]example" in jpcert
    assert "41" not in jpcert
    assert "lure" not in ppc
    assert "41名" in ppc


def test_only_who_works_on_it_sees_where_the_intruder_came_from(fill, told):
    record(told, [Fact(f"{founding.INCIDENT}/client_ips", ["203.0.113.77"], None, "suspected", as_of=founding.SECOND)])
    assert "203[.]0[.]113[.]77" in fill("jpcert")[1] or "203.0.113.77" in fill("jpcert")[1]
    for name in set(NAMES) - {"jpcert"}:
        assert "203.0.113.77" not in json.dumps(fill(name), ensure_ascii=False)


def test_no_form_names_the_mailbox(fill):
    for name in NAMES:
        assert founding.ACCOUNT not in json.dumps(fill(name), ensure_ascii=False)


@pytest.mark.parametrize(
    "value", ["purchasing@maker.example が使われた", "10.0.0.5 で", "https://lure.example/x を開いた"]
)
def test_a_form_that_shows_what_it_must_not_is_not_given_out(fill, told, value):
    correct(told, "lure.url", ["https://lure.example/x"], who="Rin", why="from the mail")
    correct(told, "account.person", "山田花子", who="Rin", why="owner")
    correct(told, "cause", f"山田 花子、{value}", who="Rin", why="as told")
    with pytest.raises(FormLeakError) as error:
        fill("ppc")
    assert "山田" not in str(error.value)


def test_nothing_ever_says_that_no_report_is_needed(fill):
    for name in NAMES:
        text = json.dumps(fill(name), ensure_ascii=False).lower()
        assert not any(words in text for words in ("報告不要", "報告は不要", "not required", "no report", "not needed"))


def test_there_is_no_other_form(told, book):
    with pytest.raises(UsageError, match="there are ppc, gdpr33"):
        form(told, Facts.of(told), book, "nis3", founding.SECOND)
