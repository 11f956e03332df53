# SPDX-License-Identifier: Apache-2.0
"""Postfix 3.5 to 3.11: who handed in what, from where, to whom, and what became of it.

Known and left alone: disconnects, anvil, TLS chatter, postscreen, warnings that name no message.
"""

from hikeshi.evidence.source import Lines, Source
from hikeshi.evidence.tables import PIECES, SIGNINS

_NO_QUEUE_ID = "''"
_RELAYED = r"^to=<[^>]*>, (?:orig_to=<[^>]*>, )?relay=[^,]*, (?:conn_use=[^,]*, )?delay=[^,]*, delays=[^,]*, "
#: domains are compared without case, local parts are the owner's business (RFC 5321, 2.4)
_ADDRESS = (
    "if(take0.address = lower(take0.address), take0.address, "
    "regexp_extract(take0.address, '^(.*@)?', 1) || lower(regexp_extract(take0.address, '([^@]*)$', 1)))"
)

#: the far side's words without the bracket that closes them; they may hold brackets of their own
_CLOSED = "if(ends_with(take1.reason, ')'), left(take1.reason, length(take1.reason) - 1), take1.reason)"

CONNECT = Lines(
    name="postfix-connect",
    fills=PIECES,
    tag="/smtpd",
    begins="connect from ",
    sets={"kind": "'connect'", "queue_id": _NO_QUEUE_ID},
)

CLIENT = Lines(
    name="postfix-client",
    fills=PIECES,
    tag="/smtpd",
    begins="client=",
    takes=(
        r"^client=[^\[]*\[(?P<client_ip>[^\]]+)\](?::[0-9]+)?"
        r"(?:, sasl_method=(?P<method>[^,\n]*)(?:, sasl_username=(?P<account>[^\n]*))?)?",
    ),
    sets={
        "kind": "'client'",
        # The name runs to the end of the line or to the next key that Postfix may write behind it.
        "account": "nullif(if(contains(take0.account, ', '), "
        "regexp_replace(take0.account, ', (?:sasl_sender|orig_queue_id|orig_client)=.*', ''), take0.account), '')",
        "other_id": "CASE WHEN contains(text, 'orig_queue_id=') "
        "THEN nullif(regexp_extract(text, ', orig_queue_id=([0-9A-Za-z]+)', 1), '') END",
    },
    must="client_ip",
)

MESSAGE_ID = Lines(
    name="postfix-message-id",
    fills=PIECES,
    tag="/cleanup",
    begins="message-id=",
    takes=(r"^message-id=[ <]*(?P<message_id>[^>\n]*)",),
    sets={"kind": "'message_id'"},
)

QUEUED = Lines(
    name="postfix-queued",
    fills=PIECES,
    tag="qmgr",
    begins="from=<",
    holds=(", size=",),
    takes=(r"^from=<(?P<mail_from>[^>]*)>, size=(?P<size>[0-9]+), nrcpt=(?P<nrcpt>[0-9]+)",),
    sets={"kind": "'queued'", "mail_from": "take0.mail_from"},
    must="nrcpt",
)

EXPIRED = Lines(
    name="postfix-expired",
    fills=PIECES,
    tag="qmgr",
    begins="from=<",
    holds=("expired, returned to sender",),
    sets={"kind": "'expired'"},
)

TO = Lines(
    name="postfix-to",
    fills=PIECES,
    begins="to=<",
    holds=(", status=",),
    takes=(
        r"^to=<(?P<address>[^>]*)>, (?:orig_to=<(?P<orig_to>[^>]*)>, )?relay=(?P<relay>[^,]*), ",
        _RELAYED + r"(?:tls=[^,]*, )?dsn=(?P<dsn>[^,]*), status=(?P<status>[A-Za-z-]+) \((?P<reason>[^\n]*)",
    ),
    sets={
        "kind": "'to'",
        "address": _ADDRESS,
        "reason": _CLOSED,
        "other_id": "CASE WHEN contains(take1.reason, 'queued as ') THEN split_part(split_part(take1.reason, 'queued as ', 2), ')', 1)"
        " WHEN starts_with(take1.reason, 'forwarded as ') THEN split_part(substr(take1.reason, 14), ')', 1) END",
    },
    must="status",
)

#: A quoted local part may hold '>', ',' and spaces; such lines take the slow, greedy way.
TO_QUOTED = Lines(
    name="postfix-to-quoted",
    fills=PIECES,
    begins='to=<"',
    holds=(", status=",),
    takes=(
        r'^to=<(?P<address>"(?:[^"\\]|\\.)*"@[^>]*)>, (?:orig_to=<[^>]*>, )?relay=(?P<relay>[^,]*), ',
        r'^to=<"(?:[^"\\]|\\.)*"@[^>]*>, (?:orig_to=<[^>]*>, )?relay=[^,]*, (?:[a-z_]+=[^,]*, )*?'
        r"dsn=(?P<dsn>[^,]*), status=(?P<status>[A-Za-z-]+) \((?P<reason>[^\n]*)",
    ),
    sets={"kind": "'to'", "address": _ADDRESS, "reason": _CLOSED},
    must="status",
)

REMOVED = Lines(
    name="postfix-removed", fills=PIECES, tag="qmgr", begins="removed", sets={"kind": "'removed'"}
)

#: 3.10 and later end an unfinished transaction in words.
CANCELED = Lines(
    name="postfix-canceled", fills=PIECES, tag="/smtpd", begins="canceled", sets={"kind": "'canceled'"}
)

DELETED = Lines(
    name="postfix-deleted", fills=PIECES, tag="/postsuper", begins="removed", sets={"kind": "'deleted'"}
)

HOLD = Lines(name="postfix-hold", fills=PIECES, begins="hold: ", sets={"kind": "'hold'"})

MILTER_HOLD = Lines(name="postfix-milter-hold", fills=PIECES, begins="milter-hold: ", sets={"kind": "'hold'"})

PLACED_ON_HOLD = Lines(
    name="postfix-placed-on-hold",
    fills=PIECES,
    tag="/postsuper",
    begins="placed on hold",
    sets={"kind": "'hold'"},
)

RELEASED = Lines(
    name="postfix-released",
    fills=PIECES,
    tag="/postsuper",
    begins="released from hold",
    sets={"kind": "'release'"},
)

REJECTED = Lines(
    name="postfix-rejected",
    fills=PIECES,
    tag="/cleanup",
    holds=("reject: ",),
    takes=(r"^(?P<status>(?:milter-)?reject): ",),
    sets={"kind": "'rejected'", "status": "NULL"},
)

DISCARDED = Lines(
    name="postfix-discarded",
    fills=PIECES,
    tag="/cleanup",
    holds=("discard: ",),
    sets={"kind": "'discarded'"},
)

SUBJECT = Lines(
    name="postfix-subject",
    fills=PIECES,
    tag="/cleanup",
    holds=(": header Subject: ",),
    takes=(r"^(?:warning|info): header Subject: (?P<subject>.*) from [^ ;]*; from=<[^\n]*",),
    sets={"kind": "'subject'"},
)

PICKUP = Lines(
    name="postfix-pickup",
    fills=PIECES,
    tag="/pickup",
    begins="uid=",
    takes=(r"^uid=[0-9]+ from=<(?P<mail_from>[^>]*)>(?: orig_id=(?P<other_id>[0-9A-Za-z]+))?",),
    sets={"kind": "'pickup'", "mail_from": "take0.mail_from"},
)

NOTIFICATION = Lines(
    name="postfix-notification",
    fills=PIECES,
    tag="/bounce",
    holds=(" notification: ",),
    takes=(r"^(?:sender|postmaster) (?:non-delivery|delay|delivery status) notification: (?P<other_id>[0-9A-Za-z]+)",),
    sets={"kind": "'notification'"},
)

REFUSED = Lines(
    name="postfix-refused",
    fills=PIECES,
    tag="/smtpd",
    word="NOQUEUE",
    begins="reject: ",
    takes=(r"^reject: [A-Z-]+ from [^\[]*\[(?P<client_ip>[^\]]*)\](?::[0-9]+)?: (?P<reason>[^\n]*)",),
    finds={
        "mail_from": r"; from=<([^>]*)>",
        "address": r"; from=<[^>]*> to=<([^>]*)>",
        "account": r" sasl_username=<?([^ ,>\n]*)",
    },
    sets={"kind": "'refused'", "queue_id": _NO_QUEUE_ID},
    must="client_ip",
)

SASL_FAILED = Lines(
    name="postfix-sasl-failed",
    fills=SIGNINS,
    tag="/smtpd",
    word="warning",
    holds=(": SASL ", " authentication failed"),
    takes=(r"^[^\[]*\[(?P<ip>[^\]]*)\](?::[0-9]+)?: SASL (?P<method>[^ ]*) authentication failed",),
    finds={"account": r", sasl_username=([^,\n]*)"},
    sets={"outcome": "'failure'", "protocol": "'smtp'", "tries": "1", "session": "NULL"},
    must="ip",
)

#: rsyslog folds repetitions of one line into this
SASL_FAILED_AGAIN = Lines(
    name="postfix-sasl-failed-again",
    fills=SIGNINS,
    tag="/smtpd",
    begins="message repeated ",
    holds=(": SASL ", " authentication failed"),
    takes=(r"^message repeated (?P<tries>[0-9]+) times: \[ warning: [^\[]*\[(?P<ip>[^\]]*)\](?::[0-9]+)?: SASL ",),
    finds={"account": r", sasl_username=([^,\]\n]*)", "method": r": SASL ([^ ]*) authentication failed"},
    sets={"outcome": "'failure'", "protocol": "'smtp'", "session": "NULL"},
    must="ip",
)

#: Of one prefix the rarer or the more special comes first; otherwise the commonest first.
POSTFIX = Source(
    name="postfix",
    gate="contains(tag, '/')",
    lines=(
        TO_QUOTED,
        TO,
        CONNECT,
        CLIENT,
        MESSAGE_ID,
        QUEUED,
        REMOVED,
        REFUSED,
        SASL_FAILED,
        SASL_FAILED_AGAIN,
        EXPIRED,
        PICKUP,
        NOTIFICATION,
        MILTER_HOLD,
        HOLD,
        PLACED_ON_HOLD,
        RELEASED,
        DELETED,
        CANCELED,
        SUBJECT,
        REJECTED,
        DISCARDED,
    ),
)
