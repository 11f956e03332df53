# SPDX-License-Identifier: Apache-2.0
"""The key of a made-up service account, and the check of what it signs (RFC 7515, RS256)."""

import base64
import json
from dataclasses import dataclass
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey

    from hikeshi.testing.google_shapes import Thing


@dataclass(frozen=True, slots=True, repr=False)
class Key:
    """A service account's key. `text(token_url)` is the key file as the Cloud console gives it."""

    private: "RSAPrivateKey"
    email: str = "hikeshi@project.iam.gserviceaccount.example"
    client_id: str = "100000000000000000001"
    key_id: str = "a" * 40

    def text(self, token_url: str) -> str:
        """Give the key file's JSON."""
        from cryptography.hazmat.primitives import serialization  # noqa: PLC0415 - an extra

        pem = self.private.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        return json.dumps(
            {
                "type": "service_account",
                "project_id": "project",
                "private_key_id": self.key_id,
                "private_key": pem.decode(),
                "client_email": self.email,
                "client_id": self.client_id,
                "token_uri": token_url,
            }
        )

    def read(self, token: str) -> "Thing | None":
        """Give the claims of a JSON web token that this key has signed, None where it has not."""
        from cryptography.exceptions import InvalidSignature  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives import hashes  # noqa: PLC0415 - an extra
        from cryptography.hazmat.primitives.asymmetric import padding  # noqa: PLC0415 - an extra

        try:
            header, claims, signature = token.split(".")
            signed = f"{header}.{claims}".encode()
            self.private.public_key().verify(_bytes(signature), signed, padding.PKCS1v15(), hashes.SHA256())
            head: Thing = json.loads(_bytes(header))
            body: Thing = json.loads(_bytes(claims))
        except (ValueError, InvalidSignature):
            return None
        return body if head.get("alg") == "RS256" else None


def _bytes(text: str) -> bytes:
    return base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))


@cache
def _private() -> "RSAPrivateKey":
    from cryptography.hazmat.primitives.asymmetric import rsa  # noqa: PLC0415 - an extra

    return rsa.generate_private_key(public_exponent=65537, key_size=2048)


def new_key() -> Key:
    """Give a key; one a process, since making one takes longer than a test."""
    return Key(_private())
