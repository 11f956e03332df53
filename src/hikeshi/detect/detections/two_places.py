# SPDX-License-Identifier: Apache-2.0
"""Two places at once: mail sent from a new network while the account goes on from a place known for days.

Distance is not known without a map of addresses; a new network beside a known one within the hour stands for it.
"""

from hikeshi.detect.detection import Detection

TWO_PLACES = Detection(
    name="two-places-at-once",
    reads=("messages", "signins"),
    limits={"minutes": 60},
    asks="""
        WITH moved AS (
            SELECT account, place, min(time) AS time, min(time) + INTERVAL 1 DAY AS until FROM visits
            WHERE new AND NOT near AND NOT moving GROUP BY account, place
        )
        SELECT sent.account, sent.time, sent.place, other.place AS known, sent.input, sent.record
        FROM moved JOIN sent ON sent.account = moved.account AND sent.place = moved.place
            AND sent.time BETWEEN moved.time AND moved.until
        JOIN sent AS other ON other.account = sent.account AND other.place <> sent.place
            AND other.time BETWEEN sent.time - INTERVAL {minutes} MINUTE AND sent.time + INTERVAL {minutes} MINUTE
        JOIN places AS home ON home.account = other.account AND home.place = other.place
            AND home.first_seen < sent.time - INTERVAL 2 DAY
        QUALIFY row_number() OVER (PARTITION BY sent.account, sent.place ORDER BY sent.time) = 1
        ORDER BY sent.time
    """,
    says={
        "en": "{account}: sent from {place}, new to it, while it went on sending from {known}",
        "ja": "{account}：初めての場所 {place} から送信しながら、同じ時間帯に {known} からも送信しています",
    },
)
