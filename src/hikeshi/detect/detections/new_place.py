# SPDX-License-Identifier: Apache-2.0
"""A sign-in from a network that the account had never been in, where moving is rare for it.

Quiet for those who roam, and in an account's first two days, when every place is new.
"""

from hikeshi.detect.detection import Detection

NEW_PLACE = Detection(
    name="new-place",
    reads=("signins", "messages"),
    #: seen at least ten place-days, and fewer than one in forty of them at a new network
    limits={"visits": 10, "share": 0.025},
    asks="""
        SELECT visits.account, visits.time, visits.place, signins.input, signins.record
        FROM visits JOIN signins ON signins.account = visits.account AND signins.time = visits.time
        WHERE visits.new AND NOT visits.near AND NOT visits.moving AND visits.place_chances >= {visits}
            AND (visits.place_times - 1) <= {share} * visits.place_chances
        QUALIFY row_number() OVER (PARTITION BY visits.account, visits.place ORDER BY signins.record) = 1
        ORDER BY visits.time
    """,
    says={
        "en": "{account}: first ever sign-in from {place}; this account hardly ever moves",
        "ja": "{account}：{place} から初めてサインインしました。ふだんほとんど場所を変えないアカウントです",
    },
)
