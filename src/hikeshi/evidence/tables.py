# SPDX-License-Identifier: Apache-2.0
"""Every table of the lake, one comment a column. Times are UTC with microseconds.

The row belongs to the family, never to the parser: a new source fills these columns and adds none of its own.
"""

from dataclasses import dataclass


@dataclass(frozen=True, slots=True)
class Table:
    """A table: its name, what a row is, and its columns as `name type -- comment` in order."""

    name: str
    row: str
    columns: dict[str, tuple[str, str]]

    def ddl(self, name: str | None = None) -> str:
        """Give the statement that makes this table, under `name` if another is wanted."""
        body = ", ".join(f"{column} {kind}" for column, (kind, _) in self.columns.items())
        return f"CREATE TABLE {name or self.name} ({body})"


#: where a row comes from; stands at the end of every table
_PROVENANCE = {
    "zone": ("VARCHAR", "zone of the source's clock, as stated, given or assumed (the manifest says which)"),
    "input": ("UINTEGER", "number of the input in evidence/manifest.json, which holds its path and SHA-256"),
    "record": ("BIGINT", "number of the record in that input, counted from 1"),
}

MESSAGES = Table(
    "messages",
    "one message handed in or received, its hops through content filters counted once",
    {
        "time": ("TIMESTAMP", "when the server took the first record of it"),
        "ended": ("TIMESTAMP", "time of the last record that belongs to it"),
        "message_key": ("VARCHAR", "host/instance/queue id/second: unique although queue ids are reused"),
        "account": ("VARCHAR", "who was authenticated, lower case; NULL where nobody was"),
        "mail_from": ("VARCHAR", "envelope sender; '' is the null sender of a DSN"),
        "message_id": ("VARCHAR", "Message-ID without its angle brackets; not unique"),
        "client_ip": ("VARCHAR", "who handed it in"),
        "session": ("VARCHAR", "the SMTP connection it came through: host/process/second of connecting"),
        "method": ("VARCHAR", "SASL mechanism, for example PLAIN"),
        "size": ("BIGINT", "bytes, headers included"),
        "nrcpt": ("INTEGER", "recipients after alias expansion as the queue manager saw them"),
        "subject": ("VARCHAR", "only where the site logs it; of refused mail without one, the reason"),
        "fingerprint": ("VARCHAR", "of the content, where a source has one; NULL for mail logs"),
        "direction": ("VARCHAR", "submitted, received, notification (a DSN made here) or refused"),
        "accepted": ("BOOLEAN", "the server took responsibility for it"),
        "held": ("BOOLEAN", "it lies in the hold queue as far as the log goes"),
        "cut": ("VARCHAR", "start, end or both where the log does not show all of it; NULL when whole"),
        "host": ("VARCHAR", "the server that logged it"),
        "instance": ("VARCHAR", "Postfix instance, which has a queue of its own"),
        "queue_id": ("VARCHAR", "queue id of the first hop"),
        **_PROVENANCE,
    },
)

DELIVERIES = Table(
    "deliveries",
    "one message and one address, with its last known fate",
    {
        "message_key": ("VARCHAR", "the message"),
        "address": ("VARCHAR", "who it was for after alias expansion; domain in lower case"),
        "orig_to": ("VARCHAR", "the address before alias expansion, where it differs"),
        "status": ("VARCHAR", "delivered, bounced, deferred, expired, held or unknown"),
        "dsn": ("VARCHAR", "enhanced status code, RFC 3463"),
        "relay": ("VARCHAR", "who took or refused it"),
        "reason": ("VARCHAR", "the far side's words"),
        "first_time": ("TIMESTAMP", "first attempt"),
        "time": ("TIMESTAMP", "the attempt that set the status"),
        "attempts": ("INTEGER", "attempts seen"),
        **_PROVENANCE,
    },
)

SIGNINS = Table(
    "signins",
    "one sign-in try",
    {
        "time": ("TIMESTAMP", "when"),
        "account": ("VARCHAR", "the name that was tried, lower case; NULL where the log has none"),
        "ip": ("VARCHAR", "from where"),
        "user_agent": ("VARCHAR", "the client program, where a source has it"),
        "protocol": ("VARCHAR", "smtp, imap, pop3, managesieve or submission"),
        "outcome": ("VARCHAR", "success or failure"),
        "session": ("VARCHAR", "joins the sign-in to what was done in it"),
        "method": ("VARCHAR", "SASL mechanism"),
        "tries": ("INTEGER", "how many tries the record stands for"),
        **_PROVENANCE,
    },
)

CHANGES = Table(
    "changes",
    "one change of an account or a mailbox, rules at work included",
    {
        "time": ("TIMESTAMP", "when"),
        "account": ("VARCHAR", "whose mailbox"),
        "actor": ("VARCHAR", "who did it; the owner's own rule for Sieve"),
        "ip": ("VARCHAR", "from where; NULL for rules"),
        "operation": ("VARCHAR", "rule.redirect, rule.discard or rule.fileinto"),
        "what": ("VARCHAR", "Message-ID of the mail that it happened to"),
        "before": ("VARCHAR", "state before; NULL where the log has none"),
        "after": ("VARCHAR", "state after: the address or folder it went to"),
        **_PROVENANCE,
    },
)

READS = Table(
    "reads",
    "one access to items",
    {
        "time": ("TIMESTAMP", "when the session ended"),
        "account": ("VARCHAR", "whose mailbox"),
        "actor": ("VARCHAR", "who read"),
        "ip": ("VARCHAR", "from where; NULL where only the session tells"),
        "session": ("VARCHAR", "joins to signins"),
        "operation": ("VARCHAR", "imap or pop3"),
        "item": ("VARCHAR", "which item; NULL where the log only counts"),
        "items": ("BIGINT", "mails whose bodies were fetched; NULL where the log does not say"),
        "bytes": ("BIGINT", "bytes sent to the client"),
        "throttled": ("BOOLEAN", "the source stopped counting"),
        **_PROVENANCE,
    },
)

TABLES = (MESSAGES, DELIVERIES, SIGNINS, CHANGES, READS)

#: what a record of the mail server can say about a queue id
KINDS = (
    "connect",
    "client",
    "proxied",
    "pickup",
    "message_id",
    "subject",
    "queued",
    "to",
    "removed",
    "canceled",
    "deleted",
    "requeued",
    "expired",
    "hold",
    "release",
    "rejected",
    "discarded",
    "notification",
    "refused",
)

#: an input and a record in one number: records below a million million
RECORD_BITS = 40

#: What line sources find about messages before assembly: one record of the mail server each. Never leaves a run,
#: save for the pieces of messages that are not finished yet.
PIECES = Table(
    "pieces",
    "one record about one queue id",
    {
        "kind": (f"ENUM ({', '.join(repr(kind) for kind in KINDS)})", "what the record says"),
        "time": ("TIMESTAMP", "when"),
        "program": ("USMALLINT", "number in `programs`: which program on which host"),
        "pid": ("INTEGER", "process"),
        "queue_id": ("VARCHAR", "the queue id; '' for connections and refusals"),
        "client_ip": ("VARCHAR", "client, rejected, refused"),
        "account": ("VARCHAR", "client"),
        "method": ("VARCHAR", "client"),
        "message_id": ("VARCHAR", "message_id"),
        "subject": ("VARCHAR", "subject"),
        "mail_from": ("VARCHAR", "queued, pickup, rejected, refused"),
        "size": ("BIGINT", "queued"),
        "nrcpt": ("INTEGER", "queued"),
        "address": ("VARCHAR", "to, refused"),
        "orig_to": ("VARCHAR", "to"),
        "relay": ("VARCHAR", "to"),
        "dsn": ("VARCHAR", "to"),
        "status": ("VARCHAR", "to: as Postfix says it"),
        "reason": ("VARCHAR", "to, rejected, refused"),
        "other_id": ("VARCHAR", "a queue id it speaks of: queued as, forwarded as, orig_queue_id, notification"),
        "place": ("BIGINT", f"number of the input times 2^{RECORD_BITS}, plus the record: orders records, leads back"),
    },
)

#: The programs that write pieces, by number: strings that repeat on every line are kept once.
PROGRAMS = Table(
    "programs",
    "one program on one host, as the log names it",
    {
        "program": ("USMALLINT", "number"),
        "host": ("VARCHAR", "the server that logged it"),
        "tag": ("VARCHAR", "for example postfix/submission/smtpd"),
    },
)

#: The queue ids behind the first one that finished messages went through: a copy of their records is known by these.
PASSED = Table(
    "passed",
    "one hop of a message behind its first",
    {
        "host": ("VARCHAR", "the server that logged it"),
        "instance": ("VARCHAR", "Postfix instance"),
        "queue_id": ("VARCHAR", "the queue id"),
        "started": ("TIMESTAMP", "its first record"),
        "ended": ("TIMESTAMP", "its last record"),
    },
)
