# SPDX-License-Identifier: Apache-2.0
"""Many failures, then a success from a place that this account had never used.

Quiet while bots only fail, and when the owner mistypes at a place that is known.
"""

from hikeshi.detect.detection import Detection

GUESSED = Detection(
    name="guessed-password",
    reads=("signins",),
    #: ten is more than a phone with an old password tries before its owner notices; two days is a slow guesser's pace
    limits={"failures": 10, "hours": 48},
    asks="""
        WITH first AS (
            SELECT account, place, arg_min(signins.time, signins.time) AS time, arg_min(ip, signins.time) AS ip,
                arg_min(input, signins.time) AS input, arg_min(record, signins.time) AS record
            FROM signins JOIN places USING (account)
            WHERE outcome = 'success' AND signins.time = places.first_seen
                AND places.account_since < places.first_seen - INTERVAL 2 DAY
            GROUP BY account, place
        )
        SELECT first.account, first.time, first.ip, first.input, first.record, sum(failed.tries) AS failures
        FROM first JOIN signins AS failed ON failed.outcome = 'failure'
            AND failed.account IN (first.account, split_part(first.account, '@', 1))
            AND failed.time BETWEEN first.time - INTERVAL {hours} HOUR AND first.time
        GROUP BY ALL HAVING sum(failed.tries) >= {failures}
        ORDER BY first.time
    """,
    says={
        "en": "{account}: {failures} failed sign-ins, then a success from {ip}, which it had never used",
        "ja": "{account}：サインインの失敗が{failures}回続いたあと、初めての場所 {ip} から成功しています",
    },
)
