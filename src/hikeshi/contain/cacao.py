# SPDX-License-Identifier: Apache-2.0
"""A plan as playbooks of CACAO 2.0, for whoever runs such: one that closes, and one that takes back.

After OASIS, CACAO Security Playbooks Version 2.0, Committee Specification 01, 27 November 2023. The same plan gives the same
playbooks. Requests hold names that intruders chose, so only what is plainly one HTTP request becomes an `http-api` command;
everything else is `manual`, to be read by a person before it is done.
"""

import hashlib
import json
import re
import uuid
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime
from typing import Any, Final, Literal

from hikeshi.basics.errors import UsageError
from hikeshi.cases.store.canonical import canonical
from hikeshi.contain.contract import Phase, Step
from hikeshi.contain.plan import Plan
from hikeshi.contain.words import plain

#: the specification's namespace for playbooks named by `name` and `playbook_types` (section 10.10)
_NAMESPACE: Final = uuid.UUID("aa7caf3a-d55a-4e9a-b34e-056215fba56a")
_HTTP: Final = re.compile(r"(GET|POST|PUT|PATCH|DELETE) ((?:https://|/)[!-~]+)(?: (\{.*\}|\[.*\]))?", re.DOTALL)
#: what a phase does, in the words of the specification (playbook-activity-type-ov)
_ACTIVITIES: Final[Mapping[Phase, str]] = {
    Phase.STOP: "restrict-access",
    Phase.CLOSE: "disconnect-system",
    Phase.CLEAN: "eliminate-risk",
    Phase.PURGE: "eliminate-risk",
    Phase.SEAL: "restrict-access",
}
_RESTORE: Final = "restore-capabilities"

Language = Literal["en", "ja"]
Playbook = dict[str, Any]


def playbook(plan: Plan, language: Language = "en") -> Playbook:
    """Give the plan as a playbook: each step one action, in order; after each, a person reads whether it stands.

    Raises:
        UsageError: the plan has no step, and a playbook must have one.

    """
    plan_id = plan.id
    if not plan.steps:
        raise UsageError(f"plan {plan_id} has no step, so there is nothing to export")
    actions = [_action(plan_id, step, [_command(step), _look(step)], step.why[language]) for step in plan.steps]
    description = "Closes mailboxes that were taken over. A step that fails stops no other."
    return _playbook(plan_id, plan.made, "close", "mitigation", description, actions, plan.steps, None)


def undo_playbook(plan: Plan, language: Language = "en") -> Playbook | None:
    """Give what takes the plan back, in reverse order, None where nothing can be taken back."""
    plan_id = plan.id
    steps = [step for step in reversed(plan.steps) if step.undo is not None]
    if not steps:
        return None
    actions = [
        _action(
            plan_id,
            step,
            [_manual(f"{plain(_title(step))}: {plain(step.undo[language])}", _RESTORE)],
            step.undo[language],
        )
        for step in steps
        if step.undo is not None
    ]
    never = [plain(_title(step)) for step in plan.steps if step.undo is None]
    left = f" Cannot be taken back: {'; '.join(never)}." if never else ""
    description = f"Takes back what the plan did, as it was read before each step.{left}"
    return _playbook(
        plan_id, plan.made, "undo", "remediation", description, actions, steps, playbook(plan, language)["id"]
    )


def _playbook(
    plan_id: str,
    made: datetime,
    name: str,
    kind: str,
    description: str,
    actions: Sequence[dict[str, Any]],
    steps: Sequence[Step],
    derived_from: str | None,
) -> Playbook:
    title = f"hikeshi {name} {plan_id}"
    names = [_id("action", plan_id, name, step.key) for step in steps]
    end = _id("end", plan_id, name)
    workflow: dict[str, Any] = {_id("start", plan_id, name): {"type": "start", "on_completion": names[0]}}
    for action, here, following in zip(actions, names, [*names[1:], end], strict=True):
        workflow[here] = {**action, "on_success": following, "on_failure": following}
    workflow[end] = {"type": "end"}
    targets = {_id("security-category", plan_id, step.connector): _target(step.connector) for step in steps}
    return {
        "type": "playbook",
        "spec_version": "cacao-2.0",
        "id": f"playbook--{uuid.uuid5(_NAMESPACE, canonical({'name': title, 'playbook_types': [kind]}))}",
        "name": title,
        "description": description,
        "playbook_types": [kind],
        "playbook_activities": sorted({one["playbook_activity"] for action in actions for one in action["commands"]}),
        "created_by": _id("identity", plan_id, "hikeshi"),
        "created": _timestamp(made),
        "modified": _timestamp(made),
        "labels": ["hikeshi"],
        **({"derived_from": [derived_from]} if derived_from else {}),
        "workflow_start": next(iter(workflow)),
        "workflow": workflow,
        "agent_definitions": {_agent(plan_id): _AGENT},
        "target_definitions": targets,
    }


def _action(plan_id: str, step: Step, commands: list[dict[str, Any]], description: str) -> dict[str, Any]:
    return {
        "type": "action",
        "name": plain(_title(step)),
        "description": plain(description),
        "commands": commands,
        "agent": _agent(plan_id),
        "targets": [_id("security-category", plan_id, step.connector)],
    }


_AGENT: Final[Mapping[str, Any]] = {
    "type": "group",
    "name": "incident response",
    "description": "Whoever may change accounts and mailboxes here.",
}


def _target(connector: str) -> dict[str, Any]:
    return {
        "type": "security-category",
        "name": connector,
        "description": f"What hikeshi's connector {connector} reaches.",
        "category": ["server"],
    }


def _command(step: Step) -> dict[str, Any]:
    activity = _ACTIVITIES[step.phase]
    found = _HTTP.fullmatch(step.request)
    if found is None or "<secret>" in step.request or not _is_json(found[3]):
        return _manual(plain(step.request), activity)
    command = {
        "type": "http-api",
        "command": f"{found[1]} {found[2]} HTTP/1.1",
        "description": plain(_title(step)),
        "playbook_activity": activity,
    }
    if found[3] is None:
        return command
    return {**command, "headers": {"Content-Type": ["application/json"]}, "content": found[3]}


def _look(step: Step) -> dict[str, Any]:
    """Give the second half of each step: success is only ever a reading."""
    return _manual(f"Read it anew, and hold that it stands: {plain(_title(step))}", "analyze-collected-data")


def _manual(text: str, activity: str) -> dict[str, Any]:
    return {"type": "manual", "command": text, "playbook_activity": activity}


def _is_json(text: str | None) -> bool:
    if text is None:
        return True
    try:
        json.loads(text)
    except ValueError:
        return False
    return True


def _title(step: Step) -> str:
    return " ".join((step.connector, step.operation, step.account, *([step.object] if step.object else [])))


def _agent(plan_id: str) -> str:
    return _id("group", plan_id, "agent")


def _id(kind: str, plan_id: str, *parts: str) -> str:
    """Name an object of the plan. Steps must have UUIDs of version 4 (section 10.10), so this is one by its form.

    Its bits come from a digest instead of chance, so that the same plan gives the same names.
    """
    digest = hashlib.sha256(canonical([kind, plan_id, *parts]).encode()).digest()
    return f"{kind}--{uuid.UUID(bytes=digest[:16], version=4)}"


def _timestamp(time: datetime) -> str:
    return time.astimezone(UTC).isoformat(timespec="milliseconds").replace("+00:00", "Z")
