# SPDX-License-Identifier: Apache-2.0
"""Takes secrets out of lines before anything else sees them: what debugging servers write of passwords.

Only the secret goes; the line stays a record. Lines without a telling word are not touched.
"""

import re
from collections.abc import Iterator

MARK = b"[redacted by hikeshi]"

#: a tab, and how rsyslog writes one
_TAB = rb"(?:\t|#011)"

#: how each secret is written; group 1 stays in front of the mark and group 2 behind it
_SECRETS: tuple[re.Pattern[bytes], ...] = (
    # Dovecot auth_verbose_passwords and auth_debug_passwords; a password may itself hold brackets
    re.compile(rb"(given password: )[^\n]*(\))"),
    re.compile(rb"(given password: )(?!\[redacted)[^\n]*()"),
    re.compile(rb"(\b[A-Z0-9.-]+\()[^\n]*\) != '[^\n]*(')"),
    # Dovecot auth_debug: client and server continuations in base64, and fields of the auth protocol
    re.compile(rb"(" + _TAB + rb"resp=)(?!<hidden>)(?:(?!" + _TAB + rb")[^\s])*()"),
    re.compile(rb"(" + _TAB + rb"\w*pass=)(?:(?!" + _TAB + rb")[^\n])*()"),
    re.compile(rb"(\bCONT" + _TAB + rb"[0-9]+" + _TAB + rb")[^\s]*()"),
    # Postfix with a debugging smtpd: commands, answers to a challenge, and what it hands to Dovecot
    re.compile(rb"(\bAUTH (?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER) )[^\s]+()"),
    re.compile(rb"(: < [^ \n]+\[[^\]\n]*\]: )[A-Za-z0-9+/=]+(\r?(?:\n|$))"),
    re.compile(rb"(\b(?:init_|initial )response )[^\s]+()"),
    re.compile(rb"(\bpassword=)[^\s,)]*()"),
)

#: Every secret stands on a line with one of these, and hardly any other line has one: looking for them is all that a
#: log without secrets costs. AUTH needs its mechanism behind it, since every lost connection is "after AUTH".
_SIGNS = (
    b"pass",
    b"resp",
    b") != '",
    b"CONT",
    b": < ",
    b"AUTH PLAIN ",
    b"AUTH LOGIN ",
    b"AUTH XOAUTH2 ",
    b"AUTH OAUTHB",
)


def redact(data: bytes) -> bytes:
    """Give `data` without the secrets that mail servers are known to log; the number of lines stays."""
    lines = sorted({line for sign in _SIGNS for line in _lines_with(data, sign)})
    if not lines:
        return data
    parts, done = [], 0
    for begin, end in lines:
        parts += [data[done:begin], _redacted(data[begin:end])]
        done = end
    return b"".join([*parts, data[done:]])


def _lines_with(data: bytes, sign: bytes) -> Iterator[tuple[int, int]]:
    place = data.find(sign)
    while place >= 0:
        end = data.find(b"\n", place) + 1 or len(data)
        yield data.rfind(b"\n", 0, place) + 1, end
        place = data.find(sign, end)


def _redacted(line: bytes) -> bytes:
    for pattern in _SECRETS:
        line = pattern.sub(rb"\1" + MARK + rb"\2", line)
    return line
