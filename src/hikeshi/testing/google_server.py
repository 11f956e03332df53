# SPDX-License-Identifier: Apache-2.0
"""The fake Google as a real server on this machine's loopback."""

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from typing import Final

from hikeshi.testing.google_app import TOKEN_PATH, app
from hikeshi.testing.google_domain import Domain

#: seconds that the server may take to come up or to end
_PATIENCE: Final = 30


@dataclass(frozen=True, slots=True)
class Served:
    """Where it listens: `url` is the base of both APIs, `token_url` gives tokens."""

    url: str

    @property
    def token_url(self) -> str:
        """Give the token endpoint."""
        return self.url + TOKEN_PATH


@contextmanager
def serve(domain: Domain) -> Iterator[Served]:
    """Serve the domain on a free port of loopback until the block ends. Needs uvicorn (extra `testing`).

    Raises:
        RuntimeError: it did not come up, or did not end.

    """
    import uvicorn  # noqa: PLC0415 - an extra

    # named TCP: only then does asyncio send small answers at once instead of 40 ms later
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM, socket.IPPROTO_TCP) as listening:
        listening.bind(("127.0.0.1", 0))
        listening.listen()
        config = uvicorn.Config(app(domain), log_level="critical", lifespan="off", ws="none", date_header=False)
        server = uvicorn.Server(config)
        thread = threading.Thread(target=server.run, kwargs={"sockets": [listening]}, daemon=True)
        thread.start()
        try:
            # the socket listens already: a client that comes early waits in its queue
            yield Served(f"http://127.0.0.1:{listening.getsockname()[1]}")
        finally:
            server.should_exit = True
            thread.join(_PATIENCE)
        if thread.is_alive():
            raise RuntimeError("the fake Google did not end")
