# SPDX-License-Identifier: Apache-2.0
"""Bodies as one text each, so that a digest over them means something, and the last net under secrets.

The text is that of RFC 8785 (JSON Canonicalization Scheme) but for three things: numbers are written as Python does
(1.0 stays 1.0, integers are exact at any size), keys are sorted by code points instead of UTF-16 units, and a lone
surrogate, which file names can hold, is written as an escape instead of refused. Who recomputes a digest need not know:
it is taken over the body's text as it is stored.
"""

import json
import math
import re
from collections.abc import Mapping
from typing import Any, Final, TypeAlias

JSON: TypeAlias = "bool | int | float | str | list[JSON] | tuple[JSON, ...] | Mapping[str, JSON] | None"

#: keys under which a text is taken for a secret, compared without case, blanks and signs
_SECRET: Final = re.compile(
    r"(?:password|passwd|passphrase|secret|secretkey|token|privatekey|apikey|credentials?)$"
    r"|^(?:authorization|proxyauthorization|cookie|setcookie|unicodepwd)$"
)
_SURROGATE: Final = re.compile(r"[\ud800-\udfff]")
_ENCODER: Final = json.JSONEncoder(ensure_ascii=False, allow_nan=False, sort_keys=True, separators=(",", ":"))


class DraftError(ValueError):
    """What should be written is no plain JSON or holds a secret: a defect of whoever writes it, not of the user."""


def canonical(value: object) -> str:
    """Give `value` as its one text: sorted keys, no blanks.

    Raises:
        DraftError: it is no plain JSON, or something stands in it that looks like a secret.

    """
    return encoded(_plain(value, "body"))


def encoded(value: Any) -> str:
    """Give what is known to be plain JSON as its one text."""
    text = _ENCODER.encode(value)
    if _SURROGATE.search(text):
        # Two that make a pair are one sign once they are read again.
        text = text.encode("utf-16-le", "surrogatepass").decode("utf-16-le", "surrogatepass")
        text = _SURROGATE.sub(lambda found: f"\\u{ord(found[0]):04x}", text)
    return text


def storable(text: str) -> str:
    """Give `text` as both databases can keep it: what no UTF-8 text of PostgreSQL can hold becomes U+FFFD."""
    return _SURROGATE.sub("\ufffd", text.replace("\0", "\ufffd"))


def _plain(value: object, at: str) -> Any:
    """Give `value` in the types that JSON has; `at` says where it stands, since its text must not be told."""
    match value:
        case None | bool() | int() | str():
            return value
        case float():
            if not math.isfinite(value):
                raise DraftError(f"{at} is {value}, which JSON cannot say")
            return value
        case list() | tuple():
            return [_plain(one, f"{at}[{number}]") for number, one in enumerate(value)]
        case Mapping():
            return {_key(key, one, at): _plain(one, f"{at}.{key}") for key, one in value.items()}
        case _:
            raise DraftError(f"{at} is a {type(value).__name__}, which is no plain JSON")


def _key(key: object, value: object, at: str) -> str:
    if not isinstance(key, str):
        raise DraftError(f"{at} has a key that is a {type(key).__name__}; JSON has texts alone")
    if isinstance(value, str) and value not in ("", "<secret>") and _SECRET.search(re.sub(r"[\W_]", "", key.lower())):
        raise DraftError(f"{at}.{key} looks like a secret; none is ever written down, put <secret> in its place")
    return key
