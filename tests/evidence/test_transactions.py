# SPDX-License-Identifier: Apache-2.0
"""Transactions that do not go the usual way, held at every step, given up, refused when all was there: each is one row."""

from datetime import datetime, timedelta

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

START = datetime.fromisoformat("2026-11-24T12:00:00")
CONNECT = "smtpd[100]: connect from pc[192.0.2.7]"
CLIENT = "smtpd[100]: A1B2C3D4: client=pc[192.0.2.7], sasl_method=PLAIN, sasl_username=alice"
NAMED = "cleanup[200]: A1B2C3D4: message-id=<m@x.test>"
ENVELOPE = "from=<a@b.test> to=<c@d.test> proto=ESMTP helo=<pc>"
NO = f"5.7.1 no; {ENVELOPE}"
MILTER_REJECT = f"cleanup[200]: A1B2C3D4: milter-reject: END-OF-MESSAGE from pc[192.0.2.7]: {NO}"


def lines(*texts):
    """Write what one mail server says, a second apart."""
    return [
        f"{START + timedelta(seconds=number):%b %d %H:%M:%S} mx postfix/{text}" for number, text in enumerate(texts)
    ]


def hold(step, queue_id="NOQUEUE", pid=100):
    """As Postfix says it of a milter that is away with default_action=quarantine."""
    return f"smtpd[{pid}]: {queue_id}: milter-hold: {step} from pc[192.0.2.7]: milter triggers HOLD action; proto=ESMTP"


REFUSALS = {
    "a milter": (MILTER_REJECT, NO),
    "a milter that is away": (
        f"cleanup[200]: A1B2C3D4: milter-reject: END-OF-MESSAGE from pc[192.0.2.7]: 4.7.1 try again later; {ENVELOPE}",
        f"4.7.1 try again later; {ENVELOPE}",
    ),
    "its header": (
        f"cleanup[200]: A1B2C3D4: reject: header From: x from pc[192.0.2.7]; {ENVELOPE}: 5.7.1 no",
        f"header From: x from pc[192.0.2.7]; {ENVELOPE}: 5.7.1 no",
    ),
    "its body": (
        f"cleanup[200]: A1B2C3D4: reject: body x from pc[192.0.2.7]; {ENVELOPE}: 5.7.1 no",
        f"body x from pc[192.0.2.7]; {ENVELOPE}: 5.7.1 no",
    ),
}


@pytest.mark.parametrize("why", REFUSALS)
def test_what_was_refused_at_its_end_is_a_try_with_its_reason(case, why):
    said, reason = REFUSALS[why]
    case.lines(*lines(CONNECT, CLIENT, NAMED, said))
    assert case.row("messages") == {
        "time": START + timedelta(seconds=1),
        "ended": START + timedelta(seconds=3),
        "message_key": f"mx/postfix/A1B2C3D4/{round((START - datetime(1970, 1, 1)).total_seconds()) + 1}",  # noqa: DTZ001 - UTC, as the lake has it
        "account": "alice",
        "mail_from": "a@b.test",
        "message_id": "m@x.test",
        "client_ip": "192.0.2.7",
        "session": "mx/100/2026-11-24T12:00:00Z",
        "method": "PLAIN",
        "subject": reason,
        "direction": "refused",
        "accepted": False,
        "held": False,
        "host": "mx",
        "instance": "postfix",
        "queue_id": "A1B2C3D4",
        "zone": "UTC",
        "input": 1,
        "record": 2,
    }
    assert case.rows("deliveries") == []
    assert case.rows("signins", "account", "outcome") == [("alice", "success")]


def test_a_refused_mail_keeps_its_subject_where_that_is_logged(case):
    subject = f"cleanup[200]: A1B2C3D4: info: header Subject: Invoice from pc[192.0.2.7]; {ENVELOPE}"
    case.lines(*lines(CLIENT, subject, NAMED, MILTER_REJECT))
    assert case.rows("messages", "direction", "subject") == [("refused", "Invoice")]


def test_a_refusal_whose_beginning_is_not_in_the_log_has_what_its_line_says(case):
    case.lines(*lines(MILTER_REJECT))
    row = case.row("messages")
    assert (row["direction"], row["client_ip"], row["mail_from"], row["subject"]) == (
        "refused",
        "192.0.2.7",
        "a@b.test",
        NO,
    )
    assert (row.get("account"), row["cut"]) == (None, "start")


@pytest.mark.parametrize("held", [(hold("MAIL"), CLIENT), (CLIENT, hold("RCPT", "A1B2C3D4"))])
def test_a_mail_that_was_to_be_held_and_is_refused_at_its_end_is_not_held(case, held):
    """The account's mail is held, and the guard refuses: nothing lies in the hold queue."""
    case.lines(*lines(CONNECT, *held, NAMED, MILTER_REJECT))
    assert case.rows("messages", "direction", "accepted", "held") == [("refused", False, False)]


@pytest.mark.parametrize("held", [(hold("MAIL"), CLIENT), (CLIENT, hold("RCPT", "A1B2C3D4"))])
def test_a_mail_that_was_to_be_held_and_was_given_up_was_never_accepted(case, held):
    """RSET after RCPT leaves no line of its own before Postfix 3.10."""
    case.lines(*lines(CONNECT, *held))
    assert case.rows("messages", "direction", "accepted", "held") == [("submitted", False, False)]


def test_a_mail_that_was_to_be_held_and_was_canceled_is_no_message(case):
    case.lines(*lines(CONNECT, hold("MAIL"), CLIENT, NAMED, "smtpd[100]: A1B2C3D4: canceled"))
    assert case.rows("messages") == []


def test_read_again_from_a_copy_a_refused_mail_stays_one(case):
    told = lines(CONNECT, CLIENT, NAMED, MILTER_REJECT)
    later = [line.replace("Nov 24 12:", "Nov 24 18:").replace("A1B2C3D4", "E5F6A7B8") for line in told]
    case.lines(*told, *later, name="mail.log")
    case.lines(*told, *later, *lines("smtpd[1]: connect from pc[192.0.2.7]"), name="mail.info")
    assert case.rows("messages", "queue_id", "direction") == [("A1B2C3D4", "refused"), ("E5F6A7B8", "refused")]


ENDS = {
    "sent": (
        "cleanup[200]: {0}: message-id=<m@x.test>",
        "qmgr[300]: {0}: from=<a@b.test>, size=441, nrcpt=1 (queue active)",
        "smtp[400]: {0}: to=<c@d.test>, relay=mx[198.51.100.9]:25, delay=1, delays=0/0/0/1, dsn=2.0.0, status=sent (250 Ok)",
        "qmgr[300]: {0}: removed",
    ),
    "waiting": (
        "cleanup[200]: {0}: message-id=<m@x.test>",
        "qmgr[300]: {0}: from=<a@b.test>, size=441, nrcpt=1 (queue active)",
    ),
    "held": (
        "cleanup[200]: {0}: message-id=<m@x.test>",
        "cleanup[200]: {0}: milter-hold: END-OF-MESSAGE from pc[192.0.2.7]: milter triggers HOLD action; from=<a@b.test>",
    ),
    "refused": (
        "cleanup[200]: {0}: message-id=<m@x.test>",
        "cleanup[200]: {0}: milter-reject: END-OF-MESSAGE from pc[192.0.2.7]: 5.7.1 no; from=<a@b.test>",
    ),
    "refused for its header": ("cleanup[200]: {0}: reject: header X: y from pc[192.0.2.7]; from=<a@b.test>: 5.7.1 no",),
    "canceled": ("smtpd[{1}]: {0}: canceled",),
    "given up": (),
    "open": ("cleanup[200]: {0}: message-id=<m@x.test>",),
}

transactions = st.lists(
    st.tuples(
        st.sampled_from([100, 101]),
        st.sampled_from(["A1B2C3D4", "B1B2C3D4", "C1B2C3D4"]),
        st.booleans(),
        st.lists(st.sampled_from(["CONNECT", "EHLO", "MAIL", "RCPT"]), max_size=4),
        st.lists(st.sampled_from(["RCPT", "DATA"]), max_size=2),
        st.sampled_from(list(ENDS)),
    ),
    max_size=12,
)


@settings(max_examples=20, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(transactions)
def test_every_transaction_is_one_row_with_a_key_of_its_own(new_case, story):
    """Whatever is held before and behind the queue id, over queue ids used again and connections that go on."""
    told = [f"smtpd[{pid}]: connect from pc[192.0.2.7]" for pid in (100, 101)]
    for pid, queue_id, anew, before, behind, end in story:
        told += [f"smtpd[{pid}]: connect from pc[192.0.2.7]"] if anew else []
        told += [hold(step, pid=pid) for step in before]
        told.append(f"smtpd[{pid}]: {queue_id}: client=pc[192.0.2.7], sasl_method=PLAIN, sasl_username=alice")
        told += [hold(step, queue_id, pid) for step in behind]
        told += [text.format(queue_id, pid) for text in ENDS[end]]
    case = new_case().lines(*lines(*told))
    keys = case.rows("messages", "message_key")
    assert len(set(keys)) == len(keys)
    assert set(case.rows("deliveries", "message_key")) <= set(keys)
    expected = [row(bool(before or behind), end) for _, _, _, before, behind, end in story if end != "canceled"]
    assert case.rows("messages", "direction", "accepted", "held") == sorted(expected)
    case.stack.close()


def row(held, end):
    """Say what becomes of a transaction: direction, accepted, held."""
    if end.startswith("refused"):
        return ("refused", False, False)
    if end == "given up":
        return ("submitted", False, False)
    if end == "open":
        return ("submitted", held, held)
    return ("submitted", True, end == "held" or (held and end == "waiting"))


def test_thousands_of_mails_held_in_one_connection_are_each_one(case):
    """What an intruder does whose mail is held: the engine's memory must not grow with the square of it."""
    told = [CONNECT]
    for number in range(5000):
        queue_id = f"{number:08X}A"
        told += [hold("MAIL"), hold("RCPT"), CLIENT.replace("A1B2C3D4", queue_id)]
        told.append(NAMED.replace("A1B2C3D4", queue_id))
    case.lines(*lines(*told))
    assert case.rows("messages", "accepted", "held") == [(True, True)] * 5000
