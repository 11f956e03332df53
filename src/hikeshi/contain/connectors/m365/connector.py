# SPDX-License-Identifier: Apache-2.0
"""The connector to one Microsoft 365 tenant: finds what is to be done, and hands each step to its operation."""

from collections.abc import Callable, Mapping
from datetime import datetime
from typing import Final

import httpx

from hikeshi.contain.connectors.m365 import account, copies, grants, methods, rules, runbook
from hikeshi.contain.connectors.m365.client import Graph
from hikeshi.contain.connectors.m365.operation import NAME, Operation, Person, no_undo, person, shown, words
from hikeshi.contain.connectors.m365.options import Options
from hikeshi.contain.connectors.m365.permissions import hold
from hikeshi.contain.contract import Answer, Look, Reading, RefusedError, Shown, Step, Target, Words

_OPERATIONS: Final[Mapping[str, Operation]] = {
    "disable": account.DISABLE,
    "password": account.PASSWORD,
    "sessions": account.SESSIONS,
    "risk": account.RISK,
    "rule": rules.RULE,
    "grant": grants.GRANT,
    "app-role": grants.APP_ROLE,
    "method": methods.METHOD,
    "copy": copies.COPY,
}


class M365:
    """A tenant of Microsoft 365. `transport` stands in for the network in tests."""

    name = NAME

    def __init__(self, options: Options, transport: httpx.BaseTransport | None = None) -> None:
        self._options = options
        self._graph = Graph(options, transport)
        self._all = {**_OPERATIONS, "runbook": runbook.operation(options.imports)}

    def check(self) -> None:
        """Get a token and hold its permissions against the least that the operations need.

        Raises:
            ConnectorError: no token, a permission missing, or one too many.

        """
        hold(self._graph.tokens.roles(), self._options.operations, exchange_rbac=self._options.exchange_rbac)

    def look(self, target: Target) -> Look:
        """Find what is to be done. One operation that is refused its look is a gap, and the others go on."""
        found = [self._look_at(target)]
        if "copy" in self._options.operations and target.copies:
            found.append(_or_gap("copy", lambda: copies.look(self._graph, target.copies)))
        return Look(
            tuple(one for look in found for one in look.steps),
            tuple(one for look in found for one in look.shown),
            tuple(one for look in found for one in look.gaps),
        )

    def _look_at(self, target: Target) -> Look:
        one = person(self._graph, target.account)
        if one is None:
            gap = words(
                f"nobody in this tenant has the address {target.account}",
                f"{target.account} はこのテナントにありません",
            )
            return Look(gaps=(gap,))
        if one.guest:
            return Look(shown=(_guest(one),))
        steps: list[Step] = []
        left: list[Shown] = []
        gaps: list[Words] = []
        for name in self._options.operations:
            look = _or_gap(name, self._looker(name, one, target))
            steps += look.steps
            left += look.shown
            gaps += look.gaps
        return Look(tuple(steps), tuple(left), tuple(gaps))

    def _looker(self, name: str, one: Person, target: Target) -> Callable[[], Look]:
        return lambda: self._all[name].look(self._graph, one, target)

    def probe(self, step: Step) -> Reading:
        """Read the object before anything is done."""
        return self._all[step.operation].probe(self._graph, step)

    def do(self, step: Step, before: Reading, since: datetime) -> Answer:
        """Do the step; may be repeated."""
        return self._all[step.operation].do(self._graph, step, before, since)

    def verify(self, step: Step, before: Reading, since: datetime) -> Reading:
        """Read whether the goal stands."""
        return self._all[step.operation].verify(self._graph, step, before, since)

    def undo(self, step: Step, before: Reading) -> Answer:
        """Bring back what was read before.

        Raises:
            RefusedError: it cannot be brought back.

        """
        undo = self._all[step.operation].undo
        if undo is None:
            raise no_undo(step)
        return undo(self._graph, step, before)

    def restored(self, step: Step, before: Reading) -> Reading:
        """Read whether what was before stands again.

        Raises:
            RefusedError: it cannot be brought back.

        """
        restored = self._all[step.operation].restored
        if restored is None:
            raise no_undo(step)
        return restored(self._graph, step, before)

    def close(self) -> None:
        """Let go of connections."""
        self._graph.close()


def _or_gap(name: str, look: Callable[[], Look]) -> Look:
    try:
        return look()
    except RefusedError as error:
        return Look(gaps=(words(f"{name} could not be looked at: {error}", f"{name} を確認できませんでした：{error}"),))


def _guest(one: Person) -> Shown:
    return shown(
        one.address,
        "account",
        words("guest account", "ゲスト アカウント"),
        words(
            "its mailbox, password and sessions belong to another organisation: tell them, and take its access away in Entra",
            "メールボックス・パスワード・セッションは他の組織のものです。先方へ連絡し、Entra でアクセスを外してください",
        ),
    )
