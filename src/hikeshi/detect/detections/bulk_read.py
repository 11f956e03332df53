# SPDX-License-Identifier: Apache-2.0
"""A mailbox read in bulk from a place new to the account: what an intruder carries away before the lure goes out.

Only where Dovecot counts bodies or bytes; a new phone of the owner's reads everything as well, so it is shown only.
"""

from hikeshi.detect.detection import Detection

BULK_READ = Detection(
    name="bulk-read",
    reads=("reads", "signins"),
    #: fifty mails or five million bytes in the first two days at a new place
    limits={"items": 50, "bytes": 5_000_000},
    asks="""
        SELECT signins.account, min(reads.time) AS time, signins.ip, arg_min(reads.input, reads.time) AS input,
            arg_min(reads.record, reads.time) AS record,
            coalesce(sum(reads.items), 0)::BIGINT AS items, round(sum(reads.bytes) / 1e6, 1) AS megabytes
        FROM reads
        JOIN signins ON signins.session = reads.session AND signins.outcome = 'success'
        JOIN places ON places.account = signins.account AND places.place = signins.ip
        WHERE places.first_seen > places.account_since + INTERVAL 2 DAY AND NOT places.near
            AND reads.time < places.first_seen + INTERVAL 2 DAY
        GROUP BY signins.account, signins.ip
        HAVING sum(reads.items) >= {items} OR sum(reads.bytes) >= {bytes}
        ORDER BY min(reads.time)
    """,
    says={
        "en": "{account}: {items} mails ({megabytes} MB) were read from {ip} within two days of its first use",
        "ja": "{account}：初めて使われた {ip} から2日のうちにメール{items}通（{megabytes} MB）が読まれています",
    },
)
