# SPDX-License-Identifier: Apache-2.0
"""Writes the case: incident.json, report.html, recipients.csv, findings.csv and timeline.jsonl."""

from collections.abc import Iterator, Sequence
from datetime import UTC, datetime, tzinfo
from typing import Any

from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.report import render
from hikeshi.cases.told import Told, iso, places, shown_in
from hikeshi.cases.view import view
from hikeshi.evidence.lake import Lake


def tell(folder: CaseFolder, lake: Lake, told: Told, document: dict[str, Any]) -> None:
    """Write the files of the case: incident.json is `document` as it stands."""
    zone = shown_in(told.manifest)
    folder.write_json("incident.json", document)
    folder.write_csv("recipients.csv", _RECIPIENTS, _recipients(lake, told, zone))
    folder.write_csv("findings.csv", _FINDINGS, _findings(told, zone))
    folder.write_lines("timeline.jsonl", _timeline(lake, told))
    with folder.writing("report.html") as file:
        file.write(render(view(lake, told, document, zone)))


_RECIPIENTS = ("incident", "address", "domain", "messages", "status", "first_time", "last_time", "provenance")


def _recipients(lake: Lake, told: Told, zone: tzinfo) -> Iterator[Sequence[object]]:
    for row in _stream(
        lake,
        "SELECT incident, address, domain, messages, status, first_time, last_time, input, record "
        "FROM incident_recipients ORDER BY incident, turn, address",
    ):
        *front, first, last, number, record = row
        yield (*front, iso(first, zone), iso(last, zone), *places(told.manifest, [(number, record)]))


def _stream(lake: Lake, query: str) -> Iterator[tuple[Any, ...]]:
    result = lake.sql.execute(query)
    while rows := result.fetchmany(10_000):
        yield from rows


_FINDINGS = ("kind", "account", "time", "count", "reason", "reason_ja", "provenance")


def _findings(told: Told, zone: tzinfo) -> Iterator[Sequence[object]]:
    for one in told.findings:
        yield (
            one.kind,
            one.account,
            iso(one.time, zone) if one.time else "",
            one.count,
            one.says["en"],
            one.says["ja"],
            " ".join(places(told.manifest, one.evidence)),
        )


def _timeline(lake: Lake, told: Told) -> Iterator[dict[str, Any]]:
    """Give the events of the incidents as Timesketch reads them: what went out, sign-ins from there, the alarms."""
    for incident, _, _ in told.incidents:
        yield _event(
            f"alarm for {incident.account} ({incident.verdict})", incident.alarmed_at, "Alarm", account=incident.account
        )
    query = """
        SELECT messages.time, messages.account, client_ip, message_id, size, nrcpt, messages.input, messages.record, incident
        FROM incident_messages JOIN messages USING (message_key) ORDER BY messages.time, messages.record"""
    for time, account, ip, message_id, size, nrcpt, number, record, incident in _stream(lake, query):
        yield _event(
            f"{account} sent <{message_id}> to {nrcpt} from {ip}",
            time,
            "Message Submitted",
            account=account,
            client_ip=ip,
            message_id=message_id,
            size=size,
            recipients=nrcpt,
            incident=incident,
            provenance=places(told.manifest, [(number, record)])[0],
        )
    for time, account, ip, protocol, outcome, number, record in _stream(lake, _SIGNINS_OF_INCIDENTS):
        yield _event(
            f"{protocol} sign-in of {account} from {ip}: {outcome}",
            time,
            "Sign-in",
            account=account,
            client_ip=ip,
            protocol=protocol,
            outcome=outcome,
            provenance=places(told.manifest, [(number, record)])[0],
        )


_SIGNINS_OF_INCIDENTS = """
    WITH spans AS (
        SELECT incident_messages.account, min(messages.time) - INTERVAL 3 DAY AS begin, max(messages.time) + INTERVAL 1 DAY AS until
        FROM incident_messages JOIN messages USING (message_key) GROUP BY ALL
    )
    SELECT signins.time, signins.account, ip, protocol, outcome, input, record
    FROM signins JOIN spans USING (account) WHERE signins.time BETWEEN begin AND until
    ORDER BY signins.time, record"""


def _event(message: str, time: datetime, kind: str, **ours: object) -> dict[str, Any]:
    aware = time if time.tzinfo else time.replace(tzinfo=UTC)
    micros = round(aware.timestamp() * 1_000_000)
    stamp = aware.astimezone(UTC).isoformat(timespec="microseconds")
    return {"message": message, "datetime": stamp, "timestamp": micros, "timestamp_desc": kind, **ours}
