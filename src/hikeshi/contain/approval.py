# SPDX-License-Identifier: Apache-2.0
"""Who approved a plan: nothing is done without a person (law 4), or two where the limits ask for two.

On one machine this is a rail, not a wall: it keeps one person in a hurry from doing alone what two should look at. Whoever
is root there can take two logins. Name and login of each stand in the ledger, for those who look later.
"""

from typing import Final

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store import Entry, Store
from hikeshi.cases.store.decisions import Decision, decide, decisions
from hikeshi.contain.plan import Plan, remember

#: what may be decided on a plan; what is not an approval takes back those before it
APPROVE: Final = "approve"
REFUSE: Final = "refuse"
UNDO: Final = "undo"


class NotApprovedError(UsageError):
    """The plan is not approved, so nothing is done."""


def approve(store: Store, plan: Plan, *, who: str, why: str) -> Entry:
    """Approve a plan, and write it into the case if it is not there. Raises UsageError without a name or a reason."""
    return _decided(store, plan, APPROVE, who, why)


def refuse(store: Store, plan: Plan, *, who: str, why: str) -> Entry:
    """Refuse a plan; approvals before this count no more. Raises UsageError without a name or a reason."""
    return _decided(store, plan, REFUSE, who, why)


def take_back(store: Store, plan: Plan, *, who: str, why: str) -> Entry:
    """Decide to undo a plan's steps; running it again takes a new approval. Raises UsageError as the others do."""
    return _decided(store, plan, UNDO, who, why)


def approvals(store: Store, plan: Plan) -> list[Decision]:
    """Give the approvals that count: those after the last refusal and the last undo."""
    standing: list[Decision] = []
    for one in decisions(store, _subject(plan)):
        if one.choice == APPROVE:
            standing.append(one)
        else:
            standing.clear()
    return standing


def approved(store: Store, plan: Plan, persons: int) -> bool:
    """Say whether so many different people (1 or 2) approved the plan.

    Two are different if both their names and their logins are: one login twice is one person, whatever name is typed, also
    from two machines; and one name from two logins is one, too.
    """
    standing = approvals(store, plan)
    if persons < 2:
        return bool(standing)
    return any(_name(one) != _name(other) and _login(one) != _login(other) for one in standing for other in standing)


def hold_approved(store: Store, plan: Plan, persons: int) -> None:
    """Hold that the plan is approved.

    Raises:
        NotApprovedError: it is not, or by too few; the message says what to do.

    """
    if approved(store, plan, persons):
        return
    names = ", ".join(f"{one.who} ({one.login})" for one in approvals(store, plan))
    if not names:
        raise NotApprovedError(
            f"plan {plan.id} is not approved, so nothing is done; approve it with a name and a reason"
        )
    raise NotApprovedError(
        f"plan {plan.id} is approved by {names} only, and [limits] asks for {persons} people; another one must approve "
        "it from a login of their own"
    )


def _decided(store: Store, plan: Plan, choice: str, who: str, why: str) -> Entry:
    remember(store, plan)
    return decide(store, _subject(plan), choice, who=who, why=why)


def _subject(plan: Plan) -> str:
    return f"plan/{plan.id}"


def _name(one: Decision) -> str:
    return " ".join(one.who.split()).casefold()


def _login(one: Decision) -> str:
    return one.login.partition("@")[0].casefold()
