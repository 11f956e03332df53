# SPDX-License-Identifier: Apache-2.0
"""Who is at the keyboard, and on which machine."""

import os
import pwd
import socket


def whoever_types() -> str:
    """Give the login name of whoever runs this, also through sudo."""
    try:
        return os.environ.get("SUDO_USER") or pwd.getpwuid(os.getuid()).pw_name
    except KeyError:
        return f"uid {os.getuid()}"


def login() -> str:
    """Give login name and machine as name@host, for the audit."""
    return f"{whoever_types()}@{socket.gethostname()}"
