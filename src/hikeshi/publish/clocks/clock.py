# SPDX-License-Identifier: Apache-2.0
"""One clock a duty: from when, until when, how it stands, what the form still needs. Parallel clocks are never merged.

No duty is ever left out because the tool thinks that it does not apply: that a report is not needed is a person's decision.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta, tzinfo
from typing import Final, Literal, get_args

from hikeshi.basics.zones import zone as zone_named
from hikeshi.cases.store import Store
from hikeshi.cases.store.decisions import Decision, decisions
from hikeshi.cases.store.facts import Fact, standing
from hikeshi.publish.clocks import arithmetic, rulebook
from hikeshi.publish.clocks.arithmetic import Due
from hikeshi.publish.clocks.closed import openness
from hikeshi.publish.clocks.items import Changed, Filled, changed, filled
from hikeshi.publish.clocks.rule import Force, Question, Regime, Rule
from hikeshi.publish.clocks.starts import Candidate, Start, candidates, start_of
from hikeshi.publish.clocks.submissions import Submission, facts_at, submissions

#: not started: nobody has said or shown when anybody knew. open: no number of days. not needed: a person decided so.
State = Literal["not started", "open", "running", "due soon", "overdue", "met", "not needed"]
#: what a person may decide on a duty
CHOICES: Final = ("needed", "not-needed")


@dataclass(frozen=True, slots=True)
class Clock:
    """One duty as it stands. `decision` is the last one on whether it is needed; `met_at` when it was first handed in.

    `changed` is what is not as it was at the last submission. `alerts` are aware moments before it is due.
    """

    regime: Regime
    rule: Rule
    on: date
    start: Start | None
    due: Due | None
    state: State
    decision: Decision | None
    submissions: tuple[Submission, ...]
    asks: Mapping[str, Question]
    items: tuple[Filled, ...]
    changed: tuple[Changed, ...]
    alerts: tuple[datetime, ...]

    @property
    def met_at(self) -> datetime | None:
        """Give when it was handed in for the first time."""
        return self.submissions[0].at if self.submissions else None

    @property
    def late(self) -> timedelta | None:
        """Give by how much it was handed in too late, None where it was not."""
        if self.due is None or self.met_at is None or self.met_at <= self.due.at:
            return None
        return self.met_at - self.due.at

    @property
    def live(self) -> bool:
        """Say whether somebody still has something to do by it."""
        return self.state not in ("met", "not needed")

    def remaining(self, now: datetime) -> timedelta | None:
        """Give the time that is left, negative where it is over; None where nothing is due, or any more."""
        return self.due.at - now if self.due is not None and self.live else None


@dataclass(frozen=True, slots=True)
class Clocks:
    """All clocks of a case at a moment, in the order in which they are due, those without a number of days last.

    `as_if` is the day whose rules were asked for instead of those of the start: then all of it is hypothetical.
    """

    now: datetime
    zone: tzinfo
    as_if: date | None
    candidates: Sequence[Candidate]
    clocks: Sequence[Clock]
    proposed: Sequence[Rule]


def clocks(
    store: Store,
    book: Sequence[Regime],
    *,
    now: datetime,
    zone: tzinfo,
    regimes: Iterable[str] = (),
    as_if: date | None = None,
) -> Clocks:
    """Give the clocks of a case at `now` (aware) by the rules in force when each started; `zone` is the organisation's.

    `regimes` are the names of those asked for, all where none is.

    Raises:
        UsageError: a time that a person entered is none, or has no zone; there is no such regime.
        StoreError: the case cannot be read.

    """
    asked = rulebook.known(book, regimes)
    case = _Case(store, now, zone, as_if)
    known: dict[str, Clock] = {}
    for rule_id in rulebook.order(book):
        for regime, rule in rulebook.versions(book, rule_id):
            one = case.clock(regime, rule, known)
            if one is not None:
                known[rule_id] = one
    far = datetime.max.replace(tzinfo=now.tzinfo)
    shown = [one for one in known.values() if one.regime.regime in asked]
    binding = get_args(Force)
    ordered = sorted(
        shown, key=lambda one: (one.due.at if one.due else far, binding.index(one.rule.force), one.rule.id)
    )
    proposed = [rule for regime in book if regime.regime in asked for rule in regime.rules if rule.status == "proposed"]
    return Clocks(now, zone, as_if, case.candidates, ordered, proposed)


def subject_of_need(rule_id: str) -> str:
    """Give the subject of decisions on whether a report is needed."""
    return f"clock/{rule_id}/needed"


class _Case:
    """What the store says, read once."""

    def __init__(self, store: Store, now: datetime, zone: tzinfo, as_if: date | None) -> None:
        self.candidates = candidates(store)
        self._store, self._now, self._zone, self._as_if = store, now, zone, as_if
        self._submissions = submissions(store)
        self._facts: dict[str, Fact] = {key: one.fact for key, one in standing(store).items()}

    def clock(self, regime: Regime, rule: Rule, known: Mapping[str, Clock]) -> Clock | None:
        """Give the clock of a rule, None where it was not in force; `known` are those that it may start after."""
        parent = known.get(rule.after) if rule.after else None
        if rule.after and parent is None:
            return None
        zone = self._zone if rule.zone is None else zone_named(rule.zone)
        start = start_of(self._store, rule, self.candidates) or _after(parent)
        on = parent.on if parent else (start.time if start else self._now).astimezone(zone).date()
        on = self._as_if or on
        if not rulebook.in_force(rule, on):
            return None
        due = None
        if start is not None and rule.period is not None:
            due = arithmetic.due(start.time, rule.period, zone, openness(rule.closed))
        handed_in = tuple(self._submissions.get(rule.id, ()))
        decided = decisions(self._store, subject_of_need(rule.id))
        decision = decided[-1] if decided else None
        form = regime.form(rule)
        return Clock(
            regime=regime,
            rule=rule,
            on=on,
            start=start,
            due=due,
            state=self._state(start, due, decision, handed_in),
            decision=decision,
            submissions=handed_in,
            asks=regime.asks(rule, on),
            items=tuple(filled(form, self._facts)),
            changed=tuple(
                changed(form, facts_at(self._store, handed_in[-1].facts_up_to), self._facts) if handed_in else ()
            ),
            alerts=tuple(arithmetic.alerts(start.time, due)) if start and due else (),
        )

    def _state(
        self, start: Start | None, due: Due | None, decision: Decision | None, handed_in: Sequence[Submission]
    ) -> State:
        met_at = handed_in[0].at if handed_in else None
        if met_at is not None and met_at <= self._now:
            return "met"
        if decision is not None and decision.choice == "not-needed":
            return "not needed"
        if start is None:
            return "not started"
        return "open" if due is None else arithmetic.state(start.time, due, self._now, met_at)


def _after(parent: Clock | None) -> Start | None:
    """Give the start of what runs from another report: when that was handed in, till then when it is due."""
    if parent is None:
        return None
    if parent.met_at is not None:
        return Start(parent.met_at, f"submitted {parent.rule.id}")
    return None if parent.due is None else Start(parent.due.at, f"due {parent.rule.id}", provisional=True)
