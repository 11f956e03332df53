# SPDX-License-Identifier: Apache-2.0
"""The fake Graph on a socket of this machine, with TLS, because nobody sends a token in the clear."""

import datetime as dt
import ipaddress
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from hikeshi.testing.graph_app import app
from hikeshi.testing.graph_tenant import Tenant

_DEADLINE = 30


@dataclass(frozen=True, slots=True)
class Served:
    """Where a tenant is served: `url` without a slash at its end, `ca_file` the certificate to trust."""

    url: str
    ca_file: str


@contextmanager
def serve(tenant: Tenant) -> Iterator[Served]:
    """Serve a tenant on a free port of 127.0.0.1, from a thread, until the block ends.

    Raises:
        RuntimeError: the server did not come up.

    """
    import uvicorn  # noqa: PLC0415 - only who serves needs the extra

    with tempfile.TemporaryDirectory() as folder:
        key, certificate = _certificate(Path(folder))
        config = uvicorn.Config(
            app(tenant),
            host="127.0.0.1",
            port=0,
            log_level="critical",
            lifespan="off",
            ssl_keyfile=key,
            ssl_certfile=certificate,
        )
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, daemon=True)
        thread.start()
        try:
            yield Served(f"https://127.0.0.1:{_port(server, thread)}", certificate)
        finally:
            server.should_exit = True
            thread.join()


def _port(server: object, thread: threading.Thread) -> int:
    deadline = time.monotonic() + _DEADLINE
    while not getattr(server, "started", False):
        if not thread.is_alive() or time.monotonic() > deadline:
            raise RuntimeError("the fake Graph did not come up")
        time.sleep(0.01)
    sockets = [one for part in server.servers for one in part.sockets]  # type: ignore[attr-defined]
    return int(sockets[0].getsockname()[1])


def _certificate(folder: Path) -> tuple[str, str]:
    """Make a key and a certificate for 127.0.0.1, good for a day; give their files."""
    from cryptography import x509  # noqa: PLC0415 - only who serves needs the extra
    from cryptography.hazmat.primitives import hashes, serialization  # noqa: PLC0415 - as above
    from cryptography.hazmat.primitives.asymmetric import ec  # noqa: PLC0415 - as above

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(x509.NameOID.COMMON_NAME, "fake Graph")])
    now = dt.datetime.now(dt.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - dt.timedelta(hours=1))
        .not_valid_after(now + dt.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=0), critical=True)
        .sign(key, hashes.SHA256())
    )
    key_file, certificate_file = folder / "key.pem", folder / "certificate.pem"
    key_file.touch(mode=0o600)
    key_file.write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    certificate_file.write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    return str(key_file), str(certificate_file)
