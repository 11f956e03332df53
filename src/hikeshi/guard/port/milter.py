# SPDX-License-Identifier: Apache-2.0
"""The milter protocol on the wire, without any input or output: bytes to frames, frames to values, answers to bytes.

A frame is a length of four bytes (network order), one byte that names the command, and what belongs to it. As Postfix
speaks it (version 6) and only what the guard needs; names in capitals are those of libmilter's mfdef.h.
"""

import ipaddress
import struct
from collections.abc import Iterator, Mapping
from enum import IntFlag
from typing import Final, NamedTuple

VERSION: Final = 6
#: Postfix sends bodies in pieces of 64 KiB and headers of at most `header_size_limit`, 100 KiB; more is no milter frame
LARGEST_FRAME: Final = 1 << 20

#: commands of the mail server
OPTNEG, MACRO, CONNECT, HELO, MAIL, RCPT, DATA, UNKNOWN, HEADER, EOH, BODY, EOM, ABORT, QUIT, QUIT_NC = (
    bytes((letter,)) for letter in b"ODCHMRTULNBEAQK"
)
#: answers of a milter
_CONTINUE, _QUARANTINE, _REPLY = b"c", b"q", b"y"

_LENGTH = struct.Struct("!I")
_OPTIONS = struct.Struct("!III")
_PORT = struct.Struct("!H")


class ProtocolError(Exception):
    """What came is not the milter protocol: nothing more can be made of this connection."""


class Actions(IntFlag):
    """What a milter may do to a mail (SMFIF_*)."""

    QUARANTINE = 0x20
    SETSYMLIST = 0x100


class Steps(IntFlag):
    """What a mail server need not send (SMFIP_NO*) and what it need not wait for an answer to (SMFIP_NR_*)."""

    NOHELO = 0x2
    NOEOH = 0x40
    NR_HDR = 0x80
    NOUNKNOWN = 0x100
    NODATA = 0x200
    NR_CONN = 0x1000
    NR_HELO = 0x2000
    NR_MAIL = 0x4000
    NR_RCPT = 0x8000
    NR_DATA = 0x10000
    NR_UNKN = 0x20000
    NR_EOH = 0x40000
    NR_BODY = 0x80000


#: Nothing waits for us before the end of a mail, and what tells us nothing is not sent at all.
WANTED: Final = (
    Steps.NOHELO | Steps.NOEOH | Steps.NOUNKNOWN | Steps.NODATA
    | Steps.NR_CONN | Steps.NR_HELO | Steps.NR_MAIL | Steps.NR_RCPT | Steps.NR_DATA
    | Steps.NR_HDR | Steps.NR_EOH | Steps.NR_BODY
)  # fmt: skip
#: The macros that are read, by the number of their stage: MAIL and the end of the mail. The client comes with CONNECT.
#: The queue id is not known at MAIL, and a stage that is not named would get the server's own longer list.
MACROS: Final[Mapping[int, str]] = {
    0: "", 1: "", 2: "{auth_authen} {auth_type} {mail_addr}", 3: "", 4: "", 5: "i", 6: "",
}  # fmt: skip

#: which flag spares which command its answer
SPARED: Final[Mapping[bytes, Steps]] = {
    CONNECT: Steps.NR_CONN,
    HELO: Steps.NR_HELO,
    MAIL: Steps.NR_MAIL,
    RCPT: Steps.NR_RCPT,
    DATA: Steps.NR_DATA,
    UNKNOWN: Steps.NR_UNKN,
    HEADER: Steps.NR_HDR,
    EOH: Steps.NR_EOH,
    BODY: Steps.NR_BODY,
}


class Frames:
    """Puts frames together from whatever pieces bytes come in; holds one unfinished frame at most."""

    def __init__(self) -> None:
        self._rest = bytearray()

    @property
    def partial(self) -> bool:
        """A frame has begun and not ended."""
        return bool(self._rest)

    def feed(self, data: bytes) -> Iterator[tuple[bytes, bytes]]:
        """Give command and payload of every frame that ends in `data`; the iterator must be used up before the next call.

        Raises:
            ProtocolError: a length that no frame has.

        """
        self._rest += data
        place = 0
        try:
            while len(self._rest) - place >= _LENGTH.size:
                (length,) = _LENGTH.unpack_from(self._rest, place)
                if not 1 <= length <= LARGEST_FRAME:
                    raise ProtocolError(f"a frame of {length} bytes")
                begin, end = place + _LENGTH.size, place + _LENGTH.size + length
                if end > len(self._rest):
                    break
                place = end
                yield bytes(self._rest[begin : begin + 1]), bytes(memoryview(self._rest)[begin + 1 : end])
        finally:
            del self._rest[:place]


class Client(NamedTuple):
    """Who talks to the mail server: an IPv4 or IPv6 address and a port; `ip` is empty where it is no host."""

    ip: str
    port: int


def read_options(payload: bytes) -> tuple[int, Actions, Steps]:
    """Give version, actions and steps that the mail server offers.

    Raises:
        ProtocolError: too short to be that.

    """
    if len(payload) < _OPTIONS.size:
        raise ProtocolError(f"options of {len(payload)} bytes")
    version, actions, steps = _OPTIONS.unpack_from(payload)
    return version, Actions(actions & 0xFFFFFFFF), Steps(steps)


def read_macros(payload: bytes) -> dict[str, str]:
    """Give the macros that come before a command; braces around their names are taken off.

    Raises:
        ProtocolError: no pairs of strings.

    """
    parts = _strings(payload[1:])
    if len(parts) % 2:
        raise ProtocolError("a macro without a value")
    return {name.strip("{}"): value for name, value in zip(parts[::2], parts[1::2], strict=True)}


def read_client(payload: bytes) -> Client:
    """Give the client of CONNECT: its name, a letter for the family, port and address.

    Raises:
        ProtocolError: not that.

    """
    _, found, rest = payload.partition(b"\0")
    family, address = rest[:1], rest[1 + _PORT.size :]
    if not found or not family:
        raise ProtocolError("a client without a family")
    if family not in b"46":
        return Client("", 0)
    if len(rest) < 1 + _PORT.size:
        raise ProtocolError("a client without a port")
    (port,) = _PORT.unpack_from(rest, 1)
    (ip, *_) = _strings(address) or ("",)
    try:
        found_ip = ipaddress.ip_address(ip[5:] if ip[:5].lower() == "ipv6:" else ip)
    except ValueError as error:
        raise ProtocolError("a client without an address") from error
    return Client(str(getattr(found_ip, "ipv4_mapped", None) or found_ip), port)


def read_address(payload: bytes) -> str:
    """Give the address of MAIL or RCPT without its angle brackets; its parameters are left.

    Raises:
        ProtocolError: no string.

    """
    parts = _strings(payload)
    if not parts:
        raise ProtocolError("an envelope without an address")
    address = parts[0].strip()
    return address[1:-1] if address[:1] == "<" and address[-1:] == ">" else address


def read_header(payload: bytes) -> tuple[bytes, bytes]:
    """Give name and value of a header line, folded lines parted by a line feed.

    Raises:
        ProtocolError: not two strings.

    """
    name, _, rest = payload.partition(b"\0")
    value, end, more = rest.partition(b"\0")
    if not end or more:
        raise ProtocolError("a header line that is not two strings")
    return name, value


def _strings(payload: bytes) -> list[str]:
    """Give the strings of a payload, each ended by a zero byte; bytes that are not UTF-8 are written in hexadecimal."""
    if not payload:
        return []
    if payload[-1]:
        raise ProtocolError("a string without an end")
    return payload[:-1].decode("utf-8", "backslashreplace").split("\0")


def options(offered: tuple[int, Actions, Steps]) -> tuple[bytes, Steps]:
    """Give the answer to OPTNEG, and the steps agreed on: never more than the mail server offers.

    Raises:
        ProtocolError: a mail server that can hold no mail.

    """
    version, actions, steps = offered
    if not actions & Actions.QUARANTINE:
        raise ProtocolError("the mail server offers no quarantine")
    agreed = WANTED & steps
    wanted = actions & (Actions.QUARANTINE | Actions.SETSYMLIST)
    payload = _OPTIONS.pack(min(version, VERSION), wanted, agreed)
    if actions & Actions.SETSYMLIST:
        payload += b"".join(_LENGTH.pack(stage) + names.encode() + b"\0" for stage, names in MACROS.items())
    return _frame(OPTNEG, payload), agreed


def go_on() -> bytes:
    """Give the answer that a mail, or whatever was asked about, may go on."""
    return _frame(_CONTINUE)


def hold(reason: str) -> bytes:
    """Give the answer that a mail goes to the hold queue; only the end of a mail may be answered so."""
    return _frame(_QUARANTINE, _plain(reason) + b"\0") + go_on()


def refuse(reason: str) -> bytes:
    """Give the answer that a mail is refused for good, 550 5.7.1 with the reason; a percent sign is written twice."""
    return _frame(_REPLY, b"550 5.7.1 " + _plain(reason).replace(b"%", b"%%") + b"\0")


def _plain(text: str) -> bytes:
    """Give text as SMTP and the mail log can carry it: one line of printable ASCII, at most 400 bytes."""
    one_line = " ".join(text.split()).encode("ascii", "replace")
    return bytes(byte if 0x20 <= byte < 0x7F else 0x3F for byte in one_line[:400])


def _frame(command: bytes, payload: bytes = b"") -> bytes:
    return _LENGTH.pack(1 + len(payload)) + command + payload
