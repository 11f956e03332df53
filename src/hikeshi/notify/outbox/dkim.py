# SPDX-License-Identifier: Apache-2.0
"""Signs letters by DKIM (RFC 6376) where the relay does not."""

import importlib
from dataclasses import dataclass
from typing import Any, Final

from hikeshi.basics.errors import UsageError
from hikeshi.basics.secrets import Secret

#: what the reader sees and what makes a mail this mail; each is signed once more than it stands, so that none can be added
_HEADERS: Final = [
    "from",
    "to",
    "subject",
    "date",
    "message-id",
    "auto-submitted",
    "content-language",
    "mime-version",
    "content-type",
    "content-transfer-encoding",
    "reply-to",
    "cc",
]


@dataclass(frozen=True, slots=True)
class Dkim:
    """A key in PEM, and where its public half is published: SELECTOR._domainkey.DOMAIN."""

    domain: str
    selector: str
    key: Secret

    def signed(self, message: bytes) -> bytes:
        """Give the message with its signature before it.

        Raises:
            UsageError: the library is not there, or the key is none.

        """
        try:
            dkim: Any = importlib.import_module("dkim")
        except ImportError as error:
            raise UsageError("signing by DKIM needs a library: pip install 'hikeshi[dkim]'") from error
        try:
            signature = dkim.sign(
                message,
                self.selector.encode(),
                self.domain.encode(),
                self.key.reveal().encode(),
                canonicalize=(b"relaxed", b"relaxed"),
                include_headers=[name.encode() for name in _HEADERS],
            )
        except dkim.DKIMException as error:
            # Its words may quote the key.
            raise UsageError(
                f"the DKIM key of {self.selector}._domainkey.{self.domain} does not sign ({type(error).__name__}); "
                "give a private key in PEM"
            ) from None
        return bytes(signature) + message
