# SPDX-License-Identifier: Apache-2.0
"""Every judgement both ways: what is removed, and its neighbour that is left alone."""

import string
from datetime import UTC, datetime, timedelta

import google_stage as stage
import pytest
from google_stage import ANNA, BEFORE, BOB, DROP, SINCE
from hypothesis import given
from hypothesis import strategies as st

from hikeshi.contain.connectors.google import suspicion
from hikeshi.contain.contract import Shown, Step

TARGET = stage.target()


@pytest.mark.parametrize(
    ("address", "suspicious"),
    [
        (DROP, True),
        (BOB, False),
        ("BOB@EXAMPLE.TEST", False),
        ("bob@mail.example.test", False),
        ("bob@notexample.test", True),
        ("bob@example.test.example.org", True),
        ("bob", True),
    ],
)
def test_an_address_outside_is_suspicious_and_one_inside_is_not(address, suspicious):
    assert suspicion.destination(address, TARGET).suspicious is suspicious


def test_an_inside_address_is_suspicious_where_mail_was_seen_going_there():
    seen = stage.target(forwards=("Bob@Example.test",))
    assert suspicion.destination(BOB, seen).suspicious
    assert not suspicion.destination("carl@example.test", seen).suspicious


def test_the_accounts_own_domain_is_inside_even_where_the_case_names_none():
    assert not suspicion.destination(BOB, stage.target(own_domains=())).suspicious
    assert suspicion.destination(DROP, stage.target(own_domains=())).suspicious


TRASH, ARCHIVE, LABEL = {"addLabelIds": ["TRASH"]}, {"removeLabelIds": ["INBOX"]}, {"addLabelIds": ["Label_1"]}


@pytest.mark.parametrize(
    ("criteria", "action", "suspicious"),
    [
        ({"from": "a@example.org"}, {"forward": DROP}, True),
        ({"from": "a@example.org"}, {"forward": BOB}, False),
        ({}, TRASH, True),
        ({}, LABEL, False),
        ({"from": "*"}, ARCHIVE, True),
        ({"from": "@"}, ARCHIVE, True),
        ({"size": 1, "sizeComparison": "larger"}, ARCHIVE, True),
        ({"negatedQuery": "zzz"}, ARCHIVE, True),
        ({"hasAttachment": True}, ARCHIVE, False),
        ({"subject": "phishing"}, TRASH, True),
        ({"subject": "phishing"}, LABEL, False),
        ({"subject": "phishing"}, {"removeLabelIds": ["UNREAD"]}, False),
        ({"query": "invoice OR payment"}, ARCHIVE, True),
        ({"query": "セミナー"}, ARCHIVE, False),
        ({"query": "振込先の変更"}, ARCHIVE, True),
        ({"subject": "なりすましメール"}, {"addLabelIds": ["SPAM"]}, True),
        ({"from": "mailer-daemon@example.org"}, TRASH, True),
        ({"from": "boss@example.test"}, ARCHIVE, True),
        ({"from": "boss@example.test"}, {"addLabelIds": ["STARRED"]}, False),
        ({"from": "news@example.org"}, TRASH, False),
        ({"from": "news@example.org"}, ARCHIVE, False),
        ({"subject": "weekly report"}, ARCHIVE, False),
        ({"to": "list@example.org"}, ARCHIVE, False),
    ],
)
def test_a_filter_is_suspicious_by_where_it_sends_and_what_it_hides(criteria, action, suspicious):
    judged = suspicion.filter_({"id": "x", "criteria": criteria, "action": action}, TARGET)
    assert judged.suspicious is suspicious
    assert set(judged.why) == {"en", "ja"}


@given(
    st.dictionaries(st.sampled_from(["from", "to", "subject", "query", "negatedQuery"]), st.text(max_size=40)),
    st.sets(st.sampled_from(["STARRED", "IMPORTANT", "Label_1", "CATEGORY_UPDATES"])),
    st.sets(st.sampled_from(["UNREAD", "IMPORTANT", "SPAM", "Label_2"])),
)
def test_a_filter_that_neither_forwards_nor_hides_is_never_touched(criteria, adds, removes):
    action = {"addLabelIds": sorted(adds), "removeLabelIds": sorted(removes)}
    assert not suspicion.filter_({"criteria": criteria, "action": action}, TARGET).suspicious


@given(st.text(string.ascii_lowercase, min_size=1, max_size=20), st.text(string.ascii_lowercase + ".-", max_size=20))
def test_whoever_forwards_outside_is_suspicious_whatever_the_criteria(local, sender):
    found = {"criteria": {"from": sender}, "action": {"forward": f"{local}@example.org"}}
    assert suspicion.filter_(found, TARGET).suspicious


def found(prepare, **changes):
    """What is found after `prepare` has changed an account that nothing is amiss with: {key or object: Step or Shown}."""
    made = stage.domain()
    prepare(made)
    with stage.beside(made) as connector:
        look = connector.look(stage.target(copies=(), **changes))
    always = {"password", "sign-out", "suspend"}
    return {
        one.operation if one.object is None else f"{one.operation} {one.object}": one
        for one in look.steps
        if one.operation not in always
    } | {one.object: one for one in look.shown if one.object != "imap"}


def test_of_an_account_that_nothing_is_amiss_with_only_the_doors_are_closed():
    assert found(lambda _made: None) == {}


@pytest.mark.parametrize(
    ("granted", "kind"),
    [(SINCE + timedelta(seconds=1), Step), (SINCE - timedelta(seconds=1), Shown), (None, Shown)],
)
def test_a_grant_is_removed_where_the_audit_log_tells_that_it_was_given_in_the_time_in_question(granted, kind):
    one = found(lambda made: made.add_token(ANNA, "app.example", ["openid"], granted=granted))
    assert isinstance(one["token app.example"], kind)


def test_a_grant_that_somebody_else_gave_to_the_same_application_counts_for_nothing():
    def prepare(made):
        made.add_token(ANNA, "app.example", ["openid"], granted=BEFORE)
        made.add_token(BOB, "app.example", ["openid"], granted=SINCE + timedelta(hours=1))

    assert isinstance(found(prepare)["token app.example"], Shown)


@pytest.mark.parametrize(
    ("created", "kind"),
    [
        (SINCE + timedelta(minutes=1), Step),
        (SINCE - timedelta(minutes=1), Shown),
        (datetime.fromtimestamp(0, UTC), Step),
    ],
)
def test_an_application_password_is_removed_where_it_was_made_in_that_time_or_nobody_knows_when(created, kind):
    assert isinstance(found(lambda made: made.add_app_password(ANNA, "phone", created))["app-password 0"], kind)


def test_the_time_of_an_application_password_is_read_in_seconds_and_in_milliseconds():
    for unit in (1, 1000):

        def prepare(made, unit=unit):
            made.add_app_password(ANNA, "phone", BEFORE)
            made.user(ANNA)["asps"][0]["creationTime"] = str(int(BEFORE.timestamp()) * unit)

        assert isinstance(found(prepare)["app-password 0"], Shown)


def test_backup_codes_go_where_there_are_any():
    assert isinstance(found(lambda made: made.add_codes(ANNA))["backup-codes"], Step)


@pytest.mark.parametrize(("address", "kind"), [(DROP, Step), (BOB, Shown)])
def test_forwarding_is_stopped_outside_and_shown_inside(address, kind):
    def prepare(made):
        made.add_forwarding(ANNA, address)
        made.user(ANNA)["autoForwarding"] = {"enabled": True, "emailAddress": address, "disposition": "archive"}

    one = found(prepare)
    assert isinstance(one["auto-forwarding"], kind)
    assert isinstance(one[f"forwarding-address {address}"], kind)


def test_forwarding_that_is_off_is_no_step():
    assert found(lambda made: made.user(ANNA).update(autoForwarding={"enabled": False, "emailAddress": DROP})) == {}


@pytest.mark.parametrize(("address", "kind"), [("x@example.com", Step), (BOB, Shown)])
def test_a_delegate_outside_is_removed_and_one_inside_is_shown(address, kind):
    assert isinstance(found(lambda made: made.add_delegate(ANNA, address))[f"delegate {address}"], kind)


@pytest.mark.parametrize(("address", "kind"), [("anna@example.org", Step), ("sales@example.test", Shown)])
def test_an_address_to_send_as_is_removed_outside_and_shown_inside(address, kind):
    assert isinstance(found(lambda made: made.add_send_as(ANNA, address))[f"send-as {address}"], kind)


@pytest.mark.parametrize(("address", "kind"), [(DROP, Step), ("sales@example.test", Shown)])
def test_answers_are_turned_back_from_outside_and_shown_inside(address, kind):
    one = found(lambda made: made.user(ANNA)["sendAs"][ANNA].update(replyToAddress=address))
    assert isinstance(one[f"reply-to {ANNA}"], kind)


def test_an_address_that_is_removed_needs_no_other_address_to_answer_to():
    one = found(lambda made: made.add_send_as(ANNA, "anna@example.org", replyToAddress=DROP))
    assert list(one) == ["send-as anna@example.org"]


@pytest.mark.parametrize(
    ("body", "shown"), [("see http://x.example.org", True), ('<a href="x">', True), ("I am on holiday", False)]
)
def test_an_automatic_reply_is_shown_where_it_carries_a_link(body, shown):
    one = found(lambda made: made.user(ANNA).update(vacation={"enableAutoReply": True, "responseBodyHtml": body}))
    assert ("vacation" in one) is shown
    off = found(lambda made: made.user(ANNA).update(vacation={"enableAutoReply": False, "responseBodyHtml": body}))
    assert off == {}


@pytest.mark.parametrize(("window", "shown"), [("allMail", True), ("fromNowOn", True), ("disabled", False)])
def test_pop_is_shown_where_it_is_on(window, shown):
    assert ("pop" in found(lambda made: made.user(ANNA)["pop"].update(accessWindow=window))) is shown


def test_changes_of_second_factors_in_the_time_in_question_are_shown_from_the_audit_log():
    def prepare(made):
        made.log("user_accounts", ANNA, "2sv_enroll", {}, SINCE + timedelta(hours=1))
        made.log("user_accounts", ANNA, "recovery_email_edit", {}, SINCE - timedelta(hours=1))
        made.log("user_accounts", BOB, "2sv_disable", {}, SINCE + timedelta(hours=1))

    shown = list(found(prepare))
    assert len(shown) == 1
    assert shown[0].startswith("2sv_enroll")
