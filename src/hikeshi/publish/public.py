# SPDX-License-Identifier: Apache-2.0
"""Which incidents of a case anybody outside is told of."""

from typing import Final

from hikeshi.wording.facts import Facts, IncidentFacts

#: None: people entered the incident by hand, without a verdict
_TOLD: Final = ("takeover", None)


def public_incidents(facts: Facts) -> list[IncidentFacts]:
    """Give the takeovers that nobody has ruled out; a burst that may be the owner's own is told to nobody."""
    return [one for one in facts.incidents() if _told(one)]


def _told(one: IncidentFacts) -> bool:
    verdict = one.get("verdict")
    return verdict is None or (verdict.value in _TOLD and verdict.status != "ruled_out")
