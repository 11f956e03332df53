# SPDX-License-Identifier: Apache-2.0
"""The clocks as JSON: every candidate, every clock, every item with the evidence behind it. Times have their offset."""

from datetime import datetime
from typing import Any

from hikeshi.cases.store.decisions import Decision
from hikeshi.cases.store.facts import Fact
from hikeshi.publish.clocks.clock import Clock, Clocks
from hikeshi.publish.clocks.items import Filled
from hikeshi.publish.clocks.rule import Source, Words
from hikeshi.publish.clocks.submissions import Submission
from hikeshi.publish.clocks.words import utc

SCHEMA = "hikeshi.clocks/1"


def document(told: Clocks) -> dict[str, Any]:
    """Give everything as plain JSON; texts for people are {"en": …, "ja": …}."""
    return {
        "schema": SCHEMA,
        "at": _iso(told.now.astimezone(told.zone)),
        "hypothetical": None if told.as_if is None else told.as_if.isoformat(),
        "starts": [
            {
                "name": one.name,
                "time": _iso(one.time.astimezone(told.zone)),
                "knowledge": one.knowledge,
                "source": one.source,
                "says": _words(one.says),
            }
            for one in told.candidates
        ],
        "clocks": [_clock(one, told) for one in told.clocks],
        "proposed": [rule.id for rule in told.proposed],
    }


def _clock(one: Clock, told: Clocks) -> dict[str, Any]:
    rule, left = one.rule, one.remaining(told.now)
    return {
        "rule": rule.id,
        "version": rule.version,
        "regime": one.regime.regime,
        "title": _words(one.regime.title),
        "stage": _words(rule.stage),
        "reporter": _words(rule.reporter),
        "to": _words(rule.to),
        "force": rule.force,
        "source": _source(rule.source),
        "note": None if rule.note is None else _words(rule.note),
        "start": None if one.start is None else _start(one, told),
        "due": _due(one),
        "remaining_seconds": None if left is None else int(left.total_seconds()),
        "alerts": [utc(time) for time in one.alerts],
        "state": one.state,
        "late_seconds": None if one.late is None else int(one.late.total_seconds()),
        "needed": None if one.decision is None else _decision(one.decision),
        "questions": {name: {"en": asked.en, "ja": asked.ja} for name, asked in one.asks.items()},
        "needs": rule.needs,
        "items": [_item(each) for each in one.items],
        "submissions": [_submission(each) for each in one.submissions],
        "changed_since_submission": [
            {"item": each.item.id, "key": each.key, "before": _fact(each.before), "after": _fact(each.after)}
            for each in one.changed
        ],
    }


def _start(one: Clock, told: Clocks) -> dict[str, Any]:
    assert one.start is not None  # noqa: S101 - the caller looked
    return {
        "time": _iso(one.start.time.astimezone(told.zone)),
        "name": one.start.name,
        "provisional": one.start.provisional,
        "decided": None if one.start.decided is None else _decision(one.start.decided),
    }


def _due(one: Clock) -> dict[str, Any] | None:
    if one.due is None:
        return None
    return {
        "local": _iso(one.due.at),
        "utc": utc(one.due.at),
        "early": None if one.due.early is None else _iso(one.due.early),
        "day": one.due.last_day.isoformat(),
        "counted_day": one.due.counted.isoformat(),
    }


def _item(one: Filled) -> dict[str, Any]:
    return {
        "id": one.item.id,
        "en": one.item.en,
        "ja": one.item.ja,
        "state": one.completeness,
        "facts": {key: _fact(fact) for key, fact in one.facts.items()},
        "missing": list(one.missing),
    }


def _fact(fact: Fact | None) -> dict[str, Any] | None:
    if fact is None:
        return None
    return {
        "value": fact.value,
        "unit": fact.unit,
        "status": fact.status,
        "provenance": fact.provenance,
        "evidence": fact.evidence,
    }


def _submission(one: Submission) -> dict[str, Any]:
    return {
        "entry": one.seq,
        "version": one.version,
        "at": _iso(one.at),
        "who": one.who,
        "why": one.why,
        "proof": dict(one.proof),
    }


def _decision(one: Decision) -> dict[str, Any]:
    return {"choice": one.choice, "who": one.who, "why": one.why, "time": _iso(one.time)}


def _source(one: Source) -> dict[str, Any]:
    return {
        "law": one.law,
        "article": one.article,
        "guideline": one.guideline,
        "url": one.url,
        "verified_on": one.verified_on.isoformat(),
        "unsure": None if one.unsure is None else _words(one.unsure),
    }


def _words(one: Words) -> dict[str, str]:
    return {"en": one.en, "ja": one.ja}


def _iso(time: datetime) -> str:
    return time.isoformat(timespec="seconds")
