# SPDX-License-Identifier: Apache-2.0
from hikeshi.drill.truth import Sent, best_fates, summary


def test_an_address_keeps_the_best_of_its_fates():
    messages = [
        Sent(0, "a@x.example", 1, "192.0.2.1", "m1", {"b@Y.Example": "bounced", "c@y.example": "expired"}),
        Sent(0, "a@x.example", 2, "192.0.2.1", "m2", {"b@y.example": "deferred", "c@y.example": "unknown"}),
    ]
    assert best_fates(messages) == {"b@y.example": "deferred", "c@y.example": "unknown"}


def test_a_summary_counts_four_different_things():
    messages = [
        Sent(0, "a@x.example", 5, "192.0.2.1", "m1", {"b@y.example": "delivered"}),
        Sent(0, "a@x.example", 9, "192.0.2.9", "m1", {"b@y.example": "bounced", "c@y.example": "bounced"}),
    ]
    found = summary(messages, str)
    assert (found["messages"], found["addresses"], found["domains"]) == (2, 2, 1)
    assert (found["delivered"], found["bounced"]) == (1, 1)
    assert (found["first_message_at"], found["last_message_at"]) == ("5", "9")
    assert found["client_ips"] == ["192.0.2.1", "192.0.2.9"]
