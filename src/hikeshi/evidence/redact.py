# SPDX-License-Identifier: Apache-2.0
"""Takes secrets out of lines before anything else sees them: what debugging servers write of passwords.

Only the secret goes; the line stays a record. Blocks without a telling word are not touched and cost one search.
"""

import re

MARK = b"[redacted by hikeshi]"

#: a tab, and how rsyslog writes one
_TAB = rb"(?:\t|#011)"

_SECRETS: tuple[tuple[bytes, re.Pattern[bytes]], ...] = (
    # Dovecot auth_verbose_passwords and auth_debug_passwords; a password may itself hold brackets
    (b"given password: ", re.compile(rb"(given password: )[^\n]*(\))")),
    (b"given password: ", re.compile(rb"(given password: )(?!\[redacted)[^\n]*()")),
    (b") != '", re.compile(rb"(\b[A-Z0-9.-]+\()[^\n]*(\) != '[^\n]*')")),
    # Dovecot auth_debug: client and server continuations in base64, and fields of the auth protocol
    (b"resp=", re.compile(rb"(" + _TAB + rb"resp=)(?!<hidden>)(?:(?!" + _TAB + rb")[^\s])*()")),
    (b"pass=", re.compile(rb"(" + _TAB + rb"\w*pass=)(?:(?!" + _TAB + rb")[^\n])*()")),
    (b"CONT", re.compile(rb"(\bCONT" + _TAB + rb"[0-9]+" + _TAB + rb")[^\s]*()")),
    # Postfix with a debugging smtpd: commands, answers to a challenge, and what it hands to Dovecot
    (b"AUTH ", re.compile(rb"(\bAUTH (?:PLAIN|LOGIN|XOAUTH2|OAUTHBEARER) )[^\s]+()")),
    (b": < ", re.compile(rb"(: < [^ \n]+\[[^\]\n]*\]: )[A-Za-z0-9+/=]+(\r?(?:\n|$))")),
    (b"response ", re.compile(rb"(\b(?:init_|initial )response )[^\s]+()")),
    (b"password=", re.compile(rb"(\bpassword=)[^\s,)]*()")),
)


def redact(data: bytes) -> bytes:
    """Give `data` without the secrets that mail servers are known to log; the number of lines stays."""
    for sign, pattern in _SECRETS:
        if sign in data:
            data = pattern.sub(rb"\1" + MARK + rb"\2", data)
    return data
