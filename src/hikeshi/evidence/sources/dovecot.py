# SPDX-License-Identifier: Apache-2.0
"""Dovecot 2.3 and 2.4: who signed in from where, how much was read, what rules did.

Stays quiet on `auth` and `auth-worker` lines: each failure there is told again by the login process. A client's
program is unknown here unless the site logs IMAP ID, which we do not read yet.
"""

from dataclasses import replace

from hikeshi.evidence.source import Lines, Source
from hikeshi.evidence.tables import CHANGES, READS, SIGNINS

# The elements of a login line can be configured in any order; the usual order is taken in one pass and the keys are
# searched for only where it fails. The name is passed over, so that nobody signs in as "x, rip=192.0.2.1".
_LOGIN = {
    "account": r"user=<([^>]*)>",
    "ip": r"^(?:[^<]*<[^>]*>)*[^<]*[ ,]rip=([^,\n ]*)",
    "method": r"^(?:[^<]*<[^>]*>)*[^<]*[ ,]method=([^,\n ]*)",
}
_SESSION = "nullif(if(contains(text, 'session=<'), split_part(split_part(text, 'session=<', -1), '>', 1), ''), '')"
_USUAL = r"user=<(?P<account>[^>]*)>, method=(?P<method>[^,]*), rip=(?P<ip>[^,\n]*)"
_LOGGED = r"^(?P<protocol>[a-z0-9]+)-login: (?:Info: )?"
_AGAIN = r"^message repeated [0-9]+ times: \[ "
_PROCESS = r"^[a-z0-9-]+\((?P<account>[^)]*)\)(?:<[^>]*>)?(?:<(?P<session>[^>]*)>)?: (?:Info: )?"

LOGIN_OK = Lines(
    name="dovecot-login",
    fills=SIGNINS,
    holds=("-login: ", "Login: "),
    takes=(_LOGGED + r"(?P<outcome>Login|Logged in): ", r"^[a-z0-9]+-login: (?:Info: )?Log[a-z ]+: " + _USUAL),
    finds=_LOGIN,
    sets={"outcome": "'success'", "tries": "1", "session": _SESSION},
    must="protocol",
)

LOGGED_IN = replace(LOGIN_OK, name="dovecot-logged-in", holds=("-login: ", "Logged in: "))

LOGIN_FAILED = Lines(
    name="dovecot-login-failed",
    fills=SIGNINS,
    holds=("-login: ", "auth failed, "),
    takes=(
        _LOGGED + r"(?:[^(\n]*)\(auth failed, (?P<tries>[0-9]+) attempts",
        r"^[^<]*\([^)]*\)[^)<]*(?:\([a-z_]*\))?: " + _USUAL,
    ),
    finds=_LOGIN,
    sets={"outcome": "'failure'", "session": _SESSION},
    must="tries",
)

#: syslog folds repetitions of one line into this
LOGIN_FAILED_AGAIN = Lines(
    name="dovecot-login-failed-again",
    fills=SIGNINS,
    begins="message repeated ",
    holds=("-login: ", "auth failed, "),
    takes=(_AGAIN + _LOGGED.removeprefix("^") + r"[^(\n]*\(auth failed, (?P<tries>[0-9]+) attempts",),
    finds=_LOGIN,
    sets={
        "outcome": "'failure'",
        "session": _SESSION,
        "tries": "try_cast(take0.tries AS INTEGER) * try_cast(regexp_extract(text, '^message repeated ([0-9]+)', 1) AS INTEGER)",
    },
    must="tries",
)

SESSION_ENDED = Lines(
    name="dovecot-session-ended",
    fills=READS,
    begins="imap",
    holds=(" in=", " out="),
    takes=(_PROCESS,),
    finds={"bytes": r" out=([0-9]+)", "items": r" body_count=([0-9]+)"},
    sets={"operation": "regexp_extract(text, '^([a-z0-9]+)', 1)", "actor": "lower(take0.account)"},
    must="account",
)

#: pop3 writes top=1/300, retr=2/8000 and size= instead
POP3_ENDED = Lines(
    name="dovecot-pop3-ended",
    fills=READS,
    begins="pop3(",
    holds=(" retr=",),
    takes=(_PROCESS,),
    finds={"bytes": r" retr=[0-9]+/([0-9]+)", "items": r" retr=([0-9]+)/"},
    sets={"operation": "'pop3'", "actor": "lower(take0.account)"},
    must="account",
)

_RULE_OF = _PROCESS.replace("(?P<session>[^>]*)", "[^>]*") + "sieve: msgid="
_RULE = {"what": r": msgid=[ <]*([^>\n]*?)>?: "}

SIEVE_REDIRECT = Lines(
    name="dovecot-sieve-redirect",
    fills=CHANGES,
    holds=("sieve: msgid=", ": redirect action: forwarded to <"),
    takes=(_RULE_OF,),
    finds={**_RULE, "after": r"forwarded to <([^>]*)>"},
    sets={"operation": "'rule.redirect'", "actor": "lower(take0.account)"},
    must="account",
)

SIEVE_DISCARD = Lines(
    name="dovecot-sieve-discard",
    fills=CHANGES,
    holds=("sieve: msgid=", ": discard action: "),
    takes=(_RULE_OF,),
    finds=_RULE,
    sets={"operation": "'rule.discard'", "actor": "lower(take0.account)"},
    must="account",
)

SIEVE_FILEINTO = Lines(
    name="dovecot-sieve-fileinto",
    fills=CHANGES,
    holds=("sieve: msgid=", ": fileinto action: stored mail into mailbox '"),
    takes=(_RULE_OF,),
    finds={**_RULE, "after": r"stored mail into mailbox '([^\n]*)'"},
    sets={"operation": "'rule.fileinto'", "actor": "lower(take0.account)"},
    must="account",
)

DOVECOT = Source(
    name="dovecot",
    gate="tag = 'dovecot' OR ends_with(tag, '/dovecot')",
    lines=(
        LOGIN_FAILED_AGAIN,
        LOGIN_FAILED,
        LOGIN_OK,
        LOGGED_IN,
        POP3_ENDED,
        SESSION_ENDED,
        SIEVE_REDIRECT,
        SIEVE_DISCARD,
        SIEVE_FILEINTO,
    ),
)
