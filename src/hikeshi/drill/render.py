# SPDX-License-Identifier: Apache-2.0
"""Events to the lines that Postfix 3.7 and Dovecot write about them, in the order of syslog.

A stream: lines wait in a sorted buffer only until no earlier one can come. What is written of an attack is
noted in the tally at the same moment. Lines outside the log's window are neither written nor counted.
"""

from collections.abc import Iterable, Iterator
from random import Random
from time import gmtime, strftime
from zlib import crc32

from hikeshi.drill import wording
from hikeshi.drill.doors import Doors
from hikeshi.drill.events import (
    BOUNCED,
    DAY,
    HOUR,
    LATER,
    LIST,
    LIST_PREFIX,
    MINUTE,
    PICKUP,
    REFUSED_LATER,
    SECOND,
    SENT,
    STUCK,
    SUBMISSION,
    Event,
    Knock,
    Login,
    Mail,
)
from hikeshi.drill.hosts import LOCALHOST, Host, Line
from hikeshi.drill.lives import Life
from hikeshi.drill.style import LogStyle
from hikeshi.drill.truth import Sent, Tally

_SHORTEST_RETRY = 300 * SECOND
_LONGEST_RETRY = 4000 * SECOND
_CHUNK = HOUR
_NOT_SENT = frozenset((LATER, REFUSED_LATER, STUCK))


class Renderer:
    """Writes events as lines; `window` is the first and the end of the log in microseconds."""

    def __init__(self, style: LogStyle, domain: str, window: tuple[int, int], seed: int) -> None:
        self.style = style
        self.domain = domain
        self.begin, self.end = window
        self.rng = Random(f"render {seed}")
        self.tally = Tally()
        self.hosts = [Host(number, domain, style, self.rng) for number in range(style.hosts)]
        self.doors = Doors(style, self.rng)
        self._far = wording.delays(self.rng, 0.2, 6.0)
        self._near = wording.delays(self.rng, 0.02, 0.2)
        self._routes: dict[str, wording.Route] = {}
        self._patience = int(style.queue_days * DAY)
        self._host_of: dict[tuple[str, str], Host] = {}

    def chunks(self, events: Iterable[Event]) -> Iterator[list[list[Line]]]:
        """Yield the lines of every host, hour by hour, in the order of time."""
        horizon = self.begin
        for event in events:
            # a connection is opened shortly before its message, so an hour is closed a little late
            if event[0] >= horizon + MINUTE:
                yield self._ready(horizon)
                horizon = max(horizon + _CHUNK, event[0] - event[0] % _CHUNK)
                self._new_hour(event[0])
            if event[0] < self.end:
                self._write(event)
        yield self._ready(self.end)

    def _write(self, event: Event) -> None:
        if isinstance(event, Mail):
            self._mail(event)
        elif isinstance(event, Login):
            self.doors.login(self.hosts[0], event)
        elif isinstance(event, Knock):
            self.doors.knock(self._host(event.account, event.client.ip), event)

    def _ready(self, horizon: int) -> list[list[Line]]:
        chunk = [host.ready(self.begin, min(horizon, self.end)) for host in self.hosts]
        self.tally.lines += sum(map(len, chunk))
        return chunk

    def _new_hour(self, time: int) -> None:
        for host in self.hosts:
            host.new_hour()
            self.doors.statistics(host, time)

    def _host(self, account: str, ip: str) -> Host:
        key = (account, ip)
        host = self._host_of.get(key)
        if host is None:
            host = self._host_of[key] = self.hosts[crc32(f"{account} {ip}".encode()) % len(self.hosts)]
        return host

    # a message comes in

    def _mail(self, mail: Mail) -> None:
        host = self._host(mail.account, mail.client.ip)
        message_id = mail.message_id or self._message_id(mail)
        life = self._queue(host, mail, mail.time, message_id, mail.size)
        if mail.way == PICKUP:
            self._pick_up(life)
        else:
            self._receive(life)
        self._count(life)
        if self.style.content_filter:
            life = self._filter(life)
        if mail.fates is None:
            self._deliver(life)
        else:
            self._struggle(life, mail.fates)

    def _message_id(self, mail: Mail) -> str:
        domain = mail.sender.rpartition("@")[2]
        return wording.MESSAGE_IDS[mail.software](self.rng, mail.time, domain)

    def _queue(self, host: Host, mail: Mail, time: int, message_id: str, size: int) -> Life:
        # the queue file is there a moment before syslog has the line
        inode = host.inodes.take(time)
        return Life(mail, host, host.make_id(time - 1 - self.rng.getrandbits(8), inode), inode, message_id, size)

    def _count(self, life: Life) -> None:
        mail = life.mail
        if not self.begin <= mail.time < self.end:
            return
        self.tally.messages += 1
        if mail.way == SUBMISSION:
            self.tally.submitted += 1
        if mail.tag >= 0:
            fates = dict.fromkeys(mail.recipients, "unknown")
            life.sent = Sent(mail.tag, mail.account, mail.time, mail.client.ip, life.message_id, fates)
            self.tally.sent.append(life.sent)

    def _receive(self, life: Life) -> None:
        mail, put, time = life.mail, life.host.put, life.mail.time
        label = mail.client.label
        submitted = mail.way == SUBMISSION
        key = (mail.account, mail.client.ip)
        head = life.host.smtpd(key, time, submitted=submitted, opens=mail.opens)
        wait = 40_000 + self.rng.getrandbits(17)
        if mail.opens:
            put((time - wait - 60_000, f"{head}connect from {label}"))
            if self.style.chatty and mail.way != LIST:
                put((time - wait, head + self.doors.tls(label)))
        if submitted:
            put((time, f"{head}{life.qid}: client={label}, sasl_method=PLAIN, sasl_username={mail.account}"))
        else:
            put((time, f"{head}{life.qid}: client={label}"))
        life.active = time + wait + 30_000 + mail.size // 20
        self._clean_up(life, time + wait // 2)
        if mail.closes:
            over = life.active + 20_000 + wait
            put((over, f"{head}disconnect from {label} {self._commands(mail)}"))
            life.host.smtpd_done(key, head, over, submitted=submitted)

    def _commands(self, mail: Mail) -> str:
        count = len(mail.recipients)
        if mail.way == SUBMISSION:
            return f"ehlo=2 starttls=1 auth=1 mail=1 rcpt={count} data=1 quit=1 commands={count + 7}"
        return f"ehlo=1 mail=1 rcpt={count} data=1 quit=1 commands={count + 4}"

    def _pick_up(self, life: Life) -> None:
        mail = life.mail
        life.host.put((mail.time, f"{life.host.pickup}{life.qid}: uid=8 from=<{mail.sender}>"))
        life.active = mail.time + 20_000 + self.rng.getrandbits(14)
        self._clean_up(life, mail.time + 5_000)

    def _clean_up(self, life: Life, time: int) -> None:
        mail, put, qid = life.mail, life.host.put, life.qid
        head = life.host.cleanup[self.rng.getrandbits(2)]
        put((time, f"{head}{qid}: message-id=<{life.message_id}>"))
        if self.style.subjects and mail.way not in (PICKUP, LIST):
            envelope = f"from=<{mail.sender}> to=<{mail.recipients[-1]}> proto=ESMTP helo=<[192.168.1.{len(qid)}]>"
            subject = f"warning: header Subject: {mail.subject} from {mail.client.label}; {envelope}"
            put((time + 150, f"{head}{qid}: {subject}"))
        self._activate(life, life.active)

    def _activate(self, life: Life, time: int) -> None:
        mail = life.mail
        envelope = f"from=<{mail.sender}>, size={life.size}, nrcpt={len(mail.recipients)} (queue active)"
        life.host.put((time, f"{life.host.qmgr}{life.qid}: {envelope}"))

    # through the content filter and back

    def _filter(self, first: Life) -> Life:
        mail, host, put = first.mail, first.host, first.host.put
        back = first.active + 250_000 + self.rng.getrandbits(19)
        second = self._queue(host, mail, back, first.message_id, first.size + 460)
        head = host.smtpd(("filter", str(back)), back, submitted=False, opens=True)
        put((back - 900, f"{head}connect from localhost[127.0.0.1]"))
        put((back, f"{head}{second.qid}: client=localhost[127.0.0.1]"))
        put((back + 4_000, f"{host.cleanup[self.rng.getrandbits(2)]}{second.qid}: message-id=<{first.message_id}>"))
        put((back + 9_500, f"{head}disconnect from localhost[127.0.0.1] ehlo=1 mail=1 rcpt=1 data=1 quit=1 commands=5"))
        host.smtpd_done(("filter", str(back)), head, back + 9_500, submitted=False)
        second.active = back + 11_000
        second.sent = first.sent
        self._activate(second, second.active)
        put((back + 14_000, self.doors.passed(host, mail, first, second.qid)))
        answer = f"250 2.0.0 from MTA(smtp:[127.0.0.1]:10025): 250 2.0.0 Ok: queued as {second.qid}"
        took = (back - mail.time + 16_000) / SECOND
        tail = f"delay={took:.2g}, delays=0.1/0.01/0.01/{took - 0.12:.2g}, dsn=2.0.0, status=sent ({answer})"
        smtp = host.smtp[self.rng.getrandbits(3)]
        for number, recipient in enumerate(mail.recipients):
            put((back + 16_000 + number, f"{smtp}{first.qid}: to=<{recipient}>, relay={LOCALHOST}:10024, {tail}"))
        self._remove(first, back + 17_000 + len(mail.recipients))
        return second

    # a message goes out

    def _deliver(self, life: Life) -> None:
        """Everybody gets it at the first try."""
        mail, last = life.mail, life.active
        if len(mail.recipients) == 1:
            last = self._send(life, mail.recipients[0], self._transaction(life, mail.recipients[0], 0))
        else:
            together: dict[str, tuple[int, str, str]] = {}
            for address in mail.recipients:
                domain = address.rpartition("@")[2]
                transaction = together.get(domain)
                if transaction is None or domain == self.domain:
                    transaction = together[domain] = self._transaction(life, address, len(together))
                last = max(last, self._send(life, address, transaction))
        self._remove(life, last + 3_000)

    def _transaction(self, life: Life, address: str, number: int) -> tuple[int, str, str]:
        """When, by whom and with which words a far server takes the message."""
        domain = address.rpartition("@")[2]
        rng, host = self.rng, life.host
        if domain == self.domain:
            delay = self._near[rng.getrandbits(9)]
            pid, session = 20_000 + rng.getrandbits(13), wording.token(rng, 16, 22)
            time = life.active + delay.length + 90 * number
            if life.mail.recipients[0].startswith(LIST_PREFIX) and life.mail.way == SUBMISSION:
                words = f"relay=local, {delay.text}, dsn=2.0.0, status=sent (delivered to command: /usr/lib/list/post)"
                return time, host.local, words
            self.doors.stored(self.hosts[0], time - 700, f"({address})<{pid}><{session}>", pid, life.message_id)
            words = f"{host.lmtp_relay}, {delay.text}, dsn=2.0.0, status=sent (250 2.0.0 <{address}> {session} Saved)"
            return time, host.lmtp[rng.getrandbits(2)], words
        route = self._routes.get(domain)
        if route is None:
            route = self._routes[domain] = wording.route(domain)
        delay = self._far[rng.getrandbits(9)]
        words = f"relay={route.relay}, {delay.text}, dsn=2.0.0, status=sent ({route.answer})"
        words = words.replace("{0}", f"{rng.getrandbits(44):011X}")
        head = host.smtp[rng.getrandbits(3)]
        if self.style.chatty:
            host.put((life.active + delay.length // 2, f"{head}{self.doors.tls_out(route.relay)}"))
        return life.active + delay.length + 400 * number, head, words

    def _send(self, life: Life, address: str, transaction: tuple[int, str, str]) -> int:
        time, head, words = transaction
        life.host.put((time, f"{head}{life.qid}: to=<{address}>, {words}"))
        if self.begin <= time < self.end:
            self.tally.deliveries += 1
            if life.sent is not None:
                life.sent.fates[address] = "delivered"
        return time

    def _remove(self, life: Life, time: int) -> None:
        life.host.put((time, f"{life.host.qmgr}{life.qid}: removed"))
        life.host.inodes.give_back(life.inode, time)

    # a message that some do not get, or not at once

    def _struggle(self, life: Life, fates: tuple[str, ...]) -> None:
        waiting: list[tuple[str, str, int]] = []
        last, bounced = life.active, False
        for number, (address, fate) in enumerate(zip(life.mail.recipients, fates, strict=True)):
            if fate == SENT or address.endswith(self.domain):
                transaction = self._transaction(life, address, number)
                last = max(last, self._send(life, address, transaction))
                continue
            time = life.active + self._far[self.rng.getrandbits(9)].length
            if fate == BOUNCED:
                self._refuse(life, address, time)
                bounced = True
            else:
                self._postpone(life, address, time)
                waiting.append((address, fate, 1 + int(3 * self.rng.random() ** 2) + (fate == STUCK) * 1_000_000))
            last = max(last, time)
        if bounced:
            last = self._notify(life, last + 4_000)
        if waiting:
            last = self._retry(life, waiting, last)
        self._remove(life, last + 3_000)

    def _retry(self, life: Life, waiting: list[tuple[str, str, int]], last: int) -> int:
        """Postfix waits as long as the message is old, between five minutes and an hour and some."""
        arrived, attempt = life.mail.time, 0
        while waiting and last < self.end:
            attempt += 1
            pause = min(max(last - arrived, _SHORTEST_RETRY), _LONGEST_RETRY)
            last = last + pause + self.rng.randrange(20 * SECOND)
            self._activate(life, last)
            still: list[tuple[str, str, int]] = []
            bounced = False
            for address, fate, tries in waiting:
                if attempt < tries:
                    self._postpone(life, address, last + 2 * SECOND)
                    still.append((address, fate, tries))
                elif fate == LATER:
                    self._send_late(life, address, last + 2 * SECOND)
                else:
                    self._refuse(life, address, last + 2 * SECOND)
                    bounced = True
            waiting, last = still, last + 3 * SECOND
            if waiting and last - arrived >= self._patience:
                return self._give_up(life, [address for address, _, _ in waiting], last)
            if bounced:
                last = self._notify(life, last)
        return last

    def _refuse(self, life: Life, address: str, time: int) -> None:
        route = self._route(address)
        dsn, why = wording.refusal(self.rng.getrandbits(8), address, f"{route.host}[{route.address}]")
        words = f"relay={route.relay}, {self._late(life, time)}, dsn={dsn}, status=bounced ({why})"
        self._attempt(life, address, time, words, "bounced")

    def _postpone(self, life: Life, address: str, time: int) -> None:
        route = self._route(address)
        dsn, why = wording.postponement(crc32(address.encode()), route.host, route.address)
        relay = "none" if dsn == "4.4.1" else route.relay
        words = f"relay={relay}, {self._late(life, time)}, dsn={dsn}, status=deferred ({why})"
        self._attempt(life, address, time, words, "deferred")

    def _send_late(self, life: Life, address: str, time: int) -> None:
        route = self._route(address)
        answer = route.answer.replace("{0}", f"{self.rng.getrandbits(44):011X}")
        words = f"relay={route.relay}, {self._late(life, time)}, dsn=2.0.0, status=sent ({answer})"
        self._attempt(life, address, time, words, "delivered")

    def _attempt(self, life: Life, address: str, time: int, words: str, fate: str) -> None:
        head = life.host.smtp[self.rng.getrandbits(3)]
        life.host.put((time, f"{head}{life.qid}: to=<{address}>, {words}"))
        if self.begin <= time < self.end:
            self.tally.deliveries += address not in life.named
            life.named.add(address)
            if life.sent is not None:
                life.sent.fates[address] = fate

    def _give_up(self, life: Life, addresses: list[str], time: int) -> int:
        line = f"{life.host.qmgr}{life.qid}: from=<{life.mail.sender}>, status=expired, returned to sender"
        life.host.put((time, line))
        if life.sent is not None and self.begin <= time < self.end:
            life.sent.fates.update(dict.fromkeys(addresses, "expired"))
        return self._notify(life, time + 1_000)

    def _notify(self, life: Life, time: int) -> int:
        """Send the bounce message, a message of its own with an empty sender."""
        to = life.mail.sender
        if not to or not to.endswith(self.domain):
            return time
        host = life.host
        notice = Mail(time, PICKUP, "", "", (to,), life.size + 2200, life.mail.client, "system", "")
        second = self._queue(host, notice, time, "", life.size % 40_000 + 2200)
        stamp = "" if self.style.queue_ids == "long" else strftime("%Y%m%d%H%M%S.", gmtime(time // SECOND))
        second.message_id = f"{stamp}{second.qid}@{host.name}"
        host.put((time, f"{host.cleanup[0]}{second.qid}: message-id=<{second.message_id}>"))
        host.put((time + 900, f"{host.bounce}{life.qid}: sender non-delivery notification: {second.qid}"))
        second.active = time + 1_600
        self._activate(second, second.active)
        self.tally.messages += self.begin <= time < self.end
        self._deliver(second)
        return time + 2_000

    def _late(self, life: Life, time: int) -> str:
        return wording.late_delay((time - life.mail.time) / SECOND, 0.3 + self.rng.random())

    def _route(self, address: str) -> wording.Route:
        domain = address.rpartition("@")[2]
        route = self._routes.get(domain)
        if route is None:
            route = self._routes[domain] = wording.route(domain)
        return route
