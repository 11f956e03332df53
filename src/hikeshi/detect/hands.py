# SPDX-License-Identifier: Apache-2.0
"""Evidence of another hand: what says that it was not the owner who sent, each sign in nats.

Places come from the model; the rest are small documented priors. Signs that point the same way for the same reason
are counted once: several new places are one sign.
"""

import math
from collections.abc import Sequence

from hikeshi.cases.entries import Hand
from hikeshi.evidence.lake import Lake

#: how often guessing precedes a takeover against how often owners fail so often and go on elsewhere
_GUESSED = 3.0
#: the owner at the usual place while the mails leave from another one
_AT_ONCE = 1.5
#: an intruder's place sees nothing but the lure; owners on the move do other things as well, about every second time
_ALONE = 0.7
#: owners change their mail program rarely, and then to one that others of the house use too
_PROGRAM = 2.0
#: owners have their mail sent elsewhere once in years; intruders do it within days, about every tenth
_RULE = 3.0
_FAILURES = 5


def hands_of(lake: Lake, account: str, places: Sequence[tuple[str, float]], *, alone: bool) -> list[Hand]:
    """Give the signs of another hand for mails of `account` sent from `places` (each with its weight).

    `alone`: the places were used for many of these mails and for nothing else.
    """
    if not places:
        return []
    names = [place for place, _ in places]
    weight = max(nats for _, nats in places)
    listed = ", ".join(names[:5]) + (" …" if len(names) > 5 else "")
    found = [
        Hand(
            "new place",
            round(weight, 2),
            {
                "en": f"sent from {listed}, where this account had never sent from before",
                "ja": f"このアカウントが一度も送信に使ったことのない場所（{listed}）から送信されています",
            },
        )
    ]
    if alone:
        found.append(
            Hand(
                "nothing else from there",
                _ALONE,
                {
                    "en": "nothing but these mails came from there, before or since",
                    "ja": "そこからは、これらのメール以外は前にも後にも送られていません",
                },
            )
        )
    if program := _unknown_program(lake, names):
        found.append(
            Hand(
                "another program",
                _PROGRAM,
                {
                    "en": f"written by a program that nobody here uses (Message-IDs end in {program})",
                    "ja": f"社内の誰も使っていないプログラムで作成されています（Message-ID の末尾が {program}）",
                },
            )
        )
    if never_read := _never_read(lake, account, names):
        found.append(
            Hand(
                "never read there",
                never_read,
                {
                    "en": "nobody read the mailbox from there, as its owner does wherever the owner sends from",
                    "ja": "所有者なら送信元の場所でメールも読みますが、そこからは一度も読まれていません",
                },
            )
        )
    if failures := _failures(lake, account, names):
        found.append(
            Hand(
                "password guessed",
                _GUESSED,
                {
                    "en": f"{failures} failed sign-ins in the two days before the first success from there",
                    "ja": f"そこからの最初の成功の前の2日間に、サインインの失敗が{failures}回あります",
                },
            )
        )
    if collector := _new_redirect(lake, account, names):
        found.append(
            Hand(
                "new redirect",
                _RULE,
                {
                    "en": f"in those days a rule began to send mail of the account out to {collector}",
                    "ja": f"その前後の日に、受信メールを社外の{collector}へ転送するルールが動き始めています",
                },
            )
        )
    if elsewhere := _elsewhere(lake, account, names):
        found.append(
            Hand(
                "two places at once",
                _AT_ONCE,
                {
                    "en": f"the account was at work from {elsewhere} in the same hours",
                    "ja": f"同じ時間帯に、同じアカウントが{elsewhere}からも使われていました",
                },
            )
        )
    return found


def _failures(lake: Lake, account: str, places: Sequence[str]) -> int:
    """Count failed tries for the account in the two days before its first sign-in or mail at `places`, if many."""
    holes = ", ".join("?" for _ in places)
    failures = lake.one(
        f"""
        WITH first AS (SELECT min(first_seen) AS time FROM places WHERE account = ? AND place IN ({holes}))
        SELECT coalesce(sum(tries), 0) FROM signins, first
        WHERE outcome = 'failure' AND (account = ? OR account = split_part(?, '@', 1))
            AND signins.time BETWEEN first.time - INTERVAL 2 DAY AND first.time""",
        [account, *places, account, account],
    )[0]
    return int(str(failures)) if int(str(failures)) >= _FAILURES else 0


def _new_redirect(lake: Lake, account: str, places: Sequence[str]) -> str:
    """Give an outside address to which a rule began to send the account's mail within three days of the incident, or ''.

    Where the log does not reach back further than these days, nobody can say that it began in them.
    """
    holes = ", ".join("?" for _ in places)
    found = lake.sql.execute(
        f"""
        WITH days AS (
            SELECT min(time) - INTERVAL 3 DAY AS begin, max(time) + INTERVAL 3 DAY AS until
            FROM sent WHERE account = ? AND place IN ({holes})
        )
        SELECT after FROM changes, days
        WHERE account = ? AND operation = 'rule.redirect'
            AND lower(split_part(after, '@', -1)) NOT IN (FROM own_domains)
        GROUP BY after, begin, until
        HAVING min(changes.time) BETWEEN begin AND until AND (SELECT min(time) FROM sent) < begin
        ORDER BY min(changes.time), after LIMIT 1""",
        [account, *places, account],
    ).fetchall()
    return str(found[0][0]) if found else ""


def _elsewhere(lake: Lake, account: str, places: Sequence[str]) -> str:
    """Give a long-known place from which the account sent in the hours of the incident, or ''."""
    holes = ", ".join("?" for _ in places)
    found = lake.sql.execute(
        f"""
        WITH away AS (
            SELECT min(time) AS begin, max(time) AS until FROM sent WHERE account = ? AND place IN ({holes})
        )
        SELECT sent.place FROM sent JOIN places USING (account, place), away
        WHERE sent.account = ? AND sent.place NOT IN ({holes})
            AND sent.time BETWEEN away.begin - INTERVAL 1 HOUR AND away.until + INTERVAL 1 HOUR
            AND places.first_seen < away.begin - INTERVAL 2 DAY
        ORDER BY sent.time LIMIT 1""",
        [account, *places, account, *places],
    ).fetchall()
    return str(found[0][0]) if found else ""


def _never_read(lake: Lake, account: str, places: Sequence[str]) -> float:
    """Weigh that an account only sends from `places`: the owner's other places of sending say how rare that is."""
    holes = ", ".join("?" for _ in places)
    reads, others, read_here = lake.one(
        f"""
        WITH read AS (
            SELECT DISTINCT account, ip FROM signins
            WHERE protocol IN ('imap', 'pop3') AND outcome = 'success' AND account IS NOT NULL
        ), used AS (
            SELECT DISTINCT account, place, client_ip FROM sent
        ), told AS (
            SELECT used.account, used.place, bool_or(read.ip IS NOT NULL) AS reads
            FROM used LEFT JOIN read ON read.account = used.account AND read.ip = used.client_ip
            GROUP BY used.account, used.place
        )
        SELECT count(*) FILTER (reads AND (account <> ? OR place NOT IN ({holes}))),
            count(*) FILTER (account <> ? OR place NOT IN ({holes})),
            coalesce(bool_or(reads) FILTER (account = ? AND place IN ({holes})), false)
        FROM told""",
        [account, *places, account, *places, account, *places],
    )
    if read_here or not int(str(others)):
        return 0.0
    never = 1 - int(str(reads)) / (int(str(others)) + 1)
    return round(min(3.0, max(0.0, -math.log(never))), 2)


def _unknown_program(lake: Lake, places: Sequence[str]) -> str:
    """Give the end of the Message-IDs of the mails from `places` if no mail from elsewhere has that shape, or ''.

    The shape of a Message-ID is its punctuation and its right-hand side without digits: programs keep theirs.
    """
    holes = ", ".join("?" for _ in places)
    found = lake.sql.execute(
        f"""
        WITH shaped AS (
            SELECT place IN ({holes}) AS here, split_part(message_id, '@', -1) AS ending,
                regexp_replace(regexp_replace(message_id, '@.*$', ''), '[0-9A-Za-z]+', '', 'g') || '@'
                    || regexp_replace(lower(split_part(message_id, '@', -1)), '[0-9]+', '9', 'g') AS shape
            FROM sent WHERE message_id IS NOT NULL
        )
        SELECT any_value(ending) FILTER (here) FROM shaped GROUP BY shape
        HAVING bool_and(here) AND count(*) > 0.5 * (SELECT count(*) FROM shaped WHERE here) AND count(*) >= 3
            AND (SELECT count(*) FROM shaped WHERE NOT here) >= 100
            AND (SELECT count(DISTINCT shape) FROM shaped WHERE NOT here) < 0.1 * (SELECT count(*) FROM shaped WHERE NOT here)
        LIMIT 1""",
        list(places),
    ).fetchall()
    return str(found[0][0]) if found else ""
