# SPDX-License-Identifier: Apache-2.0
"""Shows a built site on loopback, for whoever is to approve it. Only this machine may look, by its own names."""

from functools import partial
from http import HTTPStatus
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Final

HOST: Final = "127.0.0.1"


class _Handler(SimpleHTTPRequestHandler):
    def send_head(self) -> Any:
        # A page elsewhere must not read a draft by a name of its own that leads here (DNS rebinding).
        name = self.headers.get("Host", "").rpartition(":")[0]
        if name not in (HOST, "localhost"):
            self.send_error(HTTPStatus.FORBIDDEN, "only by 127.0.0.1 or localhost")
            return None
        return super().send_head()

    def end_headers(self) -> None:
        self.send_header("Cache-Control", "no-store")
        self.send_header("X-Content-Type-Options", "nosniff")
        super().end_headers()

    def list_directory(self, _path: Any) -> None:
        self.send_error(HTTPStatus.NOT_FOUND)

    def log_message(self, *_args: Any) -> None:
        """Say nothing of who looked at what."""


def server(folder: Path, port: int = 0) -> ThreadingHTTPServer:
    """Give a server of `folder` on loopback, 0 for any free port; the caller lets it serve and closes it."""
    return ThreadingHTTPServer((HOST, port), partial(_Handler, directory=str(folder)))
