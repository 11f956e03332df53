# SPDX-License-Identifier: Apache-2.0
"""What the report shows beyond the document: plots, tables, and what is not known."""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

from hikeshi.cases.entries import Incident
from hikeshi.cases.report import MOST_SIGNINS
from hikeshi.cases.told import Told, iso
from hikeshi.evidence.lake import Lake

_SHOWN = 5000


def view(lake: Lake, told: Told, document: dict[str, Any], zone: tzinfo) -> dict[str, Any]:
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
                "first_time": iso(first, zone),
                "last_time": iso(last, zone),
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
    return {"step_seconds": step, "points": [[iso(time, zone), ours, owners] for time, ours, owners in rows]}


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
        {"time": iso(time, zone), "place": ip, "protocol": protocol, "outcome": outcome, "foreign": ip in foreign}
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
