# SPDX-License-Identifier: Apache-2.0
"""The plan: what connectors would do to close accounts, in order, with what is not touched and what cannot be seen.

Its identity is a digest over what it says, so that a plan that is another has another identity and needs a new approval.
"""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from typing import Any, TypeVar

import msgspec

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Draft, Store
from hikeshi.cases.store.canonical import canonical
from hikeshi.contain.asked import Trouble
from hikeshi.contain.contract import Connector, ConnectorError, Copies, Look, Shown, Step, Target, Words
from hikeshi.contain.limits import Limits, forbidden_step, within
from hikeshi.contain.patience import Patience, patiently

T = TypeVar("T")


@dataclass(frozen=True, slots=True)
class Gap:
    """What a connector cannot see or could not look at (law 8)."""

    connector: str
    says: Words


@dataclass(frozen=True, slots=True)
class Plan:
    """What is to be done, to whom, in order. `made` is aware, UTC, and no part of the plan's identity."""

    made: datetime
    targets: tuple[Target, ...] = ()
    steps: tuple[Step, ...] = ()
    shown: tuple[Shown, ...] = ()
    gaps: tuple[Gap, ...] = ()

    @property
    def id(self) -> str:
        """Name the plan by 16 hexadecimal digits of SHA-256 over its canonical JSON, without any time of planning."""
        said = document(self)
        targets = [{key: value for key, value in one.items() if key != "until"} for one in said["targets"]]
        content = {"targets": targets} | {key: said[key] for key in ("steps", "shown", "gaps")}
        return hashlib.sha256(canonical(content).encode()).hexdigest()[:16]


def document(plan: Plan) -> dict[str, Any]:
    """Give the plan as plain JSON."""
    found: dict[str, Any] = msgspec.to_builtins(plan)
    return found


def plan_of(body: Mapping[str, Any]) -> Plan:
    """Give the plan that `document` wrote."""
    return msgspec.convert(body, Plan)


def make_plan(
    targets: Sequence[Target],
    connectors: Sequence[Connector],
    limits: Limits,
    now: datetime,
    patience: Patience | None = None,
) -> Plan:
    """Ask each connector to look at each target, and put together what is to be done; touches nothing, writes nothing.

    A connector that fails is a gap of the plan. What the limits forbid is shown with the reason. `now` is aware, UTC. A
    far side that says "later" is waited for as long as `patience` lasts; without any it is asked once.

    Raises:
        ConnectorError: every connector failed.
        LimitsError: the plan touches more than one run may.

    """
    targets = _without_copies_named_twice(targets)
    domains = sorted({domain for target in targets for domain in target.own_domains})
    looks, gaps, failed = _looks(targets, connectors, patience or Patience(0, 0))
    if connectors and len(failed) == len(connectors):
        told = "; ".join(f"{name}: {trouble.says}" for name, trouble in failed.items())
        raise ConnectorError(f"no connector could look at anything, so there is no plan: {told}")
    steps: list[Step] = []
    shown: list[Shown] = []
    for name, target, look in looks:
        gaps += [Gap(name, words) for words in look.gaps]
        shown += look.shown
        for step in look.steps:
            why_not = forbidden_step(limits, step, domains, target)
            if why_not is None:
                steps.append(step)
            else:
                shown.append(_held_back(step, why_not))
    gaps += [_unnamed(target) for target in targets if target.unnamed]
    ordered, twice = _ordered(steps)
    within(limits, ordered)
    # Once through JSON, so that a plan is the same whether it was just made or read from the case.
    return plan_of(document(Plan(now, tuple(targets), ordered, _unique(shown), _unique([*gaps, *twice]))))


def remember(store: Store, plan: Plan) -> bool:
    """Write the plan into the case, unless an equal one stands there; say whether it was written."""
    if any(entry.body["id"] == plan.id for entry in store.entries("plan")):
        return False
    store.append(Draft("plan", {"id": plan.id, **document(plan)}))
    return True


def plans(store: Store) -> list[Plan]:
    """Give the plans of the case, in the order in which they were made."""
    return [plan_of(entry.body) for entry in store.entries("plan")]


def find_plan(store: Store, name: str | None = None) -> Plan:
    """Give the plan whose identity begins with `name`, the last one where none is named.

    Raises:
        UsageError: there is none, or more than one.

    """
    found = [plan for plan in plans(store) if name is None or plan.id.startswith(name.lower())]
    if name is None:
        found = found[-1:]
    if not found:
        raise UsageError("the case has no such plan; hikeshi contain --case DIR makes one")
    if len(found) > 1:
        raise UsageError(f"{name}: more than one plan begins so: {', '.join(plan.id for plan in found)}")
    return found[0]


def _looks(
    targets: Sequence[Target], connectors: Sequence[Connector], patience: Patience
) -> tuple[list[tuple[str, Target, Look]], list[Gap], dict[str, Trouble]]:
    """Give what each connector found, the gaps where one could not look, and the connectors that could look at nothing."""
    looks: list[tuple[str, Target, Look]] = []
    gaps: list[Gap] = []
    failed: dict[str, Trouble] = {}
    for connector in connectors:
        name = connector.name
        patience.next_step()
        found = patiently(patience, connector.check)
        if isinstance(found, Trouble):
            failed[name] = found
            gaps.append(_gap(name, found, None))
            continue
        troubles = []
        for target in targets:
            patience.next_step()
            look = patiently(patience, partial(_looked, connector, target))
            if isinstance(look, Trouble):
                troubles.append(look)
                gaps.append(_gap(name, look, target.account))
            else:
                looks.append((name, target, look))
        if troubles and len(troubles) == len(targets):
            failed[name] = troubles[0]
    return looks, gaps, failed


def _looked(connector: Connector, target: Target) -> Look:
    look = connector.look(target)
    # What cannot be written into the case, for example a secret, must not come into a plan at all.
    canonical(msgspec.to_builtins(look))
    return look


def _gap(connector: str, trouble: Trouble, account: str | None) -> Gap:
    whom = f" ({account})" if account else ""
    return Gap(
        connector,
        {
            "en": f"could not look{whom}, so nothing is planned there: {trouble.says}",
            "ja": f"確認できなかったため、計画に含まれていません{whom}: {trouble.says}",
        },
    )


def _unnamed(target: Target) -> Gap:
    return Gap(
        "case",
        {
            "en": f"{target.unnamed:,} copies of the lure of {target.account} have no Message-ID, so no step takes them out",
            "ja": f"{target.account}の文面の写し{target.unnamed:,}通には Message-ID がなく、取り除く手順を作れません",
        },
    )


def _held_back(step: Step, why_not: Words) -> Shown:
    what = {"en": f"{step.operation}: {step.request}", "ja": f"{step.operation}: {step.request}"}
    return Shown(step.connector, step.account, step.object or "-", what, why_not)


def _ordered(steps: Sequence[Step]) -> tuple[tuple[Step, ...], list[Gap]]:
    """Order by phase, connector, account, and else as the connector gave them. A step that is named twice is one.

    Two of one name that are not equal are a defect of the connector; the one that is left out is told.
    """
    by_key: dict[str, Step] = {}
    left_out = []
    for step in steps:
        if by_key.setdefault(step.key, step) != step:
            says = f"two steps are named {step.key} and differ; the second is left out: {step.request}"
            left_out.append(Gap(step.connector, {"en": says, "ja": says}))
    ordered = sorted(by_key.values(), key=lambda step: (step.phase, step.connector, step.account))
    return tuple(ordered), left_out


def _without_copies_named_twice(targets: Sequence[Target]) -> list[Target]:
    """Let each mailbox be emptied for one target only, of the lures of all: else one of two equal steps would be lost."""
    named: dict[str, set[str]] = {}
    for target in targets:
        for copies in target.copies:
            named.setdefault(copies.mailbox, set()).update(copies.message_ids)
    found = []
    for target in targets:
        mailboxes = [one.mailbox for one in target.copies if one.mailbox in named]
        merged = tuple(Copies(name, tuple(sorted(named.pop(name)))) for name in dict.fromkeys(mailboxes))
        found.append(replace(target, copies=merged))
    return found


def _unique(found: Sequence[T]) -> tuple[T, ...]:
    """Take each thing once, in order; they hold mappings, so a set cannot tell them apart."""
    by_text: dict[str, T] = {}
    for one in found:
        by_text.setdefault(canonical(msgspec.to_builtins(one)), one)
    return tuple(by_text.values())
