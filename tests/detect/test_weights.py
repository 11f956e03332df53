# SPDX-License-Identifier: Apache-2.0
"""Law 3: the score over columns and the score message by message are the same arithmetic."""

from functools import partial

import pytest

from hikeshi import model
from hikeshi.detect.weights import weigh
from hikeshi.drill import scenarios
from hikeshi.drill.attacks import attack
from hikeshi.drill.honest import Announcement, Newsletter, Traveller
from hikeshi.drill.scenarios import Scenario
from hikeshi.model import History, Message, Seen

_NAMES = {
    "new place": "place_weight",
    "new recipients": "recipients_weight",
    "nobody twice": "return_weight",
    "same content": "content_weight",
    "pace": "pace_weight",
    "many recipients": "many_weight",
    "bounces": "bounce_weight",
}

_SCENARIOS = [
    Scenario("guessed", 12, 12, seed, honest=(Traveller,), attacks=(attack(kind, day=9),))
    for seed, kind in enumerate(("fast", "bcc", "many_places", "own_address", "slow"))
] + [Scenario("honest", 10, 10, 77, honest=(Newsletter, partial(Announcement, day=6)))]


@pytest.mark.parametrize("scenario", _SCENARIOS, ids=lambda one: f"{one.name}-{one.seed}")
def test_columns_and_messages_weigh_the_same(scenario, lake_of, tmp_path):
    """Every weight of every mail, and both scores, within rounding of floating point."""
    scenarios.write(scenario, tmp_path / "drill")
    lake = lake_of(tmp_path / "drill" / "logs")
    norm = weigh(lake)
    result = lake.sql.execute(
        "SELECT * FROM owners JOIN (SELECT * EXCLUDE (place, own_new_place) FROM scored) AS scored USING (account, number) "
        "ORDER BY account, number"
    )
    names = [column[0] for column in result.description]
    rows = [dict(zip(names, row, strict=True)) for row in result.fetchall()]
    assert len(rows) == norm.mails > 300
    account_scores, stream_scores = {}, {}
    for row in rows:
        weights = model.weights(_message(row), _history(row), norm.organisation)
        assert {weight.name: pytest.approx(weight.nats, abs=1e-9) for weight in weights} == {
            name: row[column] for name, column in _NAMES.items()
        }
        llr = sum(weight.nats for weight in weights)
        stream = (row["account"], row["place"])
        account_scores[row["account"]] = model.step(account_scores.get(row["account"], 0.0), llr)
        stream_scores[stream] = model.step(stream_scores.get(stream, 0.0), llr)
        assert row["account_score"] == pytest.approx(account_scores[row["account"]], abs=1e-6)
        assert row["stream_score"] == pytest.approx(stream_scores[stream], abs=1e-6)


def _message(row) -> Message:
    fields = (
        "new",
        "again",
        "recipients",
        "place_new",
        "near",
        "moving",
        "roaming",
        "repeats",
        "gap",
        "bounces",
        "before",
    )
    return Message(
        **{name: row[name] for name in fields},
        **{name: row[name] for name in ("after_new", "after_repeat", "after_hurry", "after_many")},
    )


def _history(row) -> History:
    columns = {
        "new_place": "place",
        "near_place": "near",
        "place_after_move": "move",
        "new_recipient": "new",
        "new_after_new": "again",
        "new_after_known": "after",
        "returns": "return",
        "repeat": "repeat",
        "repeat_after_other": "other",
        "repeat_after_repeat": "keep",
        "hurry": "hurry",
        "hurry_after_hurry": "stay",
        "many": "many",
    }
    seen = {
        name: Seen(float(row[f"{column}_times"]), float(row[f"{column}_chances"])) for name, column in columns.items()
    }
    return History(recipients=int(row["known_recipients"]), **seen)
