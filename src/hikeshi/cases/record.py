# SPDX-License-Identifier: Apache-2.0
"""Writes an investigation into the case's store: which inputs, which incidents, and each count as a fact.

An incident keeps its name from one investigation to the next, so that what people corrected stays with it, and a run on
more evidence shows which facts it has changed.
"""

import hashlib
import json
from collections.abc import Sequence
from datetime import datetime
from importlib.metadata import version
from pathlib import Path
from typing import Any, Final, get_args

from hikeshi.cases.entries import Verdict
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.store import Draft, Store
from hikeshi.cases.store.facts import Change, Fact, record, standing

#: the facts of an incident and what each counts; the keys are those of incident.json
FACTS: Final = {
    "verdict": None,
    "messages": "mails",
    "messages_before_alarm": "mails",
    "addresses": "addresses",
    "domains": "domains",
    "people": "people",
    **dict.fromkeys(("delivered", "bounced", "deferred", "expired", "held", "unknown"), "addresses"),
    **dict.fromkeys(("internal", "outside", "freemail", "known_before"), "addresses"),
    "company_domains": "domains",
    "first_message_at": "time",
    "last_message_at": "time",
    "alarmed_at": "time",
    "client_ips": None,
}
#: which file of the case holds the rows behind a fact, each with its provenance
_ROWS: Final = {"mails": "timeline.jsonl", "time": "timeline.jsonl"}
_INCIDENT: Final = "incident/"
#: findings that an entry holds; a provider's logs may have a hundred thousand, and findings.csv has them all
_FINDINGS: Final = 1000


def name_incidents(store: Store, incidents: Sequence[dict[str, Any]]) -> list[str]:
    """Give every incident of a document its name, account/number: that of an earlier one of the account that overlaps it.

    Times of the document are ISO 8601 with offset.
    """
    known = {
        one["id"]: one for entry in store.entries("investigation") for one in entry.body["incidents"]
    }  # the latest span of each name
    used = {name.rpartition("/")[0]: 0 for name in known}
    for name in known:
        account, _, number = name.rpartition("/")
        used[account] = max(used[account], int(number))
    free = dict(known)
    names = []
    for one in incidents:
        account = one["account"]
        name = next((name for name, past in free.items() if past["account"] == account and _overlap(one, past)), None)
        if name is None:
            used[account] = used.get(account, 0) + 1
            name = f"{account}/{used[account]}"
        free.pop(name, None)
        names.append(name)
    return names


def record_investigation(store: Store, folder: CaseFolder, document: dict[str, Any]) -> list[Change]:
    """Write what `document` (of incident.json, incidents named) says into the store; give the facts that changed."""
    manifest = hashlib.sha256((folder.evidence / "manifest.json").read_bytes()).hexdigest()
    last = max((datetime.fromisoformat(one["last"]) for one in document["coverage"]), default=None)
    store.append(
        Draft(
            "investigation",
            {
                "version": version("hikeshi"),
                "manifest_sha256": manifest,
                "inputs": [
                    {key: one[key] for key in ("path", "sha256", "records", "taken", "skipped", "set_aside")}
                    for one in document["inputs"]
                ],
                "org_domains": document["org_domains"],
                "incidents": document["incidents"],
                "findings": document["findings"][:_FINDINGS],
                "findings_in_all": len(document["findings"]),
            },
        )
    )
    facts = [
        Fact(
            key=f"{_INCIDENT}{one['id']}/{key}",
            value=one[key],
            unit=unit,
            status="suspected",
            as_of=last,
            evidence=[_behind(one, key, unit, manifest)],
        )
        for one in document["incidents"]
        for key, unit in FACTS.items()
    ]
    return record(store, facts, within=_INCIDENT)


def correct_document(store: Store, document: dict[str, Any]) -> None:
    """Let `document` say what people have said: verdict and status of its incidents, and every correction by name."""
    facts = standing(store)
    for one in document["incidents"]:
        said = facts[f"{_INCIDENT}{one['id']}/verdict"]
        if said.corrected and said.fact.value in get_args(Verdict):
            one["verdict"], one["status"] = said.fact.value, said.fact.status
    document["corrections"] = [
        {
            "key": key,
            "value": one.fact.value,
            "computed": one.fact.value if one.computed is None else one.computed.value,
            "status": one.fact.status,
            "who": one.fact.approved_by,
            "why": one.fact.reason,
        }
        for key, one in sorted(facts.items())
        if one.corrected
    ]


def take_up(store: Store, case: Path) -> int:
    """Take what the guard and the watch left in the case folder into the ledger: alarms and receipts; give how many.

    They only add files, so that no decision at the port ever waits for a database.
    """
    alarms, receipts = case / "alarms.jsonl", sorted((case / "receipts").glob("*.json"))
    lines = alarms.read_text("utf-8").splitlines() if alarms.exists() else []
    found = [("alarm", json.loads(line)) for line in lines if _whole(line)]
    found += [("hold", json.loads(text)) for text in (one.read_text("utf-8") for one in receipts) if _whole(text)]
    known = {_digest(entry.body) for entry in store.entries("alarm", "hold")}
    # A receipt that is only begun is an entry, and again when it has ended.
    fresh = {_digest(body): Draft(kind, body, body.get("who")) for kind, body in found}
    drafts = [draft for digest, draft in fresh.items() if digest not in known]
    store.append(*drafts)
    return len(drafts)


def _whole(text: str) -> bool:
    """Say whether it is a document at all: its writer may be at work, or have died."""
    try:
        return isinstance(json.loads(text), dict)
    except ValueError:
        return False


def _digest(body: Any) -> str:
    return hashlib.sha256(json.dumps(body, sort_keys=True).encode()).hexdigest()


def _behind(incident: dict[str, Any], key: str, unit: str | None, manifest: str) -> dict[str, Any]:
    """Say which rows of which file make a fact; the rows name their records, and the manifest the inputs (law 2)."""
    file = _ROWS.get(unit or "", "recipients.csv")
    behind: dict[str, Any] = {"file": file, "incident": incident["id"], "manifest_sha256": manifest}
    if bounds := incident["bounds"].get(key):
        behind["bounds"] = bounds
    return behind


def _overlap(one: dict[str, Any], other: dict[str, Any]) -> bool:
    (begin, end), (start, stop) = (
        (datetime.fromisoformat(each["first_message_at"]), datetime.fromisoformat(each["last_message_at"]))
        for each in (one, other)
    )
    return begin <= stop and start <= end
