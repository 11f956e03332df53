# SPDX-License-Identifier: Apache-2.0
"""Asking a connector: whatever it raises becomes a trouble in words, so that one failing step never stops the others."""

import traceback
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import Final, Literal, TypeVar

from hikeshi.basics.errors import HikeshiError
from hikeshi.cases.store.canonical import DraftError
from hikeshi.contain.contract import LaterError, RefusedError

T = TypeVar("T")

#: characters of what a far side says that are kept
_LENGTH: Final = 600


@dataclass(frozen=True, slots=True)
class Trouble:
    """Why there is no answer: later, refused, or failed. `seconds` is how long the far side asks to wait."""

    kind: Literal["later", "refused", "failed"]
    says: str
    seconds: float | None = None


def asked(call: Callable[[], T]) -> T | Trouble:
    """Give what the call gives, or what troubles it. A defect is told by its type and place: its text may hold a secret."""
    try:
        return call()
    except LaterError as error:
        return Trouble("later", shortened(str(error)), error.seconds)
    except RefusedError as error:
        return Trouble("refused", shortened(str(error)))
    except (HikeshiError, DraftError) as error:
        return Trouble("failed", shortened(str(error)))
    except Exception as error:  # noqa: BLE001 - a defect of one connector must not keep the other doors open
        last = traceback.extract_tb(error.__traceback__)[-1]
        place = f"{Path(last.filename).name}:{last.lineno}"
        return Trouble("failed", f"a defect of the connector: {type(error).__name__} at {place}")


def shortened(text: str) -> str:
    """Cut a text that a far side made to what a receipt needs."""
    return text if len(text) <= _LENGTH else text[:_LENGTH] + "…"
