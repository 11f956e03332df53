-- What accounts did, as far as the tables in memory know: the events that guard/weighing/score.py takes one at a time.

-- name: latest
-- Up to when each log has been read, of what was read just now.
SELECT abs(place) >> 40, max(time) FROM staged_pieces WHERE time IS NOT NULL GROUP BY ALL

-- name: live
-- Mails handed in, successful sign-ins that are not part of handing in, and bounces, in the order of time. `key` knows an
-- event again from turn to turn (NULL: it comes once). `complete`: every recipient of the mail has had a first fate. `ended`: when
-- it was last heard of.
WITH mine AS (
    SELECT message_key, account, time, ended, client_ip, session, mail_from, size, subject, message_id, queue_id, nrcpt, cut,
        input, record
    FROM live_messages WHERE direction = 'submitted' AND accepted AND account IS NOT NULL
), gone AS (
    SELECT message_key, list(address ORDER BY address) AS addresses,
        list(DISTINCT orig_to) FILTER (orig_to IS NOT NULL) AS written
    FROM live_deliveries GROUP BY message_key
), told AS (
    SELECT message_key AS key, coalesce(cut IS NULL OR len(addresses) >= nrcpt, false) AS complete, 1 AS turn,
        'mail' AS kind, account, time, ended, coalesce(client_ip, '') AS ip, session, mail_from, size, subject, message_id,
        queue_id, addresses, written, input, record
    FROM mine LEFT JOIN gone USING (message_key)
    UNION ALL BY NAME
    SELECT NULL AS key, true AS complete, 0 AS turn, 'signin' AS kind, account, time, ip, input, record
    FROM staged_signins
    WHERE outcome = 'success' AND account IS NOT NULL AND ip IS NOT NULL AND protocol <> 'smtp'
    UNION ALL BY NAME
    SELECT 'bounce/' || message_key || '/' || live_deliveries.address AS key, true AS complete, 2 AS turn, 'bounce' AS kind,
        mine.account, live_deliveries.time, live_deliveries.input, live_deliveries.record
    FROM live_deliveries JOIN mine USING (message_key)
    WHERE live_deliveries.status = 'bounced' AND live_deliveries.time IS NOT NULL
)
SELECT key, complete, input, record, ended, kind, account, epoch(time) AS seconds, ip, session, mail_from, size, subject, NULL AS fingerprint,
    message_id, queue_id, addresses, written
FROM told ORDER BY time, account, turn, input, record

-- name: stale
-- The last connects of server processes that ended long ago, which a batch carries to the end of its run.
DELETE FROM carried WHERE kind = 'connect' AND time < $before::TIMESTAMP

-- name: open
-- Where every mail of the last hour that an account hands in begins, accepted yet or not: number of the log, line.
SELECT input, record, message_key FROM live_messages
WHERE account IS NOT NULL AND ended > (SELECT max(ended) - INTERVAL 1 HOUR FROM live_messages)
