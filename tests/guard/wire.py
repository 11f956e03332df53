# SPDX-License-Identifier: Apache-2.0
"""What a mail server says on the wire: frames, and whole mails made of them."""

import struct

#: what Postfix 3.7 offers
OFFERED = (6, 0x1FF, 0x1FFFFF)
GO_ON = b"\0\0\0\1c"


def frame(command: bytes, *strings: bytes, raw: bytes = b"") -> bytes:
    """Give a frame of zero-terminated strings, or of `raw` bytes."""
    payload = b"".join(one + b"\0" for one in strings) + raw
    return struct.pack("!I", 1 + len(payload)) + command + payload


def options(version: int = 6, actions: int = 0x1FF, steps: int = 0x1FFFFF) -> bytes:
    """Give OPTNEG."""
    return frame(b"O", raw=struct.pack("!III", version, actions, steps))


def client(ip: bytes = b"192.0.2.7", port: int = 51234, family: bytes = b"4") -> bytes:
    """Give CONNECT."""
    return frame(b"C", raw=b"pc.example.test\0" + family + struct.pack("!H", port) + ip + b"\0")


def macros(stage: bytes, **values: str) -> bytes:
    """Give the macros before a command; names of more than one letter stand in braces, as libmilter has them."""
    pairs = ((f"{{{name}}}" if len(name) > 1 else name, value) for name, value in values.items())
    return frame(b"D", raw=stage + b"".join(f"{name}\0{value}\0".encode() for name, value in pairs))


def mail(
    account: str = "alice@example.test",
    recipients: tuple[str, ...] = ("friend@partner.example",),
    headers: tuple[tuple[bytes, bytes], ...] = ((b"Subject", b"the plan"), (b"Message-ID", b"<m1@pc.example.test>")),
    body: tuple[bytes, ...] = (b"Good morning\r\n",),
    queue_id: str = "4jYSTJ0sf8znjll",
) -> bytes:
    """Give a whole mail; an empty account is nobody."""
    who = macros(b"M", auth_authen=account, auth_type="PLAIN", mail_addr="alice@example.test") if account else b""
    return b"".join((
        who,
        frame(b"M", b"<alice@example.test>", b"SIZE=100"),
        *(frame(b"R", f"<{one}>".encode()) for one in recipients),
        *(frame(b"L", name, value) for name, value in headers),
        *(frame(b"B", raw=piece) for piece in body),
        macros(b"E", i=queue_id),
        frame(b"E"),
    ))  # fmt: skip


def quit_() -> bytes:
    """Give QUIT."""
    return frame(b"Q")
