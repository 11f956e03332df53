# SPDX-License-Identifier: Apache-2.0
"""One clock a duty: by the law of its day, never merged, never left out by the tool, met with a proof."""

from datetime import date, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store.decisions import decide
from hikeshi.cases.store.facts import Fact, record
from hikeshi.publish.clocks.clock import subject_of_need
from hikeshi.publish.clocks.rulebook import versions
from hikeshi.publish.clocks.submissions import submit

DISCOVERED = "2020-05-12T11:16:07+09:00"
TODAY = date(2026, 11, 25)


def local(clock):
    return clock.due.at.astimezone(datetime.fromisoformat(DISCOVERED).tzinfo).isoformat()


def handed_in(store, case, book, rule, at):
    return submit(
        store,
        case,
        versions(book, rule)[-1][1],
        at=datetime.fromisoformat(at),
        proof="receipt 4711",
        who="Rin",
        why="as due",
    )


def test_the_founding_case_under_the_law_of_its_day_has_no_statutory_clock_in_japan(knew, told):
    knew("reported", DISCOVERED)
    found = told("2020-05-13T09:00:00+09:00")
    assert found["appi-endeavour"].state == "open"
    assert not {"appi-preliminary", "appi-final-60", "nis2-warning", "uk-authority"} & set(found)
    assert local(found["gdpr-authority"]) == "2020-05-15T11:16:07+09:00"


def test_the_founding_case_as_if_todays_law_applied_is_the_golden_vector(knew, told):
    """Hypothetical; section 2 of the paper on disclosure."""
    knew("reported", DISCOVERED)
    found = told("2020-05-13T09:00:00+09:00", as_if=TODAY)
    assert {name: local(one) for name, one in found.items() if one.due} == {
        "appi-preliminary": "2020-05-16T23:59:59+09:00",
        "appi-final-30": "2020-06-10T23:59:59+09:00",
        "appi-final-60": "2020-07-10T23:59:59+09:00",
        "gdpr-authority": "2020-05-15T11:16:07+09:00",
        "uk-authority": "2020-05-15T11:16:07+09:00",
        "nis2-warning": "2020-05-13T11:16:07+09:00",
        "nis2-notification": "2020-05-15T11:16:07+09:00",
        "nis2-final": "2020-06-15T23:59:59+09:00",
        "california-residents": "2020-06-11T23:59:59+09:00",
        "california-attorney-general": "2020-06-26T23:59:59+09:00",
        "privacy-mark-preliminary": "2020-05-16T23:59:59+09:00",
        "privacy-mark-final-30": "2020-06-10T23:59:59+09:00",
        "privacy-mark-final-60": "2020-07-10T23:59:59+09:00",
    }
    assert found["appi-preliminary"].due.early.isoformat() == "2020-05-14T23:59:59+09:00"
    assert found["nis2-warning"].state == "due soon"


def test_clocks_come_in_the_order_in_which_they_are_due_and_duties_without_days_last(knew, told):
    knew("reported", "2026-03-02T11:16:07+09:00")
    order = list(told().values())
    dated = [one.due.at for one in order if one.due]
    assert dated == sorted(dated)
    assert [one.due is None for one in order] == sorted(one.due is None for one in order)
    assert order[-1].rule.force == "voluntary"


def test_the_final_report_of_nis2_runs_from_the_notification_once_it_was_handed_in(store, case, book, knew, told):
    knew("reported", "2026-03-02T11:16:07+09:00")
    before = told()["nis2-final"]
    assert (before.start.provisional, local(before)) == (True, "2026-04-05T23:59:59+09:00")
    handed_in(store, case, book, "nis2-notification", "2026-03-04T10:00:00+09:00")
    after = told("2026-03-05T09:00:00+09:00")["nis2-final"]
    assert (after.start.provisional, after.start.name, local(after)) == (
        False, "submitted nis2-notification", "2026-04-04T23:59:59+09:00",
    )  # fmt: skip


def test_what_was_handed_in_late_is_met_and_says_by_how_much(store, case, book, knew, told):
    knew("reported", "2026-03-02T11:16:07+09:00")
    handed_in(store, case, book, "nis2-warning", "2026-03-03T12:16:07+09:00")
    handed_in(store, case, book, "nis2-warning", "2026-03-04T12:16:07+09:00")
    assert told("2026-03-03T12:00:00+09:00")["nis2-warning"].state == "overdue"
    found = told("2026-03-05T09:00:00+09:00")["nis2-warning"]
    assert (found.state, found.late, found.remaining(datetime.now().astimezone())) == ("met", timedelta(hours=1), None)
    assert len(found.submissions) == 2


def test_only_the_regimes_that_are_asked_for_are_shown(knew, told):
    knew("reported", "2026-03-02T11:16:07+09:00")
    assert {one.regime.regime for one in told(regimes=["nis2", "gdpr"]).values()} == {"nis2", "gdpr"}
    with pytest.raises(UsageError, match="hipaa"):
        told(regimes=["hipaa"])


def test_a_person_decides_that_a_report_is_not_needed_and_may_think_again(store, knew, told):
    knew("reported", "2026-03-02T11:16:07+09:00")
    decide(store, subject_of_need("gdpr-authority"), "not-needed", who="Rin", why="nobody in the Union concerned")
    found = told()["gdpr-authority"]
    assert (found.state, found.live, found.decision.who) == ("not needed", False, "Rin")
    assert found.due is not None
    decide(store, subject_of_need("gdpr-authority"), "needed", who="Aki", why="a customer in Lyon")
    assert told()["gdpr-authority"].state == "running"


@pytest.mark.parametrize(("who", "why"), [("", "small"), ("Rin", " "), (" ", "small")])
def test_nobody_without_a_name_and_a_reason_decides_that(store, knew, told, who, why):
    knew("reported", "2026-03-02T11:16:07+09:00")
    with pytest.raises(UsageError):
        decide(store, subject_of_need("gdpr-authority"), "not-needed", who=who, why=why)
    assert told()["gdpr-authority"].state == "running"


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    st.dictionaries(
        st.sampled_from(
            ["exposed.persons", "exposed.items", "exposed.records", "secondary_damage", "incident.vector", "cause"]
        ),
        st.tuples(
            st.one_of(st.none(), st.integers(0, 2000), st.text(max_size=5), st.booleans()),
            st.sampled_from(["confirmed", "suspected", "not_confirmed", "ruled_out", "unknown"]),
        ),
    )
)
def test_no_fact_whatever_makes_the_tool_leave_a_duty_out(store, book, knew, told, facts):
    """Not even that the number of persons is 0 or that everything was ruled out."""
    knew("reported", "2026-03-02T11:16:07+09:00")
    record(store, [Fact(key, value, None, status) for key, (value, status) in facts.items()])
    found = told()
    assert {"appi-final-60", "gdpr-authority", "nis2-warning", "california-residents"} <= set(found)
    assert not any(one.state == "not needed" for one in found.values())
    assert book


def test_the_law_and_the_days_are_those_of_the_rules_own_zone(knew, told):
    """23:30 in Berlin on 31 March 2022 is 1 April in Japan, when the duty began, and that is day 1."""
    berlin = ZoneInfo("Europe/Berlin")
    knew("reported", "2022-03-31T23:30:00+02:00")
    found = told("2022-04-02T09:00:00+09:00", zone=berlin)
    assert found["appi-final-60"].due.at.isoformat() == "2022-05-30T23:59:59+09:00"
    assert found["gdpr-authority"].due.at.isoformat() == "2022-04-03T23:30:00+02:00"
    knew("reported", "2022-03-31T14:59:59+00:00")
    assert "appi-final-60" not in told("2022-04-02T09:00:00+09:00", zone=berlin)
