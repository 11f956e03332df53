# SPDX-License-Identifier: Apache-2.0
"""Tells the case: incident.json, report.html, recipients.csv, findings.csv and timeline.jsonl out of what rooms said.

Times are shown in the zone of the evidence. Every row leads back to its record as `path#record`.
"""

from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass
from datetime import UTC, datetime, timedelta, timezone, tzinfo
from typing import Any, Protocol
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from hikeshi.cases.entries import Finding, Incident, Origin, Reach
from hikeshi.cases.folder import CaseFolder
from hikeshi.cases.report import MOST_SIGNINS, render
from hikeshi.evidence.coverage import Coverage
from hikeshi.evidence.lake import Lake
from hikeshi.evidence.seal import Manifest

SCHEMA = "hikeshi.case/1"


class Normal(Protocol):
    """What was normal in this evidence: how many accounts, account-days, mails and days it was learnt from."""

    @property
    def accounts(self) -> int:
        """Accounts that sent anything."""

    @property
    def account_days(self) -> float:
        """Accounts times days."""

    @property
    def mails(self) -> int:
        """Mails that they sent."""

    @property
    def days(self) -> float:
        """Days from the first to the last of them."""


@dataclass(frozen=True, slots=True)
class Told:
    """Everything that the rooms said about one case."""

    manifest: Manifest
    coverage: Sequence[Coverage]
    incidents: Sequence[tuple[Incident, Reach, tuple[Origin, ...]]]
    findings: Sequence[Finding]
    domains: Sequence[str]
    norm: Normal
    threshold: float
    false_alarms: str
    account: str | None


def tell(folder: CaseFolder, lake: Lake, told: Told) -> dict[str, Any]:
    """Write the files of the case and give the document of incident.json."""
    zone = _zone(told.manifest)
    document = _document(told, zone)
    folder.write_json("incident.json", document)
    folder.write_csv("recipients.csv", _RECIPIENTS, _recipients(lake, told, zone))
    folder.write_csv("findings.csv", _FINDINGS, _findings(told, zone))
    folder.write_lines("timeline.jsonl", _timeline(lake, told))
    with folder.writing("report.html") as file:
        file.write(render(_view(lake, told, document, zone)))
    return document


def _zone(manifest: Manifest) -> tzinfo:
    """Give the zone that most records of the evidence were written in, for showing times."""
    weights: dict[str, int] = {}
    for one in manifest.inputs:
        weights[one.zone] = weights.get(one.zone, 0) + one.taken
    name = max(weights, key=lambda key: weights[key], default="UTC")
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError):
        if name[:1] in "+-" and len(name) == 6:
            minutes = int(name[1:3]) * 60 + int(name[4:])
            return timezone(timedelta(minutes=-minutes if name[0] == "-" else minutes))
        return UTC


def _iso(moment: datetime, zone: tzinfo) -> str:
    aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
    return aware.astimezone(zone).isoformat()


def _document(told: Told, zone: tzinfo) -> dict[str, Any]:
    return {
        "schema": SCHEMA,
        "inputs": [
            {
                "path": one.path,
                "sha256": one.sha256,
                "source": one.source or None,
                "records": one.records,
                "taken": one.taken,
                "skipped": one.skipped,
                "set_aside": one.set_aside,
                "zone": one.zone,
                "zone_basis": one.zone_basis,
                "year_basis": one.year_basis,
                "problems": one.problems,
            }
            for one in told.manifest.inputs
        ],
        "unreadable": told.manifest.unreadable,
        "coverage": [
            {
                "source": one.source,
                "host": one.host,
                "first": _iso(one.first, zone),
                "last": _iso(one.last, zone),
                "records": one.records,
                "gaps": [
                    {"first": _iso(gap.first, zone), "last": _iso(gap.last, zone), "why": gap.why} for gap in one.gaps
                ],
            }
            for one in told.coverage
        ],
        "org_domains": list(told.domains),
        "norm": {
            "accounts": told.norm.accounts,
            "account_days": round(told.norm.account_days),
            "mails": told.norm.mails,
            "days": round(told.norm.days, 2),
            "false_alarms": told.false_alarms,
            "threshold": round(told.threshold, 2),
        },
        "incidents": [_incident(*one, zone) for one in told.incidents],
        "findings": [
            {
                "kind": one.kind,
                "account": one.account,
                "time": _iso(one.time, zone) if one.time else None,
                "says": one.says,
                "count": one.count,
                "evidence": _places(told.manifest, one.evidence),
            }
            for one in told.findings
        ],
    }


def _incident(incident: Incident, reach: Reach, origin: Sequence[Origin], zone: tzinfo) -> dict[str, Any]:
    counts = {name: value for name, value in asdict(reach).items() if name not in ("bounds", "origin")}
    return {
        "account": incident.account,
        "verdict": incident.verdict,
        "status": incident.status,
        "first_message_at": _iso(incident.first_message_at, zone),
        "last_message_at": _iso(incident.last_message_at, zone),
        "alarmed_at": _iso(incident.alarmed_at, zone),
        "messages_before_alarm": incident.messages_before_alarm,
        **{name: list(value) if isinstance(value, tuple) else value for name, value in counts.items()},
        "weights": [{"name": one.name, "nats": one.nats} for one in incident.weights],
        "hands": [{"kind": one.kind, "nats": one.nats, "says": one.says} for one in incident.hands],
        "threshold": round(incident.threshold, 2),
        "score": round(incident.score, 2),
        "mails_bound": round(incident.mails_bound, 2) if incident.mails_bound is not None else None,
        "origin": [asdict(one) for one in origin],
        "bounds": {name: [one.at_least, one.at_most, one.why] for name, one in reach.bounds.items()},
    }


def _places(manifest: Manifest, evidence: Sequence[tuple[int, int]]) -> list[str]:
    paths = {one.number: one.path for one in manifest.inputs}
    return [f"{paths.get(number, '?')}#{record}" for number, record in evidence]


_RECIPIENTS = ("incident", "address", "domain", "messages", "status", "first_time", "last_time", "provenance")


def _recipients(lake: Lake, told: Told, zone: tzinfo) -> Iterator[Sequence[object]]:
    for row in _stream(
        lake,
        "SELECT incident, address, domain, messages, status, first_time, last_time, input, record "
        "FROM incident_recipients ORDER BY incident, turn, address",
    ):
        *front, first, last, number, record = row
        yield (*front, _iso(first, zone), _iso(last, zone), *_places(told.manifest, [(number, record)]))


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
            _iso(one.time, zone) if one.time else "",
            one.count,
            one.says["en"],
            one.says["ja"],
            " ".join(_places(told.manifest, one.evidence)),
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
            provenance=_places(told.manifest, [(number, record)])[0],
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
            provenance=_places(told.manifest, [(number, record)])[0],
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


_SHOWN = 5000


def _view(lake: Lake, told: Told, document: dict[str, Any], zone: tzinfo) -> dict[str, Any]:
    """Put together what the report shows beyond the document: plots, tables, and what is not known."""
    basis = next((one.zone_basis for one in told.manifest.inputs if one.taken), "stated")
    return {
        "title": "hikeshi",
        "made_at": datetime.now(zone).isoformat(timespec="seconds"),
        "zone": str(zone),
        "zone_note": _ZONE_NOTES.get(basis, _ZONE_NOTES["stated"]),
        "org_domains": list(told.domains),
        "document": document,
        "incidents": [
            {**shown, **_details(lake, told, number, zone)}
            for number, shown in enumerate(document["incidents"], start=1)
        ],
        "findings": document["findings"],
        "unknowns": _unknowns(lake),
        "norm": document["norm"],
    }


_ZONE_NOTES = {
    "stated": {"en": "as the log states", "ja": "ログに記載のとおり"},
    "given": {"en": "as given with --tz", "ja": "--tz の指定による"},
    "inferred": {"en": "inferred from queue ids in the log", "ja": "ログのキューIDから推定"},
    "assumed": {
        "en": "assumed: the zone of the machine that made this report",
        "ja": "仮定：この報告を作成した機器の時間帯",
    },
}


def _details(lake: Lake, told: Told, number: int, zone: tzinfo) -> dict[str, Any]:
    incident = told.incidents[number - 1][0]
    recipients = lake.sql.execute(
        "SELECT address, domain, messages, status, first_time, last_time FROM incident_recipients "
        "WHERE incident = ? ORDER BY turn, address LIMIT ?",
        [number, _SHOWN],
    ).fetchall()
    domains = lake.sql.execute(
        "SELECT domain, count(*), count(*) FILTER (status = 'delivered') FROM incident_recipients WHERE incident = ? "
        "GROUP BY domain ORDER BY 2 DESC, 1 LIMIT 15",
        [number],
    ).fetchall()
    return {
        "series": _series(lake, incident, number, zone),
        **_signins(lake, incident, told.incidents[number - 1][1].client_ips, zone),
        "recipients": [
            {
                "address": address,
                "domain": domain,
                "messages": messages,
                "status": status,
                "first_time": _iso(first, zone),
                "last_time": _iso(last, zone),
            }
            for address, domain, messages, status, first, last in recipients
        ],
        "recipients_more": max(0, told.incidents[number - 1][1].addresses - _SHOWN),
        "top_domains": [
            {"domain": domain, "addresses": addresses, "delivered": delivered}
            for domain, addresses, delivered in domains
        ],
    }


def _series(lake: Lake, incident: Incident, number: int, zone: tzinfo) -> dict[str, Any]:
    """Count the account's mails by step, the incident's apart: about 200 steps from a quarter before to after it."""
    length = (incident.last_message_at - incident.first_message_at).total_seconds()
    step = next((one for one in (60, 300, 900, 3600, 21_600, 86_400) if length / one <= 200), 86_400)
    margin = timedelta(seconds=max(length / 4, 10 * step))
    rows = lake.sql.execute(
        """
        SELECT time_bucket(to_seconds($step), sent.time) AS step,
            count(mine.message_key), count(*) - count(mine.message_key)
        FROM sent LEFT JOIN (FROM incident_messages WHERE incident = $number) AS mine USING (message_key)
        WHERE sent.account = $account AND sent.time BETWEEN $begin AND $until
        GROUP BY 1 ORDER BY 1""",
        {
            "step": step,
            "number": number,
            "account": incident.account,
            "begin": (incident.first_message_at - margin).replace(tzinfo=None),
            "until": (incident.last_message_at + margin).replace(tzinfo=None),
        },
    ).fetchall()
    return {"step_seconds": step, "points": [[_iso(time, zone), ours, owners] for time, ours, owners in rows]}


def _signins(lake: Lake, incident: Incident, clients: Sequence[str], zone: tzinfo) -> dict[str, Any]:
    """Give the sign-ins around an incident; of very many an even choice with the first from every place."""
    length = incident.last_message_at - incident.first_message_at
    margin = max(length / 4, timedelta(hours=2))
    foreign = set(clients) if incident.verdict == "takeover" else set()
    within = "FROM signins WHERE account = $account AND time BETWEEN $begin AND $until"
    asked: dict[str, object] = {
        "account": incident.account,
        "begin": (incident.first_message_at - margin).replace(tzinfo=None),
        "until": (incident.last_message_at + margin).replace(tzinfo=None),
    }
    total = int(str(lake.one(f"SELECT count(*) {within}", asked)[0]))
    rows = lake.sql.execute(
        f"""SELECT time, ip, protocol, outcome {within}
        QUALIFY row_number() OVER (PARTITION BY ip, protocol, outcome ORDER BY time) = 1
            OR row_number() OVER (ORDER BY time, ip) % $step = 0
        ORDER BY time LIMIT {MOST_SIGNINS}""",
        {**asked, "step": 1 if total <= MOST_SIGNINS else total // (MOST_SIGNINS * 3 // 4)},
    ).fetchall()
    shown = [
        {"time": _iso(time, zone), "place": ip, "protocol": protocol, "outcome": outcome, "foreign": ip in foreign}
        for time, ip, protocol, outcome in rows
    ]
    return {"signins": shown, "signins_more": total - len(shown)}


def _unknowns(lake: Lake) -> list[dict[str, str]]:
    """Say what this evidence cannot show; silence here would be read as "nothing happened"."""
    unknown = [
        {
            "en": "What was read in the mailbox: a mail server's log shows sign-ins and amounts, not which mails were opened.",
            "ja": "メールボックスで何が読まれたか：メールサーバーのログに残るのはサインインと量だけで、どのメールが開かれたかは分かりません。",
        },
        {
            "en": "The text of the mails: the log has sizes and recipients; ask a recipient or the sent folder for a copy.",
            "ja": "メールの本文：ログには大きさと宛先しかありません。受信者か送信済みフォルダーから写しを入手してください。",
        },
        {
            "en": 'Who opened a mail or followed its link: "delivered" means that the next server took it.',
            "ja": "誰がメールを開き、リンクをたどったか：「配信済み」は相手のサーバーが受け取ったという意味です。",
        },
        {
            "en": "How the password was lost.",
            "ja": "パスワードがどのように盗まれたか。",
        },
    ]
    cut = int(
        str(lake.one("SELECT count(*) FROM messages WHERE cut IN ('start', 'both') AND direction <> 'refused'")[0])
    )
    if cut:
        unknown.append(
            {
                "en": f"{cut:,} messages began before the log does; who handed them in is not in it.",
                "ja": f"{cut:,}通はログの開始前に始まっており、誰が送信したかはこのログでは分かりません。",
            }
        )
    return unknown
