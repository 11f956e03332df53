-- A message is assembled across records: smtpd → cleanup → qmgr → smtp …, hops through filters folded into one.
-- Works on `fold`: the pieces that wait, those carried over from before, and `settled`, the time up to which every
-- input has been read. What is finished and older than that leaves for the lake; the rest is carried on.

-- name: servers
-- Every program with the queue it belongs to, as a number. postfix/submission/smtpd and postfix/cleanup share the queue
-- of postfix/qmgr, unless a queue manager of that very prefix has been seen.
CREATE OR REPLACE TEMP TABLE servers AS
WITH prefixed AS (
    SELECT program, host, tag, regexp_replace(tag, '/[^/]*$', '') AS prefix FROM known_programs
), queues AS (
    SELECT DISTINCT host, prefix FROM prefixed WHERE tag LIKE '%qmgr'
)
SELECT prefixed.program, prefixed.host, prefixed.tag,
    if(queues.prefix IS NULL, split_part(prefixed.prefix, '/', 1), prefixed.prefix) AS instance,
    dense_rank() OVER (ORDER BY prefixed.host, instance)::USMALLINT AS server
FROM prefixed LEFT JOIN queues USING (host, prefix)

-- name: pieces
-- Every piece with the server whose queue it belongs to.
SELECT fold_pieces.*, servers.server FROM fold_pieces JOIN servers USING (program)

-- name: distinct
-- One record that stands in two inputs (mail.log and mail.info, a copy made earlier) is one piece. Records that stand
-- twice in one input are two.
CREATE OR REPLACE TEMP TABLE fold_distinct AS
SELECT * EXCLUDE (nth) FROM (
    SELECT *, row_number() OVER (
        PARTITION BY {content}, server, place >> {bits} ORDER BY place
    ) AS nth FROM ({pieces})
)
QUALIFY row_number() OVER (PARTITION BY {content}, server, nth ORDER BY place) = 1

-- name: lives
-- Queue ids are reused: a queue id's life begins at client= or pickup, or at a Message-ID that nobody handed in (a
-- DSN, a forward), or at whatever comes well after the end of the life before. Only the queue ids for which more than
-- one life is possible are put in order; all others have one.
CREATE OR REPLACE TEMP TABLE lives AS
WITH tangled AS (
    SELECT server, queue_id FROM fold WHERE queue_id <> ''
    GROUP BY server, queue_id
    HAVING count(*) FILTER (kind IN ('client', 'pickup')) > 1
        OR count(*) FILTER (kind = 'message_id') > 1
        OR max(time) > min(time) FILTER (kind IN ('removed', 'canceled', 'deleted', 'requeued')) + INTERVAL 10 SECOND
        OR min(time) < min(time) FILTER (kind IN ('client', 'pickup'))
        OR max(time) - min(time) > INTERVAL 6 DAY
), ordered AS (
    SELECT server, queue_id, kind, time, place,
        lag(kind) OVER queue_order AS kind_before, lag(time) OVER queue_order AS time_before
    FROM fold SEMI JOIN tangled USING (server, queue_id)
    WINDOW queue_order AS (PARTITION BY server, queue_id ORDER BY time, place)
)
SELECT place, sum(CASE
    WHEN kind IN ('client', 'pickup') THEN 1
    WHEN kind = 'message_id' AND kind_before NOT IN ('client', 'pickup', 'subject', 'hold') THEN 1
    WHEN kind_before IN ('removed', 'canceled', 'deleted', 'requeued', 'rejected') AND time > time_before + INTERVAL 10 SECOND THEN 1
    WHEN time > time_before + INTERVAL 6 DAY AND kind_before <> 'hold' THEN 1
    ELSE 0 END
) OVER (PARTITION BY server, queue_id ORDER BY time, place ROWS UNBOUNDED PRECEDING) AS life
FROM ordered

-- name: hops
-- One row a life: what its pieces say together. `said` has a bit for every kind of record it has.
CREATE OR REPLACE TEMP TABLE hops AS
WITH held_early AS (
    SELECT DISTINCT program, pid FROM fold WHERE kind = 'hold' AND queue_id = ''
), early AS (
    -- Held before it had a queue id: the next client= of that process within the connection. While its milter is away,
    -- Postfix says so at every step, CONNECT to RCPT.
    SELECT place AS client_place FROM (
        SELECT kind, place, lag(kind) OVER (PARTITION BY program, pid ORDER BY place) AS kind_before
        FROM fold SEMI JOIN held_early USING (program, pid)
        WHERE kind IN ('connect', 'client') OR kind = 'hold' AND queue_id = ''
    )
    WHERE kind = 'client' AND kind_before = 'hold'
), proxied AS (
    -- A filter before the queue: who signed in is told without a queue id, which the filter's answer gives.
    SELECT answers.server, answers.queue_id, answers.life, asked.client_ip, asked.account, asked.method,
        asked.program, asked.pid, asked.place AS client_place
    FROM (SELECT * FROM lived WHERE kind = 'proxied') AS answers
    ASOF JOIN (SELECT * FROM fold WHERE kind = 'client' AND queue_id = '') AS asked
        ON asked.program = answers.program AND asked.pid = answers.pid AND asked.place <= answers.place
), told AS (
    SELECT
        server, queue_id, life,
        min(time) AS started,
        max(time) AS ended,
        min(place) AS place,
        any_value(client_ip) AS client_ip,
        any_value(account) AS account,
        any_value(method) AS method,
        any_value(message_id) AS message_id,
        any_value(subject) AS subject,
        any_value(reason) FILTER (kind = 'rejected') AS rejection,
        -- the queue manager's word counts: pickup may say root where that says root@example.org
        coalesce(any_value(mail_from) FILTER (kind = 'queued'), any_value(mail_from)) AS mail_from,
        any_value(size) AS size,
        max(nrcpt) AS nrcpt,
        any_value(other_id) FILTER (kind IN ('client', 'pickup')) AS orig_id,
        bit_or(1 << enum_code(kind)::INTEGER) AS said,
        max(place) FILTER (kind IN ('hold')) AS hold_place,
        max(place) FILTER (kind IN ('release', 'removed', 'deleted', 'requeued')) AS release_place,
        any_value(pid) FILTER (kind = 'client') AS pid,
        any_value(program) FILTER (kind = 'client') AS program,
        max(place) FILTER (kind = 'client') AS client_place
    FROM lived WHERE queue_id <> ''
    GROUP BY server, queue_id, life
)
SELECT told.* REPLACE (
        coalesce(proxied.client_ip, told.client_ip) AS client_ip,
        coalesce(proxied.account, told.account) AS account,
        coalesce(proxied.method, told.method) AS method,
        coalesce(proxied.program, told.program) AS program,
        coalesce(proxied.pid, told.pid) AS pid,
        coalesce(proxied.client_place, told.client_place) AS client_place
    ), row_number() OVER () AS hop,
    servers.host, servers.instance,
    servers.host || '/' || servers.instance || '/' || told.queue_id || '/' || epoch(started)::BIGINT AS message_key,
    said_any(said, ['client']) AS from_client,
    said_any(said, ['client', 'pickup']) AS handed_in,
    said_any(said, ['message_id']) AS named,
    said_any(said, ['pickup']) AS picked_up,
    said_any(said, ['requeued']) AS requeued,
    said_any(said, ['rejected']) AS refused,
    -- A hold is said before the mail is there: it may be refused after all, or given up before its headers came.
    (said_any(said, ['queued', 'to', 'expired', 'removed', 'release'])
        OR (said_any(said, ['hold']) OR early.client_place IS NOT NULL) AND (named OR NOT from_client))
        AND NOT said_any(said, ['rejected', 'canceled']) AS accepted,
    said_any(said, ['removed', 'canceled', 'deleted', 'requeued', 'rejected', 'discarded']) AS closed,
    said_any(said, ['expired']) AS expired,
    said_any(said, ['deleted']) AS deleted,
    accepted AND coalesce(coalesce(hold_place, early.client_place) > coalesce(release_place, 0), false) AS held
FROM told JOIN (SELECT DISTINCT server, host, instance FROM servers) AS servers USING (server)
LEFT JOIN early ON early.client_place = told.client_place
LEFT JOIN proxied ON proxied.server = told.server AND proxied.queue_id = told.queue_id AND proxied.life = told.life

-- name: fates
-- One row a life and address: how often it was tried, and the last attempt, which tells the fate.
CREATE OR REPLACE TEMP TABLE fates AS
WITH tried AS (
    SELECT server, queue_id, life, address, count(*) AS attempts, min(time) AS first_time,
        if(count(*) = 1, max(place), arg_max(place, (time, place))) AS place
    FROM lived WHERE kind = 'to' AND address <> ''
    GROUP BY server, queue_id, life, address
)
SELECT hops.hop, tried.address, tried.attempts, tried.first_time, last.time, tried.place,
    last.status, last.dsn, last.relay, last.reason, last.orig_to, last.other_id
FROM tried
JOIN hops USING (server, queue_id, life)
JOIN (SELECT * FROM fold WHERE kind = 'to') AS last ON last.place = tried.place

-- name: handovers
-- A hop that was handed on to another queue id of ours: through a content filter ("queued as"), an alias ("forwarded
-- as") or a second server. The Message-ID stays the same, or the next hop names the one before it.
CREATE OR REPLACE TEMP TABLE handovers AS
WITH filtered AS (
    -- What a filter on this machine took.
    SELECT fates.hop, fates.address, fates.other_id, fates.time, before.server, before.queue_id, before.message_id, before.started
    FROM fates JOIN hops AS before USING (hop)
    WHERE fates.other_id IS NOT NULL AND (contains(fates.relay, '[127.') OR contains(fates.relay, '[::1]'))
), returned AS (
    SELECT * FROM hops WHERE from_client AND account IS NULL AND (client_ip LIKE '127.%' OR client_ip = '::1')
), candidates AS (
    -- The queue id that was given in the answer.
    SELECT fates.hop, fates.address, after.hop AS next, true AS answered
    FROM fates
    JOIN hops AS before ON before.hop = fates.hop
    JOIN hops AS after ON after.queue_id = fates.other_id
    WHERE after.hop <> before.hop
        AND (after.orig_id = before.queue_id OR after.message_id = before.message_id
            -- Postfix makes a Message-ID for what comes back from a filter without one.
            OR before.message_id IS NULL AND contains(fates.relay, '[127.'))
        -- a relay may sign in to the next server; then the account is that of the first
        AND (after.account IS NULL OR before.account IS NOT NULL)
        AND after.started BETWEEN before.started - INTERVAL 1 MINUTE AND fates.time + INTERVAL 1 MINUTE
    UNION ALL
    -- A filter may hand a mail back in parts, and answers with the queue id of one of them.
    SELECT filtered.hop, filtered.address, returned.hop, false
    FROM filtered JOIN returned ON returned.server = filtered.server AND returned.orig_id = filtered.queue_id
    WHERE returned.started BETWEEN filtered.started AND filtered.time + INTERVAL 1 MINUTE
    UNION ALL
    SELECT filtered.hop, filtered.address, returned.hop, false
    FROM filtered JOIN returned ON returned.server = filtered.server AND returned.message_id = filtered.message_id
    WHERE returned.started BETWEEN filtered.started AND filtered.time + INTERVAL 1 MINUTE AND returned.hop <> filtered.hop
), judged AS (
    SELECT candidates.*, later.hop IS NOT NULL AS has_address
    FROM candidates LEFT JOIN (SELECT DISTINCT hop, address FROM fates) AS later
        ON later.hop = candidates.next AND later.address = candidates.address
)
SELECT hop, address, arg_min(next, (CASE WHEN has_address AND answered THEN 0 WHEN has_address THEN 1 ELSE 2 END, next)) AS next
FROM judged WHERE answered OR has_address
GROUP BY hop, address
UNION ALL
-- Requeued: pickup takes it up again and names the queue id before. What was tried before stays a try.
SELECT before.hop, NULL, min(after.hop)
FROM hops AS before
JOIN hops AS after ON after.server = before.server AND after.orig_id = before.queue_id
WHERE before.requeued AND after.picked_up
    AND after.started BETWEEN before.ended AND before.ended + INTERVAL 1 HOUR
GROUP BY before.hop

-- name: roots
-- The first hop of every hop: the chain of handovers walked back.
CREATE OR REPLACE TEMP TABLE roots AS
WITH RECURSIVE chain AS (
    SELECT next AS hop, min(hop) AS root, 1 AS depth FROM handovers GROUP BY next
    UNION ALL
    SELECT chain.hop, handovers.hop, depth + 1 FROM chain JOIN handovers ON handovers.next = chain.root WHERE depth < 10
)
SELECT hops.hop, coalesce(arg_max(chain.root, chain.depth), hops.hop) AS root
FROM hops LEFT JOIN chain USING (hop) GROUP BY hops.hop

-- name: families
-- All hops of one message, and whether they may leave: everything closed and settled, or too old to go on.
CREATE OR REPLACE TEMP TABLE families AS
SELECT
    root,
    max(ended) AS ended,
    bool_or(held) AS held,
    bool_or(expired) AS expired,
    bool_or(deleted) AS deleted,
    bool_and(closed) AS closed,
    (bool_and(closed) AND max(ended) < $settled::TIMESTAMP - INTERVAL 10 MINUTE)
        OR (NOT bool_or(held) AND max(ended) < $settled::TIMESTAMP - INTERVAL 6 DAY) AS leaves
FROM roots JOIN hops USING (hop)
GROUP BY root

-- name: sessions
-- The SMTP connection of every authenticated message: the last connect of that process before it. A process may connect
-- several times in a second, so its place among those is part of the name.
CREATE OR REPLACE TEMP TABLE sessions AS
WITH connects AS (
    SELECT program, pid, time, epoch_us(time)::HUGEINT * 9223372036854775808 + place AS moment,
        row_number() OVER (PARTITION BY program, pid, date_trunc('second', time) ORDER BY place) AS nth
    FROM fold WHERE kind = 'connect'
), clients AS (
    SELECT hop, host, program, pid, started, epoch_us(started)::HUGEINT * 9223372036854775808 + client_place AS moment
    FROM hops WHERE account IS NOT NULL
)
SELECT clients.hop, clients.program, clients.pid, date_trunc('second', connects.time) AS connected,
    clients.host || '/' || clients.pid || '/' || strftime(coalesce(connects.time, clients.started), '%Y-%m-%dT%H:%M:%SZ')
        || CASE WHEN connects.nth > 1 THEN '/' || connects.nth ELSE '' END AS session
FROM clients ASOF LEFT JOIN connects
    ON clients.program = connects.program AND clients.pid = connects.pid AND clients.moment >= connects.moment

-- name: messages
-- The messages of the families that {which}.
SELECT
    hops.started AS time,
    families.ended AS ended,
    hops.message_key AS message_key,
    hops.account, hops.mail_from, hops.message_id, hops.client_ip, sessions.session, hops.method, hops.size, hops.nrcpt,
    coalesce(hops.subject, hops.rejection) AS subject,
    NULL AS fingerprint,
    CASE
        -- Refused when all of it was there, by a milter or for what it holds: somebody's try.
        WHEN hops.refused THEN 'refused'
        WHEN hops.account IS NOT NULL THEN 'submitted'
        WHEN hops.mail_from = '' AND NOT hops.handed_in THEN 'notification'
        WHEN hops.from_client THEN 'received'
        WHEN hops.handed_in THEN 'submitted'
        ELSE 'received' END AS direction,
    hops.accepted,
    families.held,
    CASE
        WHEN NOT hops.handed_in AND NOT hops.named AND NOT families.closed THEN 'both'
        WHEN NOT hops.handed_in AND NOT hops.named THEN 'start'
        WHEN NOT families.closed THEN 'end' END AS cut,
    hops.host, hops.instance, hops.queue_id, zones.zone,
    hops.place // 1099511627776 AS input,
    hops.place % 1099511627776 AS record
FROM families
JOIN hops ON hops.hop = families.root
LEFT JOIN sessions ON sessions.hop = families.root
LEFT JOIN zones ON zones.input = hops.place >> 40
WHERE (hops.accepted OR hops.refused OR NOT families.closed) AND {which}

-- name: deliveries
-- One row a message and address over all hops; a handed-over fate is the next hop's to tell. Status words are mapped
-- here: sent means the next server took it; an expired message expires what was still deferred.
WITH told AS (
    SELECT roots.root, fates.*, handovers.next IS NOT NULL AS handed_over,
        coalesce(handovers.next IS NOT NULL AND fates.reason LIKE 'forwarded as %', false) AS expanded
    FROM fates JOIN roots USING (hop) LEFT JOIN handovers USING (hop, address)
), final AS (
    -- The fate that counts: the last one that was not handed over; if all were, nobody knows what became of it.
    SELECT *, sum(attempts) OVER every AS all_attempts, min(first_time) OVER every AS since
    FROM told WHERE NOT expanded
        -- An address that was expanded behind the filter is told under those that it was expanded to.
        AND NOT (handed_over AND (root, address) IN (SELECT root, orig_to FROM told WHERE NOT handed_over AND orig_to IS NOT NULL))
    WINDOW every AS (PARTITION BY root, address)
    QUALIFY row_number() OVER (PARTITION BY root, address ORDER BY handed_over, time DESC, place DESC) = 1
), several AS (
    SELECT DISTINCT root FROM roots WHERE root <> hop
), fate AS (
    SELECT *, attempts AS all_attempts, first_time AS since FROM told ANTI JOIN several USING (root)
    UNION ALL BY NAME
    SELECT * FROM final SEMI JOIN several USING (root)
)
SELECT
    hops.message_key,
    fate.address, fate.orig_to,
    CASE
        WHEN fate.handed_over THEN 'unknown'
        WHEN families.held AND fate.status = 'deferred' THEN 'held'
        WHEN families.expired AND fate.status IN ('deferred', 'SOFTBOUNCE') THEN 'expired'
        -- A filter on this machine took it and what came out of the filter is not in the log, or it threw it away.
        WHEN fate.status = 'sent' AND NOT contains(fate.reason, 'forwarded as ')
            AND (fate.other_id IS NOT NULL OR contains(fate.reason, ', discarded'))
            AND (contains(fate.relay, '[127.') OR contains(fate.relay, '[::1]')) THEN 'unknown'
        ELSE CASE fate.status
            WHEN 'sent' THEN 'delivered' WHEN 'bounced' THEN 'bounced' WHEN 'deferred' THEN 'deferred'
            WHEN 'expired' THEN 'expired' WHEN 'SOFTBOUNCE' THEN 'deferred' WHEN 'deliverable' THEN 'unknown'
            WHEN 'undeliverable' THEN 'bounced' ELSE 'unknown' END
        END AS status,
    fate.dsn, fate.relay, fate.reason,
    fate.since AS first_time, fate.time, fate.all_attempts AS attempts, zones.zone,
    fate.place // 1099511627776 AS input,
    fate.place % 1099511627776 AS record
FROM fate
JOIN families ON families.root = fate.root
JOIN hops ON hops.hop = fate.root
LEFT JOIN zones ON zones.input = fate.place >> 40
WHERE hops.accepted AND {which}

-- name: refusals
-- What the server refused before it had a queue id: no message, but somebody's try.
SELECT time, time AS ended, host || '/' || tag || '/NOQUEUE/' || place AS message_key, account, mail_from,
    client_ip, 1 AS nrcpt, 'refused' AS direction, false AS accepted, false AS held, host, instance, queue_id, zone,
    place // 1099511627776 AS input, place % 1099511627776 AS record,
    NULL AS message_id, NULL AS session, NULL AS method, NULL AS size, reason AS subject, NULL AS fingerprint, NULL AS cut
FROM fold JOIN servers USING (program, server) LEFT JOIN zones ON zones.input = place >> 40
WHERE kind = 'refused'

-- name: smtp_signins
-- Postfix names the authenticated account on every message; a sign-in is the first of them in a connection. It is told as
-- soon as it is seen, whatever becomes of the message, and not again when the connection goes on in the next fold.
SELECT fresh.* FROM (
    SELECT hops.started AS time, hops.account, hops.client_ip AS ip, NULL AS user_agent, 'smtp' AS protocol,
        'success' AS outcome, sessions.session, hops.method, 1 AS tries, zones.zone,
        hops.place // 1099511627776 AS input, hops.place % 1099511627776 AS record
    FROM hops JOIN sessions USING (hop) LEFT JOIN zones ON zones.input = hops.place >> 40
    QUALIFY row_number() OVER (PARTITION BY hops.account, sessions.session ORDER BY hops.started, hops.place) = 1
) AS fresh
WHERE NOT EXISTS (
    SELECT 1 FROM signins AS known
    WHERE known.session = fresh.session AND known.account = fresh.account AND known.outcome = 'success'
        AND known.protocol = 'smtp' AND known.time >= (SELECT min(started) - INTERVAL 1 DAY FROM hops)
)

-- name: carried
-- The pieces that are carried on: those of families that stay with the connections that they came through, and the last
-- connect of every server process.
WITH staying AS (
    SELECT server, queue_id, life, hop FROM families JOIN roots USING (root) JOIN hops USING (hop) WHERE NOT leaves
), connected AS (
    SELECT program, pid, date_trunc('second', max(time)) AS second FROM fold WHERE kind = 'connect' GROUP BY program, pid
    UNION
    SELECT program, pid, connected FROM sessions SEMI JOIN staying USING (hop) WHERE connected IS NOT NULL
)
SELECT lived.* EXCLUDE (server, life) FROM lived SEMI JOIN staying USING (server, queue_id, life)
UNION ALL BY NAME
SELECT fold.* EXCLUDE (server) FROM fold SEMI JOIN connected
    ON fold.program = connected.program AND fold.pid = connected.pid AND date_trunc('second', fold.time) = connected.second
WHERE fold.kind = 'connect'
UNION ALL BY NAME
SELECT fold.* EXCLUDE (server) FROM fold SEMI JOIN connected
    ON fold.program = connected.program AND fold.pid = connected.pid AND fold.time >= connected.second
WHERE fold.kind IN ('hold', 'client') AND fold.queue_id = ''

-- name: passed
-- Which queue ids behind the first one a finished message went through, for knowing their records again.
SELECT hops.host, hops.instance, hops.queue_id, hops.started, hops.ended
FROM families JOIN roots USING (root) JOIN hops USING (hop)
WHERE {which} AND hops.hop <> families.root
