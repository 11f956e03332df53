# SPDX-License-Identifier: Apache-2.0
"""Lines around the messages: sign-ins, mailbox sessions, refused connections, filter and encryption notes."""

from datetime import datetime
from random import Random
from zoneinfo import ZoneInfo

from hikeshi.drill import wording
from hikeshi.drill.events import SECOND, SUBMISSION, Knock, Login, Mail
from hikeshi.drill.hosts import Host
from hikeshi.drill.lives import Life
from hikeshi.drill.style import LogStyle

_SERVER_ADDRESS = "192.0.2.2"
_CIPHER = "TLSv1.3 with cipher TLS_AES_256_GCM_SHA384 (256/256 bits) key-exchange X25519 server-signature RSA-PSS"
_WHY_NOT = {
    "relay": "454 4.7.1 <{to}>: Relay access denied",
    "blocked": "554 5.7.1 Service unavailable; Client host [{ip}] blocked using zen.blocklist.example",
    "unknown": "550 5.1.1 <{to}>: Recipient address rejected: User unknown in virtual mailbox table",
}


class Doors:
    """Writes the lines that belong to no message, or only accompany one."""

    def __init__(self, style: LogStyle, rng: Random) -> None:
        self.style = style
        self.rng = rng
        self._zone = ZoneInfo(style.zone)
        self._welcome = "Logged in" if style.dovecot_version == "2.4" else "Login"

    def login(self, host: Host, login: Login) -> None:
        """Write a mailbox session from sign-in to farewell, or a refused sign-in."""
        if not self.style.dovecot:
            return
        if not login.accepted:
            self._wrong_password(host, login)
            return
        rng = self.rng
        pid, session = 20_000 + rng.getrandbits(15), wording.token(rng, 12, 16)
        where = f"method=PLAIN, rip={login.ip}, lip={_SERVER_ADDRESS}, mpid={pid}, TLS, session=<{session}>"
        host.put(
            (login.time, f"{host.dovecot}{login.protocol}-login: {self._welcome}: user=<{login.account}>, {where}")
        )
        over = login.time + login.seconds * SECOND + rng.getrandbits(19)
        who = f"{login.protocol}({login.account})<{pid}><{session}>"
        host.put((over, f"{host.dovecot}{who}: {_farewell(login)}"))

    def _wrong_password(self, host: Host, login: Login) -> None:
        session = wording.token(self.rng, 12, 16)
        if self.style.dovecot_version == "2.4":
            mismatch = f"auth({login.account},{login.ip},sasl:plain)<{session}>: sql: Password mismatch"
            words = "Login aborted: Connection closed (auth failed, 1 attempts in 2 secs) (auth_failed)"
        else:
            worker = f"auth-worker({4000 + self.rng.getrandbits(8)}): conn unix:auth-worker (pid=812,uid=107)"
            mismatch = (
                f"{worker}: auth-worker<{self.rng.getrandbits(12)}>: sql({login.account},{login.ip},<{session}>): "
            )
            mismatch += "Password mismatch"
            words = "Disconnected: Connection closed (auth failed, 1 attempts in 2 secs)"
        host.put((login.time, f"{host.dovecot}{mismatch}"))
        where = f"user=<{login.account}>, method=PLAIN, rip={login.ip}, lip={_SERVER_ADDRESS}, TLS, session=<{session}>"
        host.put((login.time + 2 * SECOND, f"{host.dovecot}{login.protocol}-login: {words}: {where}"))

    def stored(self, host: Host, time: int, session: str, pid: int, message_id: str) -> None:
        """Write that Dovecot has put a message into a mailbox."""
        if not self.style.dovecot:
            return
        words = f"sieve: msgid=<{message_id}>: stored mail into mailbox 'INBOX'"
        host.put((time, f"{host.dovecot}lmtp{session}: {words}"))
        if self.style.chatty:
            host.put((time - 9_000, f"{host.dovecot}lmtp({pid}): Connect from local"))
            host.put((time + 900, f"{host.dovecot}lmtp({pid}): Disconnect from local: Logged out (state=READY)"))

    def knock(self, host: Host, knock: Knock) -> None:
        """Write a connection that left no message."""
        label, time, put = knock.client.label, knock.time, host.put
        service = "postfix/submission/smtpd" if knock.kind == "auth" else "postfix/smtpd"
        head = host.head(service)
        put((time, f"{head}connect from {label}"))
        if knock.kind == "auth":
            put(
                (time + SECOND, f"{head}warning: {label}: SASL PLAIN authentication failed: {self._why(knock.account)}")
            )
            put((time + 1_200_000, f"{head}lost connection after AUTH from {label}"))
            put((time + 1_200_100, f"{head}disconnect from {label} ehlo=1 auth=0/1 commands=1/2"))
        elif knock.kind == "hello":
            put((time + 2 * SECOND, f"{head}lost connection after EHLO from {label}"))
            put((time + 2_000_100, f"{head}disconnect from {label} ehlo=1 commands=1"))
        else:
            why = _WHY_NOT[knock.kind].format(to=knock.account, ip=knock.client.ip)
            envelope = f"from=<{knock.sender}> to=<{knock.account}> proto=ESMTP helo=<ylmf-pc>"
            put((time + 700_000, f"{head}NOQUEUE: reject: RCPT from {label}: {why}; {envelope}"))
            put((time + 900_000, f"{head}disconnect from {label} ehlo=1 mail=1 rcpt=0/1 quit=1 commands=3/4"))

    def _why(self, account: str) -> str:
        return f"(reason unavailable), sasl_username={account}"

    def statistics(self, host: Host, time: int) -> None:
        """Write what anvil sums up when it has been idle."""
        put, bits = host.put, self.rng.getrandbits(16)
        moment = datetime.fromtimestamp(time // SECOND - bits % 500, self._zone)
        tail = f"for (smtp:198.51.100.{bits % 250}) at {moment:%b} {moment.day:2d} {moment:%H:%M:%S}"
        put((time + 1, f"{host.anvil}statistics: max connection rate {1 + bits % 5}/60s {tail}"))
        put((time + 2, f"{host.anvil}statistics: max connection count 1 {tail}"))
        put((time + 3, f"{host.anvil}statistics: max cache size {1 + bits % 9} {tail.partition(') ')[2]}"))

    def tls(self, label: str) -> str:
        """Word an encrypted connection from outside."""
        return f"Anonymous TLS connection established from {label}: {_CIPHER} (2048 bits) server-digest SHA256"

    def tls_out(self, relay: str) -> str:
        """Word an encrypted connection to a far server."""
        return f"Trusted TLS connection established to {relay}: {_CIPHER} (2048 bits) server-digest SHA256"

    def passed(self, host: Host, mail: Mail, first: Life, second: str) -> str:
        """Word the content filter's own line."""
        way = "RelayedOutbound" if mail.way == SUBMISSION else "RelayedInbound"
        to = ",".join(f"<{recipient}>" for recipient in mail.recipients)
        return (
            f"{host.amavis}({self.rng.getrandbits(16):05d}-01) Passed CLEAN {{{way}}}, [{mail.client.ip}] <{mail.sender}> "
            f"-> {to}, Queue-ID: {first.qid}, Message-ID: <{first.message_id}>, mail_id: "
            f"{wording.token(self.rng, 9, 12)}, Hits: -, size: {first.size}, queued_as: {second}, 312 ms"
        )


def _farewell(login: Login) -> str:
    if login.protocol == "pop3":
        return (
            f"Disconnected: Logged out top=0/0, retr={login.bodies}/{login.body_bytes}, del=0/{login.bodies}, "
            f"size={login.body_bytes}"
        )
    return (
        f"Disconnected: Logged out in={300 + 30 * login.bodies} out={1500 + login.body_bytes + 90 * login.bodies} "
        f"deleted=0 expunged=0 trashed=0 hdr_count={login.bodies * 2} hdr_bytes={login.bodies * 700} "
        f"body_count={login.bodies} body_bytes={login.body_bytes}"
    )
