# SPDX-License-Identifier: Apache-2.0
"""The tracking block tells every version that was published."""

from datetime import UTC, datetime, timedelta

import pytest

from hikeshi.wording.tracking import Revision, tracking

DAY = datetime(2026, 3, 3, 9, tzinfo=UTC)


def test_the_block_has_the_first_and_the_current_release_and_all_between():
    block = tracking(
        "case-1/bulletin", [Revision(1, DAY, "first"), Revision(2, DAY + timedelta(days=2), "second")], "interim"
    )
    assert block == {
        "id": "case-1/bulletin",
        "version": "2",
        "status": "interim",
        "initial_release_date": "2026-03-03T09:00:00+00:00",
        "current_release_date": "2026-03-05T09:00:00+00:00",
        "revision_history": [
            {"number": "1", "date": "2026-03-03T09:00:00+00:00", "summary": "first"},
            {"number": "2", "date": "2026-03-05T09:00:00+00:00", "summary": "second"},
        ],
    }


@pytest.mark.parametrize(
    "revisions",
    [
        [],
        [Revision(2, DAY, "x")],
        [Revision(1, DAY, "x"), Revision(3, DAY, "x")],
        [Revision(1, DAY, "x"), Revision(2, DAY - timedelta(days=1), "x")],
        [Revision(1, datetime(2026, 3, 3), "x")],  # noqa: DTZ001 - the lack is the point
    ],
)
def test_a_history_with_a_gap_or_without_a_zone_is_refused(revisions):
    with pytest.raises(ValueError, match="c:"):
        tracking("c", revisions, "draft")
