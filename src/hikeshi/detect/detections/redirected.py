# SPDX-License-Identifier: Apache-2.0
"""A mailbox rule that sends incoming mail elsewhere or throws it away: how intruders listen and hide.

Shown, not judged: forwarding to a colleague is honest; forwarding out of the organisation deserves a look.
"""

from hikeshi.detect.detection import Detection

REDIRECTED = Detection(
    name="mail-redirected",
    reads=("changes",),
    limits={},
    asks="""
        SELECT account, min(time) AS time, arg_min(input, time) AS input, arg_min(record, time) AS record,
            count(*) AS tally, coalesce(after, '-') AS after,
            if(operation = 'rule.redirect', 'redirects', 'discards') AS does,
            if(operation = 'rule.redirect', '転送', '破棄') AS does_ja
        FROM changes
        WHERE operation = 'rule.discard' OR (operation = 'rule.redirect'
            AND lower(split_part(after, '@', -1)) NOT IN (FROM own_domains))
        GROUP BY account, operation, after ORDER BY min(time)
    """,
    says={
        "en": "{account}: a rule {does} incoming mail ({after}), {tally} so far in this log",
        "ja": "{account}：ルールが受信メールを{does_ja}しています（{after}、このログで{tally}通）",
    },
)
