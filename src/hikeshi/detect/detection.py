# SPDX-License-Identifier: Apache-2.0
"""What a detection is: a name, what it reads, its limits with their reasons, one SQL text, one sentence for people."""

from collections.abc import Mapping
from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Detection:
    """One question to the lake.

    `asks` gives the columns account, time, input, record and whatever `says` names; `limits` are put in for {name}.
    """

    name: str
    reads: tuple[str, ...]
    limits: Mapping[str, float]
    asks: str
    says: Mapping[str, str]
