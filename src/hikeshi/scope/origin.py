# SPDX-License-Identifier: Apache-2.0
"""Where the addresses came from, first form: how much of the recipient list a store explains, and in whose order.

Stores so far: a directory that the user gives as CSV, and the people whom the owner wrote to before. Order is
Spearman's rank correlation (C. Spearman, 1904) between the order of sending and the order of the store; with n
addresses, chance alone stays within 1.96 / sqrt(n - 1) nineteen times in twenty.
"""

import math
import re
from collections.abc import Sequence
from pathlib import Path

import numpy as np

from hikeshi.basics.errors import UsageError
from hikeshi.cases.entries import Origin
from hikeshi.evidence.lake import Lake

_APART = re.compile(r"[\s<>,;:\"()\[\]]+")
_ADDRESS = re.compile(r"[^@]+@[^@]+\.[^@]+")
_ENCODINGS = ("utf-8-sig", "cp932", "latin-1")


def read_directory(path: Path) -> list[str]:
    """Give the addresses of a CSV in its order, lower case, each once; whatever the column and the encoding.

    Raises:
        UsageError: it cannot be read or holds no address.

    """
    try:
        raw = path.read_bytes()
    except OSError as error:
        raise UsageError(f"--directory {path}: {error.strerror}; give a CSV file with a column of addresses") from error
    words = (word.strip("'.").lower() for word in _APART.split(_decoded(raw)))
    found = dict.fromkeys(word for word in words if _ADDRESS.fullmatch(word))
    if not found:
        raise UsageError(f"--directory {path}: no mail address in it; give a CSV file with a column of addresses")
    return list(found)


def _decoded(raw: bytes) -> str:
    if raw[:2] in (b"\xff\xfe", b"\xfe\xff"):
        return raw.decode("utf-16", "replace")
    for encoding in _ENCODINGS:
        try:
            return raw.decode(encoding)
        except UnicodeDecodeError:
            continue
    return raw.decode("utf-8", "replace")


def origins(lake: Lake, incident: int, account: str, directory: tuple[str, Sequence[str]] | None) -> tuple[Origin, ...]:
    """Give what each store explains of the recipients of incident number `incident`, the best first."""
    rows = lake.sql.execute(
        "SELECT lower(address) FROM incident_recipients WHERE incident = ? ORDER BY turn, record", [incident]
    ).fetchall()
    sent = [str(row[0]) for row in rows]
    stores = [_earlier(lake, incident, account)]
    if directory is not None:
        stores.append(directory)
    found = [_origin(name, entries, sent) for name, entries in stores if entries]
    return tuple(sorted(found, key=lambda one: -one.share))


def _earlier(lake: Lake, incident: int, account: str) -> tuple[str, Sequence[str]]:
    """Give the addresses that the owner wrote to before the incident, the latest first."""
    rows = lake.sql.execute(
        """
        WITH begun AS (
            SELECT min(messages.time) AS time FROM incident_messages JOIN messages USING (message_key) WHERE incident = ?
        )
        SELECT lower(deliveries.address) AS address
        FROM sent JOIN deliveries USING (message_key) ANTI JOIN incident_messages USING (message_key), begun
        WHERE sent.account = ? AND sent.time < begun.time
        GROUP BY ALL ORDER BY max(sent.time) DESC, address""",
        [incident, account],
    ).fetchall()
    return "earlier mail of this account", [str(row[0]) for row in rows]


def _origin(store: str, entries: Sequence[str], sent: Sequence[str]) -> Origin:
    place = {address: index for index, address in enumerate(entries)}
    explained = [address for address in sent if address in place]
    order, chance = _order([place[address] for address in explained])
    share = len(explained) / len(sent) if sent else 0.0
    return Origin(
        store, len(entries), len(explained), round(share, 4), order, chance, _says(store, share, order, chance)
    )


def _order(places: Sequence[int]) -> tuple[float | None, float | None]:
    if len(places) < 3:
        return None, None
    ranks = np.argsort(np.argsort(np.asarray(places)))
    turns = np.arange(len(ranks))
    return round(float(np.corrcoef(turns, ranks)[0, 1]), 4), round(1.96 / math.sqrt(len(ranks) - 1), 4)


def _says(store: str, share: float, order: float | None, chance: float | None) -> dict[str, str]:
    english, japanese = (
        f"{store} explains {share:.0%} of the addresses",
        f"宛先の{share:.0%}が「{store}」に載っています",
    )
    if order is None or chance is None:
        return {"en": english + ".", "ja": japanese + "。"}
    if abs(order) <= chance:
        return {
            "en": f"{english}; the order of sending is not its order.",
            "ja": f"{japanese}。送信の順序はその並びとは関係がありません。",
        }
    backwards = order < 0
    return {
        "en": f"{english}, and the mails went out in {'the reverse of ' if backwards else ''}its order "
        f"(rank correlation {order:.2f}; chance stays within {chance:.2f}).",
        "ja": f"{japanese}。送信の順序もその並び{'の逆順' if backwards else ''}と一致しています"
        f"（順位相関{order:.2f}、偶然なら{chance:.2f}以内）。",
    }
