# SPDX-License-Identifier: Apache-2.0
"""What a person should look at besides the alarms: each detection one file, one SQL text, one sentence.

Adding one is one file and one line here. They read the lake and what `weights` left: `sent`, `places`, `visits`.
"""

from collections.abc import Iterator
from datetime import UTC

from hikeshi.cases.entries import Finding
from hikeshi.detect.detection import Detection
from hikeshi.detect.detections.bulk_read import BULK_READ
from hikeshi.detect.detections.guessed import GUESSED
from hikeshi.detect.detections.new_place import NEW_PLACE
from hikeshi.detect.detections.redirected import REDIRECTED
from hikeshi.detect.detections.two_places import TWO_PLACES
from hikeshi.evidence.lake import Lake

DETECTIONS: tuple[Detection, ...] = (GUESSED, TWO_PLACES, NEW_PLACE, REDIRECTED, BULK_READ)


def findings(lake: Lake) -> Iterator[Finding]:
    """Run every detection and give what it found, as findings."""
    for detection in DETECTIONS:
        query = detection.asks
        for name, value in detection.limits.items():
            query = query.replace("{" + name + "}", str(value))
        result = lake.sql.execute(query)
        columns = [column[0] for column in result.description or ()]
        for row in result.fetchall():
            found = dict(zip(columns, row, strict=True))
            yield Finding(
                kind=detection.name,
                account=found["account"],
                time=found["time"].replace(tzinfo=UTC),
                says={language: text.format(**found) for language, text in detection.says.items()},
                count=int(found.get("tally", 1)),
                evidence=((int(found["input"]), int(found["record"])),),
            )
