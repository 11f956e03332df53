# SPDX-License-Identifier: Apache-2.0
"""Postfix 3.5 to 3.11: who handed in what, from where, to whom, and what became of it.

Known and left alone: disconnects, anvil, TLS chatter, postscreen, warnings that name no message.
"""

from dataclasses import replace

from hikeshi.evidence.source import Lines, Source
from hikeshi.evidence.tables import PIECES, SIGNINS

_NO_QUEUE_ID = "''"
_RELAYED = r"^to=<[^>]*>, (?:orig_to=<[^>]*>, )?relay=[^,]*, (?:conn_use=[^,]*, )?delay=[^,]*, delays=[^,]*, "
_FATE = r"(?:tls=[^,]*, )?dsn=(?P<dsn>[^,]*), status=(?P<status>[A-Za-z-]+) \((?P<reason>[^\n]*)"
#: domains are compared without case, local parts are the owner's business (RFC 5321, 2.4)
_ADDRESS = (
    "if(take0.address = lower(take0.address), take0.address, "
    "regexp_extract(take0.address, '^(.*@)?', 1) || lower(regexp_extract(take0.address, '([^@]*)$', 1)))"
)

#: A quoted local part may hold '>', ',' and spaces. Lines that hold one take the slow, greedy way.
_QUOTED = r'"(?:[^"\\]|\\.)*"@'
_MAYBE_QUOTED = rf"(?:{_QUOTED})?[^>]*"

#: a queue id that the far side or a filter of ours gave it
_NEXT_ID = (
    "CASE WHEN contains(take1.reason, 'queued as ') THEN split_part(split_part(take1.reason, 'queued as ', 2), ')', 1)"
    " WHEN starts_with(take1.reason, 'forwarded as ') THEN split_part(substr(take1.reason, 14), ')', 1) END"
)
#: the far side's words without the bracket that closes them; they may hold brackets of their own
_CLOSED = "if(ends_with(take1.reason, ')'), left(take1.reason, length(take1.reason) - 1), take1.reason)"

CONNECT = Lines(
    name="postfix-connect",
    common=True,
    fills=PIECES,
    tag="/smtpd",
    begins="connect from ",
    sets={"kind": "'connect'", "queue_id": _NO_QUEUE_ID},
)

_CLIENT = r"^client=[^\[]*\[(?P<client_ip>[^\]]+)\](?::[0-9]+)?"

CLIENT = Lines(
    name="postfix-client",
    common=True,
    fills=PIECES,
    tag="/smtpd",
    begins="client=",
    takes=(_CLIENT + r"(?:, sasl_method=(?P<method>[^,\n]*))?(?:, sasl_username=(?P<account>[^\n]*))?",),
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
    common=True,
    fills=PIECES,
    tag="/cleanup",
    begins="message-id=",
    takes=(r"^message-id=[ <]*(?P<message_id>[^>\n]*)",),
    sets={"kind": "'message_id'"},
)

QUEUED = Lines(
    name="postfix-queued",
    common=True,
    fills=PIECES,
    tag="qmgr",
    begins="from=<",
    holds=(", size=",),
    takes=(r"^from=<(?P<mail_from>[^>]*)>, size=(?P<size>[0-9]+), nrcpt=(?P<nrcpt>[0-9]+)",),
    sets={"kind": "'queued'", "mail_from": "take0.mail_from"},
    must="nrcpt",
)

QUEUED_QUOTED = replace(
    QUEUED,
    common=False,
    name="postfix-queued-quoted",
    begins='from=<"',
    takes=(rf"^from=<(?P<mail_from>{_QUOTED}[^>]*)>, size=(?P<size>[0-9]+), nrcpt=(?P<nrcpt>[0-9]+)",),
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
    common=True,
    fills=PIECES,
    begins="to=<",
    holds=(", status=",),
    takes=(
        r"^to=<(?P<address>[^>]*)>, (?:orig_to=<(?P<orig_to>[^>]*)>, )?relay=(?P<relay>[^,]*), ",
        _RELAYED + _FATE,
    ),
    sets={
        "kind": "'to'",
        "address": _ADDRESS,
        "reason": _CLOSED,
        "other_id": _NEXT_ID,
    },
    must="status",
)

TO_QUOTED = replace(
    TO,
    common=False,
    name="postfix-to-quoted",
    begins="to=<",
    holds=('<"', ", status="),
    takes=(
        rf"^to=<(?P<address>{_MAYBE_QUOTED})>, (?:orig_to=<(?P<orig_to>{_MAYBE_QUOTED})>, )?relay=(?P<relay>[^,]*), ",
        _RELAYED.replace("[^>]*", _MAYBE_QUOTED) + _FATE,
    ),
)

REMOVED = Lines(
    name="postfix-removed",
    common=True,
    fills=PIECES,
    tag="qmgr",
    begins="removed",
    sets={"kind": "'removed'"},
)

#: 3.10 and later end an unfinished transaction in words.
CANCELED = Lines(name="postfix-canceled", fills=PIECES, tag="/smtpd", begins="canceled", sets={"kind": "'canceled'"})

DELETED = Lines(name="postfix-deleted", fills=PIECES, tag="/postsuper", begins="removed", sets={"kind": "'deleted'"})

#: moved back to the maildrop: it goes on as another queue id, which pickup tells
REQUEUED = Lines(
    name="postfix-requeued", fills=PIECES, tag="/postsuper", begins="requeued", sets={"kind": "'requeued'"}
)

#: A filter before the queue took a mail; its queue id is given behind the filter, by another server process.
PROXIED = Lines(
    name="postfix-proxied",
    fills=PIECES,
    tag="/smtpd",
    begins="proxy-accept: END-OF-MESSAGE: ",
    holds=(" queued as ",),
    takes=(r"^proxy-accept: END-OF-MESSAGE: [^;\n]* queued as (?P<queue_id>[0-9A-Za-z]+)",),
    sets={"kind": "'proxied'"},
    must="queue_id",
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

_REFUSAL = r"^[a-z-]+: [A-Z-]+ from [^\[]*\[(?P<client_ip>[^\]]*)\](?::[0-9]+)?: (?P<reason>[^\n]*)"
_SENDER = rf"; from=<({_MAYBE_QUOTED})>"

#: Refused for its header or body. That may look like a sender, so the last of them counts, which Postfix wrote.
REJECTED = Lines(
    name="postfix-rejected",
    fills=PIECES,
    tag="/cleanup",
    begins="reject: ",
    takes=(r"^reject: (?P<reason>[^\n]*)",),
    sets={
        "kind": "'rejected'",
        "mail_from": f"CASE WHEN contains(text, '; from=<') THEN regexp_extract(text, '.*{_SENDER}', 1) END",
    },
)

MILTER_REJECTED = Lines(
    name="postfix-milter-rejected",
    fills=PIECES,
    tag="/cleanup",
    begins="milter-reject: ",
    takes=(_REFUSAL,),
    sets={
        "kind": "'rejected'",
        "mail_from": f"CASE WHEN contains(text, '; from=<') THEN regexp_extract(text, '{_SENDER}', 1) END",
    },
)

DISCARDED = Lines(
    name="postfix-discarded", fills=PIECES, tag="/cleanup", begins="discard: ", sets={"kind": "'discarded'"}
)
MILTER_DISCARDED = replace(DISCARDED, name="postfix-milter-discarded", begins="milter-discard: ")

SUBJECT = Lines(
    name="postfix-subject",
    fills=PIECES,
    tag="/cleanup",
    begins="warning: header Subject: ",
    takes=(r"^[a-z]+: header Subject: (?P<subject>.*) from [^ ;]*; from=<[^\n]*",),
    sets={"kind": "'subject'"},
)
SUBJECT_INFO = replace(SUBJECT, name="postfix-subject-info", begins="info: header Subject: ")

PICKUP = Lines(
    name="postfix-pickup",
    fills=PIECES,
    tag="/pickup",
    begins="uid=",
    takes=(rf"^uid=[0-9]+ from=<(?P<mail_from>{_MAYBE_QUOTED})>(?: orig_id=(?P<other_id>[0-9A-Za-z]+))?",),
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
    takes=(_REFUSAL,),
    finds={
        "mail_from": r"; from=<([^>]*)>",
        "address": r"; from=<[^>]*> to=<([^>]*)>",
        "account": r" sasl_username=<?([^ ,>\n]*)",
    },
    sets={"kind": "'refused'", "queue_id": _NO_QUEUE_ID},
    must="client_ip",
)

REFUSED_BY_MILTER = replace(REFUSED, name="postfix-refused-by-milter", begins="milter-reject: ")

SASL_FAILED = Lines(
    name="postfix-sasl-failed",
    fills=SIGNINS,
    tag="/smtpd",
    word="warning",
    holds=(": SASL ", " authentication failed"),
    takes=(r"^[^\[]*\[(?P<ip>[^\]]*)\](?::[0-9]+)?: SASL (?P<method>[^ ]*) authentication failed",),
    sets={
        "account": "nullif(nullif(regexp_extract(text, ', sasl_username=([^,\\n]*)', 1), ''), '(unavailable)')",
        "outcome": "'failure'",
        "protocol": "'smtp'",
        "tries": "1",
        "session": "NULL",
    },
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
        QUEUED_QUOTED,
        QUEUED,
        REMOVED,
        REFUSED,
        REFUSED_BY_MILTER,
        SASL_FAILED,
        SASL_FAILED_AGAIN,
        EXPIRED,
        PICKUP,
        NOTIFICATION,
        MILTER_HOLD,
        PROXIED,
        HOLD,
        PLACED_ON_HOLD,
        RELEASED,
        DELETED,
        REQUEUED,
        CANCELED,
        SUBJECT,
        SUBJECT_INFO,
        REJECTED,
        MILTER_REJECTED,
        DISCARDED,
        MILTER_DISCARDED,
    ),
)
